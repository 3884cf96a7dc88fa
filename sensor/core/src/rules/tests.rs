//! Rule sets as their authors write them: what fires, what a site may change, and what is told about mistakes.

use super::*;
use crate::field::Family;

const fn field(name: &'static str, kind: FieldKind, family: Option<Family>) -> Field {
    Field { name, key: name, kind, family, signal: None, personal: false, meaning: "", source: "" }
}

static SNI: Field = field("tls.sni", FieldKind::Name, Some(Family::Tls));
static QNAME: Field = field("dns.qname", FieldKind::Name, Some(Family::Dns));
static JA4: Field = field("tls.ja4", FieldKind::Hash, None);
static ALPN: Field = field("tls.alpn", FieldKind::List, None);
static ALERT: Field = field("mmtls.alert", FieldKind::Number, None);
static AGENT: Field = field("http.user_agent", FieldKind::Text, Some(Family::Http));
static HELLO: Field = field("mmtls.hello", FieldKind::Token(&["mutual", "client", "stale"]), Some(Family::Structure));
static FIELDS: &[&Field] = &[&SNI, &QNAME, &JA4, &ALPN, &ALERT, &AGENT, &HELLO, &SERVER];

/// Compiles layers of (file name, text); the problems as an operator reads them.
fn compile(layers: &[&[(&str, &str)]]) -> (RuleSet, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let layers: Vec<Vec<RuleFile>> = layers
        .iter()
        .map(|layer| layer.iter().map(|(name, text)| RuleFile::parse(name, text, FIELDS, &mut diagnostics)).collect())
        .collect();
    let set = RuleSet::build(&layers, FIELDS, &mut diagnostics);
    (set, diagnostics.problems().iter().map(ToString::to_string).collect())
}

fn good(layers: &[&[(&str, &str)]]) -> RuleSet {
    let (set, problems) = compile(layers);
    assert!(problems.is_empty(), "{problems:#?}");
    set
}

fn hits<'s>(set: &'s RuleSet, field: &'static Field, value: Value<'_>) -> Vec<&'s str> {
    let mut ids = Vec::new();
    set.matches(field, value, &mut |id| ids.push(&*set.indicator(id).id));
    ids
}

fn name<'s>(set: &'s RuleSet, name: &str) -> Vec<&'s str> {
    hits(set, &SNI, Value::Text(name.as_bytes()))
}

const SHIPPED: &str = r#"
app = "chat"
source = "a capture"

[[names]]
id = "chat.messaging"
class = "messaging"
confidence = "high"
names = ["long.chat.example", "*short.chat.example"]
hits = ["long.chat.example", "szshort.chat.example"]
misses = ["chat.example"]

[[names]]
id = "chat.generic"
class = "generic"
confidence = "medium"
names = [".chat.example"]
hits = ["x.chat.example"]
misses = ["notchat.example"]

[[sign]]
id = "chat.agent"
class = "web-view"
field = "http.user_agent"
contains = "Chat/"
without = ["work/"]
weight = 0.6
"#;

#[test]
fn every_kind_of_field() {
    let own = r#"
app = "site"
source = "seen here"
[[sign]]
id = "site.ja4"
class = "client"
field = "tls.ja4"
is = "t13d1516h2_8daaf6152771_e5627efa2ab1"
weight = 0.4
[[sign]]
id = "site.alpn"
class = "client"
field = "tls.alpn"
is = ["chat", "chat/2"]
weight = 0.4
[[sign]]
id = "site.alert"
class = "client"
field = "mmtls.alert"
is = "115"
weight = 0.1
[[sign]]
id = "site.net"
class = "network"
field = "flow.server"
cidr = ["203.0.113.0/24", "2001:db8::/32"]
effect = "context"
"#;
    let set = good(&[&[("rules/chat.toml", SHIPPED)], &[("own.toml", own)]]);
    assert_eq!(hits(&set, &JA4, Value::Text(b"t13d1516h2_8daaf6152771_e5627efa2ab1")), ["site.ja4"]);
    assert_eq!(hits(&set, &ALPN, Value::List(&[b"h2", b"chat"])), ["site.alpn"]);
    assert_eq!(hits(&set, &ALERT, Value::Number(115)), ["site.alert"]);
    assert!(hits(&set, &ALERT, Value::Number(15)).is_empty());
    assert_eq!(hits(&set, &AGENT, Value::Text(b"\xff Chat/8")), ["chat.agent"]);
    assert!(hits(&set, &AGENT, Value::Text(b"Chat/8 work/4")).is_empty());
    assert_eq!(hits(&set, &SERVER, Value::Address("::ffff:203.0.113.9".parse().expect("address"))), ["site.net"]);
    assert!(set.wants_fingerprints());
    assert!(hits(&set, &HELLO, Value::Token("new")).is_empty(), "nobody looks at it");
}

#[test]
fn one_indicator_for_one_name() {
    let set = good(&[&[("rules/chat.toml", SHIPPED)]]);
    assert_eq!(name(&set, "LONG.chat.example."), ["chat.messaging"]);
    assert_eq!(name(&set, "szshort.chat.example"), ["chat.messaging"]);
    assert_eq!(name(&set, "x.szshort.chat.example"), ["chat.generic"]);
    assert_eq!(name(&set, "long.chat.example.lan"), ["chat.messaging"]);
    for miss in ["notchat.example", "chat.example.evil.example", "chat-example", "example"] {
        assert!(name(&set, miss).is_empty(), "{miss}");
    }
    assert!(set.run_tests(FIELDS).is_empty());
}

#[test]
fn a_site_has_the_last_word() {
    // Whatever the files are called, and wherever the replaced rule stands.
    for (shipped, own) in [("rules/chat.toml", "own.toml"), ("chat.toml", "rules/own.toml"), ("a.toml", "a.toml")] {
        let text = r#"
app = "chat"
source = "us"
[[names]]
id = "chat.messaging"
class = "messaging"
confidence = "low"
names = ["long.chat.example", ".chat.example"]
hits = ["y.chat.example"]
misses = ["chat.test"]
"#;
        let set = good(&[&[(shipped, SHIPPED)], &[(own, text)]]);
        assert_eq!(name(&set, "x.chat.example"), ["chat.messaging"], "the same id, and a name of another shipped rule");
        assert_eq!(name(&set, "szshort.chat.example"), ["chat.messaging"], "the replaced rule's own names are gone");
        let (id, rule) = set.rules().next().expect("first");
        assert!(rule.site && set.indicator(id).weight == 0.10, "{rule:?}");
        assert!(set.run_tests(FIELDS).is_empty(), "a shipped test that meets a site's rule is no failure: {:?}", set.run_tests(FIELDS));
    }
}

#[test]
fn a_site_switches_indicators_off() {
    let set = good(&[&[("rules/chat.toml", SHIPPED)], &[("own.toml", "app = \"chat\"\ndisable = [\"chat.generic\", \"chat.agent\"]\n")]]);
    assert!(name(&set, "x.chat.example").is_empty() && set.rules().count() == 1);
    let (_, problems) = compile(&[&[("rules/chat.toml", SHIPPED)], &[("own.toml", "app = \"chat\"\ndisable = \"chat.genric\"\n")]]);
    assert_eq!(problems, ["own.toml:2:1: error: disable: there is no indicator `chat.genric` (did you mean `chat.generic`?)"]);
    let (_, problems) = compile(&[&[("chat.toml", "app = \"chat\"\ndisable = [\"x\"]\n")]]);
    assert!(problems[0].contains("only a site's own files"), "{problems:?}");
}

#[test]
fn a_site_test_that_fails_fails() {
    let own = "app = \"s\"\nsource = \"us\"\n[[names]]\nid = \"s.x\"\nclass = \"c\"\nconfidence = \"low\"\nnames = [\"x.test\"]\nhits = [\"y.test\"]\nmisses = [\"x.test\"]\n";
    let set = good(&[&[("rules/chat.toml", SHIPPED)], &[("own.toml", own)]]);
    let failures = set.run_tests(FIELDS);
    assert_eq!(failures.iter().map(|f| (f.line, f.what.as_str())).collect::<Vec<_>>(), [(3, "hits nothing"), (3, "hits it")]);
    let coverage = set.coverage();
    assert_eq!((coverage.without_hits, coverage.without_misses), (vec!["chat.agent".to_string()], vec!["chat.agent".to_string()]));
}

const NAMES: &str = "app = \"x\"\nsource = \"s\"\n[[names]]\nid = \"x.a\"\nclass = \"media\"\nconfidence = \"high\"\n";
const SIGN: &str = "app = \"x\"\nsource = \"s\"\n[[sign]]\nid = \"x.a\"\nclass = \"media\"\nweight = 0.5\n";

/// What the text is, its beginning, its end, the place of the problem, and words of the message.
type Broken<'a> = (&'a str, &'a str, &'a str, &'a str, &'a [&'a str]);

const BROKEN: &[Broken<'_>] = &[
    ("no TOML", "app = \"x\"\n", "[[names]\n", "f:2:", &[]),
    ("wrong table", NAMES, "names = [\"a.test\"]\n[[tests]]\nx = 1\n", "f:8:", &["tests", "unknown key"]),
    ("wrong key", NAMES, "name = [\"a.test\"]\n", "f:7:1", &["unknown key", "did you mean `names`"]),
    ("a URL", NAMES, "names = [\"https://Wx.test/a\"]\n", "f:7:10", &["more than a host name", "`wx.test`"]),
    ("a port", NAMES, "names = [\"wx.test:443\"]\n", "f:7:10", &["more than a host name", "`wx.test`"]),
    ("final dot", NAMES, "names = [\"wx.test.\"]\n", "f:7:10", &["ends in a dot", "`wx.test`"]),
    ("not ASCII", NAMES, "names = [\"微信.test\"]\n", "f:7:10", &["xn--"]),
    ("a whole TLD", NAMES, "names = [\".test\"]\n", "f:7:10", &["two labels"]),
    ("twice in one list", NAMES, "names = [\"a.test\",\n\"a.test\"]\n", "f:8:1", &["stands here twice"]),
    ("wrong kind of field", NAMES, "names = [\"a.test\"]\nfields = [\"http.user_agent\"]\n", "f:8:11", &["no host names", "[[sign]]"]),
    ("unknown field", NAMES, "names = [\"a.test\"]\nfields = [\"tls.snii\"]\n", "f:8:11", &["did you mean `tls.sni`"]),
    ("surface", NAMES, "names = [\"a.test\"]\nsurface = \"aps\"\n", "f:8:11", &["did you mean `app`"]),
    ("teaches", NAMES, "names = [\"a.test\"]\nteaches = \"sensors\"\n", "f:8:11", &["did you mean `sensor`"]),
    ("maturity", NAMES, "names = [\"a.test\"]\nmaturity = \"stabel\"\n", "f:8:12", &["did you mean `stable`"]),
    ("weight", NAMES, "names = [\"a.test\"]\nweight = -0.1\n", "f:8:10", &["between 0 and 1"]),
    ("context with a weight", NAMES, "names = [\"a.test\"]\neffect = \"context\"\nweight = 0.3\n", "f:9:10", &["only evidence"]),
    ("web client of the app", NAMES_WEB, "names = [\"a.test\"]\n", "f:3:1", &["surface `web`", "add `surface"]),
    ("a name as a sign", SIGN, "field = \"tls.sni\"\nis = \"a.test\"\n", "f:8:6", &["can never match", "[[names]]"]),
    ("an address as text", SIGN, "field = \"flow.server\"\nis = \"203.0.113.1\"\n", "f:8:6", &["can never match", "use `cidr`"]),
    ("part of a fingerprint", SIGN, "field = \"tls.ja4\"\nprefix = \"t13d\"\n", "f:8:10", &["compared whole", "use `is`"]),
    ("part of a word", SIGN, "field = \"mmtls.hello\"\ncontains = \"mut\"\n", "f:8:12", &["compared whole", "use `is`"]),
    ("capitals in a fingerprint", SIGN, "field = \"tls.ja4\"\nis = \"T13D\"\n", "f:8:6", &["no fingerprint", "`t13d`"]),
    ("no number", SIGN, "field = \"mmtls.alert\"\nis = \"x\"\n", "f:8:6", &["is no number"]),
    ("nearly everything", SIGN, "field = \"http.user_agent\"\ncontains = \"/\"\n", "f:8:12", &["almost every value", "at least 3"]),
    ("empty", SIGN, "field = \"http.user_agent\"\nis = \"\"\n", "f:8:6", &["almost every value", "at least 1 character"]),
    ("only without", SIGN, "field = \"http.user_agent\"\nwithout = \"work/\"\n", "f:3:1", &["has no pattern"]),
    ("unknown word", SIGN, "field = \"mmtls.hello\"\nis = \"mutal\"\n", "f:8:6", &["did you mean `mutual`"]),
    ("host bits", SIGN, "field = \"flow.server\"\ncidr = \"203.0.113.9/24\"\n", "f:8:8", &["did you mean `203.0.113.0/24`"]),
    ("half the internet", SIGN, "field = \"flow.server\"\ncidr = \"0.0.0.0/1\"\n", "f:8:8", &["too much of the internet"]),
    ("signal", SIGN, "field = \"mmtls.hello\"\nis = \"stale\"\nsignal = \"mmtls-longlnk\"\n", "f:9:10", &["did you mean `mmtls-longlink`"]),
];

const NAMES_WEB: &str = "app = \"x\"\nsource = \"s\"\n[[names]]\nid = \"x.a\"\nclass = \"web-client\"\nconfidence = \"high\"\n";

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    assert!(BROKEN.len() >= 25);
    for (what, begin, end, place, words) in BROKEN {
        let (_, problems) = compile(&[&[("f", &format!("{begin}{end}"))]]);
        let told = problems.iter().any(|p| p.starts_with(place) && words.iter().all(|w| p.contains(w)));
        assert!(told, "{what}: {problems:#?}");
    }
}

#[test]
fn the_same_twice() {
    let (_, problems) = compile(&[&[("a", &format!("{NAMES}names = [\"a.test\"]\n")), ("b", &format!("{NAMES}names = [\"b.test\"]\n"))]]);
    assert!(problems.len() == 1 && problems[0].starts_with("b:3:1: error: x.a: the id is used twice, first at a:3"), "{problems:?}");
    let second = NAMES.replace("x.a", "x.b");
    let (_, problems) =
        compile(&[&[("a", &format!("{NAMES}names = [\".a.test\"]\n")), ("b", &format!("{second}names = [\".a.test\"]\n"))]]);
    assert!(problems.len() == 1 && problems[0].contains("`.a.test` belongs to x.a already (a:3)"), "{problems:?}");
    let (_, problems) = compile(&[&[("a", &format!("{NAMES}names = [\"a.test\"]\n")), ("b", &format!("{second}names = [\".a.test\"]\n"))]]);
    assert!(problems.is_empty(), "an exact name and its suffix are two patterns: {problems:?}");
}

#[test]
fn doubts_are_warnings() {
    let (set, problems) = compile(&[&[("a", &format!("{NAMES}names = [\"*.a.test\"]\n"))]]);
    assert!(problems.len() == 1 && problems[0].contains("warning") && problems[0].contains("`.a.test`"), "{problems:?}");
    assert_eq!(name(&set, "x.a.test"), ["x.a"]);
    assert!(name(&set, "a.test").is_empty() && name(&set, "y.x.a.test").is_empty());
}

#[test]
fn wildcards_are_few() {
    let many: Vec<String> = (0..40).map(|i| format!("\"*w{i}.a.test\"")).collect();
    let (_, problems) = compile(&[&[("a", &format!("{NAMES}names = [{}]\n", many.join(", ")))]]);
    assert!(problems.len() == 1 && problems[0].contains("more than 32 wildcards below `a.test`"), "{problems:?}");
}

#[test]
fn broken_files_never_panic() {
    let text = format!("{SHIPPED}\ndisable = [\"chat.agent\"]\n");
    for cut in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
        compile(&[&[("a", &text[..cut])]]);
    }
    for (i, odd) in ["\0", "\"", "[", "]]", "=", "é", "\u{1b}[31m", "1e999"].iter().cycle().take(800).enumerate() {
        let at = i * 37 % text.len();
        if text.is_char_boundary(at) {
            let (_, problems) = compile(&[&[], &[("a", &format!("{}{odd}{}", &text[..at], &text[at..]))]]);
            assert!(problems.iter().all(|p| !p.is_empty()));
        }
    }
}

#[test]
fn rules_built_over_others_keep_their_numbers() {
    let old = good(&[&[("rules/chat.toml", SHIPPED)]]);
    let number = |set: &RuleSet, id: &str| set.rules().find(|(_, r)| &*r.indicator.id == id).map(|(n, _)| n);
    let before = (number(&old, "chat.messaging"), number(&old, "chat.generic"));
    let text = "app = \"a\"\nsource = \"s\"\ndisable = [\"chat.messaging\"]\n[[names]]\nid = \"a.new\"\nclass = \"c\"\nconfidence = \"high\"\n\
                names = [\"new.example\"]\nhits = [\"new.example\"]\nmisses = [\"x.example\"]\n";
    let new = good(&[&[("rules/chat.toml", SHIPPED)], &[("a.toml", text)]]);
    assert_ne!(number(&new, "chat.generic"), before.1, "built alone they are numbered by what is there");
    let mut over = new.over(&old, FIELDS);
    assert_eq!((number(&over, "chat.generic"), number(&over, "chat.messaging")), (before.1, None));
    assert_eq!(number(&over, "a.new"), Some(IndicatorId(3)));
    assert_eq!(name(&over, "y.chat.example"), ["chat.generic"]);
    assert_eq!(name(&over, "new.example"), ["a.new"]);
    let gone = over.indicator(before.0.expect("was there"));
    assert_eq!((&*gone.id, gone.effect), ("chat.messaging", Effect::Context), "old evidence of it means nothing");
    over.add_work_services(&["work.example".into()]);
    let mut again = good(&[&[("rules/chat.toml", SHIPPED)]]).over(&over, FIELDS);
    again.add_work_services(&["work.example".into(), "mail.example".into()]);
    assert_eq!(number(&again, "site.work-service"), number(&over, "site.work-service"));
    assert_eq!(number(&again, "chat.messaging"), before.0, "what comes back has its number back");
}

#[test]
fn of_free_text_only_the_word_is_kept() {
    let set = good(&[&[("rules/chat.toml", SHIPPED)]]);
    let agent = "Mozilla/5.0 (Linux; Android 13; M2012K11C Build/TKQ1) MMWEBID/1234 Chat/8.0.38 Language/zh_CN";
    let field = FIELDS.iter().find(|f| f.kind == FieldKind::Text).expect("a text field");
    let value = Value::Text(agent.as_bytes());
    let mut kept = Vec::new();
    set.matches(field, value, &mut |id| kept.push(set.telling(id, field, value)));
    assert!(matches!(kept[..], [Value::Text(b"Chat/8.0.38")]), "{kept:?}");
}
