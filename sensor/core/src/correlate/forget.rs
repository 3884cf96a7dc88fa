//! Forgetting devices on request: their flows, their presence, and what their earlier flows said.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::evidence::{Evidence, FlowId};
use crate::identity::DeviceId;
use crate::net::Mac;
use crate::time::Timestamp;

use super::Correlator;

/// How long late statements about the time before are looked out for: workers tell of a flow when it ends.
const LATE: Duration = Duration::from_secs(86_400);

/// Whose past is not told any more, and up to when.
#[derive(Clone, Debug, Default)]
pub(super) struct Forgotten {
    macs: HashMap<Mac, Timestamp>,
    addrs: HashMap<IpAddr, Timestamp>,
}

impl Forgotten {
    /// Whether a statement is about the time before a device was forgotten.
    pub(super) fn has(&self, evidence: &Evidence) -> bool {
        if self.macs.is_empty() && self.addrs.is_empty() {
            return false;
        }
        let (at, mac, addr) = match evidence {
            Evidence::Sign(sign) => (sign.ts, sign.flow.client_mac, Some(sign.flow.client.addr)),
            Evidence::Contact { flow, last } => (*last, flow.client_mac, Some(flow.client.addr)),
            Evidence::Bound(bound) => (bound.ts, bound.mac, bound.addr),
            Evidence::Presence { ts, mac, addr, .. } => (*ts, Some(*mac), Some(*addr)),
            Evidence::Learned { .. } | Evidence::Traffic { .. } | Evidence::Suffix(_) => return false,
        };
        let until = mac.and_then(|m| self.macs.get(&m)).or_else(|| addr.and_then(|a| self.addrs.get(&a)));
        until.is_some_and(|until| at < *until)
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        let late = |until: &Timestamp| now.since(*until) < LATE;
        self.macs.retain(|_, until| late(until));
        self.addrs.retain(|_, until| late(until));
    }
}

impl Correlator {
    /// Forgets devices by their keys (`mac:...`, `reg:...`, `addr:...`), with everything up to a time. What they send later is seen again;
    /// what was heard about their addresses stays until it expires.
    pub fn forget(&mut self, keys: &BTreeSet<String>, at: Timestamp) {
        self.identify_contacts();
        let groups = self.groups();
        let is = |device: &DeviceId| keys.contains(&self.identity.view(*device).key);
        let gone: HashSet<DeviceId> = groups.keys().filter(|d| is(d)).copied().collect();
        let flows: BTreeSet<FlowId> = groups.iter().filter(|(d, _)| gone.contains(d)).flat_map(|(_, g)| g.flows.iter().copied()).collect();
        let of = |id: &FlowId| self.flows.get(id).map(|f| (f.meta.client.addr, f.meta.client_mac));
        let clients: HashSet<_> = flows.iter().filter_map(of).collect();
        for view in gone.iter().map(|device| self.identity.view(*device)) {
            self.forgotten.macs.extend(view.mac.map(|mac| (mac, at)));
            self.forgotten.addrs.extend(view.addresses.into_iter().map(|addr| (addr, at)));
        }
        let identity = &self.identity;
        self.presence.retain(|(handle, _), _| !gone.contains(&identity.canonical(*handle)));
        self.stated.retain(|_, handle| !gone.contains(&identity.canonical(*handle)));
        self.sightings.forget(|handle| keys.contains(&identity.view(identity.canonical(handle)).key));
        // Mere contacts, of which nobody has asked whose they are, too.
        let open = |f: &super::FlowEntry| f.device.is_none() && clients.contains(&(f.meta.client.addr, f.meta.client_mac));
        self.flows.retain(|id, f| !flows.contains(id) && !open(f));
        let kept = &self.flows;
        self.touched.flows.retain(|id| kept.contains_key(id));
        keys.iter().for_each(|key| self.past.forget(key));
    }
}
