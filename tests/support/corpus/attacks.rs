//! Captures that are made to cost as much as they can: each has few packets, and each of them is to be no dearer than others.

use std::io;

use super::{Corpus, File, end};
use crate::frame::{self, flags, proto};
use crate::prng::Prng;
use crate::tls::{self, ClientHello};
use crate::{dns, newgetdns, quic};

/// A capture with its name.
pub type Attack = (&'static str, Vec<u8>);

type Make = fn(&mut File<'_>) -> io::Result<()>;

const ATTACKS: [(&str, Make); 8] = [
    ("one-byte segments, last first", |f| segments(f, 1, true)),
    ("16-byte segments", |f| segments(f, 16, false)),
    ("flows that differ in one number", neighbours),
    ("tunnels in tunnels", tunnels),
    ("an inflate bomb", bomb),
    ("CRYPTO frames with gaps", gaps),
    ("names of 127 labels", labels),
    ("fragments of 8 bytes, last first", pieces),
];

/// Every attack.
///
/// # Panics
/// Never: memory takes every byte.
pub fn all() -> Vec<Attack> {
    let make = |(name, make): (&'static str, Make)| {
        let mut bytes = Vec::new();
        make(&mut File::new(&mut bytes).expect("memory")).expect("memory");
        (name, bytes)
    };
    ATTACKS.map(make).into()
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
