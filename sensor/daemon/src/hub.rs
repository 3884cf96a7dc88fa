//! The hub: one thread that takes evidence from all rings, keeps the findings, and is the one writer of store and state.
//!
//! Nothing here waits for a reader. The order of a tick: judge what changed, write it to disk, then show it.

mod commands;
mod deeds;
mod memory;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ringfence_core::correlate::{Correlator, Report};
use ringfence_core::ledger::{Event, Ledger, Stage};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;

use crate::audit::Patrol;
use crate::clock::now;
use crate::config;
use crate::deliver::Desk;
use crate::durations::Durations;
use crate::hours::Hours;
use crate::pseudonym::Pseudonyms;
use crate::reload::Loaded;
use crate::ring::{Batch, Orders};
use crate::state::State;
use crate::store::{Audit, Changes, Happened, Store, StoreError, Which};
use crate::waivers::{Entry, Standing};

use deeds::resolve::Resolves;

pub use commands::{Command, Remote};
pub use status::{QUEUE_BATCHES, RingHandle};

/// How often findings are judged and shown.
const TICK: Duration = Duration::from_millis(500);

/// How often everything is judged anew: what was learned late then reaches flows from before.
const FULL_EVERY: Duration = Duration::from_secs(60);

/// A tick never takes more than this share of the hub's time.
const TICK_SHARE: u32 = 5;

/// Everything that the hub is made of.
pub struct Hub {
    correlator: Correlator,
    ledger: Ledger,
    store: Store,
    state: Arc<State>,
    orders: Arc<Orders>,
    rings: Vec<RingHandle>,
    desk: Arc<Desk>,
    loaded: Loaded,
    findings: config::Findings,
    status: status::Keeper,
    /// What commands did to waivers, and how each stood when that was last told.
    waivers: BTreeMap<String, Entry>,
    standings: BTreeMap<String, Standing>,
    hours: Hours,
    privacy: config::Privacy,
    /// What devices and findings are called outside: under the site key, then under former ones that were kept.
    names: Vec<Pseudonyms>,
    resolves: Resolves,
    /// When what is too old was last deleted.
    retained: Option<Instant>,
    pending: BTreeSet<String>,
    changes: Changes,
    store_view: crate::state::Store,
    events: BTreeMap<Event, u64>,
    /// How often findings were opened, by segment, app and verdict.
    opened: BTreeMap<(String, String, Verdict), u64>,
    /// How long findings waited for somebody to take care.
    cared: BTreeMap<Verdict, Durations>,
    /// What the rules know.
    apps: Vec<String>,
    patrol: Patrol,
    /// Batches taken.
    taken: u64,
}

/// What a hub starts with.
pub struct Parts {
    /// The correlator, with its policy; the hub gives it what the store remembers.
    pub correlator: Correlator,
    /// The store, opened.
    pub store: Store,
    /// The view that it writes.
    pub state: Arc<State>,
    /// What rings listen to.
    pub orders: Arc<Orders>,
    /// The rings.
    pub rings: Vec<RingHandle>,
    /// What devices are called outside: under the site key, then under former ones.
    pub names: Vec<Pseudonyms>,
    /// Where outputs are started and ended; they take what the store holds for them.
    pub desk: Arc<Desk>,
    /// The configuration and rules that hold.
    pub loaded: Loaded,
    /// Where the rounds over the audit log are told.
    pub patrol: Patrol,
}

impl Hub {
    /// A hub that goes on where the last run ended.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn new(parts: Parts) -> Result<Hub, StoreError> {
        let Parts { mut correlator, store, state, orders, rings, names, desk, loaded, patrol } = parts;
        let groups = loaded.config.service.privacy.aggregate_only;
        desk.set(loaded.config.service.outputs_with(groups), &loaded.config.site);
        let privacy = loaded.config.service.privacy;
        // What is older and resolved cannot make an exposure any more; it stays in the store, and comes back when it is seen again.
        let since = now().before(loaded.config.policy.exposure.max(loaded.config.service.findings.window));
        let (kept, unreadable) = if privacy.aggregate_only { (Vec::new(), 0) } else { store.read().findings(Which::OpenOrSince(since))? };
        if !privacy.aggregate_only {
            correlator.recall(store.read().facts_since(since)?);
            correlator.gather_sightings();
        }
        correlator.restore(kept.iter().map(|t| t.finding.clone()));
        kept.iter().filter(|t| t.stage != Stage::Open).for_each(|t| correlator.close(&t.finding.id));
        kept.iter().for_each(|t| state.put(t.clone()));
        let ledger = Ledger::restore(kept);
        let (findings, apps) = (loaded.config.service.findings, loaded.apps());
        let status = status::Keeper::new(now(), loaded.config.service.alarms);
        let mut hub = Hub {
            correlator,
            ledger,
            store,
            state,
            orders,
            rings,
            desk,
            loaded,
            findings,
            status,
            waivers: BTreeMap::new(),
            standings: BTreeMap::new(),
            hours: Hours::default(),
            privacy,
            names,
            resolves: Resolves::default(),
            retained: None,
            pending: BTreeSet::new(),
            changes: Changes::default(),
            store_view: crate::state::Store::default(),
            events: BTreeMap::new(),
            opened: BTreeMap::new(),
            cared: BTreeMap::new(),
            apps,
            patrol,
            taken: 0,
        };
        let entries = hub.store.read().waivers()?;
        hub.take_up_waivers(entries);
        let links = hub.store.read().links()?;
        hub.take_up_links(links);
        let found = format!("{} findings remembered, {unreadable} not readable", hub.ledger.iter().count());
        hub.audit("start", format!("version {}, rules {}, {found}", env!("CARGO_PKG_VERSION"), hub.loaded.rules.version));
        hub.settle();
        hub.show_status(false);
        Ok(hub)
    }

    /// Runs until every ring has ended and its evidence is taken. `beat` is called at every turn.
    pub fn run(mut self, evidence: &Receiver<Batch>, commands: &Receiver<Command>, beat: &mut dyn FnMut()) {
        let (mut judged, mut judged_fully, mut cost) = (Instant::now(), Instant::now(), Duration::ZERO);
        let mut shown = Instant::now();
        loop {
            match evidence.recv_timeout(TICK / 5) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            commands.try_iter().for_each(|command| self.obey(command));
            if judged.elapsed() >= TICK.max(cost * TICK_SHARE) {
                let full = judged_fully.elapsed() >= FULL_EVERY.max(cost * TICK_SHARE * 4);
                let began = Instant::now();
                self.tick(now(), full);
                (judged, cost) = (Instant::now(), began.elapsed());
                if full {
                    judged_fully = judged;
                }
            }
            // However long judging takes: what is lost meanwhile is told.
            if shown.elapsed() >= TICK {
                self.show_status(true);
                shown = Instant::now();
            }
            beat();
        }
        self.end();
    }

    fn take(&mut self, batch: Batch) {
        self.taken += 1;
        self.status.waited(batch.sent.elapsed());
        batch.evidence.into_iter().for_each(|e| self.correlator.take(e));
        if let Some(watch) = self.correlator.watch_update() {
            self.orders.watch(watch);
        }
    }

    fn tick(&mut self, at: Timestamp, full: bool) {
        let report = if full { self.correlator.report() } else { self.correlator.changes() };
        self.book(at, report);
        if full {
            self.correlator.retire(at, self.findings.window);
            self.show_waivers(at);
            self.remember();
        }
        self.settle();
        self.retain(at);
        self.store.anchor();
    }

    /// Enters what the correlator states into the ledger.
    fn book(&mut self, at: Timestamp, report: Report) {
        self.fetch_forgotten(&report);
        let mut events = self.ledger.state(at, report.findings, &report.withdrawn);
        events.extend(self.ledger.expire(at, self.findings.quiet));
        events.extend(self.ledger.escalate(at, &self.findings.escalation));
        for (event, id) in events {
            if matches!(event, Event::Resolved | Event::Superseded) {
                self.correlator.close(&id);
            }
            self.enter(at, event, id);
        }
    }

    /// Notes that something happened to a finding, to be written and told.
    fn enter(&mut self, at: Timestamp, event: Event, id: String) {
        *self.events.entry(event).or_default() += 1;
        self.count(event, &id);
        // Every flow updates a finding: only what a person would call news goes into the history.
        if event != Event::Updated {
            let finding = self.ledger.get(&id).map(|t| (t.finding.verdict, t.finding.level));
            let (verdict, level) = finding.unwrap_or((Verdict::Observed, Level::None));
            let noted = self.changes.note(Happened { at, event, finding: id.clone(), verdict, level });
            self.store_view.events_left_out += u64::from(!noted);
        }
        self.pending.insert(id);
    }

    /// Counts what panels ask for: what was opened where, and how long it waited.
    fn count(&mut self, event: Event, id: &str) {
        let Some(tracked) = self.ledger.get(id) else { return };
        let finding = &tracked.finding;
        match (event, &tracked.acknowledged) {
            (Event::Opened | Event::Reopened, _) => {
                *self.opened.entry((finding.segment.clone(), finding.app.clone(), finding.verdict)).or_default() += 1;
            }
            (Event::Acknowledged, Some(care)) => {
                self.cared.entry(finding.verdict).or_default().add(care.at.since(tracked.open_since()));
            }
            _ => {}
        }
    }

    /// Writes what is pending, then shows it. What cannot be written now is tried again at the next tick, and shown all the same.
    fn settle(&mut self) {
        if self.pending.is_empty() && self.changes.is_empty() {
            return;
        }
        let mut findings: Vec<_> = self.pending.iter().filter_map(|id| self.ledger.get(id)).cloned().collect();
        if self.privacy.aggregate_only {
            self.changes.without_devices();
        } else {
            self.changes.findings = std::mem::take(&mut findings);
        }
        let written = self.store.write(&self.changes);
        findings.append(&mut self.changes.findings);
        findings.into_iter().for_each(|tracked| self.state.put(tracked));
        match written {
            Ok(()) => {
                self.changes = Changes::default();
                self.pending.clear();
                self.store_view.written += 1;
                if !std::mem::take(&mut self.store_view.problem).is_empty() {
                    eprintln!("ringfence: the store can be written again");
                }
            }
            Err(error) => {
                if self.store_view.problem.is_empty() {
                    eprintln!("ringfence: {error}; findings are kept in memory until it works again");
                }
                self.store_view.failed += 1;
                self.store_view.problem = format!("{} ({})", error.message, error.help);
            }
        }
        self.store_view.pending = self.pending.len() as u64;
        self.store_view.bytes = self.store.bytes();
    }

    fn audit(&mut self, action: &'static str, detail: String) {
        self.audit_of("sensor", action, detail);
    }

    /// What the audit log calls a finding: its own id could be found by trying every hardware address.
    fn name_of_finding(&self, id: &str) -> String {
        self.names.first().map_or_else(|| "a finding".to_string(), |names| names.finding(id))
    }

    /// The one door into the audit log.
    fn audit_of(&mut self, by: &str, action: &'static str, detail: String) {
        self.changes.audit.push(Audit { at: now(), by: by.to_string(), action, detail });
    }

    fn end(mut self) {
        let at = now();
        let report = self.correlator.report();
        self.book(at, report);
        self.remember();
        let findings = format!("{} findings", self.ledger.iter().count());
        self.audit("stop", if self.privacy.aggregate_only { "only groups are told".to_string() } else { findings });
        self.settle();
        if !self.pending.is_empty() {
            eprintln!("ringfence: {} findings could not be written: {}", self.pending.len(), self.store_view.problem);
        }
        self.show_status(false);
    }
}
