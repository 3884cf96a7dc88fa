//! Hellos split in every way.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::field::Value;
use crate::net::Endpoint;
use crate::record::{Detail, Record};
use crate::time::Timestamp;

/// What was said: kind and server name, or limits.
#[derive(Debug, Default)]
struct Said(Vec<String>);

impl Sink for Said {
    fn emit(&mut self, record: &dyn Record) {
        let mut text = record.kind().to_string();
        record.visit(Detail::Cheap, &mut |field, value| {
            if let (Value::Text(bytes), "sni") = (value, field.key) {
                text.push_str(&format!(" {}", String::from_utf8_lossy(bytes)));
            }
        });
        self.0.push(text);
    }

    fn limit(&mut self, limit: Limit) {
        self.0.push(limit.name().into());
    }

    fn blind(&mut self, blind: Blind) {
        self.0.push(blind.name().into());
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[kind, a, b, c][..], body].concat()
}

/// A hello for a name, with padding (extension 21) of so many bytes.
fn hello(name: &str, padding: usize) -> Vec<u8> {
    let n = name.len();
    let be = |v: usize| u16::try_from(v).expect("short").to_be_bytes();
    let sni = [&[0, 0][..], &be(n + 5), &be(n + 3), &[0], &be(n), name.as_bytes()].concat();
    let pad = [&[0, 21][..], &be(padding), &vec![0; padding]].concat();
    let body = [&[3, 3][..], &[9; 32], &[0, 0, 2, 0x13, 1, 1, 0], &be(sni.len() + pad.len()), &sni, &pad].concat();
    message(1, &body)
}

fn server_hello(random: [u8; 32], version: [u8; 2]) -> Vec<u8> {
    message(2, &[&[3, 3][..], &random, &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2], &version].concat())
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &u16::try_from(body.len()).expect("short").to_be_bytes(), body].concat()
}

fn records(bytes: &[u8], size: usize) -> Vec<u8> {
    bytes.chunks(size).flat_map(|c| record(22, c)).collect()
}

fn input(direction: Direction, bytes: &[u8], at_start: bool) -> Input<'_> {
    let end = |port| Endpoint { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
    Input {
        ts: Timestamp::ZERO,
        carrier: Carrier::Tcp,
        direction,
        src: end(40_000),
        dst: end(443),
        src_mac: None,
        bytes,
        at_start,
        at_end: false,
    }
}

/// Feeds a stream in pieces, as the flow layer does.
fn feed(tls: &mut Tls, direction: Direction, stream: &[u8], piece: usize, said: &mut Said) -> Option<Progress> {
    let (mut unread, mut skip, mut need) = (Vec::new(), 0usize, 0usize);
    for bytes in stream.chunks(piece) {
        let passed = skip.min(bytes.len());
        skip -= passed;
        unread.extend_from_slice(&bytes[passed..]);
        while !unread.is_empty() && unread.len() >= need {
            match tls.read(&input(direction, &unread, true), said) {
                Progress::Continue { consumed, need: n } => {
                    skip = consumed.saturating_sub(unread.len());
                    unread.drain(..consumed.min(unread.len()));
                    need = n;
                    if consumed == 0 {
                        break;
                    }
                }
                end => return Some(end),
            }
        }
    }
    None
}

fn said(stream: &[u8], piece: usize) -> Vec<String> {
    let mut said = Said::default();
    feed(&mut Tls::default(), Direction::Forward, stream, piece, &mut said);
    said.0
}

#[test]
fn records_and_segments_of_any_size() {
    let small = hello("a.example", 1_700);
    for size in [1, 2, 5, 7, 100, 16_384] {
        for piece in [1, 3, 6, 1_400] {
            assert_eq!(said(&records(&small, size), piece), ["ch a.example"], "records of {size} in pieces of {piece}");
        }
    }
    assert_eq!(said(&records(&hello("big.example", 60_000), 16_000), 1_400), ["ch big.example"]);
}

#[test]
fn what_stands_before_and_behind() {
    let hello = records(&hello("a.example", 0), 500);
    let before = [record(21, &[1, 0]), record(20, &[1])];
    for prefix in &before {
        assert_eq!(probe(&input(Direction::Forward, prefix, true)), Probe::Match);
        assert_eq!(said(&[&prefix[..], &hello].concat(), 4), ["ch a.example"]);
    }
    assert_eq!(said(&[&hello[..], &record(23, &[7; 900])].concat(), 100), ["ch a.example"], "early data");
    let empty: Vec<u8> = (0..3_000).flat_map(|_| record(22, &[])).collect();
    assert_eq!(said(&[&empty[..], &hello].concat(), 1_000), ["ch a.example"]);
}

#[test]
fn a_second_hello_after_a_retry() {
    let mut tls = Tls::default();
    let mut log = Said::default();
    let retry: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
        0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];
    feed(&mut tls, Direction::Forward, &records(&hello("a.example", 0), 600), 99, &mut log);
    feed(&mut tls, Direction::Backward, &record(22, &server_hello(retry, [3, 4])), 99, &mut log);
    let second = [record(20, &[1]), records(&hello("a.example", 9), 600)].concat();
    feed(&mut tls, Direction::Forward, &second, 99, &mut log);
    let end = feed(&mut tls, Direction::Backward, &record(22, &server_hello([1; 32], [3, 4])), 99, &mut log);
    assert_eq!(log.0, ["ch a.example", "sh", "ch a.example", "sh"]);
    assert_eq!(end, Some(Progress::FlowDone));
}

#[test]
fn lengths_that_lie() {
    let huge = [&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff][..]].concat();
    assert_eq!(said(&huge, 100), ["tls-hello"]);
    assert_eq!(probe(&input(Direction::Forward, &[22, 3, 1, 0xff, 0xff, 1], true)), Probe::No);
    let mut name = hello("a.example", 0);
    let at = name.windows(9).position(|w| w == b"a.example").expect("there");
    name[at - 1] = 200;
    assert_eq!(said(&records(&name, 500), 500), ["ch"], "no name is invented");
}

#[test]
fn a_hello_that_is_cut_says_nothing() {
    let whole = records(&hello("a.example", 30), 50);
    for cut in 0..whole.len() {
        assert!(said(&whole[..cut], 1_400).is_empty(), "{cut}");
    }
}

#[test]
fn sslv2() {
    let suites = [0, 0x13, 1, 7, 0, 0xc0];
    let bytes = [&[0x80, 9 + 6 + 16, 1, 3, 0, 0, 6, 0, 0, 0, 16][..], &suites, &[5; 16]].concat();
    assert_eq!(probe(&input(Direction::Forward, &bytes, true)), Probe::Match);
    assert_eq!(said(&bytes, 100), ["ch"]);
}

#[test]
fn what_is_not_tls() {
    for bytes in [&b"GET / HTTP/1.1"[..], &[22, 3, 9, 0, 5, 1], &[22, 0xf1, 4, 0, 161, 0], &[0; 20], &[0x16, 3, 1, 0, 5, 99]] {
        assert_eq!(probe(&input(Direction::Forward, bytes, true)), Probe::No, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..600), piece in 1usize..90) {
        said(&[&[22, 3, 1][..], &bytes].concat(), piece);
    }

    #[test]
    fn flipped_bits_never_panic(at in any::<prop::sample::Index>(), bit in 0u8..8, piece in 1usize..200) {
        let mut whole = records(&hello("a.example", 40), 77);
        let at = at.index(whole.len());
        whole[at] ^= 1 << bit;
        said(&whole, piece);
    }
}
