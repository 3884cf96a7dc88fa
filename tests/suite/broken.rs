//! What people get wrong: configurations, rule files, captures, command lines. Each gives a message that names place and remedy, and
//! the right exit code.

use std::fs;
use std::path::Path;

use ringfence_tests::sensor::{Done, run};
use ringfence_tests::{office, root};

/// A name, the content, and words that the message must have.
type Broken<'a> = (&'a str, &'a str, &'a [&'a str]);

const SEGMENTS: &str = "[segments.office]\nclass = \"standard\"\nvlans = [20]\n[segments.lab]\nclass = \"sensitive\"\nvlans = [10]\n";

const CONFIGS: &[Broken<'_>] = &[
    ("unknown key", "sitee = \"x\"\n", &["1:1", "sitee", "did you mean `site`"]),
    ("wrong type", "site = 7\n", &["1:8", "must be a string"]),
    ("syntax", "site = \n", &[":1:"]),
    ("no class", "[segments.office]\nvlans = [20]\n", &["segments.office.class", "is missing"]),
    ("unknown class", "[segments.office]\nclass = \"gest\"\nvlans = [1]\n", &["2:9", "did you mean `guest`"]),
    ("vlan too large", "[segments.a]\nclass = \"guest\"\nvlans = [4095]\n", &["3:10", "1 to 4094"]),
    ("host bits", "[segments.a]\nclass = \"guest\"\nprefixes = [\"10.1.2.3/16\"]\n", &["did you mean `10.1.0.0/16`"]),
    ("no prefix", "[segments.a]\nclass = \"guest\"\nprefixes = [\"ten\"]\n", &["is no address prefix"]),
    (
        "same vlan twice",
        "[segments.a]\nclass = \"guest\"\nvlans = [5]\n[segments.b]\nclass = \"guest\"\nvlans = [5]\n",
        &["6:10", "belongs to `a` already (line 3)"],
    ),
    ("empty segment", "[segments.a]\nclass = \"guest\"\n", &["nothing belongs to it"]),
    ("unknown status", "[[policy.line]]\nname = \"x\"\nstatus = \"baned\"\n", &["3:10", "did you mean `banned`"]),
    ("no status", "[[policy.line]]\nname = \"x\"\n", &["status", "is missing"]),
    (
        "unknown segment in a line",
        "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\nsegments = [\"ofice\"]\n[segments.office]\nclass = \"guest\"\nvlans = [1]\n",
        &["did you mean `office`"],
    ),
    ("unknown level", "[policy.min_level]\nsensitive = \"sure\"\n", &["2:13", "possible, probable, confirmed"]),
    ("days", "[policy]\nexposure_days = 0\n", &["no sensible number of days"]),
    ("bad mac", "[[device]]\nid = \"a\"\nmacs = [\"02:00\"]\n", &["3:9", "is no hardware address"]),
    ("group mac", "[[device]]\nid = \"a\"\nmacs = [\"01:00:5e:00:00:01\"]\n", &["is a group address"]),
    (
        "mac twice",
        "[[device]]\nid = \"a\"\nmacs = [\"00:00:5e:00:53:01\"]\n[[device]]\nid = \"b\"\nmacs = [\"00:00:5e:00:53:01\"]\n",
        &["belongs to `a` already"],
    ),
    ("id twice", "[[device]]\nid = \"a\"\nnames = [\"x\"]\n[[device]]\nid = \"a\"\nnames = [\"y\"]\n", &["in the register twice"]),
    ("nothing identifies it", "[[device]]\nid = \"a\"\n", &["nothing identifies it"]),
    ("missing file", "waivers_file = \"none.toml\"\n", &["none.toml", "cannot be read"]),
];

const WAIVERS: &[Broken<'_>] = &[
    (
        "no end",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01\n",
        &["waiver[0].end", "is missing"],
    ),
    (
        "no approver",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\nreason=\"y\"\nstart=2026-01-01\nend=2026-02-01\n",
        &["approver", "is missing"],
    ),
    (
        "everybody",
        "id=\"W\"\nholders=[\"*\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01\nend=2026-02-01\n",
        &["blanket waiver is refused", "one by one"],
    ),
    (
        "all devices",
        "id=\"W\"\nholders=[\"all\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01\nend=2026-02-01\n",
        &["blanket waiver is refused"],
    ),
    (
        "unknown device",
        "id=\"W\"\nholders=[\"aa-laptp\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01\nend=2026-02-01\n",
        &["there is no device `aa-laptp`", "did you mean `aa-laptop`"],
    ),
    (
        "unknown segment",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"offce\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01\nend=2026-02-01\n",
        &["did you mean `office`"],
    ),
    (
        "ends before it starts",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-03-01\nend=2026-02-01\n",
        &["before it starts"],
    ),
    (
        "too long",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01\nend=2029-01-01\n",
        &["1097 days, the policy allows 365"],
    ),
    (
        "no date",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=\"soon\"\nend=2026-02-01\n",
        &["`soon` is no date"],
    ),
    (
        "no zone",
        "id=\"W\"\nholders=[\"a\"]\napps=[\"wechat\"]\nsegments=[\"office\"]\napprover=\"x\"\nreason=\"y\"\nstart=2026-01-01T08:00:00\nend=2026-02-01\n",
        &["a time needs its offset"],
    ),
];

const NAMES: &str = "id = \"site.x\"\nclass = \"media\"\nconfidence = \"high\"\nsource = \"us\"\n";

const RULES: &[Broken<'_>] = &[
    ("no app", "title = \"x\"\n", &["app", "is missing"]),
    ("unknown key", "app = \"x\"\n[[name]]\nid = \"a\"\n", &["2:", "did you mean `names`"]),
    (
        "bad id",
        "app = \"x\"\n[[names]]\nid = \"Bad Id\"\nclass = \"m\"\nconfidence = \"high\"\nsource = \"s\"\nnames = [\"a.b\"]\n",
        &["3:6", "lower-case letters"],
    ),
    (
        "no confidence",
        "app = \"x\"\n[[names]]\nid = \"a\"\nclass = \"m\"\nsource = \"s\"\nnames = [\"a.b\"]\n",
        &["confidence", "is missing"],
    ),
    (
        "unknown confidence",
        "app = \"x\"\n[[names]]\nid = \"a\"\nclass = \"m\"\nconfidence = \"hihg\"\nsource = \"s\"\nnames = [\"a.b\"]\n",
        &["did you mean `high`"],
    ),
    ("upper case", "app = \"x\"\n[[names]]\nNAMESnames = [\"Web.Example\"]\n", &["must be in lower case"]),
    ("top level", "app = \"x\"\n[[names]]\nNAMESnames = [\".com\"]\n", &["whole top-level domain"]),
    ("two stars", "app = \"x\"\n[[names]]\nNAMESnames = [\"*a*.example.org\"]\n", &["may have one `*`"]),
    ("star inside", "app = \"x\"\n[[names]]\nNAMESnames = [\"a.*.org\"]\n", &["first label only"]),
    ("space", "app = \"x\"\n[[names]]\nNAMESnames = [\"a b.org\"]\n", &["is no host name pattern"]),
    ("no names", "app = \"x\"\n[[names]]\nNAMES", &["names[0].names", "is missing"]),
    ("number for a name", "app = \"x\"\n[[names]]\nNAMESnames = [7]\n", &["must be a string, not a whole number"]),
    (
        "no source",
        "app = \"x\"\n[[names]]\nid = \"a\"\nclass = \"m\"\nconfidence = \"high\"\nnames = [\"a.b\"]\n",
        &["source", "is missing"],
    ),
    (
        "unknown field",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nweight = 0.5\nsource = \"s\"\nfield = \"tls.snii\"\nis = \"x\"\n",
        &["7:9", "did you mean `tls.sni`"],
    ),
    (
        "never so",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nweight = 0.5\nsource = \"s\"\nfield = \"mmtls.hello\"\nis = \"mutal\"\n",
        &["did you mean `mutual`"],
    ),
    (
        "no pattern",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nweight = 0.5\nsource = \"s\"\nfield = \"mmtls.hello\"\n",
        &["has no pattern", "is, prefix, contains, cidr"],
    ),
    (
        "no weight",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nsource = \"s\"\nfield = \"mmtls.hello\"\nis = \"mutual\"\n",
        &["weight", "is missing"],
    ),
    (
        "heavy",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nweight = 7.5\nsource = \"s\"\nfield = \"mmtls.hello\"\nis = \"mutual\"\n",
        &["between 0 and 1"],
    ),
    (
        "cidr on text",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nweight = 0.5\nsource = \"s\"\nfield = \"http.user_agent\"\ncidr = \"10.0.0.0/8\"\n",
        &["holds no addresses"],
    ),
    (
        "bad cidr",
        "app = \"x\"\n[[sign]]\nid = \"a\"\nclass = \"m\"\nweight = 0.5\nsource = \"s\"\nfield = \"flow.server\"\ncidr = \"10.0.0.1/8\"\n",
        &["is no address prefix"],
    ),
    ("same id twice", "app = \"x\"\n[[names]]\nNAMESnames = [\"a.b\"]\n[[names]]\nNAMESnames = [\"c.d\"]\n", &["the id is used twice"]),
    (
        "same name twice",
        "app = \"x\"\n[[names]]\nNAMESnames = [\"a.b\"]\n[[names]]\nid = \"y\"\nclass = \"m\"\nconfidence = \"high\"\nsource = \"s\"\nnames = [\"a.b\"]\n",
        &["belongs to site.x already"],
    ),
];

fn expect(what: &str, done: &Done, exit: i32, words: &[&str]) {
    assert_eq!(done.status, Some(exit), "{what}: {}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{what}: {}", done.stderr);
    for word in words {
        // Place and key may stand on different lines: the place is `file:line:column`.
        assert!(done.stderr.contains(word), "{what}: `{word}` is not in\n{}", done.stderr);
    }
}

fn check_config(dir: &Path, what: &str, text: &str, words: &[&str]) {
    let path = dir.join("ringfence.toml");
    fs::write(&path, text).expect("written");
    let path = path.to_string_lossy();
    expect(what, &run(&["check", "-c", &path]), 78, words);
    let scanned = run(&["scan", "-c", &path, "/dev/null"]);
    expect(what, &scanned, 78, words);
    assert!(scanned.stdout.is_empty(), "{what}: nothing is scanned with a broken configuration");
}

#[test]
fn configurations() {
    let dir = tempfile::tempdir().expect("temporary folder");
    assert!(CONFIGS.len() + WAIVERS.len() >= 30);
    CONFIGS.iter().for_each(|(what, text, words)| check_config(dir.path(), what, text, words));
    for (what, waiver, words) in WAIVERS {
        let device = "[[device]]\nid = \"a\"\nnames = [\"a\"]\n[[device]]\nid = \"aa-laptop\"\nnames = [\"b\"]\n";
        check_config(dir.path(), what, &format!("{SEGMENTS}{device}[[waiver]]\n{waiver}"), words);
    }
}

#[test]
fn all_errors_at_once() {
    let dir = tempfile::tempdir().expect("temporary folder");
    fs::write(dir.path().join("w.toml"), "[[waiver]]\nid = \"W\"\n").expect("written");
    fs::write(dir.path().join("d.csv"), "id,mac\nx,02:zz\n").expect("written");
    let text = "waivers_file = \"w.toml\"\ndevices_file = \"d.csv\"\nsitee = 1\n[segments.a]\nclass = \"x\"\nvlans = [9999]\n";
    let words =
        ["sitee", "segments.a.class", "9999 is no VLAN id", "unknown column", "did you mean `macs`", "w.toml:1", "approver", "d.csv:1"];
    check_config(dir.path(), "many", text, &words);
}

#[test]
fn rule_files() {
    assert!(RULES.len() >= 20);
    for (what, text, words) in RULES {
        let dir = tempfile::tempdir().expect("temporary folder");
        fs::write(dir.path().join("site.toml"), text.replace("NAMES", NAMES)).expect("written");
        let path = dir.path().to_string_lossy().into_owned();
        expect(what, &run(&["check", "--rules", &path]), 78, words);
        expect(what, &run(&["rules", "--rules", &path, "list"]), 78, words);
    }
}

#[test]
fn rule_folders() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().to_string_lossy().into_owned();
    expect("empty", &run(&["check", "--rules", &path]), 78, &["holds no *.toml file"]);
    expect("missing", &run(&["check", "--rules", "/no/such/folder"]), 78, &["cannot be read"]);
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("passwd.toml")).expect("linked");
    expect("a link out of the folder", &run(&["check", "--rules", &path]), 78, &["is no plain file", "not followed"]);
    fs::remove_file(dir.path().join("passwd.toml")).expect("removed");
    fs::write(dir.path().join("latin.toml"), b"app = \"caf\xe9\"\n").expect("written");
    expect("not UTF-8", &run(&["check", "--rules", &path]), 78, &["is not UTF-8 at byte 10"]);
}

#[test]
fn a_site_rule_replaces_a_shipped_one() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let rule = "app = \"wechat\"\n[[names]]\nid = \"site.web\"\nclass = \"web-client\"\nconfidence = \"low\"\nsurface = \"web\"\nsource = \"us\"\nnames = [\"web.wechat.com\"]\nhits = [\"web.wechat.com\"]\nmisses = [\"x.example\"]\n";
    fs::write(dir.path().join("site.toml"), rule).expect("written");
    let done = run(&["explain", "web.wechat.com", "--rules", &dir.path().to_string_lossy()]);
    assert!(done.status == Some(0) && done.stdout.contains("site.web") && done.stdout.contains("low:"), "{}{}", done.stdout, done.stderr);
}

#[test]
fn captures() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let whole = dir.path().join("office.pcap");
    office::write(&whole).expect("written");
    let good = fs::read(&whole).expect("read");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path.to_string_lossy().into_owned()
    };
    let changed = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let gzip_head = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xff; 40]].concat();
    let cases: Vec<(&str, String, i32, &[&str])> = vec![
        ("empty", file("empty", b""), 65, &["empty", "the file is empty"]),
        ("text", file("text", b"hello, this is no capture at all"), 65, &["neither pcap nor pcapng", "68 65 6c 6c"]),
        ("header cut", file("cut-header", &good[..10]), 65, &["cut-header"]),
        ("unknown version", file("version", &changed(4, &[9, 0, 9, 0])), 65, &["version"]),
        ("snoop", file("snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04"), 65, &["snoop", "editcap"]),
        ("zip", file("zip", b"PK\x03\x04whatever"), 65, &["zip", "unzip"]),
        ("xz", file("xz", b"\xfd7zXZ\0whatever"), 65, &["xz -dc"]),
        ("damaged gzip", file("gz", &gzip_head), 65, &["gz"]),
        ("missing", "/no/such.pcap".into(), 66, &["/no/such.pcap", "check the path"]),
        ("a folder", dir.path().to_string_lossy().into_owned(), 66, &["*.pcap"]),
        ("a record of 2 GiB", file("huge", &changed(24 + 8, &[0xff, 0xff, 0xff, 0x7f])), 65, &["byte 24"]),
    ];
    for (what, path, exit, words) in &cases {
        let done = run(&["scan", path]);
        expect(what, &done, *exit, words);
        assert!(done.stdout.is_empty() || done.stdout.contains(" frames, "), "{what}: {}", done.stdout);
        assert!(!done.stdout.contains("No finding"), "{what}: what was not read must not look clean: {}", done.stdout);
        expect(what, &run(&["dissect", path]), *exit, words);
    }
    let harmless: Vec<(&str, String)> = vec![
        ("no packets", file("none", &good[..24])),
        ("last packet cut", file("cut-packet", &good[..good.len() - 7])),
        ("record header cut", file("cut-record", &good[..good.len() - 7 - 60])),
        ("snap length of 1", file("snap", &changed(16, &[1, 0, 0, 0]))),
        ("unknown link type", file("link", &changed(20, &[147, 0, 0, 0]))),
        (
            "all times zero",
            file("times", &{
                let mut bytes = good.clone();
                bytes[24..32].fill(0xff);
                bytes
            }),
        ),
    ];
    for (what, path) in &harmless {
        let done = run(&["scan", path]);
        expect(what, &done, 0, &[]);
        assert!(done.stdout.contains("What this answer rests on"), "{what}");
    }
    // One bad input among good ones: the good ones are still judged, the bad one is told.
    let done = run(&["scan", &whole.to_string_lossy(), "/no/such.pcap"]);
    expect("one of two", &done, 66, &["/no/such.pcap"]);
    assert!(done.stdout.contains("findings on"), "{}", done.stdout);
    // Twenty seeded ways of damage: an answer or a clear error, never a crash.
    for seed in 0..20 {
        let frames = ringfence_tests::mutate::mutate(&office::morning().trace.sorted(), seed);
        let path = file("mutated", &ringfence_tests::capture::pcap(&frames, ringfence_tests::capture::Pcap::default()));
        expect("mutated", &run(&["scan", "-o", "json", &path]), 0, &[]);
    }
}

#[test]
fn command_lines() {
    for (args, words) in [
        (&["scan"][..], &["FILE"][..]),
        (&["scna"], &["scan"]),
        (&["scan", "x", "--fail-on", "violatoin"], &["did you mean `violation`"]),
        (&["scan", "x", "-o", "xml"], &["human", "json", "csv"]),
        (&["rules", "show", "wechat.mmtls.hello-mutul"], &["did you mean `wechat.mmtls.hello-mutual`"]),
        (&["rules", "list", "--app", "wechatt"], &["apps:", "wechat"]),
        (&["man", "scann"], &["no subcommand"]),
    ] {
        expect("command line", &run(args), 2, words);
    }
}

#[test]
fn exit_codes_and_colour() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let capture = dir.path().join("office.pcap");
    office::write(&capture).expect("written");
    let (capture, config) =
        (capture.to_string_lossy().into_owned(), root().join("deploy/config/ringfence.toml").to_string_lossy().into_owned());
    assert_eq!(run(&["scan", "-c", &config, &capture]).status, Some(0));
    assert_eq!(run(&["scan", "-c", &config, "--fail-on", "violation", &capture]).status, Some(1));
    assert_eq!(run(&["scan", "--fail-on", "violation", &capture]).status, Some(0), "without a policy everything is observed");
    assert_eq!(run(&["scan", "--fail-on", "confirmed", &capture]).status, Some(1));
    assert!(!run(&["scan", "-c", &config, &capture]).stdout.contains('\x1b'), "no colour off a terminal");
    assert_eq!(run(&["check", "-c", &config]).status, Some(0));
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).stdout.contains("ringfence"));
    }
    assert!(run(&["man"]).stdout.contains(".TH ringfence"));
    assert!(run(&["man", "scan"]).stdout.contains("fail\\-on"));
}
