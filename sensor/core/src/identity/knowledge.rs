//! What DHCP, ARP, neighbour discovery and multicast names said, by MAC and by address, bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::expiring_map::ExpiringMap;
use crate::limits::DEVICES_MAX;
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;

use super::Fact;

/// Changes of owner kept for one address.
const EPOCHS_MAX: usize = 16;

/// Addresses and names kept for one MAC.
const PER_MAC_MAX: usize = 32;

/// Distinct ends behind one MAC that are remembered to recognise a router: a few are enough.
const FRONTED_MAX: usize = 8;

/// What is known about a MAC.
#[derive(Clone, Debug, Default)]
pub(super) struct Station {
    /// Names by how they were learned, strongest source first.
    pub(super) names: BTreeSet<(BindingSource, Box<str>)>,
    /// Addresses that it was bound to.
    pub(super) addrs: BTreeMap<IpAddr, BindingSource>,
    /// A router by its own word.
    pub(super) router: bool,
    /// Clients that it was seen to send for, without a word about them.
    pub(super) clients: BTreeSet<IpAddr>,
    /// Servers that it was seen to send for.
    pub(super) servers: BTreeSet<IpAddr>,
    /// First and last word about it.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// What kind of client it says it is.
    pub(super) vendor_class: Option<Box<str>>,
}

/// Who held an address from when on; `None` after it was given up.
type Epoch = (Timestamp, Option<Mac>);

/// Everything that was said.
#[derive(Debug)]
pub(super) struct Knowledge {
    stations: ExpiringMap<Mac, Station>,
    holders: ExpiringMap<IpAddr, Vec<Epoch>>,
}

impl Default for Knowledge {
    fn default() -> Self {
        let never = Duration::MAX;
        Knowledge { stations: ExpiringMap::new(DEVICES_MAX, never), holders: ExpiringMap::new(DEVICES_MAX, never) }
    }
}

impl Knowledge {
    /// Takes a fact; `false` when something older had to leave for it.
    pub(super) fn learn(&mut self, fact: &Fact) -> bool {
        let mut room = true;
        if let Some(mac) = fact.mac.filter(|m| m.is_unicast()) {
            room &= self.station(mac, fact.ts, |station| station.take(fact));
        }
        if let (Some(mac), Some(addr)) = (fact.mac.filter(|m| m.is_unicast()), fact.addr.filter(|a| is_host(*a))) {
            room &= self.hold(addr, fact.ts, (!fact.released).then_some(mac));
        } else if let (Some(addr), Some(name)) = (fact.addr, &fact.name) {
            // A name for an address, without a MAC (mDNS, NetBIOS): it belongs to whoever holds the address.
            if let Some(mac) = self.holder_at(addr, fact.ts) {
                let named = (fact.source, name.clone());
                room &= self.station(mac, fact.ts, |station| station.name(named));
            }
        }
        room
    }

    fn station(&mut self, mac: Mac, ts: Timestamp, change: impl FnOnce(&mut Station)) -> bool {
        if let Some(station) = self.stations.touch(&mac, ts) {
            change(station);
            return true;
        }
        let mut station = Station::default();
        change(&mut station);
        self.stations.insert(mac, station, ts).is_none()
    }

    fn hold(&mut self, addr: IpAddr, ts: Timestamp, mac: Option<Mac>) -> bool {
        let Some(epochs) = self.holders.touch(&addr, ts) else {
            return self.holders.insert(addr, vec![(ts, mac)], ts).is_none();
        };
        let at = epochs.partition_point(|(from, _)| *from <= ts);
        let before = at.checked_sub(1).and_then(|i| epochs.get(i)).map(|(_, mac)| *mac);
        if before == Some(mac) {
            return true;
        }
        // The same holder begins earlier than was known.
        match epochs.get_mut(at) {
            Some(next) if next.1 == mac => next.0 = ts,
            _ => epochs.insert(at, (ts, mac)),
        }
        if epochs.len() > EPOCHS_MAX {
            epochs.remove(0);
        }
        true
    }

    /// Who held an address at a time: the latest word before it, or else the first word after it.
    pub(super) fn holder_at(&self, addr: IpAddr, ts: Timestamp) -> Option<Mac> {
        let epochs = self.holders.peek(&addr)?;
        let at = epochs.partition_point(|(from, _)| *from <= ts);
        match at.checked_sub(1) {
            Some(i) => epochs.get(i)?.1,
            None => epochs.first()?.1,
        }
    }

    /// What is known about a MAC.
    pub(super) fn about(&self, mac: Mac) -> Option<&Station> {
        self.stations.peek(&mac)
    }

    /// Every MAC.
    pub(super) fn stations(&self) -> impl Iterator<Item = (&Mac, &Station)> {
        self.stations.iter()
    }

    /// A client sent through this MAC.
    pub(super) fn fronts_client(&mut self, mac: Mac, addr: IpAddr) {
        if is_host(addr) {
            self.station(mac, Timestamp::ZERO, |s| bounded(&mut s.clients, addr));
        }
    }

    /// A server answered through this MAC.
    pub(super) fn fronts_server(&mut self, mac: Mac, addr: IpAddr) {
        if is_host(addr) {
            self.station(mac, Timestamp::ZERO, |s| bounded(&mut s.servers, addr));
        }
    }
}

impl Station {
    fn take(&mut self, fact: &Fact) {
        self.router |= fact.router;
        let (first, last) = self.span.unwrap_or((fact.ts, fact.ts));
        self.span = Some((first.min(fact.ts), last.max(fact.ts)));
        if let Some(name) = &fact.name {
            self.name((fact.source, name.clone()));
        }
        if let Some(addr) = fact.addr.filter(|a| is_host(*a) && !fact.released) {
            let room = self.addrs.len() < PER_MAC_MAX;
            match self.addrs.get_mut(&addr) {
                Some(source) => *source = fact.source.min(*source),
                None if room => {
                    self.addrs.insert(addr, fact.source);
                }
                None => {}
            }
        }
        // The smaller of two words, so that the order does not matter.
        if let Some(class) = &fact.vendor_class
            && self.vendor_class.as_ref().is_none_or(|old| class < old)
        {
            self.vendor_class = Some(class.clone());
        }
    }

    fn name(&mut self, named: (BindingSource, Box<str>)) {
        if self.names.len() < PER_MAC_MAX && !named.1.is_empty() {
            self.names.insert(named);
        }
    }
}

fn bounded(set: &mut BTreeSet<IpAddr>, addr: IpAddr) {
    if set.len() < FRONTED_MAX {
        set.insert(addr);
    }
}

/// Whether an address can be one device's: no group, broadcast, unspecified or loopback address.
pub(super) fn is_host(addr: IpAddr) -> bool {
    let broadcast = matches!(addr, IpAddr::V4(a) if a.is_broadcast());
    !(addr.is_unspecified() || addr.is_multicast() || addr.is_loopback() || broadcast)
}
