//! Common Event Format, version 0 (ArcSight CEF Implementation Standard, revision 25): a header whose `\` and `|` are escaped, and
//! `key=value` whose `\`, `=` and line ends are. A value is cut at 1,023 characters, as the standard bounds them; `flexString1`, labelled
//! `cut`, names the keys where that happened.

use super::{clip, cut};
use crate::deliver::{About, Event, Happened};

/// Characters of a value.
const VALUE_MAX: usize = 1_023;

/// One line.
pub fn line(event: &Event) -> String {
    let class = event.happened().map_or("held", |h| h.tracked.finding.verdict.name());
    let header = [env!("CARGO_PKG_VERSION"), class, &event.sentence()].map(header).join("|");
    let mut pairs = vec![
        ("rt", (event.at.nanos() / 1_000_000).to_string()),
        ("externalId", event.id.clone()),
        ("act", event.word().to_string()),
        ("cn1", event.seq.to_string()),
        ("cn1Label", "seq".to_string()),
    ];
    if !event.site.is_empty() {
        pairs.push(("deviceFacility", event.site.clone()));
    }
    match &event.about {
        About::Held { count, .. } => pairs.push(("cnt", count.to_string())),
        About::Finding(happened) => finding(happened, &mut pairs),
    }
    let cut = cut(&pairs, VALUE_MAX);
    if !cut.is_empty() {
        pairs.extend([("flexString1", cut.join(" ")), ("flexString1Label", "cut".to_string())]);
    }
    let pairs: Vec<String> = pairs.into_iter().map(|(key, text)| format!("{key}={}", value(&text))).collect();
    format!("CEF:0|Ringfence|Ringfence|{header}|{}|{}", event.severity(), pairs.join(" "))
}

fn finding(happened: &Happened, pairs: &mut Vec<(&'static str, String)>) {
    let f = &happened.tracked.finding;
    let millis = |at: ringfence_core::time::Timestamp| (at.nanos() / 1_000_000).to_string();
    pairs.extend([
        ("start", millis(f.first_seen)),
        ("end", millis(f.last_seen)),
        ("app", f.app.clone()),
        ("cnt", f.flows.to_string()),
        ("out", f.bytes_up.to_string()),
        ("in", f.bytes_down.to_string()),
        ("outcome", f.verdict.name().to_string()),
        ("reason", f.reasons.join("; ")),
        ("cs1", f.id.clone()),
        ("cs1Label", "finding".to_string()),
        ("cs2", f.device.id.clone()),
        ("cs2Label", "device".to_string()),
        ("cs3", f.segment.clone()),
        ("cs3Label", "segment".to_string()),
        ("cs4", f.level.name().to_string()),
        ("cs4Label", "level".to_string()),
        ("cs5", f.policy.clone()),
        ("cs5Label", "policy".to_string()),
    ]);
    if let Some(sni) = happened.value("tls.sni").or(happened.value("quic.sni")) {
        pairs.extend([("cs6", sni.to_string()), ("cs6Label", "sni".to_string())]);
    }
    if let Some(std::net::IpAddr::V4(addr)) = f.device.addresses.iter().find(|a| a.is_ipv4()) {
        pairs.push(("src", addr.to_string()));
    }
    if let Some(addr) = f.device.addresses.iter().find(|a| a.is_ipv6()) {
        pairs.extend([("c6a2", addr.to_string()), ("c6a2Label", "Source IPv6 Address".to_string())]);
    }
    if let Some(mac) = f.device.mac {
        pairs.push(("smac", mac.to_string()));
    }
    if let Some(name) = &f.device.name {
        pairs.push(("shost", name.clone()));
    }
}

/// A header field has no line ends: they become blanks.
fn header(text: &str) -> String {
    clip(text, 512).replace('\\', "\\\\").replace('|', "\\|").replace(['\r', '\n'], " ")
}

fn value(text: &str) -> String {
    let mut out = String::new();
    for c in clip(text, VALUE_MAX).chars() {
        match c {
            '\\' | '=' => out.extend(['\\', c]),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            // What no receiver keeps as it is.
            c if c.is_control() => out.push_str(&format!("\\\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
