//! DHCPv6 messages made by hand, cut and damaged.

use super::super::dns::testing::{bindings, input, notes, suffixes};
use super::*;
use crate::net::Endpoint;

const LEASED: &str = "2001:db8::7";

fn addr(text: &str) -> Ipv6Addr {
    text.parse().expect("address")
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn ia_na(lifetime: u32) -> Vec<u8> {
    let address = [&addr(LEASED).octets()[..], &lifetime.to_be_bytes(), &lifetime.to_be_bytes()].concat();
    option(3, &[&[0; 12][..], &option(5, &address)].concat())
}

fn message(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 1, 2, 3][..], &options.concat()].concat()
}

fn relayed(kind: u8, link: &str, peer: &str, extra: &[u8], inner: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &addr(link).octets(), &addr(peer).octets(), extra, &option(9, inner)].concat()
}

/// DUID-LLT with the MAC 02:..:07 (section 11.2).
fn client_id() -> Vec<u8> {
    option(1, &[0, 1, 0, 1, 9, 9, 9, 9, 2, 0, 0, 0, 0, 7])
}

fn from<'a>(src: (&str, u16), dst: (&str, u16), bytes: &'a [u8]) -> Input<'a> {
    let end = |(a, port): (&str, u16)| Endpoint { addr: addr(a).into(), port };
    Input { src: end(src), dst: end(dst), ..input(Carrier::Udp, bytes) }
}

const CLIENT: (&str, u16) = ("fe80::7", 546);
const SERVER: (&str, u16) = ("fe80::1", 547);

#[test]
fn a_lease_from_solicit_to_release() {
    let fqdn = option(39, b"\x00\x06laptop");
    let class = option(16, &[&[0, 0, 1, 55, 0, 8][..], b"MSFT 5.0"].concat());
    let solicit = message(1, &[client_id(), fqdn, class]);
    let from_client = |m: &[u8]| bindings(&DHCP6, &from(CLIENT, SERVER, m));
    assert_eq!(
        from_client(&solicit),
        ["dhcp-request 02:00:00:00:00:99 name=laptop class=MSFT 5.0 id=\\x00\\x01\\x00\\x01\\t\\t\\t\\t\\x02\\x00\\x00\\x00\\x00\\x07"],
        "the frame's MAC before the DUID's"
    );
    assert_eq!(
        from_client(&message(3, &[client_id(), ia_na(0)])),
        ["dhcp-request 02:00:00:00:00:99 2001:db8::7 id=\\x00\\x01\\x00\\x01\\t\\t\\t\\t\\x02\\x00\\x00\\x00\\x00\\x07"]
    );
    let reply = message(7, &[client_id(), ia_na(600)]);
    assert_eq!(bindings(&DHCP6, &from(SERVER, CLIENT, &reply)), ["dhcp 02:00:00:00:00:07 2001:db8::7 600s"]);
    let eui = ("fe80::ff:fe00:8", 546);
    assert_eq!(bindings(&DHCP6, &from(SERVER, eui, &reply)), ["dhcp 02:00:00:00:00:08 2001:db8::7 600s"], "EUI-64 before the DUID");
    assert_eq!(
        from_client(&message(8, &[client_id(), ia_na(0)])),
        ["dhcp 02:00:00:00:00:99 2001:db8::7 id=\\x00\\x01\\x00\\x01\\t\\t\\t\\t\\x02\\x00\\x00\\x00\\x00\\x07 released"]
    );
    let taken_back = message(7, &[client_id(), ia_na(0)]);
    assert_eq!(bindings(&DHCP6, &from(SERVER, CLIENT, &taken_back)), ["dhcp 02:00:00:00:00:07 2001:db8::7 0s released"]);
    let advertise = message(2, &[client_id(), ia_na(600)]);
    assert_eq!(bindings(&DHCP6, &from(SERVER, CLIENT, &advertise)).len(), 0);
}

#[test]
fn relays_are_peeled() {
    let relay = ("2001:db8:f::2", 547);
    let server = ("2001:db8:f::1", 547);
    let inner = message(3, &[client_id(), ia_na(0)]);
    let stated = option(79, &[0, 1, 2, 0, 0, 0, 0, 9]);
    let forward = relayed(12, "2001:db8::1", "fe80::7", &stated, &inner);
    assert_eq!(
        bindings(&DHCP6, &from(relay, server, &forward)),
        ["dhcp-request 02:00:00:00:00:09 2001:db8::7 id=\\x00\\x01\\x00\\x01\\t\\t\\t\\t\\x02\\x00\\x00\\x00\\x00\\x07 via=2001:db8::1"]
    );
    let outer = relayed(12, "::", "2001:db8::1", &[], &forward);
    assert_eq!(
        bindings(&DHCP6, &from(relay, server, &outer)),
        ["dhcp-request 02:00:00:00:00:09 2001:db8::7 id=\\x00\\x01\\x00\\x01\\t\\t\\t\\t\\x02\\x00\\x00\\x00\\x00\\x07 via=2001:db8::1"]
    );
    let reply = relayed(13, "2001:db8::1", "fe80::ff:fe00:8", &[], &message(7, &[client_id(), ia_na(60)]));
    assert_eq!(bindings(&DHCP6, &from(server, relay, &reply)), ["dhcp 02:00:00:00:00:08 2001:db8::7 60s via=2001:db8::1"]);
    let by_duid = relayed(13, "::", "fe80::1", &[], &message(7, &[client_id(), ia_na(60)]));
    assert_eq!(bindings(&DHCP6, &from(server, relay, &by_duid)), ["dhcp 02:00:00:00:00:07 2001:db8::7 60s via=2001:db8:f::2"]);
}

#[test]
fn too_many_relays_are_refused() {
    let mut m = message(7, &[client_id(), ia_na(60)]);
    for layer in 1..=10 {
        m = relayed(13, "2001:db8::1", "fe80::7", &[], &m);
        assert_eq!(bindings(&DHCP6, &from(SERVER, CLIENT, &m)).len(), usize::from(layer <= RELAYS_MAX), "{layer}");
    }
}

#[test]
fn search_list() {
    let reply = message(7, &[client_id(), option(24, b"\x04work\x07example\x00\x03lan\x00")]);
    assert_eq!(suffixes(&DHCP6, &from(SERVER, CLIENT, &reply)), ["work.example", "lan"]);
}

#[test]
fn cut_or_flipped_it_never_panics() {
    let inner = message(7, &[client_id(), ia_na(60), option(24, b"\x03lan\x00"), option(39, b"\x00\x01a")]);
    let whole = relayed(13, "2001:db8::1", "fe80::7", &option(79, &[0, 1, 2, 0, 0, 0, 0, 9]), &inner);
    for len in 0..whole.len() {
        assert_eq!(bindings(&DHCP6, &from(SERVER, CLIENT, &whole[..len])).len(), 0, "{len}");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let seen = notes(&DHCP6, &from(SERVER, CLIENT, &flipped)).seen;
        assert!(seen.iter().flat_map(|s| &s.bindings).all(|b| !b.contains(" ff02:") && !b.contains(" 03:")));
    }
    assert_eq!((DHCP6.probe)(&input(Carrier::Udp, &inner)), Probe::No, "another port");
}
