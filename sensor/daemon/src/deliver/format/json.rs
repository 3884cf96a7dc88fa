//! Our own form: the finding as `ringfence scan -o json` and the API tell it, with what happened to it. `docs/schema/event.json`.

use serde::Serialize;

use crate::deliver::{About, Event};
use crate::output::json::{FindingLine, finding_line};

/// The form's name and version.
const SCHEMA: &str = "ringfence.event/1";

#[derive(Serialize)]
struct Line<'e> {
    schema: &'static str,
    id: &'e str,
    seq: u64,
    time: String,
    site: &'e str,
    sensor: Sensor,
    event: &'static str,
    severity: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<Finding<'e>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    folded: &'e [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
}

#[derive(Serialize)]
struct Sensor {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Finding<'e> {
    #[serde(flatten)]
    line: FindingLine<'e>,
    stage: &'static str,
    opened: String,
    changed: String,
    reopened: u32,
    acknowledged: Option<String>,
    escalated: Option<&'static str>,
}

#[derive(Serialize)]
struct Held {
    count: u64,
    since: String,
}

/// One object.
pub fn line(event: &Event) -> String {
    serde_json::to_string(&of(event)).unwrap_or_default()
}

/// The object as a value, for forms that carry it inside.
pub(super) fn value(event: &Event) -> serde_json::Value {
    serde_json::to_value(of(event)).unwrap_or_default()
}

fn of(event: &Event) -> Line<'_> {
    let finding = event.happened().map(|happened| {
        let t = &happened.tracked;
        Finding {
            line: finding_line(&t.finding),
            stage: t.stage.name(),
            opened: t.opened.to_string(),
            changed: t.changed.to_string(),
            reopened: t.reopened,
            acknowledged: t.acknowledged.as_ref().map(|a| a.at.to_string()),
            escalated: t.escalated.as_ref().map(|(_, why)| why.name()),
        }
    });
    let held = match &event.about {
        About::Held { count, since } => Some(Held { count: *count, since: since.to_string() }),
        About::Finding(_) => None,
    };
    Line {
        schema: SCHEMA,
        id: &event.id,
        seq: event.seq,
        time: event.at.to_string(),
        site: &event.site,
        sensor: Sensor { name: "ringfence", version: env!("CARGO_PKG_VERSION") },
        event: event.word(),
        severity: event.severity(),
        finding,
        folded: event.happened().map_or(&[], |h| &h.folded),
        held,
    }
}
