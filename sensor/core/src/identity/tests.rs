//! Stories of devices and addresses.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

const SEG: SegmentKey = SegmentKey(1);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs_nanos(1_700_000_000 + secs, 0)
}

fn mac(n: u16) -> Mac {
    let [hi, lo] = n.to_be_bytes();
    Mac([0x00, 0x16, 0x3e, 0, hi, lo])
}

fn random_mac(n: u8) -> Mac {
    Mac([0x02, 0x11, 0x22, 0x33, 0x44, n])
}

fn addr(text: &str) -> IpAddr {
    text.parse().expect("address")
}

fn fact(source: BindingSource, secs: u64, mac: Mac, address: &str) -> Fact {
    let addr = Some(addr(address));
    Fact {
        ts: at(secs),
        segment: SEG,
        source,
        mac: Some(mac),
        addr,
        name: None,
        vendor_class: None,
        lifetime_secs: None,
        relay: None,
        released: false,
        router: false,
    }
}

fn dhcp(secs: u64, mac: Mac, address: &str, name: &str) -> Fact {
    Fact { name: Some(name.into()), ..fact(BindingSource::Dhcp, secs, mac, address) }
}

fn key(identity: &Identity, id: DeviceId) -> String {
    identity.roster().view(id).key
}

#[test]
fn a_renewal_with_another_address_is_the_same_device() {
    let mut i = Identity::default();
    i.learn(&dhcp(0, mac(1), "10.0.0.5", "laptop-7"));
    let before = i.client(at(10), SEG, Some(mac(1)), addr("10.0.0.5"));
    i.learn(&dhcp(3600, mac(1), "10.0.0.9", "laptop-7"));
    let after = i.client(at(3700), SEG, Some(mac(1)), addr("10.0.0.9"));
    assert_eq!(i.roster().canonical(after), before);
    let view = i.roster().view(after);
    assert_eq!(view.addresses, [addr("10.0.0.5"), addr("10.0.0.9")]);
    assert_eq!((view.names, view.confidence), (vec!["laptop-7".to_string()], 0.95));
}

#[test]
fn an_address_that_is_given_to_another_is_another_device() {
    let mut i = Identity::default();
    let router = mac(99);
    i.learn(&Fact { router: true, ..fact(BindingSource::Nd, 0, router, "fe80::1") });
    i.learn(&dhcp(0, mac(1), "10.0.0.5", "a"));
    let first = i.client(at(10), SEG, Some(router), addr("10.0.0.5"));
    i.learn(&dhcp(3600, mac(2), "10.0.0.5", "b"));
    let second = i.client(at(3700), SEG, Some(router), addr("10.0.0.5"));
    assert_ne!(i.roster().canonical(first), i.roster().canonical(second));
    assert_eq!(key(&i, second), format!("mac:{}", mac(2)));
    assert!(i.roster().view(second).behind_router);
}

#[test]
fn both_families_are_one_device() {
    let mut i = Identity::default();
    i.learn(&fact(BindingSource::Arp, 0, mac(1), "10.0.0.5"));
    i.learn(&fact(BindingSource::Nd, 0, mac(1), "2001:db8::5"));
    let four = i.client(at(1), SEG, Some(mac(1)), addr("10.0.0.5"));
    let six = i.client(at(2), SEG, Some(mac(1)), addr("2001:db8::5"));
    let private = i.client(at(3), SEG, Some(mac(1)), addr("2001:db8::aaaa:bbbb:cccc:dddd"));
    assert_eq!([i.roster().canonical(six), i.roster().canonical(private)], [four, four]);
    assert_eq!(i.roster().view(four).addresses.len(), 3);
}

#[test]
fn a_router_in_front_of_two_hundred() {
    let mut i = Identity::default();
    let ids: Vec<DeviceId> = (1..=200u8).map(|n| i.client(at(u64::from(n)), SEG, Some(mac(99)), addr(&format!("10.0.1.{n}")))).collect();
    let distinct: std::collections::BTreeSet<DeviceId> = ids.iter().map(|id| i.roster().canonical(*id)).collect();
    assert_eq!(distinct.len(), 200, "also the first ones, seen before it was known for a router");
    let view = i.roster().view(ids[0]);
    assert_eq!((view.mac, view.behind_router, view.confidence), (None, true, 0.4));
    assert_eq!(view.key, "addr:10.0.1.1@1");
}

#[test]
fn a_relayed_lease_names_the_device_behind_the_router() {
    let mut i = Identity::default();
    i.learn(&Fact { relay: Some(addr("10.0.7.1")), ..dhcp(0, mac(7), "10.0.7.20", "press-phone") });
    let id = i.client(at(5), SEG, Some(Mac([0, 0, 0x5e, 0, 1, 3])), addr("10.0.7.20"));
    let view = i.roster().view(id);
    assert_eq!((view.mac, view.behind_router, view.names.len()), (Some(mac(7)), true, 1));
}

#[test]
fn rotation_is_stitched_on_evidence_only() {
    let mut i = Identity::default();
    for (n, secs, name) in [(1, 0, "anna-phone"), (2, 5000, "anna-phone"), (3, 100, "iPhone"), (4, 6000, "iPhone")] {
        i.learn(&dhcp(secs, random_mac(n), &format!("10.0.0.{n}"), name));
        i.client(at(secs + 1), SEG, Some(random_mac(n)), addr(&format!("10.0.0.{n}")));
    }
    let keys: Vec<String> = (0..4).map(|n| key(&i, DeviceId(n))).collect();
    assert_eq!(keys[0], keys[1], "the same name, one after the other");
    assert_ne!(keys[2], keys[3], "a name that thousands have");
    let view = i.roster().view(DeviceId(1));
    assert!(view.randomised_mac && view.reasons.iter().any(|r| r.contains("DHCP host name")), "{view:?}");
}

#[test]
fn the_register_decides() {
    let entry = RegisterEntry { id: "laptop-7".into(), macs: vec![mac(1), mac(2)], ..RegisterEntry::default() };
    let named = RegisterEntry { id: "tablet".into(), names: vec!["tab-1".into()], ..RegisterEntry::default() };
    let mut i = Identity::new(vec![entry, named]);
    let wired = i.client(at(1), SEG, Some(mac(1)), addr("10.0.0.5"));
    let wireless = i.client(at(2), SegmentKey(2), Some(mac(2)), addr("10.0.9.5"));
    assert_eq!(i.roster().canonical(wireless), wired);
    i.learn(&dhcp(3, random_mac(1), "10.0.0.8", "TAB-1"));
    let tablet = i.client(at(4), SEG, Some(random_mac(1)), addr("10.0.0.8"));
    assert_eq!((key(&i, tablet).as_str(), i.roster().view(tablet).confidence), ("reg:tablet", 0.99));
}

#[test]
fn servers_behind_a_mac_make_it_a_router() {
    let mut i = Identity::default();
    for server in ["198.51.100.1", "198.51.100.2"] {
        i.server(SEG, Some(mac(99)), addr(server));
    }
    let id = i.client(at(1), SEG, Some(mac(99)), addr("10.0.0.5"));
    assert_eq!(key(&i, id), "addr:10.0.0.5@1");
    assert_eq!(
        {
            let id = i.client(at(1), SEG, Some(mac(5)), addr("10.0.0.6"));
            i.roster().view(id).key
        },
        format!("mac:{}", mac(5))
    );
}

proptest! {
    #[test]
    fn the_order_of_facts_does_not_matter(order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle()) {
        let facts = [
            dhcp(0, mac(1), "10.0.0.5", "a"),
            fact(BindingSource::Arp, 5, mac(1), "10.0.0.5"),
            fact(BindingSource::Nd, 6, mac(1), "2001:db8::5"),
            dhcp(100, mac(2), "10.0.0.6", "b"),
            fact(BindingSource::Arp, 101, mac(2), "10.0.0.6"),
            Fact { router: true, ..fact(BindingSource::Nd, 3, mac(9), "fe80::9") },
        ];
        let views = |facts: Vec<&Fact>| {
            let mut i = Identity::default();
            facts.iter().for_each(|f| i.learn(f));
            let a = i.client(at(200), SEG, Some(mac(9)), addr("10.0.0.5"));
            let b = i.client(at(200), SEG, Some(mac(2)), addr("10.0.0.6"));
            (i.roster().view(a), i.roster().view(b))
        };
        prop_assert_eq!(views(order.iter().map(|n| &facts[*n]).collect()), views(facts.iter().collect()));
    }
}
