//! After a restart a device is the same device.

use super::*;

/// What another identity, told only what this one remembers of its devices, makes of them.
fn restarted(identity: &Identity, devices: &[DeviceId]) -> Identity {
    let mut after = Identity::new(Vec::new());
    let mut facts: Vec<Fact> = devices.iter().flat_map(|id| identity.remember(*id)).collect();
    // In any order.
    facts.reverse();
    facts.iter().for_each(|fact| after.learn(fact));
    after
}

fn seen(identity: &mut Identity, minutes: u64, mac: Mac, addr: &str) -> DeviceView {
    let id = identity.client(at(minutes), LAN, Some(mac), ip(addr));
    identity.view(id)
}

#[test]
fn a_rotated_mac_is_still_the_same_phone() {
    let events = [
        Event::Fact(hello(0, PHONE, "anna-s-phone")),
        Event::Fact(lease(0, PHONE, "10.0.0.7")),
        client(1, PHONE, "10.0.0.7"),
        Event::Fact(hello(60, OTHER, "anna-s-phone")),
        Event::Fact(lease(60, OTHER, "10.0.0.8")),
        client(61, OTHER, "10.0.0.8"),
    ];
    let (before, handles) = tell(Vec::new(), &events, &[0, 1, 2, 3, 4, 5]);
    let old = before.view(handles[0]);
    let mut after = restarted(&before, &handles);
    let new = seen(&mut after, 90, OTHER, "10.0.0.8");
    assert_eq!((&new.key, &new.names, &new.mac, &new.addresses), (&old.key, &old.names, &old.mac, &old.addresses));
    // The next MAC joins as it would have without the restart.
    let third = Mac([2, 0, 0, 0, 0, 9]);
    after.learn(&hello(120, third, "anna-s-phone"));
    assert_eq!(seen(&mut after, 121, third, "10.0.0.9").key, old.key);
}

#[test]
fn a_kind_that_speaks_against_it_still_does() {
    let kind = |minutes, mac, list| Fact { parameters: Some(list), ..hello(minutes, mac, "anna-s-phone") };
    let events = [Event::Fact(kind(0, PHONE, 1)), client(1, PHONE, "10.0.0.7")];
    let (before, handles) = tell(Vec::new(), &events, &[0, 1]);
    let mut after = restarted(&before, &handles);
    after.learn(&kind(60, OTHER, 2));
    assert_eq!(seen(&mut after, 61, OTHER, "10.0.0.8").key, format!("mac:{OTHER}"));
}
