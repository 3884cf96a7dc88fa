//! Merges and splits: the operator's word.

use super::*;

fn link(kind: LinkKind, a: &str, b: &str, minutes: u64) -> Link {
    Link { kind, a: a.into(), b: b.into(), reason: "seen by eye".into(), at: at(minutes), by: "anna".into() }
}

fn merge(a: &str, b: &str, minutes: u64) -> Link {
    link(LinkKind::Merge, a, b, minutes)
}

fn split(a: &str, b: &str, minutes: u64) -> Link {
    link(LinkKind::Split, a, b, minutes)
}

const PHONE_KEY: &str = "mac:02:00:00:00:00:07";
const OTHER_KEY: &str = "mac:02:00:00:00:00:08";
const LAPTOP_KEY: &str = "mac:00:11:22:00:00:09";

fn three() -> Vec<Event> {
    vec![client(1, PHONE, "10.0.0.7"), client(2, OTHER, "10.0.0.8"), client(3, LAPTOP, "10.0.0.9"), Event::Client(4, None, "10.0.0.10")]
}

fn linked(register: Vec<RegisterEntry>, events: &[Event], links: &[Link]) -> (Identity, Vec<DeviceId>) {
    let (mut identity, ids) = told_with(register, events);
    identity.set_links(links.to_vec());
    (identity, ids)
}

#[test]
fn a_merge_makes_one_device_of_two() {
    let (identity, ids) = linked(Vec::new(), &three(), &[merge(PHONE_KEY, LAPTOP_KEY, 9)]);
    assert_eq!(identity.canonical(ids[0]), identity.canonical(ids[2]));
    assert_ne!(identity.canonical(ids[0]), identity.canonical(ids[1]));
    let view = identity.view(ids[0]);
    assert_eq!((view.key.as_str(), addresses(&view)), (LAPTOP_KEY, vec!["10.0.0.7".into(), "10.0.0.9".into()]), "the smaller key");
    assert!(view.reasons.iter().any(|r| r == "joined with another by an operator"), "{view:?}");
    assert_eq!(view, identity.view(identity.canonical(ids[2])));
    assert_eq!(identity.links().len(), 1);
}

#[test]
fn the_register_has_what_is_merged_with_it() {
    let entry = RegisterEntry { id: "ZULU".into(), macs: vec![OTHER], ..RegisterEntry::default() };
    let links = [merge("reg:ZULU", PHONE_KEY, 9), merge("addr:10.0.0.10@10", PHONE_KEY, 9)];
    let (mut identity, ids) = linked(vec![entry.clone()], &three(), &links);
    assert_eq!(keys(&identity, &ids), ["reg:ZULU", "reg:ZULU", LAPTOP_KEY, "reg:ZULU"]);
    assert_eq!(identity.register_entry(ids[3]).map(|e| &*e.id), Some("ZULU"));
    assert_eq!(addresses(&identity.view(ids[0])), ["10.0.0.7", "10.0.0.8", "10.0.0.10"]);
    identity.set_register(Vec::new());
    assert_eq!(keys(&identity, &ids), ["addr:10.0.0.10@10", OTHER_KEY, LAPTOP_KEY, "addr:10.0.0.10@10"], "the entry is gone");
    identity.set_register(vec![entry]);
    assert_eq!(keys(&identity, &ids), ["reg:ZULU", "reg:ZULU", LAPTOP_KEY, "reg:ZULU"], "and there again");
}

#[test]
fn a_split_beats_a_rotation_and_a_later_merge_beats_the_split() {
    let events = rotation(30);
    let one = |links: &[Link]| {
        let (identity, ids) = linked(Vec::new(), &events, links);
        (identity.canonical(ids[0]) == identity.canonical(ids[1]), identity.view(ids[1]).reasons.join("; "))
    };
    assert!(one(&[]).0);
    let (joined, why) = one(&[split(OTHER_KEY, PHONE_KEY, 5)]);
    assert!(!joined && why.contains("kept apart by hand"), "{why}");
    let (joined, why) = one(&[split(PHONE_KEY, OTHER_KEY, 5), merge(OTHER_KEY, PHONE_KEY, 6)]);
    assert!(joined, "{why}");
    assert!(!one(&[merge(OTHER_KEY, PHONE_KEY, 6), split(PHONE_KEY, OTHER_KEY, 7)]).0);
    assert!(!one(&[merge(OTHER_KEY, PHONE_KEY, 7), split(PHONE_KEY, OTHER_KEY, 7)]).0, "at the same moment the split counts");
    assert!(one(&[split(LAPTOP_KEY, PHONE_KEY, 5)]).0, "of others");
}

#[test]
fn a_split_keeps_a_name_of_the_register_away_but_not_its_mac() {
    let entry = |macs| RegisterEntry { id: "P".into(), names: vec!["janas-pixel".into()], macs, ..RegisterEntry::default() };
    let apart = [split("reg:P", PHONE_KEY, 1)];
    let (identity, ids) = linked(vec![entry(vec![])], &rotation(30), &[]);
    assert_eq!(keys(&identity, &ids), ["reg:P"; 3]);
    let (identity, ids) = linked(vec![entry(vec![])], &rotation(30)[..2], &apart);
    assert_eq!(keys(&identity, &ids), [PHONE_KEY]);
    let (identity, ids) = linked(vec![entry(vec![PHONE])], &rotation(30)[..2], &apart);
    assert_eq!(keys(&identity, &ids), ["reg:P"], "a MAC in the register is the operator's word as well");
}

#[test]
fn links_that_name_nobody_change_nothing() {
    let nonsense = [merge("reg:", "reg:NOBODY", 1), merge("mac:zz", PHONE_KEY, 1), merge(PHONE_KEY, PHONE_KEY, 1), split("x", "", 1)];
    let (identity, ids) = linked(Vec::new(), &three(), &nonsense);
    assert_eq!(keys(&identity, &ids), [PHONE_KEY, OTHER_KEY, LAPTOP_KEY, "addr:10.0.0.10@10"]);
    for (text, good) in [
        (PHONE_KEY, true),
        ("mac:00:11:22:00:00:09#laptop-b", true),
        ("reg:A", true),
        ("addr:10.0.0.7@3", true),
        ("addr:2001:db8::7", true),
        ("dev-0123456789ab", false),
        ("mac:", false),
        ("mac:00:11:22:00:00:09#", false),
        ("reg:", false),
        ("addr:10.0.0.7@x", false),
        ("nobody", false),
    ] {
        assert_eq!(is_device_key(text), good, "{text}");
    }
}

#[test]
fn devices_that_were_never_heard_of_can_be_merged() {
    let links = [merge(PHONE_KEY, "mac:00:00:00:00:00:01", 1), merge("mac:00:00:00:00:00:01", LAPTOP_KEY, 1)];
    let (identity, ids) = linked(Vec::new(), &three(), &links);
    assert_eq!(keys(&identity, &ids), ["mac:00:00:00:00:00:01", OTHER_KEY, "mac:00:00:00:00:00:01", "addr:10.0.0.10@10"]);
    assert_eq!(identity.canonical(ids[0]), identity.canonical(ids[2]));
    assert_eq!(identity.view(ids[0]).mac, Some(LAPTOP), "the latest that was heard");
}

/// Keys of six devices, merged or split at times.
fn any_links() -> impl Strategy<Value = Vec<(usize, usize, bool, u64)>> {
    proptest::collection::vec((0usize..6, 0usize..6, any::<bool>(), 0u64..5), 0..10)
}

fn mac_of(i: usize) -> Mac {
    Mac([0, 0x11, 0x22, 0, 1, i as u8])
}

fn six(links: &[(usize, usize, bool, u64)]) -> (Identity, Vec<DeviceId>) {
    let mut identity = Identity::new(Vec::new());
    let ids = (0..6).map(|i| identity.client(at(1), LAN, Some(mac_of(i)), IpAddr::from([10, 0, 2, i as u8]))).collect();
    let key = |i: usize| format!("mac:{}", mac_of(i));
    let made = |(a, b, merges, minute): &(usize, usize, bool, u64)| {
        link(if *merges { LinkKind::Merge } else { LinkKind::Split }, &key(*a), &key(*b), *minute)
    };
    identity.set_links(links.iter().map(made).collect());
    (identity, ids)
}

proptest! {
    /// Against the obvious way: of each pair the latest word counts, and what is merged is connected.
    #[test]
    fn merges_connect(links in any_links()) {
        let (identity, ids) = six(&links);
        let latest = |a: usize, b: usize| {
            let said = links.iter().filter(|(x, y, ..)| (*x, *y) == (a, b) || (*x, *y) == (b, a));
            said.max_by_key(|(_, _, merges, minute)| (*minute, !merges)).is_some_and(|l| l.2)
        };
        let mut near: BTreeSet<(usize, usize)> = (0..36).map(|n| (n / 6, n % 6)).filter(|(a, b)| a == b || latest(*a, *b)).collect();
        for via in 0..6 {
            let more: Vec<_> = (0..36).map(|n| (n / 6, n % 6)).filter(|(a, b)| near.contains(&(*a, via)) && near.contains(&(via, *b))).collect();
            near.extend(more);
        }
        for a in 0..6 {
            let smallest = (0..6).find(|b| near.contains(&(a, *b))).expect("itself");
            prop_assert_eq!(identity.view(ids[a]).key, format!("mac:{}", mac_of(smallest)));
            for b in 0..6 {
                prop_assert_eq!(identity.canonical(ids[a]) == identity.canonical(ids[b]), near.contains(&(a, b)), "{} {}", a, b);
            }
        }
    }

    #[test]
    fn the_order_of_links_does_not_matter(links in any_links(), seed in proptest::collection::vec(any::<u32>(), 10)) {
        let mut order: Vec<usize> = (0..links.len()).collect();
        order.sort_by_key(|i| seed[*i]);
        let shuffled: Vec<_> = order.iter().map(|i| links[*i]).collect();
        let ((a, ids), (b, _)) = (six(&links), six(&shuffled));
        for id in ids {
            prop_assert_eq!(a.view(id), b.view(id));
            prop_assert_eq!(a.canonical(id) == id, b.canonical(id) == id);
        }
    }
}
