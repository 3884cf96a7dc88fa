//! What makes packets one flow: both endpoints and the transport, whichever way they go.
//!
//! VLAN and tunnel ids are not part of it: a mirror port often shows one conversation twice, before and after routing.

use std::net::{IpAddr, Ipv4Addr};

use crate::fold::Keys;
use crate::net::{Endpoint, Transport};

/// Both directions of a 5-tuple.
#[derive(Clone, Copy, Debug)]
pub struct FlowKey<'a> {
    ends: [&'a Endpoint; 2],
    /// The first of the ends is the lower one.
    in_order: bool,
    transport: Transport,
    /// Of IPv4: address and port of the lower end, and of the higher one with the transport. Of IPv6: zero.
    words: [u64; 2],
}

/// The key of an IPv4 packet as two numbers.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    words: [u64; 2],
    /// The sender is the lower end.
    pub in_order: bool,
}

impl Words {
    /// Of the packet from one address and port to another.
    #[inline(always)]
    pub fn new(src: (u32, u16), dst: (u32, u16), transport: Transport) -> Self {
        let (one, two) = (u64::from(src.0) << 16 | u64::from(src.1), u64::from(dst.0) << 16 | u64::from(dst.1));
        let udp = if transport == Transport::Udp { UDP } else { 0 };
        Words { words: [one.min(two), one.max(two) | udp], in_order: one <= two }
    }

    /// Both numbers.
    pub(super) fn words(&self) -> [u64; 2] {
        self.words
    }

    /// The hash of the key that these are the words of.
    #[inline(always)]
    pub fn hash(&self, keys: &Keys) -> u64 {
        let [low, high] = self.words;
        if high != 0 { keys.pair(low, high) } else { nowhere(keys) }
    }
}

/// From nowhere to nowhere.
#[cold]
fn nowhere(keys: &Keys) -> u64 {
    let end = Endpoint { addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };
    FlowKey::new(&end, &end, Transport::Tcp).long_hash(keys)
}

/// The bit of UDP beside an address and a port.
const UDP: u64 = 1 << 63;

impl<'a> FlowKey<'a> {
    /// The key of a packet from `src` to `dst`.
    #[inline]
    pub fn new(src: &'a Endpoint, dst: &'a Endpoint, transport: Transport) -> Self {
        let (IpAddr::V4(from), IpAddr::V4(to)) = (src.addr, dst.addr) else { return FlowKey::long(src, dst, transport) };
        let Words { words, in_order } = Words::new((u32::from(from), src.port), (u32::from(to), dst.port), transport);
        FlowKey { ends: [src, dst], in_order, transport, words }
    }

    fn long(src: &'a Endpoint, dst: &'a Endpoint, transport: Transport) -> Self {
        FlowKey { ends: [src, dst], in_order: src <= dst, transport, words: [0; 2] }
    }

    /// The transport of both directions.
    #[inline]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether an end is the lower one.
    #[inline]
    pub fn is_low(&self, end: Endpoint) -> bool {
        let [first, second] = self.ends;
        *(if self.in_order { first } else { second }) == end
    }

    /// Whether it is the key of a flow between these ends.
    #[inline]
    pub fn is_of(&self, a: Endpoint, b: Endpoint, transport: Transport) -> bool {
        let [first, second] = self.ends;
        self.transport == transport && ((*first == a && *second == b) || (*first == b && *second == a))
    }

    /// Whether these words say all: an IPv4 key.
    #[inline(always)]
    pub(super) fn is_short(&self) -> bool {
        self.words != [0; 2]
    }

    /// Whether a key with these words may be the same.
    #[inline(always)]
    pub(super) fn has(&self, words: &[u64; 2]) -> bool {
        self.words == *words
    }

    /// Address and port of both ends with the transport; zeros for IPv6.
    pub(super) fn words(&self) -> [u64; 2] {
        self.words
    }

    /// Its hash under the keys of a table.
    #[inline(always)]
    pub fn hash(&self, keys: &Keys) -> u64 {
        let [low, high] = self.words;
        if high != 0 { keys.pair(low, high) } else { self.long_hash(keys) }
    }

    fn long_hash(&self, keys: &Keys) -> u64 {
        let [first, second] = self.ends;
        let (low, high) = if self.in_order { (first, second) } else { (second, first) };
        let ports = u64::from(low.port) << 32 | u64::from(high.port) << 8 | u64::from(self.transport == Transport::Udp);
        let ((a, b), (c, d)) = (words(low.addr), words(high.addr));
        let families = u64::from(low.addr.is_ipv6()) << 62 | u64::from(high.addr.is_ipv6()) << 61;
        [b, c, d].into_iter().fold(keys.pair(a, ports | families), |hash, word| keys.join(hash, word))
    }
}

/// Address as words.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_one_and_nothing_else_is() {
        let keys = Keys::of(9);
        let ends: Vec<Endpoint> = ["0.0.0.0", "10.0.0.1", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "::ffff:10.0.0.1"]
            .iter()
            .flat_map(|addr| [0, 1, 443, 65_535].map(|port| Endpoint { addr: addr.parse().expect("address"), port }))
            .collect();
        let mut hashes = std::collections::HashMap::new();
        for (i, a) in ends.iter().enumerate() {
            for (j, b) in ends.iter().enumerate() {
                for transport in [Transport::Tcp, Transport::Udp] {
                    let (key, back) = (FlowKey::new(a, b, transport), FlowKey::new(b, a, transport));
                    assert_eq!(key.hash(&keys), back.hash(&keys));
                    assert!(key.is_of(*b, *a, transport) && key.is_low(*a) != key.is_low(*b) || a == b);
                    let name = (i.min(j), i.max(j), transport as u8);
                    assert_eq!(*hashes.entry(key.hash(&keys)).or_insert(name), name);
                }
            }
        }
    }
}
