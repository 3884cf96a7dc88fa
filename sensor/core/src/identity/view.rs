//! What is shown of a device, with its confidence and the reasons for it.
//!
//! | confidence | when |
//! |---|---|
//! | 0.99 | a MAC in the register |
//! | 0.95 | a lease ties MAC and address |
//! | 0.90 | RADIUS accounting, ARP or neighbour discovery does; a registered address |
//! | 0.85 | a name service, or the client's own request for a lease |
//! | 0.80 | only frames with its MAC |
//! | 0.75 | at most, where MACs were joined by host name |
//! | 0.70 | at most, on a NIC that several devices use, where DHCP tells them apart |
//! | 0.60 | a registered name |
//! | 0.50 | only an address; at most, on a shared NIC where nothing tells who used it |
//! | 0.40 | an address behind a router, or the router itself (others may be behind it) |
//!
//! Behind a router a lease counts 0.05 less: the frame itself does not confirm it. The figures order the cases; they are no
//! measured probabilities.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::resolve::{Key, Match, Resolved, Sighting};
use super::router::is_router;
use super::station::{Span, Station};
use super::{DeviceView, Identity, Place, RegisterEntry, SegmentKey, is_host};
use crate::net::Mac;
use crate::record::BindingSource;

/// The device that a handle was resolved to.
pub fn view(identity: &Identity, resolved: &Resolved) -> DeviceView {
    let members = members(identity, resolved.key);
    let entry = if let Key::Register(index) = resolved.key { identity.register.entry(index) } else { None };
    let mac = latest(identity, &members);
    let addresses = addresses(identity, resolved, &members);
    let behind_router = is_behind(identity, resolved, &members, &addresses);
    let mut view = DeviceView {
        key: identity.key_text(resolved.key),
        mac,
        names: names(identity, resolved.key, &members, entry, &addresses),
        addresses: distinct(&addresses),
        randomised_mac: mac.is_some_and(Mac::is_local),
        behind_router,
        shared_nic: is_shared(identity, &members),
        register: entry.map(|e| e.id.clone()),
        confidence: 0.0,
        reasons: Vec::new(),
    };
    judge(identity, resolved.key, &members, &mut view);
    view
}

/// The addresses themselves, each once; they come in order.
fn distinct(addresses: &BTreeSet<(IpAddr, Place)>) -> Vec<IpAddr> {
    let mut distinct: Vec<IpAddr> = addresses.iter().map(|(addr, _)| *addr).collect();
    distinct.dedup();
    distinct
}

/// The MACs of a device that were heard of.
pub fn members(identity: &Identity, head: Key) -> BTreeSet<Mac> {
    let mut macs: BTreeSet<Mac> = identity.keys_of(head).flat_map(|key| candidates(identity, key)).collect();
    let rotated: Vec<Mac> = macs.iter().flat_map(|mac| identity.rotation(*mac)).collect();
    macs.extend(rotated);
    macs.retain(|mac| identity.stations.peek(mac).is_some() && identity.devices_on(*mac).contains(&head));
    macs
}

/// MACs that a key may stand for.
fn candidates(identity: &Identity, key: Key) -> BTreeSet<Mac> {
    let mut macs = BTreeSet::new();
    match key {
        Key::Mac(mac) | Key::Tenant(mac, _) => {
            macs.insert(mac);
        }
        Key::Register(index) => {
            let Some(entry) = identity.register.entry(index) else { return macs };
            macs.extend(&entry.macs);
            let stations = |place| identity.hosts.peek(&place).into_iter().flat_map(|h| h.carriers()).filter_map(|(mac, _)| mac);
            let holders = |place| identity.hosts.peek(&place).into_iter().flat_map(|h| h.holders());
            macs.extend(identity.register.places(index).flat_map(|p| stations(p).chain(holders(p)).collect::<Vec<_>>()));
            let names = entry.names.iter().filter_map(|n| super::station::clean(n));
            macs.extend(names.filter_map(|n| identity.named.get(n.as_str())).flatten());
        }
        Key::Addr(_) | Key::Nobody => {}
    }
    macs
}

/// Whether several devices use one of these NICs.
fn is_shared(identity: &Identity, members: &BTreeSet<Mac>) -> bool {
    stations(identity, members).any(|(_, s)| s.tenants.is_shared())
}

pub fn stations<'a>(identity: &'a Identity, members: &'a BTreeSet<Mac>) -> impl Iterator<Item = (Mac, &'a Station)> {
    members.iter().filter_map(|mac| Some((*mac, identity.stations.peek(mac)?)))
}

fn latest(identity: &Identity, members: &BTreeSet<Mac>) -> Option<Mac> {
    stations(identity, members).max_by_key(|(mac, s)| (s.span.last, *mac)).map(|(mac, _)| mac)
}

/// Addresses that a device held with one of its MACs: where several use the NIC, those of its own times.
pub fn held_by(identity: &Identity, key: Key, mac: Mac, station: &Station) -> BTreeSet<IpAddr> {
    let mut held = identity.addresses_of(mac, station);
    if !identity.tenants_of(mac).is_empty() {
        let spans = station.bound.iter().map(|(at, b)| (at.1, b.span)).chain(station.sent.iter().map(|(at, span)| (at.1, *span)));
        let own = |span: Span| [span.first, span.last].into_iter().any(|ts| identity.device_of_mac_at(mac, ts) == key);
        let own: BTreeSet<IpAddr> = spans.filter(|(_, span)| own(*span)).map(|(addr, _)| addr).collect();
        let bound = |(segment, addr): &(SegmentKey, IpAddr)| {
            let host = identity.hosts.peek(&Place { segment: Some(*segment), addr: *addr });
            host.is_some_and(|h| h.times_of(mac).any(|ts| identity.device_of_mac_at(mac, ts) == key))
        };
        held.retain(|addr| own.contains(addr) || station.bound.keys().any(|at| at.1 == *addr && bound(at)));
    }
    held
}

/// Addresses with the places where they were held.
pub fn addresses(identity: &Identity, resolved: &Resolved, members: &BTreeSet<Mac>) -> BTreeSet<(IpAddr, Place)> {
    let mut all = BTreeSet::new();
    for (mac, station) in stations(identity, members) {
        let held = held_by(identity, resolved.key, mac, station);
        let places = station.bound.keys().chain(station.sent.keys()).filter(|(_, addr)| held.contains(addr));
        all.extend(places.map(|(segment, addr)| (*addr, Place { segment: Some(*segment), addr: *addr })));
        all.extend(routed(identity, resolved.key, station, &held));
    }
    for key in identity.keys_of(resolved.key) {
        match key {
            Key::Addr(place) => {
                all.insert((place.addr, place));
            }
            Key::Register(index) => {
                all.extend(identity.register.places(index).filter(|p| owns(identity, resolved.key, *p)).map(|p| (p.addr, p)))
            }
            _ => {}
        }
    }
    if let Some(sighting) = resolved.sighting.filter(|s| is_host(s.addr)) {
        all.insert((sighting.addr, Place { segment: Some(sighting.segment), addr: sighting.addr }));
    }
    all
}

/// Places beyond a router where leased addresses of a station were seen: the lease is seen where the server or the relay is.
fn routed(identity: &Identity, key: Key, station: &Station, held: &BTreeSet<IpAddr>) -> Vec<(IpAddr, Place)> {
    let leased = station
        .bound
        .iter()
        .filter(|((_, addr), b)| held.contains(addr) && [BindingSource::Dhcp, BindingSource::Radius].iter().any(|s| b.sources.contains(s)));
    let places = leased.flat_map(|((_, addr), _)| {
        let segments = identity.located.get(addr).into_iter().flatten();
        segments.map(move |segment| (*addr, Place { segment: Some(*segment), addr: *addr }))
    });
    places.filter(|(_, place)| owns(identity, key, *place)).collect()
}

/// Whether any traffic of an address was this device's.
fn owns(identity: &Identity, key: Key, place: Place) -> bool {
    carriers(identity, place).any(|sighting| identity.device_of(&sighting) == key)
}

/// Sightings of an address from each MAC, one at least for each device that may have held it in between.
pub fn carriers(identity: &Identity, place: Place) -> impl Iterator<Item = Sighting> + '_ {
    let host = identity.hosts.peek(&place).zip(place.segment);
    let leases = move || identity.hosts.peek(&Place { segment: None, ..place }).into_iter().flat_map(|h| h.bound_at());
    host.into_iter().flat_map(move |(host, segment)| {
        let routed = host
            .carried()
            .flat_map(move |(mac, first, last)| leases().filter(move |ts| first < *ts && *ts < last).map(move |ts| (mac, ts)));
        host.carriers().chain(routed).map(move |(mac, ts)| Sighting { ts, segment, mac, addr: place.addr })
    })
}

fn is_behind(identity: &Identity, resolved: &Resolved, members: &BTreeSet<Mac>, addresses: &BTreeSet<(IpAddr, Place)>) -> bool {
    let foreign = |s: &Sighting| s.mac.is_some_and(|mac| !members.contains(&mac) || is_router(identity, mac));
    let sightings = addresses.iter().flat_map(|(_, place)| carriers(identity, *place)).chain(resolved.sighting);
    sightings.filter(foreign).any(|s| identity.device_of(&s) == resolved.key)
}

fn names(
    identity: &Identity,
    key: Key,
    members: &BTreeSet<Mac>,
    entry: Option<&RegisterEntry>,
    addresses: &BTreeSet<(IpAddr, Place)>,
) -> Vec<String> {
    let found = names_given(identity, key, members, addresses);
    let registered = entry.into_iter().flat_map(|e| e.names.iter().map(|n| &**n));
    let mut names: Vec<String> = Vec::new();
    for name in registered.chain(found.into_iter().map(|(_, name)| name)) {
        if !names.iter().any(|n| n.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Names that a device gives itself, or that were given to an address while it held it.
pub fn names_given<'a>(
    identity: &'a Identity,
    key: Key,
    members: &'a BTreeSet<Mac>,
    addresses: &BTreeSet<(IpAddr, Place)>,
) -> BTreeSet<(BindingSource, &'a str)> {
    let mut found = BTreeSet::new();
    for (mac, station) in stations(identity, members) {
        let tenants = identity.tenants_of(mac);
        if tenants.is_empty() {
            found.extend(station.names());
        }
        let own = tenants.into_iter().filter(|tenant| identity.tenant_is(mac, *tenant, key));
        found.extend(own.flat_map(|tenant| station.tenants.names_of(tenant)).map(|name| (BindingSource::DhcpRequest, name)));
    }
    for (_, place) in addresses {
        let Some(host) = identity.hosts.peek(place) else { continue };
        let ours = |ts| match identity.holder(*place, ts) {
            Some(point) => members.contains(&point.mac) && identity.device_of_mac_at(point.mac, ts) == key,
            None => matches!(key, Key::Addr(_)) || owns(identity, key, *place),
        };
        found.extend(host.names().filter(|(_, _, ts)| ours(*ts)).map(|(source, name, _)| (source, name)));
    }
    found
}

fn judge(identity: &Identity, key: Key, members: &BTreeSet<Mac>, view: &mut DeviceView) {
    let mut say = |confidence: f64, reason: &str| {
        view.confidence = confidence;
        view.reasons.push(reason.into());
    };
    let routers = members.iter().any(|mac| is_router(identity, *mac));
    match key {
        Key::Register(index) => {
            let matches = members.iter().filter_map(|mac| identity.registered(*mac)).filter(|(i, _)| *i == index).map(|(_, how)| how);
            match matches.min().unwrap_or(Match::Address) {
                Match::Mac => say(0.99, "its MAC is in the register"),
                Match::Address => say(0.90, "its address is in the register"),
                Match::Name => say(0.60, "its DHCP host name is in the register"),
            }
        }
        Key::Mac(_) if routers => say(0.40, "a router's own address: devices behind it may share it"),
        Key::Mac(_) | Key::Tenant(..) => {
            let (confidence, reason) = binding(identity, members);
            say(confidence, reason);
        }
        Key::Addr(_) if view.behind_router => say(0.40, "behind a router and without a lease: known by address only"),
        Key::Addr(_) => say(0.50, "no hardware address was seen: known by address only"),
        Key::Nobody => say(0.0, "a group or unspecified address, or a device forgotten when the table was full"),
    }
    if matches!(key, Key::Mac(_) | Key::Tenant(..)) && view.behind_router && !routers {
        view.confidence = ((view.confidence - 0.05) * 100.0).round() / 100.0;
        view.reasons.push("behind a router: tied to its MAC by what was bound to the address at the time".into());
    }
    let rotated = members.iter().any(|mac| identity.rotation(*mac).len() > 1);
    if rotated && matches!(key, Key::Mac(_)) {
        view.confidence = view.confidence.min(0.75);
    }
    if rotated {
        let like = members.iter().filter_map(|mac| identity.stations.peek(mac)).collect::<Vec<_>>();
        let alike = like.windows(2).all(|pair| matches!(pair, [a, b] if a.asks_like(b)));
        let kind = if alike { ", both ask for the same in DHCP" } else { "" };
        view.reasons.push(format!("MACs joined: the same DHCP host name{kind}, and each silent before the next was heard"));
    } else if matches!(key, Key::Register(_)) && members.len() > 1 {
        view.reasons.push("several NICs joined by the register".into());
    }
    doubts(identity, key, members, view);
    if view.randomised_mac {
        view.reasons.push("locally administered MAC: randomised or virtual".into());
    }
}

/// What lowers confidence: NICs that several devices use, MACs that might be the same device, and the operator's word.
fn doubts(identity: &Identity, key: Key, members: &BTreeSet<Mac>, view: &mut DeviceView) {
    let by_hand = identity.keys_of(key).nth(1).is_some();
    if view.shared_nic {
        let (most, reason) = match key {
            Key::Tenant(..) => (0.70, "several devices use its NIC in turn: told apart by the DHCP host name of the time"),
            Key::Register(_) => {
                (0.70, "several devices use one of its NICs in turn: this one by its DHCP host name, or by the register alone")
            }
            _ => (0.50, "several devices use its NIC in turn: nothing tells which of them this was"),
        };
        view.confidence = view.confidence.min(most);
        view.reasons.push(reason.into());
    } else if members.len() == 1
        && let Some(against) = members.first().and_then(|mac| identity.against_rotation(*mac))
    {
        view.reasons.push(against.reason().into());
    }
    if by_hand {
        view.reasons.push("joined with another by an operator".into());
    }
}

/// The best that ties a device's MACs to its addresses.
fn binding(identity: &Identity, members: &BTreeSet<Mac>) -> (f64, &'static str) {
    let sources = stations(identity, members).flat_map(|(_, s)| s.bound.values()).flat_map(|b| b.sources.iter()).min();
    match sources {
        Some(BindingSource::Dhcp) => (0.95, "a DHCP lease ties its MAC to an address"),
        Some(BindingSource::Radius) => (0.90, "RADIUS accounting ties its MAC to an address"),
        Some(BindingSource::Nd) => (0.90, "neighbour discovery ties its MAC to an address"),
        Some(BindingSource::Arp) => (0.90, "ARP ties its MAC to an address"),
        Some(BindingSource::DhcpRequest) => (0.85, "its own DHCP request ties its MAC to an address"),
        Some(_) => (0.85, "a name service ties its MAC to an address"),
        None => (0.80, "its frames carry its own MAC"),
    }
}
