//! Captures that are made to cost as much as they can: each has few packets, and each of them is to be no dearer than others.

use std::io;
use std::net::SocketAddr;

use ringfence_core::flow::FlowKey;
use ringfence_core::fold::Keys;
use ringfence_core::net::{Endpoint, Transport};

use super::{Corpus, File, end};
use crate::frame::{self, flags, proto};
use crate::prng::Prng;
use crate::tls::{self, ClientHello};
use crate::{dns, newgetdns, quic};

/// A capture that is made to cost much.
#[derive(Clone, Debug)]
pub struct Attack {
    /// What is in it.
    pub name: &'static str,
    /// The capture.
    pub capture: Vec<u8>,
    /// A site's rule file that makes it dearer; empty where the shipped ones do.
    pub rules: String,
}

type Make = fn(&mut File<'_>) -> io::Result<()>;

const ATTACKS: [(&str, Make); 13] = [
    ("one-byte segments, last first", |f| segments(f, 1, true)),
    ("16-byte segments", |f| segments(f, 16, false)),
    ("flows that differ in one number", neighbours),
    ("tunnels in tunnels", tunnels),
    ("an inflate bomb", bomb),
    ("CRYPTO frames with gaps", gaps),
    ("names of 127 labels", labels),
    ("fragments of 8 bytes, last first", pieces),
    ("every second 16-byte segment, then the others", holes),
    ("segments that overlap all but a byte", overlaps),
    ("an HTTP head in 16-byte segments", head),
    ("Initials under ever new keys", keys),
    ("flows that share a set of the lone table", |f| colliding(f, shares_a_set)),
];

/// An attack, and a rule file that makes it as dear as rules may.
type Ruled = (&'static str, Make, fn() -> String);

const RULED: [Ruled; 2] =
    [("names that all wildcards nearly match", nearly, wildcards), ("user agents that many rules search", agents, needles)];

/// Every attack.
///
/// # Panics
/// Never: memory takes every byte.
pub fn all() -> Vec<Attack> {
    let plain = ATTACKS.into_iter().map(|(name, make)| Attack { name, capture: capture(make), rules: String::new() });
    let ruled = RULED.into_iter().map(|(name, make, rules)| Attack { name, capture: capture(make), rules: rules() });
    plain.chain(ruled).collect()
}

/// Two packets each of flows that meet in an index whose keys somebody guessed: once for keys of one number, once for those of another.
/// An index with either keys has a long search for the one lot and a short one for the other.
///
/// # Panics
/// Never: memory takes every byte.
pub fn guessed_keys() -> [Vec<u8>; 2] {
    [capture(|f| colliding(f, meets::<1>)), capture(|f| colliding(f, meets::<2>))]
}

fn capture(make: Make) -> Vec<u8> {
    let mut bytes = Vec::new();
    make(&mut File::new(&mut bytes).expect("memory")).expect("memory");
    bytes
}

/// What packets cost that attack nobody: handshakes and segments in mid-stream.
///
/// # Panics
/// Never: memory takes every byte.
pub fn ordinary() -> Vec<u8> {
    let mut bytes = Vec::new();
    super::write(Corpus::Storm, 500, &mut bytes).expect("memory");
    bytes
}

/// A hello of 12 KiB in small pieces.
fn segments(file: &mut File<'_>, size: usize, reversed: bool) -> io::Result<()> {
    let (client, server) = (end(0x0a00_0001, 40_000), end(0xc633_6401, 443));
    let hello = ClientHello::browser("long.weixin.qq.com", &["h2"], &mut Prng::new(1)).with(0x5500, vec![0; 3_000]);
    let record = tls::record(tls::kind::HANDSHAKE, 0x0301, &hello.message());
    file.tcp(client, server, 0, 0, flags::SYN, &[])?;
    let mut pieces: Vec<(u32, &[u8])> = record.chunks(size).enumerate().map(|(i, p)| (1 + (i * size) as u32, p)).collect();
    if reversed {
        pieces.reverse();
    }
    pieces.into_iter().try_for_each(|(seq, piece)| file.tcp(client, server, seq, 1, flags::ACK, piece))
}

/// Two packets each of flows whose addresses and ports are in a row: a weak hash puts them in one place.
fn neighbours(file: &mut File<'_>) -> io::Result<()> {
    for turn in 0..2 {
        for n in 0..4_000u32 {
            file.tcp(end(0x0a00_0000 + (n << 16), 1_024), end(0xc000_0201, 443), turn, 1, flags::ACK, &[])?;
        }
    }
    Ok(())
}

/// IP in IP in IP, as often as a frame holds, around what looks like another one.
fn tunnels(file: &mut File<'_>) -> io::Result<()> {
    let (client, server) = (end(0x0a00_0001, 40_000), end(0xc633_6401, 443));
    let mut packet = frame::ip(client.ip(), server.ip(), 64, proto::UDP, &frame::udp(client, server, &[7; 20]));
    for _ in 0..60 {
        packet = frame::ip(client.ip(), server.ip(), 64, proto::IPIP, &packet);
    }
    (0..2_000).try_for_each(|_| file.packet(client, server, proto::IPIP, &packet))
}

/// Replies that inflate to a thousand times their size.
fn bomb(file: &mut File<'_>) -> io::Result<()> {
    let body = miniz_oxide::deflate::compress_to_vec(&vec![b'<'; 8 << 20], 9);
    let head = format!("HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: deflate\r\nContent-Length: {}\r\n\r\n", body.len());
    let reply = [head.as_bytes(), &body].concat();
    for n in 0..20u16 {
        let (client, server) = (end(0x0a00_0001, 40_000 + n), end(0xc633_6401, newgetdns::PORT));
        let request = newgetdns::request("dns.weixin.qq.com", 1, 2, "android-30");
        file.tcp(client, server, 0, 0, flags::SYN, &[])?;
        file.tcp(server, client, 0, 1, flags::SYN | flags::ACK, &[])?;
        file.tcp(client, server, 1, 1, flags::ACK, &request)?;
        for (i, piece) in reply.chunks(500).enumerate() {
            file.tcp(server, client, 1 + 500 * i as u32, 1 + request.len() as u32, flags::ACK, piece)?;
        }
    }
    Ok(())
}

/// Initials whose CRYPTO frames of 4 bytes leave gaps that never fill.
fn gaps(file: &mut File<'_>) -> io::Result<()> {
    for n in 0..40u16 {
        let (client, server) = (end(0x0a00_0001, 40_000 + n), end(0xc633_6401, 443));
        let first = quic::Packet::initial(quic::Version::V1, &u64::from(n).to_be_bytes(), &[]);
        let keys = quic::Keys::new(first.version, &first.dcid, crate::wire::Side::Client);
        for number in 0..40u64 {
            let frames = (0..100).flat_map(|i| quic::crypto(4 + 16 * (number * 100 + i), &[7; 4])).collect();
            let datagram = quic::Packet { number, frames, ..first.clone() }.seal(&keys, 1_200);
            file.packet(client, server, proto::UDP, &frame::udp(client, server, &datagram))?;
        }
    }
    Ok(())
}

/// Questions for names that have as many labels as a name can.
fn labels(file: &mut File<'_>) -> io::Result<()> {
    for n in 0..2_000u16 {
        let (client, server) = (end(0x0a00_0001, 20_000 + n), end(0xc633_6401, 53));
        let query = dns::query(n, &format!("{}weixin.qq.com", "a.".repeat(110)), dns::kind::A);
        file.packet(client, server, proto::UDP, &frame::udp(client, server, &query))?;
    }
    Ok(())
}

/// A datagram in as many fragments as it can have.
fn pieces(file: &mut File<'_>) -> io::Result<()> {
    let (client, server) = (end(0x0a00_0001, 40_000), end(0xc633_6401, 443));
    let packet = frame::ip(client.ip(), server.ip(), 64, proto::UDP, &frame::udp(client, server, &vec![7; 16_000]));
    for piece in frame::fragments(&packet, 9, 28).iter().rev() {
        file.frame(&frame::ethernet(super::FAR, super::NEAR, &[], frame::IPV4, piece))?;
    }
    Ok(())
}

/// A hello of 12 KiB of which every second piece comes first: as many ranges as pieces.
fn holes(file: &mut File<'_>) -> io::Result<()> {
    let (client, server) = (end(0x0a00_0001, 40_000), end(0xc633_6401, 443));
    let hello = ClientHello::browser("long.weixin.qq.com", &["h2"], &mut Prng::new(1)).with(0x5500, vec![0; 12_000]);
    let record = tls::record(tls::kind::HANDSHAKE, 0x0301, &hello.message());
    file.tcp(client, server, 0, 0, flags::SYN, &[])?;
    let pieces = || record.chunks(16).enumerate().map(|(i, piece)| (1 + (i * 16) as u32, piece));
    let (odd, even) = (pieces().skip(1).step_by(2), pieces().step_by(2));
    odd.chain(even).try_for_each(|(seq, piece)| file.tcp(client, server, seq, 1, flags::ACK, piece))
}

/// Segments of a whole frame, each of which begins one byte after the one before, from the last to the first.
fn overlaps(file: &mut File<'_>) -> io::Result<()> {
    let (client, server) = (end(0x0a00_0001, 40_000), end(0xc633_6401, 443));
    let bytes = [&[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0][..], &[3; 16_000]].concat();
    file.tcp(client, server, 0, 0, flags::SYN, &[])?;
    (0..2_000usize).rev().try_for_each(|at| file.tcp(client, server, 1 + at as u32, 1, flags::ACK, &bytes[at..at + 1_400]))
}

/// A head that is as long as one may be and never ends.
fn head(file: &mut File<'_>) -> io::Result<()> {
    let (client, server) = (end(0x0a00_0001, 40_000), end(0xc633_6401, 80));
    let text = format!("GET / HTTP/1.1\r\nHost: {}\r\nUser-Agent: x", "h\r\nX: y\r\n".repeat(1_500));
    file.tcp(client, server, 0, 0, flags::SYN, &[])?;
    let pieces = text.as_bytes().chunks(16).enumerate();
    pieces.take(1_000).try_for_each(|(i, piece)| file.tcp(client, server, 1 + (16 * i) as u32, 1, flags::ACK, piece))
}

/// Initials on the same ports, each of which begins another connection.
fn keys(file: &mut File<'_>) -> io::Result<()> {
    for n in 0..20u16 {
        let (client, server) = (end(0x0a00_0001, 40_000 + n), end(0xc633_6401, 443));
        for number in 0..32u64 {
            let dcid = (u64::from(n) << 32 | number).to_be_bytes();
            let packet = quic::Packet { frames: quic::crypto(4, &[7; 40]), ..quic::Packet::initial(quic::Version::V1, &dcid, &[]) };
            let datagram = packet.seal(&quic::Keys::new(packet.version, &dcid, crate::wire::Side::Client), 1_200);
            file.packet(client, server, proto::UDP, &frame::udp(client, server, &datagram))?;
        }
    }
    Ok(())
}

/// Whether a flow lies in the first of 4,096 sets of the table of lone flows: its keys follow from a number, which is 0 for a file.
fn shares_a_set(key: &FlowKey<'_>) -> bool {
    key.hash(&Keys::of(0)).is_multiple_of(4_096)
}

/// Whether a flow has the first of 4,096 places in an index whose keys somebody guessed.
fn meets<const NUMBER: u64>(key: &FlowKey<'_>) -> bool {
    (key.hash(&Keys::of(NUMBER)) >> 32).is_multiple_of(4_096)
}

/// Two packets each of flows that `meet`.
fn colliding(file: &mut File<'_>, meet: fn(&FlowKey<'_>) -> bool) -> io::Result<()> {
    let server = Endpoint { addr: end(0xc000_0201, 443).ip(), port: 443 };
    let client = |n: u32| Endpoint { addr: end(0x0a00_0000 + (n >> 12), 443).ip(), port: 1_024 + (n & 0xfff) as u16 };
    let chosen: Vec<Endpoint> = (0..).map(client).filter(|c| meet(&FlowKey::new(c, &server, Transport::Tcp))).take(1_500).collect();
    for turn in 0..2 {
        for c in &chosen {
            let (from, to) = (SocketAddr::new(c.addr, c.port), SocketAddr::new(server.addr, server.port));
            file.tcp(from, to, turn, 1, flags::ACK, &[])?;
        }
    }
    Ok(())
}

/// Labels of the names that wildcards nearly match.
const DEEP: usize = 40;

/// As many wildcards as a rule file may hold below a name, and that below every end of a name.
fn wildcards() -> String {
    let mut text =
        String::from("app = \"cost\"\nsource = \"test\"\n[[names]]\nid = \"cost.names\"\nclass = \"c\"\nconfidence = \"low\"\nnames = [\n");
    for depth in 0..DEEP {
        let parent = format!("{}wild.example", "a.".repeat(depth));
        (0..32).for_each(|i| text += &format!("\"{}*b{i}.{parent}\",\n", "a".repeat(20)));
    }
    text + "]\n"
}

fn nearly(file: &mut File<'_>) -> io::Result<()> {
    for n in 0..2_000u16 {
        let (client, server) = (end(0x0a00_0001, 20_000 + n), end(0xc633_6401, 53));
        let name = format!("{}.{}wild.example", "a".repeat(60), "a.".repeat(n as usize % DEEP));
        let query = dns::query(n, &name, dns::kind::A);
        file.packet(client, server, proto::UDP, &frame::udp(client, server, &query))?;
    }
    Ok(())
}

/// Hundreds of texts that are searched in every user agent.
fn needles() -> String {
    let head =
        "app = \"cost\"\nsource = \"test\"\n[[sign]]\nid = \"cost.agent\"\nclass = \"c\"\nfield = \"http.user_agent\"\nweight = 0.1\n";
    let texts: Vec<String> = (0..500).map(|i| format!("\"xxxxxxxxx{i}/\"")).collect();
    format!("{head}contains = [{}]\n", texts.join(", "))
}

fn agents(file: &mut File<'_>) -> io::Result<()> {
    for n in 0..20u16 {
        let (client, server) = (end(0x0a00_0001, 40_000 + n), end(0xc633_6401, 80));
        let request = crate::http::get("host.example", "/", &"x".repeat(15_000));
        file.tcp(client, server, 0, 0, flags::SYN, &[])?;
        for (i, piece) in request.chunks(1_400).enumerate() {
            file.tcp(client, server, 1 + (1_400 * i) as u32, 1, flags::ACK, piece)?;
        }
    }
    Ok(())
}
