//! Hostile strings in every form, read back by others: JSON by Python's own reader, structured data by rsyslog, CEF by liblognorm.

use std::process::Command;

use nix::sys::signal::Signal;
use ringfence_core::finding::{EvidenceLine, Kind};
use ringfence_core::ledger::{Event, Tracked};
use ringfence_tests::lab::wait_until;
use ringfence_tests::outputs::{Source, id, tracked};
use ringfence_tests::sensor::Json;

use super::SOON;
use super::syslog::{arrives, data, got, here, output, start};

/// Characters of a value in CEF and in structured data.
const VALUE_MAX: usize = 1_023;

/// Strings that break what was not made for them.
fn hostile() -> Vec<String> {
    let every: String = (0..=0x7f_u8).map(char::from).collect();
    let wide = "\u{feff}\u{202e}ű微信\u{1F600}\u{2028}\u{85}".to_string();
    // What is left of bytes that are no text.
    let lossy = String::from_utf8_lossy(b"\xff\xfe\xc3\x28 a \x80").into_owned();
    let long = "x|=\\\"]\n\0微".repeat(6_000) + "yyyyyyyy";
    assert!(long.len() > 64 << 10);
    ["\n", "a\r\nb", "\"", "a\0b", "|", "=", "\\", "]", "\\n", "\\]", "a\\|b\\=c", "<34>1 - - - - - - x\n", " cs1=forged", "] [x y=\"z"]
        .map(String::from)
        .into_iter()
        .chain([every, wide, lossy, long])
        .collect()
}

/// A finding whose free texts are this.
fn poisoned(n: u64, text: &str) -> Tracked {
    let mut tracked = tracked(n);
    let finding = &mut tracked.finding;
    finding.device.name = Some(text.to_string());
    finding.policy = text.to_string();
    finding.reasons = vec![text.to_string()];
    finding.evidence = vec![EvidenceLine {
        indicator: "wechat.test".into(),
        family: "T",
        field: "tls.sni",
        value: text.to_string(),
        weight: 1.0,
        count: 1,
        kind: Kind::Observed,
    }];
    tracked
}

/// What a value of CEF or structured data becomes: cut with a sign, control characters written out but for those in `kept`.
fn told(text: &str, kept: &[char]) -> String {
    let short = match text.chars().count() > VALUE_MAX {
        true => text.chars().take(VALUE_MAX - 1).chain(['…']).collect(),
        false => text.to_string(),
    };
    let written = |c: char| if c.is_control() && !kept.contains(&c) { format!("\\x{:02x}", u32::from(c)) } else { c.to_string() };
    short.chars().map(written).collect()
}

/// Reads each line and looks at every place; what must stand there comes as hexadecimal text, so nothing of ours reads or writes it.
const READ: &str = r#"
import json, sys
wanted = [bytes.fromhex(line).decode() for line in open(sys.argv[1])]
places = sys.argv[3:]
lines = open(sys.argv[2], "rb").read().split(b"\n")
assert lines.pop() == b"" and len(lines) == len(wanted), len(lines)
for text, line in zip(wanted, lines):
    doc = json.loads(line.decode("utf-8", "strict"))
    for place in places:
        at = doc
        for key in place.split("/"):
            at = at[int(key)] if isinstance(at, list) else at[key]
        assert at == text, (place, at[:80], text[:80])
"#;

#[test]
fn python_reads_every_json_form_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let forms: [(&str, &[&str]); 4] = [
        ("json", &["finding/device/name", "finding/evidence/0/value", "finding/policy"]),
        ("eve", &["tls/sni", "ringfence/finding/policy"]),
        ("ecs", &["tls/client/server_name", "host/name", "rule/name"]),
        ("ocsf", &["unmapped/evidences/0/tls/sni", "compliance/control", "resources/0/name"]),
    ];
    let outputs = |(form, _): &(&str, &[&str])| {
        format!("[[output]]\nname = \"{form}\"\nkind = \"file\"\nidentities = true\nformat = \"{form}\"\npath = \"{form}.json\"\n")
    };
    let mut source = Source::open(dir.path(), &forms.iter().map(outputs).collect::<String>());
    let texts = hostile();
    texts.iter().enumerate().for_each(|(n, text)| source.happens(Event::Opened, poisoned(n as u64, text)));
    wait_until("all are written", SOON, || {
        let board = source.desk.board().all();
        if board.values().all(|s| s.sent == texts.len() as u64) { Ok(()) } else { Err(board) }
    });
    source.end();
    let hex = |text: &String| text.bytes().map(|b| format!("{b:02x}")).collect::<String>() + "\n";
    std::fs::write(dir.path().join("wanted"), texts.iter().map(hex).collect::<String>()).expect("written");
    for (form, places) in forms {
        let mut python = Command::new("python3");
        python.args(["-c", READ]).arg(dir.path().join("wanted")).arg(dir.path().join(format!("{form}.json"))).args(places);
        let done = python.output().expect("python3 runs");
        assert!(done.status.success(), "{form}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn rsyslog_and_liblognorm_read_structured_data_and_cef_back() {
    let Some((dir, ports)) = here() else { return };
    let mut far = start(dir.path(), &ports);
    let endpoint = format!("tcp://127.0.0.1:{}", ports.tcp);
    let outputs = output("text", &endpoint, "") + &output("cef", &endpoint, "format = \"cef\"");
    let mut source = Source::open(dir.path(), &outputs);
    let texts = hostile();
    texts.iter().enumerate().for_each(|(n, text)| source.happens(Event::Opened, poisoned(n as u64, text)));
    let is_cef = |m: &Json| m["msg"].as_str().is_some_and(|t| t.trim_start().starts_with("CEF:"));
    arrives(dir.path(), texts.len(), is_cef);
    arrives(dir.path(), texts.len(), |m| !is_cef(m));
    source.end();
    let all = got(dir.path());
    for (n, text) in texts.iter().enumerate() {
        let name = id(n as u64);
        let message = all.iter().find(|m| data(m)["finding"] == *name).unwrap_or_else(|| panic!("{n}: {text:?} is not there"));
        for key in ["name", "policy", "reason", "sni"] {
            assert_eq!(data(message)[key], told(text, &[]), "{n}: {key}");
        }
        let message = all.iter().find(|m| m["$!"]["read"]["cef"]["Extensions"]["cs1"] == *name);
        let read = &message.unwrap_or_else(|| panic!("{n}: {text:?} is not there as CEF"))["$!"]["read"]["cef"];
        assert_eq!(
            (&read["DeviceVendor"], &read["SignatureID"], &read["Severity"]),
            (&"Ringfence".into(), &"violation".into(), &"9".into())
        );
        for key in ["shost", "cs5", "cs6", "reason"] {
            assert_eq!(read["Extensions"][key], told(text, &['\n', '\r']), "{n}: {key}");
        }
        let cut = text.chars().count() > VALUE_MAX;
        assert_eq!((data_cut(&all, &name), read["Extensions"]["flexString1"].is_string()), (cut, cut), "{n}: what is cut is said");
    }
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}

fn data_cut(all: &[Json], name: &str) -> bool {
    all.iter().any(|m| data(m)["finding"] == *name && data(m)["cut"] == "policy reason name sni")
}
