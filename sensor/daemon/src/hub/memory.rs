//! What the store knows better than memory: findings that were forgotten and are seen again, devices and where they were.

use std::collections::HashSet;

use ringfence_core::correlate::Report;

use super::Hub;
use crate::store::Which;

/// Devices that wait to be written while the disk is full.
const SEEN_WAITING_MAX: usize = 65_536;

impl Hub {
    /// Brings back findings that were resolved so long ago that memory let go of them.
    pub(super) fn fetch_forgotten(&mut self, report: &Report) {
        if self.privacy.aggregate_only {
            return;
        }
        let unknown: Vec<&str> = report.findings.iter().map(|f| &*f.id).filter(|id| self.ledger.get(id).is_none()).collect();
        for id in unknown {
            // What cannot be read now counts as new: it is told, which is what matters.
            let kept = self.store.read().findings(Which::One(id)).map(|(kept, _)| kept).unwrap_or_default();
            for tracked in kept {
                self.correlator.restore([tracked.finding.clone()]);
                self.correlator.close(&tracked.finding.id);
                self.ledger.recall(tracked);
            }
        }
    }

    /// Hands on to the store where devices that matter were, and what was watched.
    pub(super) fn remember(&mut self) {
        let with_finding: HashSet<&str> = self.ledger.iter().map(|t| &*t.finding.device.key).collect();
        let seen = self.correlator.seen();
        let matters = seen.into_iter().filter(|s| s.designated || with_finding.contains(&*s.device.key));
        self.changes.seen.extend(matters);
        if self.changes.seen.len() > SEEN_WAITING_MAX {
            // The disk has been full for long: the latest are kept.
            self.changes.seen.drain(..self.changes.seen.len() - SEEN_WAITING_MAX);
        }
        let piece = self.hours.piece(&self.state.status());
        self.changes.coverage.push(piece);
    }
}
