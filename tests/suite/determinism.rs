//! The same traffic gives the same findings: split over workers, cut at any frame, seen by two taps, or told in another order.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ringfence::capture::{FileSource, Options, Source, Step};
use ringfence::config::{Config, apps_of};
use ringfence::rules_store::RulesStore;
use ringfence_core::correlate::Correlator;
use ringfence_core::decode::{Body, DecodeCounts, Frame, decode};
use ringfence_core::evidence::{Evidence, FlowId};
use ringfence_core::finding::Finding;
use ringfence_core::identity::Identity;
use ringfence_core::rules::RuleSet;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Output, Worker};
use ringfence_tests::prng::Prng;
use ringfence_tests::scenarios::{SCENARIOS, Scenario};
use ringfence_tests::{office, root};

use crate::shared;

/// A frame that is kept.
#[derive(Clone)]
struct Owned {
    ts: Timestamp,
    link_type: u16,
    interface: u16,
    bytes: Vec<u8>,
    wire_len: u32,
}

impl Owned {
    fn frame(&self) -> Frame<'_> {
        let Owned { ts, link_type, interface, wire_len, .. } = *self;
        Frame { ts, link_type, interface, bytes: &self.bytes, wire_len, vlan: None }
    }

    /// The worker that a kernel would give it to: by both addresses and ports, whichever way it goes.
    fn worker(&self, workers: usize) -> usize {
        let mut counts = DecodeCounts::default();
        let Some(packet) = decode(&self.frame(), &mut counts) else { return 0 };
        let ends = match packet.body {
            Body::Ip(ip) => packet.endpoints().map_or((ip.src, 0, ip.dst, 0), |(a, b)| (a.addr, a.port, b.addr, b.port)),
            _ => return 0,
        };
        let mut sides = [(ends.0, ends.1), (ends.2, ends.3)];
        sides.sort();
        let mut hasher = DefaultHasher::new();
        sides.hash(&mut hasher);
        (hasher.finish() % workers as u64) as usize
    }
}

fn read(bytes: Vec<u8>) -> Vec<Owned> {
    let mut source = FileSource::from_bytes("memory", bytes, &Options::default()).expect("a capture");
    let mut frames = Vec::new();
    while let Step::Frame(f) = source.next().expect("memory does not fail") {
        frames.push(Owned { ts: f.ts, link_type: f.link_type, interface: f.interface, bytes: f.bytes.to_vec(), wire_len: f.wire_len });
    }
    frames
}

/// A capture, and the configuration that it is judged by.
struct Case {
    name: String,
    frames: Vec<Owned>,
    config: Option<PathBuf>,
}

/// Scenarios in which later traffic says better who somebody was, or that a device did not merely appear: what was said before is taken
/// back.
const SEEN_LATER: [&str; 4] = ["designated_in_office", "docking_station", "radius_accounting", "router_200"];

fn cases() -> Vec<Case> {
    let config = Some(root().join("deploy/config/ringfence.toml"));
    let mut cases = vec![Case { name: "office".into(), frames: read(office::capture()), config }];
    for name in ["synthetic-mmtls", "web-wechat", "negative-oicq"] {
        let Some(captures) = shared::captures() else { break };
        let bytes = std::fs::read(captures.join(format!("wechat/{name}.pcap"))).expect("capture");
        cases.push(Case { name: name.into(), frames: read(bytes), config: None });
    }
    cases
}

/// The scenarios about who is who, each with the configuration of its case folder.
fn scenarios() -> Vec<Case> {
    let case = |scenario: &Scenario| {
        let own = root().join(format!("tests/cases/{}/ringfence.toml", scenario.name));
        let config = Some(if own.is_file() { own } else { root().join("deploy/config/ringfence.toml") });
        Case { name: scenario.name.into(), frames: read(scenario.capture()), config }
    };
    SCENARIOS.iter().map(case).collect()
}

#[derive(Default)]
struct Inbox(Vec<Evidence>);

impl Output for Inbox {
    fn evidence(&mut self, evidence: Evidence) {
        self.0.push(evidence);
    }
}

/// Workers and their correlator, joined by queues that are emptied every so many frames.
struct Sensor {
    workers: Vec<Worker>,
    inboxes: Vec<Inbox>,
    correlator: Correlator,
    /// When the frame came that is being read, and everything that was told so far with that time.
    now: Timestamp,
    told: Vec<(Timestamp, Evidence)>,
}

impl Sensor {
    fn new(case: &Case, workers: usize) -> Self {
        let store = RulesStore::load(None);
        let config = Config::load_optional(case.config.as_deref(), &apps_of(&store)).expect("a configuration");
        let mut set: Arc<RuleSet> = store.expect("rules").set;
        Arc::make_mut(&mut set).add_work_services(&config.policy.work_names);
        let identity = Identity::new(config.register());
        let correlator = Correlator::new(Arc::clone(&set), config.policy, identity, Vec::new());
        let workers: Vec<Worker> = (0..workers).map(|i| Worker::new(i as u16, Arc::clone(&set), 0)).collect();
        let inboxes = workers.iter().map(|_| Inbox::default()).collect();
        let mut sensor = Sensor { workers, inboxes, correlator, now: Timestamp::ZERO, told: Vec::new() };
        sensor.exchange();
        sensor
    }

    /// Empties the queues, and tells every worker what to watch, until nobody has anything new.
    fn exchange(&mut self) {
        loop {
            for inbox in &mut self.inboxes {
                for evidence in inbox.0.drain(..) {
                    self.told.push((self.now, evidence.clone()));
                    self.correlator.take(evidence);
                }
            }
            let Some(watch) = self.correlator.watch_update() else { return };
            for (worker, inbox) in self.workers.iter_mut().zip(&mut self.inboxes) {
                worker.watch(Arc::clone(&watch), inbox);
            }
        }
    }

    fn run(mut self, frames: &[Owned], exchange_every: usize) -> Vec<Finding> {
        self.play(frames, exchange_every);
        self.correlator.report().findings
    }

    fn play(&mut self, frames: &[Owned], exchange_every: usize) {
        let count = self.workers.len();
        for (i, owned) in frames.iter().enumerate() {
            let at = owned.worker(count);
            self.now = owned.ts;
            self.workers[at].frame(&owned.frame(), &mut self.inboxes[at]);
            if (i + 1) % exchange_every == 0 {
                self.exchange();
            }
        }
        self.exchange();
        for (worker, inbox) in self.workers.iter_mut().zip(&mut self.inboxes) {
            worker.finish(inbox);
        }
        self.exchange();
    }
}

fn by_id(findings: Vec<Finding>) -> BTreeMap<String, Finding> {
    let count = findings.len();
    let map: BTreeMap<String, Finding> = findings.into_iter().map(|f| (f.id.clone(), f)).collect();
    assert_eq!(map.len(), count, "ids are unique");
    map
}

/// What is said, without how much was seen of it.
fn essence(f: &Finding) -> String {
    let device = (&f.device.id, f.device.mac, &f.device.addresses, &f.device.name);
    format!(
        "{} {device:?} {} {} {:?} {:?} {:.6} {:?} {:?} flows={} instances={} {:?} {:?} {} up {} down",
        f.id,
        f.segment,
        f.app,
        f.surface,
        f.level,
        f.confidence,
        f.verdict,
        f.others,
        f.flows,
        f.instances,
        f.classes,
        f.first_seen,
        f.bytes_up,
        f.bytes_down
    )
}

fn assert_same(one: &[Finding], other: &[Finding], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}");
    for (a, b) in one.iter().zip(other) {
        assert_eq!(format!("{a:#?}"), format!("{b:#?}"), "{what}");
    }
}

#[test]
fn two_and_four_workers_say_what_one_says() {
    for case in cases().into_iter().chain(scenarios()) {
        let one = Sensor::new(&case, 1).run(&case.frames, 1);
        assert!(!one.is_empty(), "{}", case.name);
        for (workers, exchange_every) in [(2, 1), (4, 1), (4, 50)] {
            let several = Sensor::new(&case, workers).run(&case.frames, exchange_every);
            assert_same(&one, &several, &format!("{} {workers} workers every {exchange_every}", case.name));
        }
    }
}

/// How long a statement may be under way.
const REORDER: Duration = Duration::from_secs(5);

/// The flow that a statement is about. Its statements come from one worker, whose queue keeps their order.
fn flow_of(evidence: &Evidence) -> Option<FlowId> {
    match evidence {
        Evidence::Sign(sign) => Some(sign.flow.id),
        Evidence::Contact { flow, .. } | Evidence::Learned { flow, .. } => Some(flow.id),
        Evidence::Traffic { flow, .. } => Some(*flow),
        _ => None,
    }
}

/// Each statement arrives up to [`REORDER`] late; those of one flow stay in their order.
fn delayed(told: &[(Timestamp, Evidence)], rng: &mut Prng) -> Vec<Evidence> {
    let mut latest: HashMap<FlowId, Timestamp> = HashMap::new();
    let mut order: Vec<(Timestamp, usize)> = Vec::new();
    for (i, (ts, evidence)) in told.iter().enumerate() {
        let mut at = ts.after(Duration::from_micros(rng.below(REORDER.as_micros() as usize) as u64));
        if let Some(flow) = flow_of(evidence) {
            let before = latest.entry(flow).or_insert(at);
            at = at.max(*before);
            *before = at;
        }
        order.push((at, i));
    }
    order.sort_unstable();
    order.into_iter().map(|(_, i)| told[i].1.clone()).collect()
}

/// Over all rings and workers: whatever a worker's queue does to the order, the report is the same.
#[test]
fn late_evidence_changes_nothing() {
    let mut moved = 0;
    for case in cases().into_iter().chain(scenarios()) {
        for workers in [1, 2, 4] {
            let mut sensor = Sensor::new(&case, workers);
            sensor.play(&case.frames, 1);
            let told = std::mem::take(&mut sensor.told);
            let straight = sensor.correlator.report().findings;
            for seed in 0..8 {
                let late = delayed(&told, &mut Prng::new(seed));
                moved += late.iter().zip(&told).filter(|(a, (_, b))| format!("{a:?}") != format!("{b:?}")).count();
                let mut other = Sensor::new(&case, workers).correlator;
                late.into_iter().for_each(|evidence| other.take(evidence));
                assert_same(&straight, &other.report().findings, &format!("{} {workers} workers, seed {seed}", case.name));
            }
        }
    }
    assert!(moved > 10_000, "the order is another one: {moved}");
}

#[test]
fn a_prefix_contradicts_nothing() {
    for case in cases().into_iter().chain(scenarios()).filter(|c| !SEEN_LATER.contains(&&*c.name)) {
        let full = by_id(Sensor::new(&case, 1).run(&case.frames, 1));
        let cuts = 12;
        for cut in 1..cuts {
            let frames = &case.frames[..case.frames.len() * cut / cuts];
            for (id, early) in by_id(Sensor::new(&case, 1).run(frames, 1)) {
                let Some(late) = full.get(&id) else { panic!("{} at {}: gone later: {early:#?}", case.name, frames.len()) };
                let grows = early.level <= late.level
                    && early.flows <= late.flows
                    && early.first_seen >= late.first_seen
                    && early.last_seen <= late.last_seen
                    && early.bytes_up <= late.bytes_up;
                assert!(grows, "{} at {}: {} then {}", case.name, frames.len(), essence(&early), essence(late));
            }
        }
    }
}

#[test]
fn two_taps_say_it_once() {
    for case in cases().into_iter().chain(scenarios()) {
        let one = Sensor::new(&case, 1).run(&case.frames, 1);
        for shift in [Duration::from_micros(70), Duration::from_millis(3)] {
            let again = case.frames.iter().map(|f| Owned { ts: f.ts.after(shift), interface: f.interface + 1, ..f.clone() });
            let mut both: Vec<Owned> = case.frames.iter().cloned().chain(again).collect();
            both.sort_by_key(|f| f.ts);
            let two = Sensor::new(&case, 1).run(&both, 1);
            let said = |findings: &[Finding]| findings.iter().map(essence).collect::<Vec<_>>();
            assert_eq!(said(&one), said(&two), "{} {shift:?}", case.name);
        }
    }
}
