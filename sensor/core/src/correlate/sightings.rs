//! Which devices that matter were where: gathered between two calls, for whoever keeps it over restarts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::finding::DeviceFacts;
use crate::identity::{DeviceId, Fact};
use crate::policy::SegmentId;
use crate::spans::Span;
use crate::time::Timestamp;

use super::Correlator;
use super::who::facts;

/// A device at an address in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The segment's name.
    pub segment: String,
    /// The address.
    pub addr: IpAddr,
    /// First and last time since the last call.
    pub span: Span,
}

/// A device that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Who.
    pub device: DeviceFacts,
    /// One of the separate devices: it matters although it may show no app.
    pub designated: bool,
    /// What makes it the same device after a restart.
    pub facts: Vec<Fact>,
    /// Where.
    pub sightings: Vec<Sighting>,
}

/// Sightings by handle; which handles are one device shows when somebody asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings {
    wanted: bool,
    spans: BTreeMap<(DeviceId, SegmentId, IpAddr), Span>,
}

impl Sightings {
    pub(super) fn see(&mut self, device: DeviceId, segment: SegmentId, addr: IpAddr, at: Timestamp) {
        if self.wanted {
            let span = self.spans.entry((device, segment, addr)).or_insert((at, at));
            *span = (span.0.min(at), span.1.max(at));
        }
    }

    /// Drops what was gathered of some devices.
    pub(super) fn forget(&mut self, gone: impl Fn(DeviceId) -> bool) {
        self.spans.retain(|(device, ..), _| !gone(*device));
    }

    /// The same flow was seen at another time.
    pub(super) fn extend(&mut self, device: DeviceId, segment: SegmentId, addr: IpAddr, span: Span) {
        self.see(device, segment, addr, span.0);
        self.see(device, segment, addr, span.1);
    }
}

impl Correlator {
    /// From now on gathers where devices with signs, and watched ones, are.
    pub fn gather_sightings(&mut self) {
        self.sightings.wanted = true;
    }

    /// Devices that were seen since the last call: those of flows with signs, and watched ones. Whether they have a finding is not asked.
    pub fn seen(&mut self) -> Vec<Seen> {
        let mut devices: BTreeMap<DeviceId, BTreeMap<(SegmentId, IpAddr), Span>> = BTreeMap::new();
        for ((handle, segment, addr), (first, last)) in std::mem::take(&mut self.sightings.spans) {
            let places = devices.entry(self.identity.canonical(handle)).or_default();
            let span = places.entry((segment, addr)).or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        }
        devices.into_iter().map(|(device, places)| self.seen_device(device, places)).collect()
    }

    fn seen_device(&self, device: DeviceId, places: BTreeMap<(SegmentId, IpAddr), Span>) -> Seen {
        let sightings = places.into_iter().map(|((segment, addr), span)| Sighting {
            segment: self.policy.segment(segment).name.to_string(),
            addr,
            span,
        });
        Seen {
            device: facts(&self.identity, device),
            designated: self.identity.register_entry(device).is_some_and(|e| e.designated),
            facts: self.identity.remember(device),
            sightings: sightings.collect(),
        }
    }

    /// Takes back what an earlier run remembered of its devices.
    pub fn recall(&mut self, facts: impl IntoIterator<Item = Fact>) {
        facts.into_iter().for_each(|fact| self.identity.learn(&fact));
    }
}
