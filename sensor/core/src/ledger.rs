//! The life of findings: opened, updated, resolved after quiet, re-opened. One entry for each finding, however many flows it has.
//!
//! A pure state machine: what the correlator states goes in, what changed comes out. It must not know how a finding came about.

mod alarms;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::Finding;
use crate::limits::{FINDINGS_MAX, Limit, LimitCounts};
use crate::policy::Verdict;
use crate::time::Timestamp;

use alarms::Alarms;

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

    /// Why it is urgent now, or when it may be, if nothing changes.
    fn urgency(&self, now: Timestamp, rules: &Escalation) -> Result<Urgency, Option<Timestamp>> {
        if rules.reopened > 0 && self.reopened >= rules.reopened {
            return Ok(Urgency::Recurring);
        }
        if rules.unattended.is_zero() {
            return Err(None);
        }
        let since = self.open_since();
        if now.since(since) >= rules.unattended { Ok(Urgency::Unattended) } else { Err(Some(since.after(rules.unattended))) }
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
    /// When an open finding may have been quiet for long enough, and what that was when the alarms were set.
    quiet: (Alarms, Option<Duration>),
    /// When an open finding may have become urgent.
    urgent: (Alarms, Option<Escalation>),
}

impl Ledger {
    /// A ledger with what an earlier run left.
    pub fn restore(kept: impl IntoIterator<Item = Tracked>) -> Self {
        // The first question sets the alarms.
        let entries = kept.into_iter().map(|t| (t.finding.id.clone(), t)).collect();
        Ledger { entries, ..Ledger::default() }
    }

    /// Takes back a finding that an earlier run, or an earlier time, left.
    pub fn recall(&mut self, kept: Tracked) {
        self.make_room();
        let id = kept.finding.id.clone();
        self.entries.insert(id.clone(), kept);
        self.look_at(&id);
    }

    /// Takes what the correlator states now about some findings; says what happened to which.
    pub fn state(&mut self, now: Timestamp, findings: Vec<Finding>, withdrawn: &[String]) -> Vec<(Event, String)> {
        let mut events: Vec<_> = withdrawn.iter().filter_map(|id| self.supersede(now, id)).collect();
        events.extend(findings.into_iter().filter_map(|f| self.take(now, f)));
        events
    }

    fn take(&mut self, now: Timestamp, finding: Finding) -> Option<(Event, String)> {
        let (seen, before) = (finding.last_seen, self.entries.get(&finding.id).map(|known| known.finding.last_seen));
        let told = self.enter(now, finding)?;
        // A mere update puts the end off: the alarm that is set comes early enough.
        if told.0 != Event::Updated || before.is_some_and(|before| seen < before) {
            self.look_at(&told.1);
        }
        Some(told)
    }

    /// Looks at a finding when it is asked next what is due.
    fn look_at(&mut self, id: &str) {
        self.quiet.0.set(id, Timestamp::ZERO);
        self.urgent.0.set(id, Timestamp::ZERO);
    }

    fn enter(&mut self, now: Timestamp, finding: Finding) -> Option<(Event, String)> {
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
        self.quiet.0.clear(id);
        self.urgent.0.clear(id);
        Some((Event::Superseded, id.to_string()))
    }

    /// Resolves what has been quiet for `quiet`. Its cost grows with what is due, not with what is open.
    pub fn expire(&mut self, now: Timestamp, quiet: Duration) -> Vec<(Event, String)> {
        if self.quiet.1.replace(quiet) != Some(quiet) {
            self.entries.keys().for_each(|id| self.quiet.0.set(id, Timestamp::ZERO));
        }
        let mut events = Vec::new();
        for id in self.quiet.0.due(now) {
            let Some(entry) = self.entries.get_mut(&*id).filter(|e| e.stage == Stage::Open) else { continue };
            if now.since(entry.finding.last_seen) < quiet {
                self.quiet.0.set(&id, entry.finding.last_seen.after(quiet));
                continue;
            }
            (entry.stage, entry.changed, entry.escalated) = (Stage::Resolved, now, None);
            self.urgent.0.clear(&id);
            events.push((Event::Resolved, id.to_string()));
        }
        events
    }

    /// Marks what is open and urgent, once. Its cost grows with what is due, not with what is open.
    pub fn escalate(&mut self, now: Timestamp, rules: &Escalation) -> Vec<(Event, String)> {
        if self.urgent.1.replace(*rules) != Some(*rules) {
            self.entries.keys().for_each(|id| self.urgent.0.set(id, Timestamp::ZERO));
        }
        let mut events = Vec::new();
        for id in self.urgent.0.due(now) {
            let Some(entry) = self.entries.get_mut(&*id).filter(|e| e.is_waiting() && e.escalated.is_none()) else { continue };
            match entry.urgency(now, rules) {
                Ok(why) => {
                    entry.escalated = Some((now, why));
                    events.push((Event::Escalated, id.to_string()));
                }
                Err(Some(later)) => self.urgent.0.set(&id, later),
                Err(None) => {}
            }
        }
        events
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
        self.quiet.0.clear(id);
        self.urgent.0.clear(id);
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
            self.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// What a look at every finding says is due.
    fn naive(ledger: &Ledger, now: Timestamp, quiet: Duration, rules: &Escalation) -> (Vec<String>, Vec<String>) {
        let ids = |is: &dyn Fn(&Tracked) -> bool| ledger.iter().filter(|t| is(t)).map(|t| t.finding.id.clone()).collect::<Vec<_>>();
        let quiet = ids(&|t| t.stage == Stage::Open && now.since(t.finding.last_seen) >= quiet);
        let urgent = ids(&|t| {
            let acts = t.stage == Stage::Open && t.finding.verdict <= Verdict::Unapproved && t.acknowledged.is_none();
            let since = t.opened.max(t.reopened_at.unwrap_or(t.opened));
            let unattended = !rules.unattended.is_zero() && now.since(since) >= rules.unattended;
            acts && t.escalated.is_none() && (unattended || rules.reopened > 0 && t.reopened >= rules.reopened)
        });
        (quiet, urgent)
    }

    fn ids(events: Vec<(Event, String)>) -> Vec<String> {
        events.into_iter().map(|(_, id)| id).collect()
    }

    proptest! {
        #[test]
        fn what_is_due_is_what_a_look_at_everything_finds(
            steps in proptest::collection::vec((0u8..10, 0u8..6, 0u32..40, proptest::bool::ANY), 1..80),
        ) {
            let mut ledger = Ledger::default();
            let mut now = at(0);
            for (what, who, hours, odd) in steps {
                let id = format!("rf-{who}");
                let device = DeviceFacts { id: "dev-1".into(), key: "mac:02:00:5e:10:00:01".into(), ..DeviceFacts::default() };
                let verdict = [Verdict::Violation, Verdict::Unapproved, Verdict::Waived][usize::from(who + what) % 3];
                // Some are stated late, some with a time that lies before what was said.
                let last_seen = if odd { now.before(HOUR * hours) } else { now };
                let stated = Finding { verdict, level: Level::Confirmed, last_seen, ..Finding::blank(&id, device) };
                match what {
                    0..=3 => drop(ledger.state(now, vec![stated], &[])),
                    4 => drop(ledger.state(now, Vec::new(), std::slice::from_ref(&id))),
                    5 => ledger.acknowledge(now, &id, "jana", "on it"),
                    6 => ledger.remove(&id),
                    7 => {
                        let kept: Vec<Tracked> = ledger.iter().cloned().collect();
                        ledger = Ledger::restore(kept);
                    }
                    8 => kept_again(&mut ledger, &id),
                    _ => now = now.after(HOUR * hours),
                }
                let (quiet, rules) = if odd { (HOUR * 20, RULES) } else { (HOUR * 30, Escalation { unattended: HOUR * 9, reopened: 1 }) };
                let (due, _) = naive(&ledger, now, quiet, &rules);
                prop_assert_eq!(ids(ledger.expire(now, quiet)), due);
                let (_, urgent) = naive(&ledger, now, quiet, &rules);
                prop_assert_eq!(ids(ledger.escalate(now, &rules)), urgent);
                let open = ledger.iter().filter(|t| t.stage == Stage::Open).count();
                prop_assert!(ledger.quiet.0.len() == open && ledger.urgent.0.len() <= open, "alarms of what is gone");
            }
        }
    }

    /// A finding that is fetched from the store again.
    fn kept_again(ledger: &mut Ledger, id: &str) {
        if let Some(kept) = ledger.get(id).cloned() {
            ledger.recall(kept);
        }
    }
}
