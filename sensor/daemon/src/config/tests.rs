//! What is refused, and how it is told; and that the example is right.

use std::fs;
use std::path::Path;

use ringfence_core::diagnostic::Diagnostics;
use ringfence_core::policy::Status;

use super::*;

const APPS: [&str; 4] = ["qq", "tiktok", "wechat", "wecom"];

fn apps() -> Vec<String> {
    APPS.map(String::from).to_vec()
}

/// A folder with the given files; the first is the configuration.
fn load(files: &[(&str, &str)]) -> Result<Config, Diagnostics> {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("written");
    }
    let cut = |diagnostics: Diagnostics| {
        let folder = format!("{}/", dir.path().display());
        let mut short = Diagnostics::default();
        for problem in diagnostics.problems() {
            let mut problem = problem.clone();
            problem.file = problem.file.replace(&folder, "");
            problem.message = problem.message.replace(&folder, "");
            short.push(problem);
        }
        short
    };
    match Config::load(&dir.path().join(files[0].0), &apps()) {
        Ok(config) => Ok(Config { warnings: cut(config.warnings.clone()), ..config }),
        Err(found) => Err(cut(found)),
    }
}

fn lines(diagnostics: &Diagnostics) -> Vec<String> {
    diagnostics.problems().iter().map(ToString::to_string).collect()
}

/// What `ringfence.toml` with this text gives: every problem, errors or warnings.
fn problems(text: &str) -> Vec<String> {
    match load(&[("ringfence.toml", text)]) {
        Ok(config) => lines(&config.warnings),
        Err(found) => lines(&found),
    }
}

const OFFICE: &str = "[segments.office]\nclass = \"standard\"\nvlans = 20\n[segments.lab]\nclass = \"sensitive\"\nvlans = 10\n[segments.away]\nclass = \"separate\"\nvlans = 40\n[[device]]\nid = \"laptop\"\nmacs = \"02:00:5e:10:00:01\"\n";

/// Text after the twelve lines of [`OFFICE`], and the problems that it gives.
fn after_office(text: &str, expect: &[&str]) {
    assert_eq!(problems(&format!("{OFFICE}{text}")), expect, "{text}");
}

#[test]
fn keys_and_types() {
    for (text, expect) in [
        ("sitee = \"x\"", "1:1: error: sitee: unknown key (did you mean `site`?)"),
        ("site = 7", "1:8: error: site: must be a string, not a whole number"),
        ("[policy]\nexposure_days = \"30\"", "2:17: error: policy.exposure_days: must be a whole number from 0, not a string"),
        ("[policy]\nexposure_days = 0", "2:17: error: policy.exposure_days: 0 is no sensible number of days (1 to 3650)"),
        ("[policy]\nwaiver_days_max = 99999", "2:19: error: policy.waiver_days_max: 99999 is no sensible number of days (1 to 3650)"),
        (
            "[policy.min_level]\nsensitive = \"sure\"",
            "2:13: error: policy.min_level.sensitive: `sure` is not known here (one of: possible, probable, confirmed)",
        ),
        ("[policy.min_level]\nsensitiv = \"probable\"", "2:1: error: policy.min_level.sensitiv: unknown key (did you mean `sensitive`?)"),
        (
            "[policy]\nwork_names = [\"https://mail.example.org/login\"]",
            "2:15: error: policy.work_names[0]: `https://mail.example.org/login` is no host name (did you mean `mail.example.org`?)",
        ),
        (
            "[policy]\nwork_names = \"my mail\"",
            "2:14: error: policy.work_names: `my mail` is no host name (write vpn.example.org, or .example.org for it and everything below)",
        ),
        (
            "[policy]\nwork_prefixes = \"10.1.2.3/24\"",
            "2:17: error: policy.work_prefixes: `10.1.2.3/24` has host bits (did you mean `10.1.2.0/24`?)",
        ),
        ("[[segments]]\nclass = \"guest\"", "1:1: error: segments: must be a table, not an array"),
        ("[device]\nid = \"a\"", "1:1: error: device: must be an array of tables, not a table (write [[device]])"),
    ] {
        assert_eq!(problems(text), [format!("ringfence.toml:{expect}")], "{text}");
    }
}

#[test]
fn segments_one_by_one() {
    let segment = |body: &str| problems(&format!("[segments.a]\nclass = \"guest\"\n{body}\n"));
    for (body, expect) in [
        ("", "1:11: error: segments.a: nothing belongs to it (give vlans, tunnels, interfaces or prefixes)"),
        ("vlans = 4095", "3:9: error: segments.a.vlans: 4095 is no VLAN id (VLAN ids go from 1 to 4094)"),
        ("vlans = [0, 7]", "3:10: error: segments.a.vlans[0]: 0 is no VLAN id (VLAN ids go from 1 to 4094)"),
        ("vlans = [\"20-10\"]", "3:10: error: segments.a.vlans[0]: the range 20-10 runs backwards (did you mean \"10-20\"?)"),
        ("vlans = [\"ten\"]", "3:10: error: segments.a.vlans[0]: `ten` is neither a VLAN id nor a range (write 20 or \"200-209\")"),
        ("vlans = [\"4000-5000\"]", "3:10: error: segments.a.vlans[0]: 5000 is no VLAN id (VLAN ids go from 1 to 4094)"),
        ("vlans = [true]", "3:10: error: segments.a.vlans[0]: must be a whole number from 0 or a string, not true or false"),
        ("prefixes = \"10.1.2.3/16\"", "3:12: error: segments.a.prefixes: `10.1.2.3/16` has host bits (did you mean `10.1.0.0/16`?)"),
        (
            "prefixes = [\"2001:db8::1/32\"]",
            "3:13: error: segments.a.prefixes[0]: `2001:db8::1/32` has host bits (did you mean `2001:db8::/32`?)",
        ),
        ("prefixes = \"10.0.0.0/33\"", "3:12: error: segments.a.prefixes: `10.0.0.0/33` is too long (an IPv4 prefix has at most 32 bits)"),
        ("prefixes = \"10.0/8\"", "3:12: error: segments.a.prefixes: `10.0/8` is no address prefix (write 10.1.0.0/16 or 2001:db8::/32)"),
        ("tunnels = 5001", "3:11: error: segments.a.tunnels: must be a string or an array of them, not a whole number"),
        ("tunnels = \"5001\"", "3:11: error: segments.a.tunnels: `5001` is no tunnel id (write the kind and the id: vxlan:5001)"),
        (
            "tunnels = \"vxlan:99999999\"",
            "3:11: error: segments.a.tunnels: `vxlan:99999999` is no tunnel id (vxlan ids go from 0 to 16777215)",
        ),
        ("vlans = 1\nvlanz = 2", "4:1: error: segments.a.vlanz: unknown key (did you mean `vlans`?)"),
        ("vlans = [7, 7]", "3:13: warning: segments.a.vlans[1]: VLAN 7 is superfluous: VLAN 7 (line 3) says it already (remove it)"),
        (
            "prefixes = [\"10.0.0.0/8\", \"10.1.0.0/16\"]",
            "3:27: warning: segments.a.prefixes[1]: 10.1.0.0/16 is superfluous: 10.0.0.0/8 (line 3) says it already (remove it)",
        ),
    ] {
        assert_eq!(segment(body), [format!("ringfence.toml:{expect}")], "{body}");
    }
    for (text, expect) in [
        ("[segments.a]\nvlans = 1", "1:1: error: segments.a.class: is missing"),
        ("[segments.a]\nclass = \"gest\"\nvlans = 1", "2:9: error: segments.a.class: `gest` is not known here (did you mean `guest`?)"),
        (
            "[segments.\"a b\"]\nclass = \"guest\"\nvlans = 1",
            "1:11: error: segments.a b: `a b` cannot be used as a name (1 to 64 letters of a-z and A-Z, digits, `.`, `_` or `-`)",
        ),
        (
            "[segments.vlan-20]\nclass = \"guest\"\nvlans = 30",
            "1:11: error: segments.vlan-20: `vlan-20` is what outputs call a segment that is not configured (choose another name)",
        ),
    ] {
        assert_eq!(problems(text), [format!("ringfence.toml:{expect}")], "{text}");
    }
    assert_eq!(problems("[segments.vlan-20]\nclass = \"guest\"\nvlans = \"15-25\""), [""; 0]);
}

#[test]
fn segments_against_each_other() {
    for (text, expect) in [
        (
            "[segments.b]\nclass = \"guest\"\nvlans = [20]",
            "15:10: error: segments.b.vlans[0]: VLAN 20 belongs to `office` already (line 3) (each belongs to one segment)",
        ),
        (
            "[segments.b]\nclass = \"guest\"\nvlans = \"15-25\"",
            "15:9: error: segments.b.vlans: VLANs 15-25 overlap VLAN 20 of `office` (line 3) (each belongs to one segment)",
        ),
    ] {
        after_office(text, &[&format!("ringfence.toml:{expect}")]);
    }
    let shadowed = "[segments.all]\nclass = \"guest\"\nprefixes = \"10.0.0.0/24\"\n[segments.low]\nclass = \"guest\"\nprefixes = \"10.0.0.0/25\"\n[segments.high]\nclass = \"guest\"\nprefixes = \"10.0.0.128/25\"\n";
    assert_eq!(
        problems(shadowed),
        [
            "ringfence.toml:3:12: error: segments.all.prefixes: 10.0.0.0/24 never matches: longer prefixes cover all of it: 10.0.0.0/25 of `low` (line 6), 10.0.0.128/25 of `high` (line 9) (remove it)"
        ]
    );
    let two_files = [
        ("ringfence.toml", "segments_file = \"net.toml\"\n[segments.a]\nclass = \"guest\"\ninterfaces = \"span0\"\n"),
        ("net.toml", "# network\n[segments.a]\nclass = \"guest\"\ninterfaces = \"span0\"\n"),
    ];
    assert_eq!(
        lines(&load(&two_files).expect_err("refused")),
        [
            "net.toml:2:11: error: segments.a: the segment `a` is there already (ringfence.toml:2) (names are unique over all files)",
            "net.toml:4:14: error: segments.a.interfaces: interface span0 belongs to `a` already (ringfence.toml:4) (each belongs to one segment)",
        ]
    );
}

#[test]
fn policy_lines() {
    for (text, expect) in [
        ("[[policy.line]]\nname = \"x\"", &["13:1: error: policy.line[0].status: is missing"][..]),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"baned\"",
            &["15:10: error: policy.line[0].status: `baned` is not known here (did you mean `banned`?)"],
        ),
        ("[[policy.line]]\nname = \" \"\nstatus = \"banned\"", &["14:8: error: policy.line[0].name: is empty (say it in a few words)"]),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\napps = \"wechatt\"",
            &["16:8: error: policy.line[0].apps: there is no app `wechatt` (did you mean `wechat`?)"],
        ),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\napps = \"zoom\"",
            &["16:8: error: policy.line[0].apps: there is no app `zoom` (the rules know: qq, tiktok, wechat, wecom)"],
        ),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\nsegments = \"ofice\"",
            &["16:12: error: policy.line[0].segments: there is no segment `ofice` (did you mean `office`?)"],
        ),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\nclasses = [\"guests\"]",
            &["16:12: error: policy.line[0].classes[0]: `guests` is not known here (did you mean `guest`?)"],
        ),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\nclasses = \"guest\"\nsegments = \"office\"",
            &[
                "17:12: error: policy.line[0].segments: `office` is a standard segment, which `classes` leaves out (give classes or segments)",
            ],
        ),
        (
            "[[policy.line]]\nname = \"x\"\nstatus = \"banned\"\n[[policy.line]]\nname = \"y\"\napps = \"qq\"\nstatus = \"allowed\"",
            &[
                "16:1: warning: policy.line[1]: never decides: `x` (line 13) matches wherever it does (the first line that matches decides: put the narrower line first)",
            ],
        ),
        (
            "[[policy.line]]\nname = \"x\"\napps = \"qq\"\nstatus = \"banned\"\n[[policy.line]]\nname = \"x\"\nstatus = \"allowed\"",
            &["18:8: error: policy.line[1].name: the line `x` is there already (line 13) (names of lines are unique)"],
        ),
    ] {
        let expect: Vec<String> = expect.iter().map(|e| format!("ringfence.toml:{e}")).collect();
        after_office(text, &expect.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn devices() {
    for (text, expect) in [
        ("id = \"a\"", "13:1: error: device[1]: nothing identifies it (give macs, names or addresses)"),
        ("names = \"a\"", "13:1: error: device[1].id: is missing"),
        ("id = \"a\"\nmacs = \"02:00\"", "15:8: error: device[1].macs: `02:00` is no hardware address (write 02:00:5e:10:00:01)"),
        (
            "id = \"a\"\nmacs = \"01:00:5e:00:00:01\"",
            "15:8: error: device[1].macs: 01:00:5e:00:00:01 is a group address (a device has an address of its own)",
        ),
        (
            "id = \"a\"\nmacs = \"0200.5e10.0001\"",
            "15:8: error: device[1].macs: 02:00:5e:10:00:01 belongs to `laptop` already (line 12) (a hardware address belongs to one device)",
        ),
        (
            "id = \"laptop\"\nnames = \"x\"",
            "14:6: error: device[1].id: `laptop` is in the register twice (line 11) (ids are unique over all files)",
        ),
        (
            "id = \"a\"\naddresses = \"10.0.0\"",
            "15:13: error: device[1].addresses: `10.0.0` is no address (write 192.0.2.7 or 2001:db8::7)",
        ),
        ("id = \"a\"\nnames = \"a\"\ndesignated = \"yes\"", "16:14: error: device[1].designated: must be true or false, not a string"),
        (
            "id = \"a\"\nnames = \"a\"\ndesignated = true\nallowed_segments = \"office\"",
            "17:20: error: device[1].allowed_segments: `office` is a standard segment: a designated device there is a breach of separation (name segments of class separate or guest)",
        ),
        (
            "id = \"a\"\nnames = \"a\"\nallowed_segments = \"away\"",
            "16:20: error: device[1].allowed_segments: only designated devices are bound to segments (add designated = true, or remove it)",
        ),
        (
            "id = \"a\"\nnames = \"a\"\nowner = \"j.doe@example.org\"",
            "16:9: warning: device[1].owner: `j.doe@example.org` looks like a person (give a pseudonym that your own records resolve)",
        ),
    ] {
        after_office(&format!("[[device]]\n{text}\n"), &[&format!("ringfence.toml:{expect}")]);
    }
}

#[test]
fn devices_as_csv() {
    let csv = |text: &str| match load(&[("ringfence.toml", OFFICE), ("devices.csv", text)]) {
        Ok(config) => (config.policy.register.devices().skip(1).cloned().collect::<Vec<_>>(), lines(&config.warnings)),
        Err(found) => (Vec::new(), lines(&found)),
    };
    for (text, expect) in [
        (
            "name,mac\n",
            &[
                "devices.csv:1:1: error: name: unknown column (did you mean `names`?)",
                "devices.csv:1:1: error: the column `id` is missing (the first line names the columns: id,macs,names,addresses,owner,kind,designated,allowed_segments)",
                "devices.csv:1:6: error: mac: unknown column (did you mean `macs`?)",
            ][..],
        ),
        ("id,macs\na,02:00\n", &["devices.csv:2:3: error: macs: `02:00` is no hardware address (write 02:00:5e:10:00:01)"]),
        (
            "id,macs\na,02:00:5e:10:00:07\n\nb,02:00:5e:10:00:08 02:00:5e:10:00:07\n",
            &[
                "devices.csv:4:21: error: macs: 02:00:5e:10:00:07 belongs to `a` already (line 2) (a hardware address belongs to one device)",
            ],
        ),
        (
            "id,macs\na,02:00:5e:10:00:01\n",
            &[
                "devices.csv:2:3: error: macs: 02:00:5e:10:00:01 belongs to `laptop` already (ringfence.toml:12) (a hardware address belongs to one device)",
            ],
        ),
        ("id,names,designated\na,a,maybe\n", &["devices.csv:2:5: error: designated: `maybe` is neither yes nor no (write yes or no)"]),
        ("id,names\n,a\n", &["devices.csv:2:1: error: the cell `id` is empty (each row is one device)"]),
        (
            "id,names\na,b,c\n",
            &["devices.csv:2:1: error: has 3 cells, the header names 2 columns (several values in one cell are separated by spaces)"],
        ),
        ("id,names,id\na,b,c\n", &["devices.csv:1:1: error: id: the column is there twice (keep one of them)"]),
        (
            "id,names,allowed_segments,designated\na,b,awy,yes\n",
            &["devices.csv:2:5: error: allowed_segments: there is no segment `awy` (did you mean `away`?)"],
        ),
    ] {
        assert_eq!(csv(text).1, expect, "{text}");
    }
    let (devices, said) =
        csv("\u{feff}ID;MACs;Owner;Designated;Names\r\nphone;02:00:5e:10:00:07|02-00-5E-10-00-08;\"unit 7; press\";YES;Phone.local\r\n");
    assert_eq!(
        said,
        ["devices.csv:2:44: warning: owner: `unit 7; press` looks like a person (give a pseudonym that your own records resolve)"]
    );
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].macs.len(), devices[0].designated, devices[0].names.as_slice()), (2, true, &["phone.local".to_string()][..]));
}

/// A complete waiver, one line per key, with some lines replaced or left out.
fn waiver(change: &[(&str, &str)]) -> String {
    let keys = [
        ("id", "\"W-1\""),
        ("holders", "\"laptop\""),
        ("apps", "\"wechat\""),
        ("segments", "\"office\""),
        ("approver", "\"CISO\""),
        ("reason", "\"press\""),
        ("start", "2026-01-01"),
        ("end", "2026-06-30"),
    ];
    let value = |key: &str, old| change.iter().find(|(k, _)| *k == key).map_or(old, |(_, new)| *new);
    let lines = keys.iter().map(|(key, old)| (key, value(key, old))).filter(|(_, v)| !v.is_empty());
    lines.fold("[[waiver]]\n".to_string(), |text, (key, value)| format!("{text}{key} = {value}\n"))
}

#[test]
fn waivers() {
    for (change, expect) in [
        (("end", ""), "13:1: error: waiver[0].end: is missing (a waiver without an end is refused: write 2026-06-30)"),
        (("start", ""), "13:1: error: waiver[0].start: is missing (write 2026-03-01)"),
        (("approver", ""), "13:1: error: waiver[0].approver: is missing"),
        (("approver", "\"\""), "18:12: error: waiver[0].approver: is empty (say it in a few words)"),
        (("holders", ""), "13:1: error: waiver[0].holders: is missing"),
        (("holders", "[]"), "15:11: error: waiver[0].holders: names nothing (name the holders one by one)"),
        (("holders", "\"*\""), "15:11: error: waiver[0].holders: `*`: a blanket waiver is refused (name the holders one by one)"),
        (
            ("holders", "[\"laptop\", \"All devices\"]"),
            "15:22: error: waiver[0].holders[1]: `All devices`: a blanket waiver is refused (name the holders one by one)",
        ),
        (("holders", "\"laptpo\""), "15:11: error: waiver[0].holders: there is no device `laptpo` (did you mean `laptop`?)"),
        (
            ("holders", "\"02-00-5E-10-00-09\""),
            "15:11: error: waiver[0].holders: there is no device `02-00-5E-10-00-09` (did you mean `mac:02:00:5e:10:00:09`?)",
        ),
        (("holders", "\"mac:02:00\""), "15:11: error: waiver[0].holders: `02:00` is no hardware address (write 02:00:5e:10:00:01)"),
        (("apps", "\"wechaat\""), "16:8: error: waiver[0].apps: there is no app `wechaat` (did you mean `wechat`?)"),
        (("segments", "\"ofice\""), "17:12: error: waiver[0].segments: there is no segment `ofice` (did you mean `office`?)"),
        (("segments", "\"*\""), "17:12: error: waiver[0].segments: `*`: a blanket waiver is refused (name the segments one by one)"),
        (("end", "2025-12-31"), "21:7: error: waiver[0].end: ends before it starts (the end lies after the start)"),
        (
            ("end", "2028-01-01"),
            "21:7: error: waiver[0].end: lasts 731 days, the policy allows 365 (shorten it, and renew it when the time comes (policy.waiver_days_max))",
        ),
        (("end", "\"soon\""), "21:7: error: waiver[0].end: `soon` is no date (write 2026-06-30 or 2026-06-30T18:00:00+02:00)"),
        (
            ("end", "2026-06-30T18:00:00"),
            "21:7: error: waiver[0].end: `2026-06-30T18:00:00` does not say in which zone (a time needs its offset: 2026-06-30T18:00:00Z for UTC, or 2026-06-30T18:00:00+01:00)",
        ),
        (("end", "7"), "21:7: error: waiver[0].end: must be a date or a date-time with its offset, not a whole number"),
        (
            ("id", "\"W 1\""),
            "14:6: error: waiver[0].id: `W 1` cannot be used as a name (1 to 64 letters of a-z and A-Z, digits, `.`, `_` or `-`)",
        ),
    ] {
        after_office(&waiver(&[change]), &[&format!("ringfence.toml:{expect}")]);
    }
    after_office(
        &format!("{}{}", waiver(&[]), waiver(&[])),
        &["ringfence.toml:23:6: error: waiver[1].id: the waiver `W-1` is there already (line 13) (ids are unique; a renewal has its own)"],
    );
}

#[test]
fn waivers_against_the_policy() {
    let banned = "[[policy.line]]\nname = \"no qq\"\napps = \"qq\"\nstatus = \"banned\"\n";
    after_office(
        &format!("{}{banned}", waiver(&[("apps", "\"qq\"")])),
        &[
            "ringfence.toml:17:12: error: waiver[0].segments: qq is banned in `office` by the line no qq (banned): no waiver is possible (remove the waiver, or change the line to separate_device)",
        ],
    );
    let audited = banned.replace("banned", "under_audit");
    after_office(
        &format!("{}{audited}", waiver(&[("apps", "\"qq\"")])),
        &["ringfence.toml:17:12: warning: waiver[0].segments: qq needs no waiver in `office`: no qq (under_audit) (remove the segment)"],
    );
    let length = "[policy]\nwaiver_days_max = 31\n";
    after_office(&format!("{}{length}", waiver(&[("end", "2026-01-31")])), &[]);
    after_office(
        &format!("{}{length}", waiver(&[("end", "2026-02-01")])),
        &[
            "ringfence.toml:21:7: error: waiver[0].end: lasts 32 days, the policy allows 31 (shorten it, and renew it when the time comes (policy.waiver_days_max))",
        ],
    );
}

#[test]
fn a_date_counts_to_its_end() {
    let config = load(&[("ringfence.toml", &format!("{OFFICE}{}", waiver(&[])))]).expect("right");
    let waiver = &config.policy.waivers[0];
    assert_eq!(waiver.start.to_string(), "2026-01-01T00:00:00.000000Z");
    assert_eq!(waiver.end.to_string(), "2026-07-01T00:00:00.000000Z");
    let timed = load(&[("ringfence.toml", &format!("{OFFICE}{}", self::waiver(&[("end", "2026-06-30T18:00:00+02:00")])))]).expect("right");
    assert_eq!(timed.policy.waivers[0].end.to_string(), "2026-06-30T16:00:00.000000Z");
}

#[test]
fn files_that_cannot_be_read() {
    let missing = lines(&load(&[("ringfence.toml", "waivers_file = \"none.toml\"\n")]).expect_err("refused"));
    assert_eq!(
        missing,
        [
            "ringfence.toml:1:16: error: waivers_file: none.toml cannot be read: No such file or directory (os error 2) (check the path; an example is in deploy/config/ringfence.toml)"
        ]
    );
    let folder = lines(&load(&[("ringfence.toml", "segments_file = \".\"\n")]).expect_err("refused"));
    assert!(
        folder[0].starts_with("ringfence.toml:1:17: error: segments_file: ") && folder[0].ends_with("(name a file, not a folder)"),
        "{folder:?}"
    );
    let none = Config::load(Path::new("/nonexistent/ringfence.toml"), &[]).expect_err("refused");
    assert_eq!(
        lines(&none),
        [
            "/nonexistent/ringfence.toml: error: cannot be read: No such file or directory (os error 2) (check the path; an example is in deploy/config/ringfence.toml)"
        ]
    );
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("latin.toml");
    fs::write(&path, b"site = \"x\"\n# \xe9\n").expect("written");
    let latin = lines(&Config::load(&path, &[]).expect_err("refused"));
    assert!(latin[0].ends_with("latin.toml: error: is not UTF-8 in line 2 (save it as UTF-8)"), "{latin:?}");
}

#[test]
fn files_beside_are_found_and_told_all_at_once() {
    let found = load(&[
        ("ringfence.toml", "sit = \"x\"\n"),
        ("segments.toml", "[segments.a]\nclass = \"guest\"\nvlans = 0\n"),
        ("devices.csv", "id\nx\n"),
        ("waivers.toml", "[[waiver]]\n[policy]\n"),
    ])
    .expect_err("refused");
    let lines = lines(&found);
    for start in [
        "ringfence.toml:1:1: error: sit",
        "segments.toml:3:9",
        "devices.csv:2:1",
        "waivers.toml:1:1: error: waiver[0].id",
        "waivers.toml:2:2: error: policy: unknown key",
    ] {
        assert!(lines.iter().any(|l| l.starts_with(start)), "{start} is not in {lines:#?}");
    }
}

#[test]
fn broken_toml_is_told_with_its_line_and_reading_goes_on() {
    let found = problems("site = \n[policy]\nexposure_days = 0\n");
    assert!(found[0].starts_with("ringfence.toml:1:"), "{found:?}");
    assert!(found.iter().any(|p| p.starts_with("ringfence.toml:3:17: error: policy.exposure_days")), "{found:?}");
}

#[test]
fn names_of_apps_are_free_when_no_rules_are_known() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("ringfence.toml");
    fs::write(&path, "[[policy.line]]\nname = \"x\"\napps = \"zoom\"\nstatus = \"banned\"\n").expect("written");
    assert!(Config::load(&path, &[]).is_ok());
    assert!(Config::load(&path, &apps()).is_err());
}

/// Every table with a key that nobody knows: what is `known here` is what the readers ask for.
#[test]
fn the_readers_know_exactly_the_declared_keys() {
    let places = [
        (
            "ringfence.toml",
            "",
            "segments, policy, device, waiver, capture, http, operators, identity, state, findings, alarms, privacy, retention, output, ",
        ),
        ("[segments.NAME]", "[segments.a]\n", ""),
        ("[policy]", "[policy]\n", ""),
        ("[policy.min_level]", "[policy.min_level]\n", ""),
        ("[[policy.line]]", "[[policy.line]]\n", ""),
        ("[[device]]", "[[device]]\n", ""),
        ("[[waiver]]", "[[waiver]]\n", ""),
        ("[capture]", "[capture]\n", ""),
        ("[http]", "[http]\n", ""),
        ("[operators.NAME]", "[operators.a]\n", ""),
        ("[state]", "[state]\n", ""),
        ("[findings]", "[findings]\n", ""),
        ("[identity]", "[identity]\n", ""),
        ("[alarms]", "[alarms]\n", ""),
        ("[privacy]", "[privacy]\n", ""),
        ("[retention]", "[retention]\n", ""),
        ("[[output]]", "[[output]]\n", ""),
    ];
    let sorted = |names: &str| {
        let mut names: Vec<String> = names.split(", ").filter(|n| !n.is_empty()).map(String::from).collect();
        names.sort();
        names
    };
    for (place, header, tables) in places {
        let found = problems(&format!("{header}qqqqqqqq = 1\n"));
        let known = found.iter().find_map(|p| p.split_once("unknown key (known here: ")).expect("refused").1;
        let declared: Vec<&str> = KEYS.iter().filter(|k| k.place == place).map(|k| k.name).collect();
        assert_eq!(sorted(known.trim_end_matches(')')), sorted(&format!("{tables}{}", declared.join(", "))), "{place}");
    }
    assert!(KEYS.iter().all(|k| places.iter().any(|(place, ..)| *place == k.place)));
}

#[test]
fn what_the_daemon_needs_is_read_and_bounded() {
    let text = "[capture]\ninterfaces = \"span0\"\nrings = 2\nbuffer_mib = 8\n[http]\nlisten = \"[::1]:9000\"\n[state]\ndir = \"s\"\n";
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("ringfence.toml");
    fs::write(&path, text).expect("written");
    let service = Config::load(&path, &[]).expect("right").service;
    assert_eq!(
        (&service.capture.interfaces[..], service.capture.rings, service.capture.buffer_bytes),
        (&["span0".to_string()][..], 2, 8 << 20)
    );
    assert_eq!((service.http.listen, service.state.dir), (Some("[::1]:9000".parse().expect("address")), dir.path().join("s")));
    for (text, needle) in [
        ("[capture]\nrings = 0\n", "1 to 64 threads"),
        ("[capture]\ninterfaces = [\"a/b\"]\n", "cannot be an interface"),
        ("[http]\nlisten = \"0.0.0.0:9477\"\n", "can be reached from outside"),
        ("[http]\nlisten = \"9477\"\n", "is no address with a port"),
        ("[http]\ntls_key = \"k\"\n", "belong together"),
        ("[alarms]\nloss = 2.0\n", "is no share"),
    ] {
        assert!(problems(text).iter().any(|p| p.contains(needle)), "{text}: {:?}", problems(text));
    }
}

#[test]
fn outputs_are_read_with_their_defaults() {
    let text = "[[output]]\nname = \"am\"\nkind = \"alertmanager\"\nendpoint = \"https://alerts.example.org/base\"\n\
                [[output]]\nname = \"siem\"\nkind = \"syslog\"\nformat = \"cef\"\nendpoint = \"tls://[2001:db8::1]\"\nsegments = \"lab\"\n";
    let outputs = load(&[("ringfence.toml", &format!("{OFFICE}{text}"))]).expect("right").service.outputs;
    let at = |n: usize| outputs[n].endpoint.clone().expect("there");
    assert_eq!(
        (at(0).host.as_str(), at(0).port, at(0).path.as_str(), at(0).tls),
        ("alerts.example.org", 9093, "/base/api/v2/alerts", true)
    );
    assert_eq!((at(1).host.as_str(), at(1).port, at(1).tls), ("2001:db8::1", 6514, true));
    assert_eq!((outputs[0].format, outputs[1].format.map(|f| f.name)), (None, Some("cef")));
    assert_eq!((outputs[1].segments.len(), outputs[1].identities, outputs[1].spool_events), (1, false, 50_000));
}

#[test]
fn what_is_wrong_with_an_output_is_told_at_its_line() {
    let output = |rest: &str| format!("[[output]]\nname = \"siem\"\n{rest}\n");
    for (text, line) in [
        ("kind = \"sylog\"", "15:8: error: output[0].kind: there is no kind of output `sylog` (did you mean `syslog`?)"),
        (
            "kind = \"syslog\"\nendpoint = \"http://x\"",
            "16:12: error: output[0].endpoint: `http://x` is no endpoint of syslog (such as tls://host.example.org:514)",
        ),
        (
            "kind = \"webhook\"\nendpoint = \"http://x:99999\"",
            "16:12: error: output[0].endpoint: `http://x:99999` is no endpoint of webhook (such as https://host.example.org:443)",
        ),
        ("kind = \"file\"\npath = \"no/where\"", "16:8: error: output[0].path: no/where cannot be a file (its folder must exist)"),
        ("kind = \"file\"\nendpoint = \"tcp://x\"\npath = \"x\"", "16:12: error: output[0].endpoint: file has no endpoint (set path)"),
        (
            "kind = \"webhook\"\nendpoint = \"http://x\"\nformat = \"cef\"",
            "17:10: error: output[0].format: there is no form for webhook `cef` (one of json, eve, ecs, ocsf)",
        ),
        (
            "kind = \"alertmanager\"\nendpoint = \"http://x\"\nformat = \"json\"",
            "17:10: error: output[0].format: alertmanager has a form of its own (leave the line out)",
        ),
        (
            "kind = \"file\"\npath = \"x\"\nsegments = [\"lap\"]",
            "17:13: error: output[0].segments[0]: there is no segment `lap` (did you mean `lab`?)",
        ),
        ("kind = \"file\"\npath = \"x\"\nverdicts = [\"violations\"]", "17:13: error: output[0].verdicts[0]: "),
        (
            "kind = \"file\"\npath = \"x\"\nspool_events = 1",
            "17:16: error: output[0].spool_events: 1 is out of range (100 to 1000000 events)",
        ),
        ("kind = \"file\"\npath = \"x\"\nkey = \"k\"", "13:1: error: output[0]: certificate and key belong together (give both, or none)"),
        (
            "kind = \"file\"\npath = \"x\"\n[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"y\"",
            "18:8: error: output[1].name: `siem` is also the name of the output in line 14 (names are unique)",
        ),
        // Stands for a kind that this build was made without.
        (
            "kind = \"pigeon\"",
            "15:8: error: output[0].kind: this build has no output for pigeon (take a package that has it, or build with \
             `cargo build --release --features pigeon`)",
        ),
        ("kind = \"file\"\npath = \"x\"\nsubject = \"s\"", "17:11: error: output[0].subject: file has no subject (leave the line out)"),
        #[cfg(feature = "nats")]
        ("kind = \"nats\"\nendpoint = \"nats://x\"\nsubject = \"a..b\"", "17:11: error: output[0].subject: `a..b` is no subject"),
        #[cfg(feature = "nats")]
        ("kind = \"nats\"\nendpoint = \"nats://x\"\nstream = \"a.b\"", "17:10: error: output[0].stream: `a.b` is no stream"),
        #[cfg(feature = "kafka")]
        ("kind = \"kafka\"\nendpoint = \"kafka://x\"\ntopic = \"a b\"", "17:9: error: output[0].topic: `a b` is no topic"),
    ] {
        let found = problems(&format!("{OFFICE}{}", output(text)));
        assert!(found.iter().any(|p| p.starts_with(&format!("ringfence.toml:{line}"))), "{text}: {found:#?}");
    }
}

#[test]
fn the_example_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/ringfence.toml");
    let known = apps_of(&RulesStore::load(None));
    assert!(known.contains(&"wechat".to_string()) && !known.contains(&"tencent".to_string()), "{known:?}");
    let config = Config::load(&path, &known).unwrap_or_else(|found| panic!("{:#?}", lines(&found)));
    assert_eq!(lines(&config.warnings), [""; 0]);
    assert_eq!(config.files.len(), 4);
    let policy = &config.policy;
    let segment = |name: &str| policy.segment(policy.segments.by_name(name).expect("configured"));
    for (app, place, status) in [
        ("tiktok", "office", Status::Banned),
        ("wechat", "office", Status::SeparateDevice),
        ("qq", "office", Status::SeparateDevice),
        ("wecom", "servers-ot", Status::UnderAudit),
        ("wechat", "servers-ot", Status::Banned),
        ("wechat", "guest", Status::Tolerated),
    ] {
        assert_eq!(policy.standing(app, segment(place)).status, status, "{app} in {place}");
    }
    assert!(policy.register.get("phone-press-01").is_some_and(|d| d.designated));
    assert_eq!(policy.waivers.len(), 2);
}
