//! What is to be judged anew: devices whose flows, names, addresses or servers have changed since the last report.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use crate::evidence::FlowId;
use crate::fold::Folded;
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
}

/// Handles that were asked for, and which are the same device as far as is known now. An answer costs a dozen look-ups.
type Known = HashMap<DeviceId, DeviceId, Folded>;

/// What has changed since the last report.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) flows: HashSet<FlowId, Folded>,
    /// Servers about which something was learned.
    pub(super) servers: HashSet<IpAddr, Folded>,
    /// Addresses and hardware addresses that were bound, or turned out to be a resolver's.
    pub(super) clients: HashSet<IpAddr, Folded>,
    pub(super) macs: HashSet<Mac, Folded>,
    pub(super) present: HashSet<DeviceId, Folded>,
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
        let mut known = Known::default();
        let touched = (!self.touched.all).then(|| self.touched_devices(&mut known));
        let groups = self.gather(&mut known, |device| touched.as_ref().is_none_or(|t| t.contains(&device)));
        let mut stated = Vec::new();
        for (device, group) in &groups {
            let before = report.findings.len();
            self.judge_group(*device, group, &mut report);
            stated.extend(report.findings.iter().skip(before).map(|f| (f.id.clone(), *device)));
        }
        report.withdrawn = self.withdraw(&groups, &mut known, stated);
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
        self.gather(&mut Known::default(), |_| true)
    }

    fn canonical(&self, known: &mut Known, handle: DeviceId) -> DeviceId {
        *known.entry(handle).or_insert_with(|| self.identity.canonical(handle))
    }

    /// The devices about which something has changed.
    fn touched_devices(&self, known: &mut Known) -> HashSet<DeviceId, Folded> {
        let flows = self.flows.values().filter(|flow| self.touched.has(flow)).filter_map(|flow| flow.device);
        flows.chain(self.touched.present.iter().copied()).map(|handle| self.canonical(known, handle)).collect()
    }

    /// The devices that are wanted, with their flows and places.
    fn gather(&self, known: &mut Known, wanted: impl Fn(DeviceId) -> bool) -> BTreeMap<DeviceId, Group> {
        let mut groups: BTreeMap<DeviceId, Group> = BTreeMap::new();
        for (id, flow) in &self.flows {
            let device = flow.device.map(|handle| self.canonical(known, handle));
            if let Some(device) = device.filter(|device| wanted(*device)) {
                groups.entry(device).or_default().flows.push(*id);
            }
        }
        for ((handle, segment), (first, last)) in &self.presence {
            let device = self.canonical(known, *handle);
            if wanted(device) {
                let span = groups.entry(device).or_default().places.entry(*segment).or_insert((*first, *last));
                *span = (span.0.min(*first), span.1.max(*last));
            }
        }
        groups
    }

    /// Findings that were stated before of devices that were judged now, and are not stated any more: their device has become another
    /// one, or policy names another line.
    fn withdraw(&mut self, judged: &BTreeMap<DeviceId, Group>, known: &mut Known, stated: Vec<(String, DeviceId)>) -> Vec<String> {
        let now: BTreeSet<&str> = stated.iter().map(|(id, _)| &**id).collect();
        let mut was_judged = |handle: DeviceId| judged.contains_key(&self.canonical(known, handle));
        let old = self.stated.iter().filter(|(id, handle)| was_judged(**handle) && !now.contains(&***id));
        let gone: Vec<String> = old.map(|(id, _)| id.clone()).filter(|id| self.past.get(id).is_none()).collect();
        gone.iter().for_each(|id| {
            self.stated.remove(id);
        });
        self.stated.extend(stated);
        gone
    }
}
