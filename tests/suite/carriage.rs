//! Hellos behind every protocol that comes before TLS, through a whole worker: in segments of any size, from either end.

use std::time::Duration;

use ringfence_core::coverage::Blind;
use ringfence_tests::prng::Prng;
use ringfence_tests::quic::{self, Packet, Version};
use ringfence_tests::tls::{self, ClientHello};
use ringfence_tests::wire::Side;

use crate::lab::Lab;

fn hello(name: &str) -> Vec<u8> {
    tls::record(tls::kind::HANDSHAKE, 0x0301, &ClientHello::old(name, &mut Prng::new(5)).message())
}

/// Turns of a dialogue: `>` from the client, `<` from the server.
type Dialogue = &'static [(char, &'static [u8])];

#[rustfmt::skip]
const DIALOGUES: &[(&str, Dialogue)] = &[
    ("socks5", &[('>', b"\x05\x01\0"), ('<', b"\x05\0"), ('>', b"\x05\x01\0\x03\x0bexample.org\x01\xbb"), ('<', b"\x05\0\0\x01\x0a\0\0\x01\x04\x38")]),
    ("socks5-password", &[('>', b"\x05\x02\0\x02"), ('<', b"\x05\x02"), ('>', b"\x01\x04user\x04pass"), ('<', b"\x01\0"), ('>', b"\x05\x01\0\x01\x01\x02\x03\x04\x01\xbb"), ('<', b"\x05\0\0\x01\0\0\0\0\0\0")]),
    ("socks4", &[('>', b"\x04\x01\x01\xbb\x01\x02\x03\x04me\0"), ('<', b"\0\x5a\0\0\0\0\0\0")]),
    ("socks4a", &[('>', b"\x04\x01\x01\xbb\0\0\0\x01\0example.org\0"), ('<', b"\0\x5a\0\0\0\0\0\0")]),
    ("proxy-v1", &[('>', b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n")]),
    ("proxy-v2", &[('>', b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x03\xe8\x01\xbb")]),
    ("connect", &[('>', b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"), ('<', b"HTTP/1.1 200 OK\r\n\r\n")]),
    ("smtp", &[('<', b"220 mail.example ESMTP\r\n"), ('>', b"EHLO me\r\n"), ('<', b"250-mail\r\n250 STARTTLS\r\n"), ('>', b"STARTTLS\r\n"), ('<', b"220 go\r\n")]),
    ("smtp-client-only", &[('>', b"EHLO me\r\n"), ('>', b"STARTTLS\r\n")]),
    ("imap", &[('<', b"* OK IMAP4rev1\r\n"), ('>', b"a1 STARTTLS\r\n"), ('<', b"a1 OK\r\n")]),
    ("imap-client-only", &[('>', b"a001 CAPABILITY\r\n"), ('>', b"a002 STARTTLS\r\n")]),
    ("pop3", &[('<', b"+OK ready\r\n"), ('>', b"STLS\r\n"), ('<', b"+OK\r\n")]),
    ("ftp", &[('<', b"220-welcome\r\n220 ftp\r\n"), ('>', b"AUTH TLS\r\n"), ('<', b"234 go\r\n")]),
    ("nntp", &[('<', b"200 news ready\r\n"), ('>', b"STARTTLS\r\n"), ('<', b"382 go\r\n")]),
    ("sieve", &[('<', b"\"IMPLEMENTATION\" \"x\"\r\nOK\r\n"), ('>', b"STARTTLS\r\n"), ('<', b"OK\r\n")]),
    ("xmpp", &[('>', b"<?xml version='1.0'?><stream:stream to='a'>"), ('<', b"<stream:features/>"), ('>', b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), ('<', b"<proceed/>")]),
    ("ldap", &[('>', b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"), ('<', b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0")]),
    ("postgresql", &[('>', b"\0\0\0\x08\x04\xd2\x16\x2f"), ('<', b"S")]),
    ("mysql", &[('<', b"\x4a\0\0\0\x0a8.0.33\0\x01\0\0\0abcdefgh\0\xff\xff"), ('>', b"\x20\0\0\x01\x85\xae\xff\x19\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]),
    ("mysql-client-only", &[('>', b"\x20\0\0\x01\x85\xae\xff\x19\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]),
    ("rdp", &[('>', b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"), ('<', b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x0f\x08\0\x02\0\0\0")]),
    ("irc", &[('>', b"CAP LS 302\r\nNICK a\r\n"), ('<', b":srv CAP * LS :tls\r\n"), ('>', b"STARTTLS\r\n"), ('<', b":srv 670 a :go\r\n")]),
    ("vencrypt", &[('<', b"RFB 003.008\n"), ('>', b"RFB 003.008\n"), ('<', b"\x01\x13"), ('>', b"\x13"), ('<', b"\0\x02"), ('>', b"\0\x02"), ('<', b"\0\x01\0\0\x01\x04"), ('>', b"\0\0\x01\x04"), ('<', b"\x01")]),
    ("sql-server", &[('>', b"\x12\x01\0\x1a\0\0\x01\0\0\0\x06\0\x01\0\x0c\0\x01\xff\x0b\0\0\0\0\0\x01\0"), ('<', b"\x04\x01\0\x1a\0\0\x01\0\0\0\x06\0\x01\0\x0c\0\x01\xff\x0b\0\0\0\0\0\x01\0"), ('>', b"\x12\x01\0\xb0\0\0\x01\0")]),
];

#[test]
fn a_hello_behind_each_wrapper_in_segments_of_any_size() {
    let mut wrong = Vec::new();
    for (name, dialogue) in DIALOGUES {
        for size in [1, 7, 1_400] {
            let mut lab = Lab::tcp();
            for (from, bytes) in *dialogue {
                lab.say(if *from == '>' { Side::Client } else { Side::Server }, bytes, size);
            }
            lab.say(Side::Client, &hello("wrapped.example"), size);
            if lab.names.0 != ["wrapped.example"] {
                wrong.push(format!("{name} in segments of {size}: {:?}", lab.names.0));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_wrapper_and_a_hello_in_tiny_records_in_one_segment() {
    let message = ClientHello::old("tiny.example", &mut Prng::new(5)).message();
    let tiny = tls::records(&message, 0x0301, 1);
    let mut lab = Lab::tcp();
    lab.say(Side::Client, &[b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n", &tiny[..]].concat(), 9_000);
    assert_eq!(lab.names.0, ["tiny.example"]);
}

#[test]
fn bytes_that_only_resemble_a_hello_are_passed_over() {
    let mut lab = Lab::tcp();
    lab.say(Side::Client, b"EHLO me\r\n\x16\x03\x01\0\x10\x02\0\0\x16\x03\x03\0\x00\x16\x16\x03\x01", 1_400);
    lab.say(Side::Client, &hello("true.example"), 1_400);
    assert_eq!(lab.names.0, ["true.example"]);
}

#[test]
fn a_hello_behind_lost_bytes_is_found() {
    let mut lab = Lab::tcp();
    lab.say(Side::Client, b"EHLO me\r\n", 1_400);
    lab.seq[0] += 12;
    lab.say(Side::Client, &hello("gap.example"), 1_400);
    lab.now = lab.now.after(Duration::from_secs(30));
    lab.say(Side::Client, b"x", 1);
    assert_eq!((lab.names.0, lab.worker.tally().blind.get(&Blind::StreamGap)), (vec!["gap.example".to_string()], Some(&1)));
}

#[test]
fn a_handshake_whose_middle_never_came_is_counted_when_it_ends() {
    let (dcid, scid) = ([7; 8], [8; 4]);
    let message = ClientHello::quic("cut.example", &scid, true, &mut Prng::new(5)).message();
    let first = Packet::initial(Version::V1, &dcid, &scid);
    let datagrams = quic::initials(&first, &message, quic::Shape::default(), &mut Prng::new(6));
    assert!(datagrams.len() > 1);
    let mut lab = Lab::new();
    datagrams.iter().skip(1).for_each(|d| _ = lab.datagram(Side::Client, d));
    assert_eq!((lab.blind(Blind::QuicGap), lab.names.0.len()), (0, 0));
    let mut names = std::mem::take(&mut lab.names);
    lab.worker.finish(&mut names);
    assert_eq!((lab.blind(Blind::QuicGap), names.0.len()), (1, 0), "the client went silent");
}

#[test]
fn what_cannot_be_opened_is_counted_when_it_ends() {
    let first = Packet::initial(Version::V1, &[7; 8], &[]);
    let message = ClientHello::quic("shut.example", &[], false, &mut Prng::new(5)).message();
    let mut datagrams = quic::initials(&first, &message, quic::Shape::default(), &mut Prng::new(6));
    let mut lab = Lab::new();
    datagrams[0][700] ^= 1;
    lab.datagram(Side::Client, &datagrams[0]);
    let mut names = std::mem::take(&mut lab.names);
    lab.worker.finish(&mut names);
    assert_eq!((lab.blind(Blind::QuicUnknown), names.0.len()), (1, 0));
}

/// An `encrypted_client_hello` extension (RFC 9849 section 5) of configuration 0x4a.
fn ech(enc: &[u8], payload: u8) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    [&[0, 0, 1, 0, 1, 0x4a][..], &sized(enc), &sized(&[payload; 144])].concat()
}

/// The server asks for another hello (RFC 8446 section 4.1.4).
fn retry() -> Vec<u8> {
    let random = ringfence_tests::hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
    let body = [&[3, 3][..], &random, &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
    tls::record(tls::kind::HANDSHAKE, 0x0303, &[&[2, 0, 0, body.len() as u8][..], &body].concat())
}

#[test]
fn the_second_hello_tells_grease_from_an_offer() {
    for (second, word, blind) in [(ech(&[7; 32], 9), "grease", [0, 1]), (ech(&[], 8), "offer", [1, 1])] {
        let offer = |body: &[u8]| {
            let hello = ClientHello::old("a.example.org", &mut Prng::new(5)).with(0xfe0d, body);
            tls::record(tls::kind::HANDSHAKE, 0x0301, &hello.message())
        };
        let mut lab = Lab::tcp();
        lab.say(Side::Client, &offer(&ech(&[7; 32], 9)), 99).say(Side::Server, &retry(), 99).say(Side::Client, &offer(&second), 99);
        let said: Vec<&str> = lab.names.1.iter().map(String::as_str).filter(|w| !w.starts_with("ja")).collect();
        assert_eq!(said, ["present", "74", word, "74"]);
        assert_eq!([lab.blind(Blind::EchOffer), lab.blind(Blind::EchPresent)], blind);
    }
}

#[test]
fn an_encrypted_server_name_of_old_is_an_offer() {
    let hello = ClientHello::bare(&mut Prng::new(5)).with(0xffce, [7; 200]);
    let mut lab = Lab::tcp();
    lab.say(Side::Client, &tls::record(tls::kind::HANDSHAKE, 0x0301, &hello.message()), 1_400);
    assert_eq!((lab.names.1.first().map(String::as_str), lab.blind(Blind::EchOffer)), (Some("offer"), 1));
}

#[test]
fn extensions_that_lie_have_no_fingerprint() {
    let whole = ClientHello::bare(&mut Prng::new(5)).sni("true.example").with(21, [0; 40]).message();
    for (cut, fingerprints) in [(0, 2), (1, 0), (30, 0)] {
        let mut message = whole.clone();
        // The last extension claims more than there is.
        let at = whole.len() - 41;
        message[at] += cut;
        let mut lab = Lab::tcp();
        lab.say(Side::Client, &tls::record(tls::kind::HANDSHAKE, 0x0301, &message), 1_400);
        assert_eq!((lab.names.1.len(), &lab.names.0[..]), (fingerprints, &["true.example".to_string()][..]), "{cut}");
    }
}
