//! The short way for nine frames in ten: TCP or UDP in IPv4 without options in Ethernet with one VLAN tag or none. What it takes it reads as [`super::decode`] does,
//! in one step and without the loop over layers; whatever is not so simple is left to that. A test holds one to the other.

use std::net::{IpAddr, Ipv4Addr};

use super::packet::{Body, Frame, Ip, MacPair, Packet, Payload, Tcp, TcpFlags, Udp};
use super::{is_cut, link, tunnel};
use crate::net::{Hop, Mac, Path};

/// EtherType of IPv4, then version 4 with five words of header (RFC 791 section 3.1).
const IPV4_PLAIN: [u8; 3] = [0x08, 0x00, 0x45];

/// Offset and "more fragments".
const FRAGMENT: u16 = 0x3fff;

/// Bytes of two hardware addresses.
const MACS: usize = 12;

/// Bytes of an EtherType and an IPv4 header.
const HEADER: usize = 22;

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
    /// The sender's hardware address.
    pub src_mac: Mac,
    dst_mac: Mac,
}

/// Sequence numbers and flags (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct TcpGlance {
    /// Sequence number of the first payload byte (of the SYN, where it is set).
    pub seq: u32,
    ack: u32,
    /// SYN, ACK, FIN, RST.
    pub flags: TcpFlags,
}

/// Looks at a frame if it is that simple.
#[inline(always)]
pub fn glance<'a>(frame: &Frame<'a>) -> Option<Glance<'a>> {
    if frame.link_type != link::ETHERNET {
        return None;
    }
    let ([d0, d1, d2, d3, d4, d5, m0, m1, m2, m3, m4, m5], rest) = frame.bytes.split_first_chunk::<MACS>()?;
    // One tag, in the frame or taken out of it by the kernel.
    let (vlan, rest) = match (rest, frame.vlan) {
        ([0x81, 0x00, high, low, rest @ ..], None) => (Some(u16::from_be_bytes([*high, *low]) & 0x0fff), rest),
        (rest, vlan) => (vlan.map(|id| id & 0x0fff), rest),
    };
    let (header, behind) = rest.split_first_chunk::<HEADER>()?;
    let [e1, e0, ihl, _, t1, t0, _, _, f1, f0, ttl, protocol, _, _, ips @ ..] = *header;
    if [e1, e0, ihl] != IPV4_PLAIN || u16::from_be_bytes([f1, f0]) & FRAGMENT != 0 {
        return None;
    }
    let [s3, s2, s1, s0, r3, r2, r1, r0] = ips;
    // A length of 0 is that of an offloaded frame; what lies behind the length is padding of the frame.
    let carried = match usize::from(u16::from_be_bytes([t1, t0])) {
        0 => behind,
        total => behind.get(..total.checked_sub(20)?).unwrap_or(behind),
    };
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
    Some(Glance {
        src: u32::from_be_bytes([s3, s2, s1, s0]),
        dst: u32::from_be_bytes([r3, r2, r1, r0]),
        sport: ports.0,
        dport: ports.1,
        tcp,
        payload,
        ttl,
        truncated: is_cut(frame),
        vlan,
        src_mac: Mac([*m0, *m1, *m2, *m3, *m4, *m5]),
        dst_mac: Mac([*d0, *d1, *d2, *d3, *d4, *d5]),
    })
}

/// RFC 9293 section 3.1.
#[inline(always)]
fn tcp(bytes: &[u8]) -> Option<((u16, u16), TcpGlance, &[u8])> {
    let ([p1, p0, q1, q0, s3, s2, s1, s0, a3, a2, a1, a0, offset, flags, ..], _) = bytes.split_first_chunk::<20>()?;
    let header = usize::from(offset >> 4) * 4;
    let payload = bytes.get(header..).filter(|_| header >= 20)?;
    let seen = TcpGlance {
        seq: u32::from_be_bytes([*s3, *s2, *s1, *s0]),
        ack: u32::from_be_bytes([*a3, *a2, *a1, *a0]),
        flags: TcpFlags { syn: flags & 2 != 0, ack: flags & 0x10 != 0, fin: flags & 1 != 0, rst: flags & 4 != 0 },
    };
    Some(((u16::from_be_bytes([*p1, *p0]), u16::from_be_bytes([*q1, *q0])), seen, payload))
}

/// RFC 768; not where a tunnel may be.
#[inline(always)]
fn udp(bytes: &[u8]) -> Option<((u16, u16), &[u8])> {
    let ([p1, p0, q1, q0, l1, l0, _, _], rest) = bytes.split_first_chunk::<8>()?;
    let (sport, dport) = (u16::from_be_bytes([*p1, *p0]), u16::from_be_bytes([*q1, *q0]));
    let payload = match usize::from(u16::from_be_bytes([*l1, *l0])) {
        0 => rest,
        length => rest.get(..length.checked_sub(8)?).unwrap_or(rest),
    };
    (!tunnel::may_be_over_udp(sport, dport, payload)).then_some(((sport, dport), payload))
}

impl<'a> Glance<'a> {
    /// The way that it came.
    #[inline(always)]
    pub fn path(&self) -> Path {
        let mut path = Path::default();
        if let Some(id) = self.vlan {
            path.push(Hop::Vlan(id));
        }
        path
    }

    /// The segment, of TCP.
    #[inline(always)]
    pub fn segment(&self) -> Option<Tcp<'a>> {
        let TcpGlance { seq, ack, flags } = self.tcp?;
        let (sport, dport, payload) = (self.sport, self.dport, self.payload);
        let wire_len = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(u32::from(self.truncated));
        Some(Tcp { sport, dport, seq, ack, flags, payload, wire_len })
    }

    /// The same as a packet.
    pub fn packet(&self, frame: &Frame<'a>) -> Packet<'a> {
        let udp = || Udp { sport: self.sport, dport: self.dport, payload: self.payload };
        let payload = self.segment().map_or_else(|| Payload::Udp(udp()), Payload::Tcp);
        let [src, dst] = [self.src, self.dst].map(|addr| IpAddr::V4(Ipv4Addr::from_bits(addr)));
        Packet {
            ts: frame.ts,
            interface: frame.interface,
            wire_len: frame.wire_len,
            truncated: self.truncated,
            macs: Some(MacPair { src: self.src_mac, dst: Some(self.dst_mac) }),
            path: self.path(),
            body: Body::Ip(Ip { src, dst, ttl: self.ttl, payload }),
        }
    }
}
