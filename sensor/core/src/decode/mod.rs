//! Frames to packets: every encapsulation that is known is peeled, depth-limited, without copying.
//!
//! Errors are counted by kind, never logged. Must not know flows, dissectors, rules.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap
    )
)]

mod bytes;
mod common;
mod counts;
mod ip;
mod link;
mod packet;
mod tunnel;
mod wifi;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::limits::DECODE_DEPTH_MAX;
use crate::net::{Hop, Path};

pub use common::{Glance, glance};
pub use counts::{DecodeCounts, Malformed};
pub use packet::{Body, Fragment, Frame, Ip, MacPair, Packet, Payload, Tcp, TcpFlags, Udp};

/// What is to be peeled next.
#[derive(Clone, Copy, Debug)]
enum Layer<'a> {
    /// An Ethernet header, from the destination address on.
    Ethernet(&'a [u8]),
    /// What follows an EtherType.
    Ether(u16, &'a [u8]),
    /// An LLC header (IEEE 802.2).
    Llc(&'a [u8]),
    /// What follows a PPP protocol number.
    Ppp(u16, &'a [u8]),
    /// MPLS label stack.
    Mpls(&'a [u8]),
    /// An IPv4 or IPv6 header: the version nibble tells.
    Ip(&'a [u8]),
    /// The payload of an IP packet, by protocol number.
    Protocol(ip::Carried<'a>),
    /// Nothing more to peel.
    Done(Body<'a>),
}

/// What is gathered on the way.
#[derive(Clone, Copy, Debug)]
struct Gathered {
    macs: Option<MacPair>,
    path: Path,
    /// The frame was cut: lengths that point beyond it are no lies.
    cut: bool,
}

impl Gathered {
    fn hop(&mut self, hop: Hop) {
        self.path.push(hop);
    }
}

#[inline]
fn is_cut(frame: &Frame<'_>) -> bool {
    usize::try_from(frame.wire_len).is_ok_and(|wire| wire > frame.bytes.len())
}

/// Decodes a frame. `None` when it is malformed before anything useful; what was wrong is in `counts`.
pub fn decode<'a>(frame: &Frame<'a>, counts: &mut DecodeCounts) -> Option<Packet<'a>> {
    decode_by::<true>(frame, counts)
}

/// With or without short ways through layers that often follow each other: a test holds one to the other.
fn decode_by<'a, const SHORT: bool>(frame: &Frame<'a>, counts: &mut DecodeCounts) -> Option<Packet<'a>> {
    let cut = is_cut(frame);
    let mut gathered = Gathered { macs: None, path: Path::default(), cut };
    if let Some(id) = frame.vlan {
        gathered.hop(Hop::Vlan(id & 0x0fff));
    }
    let first = link::first(frame.link_type, frame.bytes, &mut gathered).or_else(|| counts.malformed_none(Malformed::Link))?;
    let body = peel::<SHORT>(first, &mut gathered, counts)?;
    Some(Packet {
        ts: frame.ts,
        interface: frame.interface,
        wire_len: frame.wire_len,
        truncated: cut,
        macs: gathered.macs,
        path: gathered.path,
        body,
    })
}

/// Decodes the payload of a reassembled datagram, which may be a tunnel again. `outer` is the packet that completed it.
pub fn decode_reassembled<'a>(
    outer: &Packet<'_>,
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    bytes: &'a [u8],
    counts: &mut DecodeCounts,
) -> Option<Packet<'a>> {
    let mut gathered = Gathered { macs: outer.macs, path: outer.path, cut: false };
    let carried = ip::Carried { src, dst, ttl: 0, protocol, bytes, fragment: None };
    let body = peel::<true>(Layer::Protocol(carried), &mut gathered, counts)?;
    let wire_len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    Some(Packet { ts: outer.ts, interface: outer.interface, wire_len, truncated: false, macs: gathered.macs, path: gathered.path, body })
}

/// One layer after the other. What is common goes through several of them at once, and counts them: a layer is much to hand on.
fn peel<'a, const SHORT: bool>(first: Layer<'a>, gathered: &mut Gathered, counts: &mut DecodeCounts) -> Option<Body<'a>> {
    let mut layer = first;
    let mut left = DECODE_DEPTH_MAX;
    while left > 0 {
        left -= 1;
        if SHORT
            && let Layer::Ethernet(bytes) = layer
            && let Some(bytes) = link::to_ip(bytes, gathered, &mut left)
        {
            layer = Layer::Ip(bytes);
            continue;
        }
        let next = if SHORT
            && left > 0
            && let Layer::Ip(bytes) = layer
            && let Some(carried) = ip::header(bytes)
        {
            // The payload and the end are two more steps.
            if left >= 2
                && let Some(payload) = tunnel::plain(&carried, gathered.cut)
            {
                return Some(carried.body(payload));
            }
            left -= 1;
            tunnel::protocol(&carried, gathered)
        } else if let Layer::Done(body) = layer {
            return Some(body);
        } else {
            step(&layer, gathered)
        };
        layer = match next {
            Ok(layer) => layer,
            Err(kind) => return counts.malformed_none(kind),
        };
    }
    counts.count_too_deep();
    None
}

/// Peels one layer. Not inlined: the compiler would hold every part of every layer at once.
#[inline(never)]
fn step<'a>(layer: &Layer<'a>, gathered: &mut Gathered) -> Result<Layer<'a>, Malformed> {
    match *layer {
        Layer::Ethernet(bytes) => link::ethernet(bytes, gathered).ok_or(Malformed::Link),
        Layer::Ether(ether_type, bytes) => link::ether(ether_type, bytes, gathered).ok_or(Malformed::Link),
        Layer::Llc(bytes) => link::llc(bytes).ok_or(Malformed::Link),
        Layer::Ppp(protocol, bytes) => Ok(link::ppp(protocol, bytes, gathered)),
        Layer::Mpls(bytes) => link::mpls(bytes, gathered).ok_or(Malformed::Link),
        Layer::Ip(bytes) => ip::header(bytes).map(Layer::Protocol).ok_or_else(|| ip::malformed(bytes)),
        Layer::Protocol(ref carried) => tunnel::protocol(carried, gathered),
        Layer::Done(body) => Ok(Layer::Done(body)),
    }
}
