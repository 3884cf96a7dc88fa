//! Outputs whose far end does not take events, and events that are gone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{AlarmKind, Conditions, tell};

/// An output as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputSample {
    /// Its name.
    pub name: String,
    /// What is wrong; empty when nothing is.
    pub problem: String,
    /// Events that were dropped or refused for good since its start.
    pub gone: u64,
}

/// What is remembered of events that are gone, by output.
#[derive(Debug, Default)]
pub(super) struct Gone(BTreeMap<String, Row>);

#[derive(Debug, Default)]
struct Row {
    total: u64,
    /// When the last of those that are told now went, and how many they are.
    latest: Option<(Duration, u64)>,
}

/// Says which outputs fail, and where events went within the window. `unwritten` is the number of events that never reached a queue.
pub(super) fn look(
    gone: &mut Gone,
    (uptime, window): (Duration, Duration),
    outputs: &[OutputSample],
    unwritten: u64,
    bad: &mut Conditions,
) {
    let failing: Vec<String> = outputs.iter().filter(|o| !o.problem.is_empty()).map(|o| format!("{}: {}", o.name, o.problem)).collect();
    if !failing.is_empty() {
        let help = "events wait on disk, up to `spool_events`, and go out when it works again";
        tell(bad, AlarmKind::OutputFailing, None, format!("{}; {help}", failing.join("; ")));
    }
    gone.0.retain(|name, _| name.is_empty() || outputs.iter().any(|o| o.name == *name));
    let mut lost = Vec::new();
    let queues = outputs.iter().map(|o| (o.name.as_str(), o.gone));
    for (name, total) in queues.chain([("", unwritten)]) {
        let row = gone.0.entry(name.to_string()).or_default();
        let fresh = total.saturating_sub(row.total);
        row.total = total;
        row.latest = row.latest.filter(|(at, _)| uptime.saturating_sub(*at) <= window);
        if fresh > 0 {
            row.latest = Some((uptime, row.latest.map_or(0, |(_, n)| n) + fresh));
        }
        lost.extend(row.latest.map(|(_, n)| match name {
            "" => format!("{n} events found no room while the store could not be written"),
            name => format!("{name}: {n} events are gone, dropped by a full queue or refused by the far end"),
        }));
    }
    if !lost.is_empty() {
        let help = "findings themselves are in the store; a larger `spool_events` holds out longer";
        tell(bad, AlarmKind::OutputDropping, None, format!("{}; {help}", lost.join("; ")));
    }
}
