//! Letting go: flows that ended leave their sums behind, so that a year of traffic needs no more room than a day of it.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use crate::evidence::FlowId;
use crate::finding::Finding;
use crate::identity::DeviceId;
use crate::limits::{FLOWS_KEPT_MAX, Limit};
use crate::time::Timestamp;

use super::changes::Group;
use super::{Correlator, Report};

impl Correlator {
    /// Takes back what an earlier run has stated.
    pub fn restore(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if finding.level == crate::policy::Level::Confirmed {
                self.watch_changed |= finding.device.mac.is_some_and(|mac| self.watch.macs.insert(mac));
            }
            self.past.put(finding);
        }
    }

    /// A finding was resolved: new signs must be sure by themselves.
    pub fn close(&mut self, id: &str) {
        self.past.close(id);
        self.stated.remove(id);
    }

    /// Lets go of flows that ended more than `window` ago, of what was learned and does not hold any more, of old presence, and of
    /// resolved findings that cannot make an exposure any more.
    pub fn retire(&mut self, now: Timestamp, window: Duration) {
        let before = now.before(window);
        let flows = self.flows.iter().filter(|(_, f)| f.ended && f.last < before).map(|(id, _)| *id).collect();
        let presence = self.presence.iter().filter(|(_, (_, last))| *last < before).map(|((device, _), _)| *device).collect();
        self.let_go(&flows, &presence);
        self.presence.retain(|_, (_, last)| *last >= before);
        self.past.expire(now.before(self.policy.exposure.max(window)));
        self.learned.expire(before);
        self.forgotten.expire(now);
        if self.learned.len() < self.watch.addrs.len() {
            self.watch.addrs.retain(|addr| self.learned.has(*addr));
            self.watch_changed = true;
        }
    }

    /// The table of flows is full: a quarter goes, those that ended longest ago first.
    pub(super) fn make_room(&mut self) {
        if self.flows.len() < FLOWS_KEPT_MAX {
            return;
        }
        self.limits.add(Limit::FlowsKept);
        let mut order: Vec<_> = self.flows.iter().map(|(id, f)| (!f.ended, f.last, *id)).collect();
        let quarter = order.len() / 4;
        let (old, ..) = order.select_nth_unstable(quarter);
        let old = old.iter().map(|(.., id)| *id).collect();
        self.let_go(&old, &BTreeSet::new());
    }

    /// Drops flows; what they and the old presence of some devices said stays in the past of their findings.
    fn let_go(&mut self, old: &BTreeSet<FlowId>, present: &BTreeSet<DeviceId>) {
        if old.is_empty() && present.is_empty() {
            return;
        }
        self.identify_contacts();
        let gone: HashSet<DeviceId> = present.iter().map(|handle| self.identity.canonical(*handle)).collect();
        let mut over: Vec<Finding> = Vec::new();
        for (device, group) in self.groups() {
            if !gone.contains(&device) && !group.flows.iter().any(|id| old.contains(id)) {
                continue;
            }
            let rest = Group { flows: group.flows.iter().copied().filter(|id| !old.contains(id)).collect(), ..Group::default() };
            let (mut full, mut kept) = (Report::default(), Report::default());
            self.judge_group(device, &group, &mut full);
            self.judge_afresh(device, &rest, &mut kept);
            let rest_of = |id: &str| kept.findings.iter().find(|f| f.id == id);
            over.extend(full.findings.into_iter().map(|f| {
                let rest = rest_of(&f.id);
                f.without(rest)
            }));
        }
        over.into_iter().for_each(|f| self.past.put(f));
        self.flows.retain(|id, _| !old.contains(id));
        self.touched.flows.retain(|id| !old.contains(id));
    }
}
