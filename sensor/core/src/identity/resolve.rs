//! From a sighting to the device: own MAC, lease, address; then register, tenant of a shared NIC, MAC rotation; then the operator's word.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::host::Point;
use super::links::Joins;
use super::router::{is_proxy, is_router};
use super::station::Station;
use super::tenant::Tenant;
use super::{DeviceId, Handle, Identity, Place, SegmentKey, is_host};
use crate::net::Mac;
use crate::net::text::{push_addr, push_mac, push_number};
use crate::record::BindingSource;
use crate::time::Timestamp;

/// A client's frame: when (the earliest of its slot), where, from whom.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    pub ts: Timestamp,
    pub segment: SegmentKey,
    pub mac: Option<Mac>,
    pub addr: IpAddr,
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Register(usize),
    Mac(Mac),
    /// One of several devices on a NIC.
    Tenant(Mac, Tenant),
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

/// A key's text: its kind, and what `push` appends. Room for most keys at once: each judgement makes one.
fn key_of(kind: &str, push: impl FnOnce(&mut String)) -> String {
    let mut text = String::with_capacity(48);
    text.push_str(kind);
    push(&mut text);
    text
}

impl Identity {
    pub(super) fn resolve(&self, id: DeviceId) -> Resolved {
        let (key, sighting) = match self.handles.get(&id) {
            None => (Key::Nobody, None),
            Some(Handle::Sighting(sighting)) => (self.device_of(sighting), Some(*sighting)),
            Some(Handle::Station(mac)) => (self.device_of_mac(*mac), None),
            Some(Handle::Host(place)) => (self.joined(Key::Addr(*place)), None),
            Some(Handle::Register(index)) => (self.joined(Key::Register(*index)), None),
            Some(Handle::Tenant(mac, tenant)) => (self.joined(self.tenant_key(*mac, *tenant)), None),
            Some(Handle::Linked(key)) => (self.joined(self.stands_for(*key)), None),
        };
        Resolved { key, sighting }
    }

    /// The handle that stands for a device.
    pub(super) fn anchor(&self, key: Key) -> Option<DeviceId> {
        let told = match key {
            Key::Register(index) => self.seats.get(index).copied(),
            Key::Tenant(mac, tenant) => self.stations.peek(&mac).and_then(|s| s.seats.get(&tenant).copied()),
            Key::Mac(mac) => self.stations.peek(&mac).map(|s| s.id),
            Key::Addr(place) => self.hosts.peek(&place).map(|h| h.id),
            Key::Nobody => None,
        };
        self.links.seats.get(&key).copied().or(told)
    }

    /// What the operator's links make of a key.
    pub(super) fn joined(&self, key: Key) -> Key {
        self.joins().head(key)
    }

    /// All keys of a device, itself included.
    pub(super) fn keys_of(&self, head: Key) -> impl Iterator<Item = Key> + '_ {
        self.joins().group(head)
    }

    fn joins(&self) -> &Joins {
        self.joins.get_or_init(|| self.links.joins(&|key| self.stands_for(key), &|key| self.key_text(key)))
    }

    /// The device that a key in a link is, without the links.
    pub(super) fn stands_for(&self, key: Key) -> Key {
        match key {
            Key::Mac(mac) => self.own_device_of_mac(mac),
            Key::Tenant(mac, tenant) => self.tenant_key(mac, tenant),
            Key::Addr(place) => self.register.by_addr(place.addr, false).map_or(key, Key::Register),
            Key::Register(_) | Key::Nobody => key,
        }
    }

    /// A key as text: [`super::DeviceView::key`].
    pub(super) fn key_text(&self, key: Key) -> String {
        match key {
            Key::Register(index) => format!("reg:{}", self.register.entry(index).map_or("", |e| &e.id)),
            Key::Mac(mac) => key_of("mac:", |text| push_mac(text, mac)),
            Key::Tenant(mac, tenant) => {
                let label = self.stations.peek(&mac).and_then(|s| s.tenants.label_of(tenant));
                format!("mac:{mac}#{}", label.as_deref().or(self.links.label_of(key)).unwrap_or("unknown"))
            }
            Key::Addr(Place { segment, addr }) => key_of("addr:", |text| {
                push_addr(text, addr);
                if let Some(SegmentKey(segment)) = segment {
                    text.push('@');
                    push_number(text, segment);
                }
            }),
            Key::Nobody => "nobody".into(),
        }
    }

    /// The device that a sighting is one of.
    pub(super) fn device_of(&self, sighting: &Sighting) -> Key {
        self.joined(self.own_device_of(sighting))
    }

    fn own_device_of(&self, sighting: &Sighting) -> Key {
        if let Some(mac) = self.mac_of(sighting) {
            return self.own_device_of_mac_at(mac, sighting.ts);
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

    /// The device with this MAC, whatever the time: where several use it, the one of whom nothing is known.
    pub(super) fn device_of_mac(&self, mac: Mac) -> Key {
        self.joined(self.own_device_of_mac(mac))
    }

    /// Every device that was heard with this MAC.
    pub(super) fn devices_on(&self, mac: Mac) -> BTreeSet<Key> {
        let tenants = self.tenants_of(mac).into_iter().map(|tenant| self.joined(self.tenant_key(mac, tenant)));
        tenants.chain([self.device_of_mac(mac)]).collect()
    }

    /// Devices that use this NIC in turn and can be told apart; empty where there is one.
    pub(super) fn tenants_of(&self, mac: Mac) -> BTreeSet<Tenant> {
        let shared = self.stations.peek(&mac).map(|s| &s.tenants).filter(|t| t.is_shared() && t.is_separable());
        shared.map(|t| t.all()).unwrap_or_default()
    }

    /// Whether a tenant of a NIC is this device.
    pub(super) fn tenant_is(&self, mac: Mac, tenant: Tenant, key: Key) -> bool {
        self.joined(self.tenant_key(mac, tenant)) == key
    }

    /// The device with this MAC at a time.
    pub(super) fn device_of_mac_at(&self, mac: Mac, ts: Timestamp) -> Key {
        self.joined(self.own_device_of_mac_at(mac, ts))
    }

    fn own_device_of_mac_at(&self, mac: Mac, ts: Timestamp) -> Key {
        let shared = self.stations.peek(&mac).map(|s| &s.tenants).filter(|t| t.is_shared() && t.is_separable());
        match shared.and_then(|t| t.at(ts)) {
            Some(tenant) => self.tenant_key(mac, tenant),
            None => self.own_device_of_mac(mac),
        }
    }

    /// One of several devices on a NIC. The register's entry of the NIC has those whose names it does not speak against; an entry
    /// without MACs and addresses has those that it names.
    fn tenant_key(&self, mac: Mac, tenant: Tenant) -> Key {
        let names = self.stations.peek(&mac).map(|s| s.tenants.names_of(tenant)).unwrap_or_default();
        let listed = self.register.by_mac(mac).filter(|index| self.register.may_be_called(*index, &names));
        let named = || names.iter().find_map(|name| self.register.by_name(name)).filter(|index| self.may_be(mac, *index));
        listed.or_else(named).map_or(Key::Tenant(mac, tenant), Key::Register)
    }

    /// Its register entry, else the first MAC of its rotation.
    fn own_device_of_mac(&self, mac: Mac) -> Key {
        if let Some((index, _)) = self.registered(mac) {
            return Key::Register(index);
        }
        let first = self.first_mac(mac);
        match self.registered(first) {
            Some((index, _)) => Key::Register(index),
            None => Key::Mac(first),
        }
    }

    /// Whether nobody keeps a MAC and a register entry apart.
    fn may_be(&self, mac: Mac, index: usize) -> bool {
        !self.links.is_split(Key::Mac(mac), Key::Register(index))
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
        let open = |index: &usize| self.may_be(mac, *index);
        let by_addr = held.into_iter().find_map(|a| self.register.by_addr(a, true).filter(open));
        let named = |name| self.register.by_name(name).filter(open);
        let by_name = || station.dhcp_names().filter(|_| !station.tenants.is_shared()).find_map(named).map(|index| (index, Match::Name));
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
}
