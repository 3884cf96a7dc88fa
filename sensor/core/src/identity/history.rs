//! A device over time: which addresses it had when and how that is known, and who gave it which name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::station::Span;
use super::{DeviceId, Identity, SegmentKey};
use crate::record::BindingSource;
use crate::time::Timestamp;

/// Time that a device spent at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The address.
    pub addr: IpAddr,
    /// Where.
    pub segment: SegmentKey,
    /// First and last time that anything was heard of it there.
    pub first: Timestamp,
    /// Last.
    pub last: Timestamp,
    /// What binds it: sources, best first; empty where only frames show it.
    pub sources: Vec<BindingSource>,
}

/// A name and who said it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameGiven {
    /// How it was learned.
    pub source: BindingSource,
    /// The name.
    pub name: String,
}

impl Identity {
    /// Addresses that a device held, by the time of their beginning.
    pub fn stays(&self, id: DeviceId) -> Vec<Stay> {
        let resolved = self.resolve(id);
        let members = super::view::members(self, resolved.key);
        let mut stays: BTreeMap<(SegmentKey, IpAddr), Stay> = BTreeMap::new();
        let mut put = |(segment, addr): (SegmentKey, IpAddr), span: Span, sources: Vec<BindingSource>| {
            let stay =
                stays.entry((segment, addr)).or_insert(Stay { addr, segment, first: span.first, last: span.last, sources: Vec::new() });
            (stay.first, stay.last) = (stay.first.min(span.first), stay.last.max(span.last));
            stay.sources.extend(sources);
        };
        for (mac, station) in super::view::stations(self, &members) {
            let held = super::view::held_by(self, resolved.key, mac, station);
            station
                .bound
                .iter()
                .filter(|(at, _)| held.contains(&at.1))
                .for_each(|(at, b)| put(*at, b.span, b.sources.iter().copied().collect()));
            station.sent.iter().filter(|(at, _)| held.contains(&at.1)).for_each(|(at, span)| put(*at, *span, Vec::new()));
        }
        for (addr, place) in super::view::addresses(self, &resolved, &members) {
            let Some(segment) = place.segment else { continue };
            let sightings = super::view::carriers(self, place).filter(|s| self.device_of(s) == resolved.key);
            sightings.for_each(|s| put((segment, addr), Span { first: s.ts, last: s.ts }, Vec::new()));
        }
        let mut stays: Vec<Stay> = stays.into_values().collect();
        for stay in &mut stays {
            stay.sources.sort_unstable();
            stay.sources.dedup();
        }
        stays.sort_by_key(|s| (s.first, s.segment, s.addr));
        stays
    }

    /// Names that a device was given, with their sources, the best source first.
    pub fn names_given(&self, id: DeviceId) -> Vec<NameGiven> {
        let resolved = self.resolve(id);
        let members = super::view::members(self, resolved.key);
        let addresses = super::view::addresses(self, &resolved, &members);
        super::view::names_given(self, resolved.key, &members, &addresses)
            .into_iter()
            .map(|(source, name)| NameGiven { source, name: name.to_owned() })
            .collect()
    }
}
