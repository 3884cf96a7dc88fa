//! NICs that several devices use in turn.

use super::*;

/// A client's word in DHCP: its name, and hashes of what it asks for and of its identifier.
fn word(minutes: u64, name: &str, asks: u64, id: Option<u64>) -> Event {
    let name = (!name.is_empty()).then(|| name.into());
    Event::Fact(Fact { name, parameters: Some(asks), client_id: id, ..fact(BindingSource::DhcpRequest, minutes, LAPTOP, "10.0.0.9") })
}

fn docked() -> Vec<Event> {
    vec![
        client(1, LAPTOP, "10.0.0.9"),
        word(10, "laptop-a", 1, None),
        client(11, LAPTOP, "10.0.0.9"),
        word(60, "laptop-b", 1, None),
        client(61, LAPTOP, "10.0.0.9"),
        word(120, "laptop-a.example.org", 1, None),
        client(121, LAPTOP, "10.0.0.9"),
        client(300, LAPTOP, "10.0.0.9"),
    ]
}

const DOCK: &str = "mac:00:11:22:00:00:09";

#[test]
fn each_name_on_a_nic_is_a_device_of_its_own_while_it_is_there() {
    let (identity, ids) = told(&docked());
    let (a, b) = (format!("{DOCK}#laptop-a"), format!("{DOCK}#laptop-b"));
    assert_eq!(keys(&identity, &ids), [DOCK, &a, &b, &a, &a], "nobody knows who it was before the first word");
    assert_eq!(identity.canonical(ids[1]), identity.canonical(ids[3]));
    assert_ne!(identity.canonical(ids[1]), identity.canonical(ids[2]));
    let view = identity.view(ids[2]);
    assert_eq!((view.names.as_slice(), addresses(&view)), (&["laptop-b".to_owned()][..], vec!["10.0.0.9".to_owned()]));
    assert!(view.shared_nic && view.confidence <= 0.70 && view.reasons.iter().any(|r| r.contains("told apart")), "{view:?}");
    let nobody = identity.view(ids[0]);
    assert!(nobody.shared_nic && nobody.confidence <= 0.50, "{nobody:?}");
    assert_eq!(view, identity.view(identity.canonical(ids[2])), "the device says what its sighting says");
}

#[test]
fn one_device_with_one_name_stays_one() {
    for calls in [
        vec![word(1, "laptop-a", 1, None), word(9, "laptop-a", 2, None)],
        vec![word(1, "laptop-a", 1, None), word(9, "", 1, Some(5))],
        vec![word(1, "laptop-a", 1, None), word(9, "localhost", 2, Some(5))],
    ] {
        let (identity, ids) = told(&[calls, vec![client(20, LAPTOP, "10.0.0.9")]].concat());
        let view = identity.view(ids[0]);
        assert!(view.key == DOCK && !view.shared_nic, "{view:?}");
    }
}

#[test]
fn a_game_with_names_is_one_device_and_says_that_nothing_tells() {
    let mut events: Vec<Event> = (0..40).map(|i| word(i, &format!("n-{i}"), i, None)).collect();
    events.push(client(50, LAPTOP, "10.0.0.9"));
    let (identity, ids) = told(&events);
    let view = identity.view(ids[0]);
    assert_eq!((view.key.as_str(), view.shared_nic, view.confidence), (DOCK, true, 0.50));
}

#[test]
fn the_register_has_the_laptop_that_it_names() {
    let named =
        |id: &str, name: &str, macs: Vec<Mac>| RegisterEntry { id: id.into(), names: vec![name.into()], macs, ..RegisterEntry::default() };
    let (identity, ids) = told_with(vec![named("A", "laptop-a", vec![]), named("B", "laptop-b", vec![OTHER])], &docked());
    let other = format!("{DOCK}#laptop-b");
    assert_eq!(keys(&identity, &ids), [DOCK, "reg:A", &other, "reg:A", "reg:A"], "an entry with MACs is known by them alone");
    let (identity, ids) = told_with(vec![named("A", "laptop-a", vec![LAPTOP])], &docked());
    assert_eq!(keys(&identity, &ids), ["reg:A", "reg:A", &other, "reg:A", "reg:A"], "the owner of the dock is not blamed for the other");
    let unnamed = RegisterEntry { id: "DOCK".into(), macs: vec![LAPTOP], ..RegisterEntry::default() };
    let (identity, ids) = told_with(vec![unnamed], &docked());
    assert!(keys(&identity, &ids).iter().all(|k| k == "reg:DOCK"));
    assert!(identity.view(ids[0]).shared_nic && identity.view(ids[0]).confidence <= 0.70);
}

#[test]
fn a_name_from_a_shared_nic_joins_no_rotation() {
    let mut events = docked();
    events.push(Event::Fact(hello(400, PHONE, "laptop-b")));
    events.push(client(401, PHONE, "10.0.0.7"));
    let (identity, ids) = told(&events);
    let view = identity.view(ids[5]);
    assert_eq!(view.key, "mac:02:00:00:00:00:07");
    assert!(view.reasons.iter().any(|r| r.contains("over a NIC that several devices use")), "{view:?}");
}

#[test]
fn what_dhcp_asks_for_speaks_for_or_against_a_rotation() {
    let asks = |minutes, mac, list| Event::Fact(Fact { parameters: list, ..hello(minutes, mac, "janas-pixel") });
    let pair = |first, second| {
        let events = [asks(0, PHONE, first), client(1, PHONE, "10.0.0.7"), asks(60, OTHER, second), client(61, OTHER, "10.0.0.8")];
        let (identity, ids) = told(&events);
        (identity.canonical(ids[0]) == identity.canonical(ids[1]), identity.view(ids[1]).reasons.join("; "))
    };
    let (joined, why) = pair(Some(1), Some(1));
    assert!(joined && why.contains("both ask for the same in DHCP"), "{why}");
    let (joined, why) = pair(Some(1), Some(2));
    assert!(!joined && why.contains("is another system's: not joined"), "{why}");
    let (joined, why) = pair(Some(1), None);
    assert!(joined && !why.contains("ask for the same"), "{why}");
}

#[test]
fn stays_and_names_of_a_device() {
    let mut events = renewal();
    events.push(Event::Fact(Fact { name: Some("pixel.local".into()), mac: None, ..fact(BindingSource::Mdns, 92, PHONE, "10.0.0.9") }));
    let (identity, ids) = told(&events);
    let stays: Vec<_> =
        identity.stays(ids[0]).iter().map(|s| format!("{} {:?} {}", s.addr, s.sources, s.last.since(s.first).as_secs())).collect();
    assert_eq!(stays, ["10.0.0.7 [Dhcp] 60", "10.0.0.9 [Dhcp] 60"]);
    let names: Vec<_> = identity.names_given(ids[0]).into_iter().map(|n| (n.source, n.name)).collect();
    assert_eq!(names, [(BindingSource::Dhcp, "pixel-7".into()), (BindingSource::Mdns, "pixel".into())]);
    let (identity, ids) = told(&docked());
    let times = |id| identity.stays(id).iter().map(|s| (s.first, s.last)).collect::<Vec<_>>();
    assert!(!times(ids[1]).is_empty() && !times(ids[2]).is_empty());
}

proptest! {
    #[test]
    fn the_order_of_calls_does_not_matter(seed in proptest::collection::vec(any::<u32>(), 8)) {
        let events = docked();
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_key(|i| seed[*i]);
        let (straight, ids) = told(&events);
        let (shuffled, other) = tell(Vec::new(), &events, &order);
        for (a, b) in ids.iter().zip(&other) {
            prop_assert_eq!(straight.view(*a), shuffled.view(*b));
        }
    }

    /// Against the obvious way: who spoke last.
    #[test]
    fn a_tenant_is_whoever_spoke_last(calls in proptest::collection::btree_map(1u64..500, 0usize..3, 2..12), asked in 1u64..600) {
        let names = ["a", "b", "c"];
        let mut events: Vec<Event> = calls.iter().map(|(minute, who)| word(*minute, names[*who], 1, None)).collect();
        events.push(client(asked, LAPTOP, "10.0.0.9"));
        let (identity, ids) = told(&events);
        let several = calls.values().collect::<BTreeSet<_>>().len() > 1;
        let last = calls.range(..=asked).next_back().map(|(_, who)| names[*who]);
        let expect = last.filter(|_| several).map_or_else(|| DOCK.to_owned(), |name| format!("{DOCK}#{name}"));
        prop_assert_eq!(identity.view(ids[0]).key, expect);
    }
}
