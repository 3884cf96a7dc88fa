//! Large captures for measuring, written as they are made: a storm of handshakes, a few bulk flows, a flood of random addresses.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

use crate::frame::{self, flags};
use crate::payload::tls;
use crate::prng::Prng;

/// What a corpus is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// TLS handshakes, a third with post-quantum keys in two segments, half of those out of order; every 100th name is WeChat's.
    Storm,
    /// Few flows with much data.
    Bulk,
    /// UDP datagrams and SYNs from random addresses.
    Flood,
}

impl Corpus {
    /// Words on the command line.
    pub const WORDS: [(&'static str, Corpus); 3] = [("storm", Corpus::Storm), ("bulk", Corpus::Bulk), ("flood", Corpus::Flood)];
}

/// Writes so many units (handshakes, segments, frames) as a pcap file; the number of frames.
///
/// # Errors
/// Whatever the writer says.
pub fn write(corpus: Corpus, units: u64, out: &mut dyn Write) -> io::Result<u64> {
    let mut file = File { out, micros: 1_772_524_800_000_000, frames: 0, prng: Prng::new(0xc0) };
    file.header()?;
    for unit in 0..units {
        match corpus {
            Corpus::Storm => file.handshake(unit)?,
            Corpus::Bulk => file.bulk(unit)?,
            Corpus::Flood => file.flood()?,
        }
    }
    Ok(file.frames)
}

struct File<'w> {
    out: &'w mut dyn Write,
    micros: u64,
    frames: u64,
    prng: Prng,
}

type End = (IpAddr, u16);

impl File<'_> {
    fn header(&mut self) -> io::Result<()> {
        self.out.write_all(&0xa1b2_c3d4u32.to_le_bytes())?;
        self.out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])
    }

    fn frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = frame.len() as u32;
        for n in [(self.micros / 1_000_000) as u32, (self.micros % 1_000_000) as u32, length, length] {
            self.out.write_all(&n.to_le_bytes())?;
        }
        self.micros += 7;
        self.frames += 1;
        self.out.write_all(frame)
    }

    fn tcp(&mut self, src: End, dst: End, seq: u32, ack: u32, flag: u8, payload: &[u8]) -> io::Result<()> {
        let packet = frame::ip(src.0, dst.0, 6, 1, &frame::tcp(src, dst, seq, ack, flag, payload));
        self.frame(&frame::ethernet([0, 0, 0x5e, 0, 0x53, 1], [0, 0, 0x5e, 0, 0x53, 2], &[], 0x0800, &packet))
    }

    fn handshake(&mut self, unit: u64) -> io::Result<()> {
        let client = (IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + (unit % 200_000) as u32)), 20_000 + (unit / 200_000) as u16);
        let server = (IpAddr::V4(Ipv4Addr::from(0xc633_6400 + (unit % 251) as u32)), 443);
        let (c, s) = (self.prng.draw() as u32, self.prng.draw() as u32);
        let name = if unit % 100 == 7 { format!("sz{unit}long.weixin.qq.com") } else { format!("host{unit}.example.org") };
        let hello = tls::Hello { sni: &name, alpn: &["h2"], post_quantum: unit % 3 == 0 };
        let hello = tls::record(22, &tls::client_hello(&hello, false, &mut self.prng));
        self.tcp(client, server, c, 0, flags::SYN, &[])?;
        self.tcp(server, client, s, c.wrapping_add(1), flags::SYN | flags::ACK, &[])?;
        self.tcp(client, server, c.wrapping_add(1), s.wrapping_add(1), flags::ACK, &[])?;
        let mut pieces: Vec<(u32, &[u8])> =
            hello.chunks(1_400).enumerate().map(|(i, p)| (c.wrapping_add(1 + i as u32 * 1_400), p)).collect();
        if unit % 6 == 0 {
            pieces.reverse();
        }
        for (seq, piece) in pieces {
            self.tcp(client, server, seq, s.wrapping_add(1), flags::ACK | flags::PSH, piece)?;
        }
        let answer = tls::record(22, &tls::server_hello(&mut self.prng));
        self.tcp(server, client, s.wrapping_add(1), c.wrapping_add(1 + hello.len() as u32), flags::ACK | flags::PSH, &answer)
    }

    fn bulk(&mut self, unit: u64) -> io::Result<()> {
        let flow = unit % 8;
        let client = (IpAddr::V4(Ipv4Addr::from(0x0a00_0001 + flow as u32)), 50_000);
        let server = (IpAddr::V4(Ipv4Addr::from(0xc000_0201 + flow as u32)), 443);
        let seq = (unit / 8) as u32;
        self.tcp(server, client, seq.wrapping_mul(1_448), 1, flags::ACK, &[0x55; 1_448])?;
        if unit % 2 == 0 { self.tcp(client, server, 1, seq.wrapping_mul(1_448), flags::ACK, &[]) } else { Ok(()) }
    }

    fn flood(&mut self) -> io::Result<()> {
        let random = |prng: &mut Prng| (IpAddr::V4(Ipv4Addr::from(prng.draw() as u32)), 1_024 + prng.below(60_000) as u16);
        let (src, dst) = (random(&mut self.prng), random(&mut self.prng));
        if self.prng.below(2) == 0 {
            let seq = self.prng.draw() as u32;
            return self.tcp(src, dst, seq, 0, flags::SYN, &[]);
        }
        let bytes = self.prng.bytes(18);
        let packet = frame::ip(src.0, dst.0, 17, 1, &frame::udp(src, dst, &bytes));
        self.frame(&frame::ethernet([0, 0, 0x5e, 0, 0x53, 1], [0, 0, 0x5e, 0, 0x53, 2], &[], 0x0800, &packet))
    }
}
