//! Which MACs are routers: frames from them say nothing about the device that sent the packet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::net::{Mac, Prefix};

use super::knowledge::{Knowledge, Station};

/// Unrelated clients behind one MAC from which it is a router.
const CLIENTS_MIN: usize = 3;

/// Servers behind one MAC from which it is a router.
const SERVERS_MIN: usize = 2;

/// First bytes of virtual router MACs: VRRP and CARP (RFC 9568 section 7.3), HSRP v1, HSRP v2, GLBP.
const VIRTUAL: &[&[u8]] = &[&[0, 0, 0x5e, 0, 1], &[0, 0, 0x5e, 0, 2], &[0, 0, 0x0c, 7, 0xac], &[0, 0, 0x0c, 0x9f], &[0, 7, 0xb4]];

impl Knowledge {
    /// Why a MAC is a router's, if it is.
    pub(super) fn router(&self, mac: Mac) -> Option<&'static str> {
        if VIRTUAL.iter().any(|v| mac.0.starts_with(v)) {
            return Some("a virtual router's address");
        }
        let station = self.about(mac)?;
        if station.router {
            return Some("says itself that it is a router");
        }
        if station.unbound_clients() >= CLIENTS_MIN {
            return Some("sends for several unrelated clients");
        }
        let far = station.servers.iter().filter(|a| !station.addrs.contains_key(a)).count();
        (far >= SERVERS_MIN && station.servers.len() >= SERVERS_MIN).then_some("sends for several servers")
    }
}

impl Station {
    /// Clients that nobody bound to this MAC: IPv4 addresses, and /64s of IPv6, where one device has many addresses.
    fn unbound_clients(&self) -> usize {
        let unbound = self.clients.iter().filter(|a| !self.addrs.contains_key(a));
        let places: BTreeSet<Prefix> =
            unbound.filter_map(|a| Prefix::new(*a, if a.is_ipv4() { 32 } else { 64 })).filter(|p| !is_link_local(p.addr)).collect();
        places.len()
    }
}

fn is_link_local(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}
