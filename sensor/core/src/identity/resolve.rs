//! From a sighting to the device: own MAC, lease, address; then register and MAC rotation.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::host::Point;
use super::router::{is_proxy, is_router};
use super::station::Station;
use super::{DeviceId, Handle, Identity, Place, SegmentKey, is_host};
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;

/// Host names that a product gives to every copy of itself: they do not tell devices apart.
const COMMON_NAMES: &[&str] = &[
    "android",
    "espressif",
    "galaxy",
    "host",
    "ipad",
    "iphone",
    "iphone-von",
    "ipod",
    "laptop",
    "localhost",
    "localhost.localdomain",
    "macbook",
    "macbook-air",
    "macbook-pro",
    "macbookair",
    "macbookpro",
    "mobile",
    "pc",
    "phone",
    "raspberrypi",
    "redmi",
    "tablet",
    "ubuntu",
    "unknown",
    "watch",
    "xiaomi",
];

/// MACs with one name beyond which the name is taken for a common one.
const ROTATIONS_MAX: usize = 64;

/// A client's frame: when (the earliest of its slot), where, from whom.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    pub ts: Timestamp,
    pub segment: SegmentKey,
    pub mac: Option<Mac>,
    pub addr: IpAddr,
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Register(usize),
    Mac(Mac),
    Addr(Place),
    Nobody,
}

/// What a handle stands for.
#[derive(Clone, Copy, Debug)]
pub struct Resolved {
    pub key: Key,
    /// The sighting itself, where the handle is one.
    pub sighting: Option<Sighting>,
}

/// How a register entry was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    Mac,
    Address,
    Name,
}

impl Identity {
    pub(super) fn resolve(&self, id: DeviceId) -> Resolved {
        let (key, sighting) = match self.handles.get(&id) {
            None => (Key::Nobody, None),
            Some(Handle::Sighting(sighting)) => (self.device_of(sighting), Some(*sighting)),
            Some(Handle::Station(mac)) => (self.device_of_mac(*mac), None),
            Some(Handle::Host(place)) => (Key::Addr(*place), None),
            Some(Handle::Register(index)) => (Key::Register(*index), None),
        };
        Resolved { key, sighting }
    }

    /// The handle that stands for a device.
    pub(super) fn anchor(&self, key: Key) -> Option<DeviceId> {
        match key {
            Key::Register(index) => self.seats.get(index).copied(),
            Key::Mac(mac) => self.stations.peek(&mac).map(|s| s.id),
            Key::Addr(place) => self.hosts.peek(&place).map(|h| h.id),
            Key::Nobody => None,
        }
    }

    /// The device that a sighting is one of.
    pub(super) fn device_of(&self, sighting: &Sighting) -> Key {
        if let Some(mac) = self.mac_of(sighting) {
            return self.device_of_mac(mac);
        }
        if !is_host(sighting.addr) {
            return Key::Nobody;
        }
        let place = Place { segment: Some(sighting.segment), addr: sighting.addr };
        self.register.by_addr(place.addr, false).map_or(Key::Addr(place), Key::Register)
    }

    /// The hardware address of the device itself: that of the frame, unless a router forwarded it or a lease says otherwise.
    fn mac_of(&self, sighting: &Sighting) -> Option<Mac> {
        let here = Place { segment: Some(sighting.segment), addr: sighting.addr };
        let local = self.holder(here, sighting.ts);
        match sighting.mac {
            Some(mac) if !is_router(self, mac) => {
                let stated = self.hosts.peek(&here).is_some_and(|h| h.knows(mac));
                let lease = local.or_else(|| self.routed_lease(sighting).filter(|p| p.relayed));
                let lease = lease.filter(|p| p.source == BindingSource::Dhcp && !stated);
                Some(lease.map_or(mac, |p| p.mac))
            }
            _ => local.or_else(|| self.routed_lease(sighting)).map(|p| p.mac),
        }
    }

    /// Who held an address.
    pub(super) fn holder(&self, place: Place, ts: Timestamp) -> Option<Point> {
        self.hosts.peek(&place)?.holder(ts, &|mac| is_proxy(self, mac))
    }

    /// A lease seen anywhere, unless another network leases the same address at the same time.
    fn routed_lease(&self, sighting: &Sighting) -> Option<Point> {
        let place = Place { segment: None, addr: sighting.addr };
        let lease = self.holder(place, sighting.ts)?;
        let contested = self.hosts.peek(&place)?.is_contested(lease.mac, sighting.ts);
        (!contested).then_some(lease)
    }

    /// The device with this MAC: its register entry, else the first MAC of its rotation.
    pub(super) fn device_of_mac(&self, mac: Mac) -> Key {
        if let Some((index, _)) = self.registered(mac) {
            return Key::Register(index);
        }
        let first = self.first_mac(mac);
        match self.registered(first) {
            Some((index, _)) => Key::Register(index),
            None => Key::Mac(first),
        }
    }

    /// The register entry of a MAC and how it was recognised.
    pub(super) fn registered(&self, mac: Mac) -> Option<(usize, Match)> {
        if let Some(index) = self.register.by_mac(mac) {
            return Some((index, Match::Mac));
        }
        let station = self.stations.peek(&mac)?;
        let listed = |a: &IpAddr| self.register.by_addr(*a, true).is_some();
        let candidate = station.bound.keys().chain(station.sent.keys()).any(|(_, a)| listed(a)) && !is_router(self, mac);
        let held = if candidate { self.addresses_of(mac, station) } else { BTreeSet::new() };
        let by_addr = held.into_iter().find_map(|a| self.register.by_addr(a, true));
        let by_name = || station.dhcp_names().find_map(|name| self.register.by_name(name)).map(|index| (index, Match::Name));
        by_addr.map(|index| (index, Match::Address)).or_else(by_name)
    }

    /// Addresses that a station held: bound to it at the time, or sent from by its own frames.
    pub(super) fn addresses_of(&self, mac: Mac, station: &Station) -> BTreeSet<IpAddr> {
        let place = |(segment, addr): &(SegmentKey, IpAddr)| Place { segment: Some(*segment), addr: *addr };
        let held = |at: Place, ts| self.holder(at, ts).is_some_and(|p| p.mac == mac);
        let bound =
            station.bound.iter().filter(|(at, b)| held(place(at), b.span.first) || held(place(at), b.span.last)).map(|(at, _)| at.1);
        let mut addresses: BTreeSet<IpAddr> = bound.collect();
        if !is_router(self, mac) {
            for ((segment, addr), span) in &station.sent {
                let sighting = |ts| Sighting { ts, segment: *segment, mac: Some(mac), addr: *addr };
                if [span.first, span.last].into_iter().any(|ts| self.mac_of(&sighting(ts)) == Some(mac)) {
                    addresses.insert(*addr);
                }
            }
        }
        addresses
    }

    /// The first MAC of a device that changes it.
    fn first_mac(&self, mac: Mac) -> Mac {
        let mut first = mac;
        // Each step leads to an earlier station, so the chain ends; the bound is for the reader.
        for _ in 0..ROTATIONS_MAX {
            match self.rotation(first).first() {
                Some(earlier) if *earlier != first => first = *earlier,
                _ => break,
            }
        }
        first
    }

    /// The MACs that one device used one after the other, earliest first; empty without evidence. Evidence is a DHCP host name that is
    /// not a product's, the same on each of them, while each fell silent before the next was heard; all but the first are locally
    /// administered, and DHCP option 60 does not speak against it. One overlap, and the name proves nothing.
    pub(super) fn rotation(&self, mac: Mac) -> Vec<Mac> {
        let Some(station) = self.stations.peek(&mac) else { return Vec::new() };
        station.dhcp_names().filter_map(|name| self.rotation_by(name)).find(|macs| macs.contains(&mac)).unwrap_or_default()
    }

    fn rotation_by(&self, name: &str) -> Option<Vec<Mac>> {
        let macs = self.named.get(name).filter(|macs| (2..=ROTATIONS_MAX).contains(&macs.len()))?;
        if COMMON_NAMES.contains(&name) {
            return None;
        }
        let mut stations: Vec<(Mac, &Station)> = macs.iter().filter_map(|mac| Some((*mac, self.stations.peek(mac)?))).collect();
        stations.sort_by_key(|(mac, s)| (s.span.first, *mac));
        let follows = |pair: &[(Mac, &Station)]| match pair {
            [(_, before), (mac, after)] => mac.is_local() && before.span.last < after.span.first && before.may_be_like(after),
            _ => false,
        };
        stations.windows(2).all(follows).then(|| stations.into_iter().map(|(mac, _)| mac).collect())
    }
}
