//! Seeds for fuzzing: a few small inputs for each target, made of what the generators say, so that the fuzzer begins inside the
//! protocols. Their form is that of `ringfence_core::fuzz`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ringfence_core::net::Mac;

use crate::capture::{Frame, Interface, Pcap, pcap, pcapng};
use crate::mmtls::{Installation, Start};
use crate::office::START;
use crate::prng::Prng;
use crate::quic::{Shape, Version};
use crate::tcp::Conversation;
use crate::tls::ClientHello;
use crate::wire::Side;
use crate::{arp, dhcp, dns, frame, http, mmtls, nd, newgetdns, office, qq, quic, radius, root, tls};

/// One input: its target, its name, its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The fuzzing target.
    pub target: &'static str,
    /// What it is, as a file name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// A piece of one direction, as the targets of streams and datagrams read it.
fn piece(from: Side, bytes: &[u8]) -> Vec<u8> {
    let direction = if from == Side::Client { 0 } else { 0x8000 };
    bytes.chunks(0x3fff).flat_map(|part| [&(direction | part.len() as u16).to_be_bytes()[..], part].concat()).collect()
}

fn talk(pieces: &[(Side, Vec<u8>)]) -> Vec<u8> {
    pieces.iter().flat_map(|(from, bytes)| piece(*from, bytes)).collect()
}

/// What both sides of a conversation say, segment by segment.
fn said(conversation: &Conversation) -> Vec<u8> {
    let segments = conversation.segments();
    segments.iter().filter(|s| !s.payload.is_empty()).flat_map(|s| piece(s.from, &s.payload)).collect()
}

/// Frames as the target `frame` reads them; all of link type Ethernet.
fn frames(list: &[Frame]) -> Vec<u8> {
    list.iter().flat_map(|f| [&[0], &(f.bytes.len() as u16).to_be_bytes()[..], &f.bytes].concat()).collect()
}

/// Every seed, the same each time.
pub fn all() -> Vec<Seed> {
    let mut found = Vec::new();
    for (target, make) in MAKERS {
        let mut prng = Prng::new(6).fork(target);
        found.extend(make(&mut prng).into_iter().map(|(name, bytes)| Seed { target, name: name.to_string(), bytes }));
    }
    found
}

type Made = Vec<(&'static str, Vec<u8>)>;

type Maker = fn(&mut Prng) -> Made;

const MAKERS: &[(&str, Maker)] = &[
    ("frame", whole_frames),
    ("headers", headers),
    ("tls", tls_streams),
    ("quic", quic_datagrams),
    ("mmtls", mmtls_streams),
    ("http", http_streams),
    ("dns", dns_messages),
    ("dhcp", bindings),
    ("radius", accounting),
    ("newgetdns", replies),
    ("rule_file", rule_files),
    ("reassembly", steps),
    ("capture_file", capture_files),
    ("config", configurations),
];

fn whole_frames(_prng: &mut Prng) -> Made {
    let all = office::morning().trace.into_frames();
    let some = |skip: usize, count: usize| frames(&all[skip..(skip + count).min(all.len())]);
    vec![("boot", some(0, 30)), ("morning", some(200, 40)), ("later", some(900, 40)), ("encapsulated", encapsulated())]
}

/// One datagram under every encapsulation that the generators know.
fn encapsulated() -> Vec<u8> {
    let end = |n: u8, port| SocketAddr::new(Ipv4Addr::new(192, 0, 2, n).into(), port);
    let [near, far] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];
    let (src, dst) = (end(1, 40_000), end(2, 53));
    let query = frame::udp(src, dst, &dns::query(7, "a.example.org", dns::kind::A));
    let packet = frame::ip(src.ip(), dst.ip(), 64, frame::proto::UDP, &query);
    let inner = frame::ethernet(near, far, &[], frame::IPV4, &packet);
    let outer = |protocol, payload: &[u8]| frame::ip(end(3, 0).ip(), end(4, 0).ip(), 64, protocol, payload);
    let vxlan = outer(frame::proto::UDP, &frame::udp(end(3, 50_000), end(4, 4_789), &frame::vxlan(77, &inner)));
    let gre = outer(47, &frame::gre(frame::IPV4, Some(5), &packet));
    let tagged = frame::ethernet(near, far, &[10, 20, 30], frame::IPV4, &packet);
    let mut bytes: Vec<Vec<u8>> =
        [vxlan, gre, outer(4, &packet)].iter().map(|p| frame::ethernet(near, far, &[9], frame::IPV4, p)).collect();
    bytes.extend([inner, tagged]);
    bytes.extend(frame::fragments(&packet, 9, 48).iter().map(|f| frame::ethernet(near, far, &[], frame::IPV4, f)));
    frames(&bytes.into_iter().map(|bytes| Frame { at: START, interface: 0, bytes }).collect::<Vec<_>>())
}

fn headers(prng: &mut Prng) -> Made {
    let mut list = office::morning().trace.into_frames();
    prng.shuffle(&mut list);
    let names = ["one", "two", "three", "four", "five", "six"];
    names.into_iter().zip(list).map(|(name, frame)| (name, frame.bytes)).collect()
}

fn tls_streams(prng: &mut Prng) -> Made {
    let hello = ClientHello::browser("a.example.org", &["h2", "http/1.1"], prng);
    let old = ClientHello::old("b.example.org", prng);
    let shake = |hello: &ClientHello, prng: &mut Prng| {
        let server = tls::record(tls::kind::HANDSHAKE, 0x0303, &tls::server_hello(hello, prng));
        (tls::record(tls::kind::HANDSHAKE, 0x0301, &hello.message()), server)
    };
    let (new_client, new_server) = shake(&hello, prng);
    let (old_client, old_server) = shake(&old, prng);
    let scattered = tls::records(&old.message(), 0x0301, 20);
    let c = |text: &[u8]| (Side::Client, text.to_vec());
    let s = |text: &[u8]| (Side::Server, text.to_vec());
    let connect = talk(&[c(b"CONNECT a.example.org:443 HTTP/1.1\r\n\r\n"), s(b"HTTP/1.1 200 OK\r\n\r\n"), c(&old_client)]);
    let smtp = talk(&[s(b"220 mail\r\n"), c(b"EHLO a\r\n"), s(b"250 STARTTLS\r\n"), c(b"STARTTLS\r\n"), s(b"220 go\r\n"), c(&old_client)]);
    let socks =
        talk(&[c(&[5, 1, 0]), s(&[5, 0]), c(&[5, 1, 0, 1, 192, 0, 2, 1, 1, 187]), s(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), c(&old_client)]);
    vec![
        ("modern", talk(&[c(&new_client), s(&new_server)])),
        ("old", talk(&[c(&old_client), s(&old_server)])),
        ("records", talk(&[c(&scattered)])),
        ("alert-first", talk(&[c(&[&[21, 3, 1, 0, 2, 1, 0][..], &old_client].concat())])),
        ("connect", connect),
        ("smtp", smtp),
        ("socks", socks),
        ("proxy", talk(&[c(&[b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", &old_client[..]].concat())])),
    ]
}

fn quic_datagrams(prng: &mut Prng) -> Made {
    let mut connection = |version, shape| {
        let list = quic::connection(version, "q.example.org", shape, &[(Side::Server, 60)], prng);
        talk(&list.into_iter().map(|(from, _, bytes)| (from, bytes)).collect::<Vec<_>>())
    };
    let pieces = Shape { chunk: 100, shuffled: true, datagram: 1_200 };
    vec![
        ("v1", connection(Version::V1, Shape::default())),
        ("v2", connection(Version::V2, Shape::default())),
        ("shuffled", connection(Version::V1, pieces)),
    ]
}

fn mmtls_streams(prng: &mut Prng) -> Made {
    let app = Installation::new("android", prng);
    let (client, server) = (SocketAddr::from(([192, 0, 2, 1], 40_000)), SocketAddr::from(([192, 0, 2, 2], 8_080)));
    let mut long = |start| {
        let mut talk = Conversation::new(client, server, prng);
        app.long_link(&mut talk, start, START, 2, Duration::from_secs(60), prng);
        said(&talk)
    };
    let (resume, refresh, new) = (long(Start::Resume), long(Start::Refresh), long(Start::New));
    let oicq = piece(Side::Client, &qq::oicq(0x0825, 1, 12_345_678, &prng.bytes(40)));
    let msf = piece(Side::Client, &[qq::msf_hello(), qq::msf_message(80, prng)].concat());
    vec![("resume", resume), ("refresh", refresh), ("new", new), ("oicq", oicq), ("msf", msf)]
}

fn http_streams(prng: &mut Prng) -> Made {
    let app = Installation::new("android", prng);
    let body = app.short_body(Start::Resume, START, 60, prng);
    let short =
        [(Side::Client, mmtls::short_request("a.example.org", &body, prng)), (Side::Server, app.short_reply(Start::Resume, 40, prng))];
    let client = IpAddr::from([192, 0, 2, 7]);
    let newdns = [
        (Side::Client, newgetdns::request("a.example.org", 1, 2, "android")),
        (Side::Server, newgetdns::reply(&[("b.example.org", vec![client])], &[client], client)),
    ];
    let disguise = [(Side::Client, mmtls::disguise_request("a.example.org", 30, prng)), (Side::Server, mmtls::disguise_reply(30, prng))];
    let legacy = [(Side::Client, mmtls::legacy_request("a.example.org", "getprofile", 1, 1, 80, prng))];
    let page = [
        (Side::Client, http::get("a.example.org", "/a?b=c", "agent")),
        (Side::Server, http::reply("200 OK", &[("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n")),
    ];
    vec![
        ("short-link", talk(&short)),
        ("newgetdns", talk(&newdns)),
        ("disguise", talk(&disguise)),
        ("legacy", talk(&legacy)),
        ("page", talk(&page)),
    ]
}

fn dns_messages(_prng: &mut Prng) -> Made {
    let v4 = IpAddr::from([192, 0, 2, 7]);
    let query = dns::query(1, "a.example.org", dns::kind::HTTPS);
    let answer = dns::answer(1, "a.example.org", dns::kind::A, &["b.example.org", "c.example.net"], &[v4, v4], 60);
    let both = [piece(Side::Client, &query), piece(Side::Server, &answer)].concat();
    let stream = [piece(Side::Client, &dns::over_tcp(&query)), piece(Side::Server, &dns::over_tcp(&answer).repeat(2))].concat();
    let mdns = piece(Side::Client, &dns::announcement("host.local", v4));
    vec![("udp", [vec![0], both].concat()), ("tcp", [vec![1], stream].concat()), ("mdns", [vec![0], mdns].concat())]
}

fn bindings(_prng: &mut Prng) -> Made {
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let v4 = Ipv4Addr::new(192, 0, 2, 7);
    let lease = dhcp::Lease {
        xid: 1,
        mac,
        host_name: "host",
        vendor_class: "class",
        address: v4,
        server: Ipv4Addr::new(192, 0, 2, 1),
        domain: "lan",
        seconds: 600,
        relay: Ipv4Addr::UNSPECIFIED,
        parameters: dhcp::parameters::LINUX,
        client_id: &[],
        agent: &[],
    };
    let exchange = [(Side::Client, dhcp::message(dhcp::kind::REQUEST, &lease)), (Side::Server, dhcp::message(dhcp::kind::ACK, &lease))];
    let [local, other] = [nd::link_local(mac), nd::link_local(Mac([2, 0, 0, 0, 0, 2]))];
    vec![
        ("dhcp", [vec![0], talk(&exchange)].concat()),
        ("arp", [vec![1], arp::message(2, (mac, v4), (mac, v4))].concat()),
        ("solicitation", [vec![2], nd::solicitation(local, other, mac)].concat()),
        ("advertisement", [vec![2], nd::advertisement(local, other, local, mac, true)].concat()),
    ]
}

fn accounting(_prng: &mut Prng) -> Made {
    let session = |status| {
        radius::request(
            status,
            Mac([2, 0, 0, 0, 0, 1]),
            &[Ipv4Addr::new(192, 0, 2, 7).into(), nd::link_local(Mac([2, 0, 0, 0, 0, 1])).into()],
        )
    };
    vec![("start", piece(Side::Client, &session(1))), ("stop", piece(Side::Client, &session(2)))]
}

fn replies(_prng: &mut Prng) -> Made {
    let addr = IpAddr::from([192, 0, 2, 7]);
    let xml = newgetdns::xml(&[("a.example.org", vec![addr, addr]), ("b.example.org", vec![addr])], &[addr], addr);
    let deflated = miniz_oxide::deflate::compress_to_vec(xml.as_bytes(), 6);
    let zlib = miniz_oxide::deflate::compress_to_vec_zlib(xml.as_bytes(), 6);
    vec![("xml", xml.into_bytes()), ("deflate", deflated), ("zlib", zlib)]
}

fn text(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).expect("a file of this repository")
}

fn rule_files(_prng: &mut Prng) -> Made {
    vec![("tiktok", text("rules/apps/tiktok.toml")), ("empty", Vec::new())]
}

fn steps(prng: &mut Prng) -> Made {
    let mut made = |kind: u8, unit: usize| {
        let mut pieces: Vec<Vec<u8>> = (0..12_usize)
            .map(|i| [&((i * unit) as u16).to_be_bytes()[..], &[unit as u8, u8::from(i < 11)], &vec![i as u8 + 1; unit]].concat())
            .collect();
        prng.shuffle(&mut pieces);
        [vec![kind], pieces.concat()].concat()
    };
    vec![("window", made(0, 9)), ("stream", made(1, 9)), ("datagram", made(2, 8))]
}

fn capture_files(_prng: &mut Prng) -> Made {
    let list: Vec<Frame> = office::morning().trace.into_frames().into_iter().take(6).collect();
    let micros = pcap(&list, Pcap::default());
    let blocks = pcapng(&list, &[Interface::ethernet("one"), Interface { nanos: true, snaplen: 60, ..Interface::ethernet("two") }], true);
    vec![("pcap", micros), ("pcapng", blocks)]
}

fn configurations(_prng: &mut Prng) -> Made {
    let main = text("deploy/config/ringfence.toml");
    let segments = text("deploy/config/segments.toml");
    let waivers = text("deploy/config/waivers.toml");
    let devices = text("deploy/config/devices.csv");
    vec![("example", [&main[..], b"\x1e", &devices].concat()), ("segments", segments), ("waivers", waivers)]
}
