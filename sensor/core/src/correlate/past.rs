//! What flows that are kept no longer have left behind: sums by finding, from earlier in this run or from an earlier run.
//!
//! A finding is what its kept flows say now, and its past added. The level of a finding never falls, so the past is also a floor.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{EvidenceLine, Finding};
use crate::policy::Level;
use crate::rules::Surface;
use crate::time::Timestamp;

use super::account::{FURTHER_VALUES, VALUES_MAX};

/// Findings without the flows that are still kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    findings: BTreeMap<String, Finding>,
    /// Ids by device key.
    of: BTreeMap<String, BTreeSet<String>>,
    /// Findings that were resolved: their sums go on, but new signs must be sure by themselves.
    closed: BTreeSet<String>,
}

impl Past {
    /// Puts in what is over, in place of what was there.
    pub(super) fn put(&mut self, finding: Finding) {
        self.closed.remove(&finding.id);
        self.of.entry(finding.device.key.clone()).or_default().insert(finding.id.clone());
        self.findings.insert(finding.id.clone(), finding);
    }

    /// A finding was resolved.
    pub(super) fn close(&mut self, id: &str) {
        if self.findings.contains_key(id) {
            self.closed.insert(id.to_string());
        }
    }

    /// Drops resolved findings that nobody asks for any more: their last sign was before a time.
    pub(super) fn expire(&mut self, before: Timestamp) {
        let is_old = |id: &&String| self.findings.get(*id).is_none_or(|f| f.last_seen < before);
        let old: Vec<String> = self.closed.iter().filter(is_old).cloned().collect();
        for id in old {
            self.remove(&id);
            self.closed.remove(&id);
        }
    }

    /// Takes out everything that was not resolved.
    pub(super) fn take_open(&mut self) -> Vec<Finding> {
        let ids: Vec<String> = self.findings.keys().filter(|id| !self.closed.contains(*id)).cloned().collect();
        ids.iter().filter_map(|id| self.remove(id)).collect()
    }

    fn remove(&mut self, id: &str) -> Option<Finding> {
        let finding = self.findings.remove(id)?;
        if let Some(ids) = self.of.get_mut(&finding.device.key) {
            ids.remove(id);
            if ids.is_empty() {
                self.of.remove(&finding.device.key);
            }
        }
        Some(finding)
    }

    /// Drops everything about a device.
    pub(super) fn forget(&mut self, key: &str) {
        for id in self.of.remove(key).into_iter().flatten() {
            self.findings.remove(&id);
            self.closed.remove(&id);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Finding> {
        self.findings.get(id)
    }

    fn of_device(&self, keys: &[String]) -> impl Iterator<Item = &Finding> {
        keys.iter().filter_map(|key| self.of.get(key)).flatten().filter_map(|id| self.findings.get(id))
    }

    /// How sure it has been that a device with these keys uses this app.
    pub(super) fn sureness(&self, keys: &[String], app: &str, surface: Option<Surface>) -> (Level, f64) {
        let same = self.of_device(keys).filter(|f| f.app == app && f.surface == surface && !self.closed.contains(&f.id));
        same.fold((Level::None, 0.0), |(level, confidence), f| (level.max(f.level), confidence.max(f.confidence)))
    }

    /// Apps that this device has used for sure, with the segment and the span.
    pub(super) fn confirmed(&self, keys: &[String]) -> impl Iterator<Item = (&str, &str, (Timestamp, Timestamp))> {
        let sure = self.of_device(keys).filter(|f| f.level == Level::Confirmed && f.surface.is_some());
        sure.map(|f| (&*f.app, &*f.segment, (f.first_seen, f.last_seen)))
    }

    /// Adds what only the past knows to a report of everything.
    pub(super) fn unclaimed(&self, findings: &mut Vec<Finding>) {
        let stated: BTreeSet<String> = findings.iter().map(|f| f.id.clone()).collect();
        findings.extend(self.findings.values().filter(|f| !stated.contains(&f.id)).cloned());
    }
}

impl Finding {
    /// Adds what earlier flows said.
    pub(super) fn add_past(&mut self, past: &Finding) {
        self.first_seen = self.first_seen.min(past.first_seen);
        self.last_seen = self.last_seen.max(past.last_seen);
        self.flows = self.flows.saturating_add(past.flows);
        self.bytes_up = self.bytes_up.saturating_add(past.bytes_up);
        self.bytes_down = self.bytes_down.saturating_add(past.bytes_down);
        self.instances = self.instances.max(past.instances);
        past.evidence.iter().for_each(|line| self.add_line(line.clone()));
        sort_lines(&mut self.evidence);
        self.presence.merge(&past.presence);
        self.basis.work_service = self.basis.work_service.max(past.basis.work_service);
        if self.basis.place.is_none() {
            self.basis.place.clone_from(&past.basis.place);
        }
        union(&mut self.classes, &past.classes);
        union(&mut self.regions, &past.regions);
        union(&mut self.fingerprints, &past.fingerprints);
    }

    /// Different values of one indicator are kept up to a bound: this device may do it all year.
    fn add_line(&mut self, mut line: EvidenceLine) {
        let alike = |l: &&EvidenceLine| l.indicator == line.indicator && l.field == line.field && l.kind == line.kind;
        let known = self.evidence.iter().any(|l| same_line(l, &line));
        if !known && self.evidence.iter().filter(alike).count() >= VALUES_MAX {
            line.value = FURTHER_VALUES.into();
        }
        match self.evidence.iter_mut().find(|l| same_line(l, &line)) {
            Some(known) => known.count = known.count.saturating_add(line.count),
            None => self.evidence.push(line),
        }
    }

    /// What is over when of everything only `rest` is still kept.
    pub(super) fn without(mut self, rest: Option<&Finding>) -> Finding {
        let Some(rest) = rest else { return self };
        self.flows = self.flows.saturating_sub(rest.flows);
        self.bytes_up = self.bytes_up.saturating_sub(rest.bytes_up);
        self.bytes_down = self.bytes_down.saturating_sub(rest.bytes_down);
        for line in &mut self.evidence {
            let kept = rest.evidence.iter().find(|l| same_line(l, line)).map_or(0, |l| l.count);
            line.count = line.count.saturating_sub(kept);
        }
        self.evidence.retain(|line| line.count > 0);
        self
    }
}

fn same_line(a: &EvidenceLine, b: &EvidenceLine) -> bool {
    (&a.indicator, a.field, a.kind, &a.value) == (&b.indicator, b.field, b.kind, &b.value)
}

/// Heaviest first; the rest of the order only has to be the same each time.
pub(super) fn sort_lines(lines: &mut [EvidenceLine]) {
    lines.sort_by(|a, b| {
        b.weight
            .total_cmp(&a.weight)
            .then_with(|| (&a.indicator, a.field, &a.value, a.kind).cmp(&(&b.indicator, b.field, &b.value, b.kind)))
    });
}

fn union<T: Clone + Ord>(mine: &mut Vec<T>, theirs: &[T]) {
    mine.extend_from_slice(theirs);
    mine.sort();
    mine.dedup();
}
