//! A ring thread: a live source, a worker, and the way to the hub. What the hub orders (watch list, rules, stop) arrives between two
//! frames; what it wants to know (counts, delay) is published a few times a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringfence_core::evidence::Evidence;
use ringfence_core::rules::RuleSet;
use ringfence_core::worker::{Grain, Output, Places, Shedding, Tally, Watch, Worker};

use super::{Phase, drive};
use crate::capture::{CaptureError, Source};
use crate::clock::{self, now};

/// Frames between two looks at the clock.
const LOOK_EVERY: u32 = 64;

/// How often counts are published, and overload is looked at.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How often the counts by place are published: there are many of them.
const PLACES_EVERY: Duration = Duration::from_secs(5);

/// Evidence waits so long for company at most.
const FLUSH_AFTER: Duration = Duration::from_millis(50);

/// Statements in one batch.
const BATCH: usize = 256;

/// Statements that a ring keeps while the hub does not keep up: a few megabytes.
const BACKLOG_MAX: usize = 65_536;

/// A frame that waited longer than this before its turn means overload.
const DELAY_HIGH: Duration = Duration::from_secs(1);

/// Below this the overload is over.
const DELAY_LOW: Duration = Duration::from_millis(100);

/// What the hub tells all rings.
#[derive(Debug)]
pub struct Orders {
    /// Rings end.
    pub stop: Arc<AtomicBool>,
    version: AtomicU64,
    current: Mutex<Order>,
}

#[derive(Clone, Debug)]
struct Order {
    watch: Arc<Watch>,
    rules: Arc<RuleSet>,
    grain: Grain,
}

impl Orders {
    /// Orders with rules, the grain of places, and nothing to watch yet.
    pub fn new(rules: Arc<RuleSet>, grain: Grain) -> Self {
        let current = Mutex::new(Order { watch: Arc::default(), rules, grain });
        Orders { stop: Arc::default(), version: AtomicU64::new(1), current }
    }

    /// Another watch list.
    pub fn watch(&self, watch: Arc<Watch>) {
        lock(&self.current).watch = watch;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Other rules, built over the present ones, and the grain that goes with the segments.
    pub fn rules(&self, rules: Arc<RuleSet>, grain: Grain) {
        let mut current = lock(&self.current);
        (current.rules, current.grain) = (rules, grain);
        drop(current);
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// What a ring says of itself.
#[derive(Clone, Debug, Default)]
pub struct RingView {
    /// Its counts, without those by place.
    pub tally: Tally,
    /// Its counts by place, a few seconds old.
    pub places: Arc<Places>,
    /// How long the latest frames waited for their turn, the worst since the last publication.
    pub delay: Duration,
    /// What it gives up now.
    pub shedding: Shedding,
    /// Batches sent to the hub.
    pub batches: u64,
    /// Statements dropped because the hub did not keep up.
    pub evidence_lost: u64,
    /// Processor time of its thread.
    pub cpu: Duration,
    /// When it last took a step, frame or no frame.
    pub beat: Option<Instant>,
    /// It has ended.
    pub ended: bool,
}

/// The place where a ring publishes.
#[derive(Debug, Default)]
pub struct Published(Mutex<RingView>);

impl Published {
    /// What was published last.
    pub fn view(&self) -> RingView {
        lock(&self.0).clone()
    }

    /// As if the ring had taken its last step then.
    #[cfg(test)]
    pub fn step(&self, at: Instant) {
        lock(&self.0).beat = Some(at);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Statements of one ring.
#[derive(Debug)]
pub struct Batch {
    /// When it was sent.
    pub sent: Instant,
    /// The statements, in order.
    pub evidence: Vec<Evidence>,
}

/// Drives a live source until it is stopped. Evidence that the hub has not taken by then is handed over before it returns.
pub fn live(
    source: &mut dyn Source,
    mut worker: Worker,
    orders: &Orders,
    published: &Published,
    hub: &SyncSender<Batch>,
) -> Vec<CaptureError> {
    let mut outbox = Outbox { hub, waiting: Vec::new(), since: None, batches: 0, lost: 0, relieved: false };
    let mut pulse = Pulse {
        orders,
        published,
        seen: 0,
        frames: 0,
        looked: Instant::now(),
        places: (Instant::now(), Arc::default()),
        worst: Duration::ZERO,
        shedding: Shedding::default(),
    };
    let errors = drive(source, &mut worker, &mut outbox, |worker, outbox, phase| pulse.between(worker, outbox, phase));
    outbox.hand_over();
    pulse.publish(&worker, &outbox, true);
    errors
}

/// What happens between two frames.
struct Pulse<'r> {
    orders: &'r Orders,
    published: &'r Published,
    seen: u64,
    frames: u32,
    looked: Instant,
    places: (Instant, Arc<Places>),
    worst: Duration,
    shedding: Shedding,
}

impl Pulse<'_> {
    fn between(&mut self, worker: &mut Worker, outbox: &mut Outbox<'_>, phase: Phase) {
        self.frames += 1;
        let idle = phase != Phase::Frame;
        if !idle && self.frames < LOOK_EVERY && outbox.waiting.len() < BATCH {
            return;
        }
        self.frames = 0;
        let now = Instant::now();
        if self.orders.version.load(Ordering::Acquire) != self.seen {
            self.obey(worker, outbox);
        }
        outbox.flush(now);
        if !idle {
            self.worst = self.worst.max(delay_of(worker));
        }
        if now.duration_since(self.looked) >= PUBLISH_EVERY {
            self.looked = now;
            self.shed(worker);
            self.publish(worker, outbox, false);
            self.worst = Duration::ZERO;
        }
    }

    fn obey(&mut self, worker: &mut Worker, outbox: &mut Outbox<'_>) {
        self.seen = self.orders.version.load(Ordering::Acquire);
        let order = lock(&self.orders.current).clone();
        worker.set_rules(order.rules);
        worker.set_grain(order.grain);
        worker.watch(order.watch, outbox);
    }

    fn shed(&mut self, worker: &mut Worker) {
        self.shedding = match self.worst {
            late if late > DELAY_HIGH => self.shedding.more(),
            early if early < DELAY_LOW => self.shedding.less(),
            _ => self.shedding,
        };
        worker.set_shedding(self.shedding);
    }

    fn publish(&mut self, worker: &Worker, outbox: &Outbox<'_>, ended: bool) {
        if ended || self.places.0.elapsed() >= PLACES_EVERY {
            self.places = (Instant::now(), Arc::new(worker.tally().places.clone()));
        }
        let (tally, places) = (worker.tally().totals(), Arc::clone(&self.places.1));
        let (delay, shedding, batches, evidence_lost) = (self.worst, self.shedding, outbox.batches, outbox.lost);
        let (cpu, beat) = (clock::thread_cpu(), Some(Instant::now()));
        *lock(&self.published.0) = RingView { tally, places, delay, shedding, batches, evidence_lost, cpu, beat, ended };
    }
}

/// How long the latest frame waited. A stamp from the future (another clock, a step) is no delay.
fn delay_of(worker: &Worker) -> Duration {
    worker.tally().span().map_or(Duration::ZERO, |(_, last)| now().since(last))
}

/// Evidence on its way to the hub. The hub may be slow; capture is not held up by it.
struct Outbox<'r> {
    hub: &'r SyncSender<Batch>,
    waiting: Vec<Evidence>,
    since: Option<Instant>,
    batches: u64,
    lost: u64,
    /// There is nothing more to make room of until the hub takes something: looking for it costs.
    relieved: bool,
}

impl Output for Outbox<'_> {
    fn evidence(&mut self, evidence: Evidence) {
        if self.waiting.len() >= BACKLOG_MAX && (self.relieved || !self.relieve()) {
            self.lost += 1;
            return;
        }
        self.waiting.push(evidence);
    }
}

impl Outbox<'_> {
    fn flush(&mut self, now: Instant) {
        let Some(first) = self.waiting.first().map(|_| *self.since.get_or_insert(now)) else { return };
        if self.waiting.len() < BATCH && now.duration_since(first) < FLUSH_AFTER {
            return;
        }
        let batch = Batch { sent: first, evidence: std::mem::take(&mut self.waiting) };
        match self.hub.try_send(batch) {
            Ok(()) => {
                (self.since, self.relieved) = (None, false);
                self.batches += 1;
            }
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => self.waiting = batch.evidence,
        }
    }

    /// Makes room: what only adds to known flows goes before signs, answers and bindings.
    fn relieve(&mut self) -> bool {
        let before = self.waiting.len();
        self.waiting
            .retain(|e| !matches!(e, Evidence::Contact { .. } | Evidence::Presence { .. } | Evidence::Traffic { ended: false, .. }));
        let gone = before - self.waiting.len();
        self.lost += gone as u64;
        self.relieved = true;
        gone > 0
    }

    /// The end: the hub still listens, and takes what is left.
    fn hand_over(&mut self) {
        if !self.waiting.is_empty() {
            let batch = Batch { sent: Instant::now(), evidence: std::mem::take(&mut self.waiting) };
            let _ = self.hub.send(batch);
        }
    }
}
