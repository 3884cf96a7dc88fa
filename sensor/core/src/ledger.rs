//! The life of findings: opened, updated, resolved after quiet, re-opened. One entry for each finding, however many flows it has.
//!
//! A pure state machine: what the correlator states goes in, what changed comes out. It must not know how a finding came about.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::Finding;
use crate::limits::{FINDINGS_MAX, Limit, LimitCounts};
use crate::time::Timestamp;

/// Where a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Signs of it are fresh.
    Open,
    /// It has been quiet for long enough.
    Resolved,
    /// What it said is now said by another finding: its device turned out to be a known one, or policy names another line.
    Superseded,
}

impl Stage {
    /// Words in outputs.
    pub const WORDS: [(&'static str, Stage); 3] = [("open", Stage::Open), ("resolved", Stage::Resolved), ("superseded", Stage::Superseded)];

    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Open => "open",
            Stage::Resolved => "resolved",
            Stage::Superseded => "superseded",
        }
    }
}

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// It is new.
    Opened,
    /// It has more to say: another verdict, level or evidence, or merely more flows.
    Updated,
    /// It was quiet for long enough.
    Resolved,
    /// It was resolved, and there are new signs.
    Reopened,
    /// Another finding says it now.
    Superseded,
}

impl Event {
    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Event::Opened => "opened",
            Event::Updated => "updated",
            Event::Resolved => "resolved",
            Event::Reopened => "reopened",
            Event::Superseded => "superseded",
        }
    }
}

/// A finding with its life.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    /// What it says.
    pub finding: Finding,
    /// Where it stands.
    pub stage: Stage,
    /// When the sensor first stated it.
    pub opened: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// How often it was opened again.
    pub reopened: u32,
}

/// Every finding, by id.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<String, Tracked>,
    limits: LimitCounts,
}

impl Ledger {
    /// A ledger with what an earlier run left.
    pub fn restore(kept: impl IntoIterator<Item = Tracked>) -> Self {
        let entries = kept.into_iter().map(|t| (t.finding.id.clone(), t)).collect();
        Ledger { entries, limits: LimitCounts::default() }
    }

    /// Takes what the correlator states now about some findings; says what happened to which.
    pub fn state(&mut self, now: Timestamp, findings: Vec<Finding>, withdrawn: &[String]) -> Vec<(Event, String)> {
        let mut events: Vec<_> = withdrawn.iter().filter_map(|id| self.supersede(now, id)).collect();
        events.extend(findings.into_iter().filter_map(|f| self.take(now, f)));
        events
    }

    fn take(&mut self, now: Timestamp, finding: Finding) -> Option<(Event, String)> {
        let id = finding.id.clone();
        let Some(known) = self.entries.get_mut(&id) else {
            self.make_room();
            let fresh = Tracked { finding, stage: Stage::Open, opened: now, changed: now, reopened: 0 };
            self.entries.insert(id.clone(), fresh);
            return Some((Event::Opened, id));
        };
        if known.finding == finding {
            return None;
        }
        let newer = finding.last_seen > known.finding.last_seen;
        known.finding = finding;
        known.changed = now;
        if known.stage == Stage::Open {
            return Some((Event::Updated, id));
        }
        // Only a new sign opens a finding again; a late detail about an old one does not.
        if !newer && known.stage == Stage::Resolved {
            return Some((Event::Updated, id));
        }
        known.stage = Stage::Open;
        known.reopened = known.reopened.saturating_add(1);
        Some((Event::Reopened, id))
    }

    fn supersede(&mut self, now: Timestamp, id: &str) -> Option<(Event, String)> {
        let entry = self.entries.get_mut(id).filter(|e| e.stage != Stage::Superseded)?;
        (entry.stage, entry.changed) = (Stage::Superseded, now);
        Some((Event::Superseded, id.to_string()))
    }

    /// Resolves what has been quiet for `quiet`.
    pub fn expire(&mut self, now: Timestamp, quiet: Duration) -> Vec<(Event, String)> {
        let open = self.entries.values_mut().filter(|e| e.stage == Stage::Open && now.since(e.finding.last_seen) >= quiet);
        open.map(|entry| {
            (entry.stage, entry.changed) = (Stage::Resolved, now);
            (Event::Resolved, entry.finding.id.clone())
        })
        .collect()
    }

    /// A finding.
    pub fn get(&self, id: &str) -> Option<&Tracked> {
        self.entries.get(id)
    }

    /// Every finding, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Tracked> {
        self.entries.values()
    }

    /// Bounds that were hit.
    pub fn limits(&self) -> &LimitCounts {
        &self.limits
    }

    /// The table is full: what has ended goes first, then what changed longest ago.
    fn make_room(&mut self) {
        if self.entries.len() < FINDINGS_MAX {
            return;
        }
        self.limits.add(Limit::Findings);
        let oldest = self.entries.values().min_by_key(|e| (e.stage == Stage::Open, e.changed)).map(|e| e.finding.id.clone());
        if let Some(id) = oldest {
            self.entries.remove(&id);
        }
    }
}
