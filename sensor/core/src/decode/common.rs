//! The short way for nine frames in ten: TCP or UDP in IPv4 without options in Ethernet with one VLAN tag or none. What it takes it reads as [`super::decode`] does,
//! in one step and without the loop over layers; whatever is not so simple is left to that. A test holds one to the other.

use std::net::{IpAddr, Ipv4Addr};

use super::packet::{Body, Frame, Ip, MacPair, Packet, Payload, Tcp, TcpFlags, Udp};
use super::{is_cut, link, tunnel};
use crate::net::{Mac, Path};

/// EtherTypes of IPv4 and of an 802.1Q tag.
const IPV4: u32 = 0x0800;
const TAG: u32 = 0x8100;

/// Version 4 with five words of header (RFC 791 section 3.1).
const PLAIN: u32 = 0x45;

/// Offset and "more fragments".
const FRAGMENT: u32 = 0x3fff;

/// Bytes of an IPv4 header without options.
const HEADER: usize = 20;

/// Headers are read as words: a byte at a time costs four times as much.
#[inline(always)]
fn words<const BYTES: usize, const WORDS: usize>(header: &[u8; BYTES]) -> [u32; WORDS] {
    let mut read = [0; WORDS];
    read.iter_mut().zip(header.as_chunks::<4>().0).for_each(|(to, word)| *to = u32::from_be_bytes(*word));
    read
}

/// The upper half of a word, and the lower.
#[inline(always)]
fn halves(word: u32) -> (u16, u16) {
    let [a, b, c, d] = word.to_be_bytes();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// A packet as numbers that stay in registers: enough for whoever only has to count it.
#[derive(Clone, Copy, Debug)]
pub struct Glance<'a> {
    /// Source address.
    pub src: u32,
    /// Destination address.
    pub dst: u32,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// TCP: what else its header says.
    pub tcp: Option<TcpGlance>,
    /// The data, without padding of the frame; cut when the frame was.
    pub payload: &'a [u8],
    /// Time to live.
    pub ttl: u8,
    /// The frame was cut by the snap length.
    pub truncated: bool,
    /// The VLAN.
    pub vlan: Option<u16>,
    macs: &'a [u8; 12],
}

/// Sequence numbers and flags (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct TcpGlance {
    /// Sequence number of the first payload byte (of the SYN, where it is set).
    pub seq: u32,
    ack: u32,
    flags: u8,
}

impl TcpGlance {
    /// It synchronises sequence numbers.
    #[inline(always)]
    pub fn syn(self) -> bool {
        self.flags & 2 != 0
    }

    /// It closes its direction.
    #[inline(always)]
    pub fn fin(self) -> bool {
        self.flags & 1 != 0
    }

    /// It opens a connection: a SYN that answers none.
    #[inline(always)]
    pub fn opens(self) -> bool {
        self.flags & 0x12 == 2
    }
}

/// Looks at a frame if it is that simple.
#[inline(always)]
pub fn glance<'a>(frame: &Frame<'a>) -> Option<Glance<'a>> {
    if frame.link_type != link::ETHERNET {
        return None;
    }
    let (macs, behind) = frame.bytes.split_first_chunk::<12>()?;
    let kind = u32::from(u16::from_be_bytes(*behind.first_chunk()?));
    // One tag, in the frame or taken out of it by the kernel.
    let (kind, vlan, skip) = match (kind, frame.vlan) {
        (TAG, None) => {
            let (id, kind) = halves(u32::from_be_bytes(*behind.get(2..)?.first_chunk()?));
            (u32::from(kind), Some(id & 0x0fff), 6)
        }
        (kind, vlan) => (kind, vlan.map(|id| id & 0x0fff), 2),
    };
    let (header, behind) = behind.get(skip..)?.split_first_chunk::<HEADER>()?;
    let [first, fragment, third, src, dst] = words(header);
    if kind != IPV4 || first >> 24 != PLAIN || fragment & FRAGMENT != 0 {
        return None;
    }
    // A length of 0 is that of an offloaded frame; what lies behind the length is padding of the frame.
    let carried = match (first & 0xffff) as usize {
        0 => behind,
        total => behind.get(..total.checked_sub(HEADER)?).unwrap_or(behind),
    };
    let [ttl, protocol, ..] = third.to_be_bytes();
    let (ports, tcp, payload) = match protocol {
        tunnel::P_TCP => {
            let (ports, tcp, payload) = tcp(carried)?;
            (ports, Some(tcp), payload)
        }
        tunnel::P_UDP => {
            let (ports, payload) = udp(carried)?;
            (ports, None, payload)
        }
        _ => return None,
    };
    let (sport, dport) = ports;
    Some(Glance { src, dst, sport, dport, tcp, payload, ttl, truncated: is_cut(frame), vlan, macs })
}

/// RFC 9293 section 3.1.
#[inline(always)]
fn tcp(bytes: &[u8]) -> Option<((u16, u16), TcpGlance, &[u8])> {
    let [ports, seq, ack, control, _] = words(bytes.first_chunk::<20>()?);
    let header = (control >> 28) as usize * 4;
    let payload = bytes.get(header..).filter(|_| header >= 20)?;
    let [_, flags, ..] = control.to_be_bytes();
    Some((halves(ports), TcpGlance { seq, ack, flags }, payload))
}

/// RFC 768; not where a tunnel may be.
#[inline(always)]
fn udp(bytes: &[u8]) -> Option<((u16, u16), &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<8>()?;
    let [ports, length] = words(header);
    let (sport, dport) = halves(ports);
    let payload = match (length >> 16) as usize {
        0 => rest,
        length => rest.get(..length.checked_sub(8)?).unwrap_or(rest),
    };
    (!tunnel::may_be_over_udp(sport, dport, payload)).then_some(((sport, dport), payload))
}

impl<'a> Glance<'a> {
    /// The sender's hardware address.
    #[inline(always)]
    pub fn src_mac(&self) -> Mac {
        let [_, _, _, _, _, _, src @ ..] = *self.macs;
        Mac(src)
    }

    /// The segment, of TCP.
    #[inline(always)]
    pub fn segment(&self) -> Option<Tcp<'a>> {
        let TcpGlance { seq, ack, flags } = self.tcp?;
        let (sport, dport, payload) = (self.sport, self.dport, self.payload);
        let flags = TcpFlags { syn: flags & 2 != 0, ack: flags & 0x10 != 0, fin: flags & 1 != 0, rst: flags & 4 != 0 };
        let wire_len = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(u32::from(self.truncated));
        Some(Tcp { sport, dport, seq, ack, flags, payload, wire_len })
    }

    /// The same as a packet.
    pub fn packet(&self, frame: &Frame<'a>) -> Packet<'a> {
        let udp = || Udp { sport: self.sport, dport: self.dport, payload: self.payload };
        let payload = self.segment().map_or_else(|| Payload::Udp(udp()), Payload::Tcp);
        let [src, dst] = [self.src, self.dst].map(|addr| IpAddr::V4(Ipv4Addr::from_bits(addr)));
        let [dst_mac @ .., _, _, _, _, _, _] = *self.macs;
        Packet {
            ts: frame.ts,
            interface: frame.interface,
            wire_len: frame.wire_len,
            truncated: self.truncated,
            macs: Some(MacPair { src: self.src_mac(), dst: Some(Mac(dst_mac)) }),
            path: Path::tagged(self.vlan),
            body: Body::Ip(Ip { src, dst, ttl: self.ttl, payload }),
        }
    }
}
