//! Elastic Common Schema 8.17. What it has no field for is in `ringfence`; `tls.client.ja4` is an extension beside its `ja3`.

use serde_json::{Map, Value, json};

use super::json;
use crate::deliver::{Event, Happened};

/// The version that names and values follow.
const VERSION: &str = "8.17.0";

/// One object.
pub fn line(event: &Event) -> String {
    let mut out = base(event);
    if let Some(happened) = event.happened() {
        finding(happened, &mut out);
    }
    out.insert("ringfence".into(), json::value(event));
    Value::Object(out).to_string()
}

fn base(event: &Event) -> Map<String, Value> {
    let mut about = json!({
        "id": event.id, "kind": if event.happened().is_some() { "alert" } else { "metric" },
        "category": ["intrusion_detection", "network"], "type": ["info"],
        "action": format!("finding-{}", event.word()), "severity": event.severity(), "sequence": event.seq,
        "module": "ringfence", "dataset": "ringfence.finding", "provider": "ringfence",
    });
    if let (Some(happened), Some(about)) = (event.happened(), about.as_object_mut()) {
        about.insert("start".into(), happened.tracked.finding.first_seen.to_string().into());
        about.insert("end".into(), happened.tracked.finding.last_seen.to_string().into());
        about.insert("reason".into(), happened.tracked.finding.reasons.join("; ").into());
    }
    let out = json!({
        "@timestamp": event.at.to_string(), "ecs": { "version": VERSION }, "message": event.sentence(), "event": about,
        "observer": { "vendor": "Ringfence", "product": "Ringfence", "type": "sensor", "version": env!("CARGO_PKG_VERSION"),
                      "geo": { "name": event.site } },
    });
    if let Value::Object(out) = out { out } else { Map::new() }
}

fn finding(happened: &Happened, out: &mut Map<String, Value>) {
    let finding = &happened.tracked.finding;
    let device = &finding.device;
    let mut host = Map::from_iter([("id".to_string(), Value::from(device.id.as_str()))]);
    if let Some(name) = &device.name {
        host.insert("name".into(), name.as_str().into());
    }
    let mut source = Map::from_iter([("bytes".to_string(), Value::from(finding.bytes_up))]);
    if !device.addresses.is_empty() {
        let addresses: Vec<String> = device.addresses.iter().map(ToString::to_string).collect();
        source.insert("ip".into(), addresses[0].as_str().into());
        host.insert("ip".into(), addresses.into());
    }
    if let Some(mac) = device.mac {
        // ECS writes them as RFC 7042 does.
        let mac = mac.to_string().to_uppercase().replace(':', "-");
        source.insert("mac".into(), mac.as_str().into());
        host.insert("mac".into(), json!([mac]));
    }
    out.insert("host".into(), host.into());
    out.insert("source".into(), source.into());
    out.insert("destination".into(), json!({ "bytes": finding.bytes_down }));
    out.insert("network".into(), json!({ "application": finding.app, "name": finding.segment }));
    out.insert("rule".into(), json!({ "name": finding.policy, "category": finding.verdict.name(), "ruleset": "policy" }));
    if let Some(tls) = tls(happened) {
        out.insert("tls".into(), tls);
    }
    if let Some(name) = happened.value("dns.qname") {
        out.insert("dns".into(), json!({ "question": { "name": name } }));
    }
    if let Some(agent) = happened.value("http.user_agent") {
        out.insert("user_agent".into(), json!({ "original": agent }));
    }
}

fn tls(happened: &Happened) -> Option<Value> {
    let fields = [("server_name", ["tls.sni", "quic.sni"]), ("ja3", ["tls.ja3", "quic.ja3"]), ("ja4", ["tls.ja4", "quic.ja4"])];
    let found = |names: [&str; 2]| names.into_iter().find_map(|n| happened.value(n)).map(Value::from);
    let client: Map<String, Value> = fields.into_iter().filter_map(|(key, names)| Some((key.to_string(), found(names)?))).collect();
    (!client.is_empty()).then(|| json!({ "client": client }))
}
