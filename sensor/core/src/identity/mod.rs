//! Which device stands behind an address at a time.
//!
//! Facts (leases, ARP, neighbour discovery, names) and sightings (a client's frame) are kept as they come; who is who is worked out
//! when it is asked, so a router that is recognised late, or a lease that is read late, changes the answer for earlier flows too, and
//! the answer does not depend on the order in which things arrived. It must not know frames, flows, dissectors or rules.

mod history;
mod host;
mod links;
mod memory;
mod points;
mod register;
mod resolve;
mod rotation;
mod router;
mod station;
mod tenant;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use crate::expiring_map::ExpiringMap;
use crate::fold::Folded;
use crate::limits::{DEVICES_MAX, SIGHTINGS_MAX};
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;
use host::{Host, Point};
use links::{Joins, Links};
use register::Register;
use resolve::{Key, Sighting};
use station::{Station, put_bounded};
use tenant::{TENANTS_MAX, Tenant};

pub use history::{NameGiven, Stay};
pub use links::{LINKS_MAX, Link, LinkKind, is_device_key};

/// A handle on whoever used an address at a time. Different handles may turn out to be one device: see [`Identity::canonical`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

/// The broadcast domain that an address belongs to: a number that the caller gives, stable for as long as keys are to be stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey(pub u32);

/// A statement about a device: the owned form of a [`Binding`](crate::record::Binding), with time and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When it was said.
    pub ts: Timestamp,
    /// Where it was heard.
    pub segment: SegmentKey,
    /// How it was learned.
    pub source: BindingSource,
    /// The hardware address.
    pub mac: Option<Mac>,
    /// The network address.
    pub addr: Option<IpAddr>,
    /// The host name that the device gives itself.
    pub name: Option<Box<str>>,
    /// DHCP option 60.
    pub vendor_class: Option<Box<str>>,
    /// DHCP option 55, as a hash.
    pub parameters: Option<u64>,
    /// DHCP client identifier that is not just the hardware address, as a hash.
    pub client_id: Option<u64>,
    /// It was said in DHCPv6.
    pub v6: bool,
    /// How long it holds, in seconds.
    pub lifetime_secs: Option<u32>,
    /// The DHCP relay: the device is behind it, in a segment that need not be `segment`.
    pub relay: Option<IpAddr>,
    /// The address is given up.
    pub released: bool,
    /// The sender says that it is a router.
    pub router: bool,
}

/// A device that the operator knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterEntry {
    /// Unique; part of keys and outputs.
    pub id: Box<str>,
    /// All its NICs: traffic of any of them is this device.
    pub macs: Vec<Mac>,
    /// Host names; they identify it only where neither MACs nor addresses are given.
    pub names: Vec<Box<str>>,
    /// Static addresses; they identify it only where no MAC speaks against it.
    pub addrs: Vec<IpAddr>,
    /// One of the separate devices.
    pub designated: bool,
    /// Pseudonym of the person.
    pub owner: Option<Box<str>>,
    /// What it is, in the operator's words.
    pub kind: Option<Box<str>>,
}

/// What is known about a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceView {
    /// Stable text: `mac:02:00:00:00:00:07`, `mac:02:00:00:00:00:07#laptop-7` (one of several on a NIC), `reg:LAPTOP-7`,
    /// `addr:10.0.0.7@3` (address and segment), or `nobody`.
    pub key: String,
    /// Its hardware address, the latest where there were several.
    pub mac: Option<Mac>,
    /// Addresses that it held, both families, sorted.
    pub addresses: Vec<IpAddr>,
    /// Host names, the best source first.
    pub names: Vec<String>,
    /// The MAC is locally administered: randomised (or virtual), so no vendor stands behind it and it may change.
    pub randomised_mac: bool,
    /// Traffic of it was seen from another device's MAC: it was identified by lease or address.
    pub behind_router: bool,
    /// Several devices use its NIC in turn.
    pub shared_nic: bool,
    /// The register entry that it is.
    pub register: Option<Box<str>>,
    /// How sure it is that this is one device and which, in [0, 1].
    pub confidence: f64,
    /// Why, in words that name neither person nor address.
    pub reasons: Vec<String>,
}

/// Sightings of one address within this span share a handle. Only behind a router can an address change hands unseen within it.
const SLOT: Duration = Duration::from_secs(60);

/// Everything known about devices.
#[derive(Clone, Debug)]
pub struct Identity {
    register: Register,
    stations: ExpiringMap<Mac, Station>,
    hosts: ExpiringMap<Place, Host>,
    sightings: ExpiringMap<SightingKey, DeviceId>,
    handles: HashMap<DeviceId, Handle, Folded>,
    /// DHCP host names (lower case) and the MACs that used them.
    named: HashMap<Box<str>, BTreeSet<Mac>, Folded>,
    /// The handle of each register entry.
    seats: Vec<DeviceId>,
    /// Segments in which an address was seen.
    located: HashMap<IpAddr, BTreeSet<SegmentKey>, Folded>,
    links: Links,
    /// What the links make of what is known; worked out when it is asked for.
    joins: OnceLock<Joins>,
    next: u32,
    evicted: u64,
}

/// An address in a segment; without a segment, a lease that holds wherever the address is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place {
    segment: Option<SegmentKey>,
    addr: IpAddr,
}

type SightingKey = (SegmentKey, Option<Mac>, IpAddr, u64);

/// What a handle stands for.
#[derive(Clone, Copy, Debug)]
enum Handle {
    Sighting(Sighting),
    Station(Mac),
    Host(Place),
    Register(usize),
    Tenant(Mac, Tenant),
    Linked(Key),
}

impl Identity {
    /// An identity that knows the register and nothing else.
    pub fn new(register: Vec<RegisterEntry>) -> Self {
        // Nothing goes idle by itself: the bound alone decides.
        let forever = Duration::MAX;
        let mut identity = Identity {
            register: Register::new(register),
            stations: ExpiringMap::new(DEVICES_MAX, forever),
            hosts: ExpiringMap::new(2 * DEVICES_MAX, forever),
            sightings: ExpiringMap::new(SIGHTINGS_MAX, forever),
            handles: HashMap::default(),
            named: HashMap::default(),
            seats: Vec::new(),
            located: HashMap::default(),
            links: Links::default(),
            joins: OnceLock::new(),
            next: 0,
            evicted: 0,
        };
        identity.seat_register();
        identity
    }

    /// Hardware addresses that are held.
    pub fn stations(&self) -> usize {
        self.stations.len()
    }

    /// Addresses that are held.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Takes another register. What was heard stays; whose it is is worked out by the new one.
    pub fn set_register(&mut self, register: Vec<RegisterEntry>) {
        self.register = Register::new(register);
        self.handles.retain(|_, handle| !matches!(handle, Handle::Register(_)));
        self.seat_register();
        let places: Vec<Place> = self.hosts.iter().map(|(place, _)| *place).collect();
        places.into_iter().for_each(|place| self.register.note(place));
        let links = self.links.take();
        self.set_links(links);
    }

    /// Takes what the operator says about who is who, in place of what was said before. The order does not matter.
    pub fn set_links(&mut self, links: Vec<Link>) {
        self.joins.take();
        self.handles.retain(|_, handle| !matches!(handle, Handle::Linked(_)));
        let mut seats = std::mem::take(&mut self.links.seats);
        self.links = Links::new(links, &self.register);
        for key in self.links.merged_keys() {
            let id = seats.remove(&key).unwrap_or_else(|| self.handle(Handle::Linked(key)));
            self.handles.insert(id, Handle::Linked(key));
            self.links.seats.insert(key, id);
        }
    }

    /// What the operator says about who is who, the latest first.
    pub fn links(&self) -> &[Link] {
        self.links.all()
    }

    fn seat_register(&mut self) {
        self.seats = (0..self.register.len()).map(|index| self.handle(Handle::Register(index))).collect();
    }

    /// Takes a fact; order does not matter.
    pub fn learn(&mut self, fact: &Fact) {
        self.joins.take();
        let mac = fact.mac.filter(|m| m.is_unicast());
        let addr = fact.addr.filter(|a| is_host(*a));
        if let Some(mac) = mac {
            let place = addr.filter(|_| !fact.released).map(|addr| (fact.segment, addr));
            let gone = self.station(mac, fact.ts).learn(fact, place);
            self.seat_tenant(mac, fact);
            self.index_names(mac, fact.name.as_deref().and_then(station::clean), gone);
        }
        let Some(addr) = addr else { return };
        let here = Place { segment: Some(fact.segment), addr };
        if let Some(mac) = mac {
            let point = Point::new(fact, mac);
            self.host(here, fact.ts).hold(point);
            // A lease is seen where the server or the relay is, which need not be where its device is.
            if matches!(fact.source, BindingSource::Dhcp | BindingSource::Radius | BindingSource::DhcpRequest) {
                self.host(Place { segment: None, addr }, fact.ts).hold(point);
            }
        }
        if fact.name.is_some() && mac.is_none() {
            self.host(here, fact.ts).name(fact);
        }
    }

    /// The client of a flow that matters, seen at `ts` with the MAC of its frame. The handle is to be kept and looked at again through
    /// [`Self::canonical`]: what it stands for may become clearer later.
    pub fn client(&mut self, ts: Timestamp, segment: SegmentKey, mac: Option<Mac>, addr: IpAddr) -> DeviceId {
        self.joins.take();
        let mac = mac.filter(|m| m.is_unicast());
        if let Some(mac) = mac {
            self.station(mac, ts).send(ts, segment, addr);
        }
        if is_host(addr) {
            self.host(Place { segment: Some(segment), addr }, ts).carried_by(mac, ts);
        }
        let key = (segment, mac, addr, ts.secs() / SLOT.as_secs());
        if let Some(id) = self.sightings.touch(&key, ts).copied() {
            if let Some(Handle::Sighting(sighting)) = self.handles.get_mut(&id) {
                sighting.ts = sighting.ts.min(ts);
            }
            return id;
        }
        let id = self.handle(Handle::Sighting(Sighting { ts, segment, mac, addr }));
        if let Some((_, gone)) = self.sightings.insert(key, id, ts) {
            self.handles.remove(&gone);
            self.evicted += 1;
        }
        id
    }

    /// The far end of a flow that matters was seen behind this MAC: a station that fronts strangers is a router.
    pub fn server(&mut self, _segment: SegmentKey, mac: Option<Mac>, addr: IpAddr) {
        let Some(mac) = mac.filter(|m| m.is_unicast() && is_host(addr)) else { return };
        self.joins.take();
        // The time only orders touches, which the call does by itself: nothing is said about when the station was there.
        self.station(mac, Timestamp::ZERO).serve(addr);
    }

    /// The one handle that all handles of the same device lead to, as far as is known now.
    pub fn canonical(&self, id: DeviceId) -> DeviceId {
        self.anchor(self.resolve(id).key).unwrap_or(id)
    }

    /// The device behind a handle.
    pub fn view(&self, id: DeviceId) -> DeviceView {
        view::view(self, &self.resolve(id))
    }

    /// The key of the device behind a handle: [`DeviceView::key`].
    pub fn key(&self, id: DeviceId) -> String {
        self.key_text(self.resolve(id).key)
    }

    /// The handle of the device with a key; `None` when nothing was heard of it.
    pub fn find(&self, key: &str) -> Option<DeviceId> {
        let key = links::parse(key, &self.register)?;
        self.anchor(self.joined(self.stands_for(key)))
    }

    /// All keys of the device with a key: several where an operator joined devices.
    pub fn all_keys(&self, key: String) -> Vec<String> {
        if self.links.all().is_empty() {
            return vec![key];
        }
        let head = links::parse(&key, &self.register);
        let mut keys: Vec<String> = head.into_iter().flat_map(|k| self.keys_of(self.joined(k))).map(|k| self.key_text(k)).collect();
        if !keys.contains(&key) {
            keys.push(key);
        }
        keys
    }

    /// The register's entry for the device behind a handle.
    pub fn register_entry(&self, id: DeviceId) -> Option<&RegisterEntry> {
        match self.resolve(id).key {
            Key::Register(index) => self.register.entry(index),
            _ => None,
        }
    }

    /// How many stations, addresses and sightings were dropped because the tables were full (limit `devices`).
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn handle(&mut self, handle: Handle) -> DeviceId {
        let id = DeviceId(self.next);
        self.next = self.next.wrapping_add(1);
        self.handles.insert(id, handle);
        id
    }

    fn station(&mut self, mac: Mac, ts: Timestamp) -> &mut Station {
        if self.stations.touch(&mac, ts).is_none() {
            let id = self.handle(Handle::Station(mac));
            if let Some((old, station)) = self.stations.insert(mac, Station::new(id), ts) {
                self.forget_station(old, &station);
            }
        }
        self.stations.latest_mut().expect("touched or put in above")
    }

    /// A handle for each tenant of a NIC, as far as they can be told apart.
    fn seat_tenant(&mut self, mac: Mac, fact: &Fact) {
        let station = self.stations.touch(&mac, fact.ts);
        let Some((station, tenant)) = station.and_then(|s| s.call(fact).map(|tenant| (s, tenant))) else { return };
        if station.seats.contains_key(&tenant) {
            return;
        }
        let id = DeviceId(self.next);
        let gone = put_bounded(&mut station.seats, tenant, id, TENANTS_MAX);
        self.handle(Handle::Tenant(mac, tenant));
        if let Some((_, gone)) = gone {
            self.handles.remove(&gone);
        }
    }

    /// Keeps the index of DHCP names in step with the names that the station keeps: `new` came, `gone` fell out.
    fn index_names(&mut self, mac: Mac, new: Option<String>, gone: Option<String>) {
        for name in [new, gone].into_iter().flatten() {
            let kept = self.stations.peek(&mac).is_some_and(|s| s.dhcp_names().any(|n| n == name));
            if kept {
                self.named.entry(name.into()).or_default().insert(mac);
            } else {
                unname(&mut self.named, &name, mac);
            }
        }
    }

    fn forget_station(&mut self, mac: Mac, station: &Station) {
        self.evicted += 1;
        self.handles.remove(&station.id);
        station.seats.values().for_each(|id| {
            self.handles.remove(id);
        });
        for name in station.dhcp_names() {
            unname(&mut self.named, name, mac);
        }
    }

    fn host(&mut self, place: Place, ts: Timestamp) -> &mut Host {
        if self.hosts.touch(&place, ts).is_none() {
            let id = self.handle(Handle::Host(place));
            self.register.note(place);
            if let Some(segment) = place.segment {
                self.located.entry(place.addr).or_default().insert(segment);
            }
            if let Some((old, host)) = self.hosts.insert(place, Host::new(id), ts) {
                self.handles.remove(&host.id);
                forget_place(&mut self.located, old);
                self.evicted += 1;
            }
        }
        self.hosts.latest_mut().expect("touched or put in above")
    }
}

fn forget_place(located: &mut HashMap<IpAddr, BTreeSet<SegmentKey>, Folded>, place: Place) {
    let Some((segments, segment)) = located.get_mut(&place.addr).zip(place.segment) else { return };
    segments.remove(&segment);
    if segments.is_empty() {
        located.remove(&place.addr);
    }
}

fn unname(named: &mut HashMap<Box<str>, BTreeSet<Mac>, Folded>, name: &str, mac: Mac) {
    let Some(macs) = named.get_mut(name) else { return };
    macs.remove(&mac);
    if macs.is_empty() {
        named.remove(name);
    }
}

/// An address that one device can have: IPv4 link-local is made up by hosts without a lease and says nothing.
fn is_host(addr: IpAddr) -> bool {
    let v4 = |a: std::net::Ipv4Addr| a.is_link_local() || a.is_broadcast() || a.octets() == [0; 4];
    !(addr.is_unspecified() || addr.is_loopback() || addr.is_multicast() || matches!(addr, IpAddr::V4(a) if v4(a)))
}
