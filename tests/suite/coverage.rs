//! What could not be seen is said, by kind and by segment; and the parts add up to the whole.

use std::net::{IpAddr, SocketAddr};

use ringfence_core::net::Mac;
use ringfence_tests::capture::{Pcap, Trace, pcap};
use ringfence_tests::frame::{self, proto};
use ringfence_tests::office::{self, START};
use ringfence_tests::prng::Prng;
use ringfence_tests::sensor::{Json, scan};
use ringfence_tests::tcp::Conversation;
use ringfence_tests::tls::{self, ClientHello};
use ringfence_tests::wire::{Side, Wire};

const CLIENT: &str = "10.9.0.7";

fn wire(vlan: u16) -> Wire {
    let mut wire = Wire::new(Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
    wire.vlans = vec![vlan];
    wire
}

fn end(addr: &str, port: u16) -> SocketAddr {
    SocketAddr::new(addr.parse().expect("an address"), port)
}

/// A TLS handshake for a name with a server port; one direction only when `one_way`.
fn handshake(trace: &mut Trace, vlan: u16, port: (u16, u16), hello: &ClientHello, one_way: bool) {
    let mut prng = Prng::new(u64::from(port.0));
    let mut talk = Conversation::new(end(CLIENT, port.0), end("192.0.2.9", port.1), &mut prng);
    talk.client(tls::record(tls::kind::HANDSHAKE, 0x0301, &hello.message()));
    talk.server(tls::record(tls::kind::HANDSHAKE, 0x0303, &tls::server_hello(hello, &mut prng)));
    talk.close(Side::Client);
    if one_way {
        talk.only = Some(Side::Client);
    }
    talk.play(START, &wire(vlan), trace);
}

fn datagrams(trace: &mut Trace, vlan: u16, protocol: u8, payload: &[u8], times: usize) {
    let ends: [IpAddr; 2] = [CLIENT, "192.0.2.99"].map(|a| a.parse().expect("an address"));
    let wire = wire(vlan);
    (0..times).for_each(|_| wire.send(trace, START, Side::Client, &wire.packet(Side::Client, ends[0], ends[1], protocol, payload)));
}

/// Each kind once, in VLAN 20 or 30.
fn capture() -> Vec<u8> {
    let mut trace = Trace::new();
    let mut prng = Prng::new(3);
    let named = |name: &str, prng: &mut Prng| ClientHello::old(name, prng);
    handshake(&mut trace, 20, (40_000, 443), &named("abc.dns.nextdns.io", &mut prng), false);
    handshake(&mut trace, 20, (40_001, 853), &ClientHello::bare(&mut prng), false);
    handshake(&mut trace, 20, (40_002, 9_999), &named("quiet.example", &mut prng).alpn(&["dot"]), false);
    handshake(&mut trace, 30, (40_003, 443), &named("mask.icloud.com", &mut prng), false);
    handshake(&mut trace, 30, (40_004, 443), &named("a.example.org", &mut prng), true);
    let offer = [&[0, 0, 1, 0, 1, 0x4a, 0, 32][..], &[7; 32], &[0, 144], &[9; 144]].concat();
    handshake(&mut trace, 30, (40_005, 443), &named("cloudflare-ech.com", &mut prng).with(0xfe0d, offer.clone()), false);
    handshake(&mut trace, 30, (40_006, 443), &named("b.example.org", &mut prng).with(0xfe0d, offer), false);
    datagrams(&mut trace, 30, 50, &[7; 60], 3);
    let reset = [&[0x38][..], &[1; 8], &[0; 5]].concat();
    datagrams(&mut trace, 30, proto::UDP, &frame::udp(end(CLIENT, 40_007), end("192.0.2.99", 1_194), &reset), 1);
    pcap(&trace.into_frames(), Pcap::default())
}

fn rows(bytes: &[u8], args: &[&str]) -> Vec<Json> {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("input.pcap");
    std::fs::write(&path, bytes).expect("written");
    scan(args, &path).into_iter().filter(|r| r["type"] == "coverage").collect()
}

fn kinds(row: &Json) -> Vec<(String, u64)> {
    let kinds = row["unjudgeable"].as_object().expect("kinds");
    kinds.iter().filter_map(|(k, n)| n.as_u64().filter(|n| *n > 0).map(|n| (k.clone(), n))).collect()
}

#[test]
fn every_kind_is_counted_where_it_was() {
    let rows = rows(&capture(), &[]);
    let of = |segment: &str| rows.iter().find(|r| r["segment"] == segment).unwrap_or_else(|| panic!("{segment}: {rows:#?}"));
    let expect = |list: &[(&str, u64)]| list.iter().map(|(k, n)| (k.to_string(), *n)).collect::<Vec<_>>();
    assert_eq!(kinds(of("vlan-20")), expect(&[("encrypted-dns", 3)]));
    let thirty = [("ech-offer", 1), ("ech-present", 1), ("one-way", 1), ("relay", 1), ("tunnel", 4)];
    assert_eq!(kinds(of("vlan-30")), expect(&thirty));
    assert_eq!(kinds(&rows[0]), expect(&[&[("ech-offer", 1), ("ech-present", 1), ("encrypted-dns", 3)][..], &thirty[2..]].concat()));
}

/// No name that was only counted leaves the sensor.
#[test]
fn counted_names_are_forgotten() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("input.pcap");
    std::fs::write(&path, capture()).expect("written");
    let text = format!("{:?}", scan(&["--flows"], &path));
    assert!(!["nextdns", "mask.icloud", "quiet.example"].iter().any(|name| text.contains(name)), "{text}");
}

#[test]
fn what_the_snap_length_cut_is_counted_where_it_was() {
    let mut cut = capture();
    // The second record of the file says that it was longer on the wire.
    let first = u32::from_le_bytes(cut[32..36].try_into().expect("four bytes")) as usize;
    let at = 24 + 16 + first + 12;
    cut[at..at + 4].copy_from_slice(&2_000_u32.to_le_bytes());
    let rows = rows(&cut, &[]);
    assert_eq!(rows[0]["unjudgeable"]["truncated"], 1);
    assert_eq!(rows[1..].iter().filter_map(|r| r["truncated"].as_u64()).sum::<u64>(), 1, "{rows:#?}");
}

#[test]
fn segments_add_up() {
    let config = ringfence_tests::root().join("deploy/config/ringfence.toml");
    let rows = rows(&office::capture(), &["-c", &config.to_string_lossy()]);
    let (total, segments) = rows.split_first().expect("coverage");
    let names: Vec<&str> = segments.iter().filter_map(|r| r["segment"].as_str()).collect();
    assert!(names.contains(&"office") && names.contains(&"guest"), "{names:?}");
    for key in ["flows", "flows_dissected"] {
        assert_eq!(segments.iter().filter_map(|r| r[key].as_u64()).sum::<u64>(), total[key].as_u64().expect("a number"), "{key}");
    }
    assert!(segments.iter().filter_map(|r| r["frames"].as_u64()).sum::<u64>() <= total["frames"].as_u64().expect("a number"));
}
