//! Entry points for fuzzing: each takes any bytes and panics when something that must always hold does not.
//!
//! The fuzzer's targets and the replay of their corpora in the tests call the same functions. Nothing of the product does.

mod dialogue;
mod frames;
mod headers;
mod reassembly;

use crate::diagnostic::Diagnostics;
use crate::dissect::{self, Carrier, DissectorDef, http, mmtls, newgetdns, quic, tls};
use crate::field::{Field, FieldKind, Value};
use crate::record::Record;
use crate::rules::{RuleFile, RuleSet, SERVER};

pub use headers::headers;
pub use reassembly::reassembly;

/// One entry point.
pub type Target = fn(&[u8]);

/// Every entry point of the core, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("frame", frame),
    ("tls", tls),
    ("quic", quic),
    ("mmtls", mmtls),
    ("http", http),
    ("dns", dns),
    ("dhcp", dhcp),
    ("radius", radius),
    ("newgetdns", newgetdns),
    ("rule_file", rule_file),
    ("reassembly", reassembly),
    ("headers", headers),
];

/// Frames of any link type through a whole worker.
pub fn frame(data: &[u8]) {
    frames::run(data);
}

/// TLS records of both directions, and every preamble before them.
pub fn tls(data: &[u8]) {
    dialogue::stream(&[&tls::TLS, find("preamble")], data, |_| true);
}

/// QUIC and DTLS datagrams of both directions.
pub fn quic(data: &[u8]) {
    dialogue::datagrams(&[&quic::QUIC, find("dtls")], data);
}

/// MMTLS streams, and those of QQ beside them.
pub fn mmtls(data: &[u8]) {
    // In mid-stream records are looked for where segments begin: what is found there depends on how it was cut.
    dialogue::stream(&[&mmtls::MMTLS, find("qq")], data, |line| !line.contains("mmtls.framing"));
}

/// HTTP requests and replies.
pub fn http(data: &[u8]) {
    dialogue::stream(&[&http::HTTP], data, |_| true);
}

/// DNS, NetBIOS name service: as datagrams, and as a stream when the first byte is odd.
pub fn dns(data: &[u8]) {
    match data.split_first() {
        Some((kind, rest)) if kind & 1 == 1 => dialogue::stream(&[find("dns")], rest, |_| true),
        Some((_, rest)) => dialogue::datagrams(&[find("netbios"), find("dns")], rest),
        None => {}
    }
}

/// DHCP, DHCPv6, ARP, neighbour discovery: everything that binds addresses to devices.
pub fn dhcp(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 3 {
        0 => dialogue::datagrams(&[find("dhcp"), find("dhcp6")], rest),
        1 => dialogue::message(find("arp"), Carrier::Arp, rest),
        _ => dialogue::message(find("nd"), Carrier::Icmp6, rest),
    }
}

/// RADIUS accounting.
pub fn radius(data: &[u8]) {
    dialogue::datagrams(&[find("radius")], data);
}

/// A reply of the app's own name service, compressed or not.
pub fn newgetdns(data: &[u8]) {
    let _ = newgetdns::is_request(data, data);
    let Ok(text) = newgetdns::plain(data) else { return };
    assert!(text.len() <= crate::limits::INFLATE_MAX, "inflated to {}", text.len());
    let Some(reply) = newgetdns::Reply::new(&text) else { return };
    let mut answers = 0usize;
    reply.answers(&mut |answer| {
        answers += 1;
        assert!(!answer.name.is_empty() && answer.name.len() <= 255, "a name of {} bytes", answer.name.len());
        assert!(answer.name.iter().all(u8::is_ascii_graphic), "a name that is no name");
    });
    assert!(answers > 0 && answers <= 1_024, "{answers} answers");
}

/// A rule file: parsed, compiled, its own tests run; then the text itself is held against the rules, as a value.
pub fn rule_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let fields: Vec<&'static Field> = dissect::fields().chain([&SERVER]).collect();
    let mut found = Diagnostics::default();
    let file = RuleFile::parse("fuzz.toml", text, &fields, &mut found);
    let set = RuleSet::build(&[vec![file]], &fields, &mut found);
    for problem in found.problems() {
        assert!(!problem.message.is_empty() && problem.line <= text.lines().count() + 1, "{problem}");
    }
    let _ = (set.run_tests(&fields), set.coverage());
    for field in fields.iter().filter(|f| matches!(f.kind, FieldKind::Name | FieldKind::Text)) {
        set.matches(field, Value::Text(data), &mut |id| assert!(!set.indicator(id).id.is_empty()));
    }
}

fn find(name: &str) -> &'static DissectorDef {
    dissect::DISSECTORS.iter().find(|d| d.name == name).copied().expect("a dissector of the table")
}
