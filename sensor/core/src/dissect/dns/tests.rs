//! DNS messages made by hand, of the RFCs, hostile ones, and those of captures.

use super::testing::{Notes, Seen, bindings, input, notes};
use super::*;
use crate::dissect::Probe;
use crate::net::Endpoint;

mod oracle;

/// Builds messages: header, then questions and records with plain names.
struct Builder(Vec<u8>);

fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|l| !l.is_empty());
    labels.flat_map(|l| [&[l.len() as u8], l.as_bytes()].concat()).chain([0]).collect()
}

impl Builder {
    fn new(flags: u16) -> Builder {
        Builder([&[0x12, 0x34][..], &flags.to_be_bytes(), &[0; 8]].concat())
    }

    fn count(mut self, section: usize) -> Builder {
        self.0[5 + 2 * section] += 1;
        self
    }

    fn question(mut self, name: &str, qtype: u16) -> Builder {
        self.0.extend([wire(name), qtype.to_be_bytes().to_vec(), vec![0, 1]].concat());
        self.count(0)
    }

    fn record(mut self, section: usize, name: &str, rtype: u16, data: &[u8]) -> Builder {
        let len = (data.len() as u16).to_be_bytes();
        self.0.extend([&wire(name)[..], &rtype.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &len, data].concat());
        self.count(section)
    }

    fn alias(self, name: &str, target: &str) -> Builder {
        self.record(1, name, rtype::CNAME, &wire(target))
    }

    fn a(self, name: &str, last: u8) -> Builder {
        self.record(1, name, rtype::A, &[203, 0, 113, last])
    }
}

const QUERY: u16 = 0x0100;
const RESPONSE: u16 = 0x8180;

fn ports(src: u16, dst: u16, bytes: &[u8]) -> Input<'_> {
    let end = |addr: [u8; 4], port| Endpoint { addr: addr.into(), port };
    Input { src: end([192, 0, 2, 7], src), dst: end([192, 0, 2, 53], dst), ..input(Carrier::Udp, bytes) }
}

fn seen(bytes: &[u8]) -> Vec<Seen> {
    notes(&DNS, &ports(53, 40_000, bytes)).seen
}

fn answers_of(builder: Builder) -> Vec<String> {
    seen(&builder.0).into_iter().flat_map(|s| s.answers).collect()
}

#[test]
fn a_query_and_its_fields() {
    let query = Builder::new(QUERY).question("WeIxIn.qq.com", 65).record(3, "", rtype::OPT, &[]).0;
    let seen = notes(&DNS, &ports(40_000, 53, &query)).seen;
    assert_eq!(seen[0].fields, ["dns.qname=WeIxIn.qq.com", "dns.type=HTTPS", "dns.message=query", "dns.service=dns"]);
    assert_eq!((seen[0].kind, seen[0].sender), ("dns", Some("client")));
}

#[test]
fn answers_follow_the_chain_in_any_order_and_take_no_glue() {
    let chain = Builder::new(RESPONSE)
        .question("weixin.qq.com", 1)
        .a("edge.cdn.example", 1)
        .alias("mid.example", "EDGE.cdn.example")
        .alias("WEIXIN.qq.com", "mid.example")
        .a("other.example", 2)
        .record(2, "qq.com", 2, &wire("ns.qq.com"))
        .record(3, "ns.qq.com", rtype::A, &[203, 0, 113, 9])
        .record(3, "weixin.qq.com", rtype::A, &[203, 0, 113, 10]);
    assert_eq!(answers_of(chain), ["weixin.qq.com 203.0.113.1 60"]);
    let looped =
        Builder::new(RESPONSE).question("a.example", 1).alias("a.example", "b.example").alias("b.example", "a.example").a("b.example", 3);
    assert_eq!(answers_of(looped), ["a.example 203.0.113.3 60"]);
}

#[test]
fn who_teaches_nothing() {
    let with = |flags| Builder::new(flags).question("a.example", 1).a("a.example", 1);
    assert_eq!(answers_of(with(RESPONSE)).len(), 1);
    assert_eq!(answers_of(with(QUERY)).len(), 0, "a query with an answer");
    assert_eq!(answers_of(with(0x8183)).len(), 0, "NXDOMAIN");
    assert_eq!(answers_of(with(0xa880)).len(), 0, "an update");
    let sunk = |data: [u8; 4]| Builder::new(RESPONSE).question("a.example", 1).record(1, "a.example", 1, &data);
    for data in [[0, 0, 0, 0], [127, 0, 0, 1], [255, 255, 255, 255], [224, 0, 0, 251]] {
        assert_eq!(answers_of(sunk(data)).len(), 0, "{data:?}");
    }
    let odd = Builder::new(RESPONSE).question("a.example", 1).record(1, "a.example", 1, &[1, 2, 3]).record(1, "a.example", 28, &[1; 4]);
    assert_eq!(answers_of(odd).len(), 0, "wrong lengths");
}

/// RFC 9460 appendix D: priority 16, target foo.example.org, mandatory, alpn h2 and h3-19, ipv4hint 192.0.2.1.
#[test]
fn service_records() {
    let rfc = b"\x00\x10\x03foo\x07example\x03org\x00\x00\x00\x00\x04\x00\x01\x00\x04\x00\x01\x00\x09\x02h2\x05h3-19\x00\x04\x00\x04\xc0\x00\x02\x01";
    let builder = || Builder::new(RESPONSE).question("a.example", 65);
    let message = seen(&builder().record(1, "a.example", 65, rfc).0);
    assert_eq!(message[0].answers, ["a.example 192.0.2.1 60"]);
    assert_eq!((message[0].field("dns.alpn"), message[0].field("dns.ech")), (Some("h2,h3-19"), None));
    // Two ipv6 hints and an ECH configuration; the target is the owner.
    let mut data = b"\x00\x01\x00\x00\x05\x00\x02xx\x00\x06\x00\x20".to_vec();
    data.extend([[0x20; 16], [0x21; 16]].concat());
    let message = seen(&builder().record(1, "a.example", 65, &data).0);
    assert_eq!((message[0].answers.len(), message[0].field("dns.ech")), (2, Some("offered")));
    for cut in 1..data.len() {
        let cut = seen(&builder().record(1, "a.example", 65, &data[..cut]).0);
        assert!(cut[0].answers.is_empty() || cut[0].answers.len() == 2, "all or nothing");
    }
    let alias = builder().record(1, "a.example", 65, b"\x00\x00\x03cdn\x07example\x00").record(
        1,
        "cdn.example",
        65,
        b"\x00\x01\x00\x00\x04\x00\x04\xc0\x00\x02\x05",
    );
    assert_eq!(answers_of(alias), ["a.example 192.0.2.5 60"]);
}

#[test]
fn an_extended_response_code() {
    let mut message = Builder::new(RESPONSE).question("a.example", 1).record(3, "", rtype::OPT, &[]).0;
    let ttl = message.len() - 6;
    message[ttl] = 1;
    assert_eq!(seen(&message)[0].field("dns.rcode"), Some("BADVERS"));
}

#[test]
fn multicast_names_bind() {
    let on = |port, bytes: &[u8]| bindings(&DNS, &ports(port, port, bytes));
    let mdns = Builder::new(0x8400).record(1, "_http._tcp.local", 12, &wire("x.local")).record(3, "phone.local", 1, &[192, 0, 2, 7]);
    let mdns = mdns.record(3, "phone.local", 28, &[0x20; 16]).record(3, "printer.local", 1, &[192, 0, 2, 8]).0;
    let expected = [
        "mdns 02:00:00:00:00:99 192.0.2.7 name=phone.local",
        "mdns 02:00:00:00:00:99 2020:2020:2020:2020:2020:2020:2020:2020 name=phone.local",
        "mdns 192.0.2.8 name=printer.local",
    ];
    assert_eq!(on(5353, &mdns), expected);
    assert_eq!(on(53, &mdns).len(), 0, "unicast answers are about others");
    let llmnr = Builder::new(0x8000).question("pc", 1).record(1, "pc", 1, &[192, 0, 2, 9]).record(3, "pc", 1, &[192, 0, 2, 7]).0;
    assert_eq!(on(5355, &llmnr), ["llmnr 192.0.2.9 name=pc"]);
    let seen = notes(&DNS, &ports(5353, 5353, &mdns)).seen;
    assert_eq!((seen.len(), seen[0].field("dns.qname"), seen[0].field("dns.service")), (1, None, Some("mdns")));
}

#[test]
fn one_record_per_question() {
    let query = Builder::new(0).question("a.local", 12).question("b.local", 12).0;
    let names: Vec<_> = notes(&DNS, &ports(5353, 5353, &query)).seen.iter().map(|s| s.field("dns.qname").map(str::to_owned)).collect();
    assert_eq!(names, [Some("a.local".to_owned()), Some("b.local".to_owned())]);
}

#[test]
fn other_ports_need_a_whole_sound_message() {
    let probe = |bytes: &[u8]| (DNS.probe)(&ports(40_000, 50_000, bytes));
    let query = Builder::new(QUERY).question("weixin.qq.com", 1).record(3, "", rtype::OPT, &[]).0;
    assert_eq!(probe(&query), Probe::Match);
    assert_eq!(probe(&Builder::new(RESPONSE).question("weixin.qq.com", 1).a("weixin.qq.com", 1).0), Probe::Match);
    for len in 0..query.len() {
        assert_eq!(probe(&query[..len]), Probe::No, "{len}");
    }
    assert_eq!(probe(&[&query[..], &[0]].concat()), Probe::No, "something behind it");
    assert_eq!(probe(&Builder::new(QUERY).question("a b.example", 1).0), Probe::No, "no host name");
    assert_eq!(probe(&Builder::new(QUERY).question("a.example", 4711).0), Probe::No, "no known type");
    assert_eq!(probe(&Builder::new(QUERY).question("a.example", 1).question("b.example", 1).0), Probe::No, "two questions");
    assert_eq!((DNS.probe)(&ports(137, 137, &query)), Probe::No, "NetBIOS");
}

/// Feeds a stream in pieces, as a flow does; the records seen.
fn stream(pieces: &[&[u8]], port: u16) -> Vec<Seen> {
    let (mut held, mut dissector, mut sink) = (Vec::new(), None, Notes::default());
    let mut need = 0;
    for piece in pieces {
        held.extend_from_slice(piece);
        let input = Input { carrier: Carrier::Tcp, ..ports(40_000, port, &held) };
        if dissector.is_none() && (DNS.probe)(&input) == Probe::Match {
            dissector = Some((DNS.start)());
        }
        let Some(running) = dissector.as_mut().filter(|_| held.len() >= need) else { continue };
        match running.read(&input, &mut sink) {
            Progress::Continue { consumed, need: more } => {
                assert!(consumed <= held.len() && more > held.len() - consumed, "consumes or asks for more");
                held.drain(..consumed);
                need = more;
            }
            _ => break,
        }
    }
    sink.seen
}

#[test]
fn streams_in_any_pieces() {
    let one = |name: &str| {
        let message = Builder::new(QUERY).question(name, 1).0;
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    };
    let three = [one("weixin.qq.com"), one("b.example"), one("c.example")].concat();
    for port in [53, 8053] {
        for size in 1..=three.len() {
            let names: Vec<_> =
                stream(&three.chunks(size).collect::<Vec<_>>(), port).iter().map(|s| s.field("dns.qname").map(str::to_owned)).collect();
            assert_eq!(names, ["weixin.qq.com", "b.example", "c.example"].map(|n| Some(n.to_owned())), "{size} octets at a time");
        }
    }
}

#[test]
fn streams_of_something_else_are_let_go() {
    let probe = |port, bytes: &[u8]| (DNS.probe)(&Input { carrier: Carrier::Tcp, ..ports(40_000, port, bytes) });
    assert_eq!(probe(53, b"GET / HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe(8053, b"\x16"), Probe::No);
    assert_eq!(probe(8053, b"\x00\x30\x12\x34GET / HTTP"), Probe::No);
    assert_eq!(probe(8053, b"\x00\x30\x12\x34\x01\x00\x00\x01\x00\x00"), Probe::More);
    assert_eq!((DNS.probe)(&Input { carrier: Carrier::Tcp, at_end: true, ..ports(4, 53, b"\x00\x30") }), Probe::No);
    let zeros = vec![0; 4096];
    let mut sink = Notes::default();
    let input = Input { carrier: Carrier::Tcp, ..ports(40_000, 53, &zeros) };
    assert_eq!((DNS.start)().read(&input, &mut sink), Progress::Done, "eight empty messages are enough");
}

#[test]
fn counts_that_lie_cost_nothing() {
    let mut message = Builder::new(QUERY).question("a.example", 1).0;
    message[4..12].fill(0xff);
    let notes = notes(&DNS, &ports(40_000, 53, &message));
    assert_eq!((notes.seen.len(), notes.limits.len()), (1, 0));
    let mut many = Builder::new(QUERY);
    for _ in 0..255 {
        many = many.question("", 1);
    }
    let mut many = many.0;
    many.extend([0, 0, 1, 0, 1].repeat(300));
    many[4..6].copy_from_slice(&555u16.to_be_bytes());
    let notes = testing::notes(&DNS, &ports(40_000, 53, &many));
    assert_eq!((notes.seen.len(), notes.limits.as_slice()), (256, &[Limit::DnsRecords][..]));
}

#[test]
fn amplified_names_are_bounded() {
    let long = ["abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-012345678"; 3].join(".");
    let mut message = Builder::new(RESPONSE).question(&long, 1).0;
    for _ in 0..2_000 {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 1]);
    }
    message[6..8].copy_from_slice(&2_000u16.to_be_bytes());
    let notes = notes(&DNS, &ports(53, 40_000, &message));
    assert_eq!((notes.seen[0].answers.len(), notes.limits.as_slice()), (256, &[Limit::DnsRecords][..]));
}

#[test]
fn cut_or_flipped_it_never_panics() {
    let whole = Builder::new(RESPONSE).question("weixin.qq.com", 1).alias("weixin.qq.com", "b.example").a("b.example", 1);
    let whole = whole.record(1, "weixin.qq.com", 65, b"\x00\x01\x00\x00\x01\x00\x03\x02h2\x00\x04\x00\x04\xc0\x00\x02\x05").0;
    for len in 0..whole.len() {
        let expected = usize::from(len >= 12 + 15);
        assert_eq!(seen(&whole[..len]).len(), expected, "{len}");
        for port in [53, 5353, 5355] {
            bindings(&DNS, &ports(port, port, &whole[..len]));
        }
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        for seen in seen(&flipped) {
            assert!(seen.answers.len() <= 2, "{seen:?}");
        }
    }
}
