//! Other rules, another policy, another register, while flows and findings go on.

use std::collections::HashSet;
use std::sync::Arc;

use crate::identity::RegisterEntry;
use crate::net::Mac;
use crate::policy::{Policy, Waiver};
use crate::rules::RuleSet;

use super::Correlator;
use super::rejudge::{gone, merged, rejudge};

impl Correlator {
    /// Takes other rules. They must have been built over the present ones: indicators keep their numbers.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.rules = rules;
        self.touched.all = true;
    }

    /// Takes another policy and register: everything that is kept is judged by them from now on.
    pub fn set_policy(&mut self, policy: Policy, register: Vec<RegisterEntry>) {
        let old = std::mem::replace(&mut self.policy, policy);
        self.segment_keys.clear();
        self.identity.set_register(register);
        self.watch.macs.extend(self.policy.designated_macs().into_iter().collect::<HashSet<Mac>>());
        for suffix in self.policy.local_suffixes.clone() {
            if !self.watch.suffixes.contains(&suffix) {
                self.watch.suffixes.push(suffix);
            }
        }
        self.watch_changed = true;
        let ids: Vec<_> = self.flows.iter().map(|(id, flow)| (*id, flow.meta)).collect();
        for (id, meta) in ids {
            let segment = self.segment(meta.interface, &meta.path, meta.client.addr);
            if let Some(flow) = self.flows.get_mut(&id) {
                flow.segment = segment;
            }
        }
        let presence = std::mem::take(&mut self.presence);
        self.presence = presence
            .into_iter()
            .filter_map(|((device, segment), span)| Some(((device, self.policy.segments.by_name(&old.segment(segment).name)?), span)))
            .collect();
        self.rejudge_past();
        self.touched.all = true;
    }

    /// What open findings owe to flows that are gone is judged anew; findings that were resolved stay as they were.
    fn rejudge_past(&mut self) {
        let judged = rejudge(&mut self.policy, self.past.take_open());
        self.renamed.extend(gone(&judged));
        merged(judged).into_iter().for_each(|finding| self.past.put(finding));
    }

    /// Takes other waivers.
    pub fn set_waivers(&mut self, waivers: Vec<Waiver>) {
        self.policy.waivers = waivers;
        self.rejudge_past();
        self.touched.all = true;
    }

    /// Every segment that is configured or was derived: name, class, configured.
    pub fn segments(&self) -> impl Iterator<Item = &crate::policy::Segment> {
        self.policy.segments.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::identity::Identity;
    use crate::net::Path;
    use crate::policy::{SegmentClass, Selector};

    #[test]
    fn broadcast_domains_go_by_name_under_any_policy() {
        let policy = |names: [&str; 2]| {
            let mut policy = Policy::none().configured();
            for (name, prefix) in names.into_iter().zip(["10.0.1.0/24", "10.0.2.0/24"]) {
                policy.segments.add(name, SegmentClass::Standard, vec![Selector::Prefix(prefix.parse().expect("a prefix"))]);
            }
            policy
        };
        let rules = Arc::new(RuleSet::build(&[], &[], &mut Diagnostics::default()));
        let mut correlator = Correlator::new(rules, policy(["lab", "guest"]), Identity::new(Vec::new()), Vec::new());
        let key_at = |correlator: &mut Correlator, addr: &str| {
            let segment = correlator.segment(0, &Path::default(), addr.parse().expect("an address"));
            correlator.key_of(segment)
        };
        let (lab, guest) = (key_at(&mut correlator, "10.0.1.7"), key_at(&mut correlator, "10.0.2.7"));
        assert_ne!(lab, guest);
        correlator.set_policy(policy(["guest", "lab"]), Vec::new());
        assert_eq!((key_at(&mut correlator, "10.0.1.7"), key_at(&mut correlator, "10.0.2.7")), (guest, lab));
    }
}
