//! `/api/v1/coverage` and `/api/v1/alarms`: the honest half.

use super::text;
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::veil::Veil;
use crate::http::wire::{Alarm, Alarms, Coverage, Queue, Reloads, Ring, SegmentCoverage, Store};
use crate::state;

/// What is seen, lost and not judged.
pub(super) fn coverage(app: &App, _: &Call) -> Result<Answer, Problem> {
    let s = app.context.state.status();
    Ok(Answer::json(&Coverage {
        at: text(&s.at),
        started: text(&s.started),
        site: s.site.clone(),
        ready: s.ready,
        rules: s.rules.clone(),
        indicators: s.indicators,
        generation: s.generation,
        rings: s.rings.iter().map(|r| ring(r, &app.veil)).collect(),
        segments: s.segments.iter().map(segment).collect(),
        unjudgeable: s.blind.clone(),
        limits: s.limits.clone(),
        events: s.events.iter().filter(|_| app.context.group_min.is_none()).map(|(event, n)| (event.name(), *n)).collect(),
        queue: Queue { depth: s.queue.depth, capacity: s.queue.capacity, age_secs: s.queue.age_secs },
        store: store(&s.store, &app.veil),
        reloads: reloads(&s.reloads, &app.veil),
        resident_bytes: s.resident_bytes,
    }))
}

fn segment(s: &state::Segment) -> SegmentCoverage {
    SegmentCoverage {
        name: s.name.clone(),
        flows: s.flows,
        frames: s.frames,
        bytes: s.bytes,
        truncated: s.truncated,
        unjudgeable: s.blind.clone(),
        limits: s.limits.clone(),
    }
}

/// Alarms that hold now.
pub(super) fn alarms(app: &App, _: &Call) -> Result<Answer, Problem> {
    let status = app.context.state.status();
    let mut alarms: Vec<&state::Alarm> = status.alarms.iter().collect();
    alarms.sort_by(|a, b| (a.since, a.kind, &a.interface).cmp(&(b.since, b.kind, &b.interface)));
    let wire = |a: &state::Alarm| Alarm {
        kind: a.kind,
        interface: a.interface.clone(),
        since: text(&a.since),
        detail: app.veil.text(&a.detail).into_owned(),
    };
    Ok(Answer::json(&Alarms { alarms: alarms.into_iter().map(wire).collect() }))
}

fn ring(r: &state::Ring, veil: &Veil) -> Ring {
    Ring {
        interface: r.interface.clone(),
        ring: r.ring,
        state: r.state,
        error: r.error.as_deref().map(|e| veil.text(e).into_owned()),
        frames: r.frames,
        bytes: r.bytes,
        flows: r.flows,
        lost: r.lost.clone(),
        evidence_lost: r.evidence_lost,
        malformed: r.malformed.clone(),
        blind_secs: r.blind_secs,
        last_frame: r.last_frame.as_ref().map(text),
        delay_secs: r.delay_secs,
        filtered: r.filtered,
    }
}

fn store(s: &state::Store, veil: &Veil) -> Store {
    let problem = veil.text(&s.problem).into_owned();
    Store { written: s.written, failed: s.failed, pending: s.pending, problem, bytes: s.bytes, events_left_out: s.events_left_out }
}

fn reloads(r: &state::Reloads, veil: &Veil) -> Reloads {
    Reloads {
        accepted: r.accepted,
        refused: r.refused,
        last: r.last.as_ref().map(text),
        last_accepted: r.last_accepted,
        problem: veil.text(&r.problem).into_owned(),
    }
}
