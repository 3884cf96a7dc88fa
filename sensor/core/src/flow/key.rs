//! What makes packets one flow: both endpoints and the transport, whichever way they go.
//!
//! VLAN and tunnel ids are not part of it: a mirror port often shows one conversation twice, before and after routing.

use std::net::IpAddr;

use crate::fold::Keys;
use crate::net::{Endpoint, Transport};

/// Both directions of a 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    low: Endpoint,
    high: Endpoint,
    transport: Transport,
}

impl FlowKey {
    /// The key of a packet from `src` to `dst`.
    pub fn new(src: Endpoint, dst: Endpoint, transport: Transport) -> Self {
        if is_low(src, dst) { FlowKey { low: src, high: dst, transport } } else { FlowKey { low: dst, high: src, transport } }
    }

    /// The transport of both directions.
    #[inline]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether an end is the lower one.
    #[inline]
    pub fn is_low(&self, end: Endpoint) -> bool {
        self.low == end
    }

    /// Whether it is the key of a flow between these ends.
    #[inline]
    pub fn is_of(&self, a: Endpoint, b: Endpoint, transport: Transport) -> bool {
        self.transport == transport && ((self.low == a && self.high == b) || (self.low == b && self.high == a))
    }

    /// Its hash under the keys of a table.
    #[inline]
    pub fn hash(&self, keys: &Keys) -> u64 {
        let ports = u64::from(self.low.port) << 32 | u64::from(self.high.port) << 8 | u64::from(self.transport == Transport::Udp);
        match (self.low.addr, self.high.addr) {
            (IpAddr::V4(low), IpAddr::V4(high)) => keys.pair(u64::from(u32::from(low)) << 32 | u64::from(u32::from(high)), ports),
            (low, high) => {
                let ((a, b), (c, d)) = (words(low), words(high));
                let families = u64::from(low.is_ipv6()) << 62 | u64::from(high.is_ipv6()) << 63;
                [b, c, d].into_iter().fold(keys.pair(a, ports | families), |hash, word| keys.join(hash, word))
            }
        }
    }
}

/// Whether `a` comes first. Any order will do, as long as it is one.
#[inline]
fn is_low(a: Endpoint, b: Endpoint) -> bool {
    match (a.addr, b.addr) {
        (IpAddr::V4(x), IpAddr::V4(y)) => (u32::from(x), a.port) <= (u32::from(y), b.port),
        _ => a <= b,
    }
}

/// Address as words.
#[inline]
fn words(addr: IpAddr) -> (u64, u64) {
    match addr {
        IpAddr::V4(a) => (0, u64::from(u32::from(a))),
        IpAddr::V6(a) => {
            let (high, low) = a.octets().split_first_chunk::<8>().map_or((0, 0), |(high, rest)| {
                (u64::from_be_bytes(*high), rest.first_chunk::<8>().map_or(0, |low| u64::from_be_bytes(*low)))
            });
            (high, low)
        }
    }
}
