//! DHCP messages made by hand, cut and damaged.

use super::super::dns::testing::{bindings, input, notes, suffixes};
use super::*;

const PHONE: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// A message with the addresses that are not zero and the options behind the cookie.
fn dhcp(op: u8, kind: u8, ciaddr: [u8; 4], yiaddr: [u8; 4], giaddr: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut m = vec![op, 1, 6, 0, 0x39, 3, 0xf3, 0x26, 0, 0, 0, 0];
    for addr in [ciaddr, yiaddr, [0; 4], giaddr] {
        m.extend(addr);
    }
    m.extend(PHONE);
    m.resize(236, 0);
    m.extend(COOKIE.to_be_bytes());
    m.extend([53, 1, kind]);
    for (code, value) in options {
        m.extend([*code, value.len() as u8]);
        m.extend(*value);
    }
    m.push(255);
    m
}

const NOBODY: [u8; 4] = [0; 4];
const LEASED: [u8; 4] = [10, 0, 0, 7];

fn bound(message: &[u8]) -> Vec<String> {
    bindings(&DHCP, &input(Carrier::Udp, message))
}

#[test]
fn a_lease_from_discover_to_release() {
    let who: [(u8, &[u8]); 2] = [(12, b"pixel-7\0"), (60, b"android-dhcp-14")];
    let discover = dhcp(1, 1, NOBODY, NOBODY, NOBODY, &who);
    assert_eq!(bound(&discover), ["dhcp-request 02:00:00:00:00:07 name=pixel-7 class=android-dhcp-14"]);
    let offer = dhcp(2, 2, NOBODY, LEASED, NOBODY, &[(51, &[0, 0, 14, 16]), (54, &[10, 0, 0, 1])]);
    assert_eq!(bound(&offer).len(), 0, "the client may take another offer");
    let request = dhcp(1, 3, NOBODY, NOBODY, NOBODY, &[(50, &LEASED), (54, &[10, 0, 0, 1]), (12, b"pixel-7")]);
    assert_eq!(bound(&request), ["dhcp-request 02:00:00:00:00:07 10.0.0.7 name=pixel-7"]);
    let ack = dhcp(2, 5, NOBODY, LEASED, NOBODY, &[(51, &[0, 0, 14, 16])]);
    assert_eq!(bound(&ack), ["dhcp 02:00:00:00:00:07 10.0.0.7 3600s"]);
    let renewal = dhcp(1, 3, LEASED, NOBODY, NOBODY, &[]);
    assert_eq!(bound(&renewal), ["dhcp-request 02:00:00:00:00:07 10.0.0.7"]);
    let release = dhcp(1, 7, LEASED, NOBODY, NOBODY, &[]);
    assert_eq!(bound(&release), ["dhcp 02:00:00:00:00:07 10.0.0.7 released"]);
    let decline = dhcp(1, 4, NOBODY, NOBODY, NOBODY, &[(50, &LEASED)]);
    assert_eq!(bound(&decline), ["dhcp 02:00:00:00:00:07 10.0.0.7 released"]);
    assert_eq!(bound(&dhcp(2, 6, NOBODY, NOBODY, NOBODY, &[])).len(), 0, "nak");
}

#[test]
fn a_relayed_lease_is_the_clients() {
    let ack = dhcp(2, 5, NOBODY, LEASED, [10, 0, 0, 254], &[(51, &[0, 0, 0, 60]), (82, b"\x01\x03v10\x02\x04sw-1")]);
    assert_eq!(bound(&ack), ["dhcp 02:00:00:00:00:07 10.0.0.7 60s via=10.0.0.254"]);
}

#[test]
fn inform_is_acknowledged_without_an_address_of_its_own() {
    assert_eq!(bound(&dhcp(1, 8, LEASED, NOBODY, NOBODY, &[])), ["dhcp-request 02:00:00:00:00:07 10.0.0.7"]);
    assert_eq!(bound(&dhcp(2, 5, LEASED, NOBODY, NOBODY, &[])), ["dhcp 02:00:00:00:00:07 10.0.0.7"]);
}

#[test]
fn names_in_every_form() {
    for (option, name) in [
        (&b"\x00\xff\xfflaptop.corp.example"[..], "laptop.corp.example"),
        (b"\x04\x00\x00\x06laptop\x04corp\x00", "laptop.corp"),
        (b"\x04\x00\x00\x06laptop", "laptop"),
    ] {
        let discover = dhcp(1, 1, NOBODY, NOBODY, NOBODY, &[(81, option)]);
        assert_eq!(bound(&discover), [format!("dhcp-request 02:00:00:00:00:07 name={name}")]);
    }
    assert!(HOSTNAME.personal && FQDN.personal);
}

#[test]
fn client_identifier_where_there_is_no_hardware_address() {
    let mut ack = dhcp(2, 5, NOBODY, LEASED, NOBODY, &[(61, &[1, 2, 0, 0, 0, 0, 8])]);
    ack[2] = 0;
    assert_eq!(bound(&ack), ["dhcp 02:00:00:00:00:08 10.0.0.7"]);
}

#[test]
fn suffixes_come_from_servers_only() {
    // RFC 3397 section 2: the list is split over two options, and the second name points into the first.
    let list: [(u8, &[u8]); 3] = [(119, b"\x03eng\x05apple\x03com\x00\x09marke"), (119, b"ting\xc0\x04"), (15, b"work.example\0")];
    let ack = dhcp(2, 5, NOBODY, LEASED, NOBODY, &list);
    assert_eq!(suffixes(&DHCP, &input(Carrier::Udp, &ack)), ["work.example", "eng.apple.com", "marketing.apple.com"]);
    assert_eq!(suffixes(&DHCP, &input(Carrier::Udp, &dhcp(1, 3, NOBODY, NOBODY, NOBODY, &list))).len(), 0);
}

#[test]
fn options_overflow_into_file_and_sname() {
    let mut ack = dhcp(2, 5, NOBODY, LEASED, NOBODY, &[(52, &[3])]);
    ack[108..114].copy_from_slice(&[51, 4, 0, 0, 0, 9]);
    ack[44..50].copy_from_slice(b"\x0f\x03lan\xff");
    assert_eq!(bound(&ack), ["dhcp 02:00:00:00:00:07 10.0.0.7 9s"]);
    assert_eq!(suffixes(&DHCP, &input(Carrier::Udp, &ack)), ["lan"]);
    ack[243 + 2] = 0;
    assert_eq!(bound(&ack), ["dhcp 02:00:00:00:00:07 10.0.0.7"]);
}

#[test]
fn fields() {
    let discover = dhcp(1, 1, NOBODY, NOBODY, NOBODY, &[(60, b"MSFT 5.0"), (55, &[1, 3, 6, 15])]);
    let seen = notes(&DHCP, &input(Carrier::Udp, &discover)).seen;
    assert_eq!(seen[0].fields, ["dhcp.message=discover", "dhcp.vendor_class=MSFT 5.0", "dhcp.parameters=1,3,6,15"]);
    assert_eq!(seen[0].sender, Some("client"));
}

#[test]
fn cut_or_flipped_it_never_panics_nor_binds_a_group() {
    let whole =
        dhcp(2, 5, NOBODY, LEASED, NOBODY, &[(51, &[0, 0, 0, 60]), (12, b"pixel"), (119, b"\x03eng\xc0\x00"), (81, b"\x04\0\0\x01a")]);
    for len in 0..whole.len() {
        let seen = notes(&DHCP, &input(Carrier::Udp, &whole[..len])).seen;
        assert_eq!(seen.is_empty(), len < 240, "{len}");
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        for line in bound(&flipped) {
            assert!(!line.contains(" 03:") && !line.contains("255.255.255.255"), "{line}");
        }
    }
}
