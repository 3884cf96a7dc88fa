//! Large captures for measuring, written as they are made: a mix of real captures, a storm of handshakes, a few bulk flows, a flood of
//! random addresses, streams without their beginning, tunnels, fragments.

pub mod attacks;
mod mix;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;

use crate::capture::{Pcap, PcapWriter};
use crate::frame::{self, TcpHeader, flags, proto};
use crate::office::START;
use crate::prng::Prng;
use crate::quic;
use crate::tls::{self, ClientHello};

/// What a corpus is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// TLS handshakes, a third with post-quantum keys in two segments, half of those out of order; every 100th name is WeChat's.
    Storm,
    /// Few flows with much data.
    Bulk,
    /// UDP datagrams and SYNs from random addresses.
    Flood,
    /// Everything that real captures hold (or, where there are none, the office), each round with other private addresses.
    Mix,
    /// Segments of 50,000 streams whose beginning was not seen.
    MidStream,
    /// Handshakes in VXLAN, GRE and two VLAN tags.
    Tunnels,
    /// QUIC handshakes in fragmented datagrams.
    Fragments,
    /// Handshakes with WeChat, each from another device.
    Clients,
}

impl Corpus {
    /// Words on the command line.
    pub const WORDS: [(&'static str, Corpus); 8] = [
        ("mix", Corpus::Mix),
        ("storm", Corpus::Storm),
        ("bulk", Corpus::Bulk),
        ("flood", Corpus::Flood),
        ("mid-stream", Corpus::MidStream),
        ("tunnels", Corpus::Tunnels),
        ("fragments", Corpus::Fragments),
        ("clients", Corpus::Clients),
    ];
}

/// Writes so many units (handshakes, segments, frames) as a pcap file; the number of frames.
///
/// # Errors
/// Whatever the writer says.
pub fn write(corpus: Corpus, units: u64, out: &mut dyn Write) -> io::Result<u64> {
    let mut file = File::new(out)?;
    if corpus == Corpus::Mix {
        return file.mix(&mix::Round::new(), units);
    }
    for unit in 0..units {
        match corpus {
            Corpus::Storm => file.handshake(unit)?,
            Corpus::Bulk => file.bulk(unit)?,
            Corpus::Flood => file.flood()?,
            Corpus::Mix => {}
            Corpus::MidStream => file.mid_stream(unit, 50_000)?,
            Corpus::Tunnels => file.tunnel(unit)?,
            Corpus::Fragments => file.fragments(unit)?,
            Corpus::Clients => file.client(unit)?,
        }
    }
    Ok(file.frames)
}

/// Writes `units` segments of `flows` streams in turn, none of which was seen to begin; the number of frames.
///
/// # Errors
/// Whatever the writer says.
pub fn write_flows(flows: u64, units: u64, out: &mut dyn Write) -> io::Result<u64> {
    let mut file = File::new(out)?;
    for unit in 0..units {
        file.mid_stream(unit, flows)?;
    }
    Ok(file.frames)
}

/// The name in the hello of a handshake of the storm; every hundredth is WeChat's.
pub fn storm_name(unit: u64) -> String {
    if unit % 100 == 7 { format!("sz{unit}long.weixin.qq.com") } else { format!("host{unit}.example.org") }
}

/// How a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Vxlan,
    Gre,
    TwoTags,
}

struct File<'w> {
    out: PcapWriter<&'w mut dyn Write>,
    now: Timestamp,
    frames: u64,
    prng: Prng,
    way: Way,
    /// The hardware address of all clients, unless each has its own.
    near: Mac,
}

const NEAR: Mac = Mac([0, 0, 0x5e, 0, 0x53, 1]);
const FAR: Mac = Mac([0, 0, 0x5e, 0, 0x53, 2]);

fn end(addr: u32, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(addr)), port)
}

impl<'w> File<'w> {
    fn new(out: &'w mut dyn Write) -> io::Result<Self> {
        Ok(File { out: PcapWriter::new(out, Pcap::default())?, now: START, frames: 0, prng: Prng::new(0xc0), way: Way::Plain, near: NEAR })
    }

    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.frame(self.now, bytes)?;
        self.now = self.now.after(Duration::from_micros(7));
        self.frames += 1;
        Ok(())
    }

    fn packet(&mut self, src: SocketAddr, dst: SocketAddr, protocol: u8, message: &[u8]) -> io::Result<()> {
        let packet = frame::ip(src.ip(), dst.ip(), 64, protocol, message);
        let [near, far] = [end(0xc0a8_0001, 55_555), end(0xc0a8_0002, 4_789)];
        let vlans: &[u16] = if self.way == Way::TwoTags { &[100, 20] } else { &[] };
        let packet = match self.way {
            Way::Plain | Way::TwoTags => packet,
            Way::Gre => frame::ip(near.ip(), far.ip(), 64, proto::GRE, &frame::gre(frame::IPV4, Some(7), &packet)),
            Way::Vxlan => {
                let inner = frame::vxlan(5_001, &frame::ethernet(FAR, NEAR, &[], frame::IPV4, &packet));
                frame::ip(near.ip(), far.ip(), 64, proto::UDP, &frame::udp(near, far, &inner))
            }
        };
        self.frame(&frame::ethernet(FAR, self.near, vlans, frame::IPV4, &packet))
    }

    fn mix(&mut self, round: &mix::Round, frames: u64) -> io::Result<u64> {
        let mut number = 0;
        while self.frames < frames {
            for frame in round.frames().iter().take((frames - self.frames) as usize) {
                self.now = self.now.after(frame.pause);
                self.out.frame(self.now, &frame.of_round(number))?;
                self.frames += 1;
            }
            number += 1;
        }
        Ok(self.frames)
    }

    fn mid_stream(&mut self, unit: u64, flows: u64) -> io::Result<()> {
        let (flow, turn) = (unit % flows, (unit / flows) as u32);
        let client = end(0x0a00_0000 + (flow / 50_000) as u32, 10_000 + (flow % 50_000) as u16);
        let server = end(0xc612_0000 + (flow % 4_093) as u32, 443);
        let data = self.prng.bytes(if turn.is_multiple_of(2) { 120 } else { 60 });
        let (from, to) = if turn % 3 == 1 { (client, server) } else { (server, client) };
        let mut record = vec![23, 3, 3, 0, data.len() as u8];
        record.extend(data);
        self.tcp(from, to, turn * 125, 1, flags::ACK, &record)
    }

    fn tunnel(&mut self, unit: u64) -> io::Result<()> {
        self.way = [Way::Vxlan, Way::Gre, Way::TwoTags][(unit % 3) as usize];
        self.handshake(unit)
    }

    fn fragments(&mut self, unit: u64) -> io::Result<()> {
        let client = end(0x0a00_0000 + (unit % 200_000) as u32, 20_000 + (unit / 200_000) as u16);
        let server = end(0xc633_6400 + (unit % 251) as u32, 443);
        let first = quic::Packet::initial(quic::Version::V1, &self.prng.array::<8>(), &[]);
        let hello = ClientHello::quic(&storm_name(unit), &[], false, &mut self.prng).message();
        for datagram in quic::initials(&first, &hello, quic::Shape::default(), &mut self.prng) {
            let packet = frame::ip(client.ip(), server.ip(), 64, proto::UDP, &frame::udp(client, server, &datagram));
            for piece in frame::fragments(&packet, unit as u16, 700) {
                self.frame(&frame::ethernet(FAR, NEAR, &[], frame::IPV4, &piece))?;
            }
        }
        Ok(())
    }

    fn tcp(&mut self, src: SocketAddr, dst: SocketAddr, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> io::Result<()> {
        let header = TcpHeader { seq, ack, flags, options: Vec::new() };
        self.packet(src, dst, proto::TCP, &frame::tcp(src, dst, &header, payload))
    }

    fn handshake(&mut self, unit: u64) -> io::Result<()> {
        let client = end(0x0a00_0000 + (unit % 16_000_000) as u32, 20_000 + (unit / 200_000) as u16);
        let server = end(0xc633_6400 + (unit % 251) as u32, 443);
        let (c, s) = (self.prng.u32(), self.prng.u32());
        let name = storm_name(unit);
        let rng = &mut self.prng;
        let offer =
            if unit.is_multiple_of(3) { ClientHello::browser(&name, &["h2"], rng) } else { ClientHello::library(&name, &["h2"], rng) };
        let hello = tls::record(tls::kind::HANDSHAKE, 0x0301, &offer.message());
        self.tcp(client, server, c, 0, flags::SYN, &[])?;
        self.tcp(server, client, s, c.wrapping_add(1), flags::SYN | flags::ACK, &[])?;
        self.tcp(client, server, c.wrapping_add(1), s.wrapping_add(1), flags::ACK, &[])?;
        let mut pieces: Vec<(u32, &[u8])> =
            hello.chunks(1_400).enumerate().map(|(i, p)| (c.wrapping_add(1 + i as u32 * 1_400), p)).collect();
        if unit.is_multiple_of(6) {
            pieces.reverse();
        }
        for (seq, piece) in pieces {
            self.tcp(client, server, seq, s.wrapping_add(1), flags::ACK | flags::PSH, piece)?;
        }
        let answer = tls::record(tls::kind::HANDSHAKE, 0x0303, &tls::server_hello(&offer, &mut self.prng));
        self.tcp(server, client, s.wrapping_add(1), c.wrapping_add(1 + hello.len() as u32), flags::ACK | flags::PSH, &answer)
    }

    fn client(&mut self, unit: u64) -> io::Result<()> {
        let [a, b, c, d] = (unit as u32).to_be_bytes();
        self.near = Mac([2, 0, a, b, c, d]);
        self.handshake(100 * unit + 7)
    }

    fn bulk(&mut self, unit: u64) -> io::Result<()> {
        let flow = unit % 8;
        let client = end(0x0a00_0001 + flow as u32, 50_000);
        let server = end(0xc000_0201 + flow as u32, 443);
        let seq = (unit / 8) as u32;
        self.tcp(server, client, seq.wrapping_mul(1_448), 1, flags::ACK, &[0x55; 1_448])?;
        if unit.is_multiple_of(2) { self.tcp(client, server, 1, seq.wrapping_mul(1_448), flags::ACK, &[]) } else { Ok(()) }
    }

    fn flood(&mut self) -> io::Result<()> {
        let [src, dst] = [(); 2].map(|()| end(self.prng.u32(), 1_024 + self.prng.below(60_000) as u16));
        if self.prng.chance(50) {
            let seq = self.prng.u32();
            return self.tcp(src, dst, seq, 0, flags::SYN, &[]);
        }
        let datagram = frame::udp(src, dst, &self.prng.bytes(18));
        self.packet(src, dst, proto::UDP, &datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_writes_what_it_counts() {
        for (word, corpus) in Corpus::WORDS {
            let [a, b] = [(); 2].map(|()| {
                let mut file = Vec::new();
                (write(corpus, 60, &mut file).unwrap(), file)
            });
            assert_eq!(a, b, "{word}");
            assert!(a.0 >= 60 && a.1.len() >= 24 + a.0 as usize * 70, "{word}");
        }
    }
}
