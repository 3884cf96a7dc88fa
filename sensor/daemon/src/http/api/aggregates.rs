//! `/api/v1/aggregates`: devices with open findings, as counts over groups that are large enough.

use crate::aggregate;
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{Aggregates, Group, SegmentSum};
use crate::metrics::members;

/// Groups where the configuration does not say.
const GROUP_MIN: u64 = 5;

/// The table of groups.
pub(super) fn table(app: &App, _: &Call) -> Result<Answer, Problem> {
    let findings = app.context.state.findings();
    let group_min = app.context.group_min.unwrap_or(GROUP_MIN);
    let table = aggregate::table(members(&findings), group_min);
    let segments = table.segments.iter().map(|(name, devices)| SegmentSum { segment: name, devices: *devices }).collect();
    let group = |(&(segment, app, verdict), devices): (&(_, _, _), &u64)| Group { segment, app, verdict, devices: *devices };
    Ok(Answer::json(&Aggregates { group_min, total: table.total, segments, groups: table.groups.iter().map(group).collect() }))
}
