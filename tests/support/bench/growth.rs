//! How the cost of a packet grows with the number of flows, names, segments and open findings; and how two workers share.
//!
//! A worker and a correlator in this process, so that nothing else is measured; processor time of the thread, not of the clock.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use ringfence::capture::{FileSource, Options};
use ringfence::rules_store::RulesStore;
use ringfence_core::correlate::Correlator;
use ringfence_core::decode::Frame;
use ringfence_core::evidence::Evidence;
use ringfence_core::identity::Identity;
use ringfence_core::ledger::{Escalation, Ledger, Stage};
use ringfence_core::limits::{FLOW_IDLE, FLOWS_MAX};
use ringfence_core::net::Prefix;
use ringfence_core::policy::{Policy, SegmentClass, Selector};
use ringfence_core::rules::RuleSet;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Output, Worker};

use super::program::{anonymous, thread_time};
use crate::corpus::{self, Corpus};

/// Packets between two judgements, as the hub makes them: half a second at 100,000 packets per second.
const JUDGE_EVERY: u64 = 50_000;

/// A finding without signs for so long is resolved: as the daemon does unless told otherwise.
const QUIET: Duration = Duration::from_secs(24 * 3_600);

/// A corpus in memory.
pub struct Frames(Arc<[u8]>);

impl Frames {
    /// Makes one.
    ///
    /// # Panics
    /// Never: memory takes every byte.
    pub fn new(corpus: Corpus, units: u64) -> Self {
        let mut bytes = Vec::new();
        corpus::write(corpus, units, &mut bytes).expect("memory");
        Frames(bytes.into())
    }

    /// Segments of `flows` streams in turn.
    ///
    /// # Panics
    /// Never: memory takes every byte.
    pub fn of_flows(flows: u64, units: u64) -> Self {
        let mut bytes = Vec::new();
        corpus::write_flows(flows, units, &mut bytes).expect("memory");
        Frames(bytes.into())
    }

    /// Shows every frame, so much later than it was made.
    fn each(&self, later: Duration, mut take: impl FnMut(&Frame<'_>)) -> u64 {
        let mut count = 0;
        let mut source = FileSource::from_bytes("corpus", Arc::clone(&self.0), &Options::default()).expect("our own capture");
        while let Ok(Some(frame)) = source.next_frame() {
            take(&Frame { ts: frame.ts.after(later), ..frame });
            count += 1;
        }
        count
    }
}

#[derive(Default)]
struct Inbox(Vec<Evidence>);

impl Output for Inbox {
    fn evidence(&mut self, evidence: Evidence) {
        self.0.push(evidence);
    }
}

/// A worker with the correlator and the ledger behind it.
struct Sensor {
    worker: Worker,
    correlator: Correlator,
    ledger: Ledger,
    inbox: Inbox,
    frames: u64,
    /// Time of the latest frame.
    now: Timestamp,
    /// How much later than they were made frames come.
    later: Duration,
}

impl Sensor {
    fn new(rules: &Arc<RuleSet>, policy: Policy) -> Self {
        let correlator = Correlator::new(Arc::clone(rules), policy, Identity::new(Vec::new()), Vec::new());
        let mut worker = Worker::new(0, Arc::clone(rules), 0);
        worker.set_grain(correlator.grain());
        let (ledger, inbox, now, later) = (Ledger::default(), Inbox::default(), Timestamp::ZERO, Duration::ZERO);
        Sensor { worker, correlator, ledger, inbox, frames: 0, now, later }
    }

    fn read(&mut self, frames: &Frames) -> u64 {
        frames.each(self.later, |frame| self.frame(frame))
    }

    /// Every flow ends, by silence; what follows comes later.
    fn fall_silent(&mut self) {
        self.later += FLOW_IDLE * 2;
        self.now = self.now.after(FLOW_IDLE * 2);
        self.worker.idle(self.now, &mut self.inbox);
        self.inbox.0.drain(..).for_each(|e| self.correlator.take(e));
        self.judge();
    }

    /// As the hub does.
    fn judge(&mut self) {
        let report = self.correlator.changes();
        self.ledger.state(self.now, report.findings, &report.withdrawn);
        self.ledger.expire(self.now, QUIET);
        self.ledger.escalate(self.now, &Escalation { unattended: QUIET, reopened: 3 });
        if let Some(watch) = self.correlator.watch_update() {
            self.worker.watch(watch, &mut self.inbox);
        }
    }

    fn open(&self) -> u64 {
        self.ledger.iter().filter(|t| t.stage == Stage::Open).count() as u64
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.worker.frame(frame, &mut self.inbox);
        self.inbox.0.drain(..).for_each(|e| self.correlator.take(e));
        (self.frames, self.now) = (self.frames + 1, frame.ts);
        if self.frames.is_multiple_of(JUDGE_EVERY) {
            self.judge();
        }
    }

    /// Nanoseconds for each frame.
    fn cost(&mut self, frames: &Frames) -> f64 {
        let before = thread_time();
        let count = self.read(frames);
        (thread_time() - before).as_nanos() as f64 / count as f64
    }
}

fn shipped() -> Arc<RuleSet> {
    RulesStore::load(None).expect("the shipped rules are fine").set
}

/// ns per packet over so many flows, half of a run to warm up.
///
/// # Panics
/// When the flows did not come.
pub fn flows(counts: &[u64], packets: u64) -> Vec<(f64, f64)> {
    let rules = shipped();
    let one = |flows: &u64| {
        let mut sensor = Sensor::new(&rules, Policy::none());
        let frames = Frames::of_flows(*flows, packets.max(*flows));
        sensor.cost(&frames);
        let nanos = sensor.cost(&frames);
        assert!(sensor.worker.tally().frames >= 2 * packets);
        (*flows as f64, nanos)
    };
    counts.iter().map(one).collect()
}

/// What so many names cost.
#[derive(Clone, Copy, Debug)]
pub struct NamesCost {
    /// Name indicators beside the shipped ones.
    pub count: usize,
    /// ns per packet of handshakes.
    pub nanos: f64,
    /// Bytes for each name by the sizes of what holds them: its text and its share of the tables.
    pub held: f64,
    /// Bytes for each name by the process's anonymous memory (`RssAnon`) before and after; whole pages, so it says nothing of few names.
    pub anonymous: f64,
}

/// ns per packet of handshakes over so many name indicators, and bytes of memory for each of them.
///
/// # Panics
/// When a hello is missing.
pub fn names(counts: &[usize], handshakes: u64) -> Vec<NamesCost> {
    let frames = Frames::new(Corpus::Storm, handshakes);
    let shipped = shipped();
    let one = |count: &usize| {
        let listed: Vec<String> = (0..*count).map(|i| format!("h{i}.zone{}.example.net", i % 997)).collect();
        let mut rules = (*shipped).clone();
        let before = [rules.held() as u64, anonymous(std::process::id())];
        rules.add_work_services(&listed);
        let after = [rules.held() as u64, anonymous(std::process::id())];
        let [held, anonymous] = [0, 1].map(|i| after[i].saturating_sub(before[i]) as f64 / *count as f64);
        drop(listed);
        let mut sensor = Sensor::new(&Arc::new(rules), Policy::none());
        sensor.cost(&frames);
        let nanos = sensor.cost(&frames);
        assert!(sensor.worker.tally().dissected >= handshakes, "a hello is missing");
        NamesCost { count: *count, nanos, held, anonymous }
    };
    counts.iter().map(one).collect()
}

/// ns per packet of handshakes over so many segments.
///
/// # Panics
/// When a finding is missing.
pub fn segments(counts: &[u32], handshakes: u64) -> Vec<(f64, f64)> {
    let frames = Frames::new(Corpus::Storm, handshakes);
    let rules = shipped();
    let one = |count: &u32| {
        let mut policy = Policy::none();
        for i in 0..*count {
            let net = Prefix::new(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + (i << 8))), 24).expect("a prefix");
            policy.segments.add(&format!("segment-{i}"), SegmentClass::Standard, vec![Selector::Prefix(net)]);
        }
        let mut sensor = Sensor::new(&rules, policy);
        sensor.cost(&frames);
        let nanos = sensor.cost(&frames);
        assert!(!sensor.correlator.report().findings.is_empty());
        (f64::from(*count), nanos)
    };
    counts.iter().map(one).collect()
}

/// What open findings cost.
#[derive(Clone, Copy, Debug)]
pub struct FindingsCost {
    /// Findings that are open.
    pub count: u64,
    /// ns per packet of segments in mid-stream.
    pub nanos: f64,
    /// Milliseconds of one judgement after a device with a finding has used the app once more. It is made beside the packet path.
    pub judgement_millis: f64,
}

/// ns per packet of segments in mid-stream while so many findings are open, whose flows have ended; and what a judgement takes.
///
/// # Panics
/// When there are not so many findings.
pub fn findings(counts: &[u64], packets: u64) -> Vec<FindingsCost> {
    let rules = shipped();
    let quiet = Frames::of_flows(20_000, packets);
    let crowd = Frames::of_flows(2 * FLOWS_MAX as u64, 4 * FLOWS_MAX as u64);
    let one = |count: &u64| {
        let mut sensor = Sensor::new(&rules, Policy::none());
        // Each finding has a flow, which lives for a quarter of an hour. Lest this be a curve of flows, every table has once been full,
        // whether by flows of findings or of others, and is empty when it begins.
        sensor.read(&crowd);
        sensor.fall_silent();
        sensor.read(&Frames::new(Corpus::Clients, *count));
        sensor.fall_silent();
        sensor.cost(&quiet);
        let nanos = sensor.cost(&quiet);
        assert!(sensor.open() >= *count, "{} findings are open, where there are {count}", sensor.open());
        sensor.read(&Frames::new(Corpus::Clients, 1));
        let before = thread_time();
        sensor.judge();
        FindingsCost { count: *count, nanos, judgement_millis: (thread_time() - before).as_secs_f64() * 1e3 }
    };
    counts.iter().map(one).collect()
}

/// How much faster two workers are than one, each with half of the flows: processor time, so that who else runs does not count.
///
/// # Panics
/// When a hello is missing.
pub fn two_workers(handshakes: u64) -> f64 {
    let rules = shipped();
    let run = |frames: &Frames| {
        let mut sensor = Sensor::new(&rules, Policy::none());
        sensor.cost(frames);
        let before = thread_time();
        sensor.read(frames);
        thread_time() - before
    };
    let whole = Frames::new(Corpus::Storm, handshakes);
    let alone = run(&whole);
    let half = Frames::new(Corpus::Storm, handshakes / 2);
    let barrier = Barrier::new(2);
    let together: Vec<Duration> = std::thread::scope(|scope| {
        let worker = || {
            barrier.wait();
            run(&half)
        };
        let threads = [scope.spawn(worker), scope.spawn(worker)];
        threads.into_iter().map(|t| t.join().expect("a worker")).collect()
    });
    alone.as_secs_f64() / together.iter().max().map_or(1.0, Duration::as_secs_f64)
}
