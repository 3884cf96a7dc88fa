//! Vectors of the RFCs.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex")).collect()
}

#[test]
fn varints_of_rfc_9000() {
    for (bytes, value) in
        [("c2197c5eff14e88c", 151_288_809_941_952_652), ("9d7f3e7d", 494_878_333), ("7bbd", 15_293), ("25", 37), ("4025", 37)]
    {
        assert_eq!(varint(&hex(bytes)), Some((value, &[][..])), "{bytes}");
    }
    assert_eq!(varint(&[0xc0]), None);
}

#[test]
fn headers_never_reach_beyond_their_bytes() {
    let mut packet = hex("c000000001088394c8f03e5157080000449e");
    packet.resize(packet.len() + 1182, 0);
    let header = LongHeader::parse(&packet).expect("a header");
    assert_eq!((header.kind, header.dcid, header.number_at, header.end), (Kind::Initial, &hex("8394c8f03e515708")[..], 18, 1200));
    for cut in 0..packet.len() {
        assert!(LongHeader::parse(&packet[..cut]).is_none(), "{cut}");
    }
}
