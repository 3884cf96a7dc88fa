//! IPv4 and IPv6 headers and extension headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use crate::limits::DECODE_DEPTH_MAX;

use super::Layer;
use super::bytes::{be16, be32, skip, u8};
use super::counts::Malformed;
use super::packet::{Body, Fragment, Ip, Payload};

/// The payload of an IP packet and what its header said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    pub(super) bytes: &'a [u8],
    /// Identification, offset and "more" of a fragment.
    pub(super) fragment: Option<(u32, u32, bool)>,
}

impl<'a> Carried<'a> {
    /// The end of peeling: this packet with this payload.
    pub(super) fn done(&self, payload: Payload<'a>) -> Layer<'a> {
        Layer::Done(self.body(payload))
    }

    /// This packet with this payload.
    pub(super) fn body(&self, payload: Payload<'a>) -> Body<'a> {
        Body::Ip(Ip { src: self.src, dst: self.dst, ttl: self.ttl, payload })
    }

    /// The payload as a fragment, where it is one.
    pub(super) fn as_fragment(&self) -> Option<Payload<'a>> {
        let (id, offset, more) = self.fragment?;
        Some(Payload::Fragment(Fragment { id, offset, more, protocol: self.protocol, bytes: self.bytes }))
    }
}

/// An IP header of either version.
#[inline]
pub(super) fn header(bytes: &[u8]) -> Option<Carried<'_>> {
    match bytes.first()? >> 4 {
        4 => v4(bytes),
        6 => v6(bytes),
        _ => None,
    }
}

/// What is wrong with bytes that are no [`header`].
pub(super) fn malformed(bytes: &[u8]) -> Malformed {
    match bytes.first().map(|b| b >> 4) {
        Some(6) => Malformed::Ipv6,
        _ => Malformed::Ipv4,
    }
}

/// IPv4 (RFC 791 section 3.1). A total length of 0 is that of a segmentation-offloaded frame; one that is larger than the frame
/// is believed only as far as the frame goes.
#[inline]
fn v4(bytes: &[u8]) -> Option<Carried<'_>> {
    let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
    let header_len = usize::from(header.ihl()) * 4;
    let total = usize::from(header.total_len());
    let packet = match total {
        0 => bytes,
        t if t < header_len => return None,
        t => bytes.get(..t).unwrap_or(bytes),
    };
    let payload = skip(packet, header_len)?;
    let offset = u32::from(header.fragments_offset().value()) * 8;
    let more = header.more_fragments();
    let fragment = (offset > 0 || more).then(|| (u32::from(header.identification()), offset, more));
    Some(Carried {
        src: IpAddr::V4(Ipv4Addr::from(header.source())),
        dst: IpAddr::V4(Ipv4Addr::from(header.destination())),
        ttl: header.ttl(),
        protocol: header.protocol().0,
        bytes: payload,
        fragment,
    })
}

/// IPv6 (RFC 8200 section 3) with its extension headers.
#[inline]
fn v6(bytes: &[u8]) -> Option<Carried<'_>> {
    let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
    let rest = skip(bytes, 40)?;
    let length = usize::from(header.payload_length());
    // 0 is a jumbogram (RFC 2675) or a segmentation-offloaded frame.
    let payload = if length == 0 { rest } else { rest.get(..length).unwrap_or(rest) };
    let carried = Carried {
        src: IpAddr::V6(Ipv6Addr::from(header.source())),
        dst: IpAddr::V6(Ipv6Addr::from(header.destination())),
        ttl: header.hop_limit(),
        protocol: header.next_header().0,
        bytes: payload,
        fragment: None,
    };
    extensions(carried)
}

/// Walks extension headers (RFC 8200 section 4, RFC 4302 for AH) until something that carries data.
fn extensions(mut carried: Carried<'_>) -> Option<Carried<'_>> {
    // A chain is bounded like any other encapsulation, but generously: each step costs a few instructions.
    for _ in 0..DECODE_DEPTH_MAX * 8 {
        let next = match carried.protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: length in units of 8 bytes, the first not counted.
            0 | 43 | 60 | 135 | 139 | 140 => {
                let (next, rest) = u8(carried.bytes)?;
                let (units, _) = u8(rest)?;
                (next, skip(carried.bytes, (usize::from(units) + 1) * 8)?)
            }
            44 => {
                let (next, rest) = u8(carried.bytes)?;
                let (field, rest) = be16(skip(rest, 1)?)?;
                let (id, rest) = be32(rest)?;
                let (offset, more) = (u32::from(field & 0xfff8), field & 1 == 1);
                if offset > 0 || more {
                    carried.fragment = Some((id, offset, more));
                    (carried.protocol, carried.bytes) = (next, rest);
                    return Some(carried);
                }
                // An atomic fragment (RFC 6946) is whole.
                (next, rest)
            }
            _ => return Some(carried),
        };
        (carried.protocol, carried.bytes) = next;
    }
    None
}
