//! The table of metrics.

use ringfence_core::ledger::Event;
use ringfence_core::time::Timestamp;

use super::Family;
use super::Kind::{self, Counter, Gauge, Histogram};
use super::findings::{self, waiting};
use super::places;
use super::scrape::{FINDING_SERIES_MAX, Samples, Scrape};
use crate::waivers::Standing;

/// What is told in place of findings with `aggregate_only`.
pub const GROUP: &str = "ringfence_group_devices";
/// How the names of metrics begin that count findings, devices with findings, or waivers.
pub const OF_FINDINGS: &[&str] =
    &["ringfence_finding", "ringfence_open_finding", "ringfence_devices_", "ringfence_waiver", "ringfence_entries"];

const NONE: &[&str] = &[];
const RING: &[&str] = &["interface", "ring"];
const OUTPUT: &[&str] = &["output", "kind"];

type Fill = fn(&Scrape<'_>, &mut Samples);

const fn family(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str, fill: Fill) -> Family {
    Family { name, kind, labels, help, fill }
}

/// The table of metrics.
#[rustfmt::skip]
pub static FAMILIES: &[Family] = &[
    family("ringfence_build_info", Gauge, &["version", "rules"], "Always 1: the version of the sensor and of its rules.", |s, out| out.add(&[env!("CARGO_PKG_VERSION"), &s.status.rules], 1.0)),
    family("ringfence_site_info", Gauge, &["site"], "Always 1: what this place is called in the configuration; joined by queries that ask for a site.", |s, out| out.add(&[&s.status.site], 1.0)),
    family("ringfence_start_timestamp_seconds", Gauge, NONE, "When the process started, in seconds since 1970.", |s, out| out.add(NONE, secs(s.status.started))),
    family("ringfence_status_timestamp_seconds", Gauge, NONE, "When the figures of this scrape were true, in seconds since 1970.", |s, out| out.add(NONE, secs(s.status.at))),
    family("ringfence_ready", Gauge, NONE, "1 when the rings are open and the first figures are out.", |s, out| out.add(NONE, truth(s.status.ready))),
    family("ringfence_resident_bytes", Gauge, NONE, "Resident memory of the process.", |s, out| out.add(NONE, s.status.resident_bytes as f64)),
    family("ringfence_cpu_seconds_total", Counter, NONE, "Processor time of the process.", |s, out| out.add(NONE, s.status.cpu_secs)),
    family("ringfence_entries", Gauge, &["table"], "What is held in memory: flows with a sign, devices, addresses, servers of apps, findings, waivers.", |s, out| s.status.held.iter().for_each(|(what, n)| out.add(&[what], *n as f64))),
    family("ringfence_indicators", Gauge, NONE, "Indicators in the rules that are loaded.", |s, out| out.add(NONE, s.status.indicators as f64)),

    family("ringfence_ring_capturing", Gauge, RING, "1 when the ring captures, 0 when it waits, is down, gone or refused.", |s, out| out.rings(s, |r| Some(truth(r.state == "capturing")))),
    family("ringfence_ring_filtered", Gauge, RING, "1 when the kernel passes only part of the traffic, on request.", |s, out| out.rings(s, |r| Some(truth(r.filtered)))),
    family("ringfence_frames_total", Counter, RING, "Frames that the worker took.", |s, out| out.rings(s, |r| Some(r.frames as f64))),
    family("ringfence_frame_bytes_total", Counter, RING, "Bytes of these frames on the wire.", |s, out| out.rings(s, |r| Some(r.bytes as f64))),
    family("ringfence_flows_total", Counter, RING, "Flows that were followed and ended.", |s, out| out.rings(s, |r| Some(r.flows as f64))),
    family("ringfence_ring_cpu_seconds_total", Counter, RING, "Processor time of the ring's thread: with the frames it gives the time that one frame takes.", |s, out| out.rings(s, |r| Some(r.cpu_secs))),
    family("ringfence_stream_bytes", Gauge, RING, "Bytes of streams that the worker holds because it has not decided yet.", |s, out| out.rings(s, |r| Some(r.stream_bytes as f64))),
    family("ringfence_frame_delay_seconds", Gauge, RING, "Between the stamp of a frame and its turn in the worker, the worst of the last second.", |s, out| out.rings(s, |r| Some(r.delay_secs))),
    family("ringfence_last_frame_timestamp_seconds", Gauge, RING, "The latest frame's time, in seconds since 1970.", |s, out| out.rings(s, |r| r.last_frame.map(secs))),
    family("ringfence_blind_seconds_total", Counter, RING, "Time in which the interface could not be captured.", |s, out| out.rings(s, |r| Some(r.blind_secs))),
    family("ringfence_frames_lost_total", Counter, &["interface", "reason"], "Frames lost, by place: nic, kernel, shed (overload: not looked at).", lost),
    family("ringfence_evidence_lost_total", Counter, &["interface"], "Statements dropped because the correlator did not keep up.", |s, out| s.status.rings.iter().for_each(|r| out.add(&[&r.interface], r.evidence_lost as f64))),
    family("ringfence_malformed_total", Counter, &["kind"], "Malformed frames, by kind.", |s, out| s.status.rings.iter().for_each(|r| out.counts(&r.malformed))),
    family("ringfence_unjudgeable_total", Counter, &["kind"], "Traffic that was seen but could not be judged, by kind.", places::unjudgeable),
    family("ringfence_limits_hit_total", Counter, &["limit"], "Bounds that were hit, by name.", |s, out| out.counts(&s.status.limits)),
    family("ringfence_alarms", Gauge, &["kind", "interface"], "Alarms that hold now; interface is empty for the sensor as a whole.", |s, out| s.status.alarms.iter().for_each(|a| out.add(&[a.kind, &a.interface], 1.0))),

    family("ringfence_segment_info", Gauge, &["segment", "class"], "1 for each segment with its class: sensitive, standard, guest, separate, or unknown where none is configured.", |s, out| out.segments(s, |g| vec![g.class], |_| 1.0)),
    family("ringfence_segment_flows_total", Counter, &["segment"], "Flows of a segment that ended.", |s, out| out.segments(s, |_| Vec::new(), |g| g.flows as f64)),
    family("ringfence_segment_frames_total", Counter, &["segment"], "Frames of these flows.", |s, out| out.segments(s, |_| Vec::new(), |g| g.frames as f64)),
    family("ringfence_segment_frame_bytes_total", Counter, &["segment"], "Bytes of these flows.", |s, out| out.segments(s, |_| Vec::new(), |g| g.bytes as f64)),
    family("ringfence_segment_truncated_frames_total", Counter, &["segment"], "Frames of these flows that the snap length cut.", |s, out| out.segments(s, |_| Vec::new(), |g| g.truncated as f64)),
    family("ringfence_segment_unjudgeable_total", Counter, &["segment", "kind"], "Flows of a segment (of tunnels: frames) that could not be judged, by kind.", places::unjudgeable_by_segment),

    family("ringfence_findings_open", Gauge, &["app", "surface", "segment", "verdict", "level"], "Open findings; segments beyond the first 128 are `other`.", findings::open),
    family("ringfence_findings", Gauge, &["stage"], "Findings that are held, by stage.", findings::by_stage),
    family("ringfence_finding_events_total", Counter, &["event"], "What happened to findings: opened, updated, rejudged, acknowledged, escalated, resolved, reopened, superseded.", |s, out| Event::ALL.iter().for_each(|e| out.add(&[e.name()], s.status.events.get(e).copied().unwrap_or(0) as f64))),
    family("ringfence_findings_opened_total", Counter, &["segment", "app", "verdict"], "Findings that were opened, or opened again, with the verdict that they had then.", findings::opened),
    family("ringfence_findings_new", Gauge, &["segment", "app", "verdict"], "Open findings that were opened, or opened again, within the last 24 hours.", findings::new),
    family("ringfence_findings_unacknowledged", Gauge, &["verdict"], "Open findings that somebody has to act on (unapproved and worse) and nobody takes care of yet.", |s, out| waiting(s, |verdict, of| out.add(&[verdict], of.len() as f64))),
    family("ringfence_finding_oldest_unacknowledged_timestamp_seconds", Gauge, &["verdict"], "Since when the oldest of them is open, in seconds since 1970; absent where there is none.", |s, out| waiting(s, |verdict, of| if let Some(at) = of.iter().min() { out.add(&[verdict], secs(*at)) })),
    family("ringfence_finding_acknowledge_seconds", Histogram, &["verdict"], "From the opening of a finding to somebody's taking care of it.", findings::cared),
    family("ringfence_devices_with_open_findings", Gauge, NONE, "Devices with open findings.", findings::devices),
    family("ringfence_devices_exposed", Gauge, &["segment"], "Devices whose confirmed use in this segment lies within the exposure window: they must not appear in a sensitive segment.", findings::exposed),
    family("ringfence_open_finding_last_seen_timestamp_seconds", Gauge, &["finding", "app", "segment", "verdict"], "The latest sign of an open finding, by its opaque id: the 500 most serious.", findings::shown),
    family("ringfence_open_findings_left_out", Gauge, NONE, "Open findings that have no series of their own, because 500 others have.", |s, out| out.add(NONE, s.open().count().saturating_sub(FINDING_SERIES_MAX) as f64)),

    family("ringfence_waivers", Gauge, &["standing"], "Waivers, by how they stand: pending, upcoming, valid, expiring, expired, revoked, void.", waivers),
    family("ringfence_waivers_by_segment", Gauge, &["segment", "standing"], "Waivers that name a segment, by how they stand.", places::waivers),
    family("ringfence_waiver_next_end_timestamp_seconds", Gauge, NONE, "When the next waiver that holds ends, in seconds since 1970; absent when none holds.", next_end),

    family(GROUP, Gauge, &["segment", "app", "verdict"], "With aggregate_only: devices with open findings, where a group of them is large enough.", findings::groups),

    family("ringfence_queue_depth_batches", Gauge, NONE, "Batches of evidence on their way from the rings.", |s, out| out.add(NONE, s.status.queue.depth as f64)),
    family("ringfence_queue_capacity_batches", Gauge, NONE, "Batches of evidence that may be on their way.", |s, out| out.add(NONE, s.status.queue.capacity as f64)),
    family("ringfence_queue_age_seconds", Gauge, NONE, "How long the oldest batch waited, the worst of the last second.", |s, out| out.add(NONE, s.status.queue.age_secs)),
    family("ringfence_store_writes_total", Counter, &["result"], "Writes to the store: written, or failed and tried again.", |s, out| { out.add(&["written"], s.status.store.written as f64); out.add(&["failed"], s.status.store.failed as f64) }),
    family("ringfence_store_pending_findings", Gauge, NONE, "Findings whose latest state is not on disk yet.", |s, out| out.add(NONE, s.status.store.pending as f64)),
    family("ringfence_finding_events_left_out_total", Counter, NONE, "Events of findings that are neither in the store nor told, because it could not be written for too long.", |s, out| out.add(NONE, s.status.store.events_left_out as f64)),
    family("ringfence_store_bytes", Gauge, NONE, "Size of the store on disk.", |s, out| out.add(NONE, s.status.store.bytes as f64)),
    family("ringfence_store_healthy", Gauge, NONE, "0 when the store cannot be written.", |s, out| out.add(NONE, truth(s.status.store.problem.is_empty()))),
    family("ringfence_config_generation", Gauge, NONE, "Configurations accepted so far: 1 at the start.", |s, out| out.add(NONE, s.status.generation as f64)),
    family("ringfence_reloads_total", Counter, &["result"], "Reloads of configuration and rules: accepted, or refused.", |s, out| { out.add(&["accepted"], s.status.reloads.accepted as f64); out.add(&["refused"], s.status.reloads.refused as f64) }),
    family("ringfence_last_reload_successful", Gauge, NONE, "0 when the last reload was refused and the old set goes on.", |s, out| out.add(NONE, truth(s.status.reloads.last.is_none() || s.status.reloads.last_accepted))),
    family("ringfence_last_reload_timestamp_seconds", Gauge, NONE, "When a reload was last tried, in seconds since 1970.", |s, out| if let Some(at) = s.status.reloads.last { out.add(NONE, secs(at)) }),
    family("ringfence_last_reload_success_timestamp_seconds", Gauge, NONE, "Since when configuration and rules are as they are, in seconds since 1970.", |s, out| out.add(NONE, secs(s.status.reloads.last_success.unwrap_or(s.status.started)))),
    family("ringfence_audit_chain_intact", Gauge, NONE, "1 when the audit log held together in the latest round, 0 when it did not or could not be read; absent before the first.", |s, out| if s.status.audit.at.is_some() { out.add(NONE, truth(s.status.audit.broken.is_none())) }),
    family("ringfence_audit_entries", Gauge, NONE, "Entries of the audit log that were held against their chain in the latest round.", |s, out| if s.status.audit.at.is_some() { out.add(NONE, s.status.audit.entries as f64) }),
    family("ringfence_audit_verified_timestamp_seconds", Gauge, NONE, "When that round was, in seconds since 1970.", |s, out| if let Some(at) = s.status.audit.at { out.add(NONE, secs(at)) }),

    family("ringfence_output_queue_events", Gauge, OUTPUT, "Events that wait for an output, those that its filter will leave out included.", |s, out| out.outputs(s, |o| Some(o.depth as f64))),
    family("ringfence_output_oldest_age_seconds", Gauge, OUTPUT, "How long the oldest of them waits.", oldest_age),
    family("ringfence_output_sent_total", Counter, OUTPUT, "Events that the far end has taken.", |s, out| out.outputs(s, |o| Some(o.sent as f64))),
    family("ringfence_output_failures_total", Counter, OUTPUT, "Attempts that failed; the events are sent again.", |s, out| out.outputs(s, |o| Some(o.failed as f64))),
    family("ringfence_output_dropped_total", Counter, OUTPUT, "Events that are gone because the queue was full: the oldest.", |s, out| out.outputs(s, |o| Some(o.dropped as f64))),
    family("ringfence_output_refused_total", Counter, OUTPUT, "Events that the far end understood and will not have.", |s, out| out.outputs(s, |o| Some(o.refused as f64))),
    family("ringfence_output_folded_total", Counter, OUTPUT, "Events that a later event of the same finding stands for.", |s, out| out.outputs(s, |o| Some(o.folded as f64))),
    family("ringfence_output_healthy", Gauge, OUTPUT, "0 when the last attempt failed.", |s, out| out.outputs(s, |o| Some(truth(o.problem.is_empty())))),
    family("ringfence_output_last_success_timestamp_seconds", Gauge, OUTPUT, "When the far end last took an event, in seconds since 1970.", |s, out| out.outputs(s, |o| o.last_success.map(secs))),

    family("ringfence_http_requests_total", Counter, &["route", "code"], "HTTP requests answered; routes that do not exist are `other`.", |s, out| s.requests.iter().for_each(|((route, code), n)| out.add(&[route, &code.to_string()], *n as f64))),
    family("ringfence_http_connections", Gauge, NONE, "HTTP connections that are open.", |s, out| out.add(NONE, s.connections as f64)),
    family("ringfence_http_connections_evicted_total", Counter, NONE, "HTTP connections that hung and were closed to make room.", |s, out| out.add(NONE, s.evicted as f64)),
    // The last one: it counts those before it, and itself.
    family("ringfence_series", Gauge, NONE, "Series in this scrape.", |_, out| out.add(NONE, (out.series + 1) as f64)),
];

pub(super) fn secs(at: Timestamp) -> f64 {
    at.nanos() as f64 / 1e9
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn lost(scrape: &Scrape<'_>, out: &mut Samples) {
    for ring in &scrape.status.rings {
        ring.lost.iter().for_each(|(reason, n)| out.add(&[&ring.interface, reason], *n as f64));
    }
}

fn waivers(scrape: &Scrape<'_>, out: &mut Samples) {
    Standing::WORDS.iter().for_each(|(word, _)| out.add(&[word], 0.0));
    scrape.status.waivers.iter().for_each(|view| out.add(&[view.standing.name()], 1.0));
}

fn next_end(scrape: &Scrape<'_>, out: &mut Samples) {
    let holding = scrape.status.waivers.iter().filter(|v| matches!(v.standing, Standing::Valid | Standing::Expiring));
    if let Some(end) = holding.map(|v| v.held.waiver.until()).min() {
        out.add(NONE, secs(end));
    }
}

fn oldest_age(scrape: &Scrape<'_>, out: &mut Samples) {
    let now = crate::clock::now();
    for (name, standing) in &scrape.outputs {
        out.add(&[name, standing.kind], standing.waiting_since.map_or(0.0, |at| now.since(at).as_secs_f64()));
    }
}
