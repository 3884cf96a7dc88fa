//! Which MACs stand for others: routers and machines that answer ARP for whole networks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::station::{Span, Station};
use super::{Identity, Place};
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;

/// IPv4 addresses at the same time from one MAC, none of them bound to it, that no single device has.
const CLIENTS_V4: usize = 3;

/// The same for IPv6 prefixes of 64 bits: a device may well have a global and a unique local one, and an old one of each.
const CLIENTS_V6_PREFIXES: usize = 5;

/// The same for IPv6 addresses. A device keeps up to eight temporary addresses (RFC 8981 section 3.4: a new one each day, each valid
/// for two or seven days) per prefix.
const CLIENTS_V6: usize = 24;

/// Far ends behind one MAC: public ones, and any.
const SERVERS_PUBLIC: usize = 2;
const SERVERS_ANY: usize = 3;

/// IPv4 addresses at the same time for which one MAC answers ARP: proxy ARP (RFC 1027), not a host with a few addresses.
const PROXY_ADDRESSES: usize = 8;

/// Sightings within this span count as at the same time: a station seldom changes its address three times in an hour.
const SAME_TIME: Duration = Duration::from_secs(3600);

/// Virtual router MACs: VRRP and CARP (RFC 9568 section 7.3), HSRP, HSRP version 2, HSRP for IPv6, GLBP (Cisco).
pub fn is_virtual(mac: Mac) -> bool {
    matches!(
        mac.0,
        [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]
            | [0x00, 0x00, 0x0c, 0x07, 0xac, _]
            | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _]
            | [0x00, 0x05, 0x73, 0xa0, 0x00..=0x0f, _]
            | [0x00, 0x07, 0xb4, 0x00, _, _]
    )
}

/// Whether frames of this MAC may be other devices' frames.
pub fn is_router(identity: &Identity, mac: Mac) -> bool {
    is_virtual(mac) || identity.stations.peek(&mac).is_some_and(|s| s.says_router || fronts(identity, mac, s) || is_proxy_station(s))
}

/// Whether what this MAC says in ARP is about other devices.
pub fn is_proxy(identity: &Identity, mac: Mac) -> bool {
    identity.stations.peek(&mac).is_some_and(is_proxy_station)
}

fn is_proxy_station(station: &Station) -> bool {
    if station.bound.len() < PROXY_ADDRESSES {
        return false;
    }
    let arp = |sources: &BTreeSet<BindingSource>| sources.contains(&BindingSource::Arp) && !sources.contains(&BindingSource::Dhcp);
    let spans = station.bound.iter().filter(|((_, addr), b)| addr.is_ipv4() && arp(&b.sources)).map(|(_, b)| b.span);
    most_at_once(spans) >= PROXY_ADDRESSES
}

fn fronts(identity: &Identity, mac: Mac, station: &Station) -> bool {
    fronts_servers(station) || fronts_clients(identity, mac, station)
}

fn fronts_servers(station: &Station) -> bool {
    let own = |addr: &IpAddr| station.bound.keys().any(|(_, bound)| bound == addr);
    let strangers = || station.servers.iter().filter(|a| !own(a));
    strangers().count() >= SERVERS_ANY || strangers().filter(|a| is_public(**a)).count() >= SERVERS_PUBLIC
}

fn fronts_clients(identity: &Identity, mac: Mac, station: &Station) -> bool {
    if station.sent.len() < CLIENTS_V4 {
        return false;
    }
    let own = |place: Place| identity.hosts.peek(&place).is_some_and(|h| h.knows(mac));
    let strangers = station.sent.iter().filter(|((segment, addr), _)| !own(Place { segment: Some(*segment), addr: *addr }));
    let (mut v4, mut v6, mut prefixes) = (Vec::new(), Vec::new(), BTreeMap::<_, Vec<Span>>::new());
    for ((_, addr), span) in strangers {
        match addr {
            IpAddr::V4(_) => v4.push(*span),
            IpAddr::V6(a) if !a.is_unicast_link_local() => {
                v6.push(*span);
                prefixes.entry(u128::from(*a) >> 64).or_default().push(*span);
            }
            IpAddr::V6(_) => {}
        }
    }
    let prefixes = prefixes
        .into_values()
        .filter_map(|spans| spans.into_iter().reduce(|a, b| Span { first: a.first.min(b.first), last: a.last.max(b.last) }));
    most_at_once(v4) >= CLIENTS_V4 || most_at_once(v6) >= CLIENTS_V6 || most_at_once(prefixes) >= CLIENTS_V6_PREFIXES
}

/// The largest number of spans that come within [`SAME_TIME`] of each other.
fn most_at_once(spans: impl IntoIterator<Item = Span>) -> usize {
    let mut edges: Vec<(Timestamp, i8)> = Vec::new();
    for span in spans {
        // At the same moment an end counts after a beginning, so touching spans meet.
        edges.extend([(span.first, -1), (span.last.after(SAME_TIME), 1)]);
    }
    edges.sort_unstable();
    let (mut open, mut most) = (0usize, 0);
    for (_, edge) in edges {
        open = if edge < 0 { open + 1 } else { open.saturating_sub(1) };
        most = most.max(open);
    }
    most
}

/// An address of the public internet, as far as it takes to tell a far server from a local one.
fn is_public(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let [first, second, ..] = a.octets();
            let shared = first == 100 && (64..128).contains(&second);
            !(a.is_private() || a.is_link_local() || shared)
        }
        IpAddr::V6(a) => !(a.is_unique_local() || a.is_unicast_link_local()) && a != Ipv6Addr::LOCALHOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_macs() {
        for mac in
            ["00:00:5e:00:01:0a", "00:00:5e:00:02:0a", "00:00:0c:07:ac:01", "00:00:0c:9f:f0:01", "00:05:73:a0:0f:01", "00:07:b4:00:01:02"]
        {
            assert!(is_virtual(mac.parse().expect("mac")), "{mac}");
        }
        for mac in ["00:00:5e:00:03:0a", "00:00:0c:9f:ef:01", "00:05:73:a0:10:01", "02:00:5e:00:01:01"] {
            assert!(!is_virtual(mac.parse().expect("mac")), "{mac}");
        }
    }

    #[test]
    fn spans_meet_within_an_hour() {
        let span = |first: u64, last: u64| Span { first: Timestamp::from_secs_nanos(first, 0), last: Timestamp::from_secs_nanos(last, 0) };
        assert_eq!(most_at_once([span(0, 10), span(20, 30), span(3_630, 3_640)]), 2);
        assert_eq!(most_at_once([span(0, 10), span(20, 30), span(3_610, 3_640)]), 3);
        assert_eq!(most_at_once([]), 0);
    }
}
