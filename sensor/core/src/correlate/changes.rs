//! What is to be judged anew: devices whose flows, names, addresses or servers have changed since the last report.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use crate::evidence::FlowId;
use crate::identity::DeviceId;
use crate::net::Mac;
use crate::policy::SegmentId;
use crate::time::Timestamp;

use super::flows::FlowEntry;
use super::{Correlator, Report};

/// First and latest time.
pub(super) type Span = (Timestamp, Timestamp);

/// One device with everything that is kept of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) flows: Vec<FlowId>,
    /// Where its mere presence was told.
    pub(super) places: BTreeMap<SegmentId, Span>,
    pub(super) touched: bool,
}

/// What has changed since the last report.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) flows: HashSet<FlowId>,
    /// Servers about which something was learned.
    pub(super) servers: HashSet<IpAddr>,
    /// Addresses and hardware addresses that were bound, or turned out to be a resolver's.
    pub(super) clients: HashSet<IpAddr>,
    pub(super) macs: HashSet<Mac>,
    pub(super) present: HashSet<DeviceId>,
    /// Rules or policy are others: everything is to be judged anew.
    pub(super) all: bool,
}

impl Touched {
    fn is_empty(&self) -> bool {
        let Touched { flows, servers, clients, macs, present, all } = self;
        !all && flows.is_empty() && servers.is_empty() && clients.is_empty() && macs.is_empty() && present.is_empty()
    }

    fn has(&self, flow: &FlowEntry) -> bool {
        let meta = &flow.meta;
        self.all
            || self.flows.contains(&meta.id)
            || self.servers.contains(&meta.server.addr)
            || self.clients.contains(&meta.client.addr)
            || meta.client_mac.is_some_and(|mac| self.macs.contains(&mac))
    }
}

impl Correlator {
    /// Judges everything that is known now.
    pub fn report(&mut self) -> Report {
        self.touched.all = true;
        self.changes()
    }

    /// Judges the devices about which something has changed since the last call.
    pub fn changes(&mut self) -> Report {
        let mut report = Report::default();
        if self.touched.is_empty() {
            return report;
        }
        self.identify_contacts();
        let groups = self.groups();
        let mut stated = Vec::new();
        for (device, group) in groups.iter().filter(|(_, g)| g.touched) {
            let before = report.findings.len();
            self.judge_group(*device, group, &mut report);
            stated.extend(report.findings.iter().skip(before).map(|f| (f.id.clone(), *device)));
        }
        report.withdrawn = self.withdraw(&groups, stated);
        // Live flows may state such an id again.
        let renamed = std::mem::take(&mut self.renamed);
        report.withdrawn.extend(renamed.into_iter().filter(|id| !report.findings.iter().any(|f| f.id == *id)));
        if self.touched.all {
            self.past.unclaimed(&mut report.findings);
        }
        self.touched = Touched::default();
        report.sort();
        report
    }

    /// Every device with its flows. Which handles are one device is asked anew each time, for that may have become clearer.
    pub(super) fn groups(&self) -> BTreeMap<DeviceId, Group> {
        let mut canonical: HashMap<DeviceId, DeviceId> = HashMap::new();
        let mut resolve = |handle: DeviceId| *canonical.entry(handle).or_insert_with(|| self.identity.canonical(handle));
        let mut groups: BTreeMap<DeviceId, Group> = BTreeMap::new();
        for (id, flow) in &self.flows {
            let Some(device) = flow.device.map(&mut resolve) else { continue };
            let group = groups.entry(device).or_default();
            group.flows.push(*id);
            group.touched |= self.touched.has(flow);
        }
        for ((handle, segment), (first, last)) in &self.presence {
            let group = groups.entry(resolve(*handle)).or_default();
            let span = group.places.entry(*segment).or_insert((*first, *last));
            *span = (span.0.min(*first), span.1.max(*last));
            group.touched |= self.touched.all || self.touched.present.contains(handle);
        }
        groups
    }

    /// Findings that were stated before of devices that were judged now, and are not stated any more: their device has become another
    /// one, or policy names another line.
    fn withdraw(&mut self, groups: &BTreeMap<DeviceId, Group>, stated: Vec<(String, DeviceId)>) -> Vec<String> {
        let now: BTreeSet<&str> = stated.iter().map(|(id, _)| &**id).collect();
        let identity = &self.identity;
        let judged = |handle: &DeviceId| groups.get(&identity.canonical(*handle)).is_some_and(|g| g.touched);
        let old = self.stated.iter().filter(|(id, handle)| !now.contains(&***id) && judged(handle));
        let gone: Vec<String> = old.map(|(id, _)| id.clone()).filter(|id| self.past.get(id).is_none()).collect();
        gone.iter().for_each(|id| {
            self.stated.remove(id);
        });
        self.stated.extend(stated);
        gone
    }
}
