//! The life of findings: opened, updated, resolved after quiet, re-opened. One entry for each finding, however many flows it has.
//!
//! A pure state machine: what the correlator states goes in, what changed comes out. It must not know how a finding came about.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::Finding;
use crate::limits::{FINDINGS_MAX, Limit, LimitCounts};
use crate::policy::Verdict;
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
    /// It has more to say: more evidence, or merely more flows.
    Updated,
    /// It is judged otherwise, or surer.
    Rejudged,
    /// Somebody takes care of it.
    Acknowledged,
    /// Nobody took care of it for too long, or it comes again and again.
    Escalated,
    /// It was quiet for long enough.
    Resolved,
    /// It was resolved, and there are new signs.
    Reopened,
    /// Another finding says it now.
    Superseded,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 8] = [
        Event::Opened,
        Event::Updated,
        Event::Rejudged,
        Event::Acknowledged,
        Event::Escalated,
        Event::Resolved,
        Event::Reopened,
        Event::Superseded,
    ];

    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Event::Opened => "opened",
            Event::Updated => "updated",
            Event::Rejudged => "rejudged",
            Event::Acknowledged => "acknowledged",
            Event::Escalated => "escalated",
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
    /// When it was opened the last time, where that was not the first.
    pub reopened_at: Option<Timestamp>,
    /// Who takes care of it.
    pub acknowledged: Option<Acknowledgement>,
    /// Since when, and why, it is urgent.
    pub escalated: Option<(Timestamp, Urgency)>,
}

impl Tracked {
    /// Since when it is open: it may have been opened again.
    pub fn open_since(&self) -> Timestamp {
        self.opened.max(self.reopened_at.unwrap_or(self.opened))
    }

    /// Whether it is open and somebody has to act on it: `unapproved` and worse, and nobody takes care yet.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Open && self.finding.verdict <= Verdict::Unapproved && self.acknowledged.is_none()
    }
}

/// Somebody takes care of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// When.
    pub at: Timestamp,
    /// Which operator.
    pub by: String,
    /// What they said.
    pub note: String,
}

/// Why a finding is urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Nobody took care of it for too long.
    Unattended,
    /// It was opened again too often.
    Recurring,
}

impl Urgency {
    /// Words in outputs.
    pub const WORDS: [(&'static str, Urgency); 2] = [("unattended", Urgency::Unattended), ("recurring", Urgency::Recurring)];

    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Urgency::Unattended => "unattended",
            Urgency::Recurring => "recurring",
        }
    }
}

/// When a finding becomes urgent. Only those that somebody has to act on do: `unapproved` and worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Open, and nobody took care of it, for so long; zero: never.
    pub unattended: Duration,
    /// Opened again so often; 0: never.
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

    /// Takes back a finding that an earlier run, or an earlier time, left.
    pub fn recall(&mut self, kept: Tracked) {
        self.make_room();
        self.entries.insert(kept.finding.id.clone(), kept);
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
            let fresh = Tracked {
                finding,
                stage: Stage::Open,
                opened: now,
                changed: now,
                reopened: 0,
                reopened_at: None,
                acknowledged: None,
                escalated: None,
            };
            self.entries.insert(id.clone(), fresh);
            return Some((Event::Opened, id));
        };
        if known.finding == finding {
            return None;
        }
        let newer = finding.last_seen > known.finding.last_seen;
        let rejudged = (finding.verdict, finding.level) != (known.finding.verdict, known.finding.level);
        let worse = finding.verdict < known.finding.verdict;
        known.finding = finding;
        known.changed = now;
        if known.stage == Stage::Open {
            if worse {
                // Who took care of it did not know this.
                known.acknowledged = None;
            }
            return Some((if rejudged { Event::Rejudged } else { Event::Updated }, id));
        }
        // Only a new sign opens a finding again; a late detail about an old one does not.
        if !newer && known.stage == Stage::Resolved {
            return Some((Event::Updated, id));
        }
        known.stage = Stage::Open;
        (known.acknowledged, known.escalated, known.reopened_at) = (None, None, Some(now));
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
            (entry.stage, entry.changed, entry.escalated) = (Stage::Resolved, now, None);
            (Event::Resolved, entry.finding.id.clone())
        })
        .collect()
    }

    /// Marks what is open and urgent, once.
    pub fn escalate(&mut self, now: Timestamp, rules: &Escalation) -> Vec<(Event, String)> {
        let urgent = |e: &Tracked| {
            let recurring = rules.reopened > 0 && e.reopened >= rules.reopened;
            let unattended = !rules.unattended.is_zero() && now.since(e.open_since()) >= rules.unattended;
            let why = if recurring { Some(Urgency::Recurring) } else { unattended.then_some(Urgency::Unattended) };
            why.filter(|_| e.is_waiting() && e.escalated.is_none())
        };
        let open = self.entries.values_mut().filter_map(|e| urgent(e).map(|why| (e, why)));
        open.map(|(entry, why)| {
            entry.escalated = Some((now, why));
            (Event::Escalated, entry.finding.id.clone())
        })
        .collect()
    }

    /// Notes that somebody takes care of a finding; it is urgent no more.
    pub fn acknowledge(&mut self, now: Timestamp, id: &str, by: &str, note: &str) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.acknowledged = Some(Acknowledgement { at: now, by: by.to_string(), note: note.to_string() });
            (entry.escalated, entry.changed) = (None, now);
        }
    }

    /// Forgets a finding.
    pub fn remove(&mut self, id: &str) {
        self.entries.remove(id);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::DeviceFacts;
    use crate::policy::Level;

    const HOUR: Duration = Duration::from_secs(3_600);
    const RULES: Escalation = Escalation { unattended: Duration::from_secs(24 * 3_600), reopened: 2 };

    fn at(hours: u32) -> Timestamp {
        Timestamp::from_secs_nanos(1_800_000_000, 0).after(HOUR * hours)
    }

    fn finding(verdict: Verdict, last_seen: Timestamp) -> Finding {
        let device = DeviceFacts { id: "dev-1".into(), key: "mac:02:00:5e:10:00:01".into(), ..DeviceFacts::default() };
        Finding { verdict, level: Level::Confirmed, last_seen, ..Finding::blank("rf-1", device) }
    }

    fn names(events: Vec<(Event, String)>) -> Vec<&'static str> {
        events.into_iter().map(|(event, _)| event.name()).collect()
    }

    #[test]
    fn what_nobody_takes_care_of_becomes_urgent_once() {
        let mut ledger = Ledger::default();
        assert_eq!(names(ledger.state(at(0), vec![finding(Verdict::Unapproved, at(0))], &[])), ["opened"]);
        assert_eq!(names(ledger.escalate(at(23), &RULES)), Vec::<&str>::new());
        assert_eq!(names(ledger.escalate(at(24), &RULES)), ["escalated"]);
        assert_eq!(names(ledger.escalate(at(25), &RULES)), Vec::<&str>::new(), "once");
        ledger.acknowledge(at(26), "rf-1", "jana", "on it");
        assert_eq!(names(ledger.escalate(at(90), &RULES)), Vec::<&str>::new(), "somebody takes care");
        assert_eq!(names(ledger.state(at(91), vec![finding(Verdict::Violation, at(91))], &[])), ["rejudged"]);
        assert_eq!(names(ledger.escalate(at(92), &RULES)), ["escalated"], "it got worse: nobody's care any more");
    }

    #[test]
    fn what_comes_again_and_again_is_urgent_and_what_nobody_must_act_on_never() {
        let mut ledger = Ledger::default();
        ledger.state(at(0), vec![finding(Verdict::Violation, at(0))], &[]);
        for round in 1..=2 {
            assert_eq!(names(ledger.expire(at(round * 100), HOUR)), ["resolved"]);
            assert_eq!(names(ledger.state(at(round * 100 + 1), vec![finding(Verdict::Violation, at(round * 100 + 1))], &[])), ["reopened"]);
        }
        assert_eq!(names(ledger.escalate(at(202), &RULES)), ["escalated"]);
        assert_eq!(ledger.get("rf-1").and_then(|t| t.escalated).map(|(_, why)| why), Some(Urgency::Recurring));
        let mut quiet = Ledger::default();
        quiet.state(at(0), vec![finding(Verdict::Waived, at(0))], &[]);
        assert_eq!(names(quiet.escalate(at(999), &RULES)), Vec::<&str>::new());
        let mut never = Ledger::default();
        never.state(at(0), vec![finding(Verdict::Violation, at(0))], &[]);
        assert_eq!(names(never.escalate(at(999), &Escalation { unattended: Duration::ZERO, reopened: 0 })), Vec::<&str>::new());
    }
}
