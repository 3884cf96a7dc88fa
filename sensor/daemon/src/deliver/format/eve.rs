//! EVE as Suricata 7 writes it: an `alert` with the fields that its readers know (`alert`, `tls.sni`, `tls.ja4`, `quic.sni`, `src_ip`),
//! and the whole in `ringfence`. Suricata's own schema: `etc/schema.json` in its sources.

use ringfence_core::policy::Verdict;
use serde_json::{Map, Value, json};

use super::json;
use crate::deliver::{Event, Happened};

/// Signature numbers of verdicts begin here, in the range that Suricata leaves to local rules.
const SIGNATURES: u64 = 1_947_700;

/// One object.
pub fn line(event: &Event) -> String {
    let mut out = Map::new();
    out.insert("timestamp".into(), event.at.to_string().replace('Z', "+0000").into());
    out.insert("event_type".into(), "alert".into());
    if let Some(happened) = event.happened() {
        parties(happened, &mut out);
    }
    out.insert("alert".into(), alert(event));
    out.insert("ringfence".into(), json::value(event));
    Value::Object(out).to_string()
}

fn alert(event: &Event) -> Value {
    let verdict = event.happened().map(|h| h.tracked.finding.verdict);
    let place = verdict.and_then(|v| Verdict::WORDS.iter().position(|(_, w)| *w == v)).map_or(0, |at| at as u64 + 1);
    // Suricata counts severities from 1, the worst.
    let severity = match event.severity() {
        8.. => 1,
        5..8 => 2,
        _ => 3,
    };
    json!({
        "action": "allowed", "gid": 1, "signature_id": SIGNATURES + place, "rev": 1,
        "signature": event.sentence(), "category": verdict.map_or("held", Verdict::name), "severity": severity,
    })
}

fn parties(happened: &Happened, out: &mut Map<String, Value>) {
    let finding = &happened.tracked.finding;
    if let Some(addr) = finding.device.addresses.first() {
        out.insert("src_ip".into(), addr.to_string().into());
    }
    if let Some(mac) = finding.device.mac {
        out.insert("ether".into(), json!({ "src_mac": mac.to_string() }));
    }
    let keyed = |fields: &[(&str, &str)]| -> Map<String, Value> {
        fields.iter().filter_map(|(key, field)| Some(((*key).to_string(), happened.value(field)?.into()))).collect()
    };
    let tls = keyed(&[("sni", "tls.sni"), ("ja4", "tls.ja4")]);
    let ja3 = happened.value("tls.ja3").map(|hash| json!({ "hash": hash }));
    let quic = keyed(&[("sni", "quic.sni"), ("ja4", "quic.ja4")]);
    let http = keyed(&[("hostname", "http.host"), ("http_user_agent", "http.user_agent")]);
    let mut tls = tls;
    tls.extend(ja3.map(|ja3| ("ja3".to_string(), ja3)));
    for (name, object) in [("tls", tls), ("quic", quic), ("http", http)] {
        if !object.is_empty() {
            out.insert(name.into(), object.into());
        }
    }
    if let Some(name) = happened.value("dns.qname") {
        out.insert("dns".into(), json!({ "type": "query", "rrname": name }));
    }
}
