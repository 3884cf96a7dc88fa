//! Frames made by hand, frames held against etherparse, frames damaged.

use std::net::IpAddr;

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::net::Mac;
use crate::time::Timestamp;

const TCP: [u8; 24] = [0x9c, 0x40, 1, 0xbb, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 1, 0, 0, 0, 0, 0, b'd', b'a', b't', b'a'];

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + payload.len()).expect("short").to_be_bytes();
    [&[0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1][..], payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).expect("short").to_be_bytes();
    let mut src = [0; 16];
    (src[0], src[1], src[15]) = (0x20, 0x01, 1);
    let mut dst = src;
    dst[15] = 2;
    [&[0x60, 0, 0, 0, high, low, next, 64][..], &src, &dst, payload].concat()
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0x5e, 0, 0x53, 2, 0, 0, 0x5e, 0, 0x53, 1][..], &ether_type.to_be_bytes(), payload].concat()
}

fn udp(dport: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("short");
    [&40_000u16.to_be_bytes()[..], &dport.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

fn frame(link_type: u16, bytes: &[u8]) -> Frame<'_> {
    Frame { ts: Timestamp::ZERO, link_type, interface: 0, bytes, wire_len: u32::try_from(bytes.len()).expect("short"), vlan: None }
}

/// `path | src > dst | payload`, or what was wrong.
fn shown(link_type: u16, bytes: &[u8]) -> String {
    let mut counts = DecodeCounts::default();
    let Some(packet) = decode(&frame(link_type, bytes), &mut counts) else {
        let wrong: Vec<&str> = counts.malformed().map(|(kind, _)| kind).collect();
        return format!("malformed {} deep {}", wrong.join(" "), counts.too_deep());
    };
    let path: Vec<String> = packet.path.hops().map(|h| format!("{h:?}")).collect();
    let body = match packet.body {
        Body::Arp(bytes) => format!("arp {}", bytes.len()),
        Body::Other => "other".into(),
        Body::Ip(ip) => {
            let payload = match ip.payload {
                Payload::Tcp(t) => format!("tcp {} {} {:?}", t.sport, t.dport, String::from_utf8_lossy(t.payload)),
                Payload::Udp(u) => format!("udp {} {} {}", u.sport, u.dport, u.payload.len()),
                Payload::Fragment(f) => format!("fragment {} {} {}", f.offset, f.more, f.bytes.len()),
                Payload::Opaque(name) => format!("opaque {name}"),
                Payload::Icmp6(bytes) => format!("icmp6 {}", bytes.len()),
                Payload::Other(n) => format!("protocol {n}"),
            };
            format!("{} > {} {payload}", ip.src, ip.dst)
        }
    };
    format!("{}|{body}", path.join(","))
}

const INNER: &str = "10.0.0.1 > 192.0.2.1 tcp 40000 443 \"data\"";
const INNER6: &str = "2001::1 > 2001::2 tcp 40000 443 \"data\"";

/// Everything that carries the same inner packet.
#[test]
fn every_carriage() {
    let ip = ipv4(6, &TCP);
    let eth = ethernet(0x0800, &ip);
    let over_udp = |port: u16, head: &[u8], inner: &[u8]| ethernet(0x0800, &ipv4(17, &udp(port, &[head, inner].concat())));
    let over = |protocol: u8, head: &[u8], inner: &[u8]| ethernet(0x0800, &ipv4(protocol, &[head, inner].concat()));
    let cases: Vec<(&str, u16, Vec<u8>, &str)> = vec![
        ("ethernet", 1, eth.clone(), ""),
        ("padding", 1, [&eth[..], &[0; 30]].concat(), ""),
        ("vlan", 1, ethernet(0x8100, &[&[0x60, 20, 0x08, 0x00][..], &ip].concat()), "Vlan(20)"),
        ("qinq", 1, ethernet(0x88a8, &[&[0, 7, 0x81, 0, 0, 20, 0x08, 0][..], &ip].concat()), "Vlan(7),Vlan(20)"),
        ("snap", 1, [&[0, 0, 0x5e, 0, 0x53, 2, 0, 0, 0x5e, 0, 0x53, 1][..], &[0, 52, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &ip].concat(), ""),
        ("mpls", 1, ethernet(0x8847, &[&[0, 1, 0, 64, 0, 2, 1, 64][..], &ip].concat()), "Mpls(16),Mpls(32)"),
        ("pseudo-wire", 1, ethernet(0x8847, &[&[0, 1, 1, 64, 0, 0, 0, 0][..], &eth].concat()), "Mpls(16)"),
        ("pppoe", 1, ethernet(0x8864, &[&[0x11, 0, 0, 9, 0, 46, 0, 0x21][..], &ip].concat()), "Pppoe(9)"),
        ("security tag", 1, ethernet(0x8909, &[&[1, 1, 0, 1, 0, 33, 8, 0][..], &ip].concat()), "Sgt(33)"),
        ("macsec", 1, ethernet(0x88e5, &[&[3, 0, 0, 0, 0, 9, 8, 0][..], &ip, &[0xcc; 16]].concat()), ""),
        ("macsec channel", 1, ethernet(0x88e5, &[&[0x23, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0][..], &ip, &[0xcc; 16]].concat()), ""),
        ("gre", 1, over(47, &[0x20, 0, 8, 0, 0, 0, 0, 5], &ip), "Gre(Some(5))"),
        ("gre ethernet", 1, over(47, &[0, 0, 0x65, 0x58], &eth), "Gre(None)"),
        ("erspan i", 1, over(47, &[0, 0, 0x88, 0xbe], &eth), "Gre(None)"),
        ("erspan ii", 1, over(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 77, 0, 0, 0, 0], &eth), "Gre(None),Erspan(77)"),
        (
            "erspan iii",
            1,
            over(47, &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 78, 0, 0, 0, 0, 0, 0, 0, 0], &eth),
            "Gre(None),Erspan(78)",
        ),
        ("pptp", 1, over(47, &[0x30, 1, 0x88, 0x0b, 0, 46, 0, 3, 0, 0, 0, 1, 0xff, 3, 0, 0x21], &ip), "Gre(Some(3014659))"),
        ("ip in ip", 1, over(4, &[], &ip), "IpIp"),
        ("vxlan", 1, over_udp(4789, &[8, 0, 0, 0, 0, 0x13, 0x88, 0], &eth), "Vxlan(5000)"),
        ("geneve", 1, over_udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 4], &eth), "Geneve(9)"),
        ("gtp", 1, over_udp(2152, &[0x34, 0xff, 0, 52, 0, 0, 0, 8, 0, 0, 0, 0x85, 1, 0, 0, 0], &ip), "Gtp(8)"),
        ("tzsp", 1, over_udp(37008, &[1, 0, 0, 1, 10, 1, 9, 1], &eth), "Tzsp"),
        ("ah", 1, over(51, &[6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], &TCP), ""),
        ("raw", 101, ip.clone(), ""),
        ("null little endian", 0, [&[2, 0, 0, 0][..], &ip].concat(), ""),
        ("loop", 108, [&[0, 0, 0, 2][..], &ip].concat(), ""),
        ("ppp", 9, [&[0xff, 3, 0, 0x21][..], &ip].concat(), ""),
        ("ppp short", 9, [&[0x21][..], &ip].concat(), ""),
        ("cisco hdlc", 104, [&[0x0f, 0, 8, 0][..], &ip].concat(), ""),
        ("sll", 113, [&[0, 0, 0, 1, 0, 6, 0, 0, 0x5e, 0, 0x53, 1, 0, 0, 8, 0][..], &ip].concat(), ""),
        ("sll2", 276, [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 0, 0, 0x5e, 0, 0x53, 1, 0, 0][..], &ip].concat(), ""),
        ("802.11", 105, [&[8, 1, 0, 0][..], &[1; 6], &[2; 6], &[3; 6], &[0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &ip].concat(), ""),
        (
            "radiotap",
            127,
            [&[0, 0, 9, 0, 2, 0, 0, 0, 0, 8, 2, 0, 0][..], &[1; 6], &[2; 6], &[3; 6], &[0, 0, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &ip].concat(),
            "",
        ),
    ];
    for (what, link, bytes, path) in cases {
        assert_eq!(shown(link, &bytes), format!("{path}|{INNER}"), "{what}");
    }
}

#[test]
fn six_in_everything() {
    let ip = ipv6(6, &TCP);
    let teredo = [&[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6][..], &ip].concat();
    let chain =
        ipv6(0, &[&[60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 9][..], &TCP].concat());
    for (what, bytes, path) in [
        ("plain", ethernet(0x86dd, &ip), ""),
        ("6in4", ethernet(0x0800, &ipv4(41, &ip)), "IpIp"),
        ("teredo", ethernet(0x0800, &ipv4(17, &udp(3544, &teredo))), "Teredo"),
        ("extensions and an atomic fragment", ethernet(0x86dd, &chain), ""),
    ] {
        assert_eq!(shown(1, &bytes), format!("{path}|{INNER6}"), "{what}");
    }
}

#[test]
fn what_cannot_be_seen_or_is_no_tunnel() {
    let of_udp = |port, payload: &[u8]| shown(1, &ethernet(0x0800, &ipv4(17, &udp(port, payload))));
    assert_eq!(shown(1, &ethernet(0x0800, &ipv4(50, &[1; 40]))), "|10.0.0.1 > 192.0.2.1 opaque esp");
    assert_eq!(of_udp(51_820, &[&[1, 0, 0, 0][..], &[7; 144]].concat()), "|10.0.0.1 > 192.0.2.1 opaque wireguard");
    for (port, payload) in
        [(4789, &[1u8; 40][..]), (6081, &[0xff; 40]), (2152, &[0x32, 1, 0, 4]), (3544, &[0x60; 20]), (37008, &[9; 30]), (4754, &[0xff; 24])]
    {
        assert_eq!(
            of_udp(port, payload),
            format!("|10.0.0.1 > 192.0.2.1 udp 40000 {port} {}", payload.len()),
            "an ordinary datagram on port {port}"
        );
    }
}

#[test]
fn lengths_that_lie() {
    let mut offloaded = ipv4(6, &TCP);
    offloaded[2..4].fill(0);
    assert_eq!(shown(101, &offloaded), format!("|{INNER}"));
    let mut longer = ipv4(6, &TCP);
    longer[2..4].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(shown(101, &longer), format!("|{INNER}"));
    for (what, at, value) in [
        ("total length 8", 3usize, 8u8),
        ("header length 4", 0, 0x44),
        ("header length 15", 0, 0x4f),
        ("data offset 1", 32, 0x10),
        ("data offset 15", 32, 0xf0),
    ] {
        let mut lie = ipv4(6, &TCP);
        (lie[2], lie[at]) = (0, value);
        let said = shown(101, &lie);
        assert!(said.starts_with("malformed"), "{what}: {said}");
    }
    assert_eq!(shown(101, &ipv4(17, &[0, 1, 0, 2, 0, 7, 0, 0, 9])), "malformed udp deep 0");
}

#[test]
fn fragments_and_depth() {
    let mut first = ipv4(17, &[0; 16]);
    first[6..8].copy_from_slice(&[0x20, 0]);
    assert_eq!(shown(101, &first), "|10.0.0.1 > 192.0.2.1 fragment 0 true 16");
    first[6..8].copy_from_slice(&[0x00, 0xb9]);
    assert_eq!(shown(101, &first), "|10.0.0.1 > 192.0.2.1 fragment 1480 false 16");
    let tagged = (0..200).fold(ipv4(6, &TCP), |inner, i| [&[0, 1, if i == 0 { 8 } else { 0x81 }, 0][..], &inner].concat());
    assert_eq!(shown(1, &ethernet(0x8100, &tagged)), "malformed  deep 1");
    let ten = (0..10).fold(ipv4(6, &TCP), |inner, i| [&[0, 1, if i == 0 { 8 } else { 0x81 }, 0][..], &inner].concat());
    assert_eq!(shown(1, &ethernet(0x8100, &ten)), format!("Vlan(1),Vlan(1),Vlan(1),Vlan(1)|{INNER}"));
}

#[test]
fn hardware_addresses_are_the_inner_ones() {
    let inner = ethernet(0x0800, &ipv4(6, &TCP));
    let mut outer = ethernet(0x0800, &ipv4(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &inner].concat())));
    outer[6..12].fill(0xee);
    let packet = decode(&frame(1, &outer), &mut DecodeCounts::default()).expect("a packet");
    assert_eq!(packet.macs.map(|m| m.src), Some(Mac([0, 0, 0x5e, 0, 0x53, 1])));
}

#[test]
fn cut_at_every_byte() {
    let frames = [
        ethernet(0x0800, &ipv4(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &ethernet(0x86dd, &ipv6(6, &TCP))].concat()))),
        ethernet(
            0x8847,
            &[&[0, 1, 1, 64, 0, 0, 0, 0][..], &ethernet(0x0800, &ipv4(47, &[&[0xb0, 0, 8, 0][..], &[0; 12], &ipv4(6, &TCP)].concat()))]
                .concat(),
        ),
    ];
    for whole in &frames {
        for cut in 0..whole.len() {
            for link in [0, 1, 9, 12, 50, 51, 101, 104, 105, 108, 113, 119, 127, 163, 276] {
                let mut counts = DecodeCounts::default();
                let cut_frame = Frame { wire_len: 2_000, ..frame(link, &whole[..cut]) };
                let _ = decode(&cut_frame, &mut counts);
            }
        }
    }
}

/// What etherparse makes of a frame: addresses, ports, payload.
fn by_etherparse(bytes: &[u8]) -> Option<(IpAddr, IpAddr, u16, u16, Vec<u8>)> {
    let sliced = LaxSlicedPacket::from_ethernet(bytes).ok()?;
    let (src, dst) = match sliced.net? {
        LaxNetSlice::Ipv4(v4) => (IpAddr::V4(v4.header().source_addr()), IpAddr::V4(v4.header().destination_addr())),
        LaxNetSlice::Ipv6(v6) => (IpAddr::V6(v6.header().source_addr()), IpAddr::V6(v6.header().destination_addr())),
        LaxNetSlice::Arp(_) => return None,
    };
    match sliced.transport? {
        TransportSlice::Tcp(t) => Some((src, dst, t.source_port(), t.destination_port(), t.payload().to_vec())),
        TransportSlice::Udp(u) => Some((src, dst, u.source_port(), u.destination_port(), u.payload().to_vec())),
        _ => None,
    }
}

fn by_us(bytes: &[u8]) -> Option<(IpAddr, IpAddr, u16, u16, Vec<u8>)> {
    let packet = decode(&frame(1, bytes), &mut DecodeCounts::default())?;
    let Body::Ip(ip) = packet.body else { return None };
    match ip.payload {
        Payload::Tcp(t) => Some((ip.src, ip.dst, t.sport, t.dport, t.payload.to_vec())),
        Payload::Udp(u) => Some((ip.src, ip.dst, u.sport, u.dport, u.payload.to_vec())),
        _ => None,
    }
}

proptest! {
    #[test]
    fn agrees_with_etherparse(
        v6 in any::<bool>(), tcp in any::<bool>(), vlan in proptest::option::of(0u16..4095),
        ports in (1024u16..2000, 10_000u16..20_000), payload in proptest::collection::vec(any::<u8>(), 0..200), padding in 0usize..20,
    ) {
        let payload: Vec<u8> = payload;
        let eth = PacketBuilder::ethernet2([1; 6], [2; 6]);
        let mut bytes = Vec::new();
        macro_rules! write { ($ip:expr) => {
            if tcp { $ip.tcp(ports.0, ports.1, 7, 1024).write(&mut bytes, &payload) } else { $ip.udp(ports.0, ports.1).write(&mut bytes, &payload) }
        } }
        macro_rules! net { ($link:expr) => {
            if v6 { write!($link.ipv6([0x20; 16], [0x21; 16], 64)) } else { write!($link.ipv4([10, 1, 2, 3], [192, 0, 2, 7], 64)) }
        } }
        match vlan {
            Some(id) => net!(eth.single_vlan(id.try_into().expect("12 bits"))),
            None => net!(eth),
        }.expect("written");
        bytes.extend(vec![0; padding]);
        prop_assert_eq!(by_us(&bytes), by_etherparse(&bytes));
        prop_assert!(by_us(&bytes).is_some());
    }

    #[test]
    fn any_bytes_on_any_link(link in proptest::sample::select(vec![0u16, 1, 9, 50, 51, 101, 105, 108, 113, 127, 276]), bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut counts = DecodeCounts::default();
        let _ = decode(&frame(link, &bytes), &mut counts);
    }
}

/// The short way for common frames and the long way say the same, whatever is wrong with the frame.
#[test]
fn the_short_way_says_what_the_long_way_says() {
    let mut state = 7u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut short_ways = 0;
    for _ in 0..200_000 {
        let protocol = [6, 17, 17, 4, 47][random() % 5];
        let length = random() % 60;
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, (20 + length) as u8, 0, 1, 0, 0, 64, protocol, 0, 0];
        bytes.extend([10, 0, 0, 1, 192, 0, 2, 1]);
        bytes.extend((0..length).map(|_| random() as u8));
        let ports = [443u16, 4789, 2152, 1194, 4500, 53];
        for (at, value) in [(34, ports[random() % 6]), (36, ports[random() % 6]), (38, length as u16)] {
            if random() % 2 == 0 && bytes.len() >= at + 2 {
                bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
            }
        }
        if random() % 3 == 0 {
            let at = 12 + random() % (bytes.len() - 12);
            bytes[at] = random() as u8;
        }
        let cut = random() % 4 == 0;
        bytes.truncate(bytes.len() - if cut { random() % 30 } else { 0 });
        for _ in 0..[0, 0, 0, 1, 2][random() % 5] {
            let tag = [0x81, 0, random() as u8, random() as u8];
            bytes = [bytes.get(..12).unwrap_or(&bytes), &tag, bytes.get(12..).unwrap_or(&[])].concat();
        }
        let wire_len = if cut { 200 } else { bytes.len() as u32 };
        let vlan = (random() % 4 == 0).then_some(random() as u16);
        let frame = Frame { ts: Timestamp::ZERO, link_type: 1, interface: 0, bytes: &bytes, wire_len, vlan };
        let Some(short) = glance(&frame).map(|seen| seen.packet(&frame)) else { continue };
        short_ways += 1;
        let mut counts = DecodeCounts::default();
        let long = decode(&frame, &mut counts);
        assert_eq!(format!("{:?}", Some(short)), format!("{long:?}"), "{bytes:x?}");
        assert!(counts.is_clean());
    }
    assert!(short_ways > 20_000, "{short_ways}");
}

/// Short ways through several layers say what one layer after the other says, and count the same steps.
#[test]
fn short_ways_through_layers_change_nothing() {
    let mut state = 11u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let (mut whole, mut deep) = (0, 0);
    for _ in 0..100_000 {
        let data: Vec<u8> = (0..random() % 40).map(|_| random() as u8).collect();
        let port = [443u16, 53, 4789, 6081, 4500][random() % 5];
        let mut bytes = match random() % 6 {
            0 => ipv4(6, &TCP),
            1 => ipv6(6, &TCP),
            2 => ipv6(17, &udp(port, &data)),
            3 => ipv4(17, &udp(port, &data)),
            4 => ipv6([58, 44, 0, 59][random() % 4], &data),
            _ => ipv4([47, 4, 41, 1][random() % 4], &data),
        };
        let mut ether_type = if bytes[0] >> 4 == 4 { 0x0800u16 } else { 0x86dd };
        // Up to more layers than are peeled.
        for _ in 0..[0, 1, 3, 20, 26][random() % 5] {
            match random() % 8 {
                0 => {
                    bytes = ipv6(41, &bytes);
                    ether_type = 0x86dd;
                }
                1 => {
                    let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0][..], &ethernet(ether_type, &bytes)].concat();
                    bytes = ipv4(17, &udp(4789, &vxlan));
                    ether_type = 0x0800;
                }
                _ => {
                    bytes = [&[random() as u8, random() as u8][..], &ether_type.to_be_bytes(), &bytes].concat();
                    ether_type = [0x8100, 0x88a8, 0x9100, 0x9200, 0x8100][random() % 5];
                }
            }
        }
        let mut bytes = ethernet(ether_type, &bytes);
        if random() % 3 == 0 {
            let at = 12 + random() % (bytes.len() - 12);
            bytes[at] = random() as u8;
        }
        let wire_len = bytes.len() as u32;
        bytes.truncate(bytes.len().saturating_sub(if random() % 4 == 0 { random() % 40 } else { 0 }));
        let frame = Frame { ts: Timestamp::ZERO, link_type: 1, interface: 0, bytes: &bytes, wire_len, vlan: None };
        let (mut counts, mut others) = (DecodeCounts::default(), DecodeCounts::default());
        let (short, long) = (decode_by::<true>(&frame, &mut counts), decode_by::<false>(&frame, &mut others));
        assert_eq!((format!("{short:?}"), counts), (format!("{long:?}"), others), "{bytes:x?}");
        whole += usize::from(short.is_some());
        deep += counts.too_deep();
    }
    assert!(whole > 40_000 && deep > 1_000, "{whole} {deep}");
}
