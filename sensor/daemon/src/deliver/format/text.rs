//! A sentence for people, and the same in structured data (RFC 5424 section 6.3), for syslog.

use super::{clip, cut};
use crate::deliver::{About, Event};

/// The id of our structured data: 32473 is the number for documentation (RFC 5612), for want of one of our own.
const SD_ID: &str = "ringfence@32473";
/// Characters of a value; the parameter `cut` names those that had more.
const VALUE_MAX: usize = 1_023;

/// One line.
pub fn line(event: &Event) -> String {
    event.sentence()
}

/// The structured data of an event.
pub fn structured(event: &Event) -> String {
    let mut pairs: Vec<(&'static str, String)> =
        vec![("id", event.id.clone()), ("seq", event.seq.to_string()), ("event", event.word().into()), ("site", event.site.clone())];
    match &event.about {
        About::Held { count, since } => pairs.extend([("count", count.to_string()), ("since", since.to_string())]),
        About::Finding(happened) => {
            let f = &happened.tracked.finding;
            pairs.extend([
                ("finding", f.id.clone()),
                ("stage", happened.tracked.stage.name().into()),
                ("verdict", f.verdict.name().into()),
                ("level", f.level.name().into()),
                ("app", f.app.clone()),
                ("surface", f.surface.map_or("none", |s| s.name()).into()),
                ("device", f.device.id.clone()),
                ("segment", f.segment.clone()),
                ("policy", f.policy.clone()),
                ("reason", f.reasons.join("; ")),
                ("first_seen", f.first_seen.to_string()),
                ("last_seen", f.last_seen.to_string()),
                ("flows", f.flows.to_string()),
            ]);
            pairs.extend(f.waiver.clone().map(|w| ("waiver", w)));
            pairs.extend(f.device.mac.map(|m| ("mac", m.to_string())));
            pairs.extend(f.device.addresses.iter().map(|a| ("address", a.to_string())));
            pairs.extend(f.device.name.clone().map(|n| ("name", n)));
            pairs.extend(happened.value("tls.sni").or(happened.value("quic.sni")).map(|s| ("sni", s.to_string())));
        }
    }
    let cut = cut(&pairs, VALUE_MAX);
    if !cut.is_empty() {
        pairs.push(("cut", cut.join(" ")));
    }
    let pairs: String = pairs.iter().map(|(key, text)| format!(" {key}=\"{}\"", value(text))).collect();
    format!("[{SD_ID}{pairs}]")
}

/// `"`, `\` and `]` are escaped. Control characters are written out: receivers cut or change them each in its own way.
fn value(text: &str) -> String {
    let mut out = String::new();
    for c in clip(text, VALUE_MAX).chars() {
        match c {
            '"' | '\\' | ']' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
