//! `/api/v1/segments`.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_core::ledger::Stage;

use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{SegmentEntry, Segments};

/// Segments with their open findings by verdict.
pub(super) fn list(app: &App, _: &Call) -> Result<Answer, Problem> {
    let status = app.context.state.status();
    let empty = |name: &str, class: &str, configured| SegmentEntry {
        name: name.to_string(),
        class: class.to_string(),
        configured,
        devices: 0,
        open: BTreeMap::new(),
    };
    let mut segments: Vec<SegmentEntry> = status.segments.iter().map(|s| empty(&s.name, s.class, s.configured)).collect();
    let mut at: BTreeMap<String, usize> = segments.iter().enumerate().map(|(i, s)| (s.name.clone(), i)).collect();
    let mut devices: BTreeSet<(usize, String)> = BTreeSet::new();
    let mut open = app.context.state.findings();
    open.retain(|t| t.stage == Stage::Open);
    open.sort_by(|a, b| a.finding.segment.cmp(&b.finding.segment));
    for finding in open.iter().map(|t| &t.finding) {
        let index = *at.entry(finding.segment.clone()).or_insert_with(|| {
            segments.push(empty(&finding.segment, finding.segment_class, false));
            segments.len() - 1
        });
        let segment = &mut segments[index];
        *segment.open.entry(finding.verdict.name()).or_default() += 1;
        segment.devices += usize::from(devices.insert((index, finding.device.key.clone())));
    }
    let devices = devices.iter().map(|(_, key)| key).collect::<BTreeSet<_>>().len();
    Ok(Answer::json(&Segments { devices, segments }))
}
