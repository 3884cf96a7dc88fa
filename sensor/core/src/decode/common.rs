//! The short way for nine frames in ten: TCP or UDP in IPv4 without options in Ethernet. What it takes it reads as [`super::decode`] does,
//! in one step and without the loop over layers; whatever is not so simple is left to that. A test holds one to the other.

use std::net::{IpAddr, Ipv4Addr};

use super::packet::{Body, Frame, Ip, MacPair, Packet, Payload, Tcp, TcpFlags, Udp};
use super::{is_cut, link, tunnel};
use crate::net::{Mac, Path};

/// EtherType of IPv4, then version 4 with five words of header (RFC 791 section 3.1).
const IPV4_PLAIN: [u8; 3] = [0x08, 0x00, 0x45];

/// Offset and "more fragments".
const FRAGMENT: u16 = 0x3fff;

/// Bytes of an Ethernet and an IPv4 header.
const HEADERS: usize = 34;

/// Decodes a frame if it is that simple.
#[inline(always)]
pub fn decode_common<'a>(frame: &Frame<'a>) -> Option<Packet<'a>> {
    if frame.link_type != link::ETHERNET || frame.vlan.is_some() {
        return None;
    }
    let (header, behind) = frame.bytes.split_first_chunk::<HEADERS>()?;
    let [d0, d1, d2, d3, d4, d5, m0, m1, m2, m3, m4, m5, e1, e0, ihl, _, t1, t0, _, _, f1, f0, ttl, protocol, _, _, ips @ ..] = header;
    if [*e1, *e0, *ihl] != IPV4_PLAIN || u16::from_be_bytes([*f1, *f0]) & FRAGMENT != 0 {
        return None;
    }
    let [s0, s1, s2, s3, r0, r1, r2, r3] = *ips;
    // A length of 0 is that of an offloaded frame; what lies behind the length is padding of the frame.
    let carried = match usize::from(u16::from_be_bytes([*t1, *t0])) {
        0 => behind,
        total => behind.get(..total.checked_sub(20)?).unwrap_or(behind),
    };
    let truncated = is_cut(frame);
    let payload = match *protocol {
        tunnel::P_TCP => Payload::Tcp(tcp(carried, truncated)?),
        tunnel::P_UDP => Payload::Udp(udp(carried)?),
        _ => return None,
    };
    let (src, dst) = (IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)), IpAddr::V4(Ipv4Addr::new(r0, r1, r2, r3)));
    Some(Packet {
        ts: frame.ts,
        interface: frame.interface,
        wire_len: frame.wire_len,
        truncated,
        macs: Some(MacPair { src: Mac([*m0, *m1, *m2, *m3, *m4, *m5]), dst: Some(Mac([*d0, *d1, *d2, *d3, *d4, *d5])) }),
        path: Path::default(),
        body: Body::Ip(Ip { src, dst, ttl: *ttl, payload }),
    })
}

/// RFC 9293 section 3.1.
#[inline(always)]
fn tcp(bytes: &[u8], cut: bool) -> Option<Tcp<'_>> {
    let ([p1, p0, q1, q0, s3, s2, s1, s0, a3, a2, a1, a0, offset, flags, ..], _) = bytes.split_first_chunk::<20>()?;
    let header = usize::from(offset >> 4) * 4;
    let payload = bytes.get(header..).filter(|_| header >= 20)?;
    Some(Tcp {
        sport: u16::from_be_bytes([*p1, *p0]),
        dport: u16::from_be_bytes([*q1, *q0]),
        seq: u32::from_be_bytes([*s3, *s2, *s1, *s0]),
        ack: u32::from_be_bytes([*a3, *a2, *a1, *a0]),
        flags: TcpFlags { syn: flags & 2 != 0, ack: flags & 0x10 != 0, fin: flags & 1 != 0, rst: flags & 4 != 0 },
        payload,
        wire_len: u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(u32::from(cut)),
    })
}

/// RFC 768; not where a tunnel may be.
#[inline(always)]
fn udp(bytes: &[u8]) -> Option<Udp<'_>> {
    let ([p1, p0, q1, q0, l1, l0, _, _], rest) = bytes.split_first_chunk::<8>()?;
    let (sport, dport) = (u16::from_be_bytes([*p1, *p0]), u16::from_be_bytes([*q1, *q0]));
    let payload = match usize::from(u16::from_be_bytes([*l1, *l0])) {
        0 => rest,
        length => rest.get(..length.checked_sub(8)?).unwrap_or(rest),
    };
    (!tunnel::may_be_over_udp(sport, dport, payload)).then_some(Udp { sport, dport, payload })
}
