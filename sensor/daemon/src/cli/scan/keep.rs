//! `ringfence scan --store`: what a capture shows goes into the same store that a running sensor fills.

use std::path::Path;
use std::time::Duration;

use ringfence_core::correlate::Correlator;
use ringfence_core::ledger::Ledger;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Tally, Worker};

use crate::cli::{Exit, Failure, past};
use crate::clock::now;
use crate::hours::Hours;
use crate::keys::{self, KeyError};
use crate::lock::StateLock;
use crate::output::{self, ScanResult};
use crate::state::{Ring, Segment, Status};
use crate::store::{Audit, Changes, Happened, Piece, Store, Which};

const HOUR_SECS: u64 = 3_600;

/// A store that a scan fills.
pub(super) struct Keeping {
    store: Store,
    _lock: StateLock,
    hours: Hours,
    hour: u64,
    watched_nanos: u64,
    pieces: Vec<Piece>,
}

impl Keeping {
    /// Opens the store in a directory; the correlator goes on where the store ends.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be written, or a sensor works on it.
    pub(super) fn open(dir: &Path, correlator: &mut Correlator) -> Result<Keeping, Failure> {
        let name = dir.display().to_string();
        std::fs::create_dir_all(dir).map_err(|e| Failure::input(&name, &e))?;
        let lock = StateLock::take(dir).map_err(|e| Failure::input(&name, &e))?;
        let help = "stop it first, or give another directory".to_string();
        let lock = lock.ok_or_else(|| Failure::new(Exit::Unavailable, format!("{name}: a sensor works on it"), help))?;
        // Pseudonyms are the same for whoever looks back.
        keys::open(dir, keys::SITE).map_err(|e| Failure::new(Exit::Permission, e.to_string(), KeyError::HELP.to_string()))?;
        let store = Store::open(dir).map_err(past::failure)?;
        let (kept, _) = store.read().findings(Which::Since(Timestamp::ZERO)).map_err(past::failure)?;
        correlator.recall(store.read().facts_since(Timestamp::ZERO).map_err(past::failure)?);
        correlator.restore(kept.into_iter().map(|t| t.finding));
        correlator.gather_sightings();
        Ok(Keeping { store, _lock: lock, hours: Hours::default(), hour: 0, watched_nanos: 0, pieces: Vec::new() })
    }

    /// Called after each step: ends the piece of an hour when the capture enters another one.
    pub(super) fn step(&mut self, worker: &Worker, correlator: &mut Correlator) {
        let Some((_, last)) = worker.tally().span() else { return };
        let hour = last.secs() / HOUR_SECS;
        if hour == self.hour {
            return;
        }
        if self.hour > 0 {
            // The frame that begins the next hour is counted in the old one.
            self.piece(Timestamp::from_secs_nanos(self.hour * HOUR_SECS + HOUR_SECS - 1, 0), worker.tally(), correlator);
        }
        self.hour = hour;
    }

    fn piece(&mut self, at: Timestamp, tally: &Tally, correlator: &mut Correlator) {
        let ring = Ring { interface: "capture file".into(), frames: tally.frames, bytes: tally.bytes, ..Ring::default() };
        let covered = output::segments([&tally.places], correlator);
        let segments = covered.iter().map(|s| Segment {
            name: s.name.to_string(),
            class: s.class,
            flows: s.tally.flows,
            frames: s.tally.frames,
            bytes: s.tally.bytes,
            truncated: s.tally.truncated,
            blind: ringfence_core::coverage::Blind::ALL
                .iter()
                .map(|kind| (kind.name(), s.tally.blind(*kind)))
                .filter(|(_, n)| *n > 0)
                .collect(),
            limits: s.tally.limits.hit().map(|(limit, n)| (limit.name(), n)).collect(),
            ..Segment::default()
        });
        let status = Status { at, started: at, rings: vec![ring], segments: segments.collect(), ..Status::default() };
        let mut piece = self.hours.piece(&status);
        // Gaps of the capture are not watched.
        let watched = Duration::from_nanos(tally.watched_nanos.saturating_sub(self.watched_nanos)).as_secs_f64();
        self.watched_nanos = tally.watched_nanos;
        piece.watched.iter_mut().for_each(|w| w.seconds = watched);
        self.pieces.push(piece);
    }

    /// Writes what was found.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be written.
    pub(super) fn finish(mut self, result: &ScanResult, correlator: &mut Correlator) -> Result<(), Failure> {
        let last = result.tally.span().map_or(Timestamp::ZERO, |(_, last)| last);
        self.piece(last, &result.tally, correlator);
        let (kept, _) = self.store.read().findings(Which::Since(Timestamp::ZERO)).map_err(past::failure)?;
        let mut ledger = Ledger::restore(kept);
        let events = ledger.state(last, result.findings.clone(), &[]);
        let matters = |key: &str| result.findings.iter().any(|f| f.device.key == key);
        let happened = events.iter().filter_map(|(event, id)| {
            let finding = &ledger.get(id)?.finding;
            Some(Happened { at: last, event: *event, finding: id.clone(), verdict: finding.verdict, level: finding.level })
        });
        let detail = format!("{} captures, {} findings, rules {}", result.inputs.len(), result.findings.len(), result.rules);
        let changes = Changes {
            findings: events.iter().filter_map(|(_, id)| ledger.get(id).cloned()).collect(),
            events: happened.collect(),
            seen: correlator.seen().into_iter().filter(|s| s.designated || matters(&s.device.key)).collect(),
            coverage: std::mem::take(&mut self.pieces),
            audit: vec![Audit { at: now(), by: "scan".into(), action: "scan", detail }],
            ..Changes::default()
        };
        self.store.write(&changes).map_err(past::failure)?;
        self.store.anchor_now();
        Ok(())
    }
}

/// A correlator and a store that is filled by the way, or none.
pub(super) fn stepping(keeping: &mut Option<Keeping>) -> impl FnMut(&Worker, &mut Correlator) + '_ {
    move |worker, correlator| {
        if let Some(keeping) = keeping {
            keeping.step(worker, correlator);
        }
    }
}
