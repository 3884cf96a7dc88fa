//! How the sensor is: gathered every tick from rings, links, correlator and store, and put where readers find it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence_core::coverage::Blind;
use ringfence_core::limits::LimitCounts;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{PlaceTally, Shedding, Tally};

use super::Hub;
use crate::audit::Standing;
use crate::capture::live::{Link, LinkView};
use crate::clock::{self, now};
use crate::config;
use crate::deliver;
use crate::health::{Health, OutputSample, RingSample, Sample};
use crate::output;
use crate::ring::{Published, RingView};
use crate::state::{Alarm, Queue, Reloads, Ring, Segment, Status};
use crate::waivers::WaiverView;
use ringfence_core::identity;

/// Batches that the channel from rings to hub holds.
pub const QUEUE_BATCHES: usize = 1_024;

/// How often the coverage of segments is worked out.
const SEGMENTS_EVERY: Duration = Duration::from_secs(5);

/// A ring as the hub sees it.
#[derive(Clone, Debug)]
pub struct RingHandle {
    /// The interface's side.
    pub link: Arc<Link>,
    /// The worker's side.
    pub published: Arc<Published>,
}

/// An alarm by kind and interface.
type Told = (&'static str, String);

/// What has to be kept from one status to the next.
#[derive(Debug)]
pub(super) struct Keeper {
    started: Timestamp,
    /// The same on a clock that never jumps.
    epoch: Instant,
    generation: u64,
    /// Waivers as they stand.
    pub(super) waivers: Vec<Arc<WaiverView>>,
    /// What operators said about who is who, in the order of their saying.
    pub(super) links: Vec<identity::Link>,
    reloads: Reloads,
    health: Health,
    /// Alarms that were told.
    told: BTreeSet<Told>,
    /// Segments with their coverage, and when they were worked out.
    segments: (Option<Instant>, Vec<Segment>),
    /// The longest that a batch has waited since the last status.
    waited: Duration,
}

impl Keeper {
    pub(super) fn new(started: Timestamp, alarms: config::Alarms) -> Self {
        Keeper {
            started,
            epoch: Instant::now(),
            generation: 1,
            waivers: Vec::new(),
            links: Vec::new(),
            reloads: Reloads { last_accepted: true, ..Reloads::default() },
            health: Health::new(alarms.into()),
            told: BTreeSet::new(),
            segments: (None, Vec::new()),
            waited: Duration::ZERO,
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn waited(&mut self, age: Duration) {
        self.waited = self.waited.max(age);
    }

    pub(super) fn set_alarms(&mut self, alarms: config::Alarms) {
        self.health.set_bars(alarms.into());
    }

    pub(super) fn accepted(&mut self, at: Timestamp) {
        self.generation += 1;
        self.reloads.accepted += 1;
        (self.reloads.last, self.reloads.last_accepted) = (Some(at), true);
        self.reloads.last_success = Some(at);
        self.reloads.problem.clear();
    }

    pub(super) fn refused(&mut self, at: Timestamp, problem: &str) {
        self.reloads.refused += 1;
        (self.reloads.last, self.reloads.last_accepted) = (Some(at), false);
        self.reloads.problem = problem.to_string();
    }
}

impl Hub {
    /// Puts out how the sensor is.
    pub(super) fn show_status(&mut self, ready: bool) {
        let at = now();
        let views: Vec<(LinkView, RingView)> = self.rings.iter().map(|r| (r.link.view(), r.published.view())).collect();
        let limits = self.limits(&views);
        let audit = self.patrol.standing();
        let alarms = self.alarms(at, &views, &audit);
        self.segments(&views);
        let depth = views.iter().map(|(_, ring)| ring.batches).sum::<u64>().saturating_sub(self.taken);
        let keeper = &mut self.status;
        let age_secs = std::mem::take(&mut keeper.waited).as_secs_f64();
        let status = Status {
            at,
            started: keeper.started,
            ready,
            site: self.loaded.config.site.clone(),
            rules: self.loaded.rules.version.clone(),
            indicators: self.loaded.set.rules().count() as u64,
            generation: keeper.generation,
            reloads: keeper.reloads.clone(),
            waivers: keeper.waivers.clone(),
            links: keeper.links.clone(),
            rings: views.iter().map(|(link, ring)| row(link, ring)).collect(),
            segments: keeper.segments.1.clone(),
            blind: sum(&views, |tally| tally.blind.iter().map(|(kind, n)| (kind.name(), *n)).collect()),
            limits: limits.hit().map(|(limit, n)| (limit.name(), n)).collect(),
            alarms,
            queue: Queue { depth, capacity: QUEUE_BATCHES as u64, age_secs },
            store: self.store_view.clone(),
            events: self.events.clone(),
            opened: self.opened.clone(),
            cared: self.cared.clone(),
            apps: self.apps.clone(),
            exposure: self.loaded.config.policy.exposure,
            audit,
            held: self.entries(),
            cpu_secs: clock::process_cpu().as_secs_f64(),
            resident_bytes: resident_bytes(),
        };
        self.state.set_status(status);
    }

    /// Every segment with its coverage, configured ones first.
    fn segments(&mut self, views: &[(LinkView, RingView)]) {
        if self.status.segments.0.is_some_and(|at| at.elapsed() < SEGMENTS_EVERY) {
            return;
        }
        let covered = output::segments(views.iter().map(|(_, ring)| &*ring.places), &mut self.correlator);
        let mut covered: BTreeMap<_, _> = covered.into_iter().map(|s| (s.name, s.tally)).collect();
        let known = self.correlator.segments().map(|s| segment(s, covered.remove(&s.name).unwrap_or_default())).collect();
        self.status.segments = (Some(Instant::now()), known);
    }

    fn entries(&self) -> BTreeMap<&'static str, u64> {
        let findings = [("findings", self.ledger.iter().count()), ("waivers", self.status.waivers.len())];
        self.correlator.held().into_iter().chain(findings).map(|(what, n)| (what, n as u64)).collect()
    }

    fn limits(&self, views: &[(LinkView, RingView)]) -> LimitCounts {
        let mut limits = self.correlator.limits();
        limits.merge(self.ledger.limits());
        views.iter().for_each(|(_, ring)| limits.merge(&ring.tally.limits));
        limits
    }

    fn alarms(&mut self, at: Timestamp, views: &[(LinkView, RingView)], audit: &Standing) -> Vec<Alarm> {
        let store_failing = (!self.store_view.problem.is_empty()).then(|| self.store_view.problem.clone());
        let keeper = &mut self.status;
        let reload_failed = (!keeper.reloads.last_accepted).then(|| keeper.reloads.problem.clone());
        let rings = views.iter().map(|(link, ring)| RingSample { link: link.clone(), counts: ring.into() }).collect();
        let output = |(name, s): (String, deliver::Standing)| OutputSample { name, problem: s.problem, gone: s.dropped + s.refused };
        let outputs = self.desk.board().all().into_iter().map(output).collect();
        let events_left_out = self.store_view.events_left_out;
        let audit_broken =
            audit.broken.as_ref().map(|why| format!("the audit log: {why}; `ringfence audit verify` has all of it, docs/audit.md"));
        let sample =
            Sample { now: at, uptime: keeper.epoch.elapsed(), rings, store_failing, reload_failed, outputs, events_left_out, audit_broken };
        let alarms = keeper.health.feed(&sample);
        let row = |a: crate::health::Alarm| Alarm {
            kind: a.kind.name(),
            interface: a.interface.unwrap_or_default(),
            since: a.since,
            detail: a.detail,
        };
        let alarms: Vec<Alarm> = alarms.into_iter().map(row).collect();
        self.tell(&alarms);
        alarms
    }

    /// Alarms that begin and end are news, for the log and for whoever asks later when the sensor was blind.
    fn tell(&mut self, alarms: &[Alarm]) {
        let standing: BTreeSet<Told> = alarms.iter().map(|a| (a.kind, a.interface.clone())).collect();
        let before = std::mem::replace(&mut self.status.told, standing.clone());
        for alarm in alarms.iter().filter(|a| !before.contains(&(a.kind, a.interface.clone()))) {
            let text = format!("{}{}: {}", alarm.kind, of(&alarm.interface), alarm.detail);
            eprintln!("ringfence: ALARM {text}");
            self.audit("alarm", text);
        }
        for (kind, interface) in before.difference(&standing) {
            let text = format!("{kind}{}", of(interface));
            eprintln!("ringfence: alarm over: {text}");
            self.audit("alarm-over", text);
        }
    }
}

/// Whose alarm it is; nothing for the sensor as a whole.
fn of(interface: &str) -> String {
    if interface.is_empty() { String::new() } else { format!(" {interface}") }
}

fn row(link: &LinkView, ring: &RingView) -> Ring {
    let tally = &ring.tally;
    let mut lost = BTreeMap::from([("nic", link.dropped_nic), ("kernel", link.dropped_kernel)]);
    for (name, step) in Shedding::STEPS {
        lost.insert(shed_name(name), tally.shed.get(&step).copied().unwrap_or(0));
    }
    Ring {
        interface: link.interface.clone(),
        ring: link.ring,
        state: link.state.name(),
        error: link.error.clone(),
        frames: tally.frames,
        bytes: tally.bytes,
        flows: tally.flows,
        lost,
        evidence_lost: ring.evidence_lost,
        malformed: tally.malformed.clone(),
        blind_secs: link.blind_nanos as f64 / 1e9,
        last_frame: link.last_frame,
        delay_secs: ring.delay.as_secs_f64(),
        filtered: link.filtered,
        cpu_secs: ring.cpu.as_secs_f64(),
        stream_bytes: tally.held() as u64,
    }
}

/// The reason under which packets given up by a step are counted.
fn shed_name(step: &str) -> &'static str {
    match step {
        "bulk" => "shed-bulk",
        "mid-stream" => "shed-mid-stream",
        _ => "shed-bare",
    }
}

fn segment(segment: &ringfence_core::policy::Segment, tally: PlaceTally) -> Segment {
    Segment {
        name: segment.name.to_string(),
        class: segment.class.name(),
        configured: !segment.selectors.is_empty(),
        flows: tally.flows,
        frames: tally.frames,
        bytes: tally.bytes,
        truncated: tally.truncated,
        blind: Blind::ALL.iter().map(|kind| (kind.name(), tally.blind(*kind))).filter(|(_, n)| *n > 0).collect(),
        limits: tally.limits.hit().map(|(limit, n)| (limit.name(), n)).collect(),
    }
}

fn sum(views: &[(LinkView, RingView)], counts: impl Fn(&Tally) -> Vec<(&'static str, u64)>) -> BTreeMap<&'static str, u64> {
    let mut total = BTreeMap::new();
    for (name, n) in views.iter().flat_map(|(_, ring)| counts(&ring.tally)) {
        *total.entry(name).or_default() += n;
    }
    total
}

/// Resident memory of this process: the second field of `/proc/self/statm`, in pages of 4 KiB.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}
