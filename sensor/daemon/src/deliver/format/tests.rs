//! Every form against its golden file, and read back by small parsers written from the standards, hostile strings included.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ringfence_core::ledger::Event as Happening;
use ringfence_core::policy::Verdict;
use ringfence_core::time::Timestamp;
use serde_json::Value;

use super::*;
use crate::config::Output as Settings;
use crate::deliver::About;
use crate::deliver::outputs::syslog::message;
use crate::deliver::tests::settings;
use crate::http::fixture::{IDENTITIES, tracked};
use crate::pseudonym::Pseudonyms;
use crate::store::outbox::Row;
use crate::veil::Veil;

fn any() -> Settings {
    let dir = tempfile::tempdir().expect("a folder");
    settings(dir.path(), "[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"x\"\n").remove(0)
}

/// One event of each kind and verdict, then a summary.
fn story(identities: bool) -> Vec<Event> {
    let names = if identities { Pseudonyms::plain() } else { Pseudonyms::keyed([7; 32]) };
    let (veil, settings) = (Veil::new(names, identities), any());
    let happenings = [
        Happening::Opened,
        Happening::Rejudged,
        Happening::Acknowledged,
        Happening::Escalated,
        Happening::Resolved,
        Happening::Reopened,
        Happening::Superseded,
        Happening::Opened,
    ];
    let one = |(n, event): (usize, Happening)| {
        let mut tracked = tracked(n as u64);
        tracked.finding.verdict = Verdict::WORDS[n].1;
        let at = Timestamp::from_secs_nanos(1_795_434_500 + n as u64, 123_000_000);
        Event::new(Row { seq: n as u64 + 1, id: format!("{n:032x}"), at, event, tracked }, &veil, "Example Office", &settings)
    };
    let mut all: Vec<Event> = happenings.into_iter().enumerate().map(one).collect();
    all.push(Event { id: format!("ev-{}", "f".repeat(32)), seq: 10, fits: false, left: true, ..all[1].clone() });
    let about = About::Held { count: 495, since: Timestamp::from_secs_nanos(1_795_434_500, 0) };
    all.push(Event { id: "held-1".into(), seq: 9, about, ..all[0].clone() });
    all
}

#[test]
fn every_form_is_as_its_golden_file() {
    for identities in [false, true] {
        for format in FORMATS {
            let text: String = story(identities).iter().map(|e| (format.render)(e) + "\n").collect();
            let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
            let name = format!("{}{}.txt", format.name, if identities { "-identities" } else { "" });
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/deliver/format/golden").join(name);
            if std::env::var_os("UPDATE_EXPECT").is_some() {
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(&path, &text).expect("written");
            }
            assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "UPDATE_EXPECT=1 rewrites {}", path.display());
            let lower = text.to_lowercase();
            let named = IDENTITIES.iter().filter(|i| lower.contains(**i)).count();
            assert_eq!(named > 0, identities && format.name != "text", "{}: {text}", format.name);
        }
    }
}

/// Strings that break what was not made for them.
fn hostile() -> Vec<String> {
    let every: String = (0..=0x7f_u8).map(char::from).collect();
    let wide = "\u{feff}\u{202e}ű微信\u{1F600}\u{2028}\u{85}".to_string();
    // What is left of bytes that are no text.
    let lossy = String::from_utf8_lossy(b"\xff\xfe\xc3\x28 a \x80").into_owned();
    let long = "x|=\\\"]\n".repeat(9_363) + "yyyyyyyy";
    ["\n", "\r\n", "\"", "\0", "|", "=", "\\", "]", "\\n", "\\]", "a\\|b\\=c", "<34>1 - - - - - - x\n", "", "- "]
        .map(String::from)
        .into_iter()
        .chain([every, wide, lossy, long])
        .collect()
}

/// An event whose every free text is this.
fn poisoned(text: &str) -> Event {
    let mut tracked = tracked(1);
    let finding = &mut tracked.finding;
    finding.device.name = Some(text.to_string());
    finding.policy = text.to_string();
    finding.reasons = vec![text.to_string()];
    finding.evidence[0].value = text.to_string();
    let veil = Veil::new(Pseudonyms::plain(), true);
    let at = Timestamp::from_secs_nanos(1_795_434_500, 0);
    Event::new(Row { seq: 1, id: "0".repeat(32), at, event: Happening::Opened, tracked }, &veil, text, &any())
}

#[test]
fn json_forms_keep_hostile_strings_whole_and_on_one_line() {
    let places = [
        ("json", "/finding/device/name"),
        ("json", "/finding/evidence/0/value"),
        ("eve", "/tls/sni"),
        ("eve", "/ringfence/finding/policy"),
        ("ecs", "/tls/client/server_name"),
        ("ecs", "/host/name"),
        ("ecs", "/rule/name"),
        ("ocsf", "/unmapped/evidences/0/tls/sni"),
        ("ocsf", "/compliance/control"),
        ("ocsf", "/metadata/log_name"),
    ];
    for text in hostile() {
        let event = poisoned(&text);
        for (form, place) in places {
            let line = (named(form).expect("known").render)(&event);
            assert!(!line.contains(['\n', '\r', '\0']), "{form}");
            let value: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(value.pointer(place).and_then(Value::as_str), Some(text.as_str()), "{form} {place}");
        }
    }
}

/// What a writer does to a text before it escapes it: cut, and control characters written out but for those in `kept`.
fn told(text: &str, kept: &[char]) -> String {
    let written = |c: char| if c.is_control() && !kept.contains(&c) { format!("\\x{:02x}", u32::from(c)) } else { c.to_string() };
    clip(text, 1_023).chars().map(written).collect()
}

/// CEF as its standard describes reading it: a header split at bare `|`, then keys found by the last blank before a bare `=`.
fn parse_cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let (mut header, mut field, mut escaped) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    for c in chars.by_ref() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, '|') => header.push(std::mem::take(&mut field)),
            _ => {
                field.push(c);
                escaped = false;
            }
        }
        if header.len() == 7 {
            break;
        }
    }
    let rest: Vec<char> = chars.collect();
    let bare: Vec<usize> = (0..rest.len()).filter(|at| rest[*at] == '=' && !is_escaped(&rest, *at)).collect();
    let begins: Vec<usize> = bare.iter().map(|at| rest[..*at].iter().rposition(|c| *c == ' ').map_or(0, |b| b + 1)).collect();
    let mut pairs = BTreeMap::new();
    for (nth, at) in bare.iter().enumerate() {
        let end = begins.get(nth + 1).map_or(rest.len(), |b| b - 1);
        pairs.insert(rest[begins[nth]..*at].iter().collect(), unescape(&rest[at + 1..end]));
    }
    (header, pairs)
}

fn is_escaped(text: &[char], at: usize) -> bool {
    text[..at].iter().rev().take_while(|c| **c == '\\').count() % 2 == 1
}

fn unescape(text: &[char]) -> String {
    let (mut out, mut chars) = (String::new(), text.iter());
    while let Some(c) = chars.next() {
        match (c, c == &'\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(c) => out.push(*c),
                None => {}
            },
            (c, false) => out.push(*c),
        }
    }
    out
}

#[test]
fn cef_keeps_hostile_strings() {
    for text in hostile() {
        let line = (named("cef").expect("known").render)(&poisoned(&text));
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        let (header, pairs) = parse_cef(&line);
        assert_eq!((header.len(), header[0].as_str(), header[4].as_str()), (7, "CEF:0", "waived"), "{line}");
        let kept = told(&text, &['\n', '\r']);
        for key in ["shost", "cs5", "cs6", "reason"] {
            assert_eq!(pairs.get(key), Some(&kept), "{key} in {line}");
        }
        assert_eq!(pairs.get("cs6Label").map(String::as_str), Some("sni"));
        let cut = text.chars().nth(1_023).map(|_| "deviceFacility reason cs5 cs6 shost");
        assert_eq!(pairs.get("flexString1").map(String::as_str), cut);
    }
}

/// RFC 5424 as its grammar reads: header words, then `[id key="value" ...]`, then the message.
fn parse_5424(message: &str) -> (Vec<String>, BTreeMap<String, String>, String) {
    let mut words = message.splitn(7, ' ');
    let header: Vec<String> = words.by_ref().take(6).map(String::from).collect();
    let rest: Vec<char> = words.next().unwrap_or_default().chars().collect();
    assert_eq!(rest[0], '[', "{message}");
    let mut at = rest.iter().position(|c| *c == ' ').expect("a parameter");
    let mut pairs = BTreeMap::new();
    while rest[at] == ' ' {
        let equals = at + rest[at..].iter().position(|c| *c == '=').expect("a value");
        let end = (equals + 2..rest.len()).find(|e| rest[*e] == '"' && !is_escaped(&rest, *e)).expect("its end");
        let (mut value, mut escaped) = (String::new(), false);
        for c in &rest[equals + 2..end] {
            if !escaped && *c == '\\' {
                escaped = true;
            } else {
                value.push(*c);
                escaped = false;
            }
        }
        pairs.insert(rest[at + 1..equals].iter().collect(), value);
        at = end + 1;
    }
    assert_eq!((rest[at], rest[at + 1]), (']', ' '), "{message}");
    (header, pairs, rest[at + 2..].iter().collect())
}

#[test]
fn syslog_keeps_hostile_strings() {
    for text in hostile() {
        let line = message(&poisoned(&text), "sensor", named("text").expect("known"));
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        let (header, pairs, sentence) = parse_5424(&line);
        assert_eq!((header[0].as_str(), header[2].as_str(), header[3].as_str()), ("<133>1", "sensor", "ringfence"));
        for key in ["name", "policy", "reason", "site", "sni"] {
            assert_eq!(pairs.get(key), Some(&told(&text, &[])), "{key}");
        }
        assert!(sentence.starts_with("rf-"), "{sentence}");
        let cut = text.chars().nth(1_023).map(|_| "site policy reason name sni");
        assert_eq!(pairs.get("cut").map(String::as_str), cut);
    }
}
