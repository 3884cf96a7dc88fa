//! Kinds of bugs that became security advisories in other sensors, each as a test of its own.

use std::time::Duration;

use ringfence_core::coverage::Blind;
use ringfence_core::limits::{Limit, STREAMS_BYTES_MAX};
use ringfence_core::net::Mac;
use ringfence_tests::capture::{Frame, Pcap, pcap};
use ringfence_tests::frame::{self, flags, proto};
use ringfence_tests::office::START;
use ringfence_tests::prng::Prng;
use ringfence_tests::quic::{self, Keys, Packet, Version};
use ringfence_tests::sensor::run;
use ringfence_tests::tls::{self, ClientHello};
use ringfence_tests::wire::Side;
use ringfence_tests::{dhcp, dns, http};

use crate::lab::{Lab, side};

fn record(message: &[u8]) -> Vec<u8> {
    tls::records(message, 0x0301, 16_384)
}

fn hello(name: &str) -> Vec<u8> {
    record(&ClientHello::old(name, &mut Prng::new(5)).message())
}

/// What one stream of the client says.
fn said(bytes: &[u8], size: usize) -> Lab {
    let mut lab = Lab::tcp();
    lab.say(Side::Client, bytes, size);
    lab.finish();
    lab
}

#[test]
fn odd_but_legal_bytes_in_a_fingerprint() {
    let many: Vec<u16> = (0..200).collect();
    let names: [&[u8]; 8] = [b"\xff", b"\0", b"\xc3\xa9", b"h\xff", b"\xe2\x82", b" ", b"a", &[0x80; 255]];
    for alpn in names {
        let list = [&[alpn.len() as u8], alpn].concat();
        let body = [&(list.len() as u16).to_be_bytes()[..], &list].concat();
        let hello = ClientHello::bare(&mut Prng::new(5)).sni("odd.example").with(16, body);
        let lab = said(&record(&hello.message()), 1_400);
        assert_eq!(
            (&lab.names.0[..], &lab.names.1[..]),
            (&["odd.example".to_string()][..], &["ja3".to_string(), "ja4".into()][..]),
            "{alpn:?}"
        );
    }
    for (kind, body) in
        [(10, vec![0, 1, 9]), (11, vec![]), (13, vec![0, 3, 1, 2, 3]), (43, vec![7, 3]), (43, vec![]), (16, vec![0, 2, 5, 1]), (0, vec![])]
    {
        let hello = many.iter().fold(ClientHello::bare(&mut Prng::new(5)).with(kind, body), |h, id| h.with(0x7000 + id, []));
        assert_eq!(said(&record(&hello.message()), 1_400).names.1.len(), 2, "{kind}");
    }
}

#[test]
fn numbers_that_do_not_fit() {
    // TLS message and record lengths, HTTP bodies and chunks, DNS counts and lengths: each the largest that can be written.
    for bytes in [
        &b"\x16\x03\x01\xff\xff\x01\xff\xff\xff\x03\x03"[..],
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 18446744073709551615\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nxx",
        b"\xff\xff\0\x07\x01\0\xff\xff\xff\xff\xff\xff\xff\xff\x01a\0",
        b"\xff\xfe\x03\x03\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        for size in [1, 1_400] {
            let lab = said(&[bytes, &[b'x'; 3_000]].concat(), size);
            assert!(lab.worker.tally().shown < 400_000, "{} bytes shown for {:?}", lab.worker.tally().shown, &bytes[..8]);
        }
    }
    // A DTLS fragment that ends beyond its message, a DNS message that counts 65,535 of everything.
    let fragment = b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x10\x01\xff\xff\xff\0\0\xff\xff\xff\0\0\x04abcd";
    let mut lab = Lab::new();
    lab.datagram(Side::Client, fragment).datagram(Side::Client, b"\0\x07\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff\x01a\0\0\x01\0\x01");
    assert_eq!(lab.names.0.len(), 0);
}

/// A client's Initial with these frames.
fn initial(frames: Vec<u8>, number: u64) -> Vec<u8> {
    let packet = Packet { frames, number, ..Packet::initial(Version::V1, &[7; 8], &[]) };
    packet.seal(&Keys::new(Version::V1, &[7; 8], Side::Client), 1_200)
}

#[test]
fn crypto_data_at_any_offset() {
    let hello = ClientHello::quic("near.example", &[], false, &mut Prng::new(5)).message();
    let mut lab = Lab::new();
    for (number, offset) in [(1 << 62) - 5, 1 << 61, 1 << 32, 10_000_000, 65_536, 65_535].into_iter().enumerate() {
        lab.datagram(Side::Client, &initial(quic::crypto(offset, b"far"), number as u64));
        assert!(lab.worker.tally().held() < 200_000, "{} bytes held for offset {offset}", lab.worker.tally().held());
    }
    assert_eq!(lab.limit(Limit::QuicCrypto), 6);
    let mut near = Lab::new();
    near.datagram(Side::Client, &initial(quic::crypto((1 << 62) - 5, b"far"), 0));
    near.datagram(Side::Client, &initial(quic::crypto(0, &hello), 1));
    assert_eq!(near.names.0, ["near.example"], "a lie before the hello does not hide it");
}

#[test]
fn reassembly_is_not_quadratic() {
    let large = ClientHello::old("large.example", &mut Prng::new(5)).with(21, vec![1; 30_000]);
    let stream = record(&large.message());
    let base = Lab::tcp().seq[side(Side::Client)];
    let place = |lab: &mut Lab, at: usize, bytes: &[u8]| {
        lab.seq[side(Side::Client)] = base + at as u32;
        lab.segment(Side::Client, flags::ACK, bytes);
    };
    // One byte at a time; the same backwards in small pieces; every second piece first.
    let forward = said(&stream, 1);
    let mut backward = Lab::tcp();
    for (i, piece) in stream.chunks(100).enumerate().collect::<Vec<_>>().into_iter().rev() {
        place(&mut backward, i * 100, piece);
    }
    let mut holes = Lab::tcp();
    for part in [1, 0] {
        stream.chunks(100).enumerate().filter(|(i, _)| i % 2 == part).for_each(|(i, piece)| place(&mut holes, i * 100, piece));
    }
    for (name, lab) in [("forward", forward), ("backward", backward), ("holes", holes)] {
        let shown = lab.worker.tally().shown;
        assert_eq!(lab.names.0, ["large.example"], "{name}");
        assert!(shown < 4 * stream.len() as u64 + 100_000, "{name}: {shown} bytes shown of {}", stream.len());
    }
}

#[test]
fn nothing_is_logged_by_the_packet() {
    let frames: Vec<Frame> = (0..3_000_u32).map(|i| Frame { at: START, interface: 0, bytes: vec![i as u8; 60] }).collect();
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("noise.pcap");
    std::fs::write(&path, pcap(&frames, Pcap::default())).expect("written");
    let done = run(&["scan", &path.to_string_lossy()]);
    assert!(done.status == Some(0) && done.stderr.len() < 2_000 && done.stdout.len() < 4_000, "{} {}", done.stderr, done.stdout);
}

#[test]
fn loops_that_do_not_consume() {
    // Empty TLS records, empty chunks, a DNS name that points at itself, an LDAP message of nothing.
    let streams = [
        tls::record(22, 0x0301, &[]).repeat(20_000),
        tls::record(23, 0x0303, &[]).repeat(20_000),
        [&b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"[..], &b"\r\n".repeat(20_000)].concat(),
        dns::over_tcp(b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01").repeat(2_000),
        b"\x30\0".repeat(20_000),
        b"PROXY \x16\x03\x01".repeat(3_000),
    ];
    for (i, stream) in streams.iter().enumerate() {
        let shown = said(stream, 1_400).worker.tally().shown;
        assert!(shown <= 6 * stream.len() as u64, "stream {i}: {shown} bytes shown of {}", stream.len());
    }
    // Headers whose length says that they have none: IPv6 options, GTP extensions, TCP options, a QUIC packet of length 0.
    let mut lab = Lab::new();
    lab.packet(Side::Client, 60, &[60; 400]);
    lab.packet(
        Side::Client,
        proto::UDP,
        &frame::udp("192.0.2.1:9".parse().unwrap(), "192.0.2.2:2152".parse().unwrap(), &[[0x34, 0xff].as_slice(), &[0; 300]].concat()),
    );
    lab.datagram(Side::Client, &[&[0xc0, 0, 0, 0, 1, 8][..], &[7; 8], &[0, 0, 0]].concat().repeat(40));
    assert_eq!(lab.worker.tally().frames, 3);
}

#[test]
fn complete_although_holes() {
    let whole = hello("holes.example");
    let mut stream = Lab::tcp();
    stream.say(Side::Client, &whole[..40], 1_400);
    stream.seq[side(Side::Client)] += 1;
    stream.say(Side::Client, &whole[41..], 1_400);
    stream.now = stream.now.after(Duration::from_secs(60));
    stream.say(Side::Client, b"and on it goes", 1_400);
    stream.finish();

    let message = ClientHello::quic("holes.example", &[], false, &mut Prng::new(5)).message();
    let mut quic = Lab::new();
    let frames = [quic::crypto(0, &message[..60]), quic::crypto(61, &message[61..])].concat();
    quic.datagram(Side::Client, &initial(frames, 0));
    quic.finish();

    let (src, dst) = Lab::ends(Side::Client);
    let query = frame::udp(
        src,
        std::net::SocketAddr::new(dst.ip(), 53),
        &dns::query(1, &format!("{}.holes.example", "a".repeat(60)), dns::kind::A),
    );
    let packet = frame::ip(src.ip(), dst.ip(), 64, proto::UDP, &query);
    let mut fragments = Lab::new();
    for (i, piece) in frame::fragments(&packet, 9, 44).iter().enumerate() {
        if i != 1 {
            fragments.raw(piece);
        }
    }
    fragments.finish();
    for (name, lab, kind) in
        [("stream", stream, Blind::StreamGap), ("quic", quic, Blind::QuicGap), ("fragments", fragments, Blind::FragmentLost)]
    {
        assert_eq!((lab.names.0.len(), lab.blind(kind)), (0, 1), "{name}");
    }
}

#[test]
fn evasion_by_resend_urgent_and_reset() {
    let whole = hello("true.example");
    let client = side(Side::Client);
    // A reset with any sequence number, a FIN that is none, another SYN: the hello behind them counts.
    for set in [flags::RST, flags::RST | flags::ACK, flags::SYN] {
        for shift in [0_u32, 7, 1_000_000] {
            let mut lab = Lab::tcp();
            lab.seq[client] = lab.seq[client].wrapping_add(shift);
            lab.segment(Side::Client, set, &[]);
            lab.seq[client] = lab.seq[client].wrapping_sub(shift);
            lab.say(Side::Client, &whole, 50);
            assert_eq!(lab.names.0, ["true.example"], "flags {set:#x} {shift} ahead");
        }
    }
    // Other bytes in place of those that came first: the first copy stays, the attempt is counted.
    let mut resent = Lab::tcp();
    resent.say(Side::Client, &whole[..60], 60).say(Side::Client, &[0xee; 20], 20);
    resent.seq[client] -= 20;
    resent.say(Side::Client, &whole[60..], 20);
    assert_eq!((resent.names.0.len(), resent.blind(Blind::Ambiguous)), (0, 1));
    // The same bytes again are no conflict.
    let mut repeated = Lab::tcp();
    for piece in whole.chunks(30) {
        repeated.say(Side::Client, piece, 30);
        repeated.seq[client] -= piece.len() as u32;
        repeated.say(Side::Client, piece, 30);
    }
    assert_eq!((&repeated.names.0[..], repeated.blind(Blind::Ambiguous)), (&["true.example".to_string()][..], 0));
    // Urgent data is data; one byte from before the window (a keep-alive) is none.
    let mut urgent = Lab::tcp();
    for piece in whole.chunks(30) {
        urgent.segment(Side::Client, flags::ACK | flags::URG, piece);
        urgent.seq[client] += piece.len() as u32;
        urgent.seq[client] -= 1;
        urgent.segment(Side::Client, flags::ACK, &[0]);
        urgent.seq[client] += 1;
    }
    assert_eq!(urgent.names.0, ["true.example"]);
}

#[test]
fn tunnels_in_tunnels() {
    let (src, dst) = Lab::ends(Side::Client);
    let query = frame::udp(src, std::net::SocketAddr::new(dst.ip(), 53), &dns::query(1, "deep.example", dns::kind::A));
    let [near, far] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];
    for (depth, deep) in [(3, 0), (200, 1), (1_000, 1)] {
        let packet = frame::ip(src.ip(), dst.ip(), 64, proto::UDP, &query);
        let ipip = (0..depth).fold(packet.clone(), |inner, _| frame::ip(src.ip(), dst.ip(), 64, 4, &inner));
        let gre = (0..depth).fold(packet.clone(), |inner, _| frame::ip(src.ip(), dst.ip(), 64, 47, &frame::gre(frame::IPV4, None, &inner)));
        let vxlan = (0..depth).fold(packet, |inner, _| {
            let outer = frame::vxlan(1, &frame::ethernet(near, far, &[], frame::IPV4, &inner));
            frame::ip(src.ip(), dst.ip(), 64, proto::UDP, &frame::udp(src, std::net::SocketAddr::new(dst.ip(), 4_789), &outer))
        });
        for bytes in [ipip, gre, vxlan].iter().filter(|b| b.len() < 65_536) {
            let mut lab = Lab::new();
            lab.raw(bytes);
            assert_eq!((lab.blind(Blind::TooDeep), lab.limit(Limit::DecodeDepth)), (deep, deep), "{depth}");
        }
    }
}

#[test]
fn inflate_bombs() {
    let request = http::get("a.example", "/cgi-bin/micromsg-bin/newgetdns?uin=1&clientversion=2&devicetype=android", "x");
    for (level, zeros) in [(9, 40_000_000), (1, 4_000_000)] {
        let body = miniz_oxide::deflate::compress_to_vec(&vec![b'<'; zeros], level);
        let reply = http::reply("200 OK", &[("Content-Type", "text/xml"), ("Content-Encoding", "deflate")], &body);
        let mut lab = Lab::tcp();
        lab.say(Side::Client, &request, 1_400).say(Side::Server, &reply, 1_400);
        lab.finish();
        assert_eq!(lab.limit(Limit::Inflate), 1, "{zeros} from {}", body.len());
        assert!(lab.worker.tally().held() < STREAMS_BYTES_MAX);
    }
}

#[test]
fn paths_out_of_a_rule_folder() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let secret = dir.path().join("secret.txt");
    std::fs::write(&secret, "token = \"do-not-tell\"\n").expect("written");
    let rules = dir.path().join("rules");
    std::fs::create_dir(&rules).expect("made");
    let rule = "app = \"x\"\ninclude = \"../secret.txt\"\n[[names]]\nid = \"x.y\"\nnames = [\"x.example\"]\nfile = \"../secret.txt\"\n";
    std::fs::write(rules.join("site.toml"), rule).expect("written");
    std::os::unix::fs::symlink(&secret, rules.join("link.toml")).expect("linked");
    let done = run(&["check", "--rules", &rules.to_string_lossy()]);
    assert_eq!(done.status, Some(78));
    assert!(!format!("{}{}", done.stdout, done.stderr).contains("do-not-tell"), "{}", done.stderr);
}

/// Names that want to be more than names. All of them end in a name that a rule knows.
fn hostile_names() -> Vec<Vec<u8>> {
    let tail = b".weixin.qq.com";
    let odd: [&[u8]; 9] = [
        b"a\nb",
        b"a\0b",
        b"\"a\"",
        b"\xff\xfe",
        b"\x1b[31mred",
        b"\x1b]0;title\x07",
        "\u{9b}2J".as_bytes(),
        "\u{202e}moc".as_bytes(),
        b"a,=1+1",
    ];
    let mut names: Vec<Vec<u8>> = odd.iter().map(|name| [name, &tail[..]].concat()).collect();
    names.push([&[b'a'; 9_000], &tail[..]].concat());
    names
}

/// Each hostile name wherever a name can stand.
fn hostile_capture() -> Vec<u8> {
    let mut frames = Vec::new();
    let mut put = |i: usize, protocol, port: u16, server: u16, message: &dyn Fn(std::net::SocketAddr, std::net::SocketAddr) -> Vec<u8>| {
        let src = std::net::SocketAddr::from(([10, 1, 1, i as u8 + 1], port));
        let dst = std::net::SocketAddr::from(([192, 0, 2, 1], server));
        let packet = frame::ip(src.ip(), dst.ip(), 64, protocol, &message(src, dst));
        let mac = Mac([2, 0, 0, 0, 1, i as u8]);
        frames.push(Frame { at: START, interface: 0, bytes: frame::ethernet(Mac([2, 0, 0, 0, 0, 1]), mac, &[], frame::IPV4, &packet) });
    };
    for (i, name) in hostile_names().into_iter().enumerate() {
        let text = String::from_utf8_lossy(&name).into_owned();
        let sni = [&((name.len() + 3) as u16).to_be_bytes()[..], &[0], &(name.len() as u16).to_be_bytes(), &name].concat();
        let hello = record(&ClientHello::bare(&mut Prng::new(5)).with(0, sni).message());
        let get = [b"GET /a HTTP/1.1\r\nUser-Agent: ", &name[..], b"\r\nHost: ", &name, b"\r\n\r\n"].concat();
        for (port, server, stream) in [(4_000, 443, &hello), (4_001, 80, &get)] {
            let header = |seq, flags| frame::TcpHeader { seq, ack: 0, flags, options: Vec::new() };
            put(i, proto::TCP, port, server, &|s, d| frame::tcp(s, d, &header(1, flags::SYN), &[]));
            put(i, proto::TCP, port, server, &|s, d| frame::tcp(s, d, &header(2, flags::ACK), stream));
        }
        let label = &name[..name.len().min(60)];
        let labels = [&[label.len() as u8][..], label, b"\x06weixin\x02qq\x03com\0"].concat();
        let query = [&b"\0\x07\x01\0\0\x01\0\0\0\0\0\0"[..], &labels, &[0, 1, 0, 1]].concat();
        put(i, proto::UDP, 4_002, 53, &|s, d| frame::udp(s, d, &query));
        let cut: String = text.chars().take(40).collect();
        let lease = dhcp::Lease {
            xid: 1,
            mac: Mac([2, 0, 0, 0, 1, i as u8]),
            host_name: &cut,
            vendor_class: &cut,
            address: [10, 1, 1, i as u8 + 1].into(),
            server: [192, 0, 2, 1].into(),
            domain: &cut,
            seconds: 600,
            relay: [0, 0, 0, 0].into(),
            parameters: dhcp::parameters::LINUX,
            client_id: &[],
            agent: &[],
        };
        for kind in [dhcp::kind::REQUEST, dhcp::kind::ACK] {
            let (port, server) = if kind == dhcp::kind::ACK { (67, 68) } else { (68, 67) };
            put(i, proto::UDP, port, server, &|s, d| frame::udp(s, d, &dhcp::message(kind, &lease)));
        }
    }
    pcap(&frames, Pcap::default())
}

/// What steers a terminal: control characters but line ends and tabs, C1 controls, marks of direction.
fn steers(text: &str) -> Option<char> {
    text.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[test]
fn hostile_names_reach_no_terminal_and_break_no_json() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("names.pcap");
    std::fs::write(&path, hostile_capture()).expect("written");
    let path = path.to_string_lossy().into_owned();
    for args in
        [&["scan", "-o", "json", "--flows"][..], &["scan", "--flows"], &["scan", "-o", "csv"], &["dissect", "-o", "json"], &["dissect"]]
    {
        let done = run(&[args, &[&path]].concat());
        assert!(done.status == Some(0) && done.stdout.contains("weixin"), "{args:?}: {}{}", done.stdout, done.stderr);
        for text in [&done.stdout, &done.stderr] {
            assert_eq!(steers(text), None, "{args:?}: {text}");
            assert!(text.lines().all(|line| line.len() < 40_000), "{args:?}");
        }
        if args.contains(&"json") {
            done.stdout.lines().for_each(|line| assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}"));
        }
    }
}
