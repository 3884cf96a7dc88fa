//! Scenarios: who had the address, told in any order.

mod links;
mod memory;
mod shared;

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LAN: SegmentKey = SegmentKey(10);
const GUEST: SegmentKey = SegmentKey(20);
/// Randomised MACs of phones, and a router with a universal one.
const PHONE: Mac = Mac([2, 0, 0, 0, 0, 7]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 8]);
const LAPTOP: Mac = Mac([0, 0x11, 0x22, 0, 0, 9]);
const ROUTER: Mac = Mac([0, 0x11, 0x22, 0, 0, 1]);

/// 10:00 and so many minutes.
fn at(minutes: u64) -> Timestamp {
    Timestamp::from_secs_nanos(1_700_000_000, 0).after(Duration::from_secs(minutes * 60))
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn fact(source: BindingSource, minutes: u64, mac: Mac, addr: &str) -> Fact {
    let addr = (!addr.is_empty()).then(|| ip(addr));
    Fact { segment: LAN, source, addr, ..Fact::blank(at(minutes), mac) }
}

fn lease(minutes: u64, mac: Mac, addr: &str) -> Fact {
    Fact { lifetime_secs: Some(3600), ..fact(BindingSource::Dhcp, minutes, mac, addr) }
}

fn arp(minutes: u64, mac: Mac, addr: &str) -> Fact {
    fact(BindingSource::Arp, minutes, mac, addr)
}

fn hello(minutes: u64, mac: Mac, name: &str) -> Fact {
    Fact { name: Some(name.into()), ..fact(BindingSource::DhcpRequest, minutes, mac, "") }
}

/// Something that identity is told, in the order of its position or any other.
#[derive(Clone, Debug)]
enum Event {
    Fact(Fact),
    Client(u64, Option<Mac>, &'static str),
    Server(Mac, &'static str),
}

fn client(minutes: u64, mac: Mac, addr: &'static str) -> Event {
    Event::Client(minutes, Some(mac), addr)
}

/// Tells everything; the handles of the clients in the order of the list, whatever the `order` of telling.
fn tell(register: Vec<RegisterEntry>, events: &[Event], order: &[usize]) -> (Identity, Vec<DeviceId>) {
    let mut identity = Identity::new(register);
    let mut handles = vec![None; events.len()];
    for &i in order {
        match &events[i] {
            Event::Fact(fact) => identity.learn(fact),
            Event::Client(minutes, mac, addr) => handles[i] = Some(identity.client(at(*minutes), LAN, *mac, ip(addr))),
            Event::Server(mac, addr) => identity.server(LAN, Some(*mac), ip(addr)),
        }
    }
    (identity, handles.into_iter().flatten().collect())
}

fn told_with(register: Vec<RegisterEntry>, events: &[Event]) -> (Identity, Vec<DeviceId>) {
    tell(register, events, &(0..events.len()).collect::<Vec<_>>())
}

fn told(events: &[Event]) -> (Identity, Vec<DeviceId>) {
    told_with(Vec::new(), events)
}

fn keys(identity: &Identity, ids: &[DeviceId]) -> Vec<String> {
    ids.iter().map(|id| identity.view(*id).key).collect()
}

fn addresses(view: &DeviceView) -> Vec<String> {
    view.addresses.iter().map(IpAddr::to_string).collect()
}

fn renewal() -> Vec<Event> {
    vec![
        Event::Fact(Fact { name: Some("Pixel-7".into()), ..lease(0, PHONE, "10.0.0.7") }),
        client(1, PHONE, "10.0.0.7"),
        Event::Fact(lease(90, PHONE, "10.0.0.9")),
        client(91, PHONE, "10.0.0.9"),
    ]
}

#[test]
fn a_renewal_with_another_address_is_one_device() {
    let (identity, ids) = told(&renewal());
    assert_eq!(identity.canonical(ids[0]), identity.canonical(ids[1]));
    let view = identity.view(ids[0]);
    assert_eq!(view, identity.view(ids[1]));
    assert_eq!((view.key.as_str(), addresses(&view)), ("mac:02:00:00:00:00:07", vec!["10.0.0.7".into(), "10.0.0.9".into()]));
    assert_eq!((view.names.as_slice(), view.confidence), (&["pixel-7".to_owned()][..], 0.95));
    assert!(view.randomised_mac && !view.behind_router);
}

fn same_address() -> Vec<Event> {
    vec![
        Event::Fact(lease(0, PHONE, "10.0.0.7")),
        client(1, PHONE, "10.0.0.7"),
        Event::Fact(lease(60, OTHER, "10.0.0.7")),
        client(61, OTHER, "10.0.0.7"),
    ]
}

#[test]
fn the_same_address_for_another_phone_is_another_device() {
    let (identity, ids) = told(&same_address());
    assert_eq!(keys(&identity, &ids), ["mac:02:00:00:00:00:07", "mac:02:00:00:00:00:08"]);
    assert_ne!(identity.canonical(ids[0]), identity.canonical(ids[1]));
}

/// The same behind a router: only the leases tell them apart.
fn same_address_routed() -> Vec<Event> {
    vec![
        Event::Fact(Fact { router: true, ..fact(BindingSource::Nd, 0, ROUTER, "fe80::1") }),
        client(1, ROUTER, "10.0.0.7"),
        Event::Fact(lease(5, PHONE, "10.0.0.7")),
        client(6, ROUTER, "10.0.0.7"),
        client(40, ROUTER, "10.0.0.7"),
        Event::Fact(lease(66, OTHER, "10.0.0.7")),
        client(67, ROUTER, "10.0.0.7"),
        client(300, ROUTER, "10.0.0.7"),
    ]
}

#[test]
fn behind_a_router_leases_make_epochs() {
    let (identity, ids) = told(&same_address_routed());
    let (unknown, phone, other) = ("addr:10.0.0.7@10", "mac:02:00:00:00:00:07", "mac:02:00:00:00:00:08");
    assert_eq!(keys(&identity, &ids), [unknown, phone, phone, other, unknown], "before, during, during, re-used, run out");
    let view = identity.view(ids[1]);
    assert!(view.behind_router && (view.confidence - 0.90).abs() < 1e-9);
    assert_eq!((identity.view(ids[0]).confidence, identity.view(ids[0]).behind_router), (0.40, true));
}

#[test]
fn a_release_ends_the_hold_and_a_decline_ends_nobody_elses() {
    let router = Event::Fact(Fact { router: true, ..fact(BindingSource::Nd, 0, ROUTER, "fe80::1") });
    let release = |minutes, mac| Event::Fact(Fact { released: true, ..lease(minutes, mac, "10.0.0.7") });
    let events = [
        router,
        Event::Fact(lease(0, PHONE, "10.0.0.7")),
        release(10, OTHER),
        client(12, ROUTER, "10.0.0.7"),
        release(20, PHONE),
        client(22, ROUTER, "10.0.0.7"),
    ];
    let (identity, ids) = told(&events);
    assert_eq!(keys(&identity, &ids), ["mac:02:00:00:00:00:07", "addr:10.0.0.7@10"]);
}

fn rotation(first_again: u64) -> Vec<Event> {
    vec![
        Event::Fact(hello(0, PHONE, "Janas-Pixel")),
        client(1, PHONE, "10.0.0.7"),
        Event::Fact(hello(60, OTHER, "janas-pixel")),
        client(61, OTHER, "10.0.0.8"),
        client(first_again, PHONE, "10.0.0.7"),
    ]
}

#[test]
fn a_rotated_mac_is_joined_on_evidence() {
    let (identity, ids) = told(&rotation(30));
    assert_eq!(identity.canonical(ids[0]), identity.canonical(ids[1]));
    let view = identity.view(ids[1]);
    assert_eq!((view.key.as_str(), view.mac), ("mac:02:00:00:00:00:07", Some(OTHER)));
    assert!(view.confidence <= 0.75 && view.reasons.iter().any(|r| r.starts_with("MACs joined")), "{view:?}");
    assert_eq!(addresses(&view), ["10.0.0.7", "10.0.0.8"]);
}

#[test]
fn what_is_no_evidence_of_a_rotation() {
    let apart = |events: &[Event]| {
        let (identity, ids) = told(events);
        identity.canonical(ids[0]) != identity.canonical(ids[1])
    };
    assert!(apart(&rotation(90)), "the first is still there");
    let with = |edit: &dyn Fn(&mut Fact, &mut Fact)| {
        let mut events = rotation(30);
        let (mut first, mut second) = (hello(0, PHONE, "x"), hello(60, OTHER, "x"));
        edit(&mut first, &mut second);
        (events[0], events[2]) = (Event::Fact(first), Event::Fact(second));
        events
    };
    assert!(!apart(&with(&|_, _| {})), "the control");
    assert!(apart(&with(&|a, b| (a.name, b.name) = (Some("iPhone".into()), Some("iPhone".into())))), "every iPhone is called so");
    assert!(apart(&with(&|a, b| (a.vendor_class, b.vendor_class) = (Some("android-dhcp-14".into()), Some("MSFT 5.0".into())))));
    assert!(apart(&with(&|_, b| b.source = BindingSource::Mdns)), "only DHCP names count");
    let universal = [
        Event::Fact(hello(0, PHONE, "x")),
        client(1, PHONE, "10.0.0.7"),
        Event::Fact(hello(60, LAPTOP, "x")),
        client(61, LAPTOP, "10.0.0.8"),
    ];
    assert!(apart(&universal), "a burnt-in MAC was not made up today");
}

const MANY: [&str; 4] = ["10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4"];

#[test]
fn a_router_in_front_of_two_hundred_devices() {
    let mut identity = Identity::new(Vec::new());
    let addr = |i: u8| IpAddr::from([10, 0, 1, i]);
    let ids: Vec<DeviceId> = (1..=200).map(|i| identity.client(at(u64::from(i) / 4), LAN, Some(ROUTER), addr(i))).collect();
    let mut canonical: Vec<DeviceId> = ids.iter().map(|id| identity.canonical(*id)).collect();
    canonical.sort_unstable();
    canonical.dedup();
    assert_eq!(canonical.len(), 200, "also those that came before the router was recognised");
    let view = identity.view(ids[0]);
    assert_eq!((view.key.as_str(), view.mac, view.behind_router, view.confidence), ("addr:10.0.1.1@10", None, true, 0.40));
    assert_eq!(addresses(&view), ["10.0.1.1"]);
}

#[test]
fn a_device_with_its_own_addresses_is_no_router() {
    let mut events: Vec<Event> = MANY.iter().map(|a| client(1, LAPTOP, a)).collect();
    let (identity, ids) = told(&events);
    assert!(identity.view(ids[0]).behind_router, "four strangers at once");
    events.extend(MANY.iter().map(|a| Event::Fact(arp(2, LAPTOP, a))));
    let (identity, ids) = told(&events);
    assert_eq!(identity.view(ids[3]).key, "mac:00:11:22:00:00:09", "bound to it, said afterwards");
    let wandering: Vec<Event> = MANY.iter().enumerate().map(|(i, a)| client(i as u64 * 120, LAPTOP, a)).collect();
    let (identity, ids) = told(&wandering);
    assert_eq!(addresses(&identity.view(ids[0])), MANY, "one after the other, two hours apart");
}

#[test]
fn far_ends_give_a_router_away() {
    let with = |servers: &[&'static str]| {
        let mut events = vec![client(1, ROUTER, "10.0.0.7")];
        events.extend(servers.iter().map(|s| Event::Server(ROUTER, s)));
        let (identity, ids) = told(&events);
        identity.view(ids[0]).key
    };
    assert_eq!(with(&["203.0.113.1"]), "mac:00:11:22:00:00:01");
    assert_eq!(with(&["203.0.113.1", "198.51.100.1"]), "addr:10.0.0.7@10");
    assert_eq!(with(&["10.9.0.1", "10.9.0.2"]), "mac:00:11:22:00:00:01");
    assert_eq!(with(&["10.9.0.1", "10.9.0.2", "10.9.0.3"]), "addr:10.0.0.7@10");
}

#[test]
fn virtual_routers_and_proxy_arp() {
    let vrrp = Mac([0, 0, 0x5e, 0, 1, 0x0a]);
    let (identity, ids) = told(&[client(1, vrrp, "10.0.0.7")]);
    assert_eq!(identity.view(ids[0]).key, "addr:10.0.0.7@10");
    // A router that answers ARP for all: leases, not its ARP, say who is who.
    let mut events = vec![Event::Fact(lease(0, PHONE, "10.0.0.7")), client(2, ROUTER, "10.0.0.7"), client(2, ROUTER, "10.0.0.8")];
    let answered = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"];
    events.extend(answered.iter().map(|a| Event::Fact(arp(1, ROUTER, a))));
    let (identity, ids) = told(&events);
    assert_eq!(keys(&identity, &ids), ["mac:02:00:00:00:00:07", "addr:10.0.0.8@10"]);
}

fn ipv6_only() -> Vec<Event> {
    let nd = |minutes, addr| Event::Fact(fact(BindingSource::Nd, minutes, PHONE, addr));
    vec![
        nd(0, "fe80::7"),
        nd(0, "2001:db8::a1"),
        client(1, PHONE, "2001:db8::a1"),
        nd(30, "2001:db8::b2"),
        client(31, PHONE, "2001:db8::b2"),
        client(60, PHONE, "2001:db8::c3"),
    ]
}

#[test]
fn ipv6_privacy_addresses_are_one_device() {
    let (identity, ids) = told(&ipv6_only());
    assert!(ids.iter().all(|id| identity.canonical(*id) == identity.canonical(ids[0])));
    let view = identity.view(ids[2]);
    assert_eq!(addresses(&view), ["2001:db8::a1", "2001:db8::b2", "2001:db8::c3", "fe80::7"]);
    assert_eq!(view.confidence, 0.90);
    let mut identity = Identity::new(Vec::new());
    let addr = |i: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, i]);
    let ids: Vec<DeviceId> = (1..=40).map(|i| identity.client(at(1), LAN, Some(ROUTER), addr(i))).collect();
    assert_eq!(identity.view(ids[0]).key, "addr:2001:db8::1@10", "forty at once in one prefix are not one device");
}

fn relayed() -> Vec<Event> {
    let relay = |minutes, mac, addr| Event::Fact(Fact { segment: GUEST, relay: Some(ip("10.0.0.1")), ..lease(minutes, mac, addr) });
    vec![relay(0, PHONE, "10.0.0.7"), client(1, ROUTER, "10.0.0.7"), relay(2, OTHER, "10.0.0.8"), client(3, ROUTER, "10.0.0.8")]
}

#[test]
fn a_relayed_lease_identifies_across_segments() {
    let (identity, ids) = told(&relayed());
    assert_eq!(keys(&identity, &ids), ["mac:02:00:00:00:00:07", "mac:02:00:00:00:00:08"]);
    assert!(identity.view(ids[0]).behind_router);
    // Two networks that lease the same address at the same time: neither lease says anything about a third place.
    let mut twice = relayed();
    twice.push(Event::Fact(Fact { segment: GUEST, relay: Some(ip("10.0.0.1")), ..lease(0, OTHER, "10.0.0.7") }));
    let (identity, ids) = told(&twice);
    assert_eq!(identity.view(ids[0]).key, "mac:00:11:22:00:00:01");
}

#[test]
fn dual_stack_is_one_device() {
    let events = [
        Event::Fact(arp(0, LAPTOP, "10.0.0.9")),
        Event::Fact(fact(BindingSource::Nd, 0, LAPTOP, "2001:db8::9")),
        client(1, LAPTOP, "10.0.0.9"),
        client(2, LAPTOP, "2001:db8::9"),
    ];
    let (identity, ids) = told(&events);
    assert_eq!(identity.canonical(ids[0]), identity.canonical(ids[1]));
    let view = identity.view(ids[0]);
    assert_eq!((addresses(&view), view.randomised_mac), (vec!["10.0.0.9".into(), "2001:db8::9".into()], false));
}

#[test]
fn one_phone_in_two_segments_is_one_device() {
    let mut identity = Identity::new(Vec::new());
    let guest = identity.client(at(0), GUEST, Some(PHONE), ip("192.168.9.7"));
    let lan = identity.client(at(10), LAN, Some(PHONE), ip("10.0.0.7"));
    assert_eq!(identity.canonical(guest), identity.canonical(lan));
}

#[test]
fn the_register_joins_and_names() {
    let entry = |id: &str| RegisterEntry { id: id.into(), ..RegisterEntry::default() };
    let register = vec![
        RegisterEntry { macs: vec![LAPTOP, OTHER], designated: true, ..entry("laptop") },
        RegisterEntry { addrs: vec![ip("10.0.0.50")], ..entry("printer") },
        RegisterEntry { names: vec!["Kiosk".into()], ..entry("kiosk") },
    ];
    let kiosk = Mac([2, 0, 0, 0, 0, 0x33]);
    let printer = Mac([2, 0, 0, 0, 0, 0x50]);
    let events = [
        client(1, LAPTOP, "10.0.0.9"),
        client(2, OTHER, "10.0.0.10"),
        client(3, printer, "10.0.0.50"),
        client(4, printer, "2001:db8::50"),
        Event::Client(5, None, "10.0.0.50"),
        Event::Fact(hello(6, kiosk, "kiosk")),
        client(7, kiosk, "10.0.0.33"),
    ];
    let (identity, ids) = told_with(register, &events);
    assert_eq!(keys(&identity, &ids), ["reg:laptop", "reg:laptop", "reg:printer", "reg:printer", "reg:printer", "reg:kiosk"]);
    let view = identity.view(ids[0]);
    assert_eq!((view.confidence, addresses(&view)), (0.99, vec!["10.0.0.9".into(), "10.0.0.10".into()]));
    assert!(identity.register_entry(ids[1]).is_some_and(|e| e.designated));
    assert_eq!((identity.view(ids[2]).confidence, identity.view(ids[5]).confidence), (0.90, 0.60));
    assert_eq!(addresses(&identity.view(ids[2])), ["10.0.0.50", "2001:db8::50"]);
}

#[test]
fn an_address_of_the_register_does_not_cover_a_stranger() {
    let register = vec![RegisterEntry { id: "laptop".into(), macs: vec![LAPTOP], addrs: vec![ip("10.0.0.9")], ..RegisterEntry::default() }];
    let (identity, ids) = told_with(register, &[client(1, PHONE, "10.0.0.9"), client(2, LAPTOP, "10.0.0.9")]);
    assert_eq!(keys(&identity, &ids), ["mac:02:00:00:00:00:07", "reg:laptop"]);
}

#[test]
fn groups_are_nobody_and_made_up_addresses_are_not_shown() {
    let group = Mac([0x33, 0x33, 0, 0, 0, 0xfb]);
    let events = [
        Event::Fact(arp(0, group, "10.0.0.7")),
        client(1, group, "ff02::fb"),
        client(1, PHONE, "255.255.255.255"),
        client(1, PHONE, "169.254.3.4"),
        Event::Client(1, None, "10.0.0.7"),
    ];
    let (identity, ids) = told(&events);
    assert_eq!(keys(&identity, &ids), ["nobody", "mac:02:00:00:00:00:07", "mac:02:00:00:00:00:07", "addr:10.0.0.7@10"]);
    assert_eq!((identity.view(ids[0]).confidence, identity.view(ids[3]).confidence), (0.0, 0.50));
    assert_eq!(identity.view(ids[1]).addresses.len(), 0);
}

#[test]
fn names_without_a_mac_follow_the_address() {
    let said = |source, name: &str| Fact { mac: None, name: Some(name.into()), ..fact(source, 1, PHONE, "10.0.0.7") };
    let events = [
        Event::Fact(arp(0, PHONE, "10.0.0.7")),
        Event::Fact(said(BindingSource::Netbios, "JANA-PC")),
        Event::Fact(said(BindingSource::Mdns, "janas-pixel.local")),
        client(2, PHONE, "10.0.0.7"),
    ];
    let (identity, ids) = told(&events);
    assert_eq!(identity.view(ids[0]).names, ["janas-pixel", "jana-pc"]);
}

#[test]
fn a_flood_of_names_and_facts_is_bounded() {
    let mut identity = Identity::new(Vec::new());
    for i in 0..2_000u64 {
        identity.learn(&hello(i, PHONE, &format!("name-{i}")));
        identity.learn(&arp(i, Mac([2, 1, 0, 0, (i >> 8) as u8, i as u8]), "10.0.0.7"));
        identity.client(at(i), LAN, Some(PHONE), IpAddr::from([10, 1, (i >> 8) as u8, i as u8]));
    }
    assert!(identity.named.len() <= 8, "{}", identity.named.len());
    let station = identity.stations.peek(&PHONE).expect("known");
    assert!(station.sent.len() <= station::ADDRESSES_MAX);
    let host = identity.hosts.peek(&Place { segment: Some(LAN), addr: ip("10.0.0.7") }).expect("known");
    assert!(host.holders().count() <= 256);
}

/// Every scenario, what it is told and a register.
fn scenarios() -> Vec<Vec<Event>> {
    let router: Vec<Event> = MANY.iter().map(|a| client(1, ROUTER, a)).chain([Event::Fact(arp(2, PHONE, MANY[1]))]).collect();
    vec![renewal(), same_address(), same_address_routed(), rotation(30), rotation(90), ipv6_only(), relayed(), router]
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(which in 0usize..8, seed in proptest::collection::vec(any::<u32>(), 16)) {
        let events = scenarios().swap_remove(which);
        let (straight, ids) = told(&events);
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_key(|i| seed[*i]);
        let (shuffled, other) = tell(Vec::new(), &events, &order);
        for (a, b) in ids.iter().zip(&other) {
            prop_assert_eq!(straight.view(*a), shuffled.view(*b));
            for (c, d) in ids.iter().zip(&other) {
                prop_assert_eq!(straight.canonical(*a) == straight.canonical(*c), shuffled.canonical(*b) == shuffled.canonical(*d));
            }
        }
    }

    #[test]
    fn any_facts_in_any_order(
        steps in proptest::collection::vec((0u64..600, 0u8..4, 0u8..4, 0u8..4, any::<bool>(), any::<u32>()), 1..14),
    ) {
        let macs = [PHONE, OTHER, LAPTOP, ROUTER];
        let addrs = ["10.0.0.7", "10.0.0.8", "2001:db8::7", "2001:db8::8"];
        let event = |(i, (minute, kind, mac, addr, flag, _)): (usize, &(u64, u8, u8, u8, bool, u32))| {
            // No two at the same moment: then there is one right answer.
            let (ts, mac, addr) = (minute * 20 + i as u64, macs[usize::from(*mac)], addrs[usize::from(*addr)]);
            match kind {
                0 => Event::Fact(Fact { released: *flag, ..lease(ts, mac, addr) }),
                1 => Event::Fact(arp(ts, mac, addr)),
                2 => Event::Fact(Fact { name: Some("x".into()), ..fact(BindingSource::DhcpRequest, ts, mac, addr) }),
                _ => client(ts, mac, addr),
            }
        };
        let events: Vec<Event> = steps.iter().enumerate().map(event).collect();
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_key(|i| steps[*i].5);
        let (straight, ids) = told(&events);
        let (shuffled, other) = tell(Vec::new(), &events, &order);
        for (a, b) in ids.iter().zip(&other) {
            prop_assert_eq!(straight.view(*a), shuffled.view(*b));
        }
    }
}

#[test]
fn a_full_table_drops_the_longest_unseen_and_counts_it() {
    let mut identity = Identity::new(Vec::new());
    let mac = |i: u32| Mac([2, 0x10, (i >> 24) as u8, (i >> 16) as u8, (i >> 8) as u8, i as u8]);
    let kept = identity.client(at(0), LAN, Some(PHONE), ip("10.0.0.7"));
    let first = identity.client(at(0), LAN, Some(OTHER), ip("10.0.0.8"));
    for i in 0..DEVICES_MAX as u32 {
        identity.learn(&Fact { addr: None, ..arp(1, mac(i), "10.0.0.9") });
        if i == 100 {
            identity.client(at(1), LAN, Some(PHONE), ip("10.0.0.7"));
        }
    }
    assert_eq!(identity.evicted(), 2);
    assert_eq!(identity.view(kept).key, "mac:02:00:00:00:00:07");
    assert!(identity.stations.peek(&PHONE).is_some() && identity.stations.peek(&OTHER).is_none());
    assert_eq!(
        (identity.canonical(first), identity.view(first).key.as_str()),
        (first, "mac:02:00:00:00:00:08"),
        "still told, no longer joined"
    );
}
