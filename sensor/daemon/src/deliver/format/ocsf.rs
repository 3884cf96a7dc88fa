//! OCSF 1.6.0. What the organisation's policy judged is a Compliance Finding (class 2003); what was merely observed, and a disguise, is
//! a Detection Finding (class 2004). <https://schema.ocsf.io/1.6.0>.

use ringfence_core::ledger::Event as Happening;
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::json;
use crate::deliver::{Event, Happened};

/// The version that names and numbers follow.
const VERSION: &str = "1.6.0";

/// One object.
pub fn line(event: &Event) -> String {
    let mut out = base(event);
    if let Some(happened) = event.happened() {
        finding(event, happened, &mut out);
    }
    Value::Object(out).to_string()
}

/// Milliseconds since 1970.
fn millis(at: Timestamp) -> u64 {
    at.nanos() / 1_000_000
}

/// Compliance or detection.
fn class(event: &Event) -> (u64, &'static str) {
    match event.happened().map(|h| h.tracked.finding.verdict) {
        None | Some(Verdict::Observed | Verdict::Disguise) => (2004, "Detection Finding"),
        Some(_) => (2003, "Compliance Finding"),
    }
}

/// `activity_id` and its name: Create, Update, Close.
fn activity(event: &Event) -> (u64, &'static str) {
    match event.happened().map(|h| h.event) {
        _ if event.has_left() => (3, "Close"),
        None | Some(Happening::Opened) => (1, "Create"),
        Some(Happening::Resolved | Happening::Superseded) => (3, "Close"),
        Some(_) => (2, "Update"),
    }
}

/// `severity_id`: Informational to Critical.
fn severity(event: &Event) -> (u64, &'static str) {
    match event.severity() {
        10 => (5, "Critical"),
        8..10 => (4, "High"),
        5..8 => (3, "Medium"),
        3..5 => (2, "Low"),
        _ => (1, "Informational"),
    }
}

fn base(event: &Event) -> Map<String, Value> {
    let ((class, class_name), (activity, activity_name), (severity, severity_name)) = (class(event), activity(event), severity(event));
    let out = json!({
        "category_uid": 2, "category_name": "Findings", "class_uid": class, "class_name": class_name,
        "activity_id": activity, "activity_name": activity_name, "type_uid": class * 100 + activity,
        "severity_id": severity, "severity": severity_name, "time": millis(event.at), "message": event.sentence(),
        "metadata": {
            "version": VERSION, "uid": event.id, "sequence": event.seq, "log_name": event.site,
            "product": { "name": "Ringfence", "vendor_name": "Ringfence", "version": env!("CARGO_PKG_VERSION") },
        },
        "finding_info": { "uid": event.id, "title": event.sentence() },
        "unmapped": { "ringfence": json::value(event) },
    });
    if let Value::Object(out) = out { out } else { Map::new() }
}

fn finding(event: &Event, happened: &Happened, out: &mut Map<String, Value>) {
    let t = &happened.tracked;
    let f = &t.finding;
    let (status, status_name) = match happened.event {
        _ if event.has_left() => (5, "Archived"),
        Happening::Resolved | Happening::Superseded => (4, "Resolved"),
        _ if t.acknowledged.is_some() => (2, "In Progress"),
        _ => (1, "New"),
    };
    out.insert("status_id".into(), status.into());
    out.insert("status".into(), status_name.into());
    let (confidence, confidence_name) = match f.level {
        Level::Confirmed => (3, "High"),
        Level::Probable => (2, "Medium"),
        _ => (1, "Low"),
    };
    out.insert("confidence_id".into(), confidence.into());
    out.insert("confidence".into(), confidence_name.into());
    out.insert("confidence_score".into(), ((f.confidence * 100.0) as u64).into());
    let info = json!({
        "uid": f.id, "title": format!("{} on {} in {}", f.app, f.device.id, f.segment), "desc": f.reasons.join("; "),
        "types": [f.verdict.name()], "created_time": millis(t.opened), "modified_time": millis(t.changed),
        "first_seen_time": millis(f.first_seen), "last_seen_time": millis(f.last_seen),
    });
    out.insert("finding_info".into(), info);
    let detection = matches!(f.verdict, Verdict::Observed | Verdict::Disguise);
    if detection {
        out.insert("evidences".into(), json!([evidence(happened)]));
    } else {
        out.insert("compliance".into(), compliance(happened));
        if let Some(unmapped) = out.get_mut("unmapped").and_then(Value::as_object_mut) {
            unmapped.insert("evidences".into(), json!([evidence(happened)]));
        }
    }
    out.insert(
        "resources".into(),
        json!([{ "uid": f.device.id, "type": "device", "name": f.device.name.as_deref().unwrap_or(&f.device.id) }]),
    );
}

/// `status_id`: Pass, Warning, Fail.
fn compliance(happened: &Happened) -> Value {
    let f = &happened.tracked.finding;
    let (status, name) = match f.verdict {
        Verdict::Compliant => (1, "Pass"),
        Verdict::Waived => (2, "Warning"),
        _ => (3, "Fail"),
    };
    json!({ "control": f.policy, "requirements": [format!("{} in {}", f.app, f.segment_class)], "standards": ["organisation policy"],
            "status_id": status, "status": name })
}

fn evidence(happened: &Happened) -> Value {
    let f = &happened.tracked.finding;
    let mut source = Map::from_iter([("uid".to_string(), Value::from(f.device.id.as_str()))]);
    if let Some(addr) = f.device.addresses.first() {
        source.insert("ip".into(), addr.to_string().into());
    }
    if let Some(mac) = f.device.mac {
        source.insert("mac".into(), mac.to_string().into());
    }
    if let Some(name) = &f.device.name {
        source.insert("hostname".into(), name.as_str().into());
    }
    let mut out = Map::from_iter([("src_endpoint".to_string(), Value::Object(source))]);
    if let Some(sni) = happened.value("tls.sni").or(happened.value("quic.sni")) {
        out.insert("tls".into(), json!({ "version": "unknown", "sni": sni }));
    }
    if let Some(name) = happened.value("dns.qname") {
        out.insert("query".into(), json!({ "hostname": name }));
    }
    if let Some(ja4) = happened.value("tls.ja4").or(happened.value("quic.ja4")) {
        out.insert("ja4_fingerprint_list".into(), json!([{ "type_id": 1, "type": "JA4", "value": ja4 }]));
    }
    Value::Object(out)
}
