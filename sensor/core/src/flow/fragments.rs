//! IP datagrams put back together from their fragments, bounded in number, bytes and time.
//!
//! Overlaps: an exact copy is taken as a duplicate. Anything else is dropped with its whole datagram, for IPv6 because
//! RFC 5722 section 4 says so, for IPv4 because hosts disagree and evasion lives there (RFC 1858).

use std::net::IpAddr;

use crate::decode::Fragment;
use crate::expiring_map::ExpiringMap;
use crate::limits::{FRAGMENT_IDLE, FRAGMENTS_BYTES_MAX, FRAGMENTS_MAX};
use crate::time::Timestamp;

use super::datagram::Datagram;

/// The longest payload of an IP datagram.
const DATAGRAM_MAX: usize = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    /// IPv4 tells datagrams of different protocols apart (RFC 791); IPv6 does not.
    protocol: Option<u8>,
}

/// Datagrams under reassembly.
#[derive(Debug)]
pub struct Fragments {
    partial: ExpiringMap<Key, Datagram>,
    /// No datagram was touched before this.
    quiet_since: Timestamp,
    held: usize,
    lost: u64,
    /// Datagrams that left because there was no room.
    crowded_out: u64,
}

impl Default for Fragments {
    fn default() -> Self {
        Fragments { partial: ExpiringMap::new(FRAGMENTS_MAX, FRAGMENT_IDLE), quiet_since: Timestamp::MAX, held: 0, lost: 0, crowded_out: 0 }
    }
}

impl Fragments {
    /// Takes a fragment. When it completes its datagram: the protocol and the payload.
    pub fn push(&mut self, now: Timestamp, src: IpAddr, dst: IpAddr, fragment: &Fragment<'_>) -> Option<(u8, Vec<u8>)> {
        let key = Key { src, dst, id: fragment.id, protocol: src.is_ipv4().then_some(fragment.protocol) };
        let end = usize::try_from(fragment.offset).unwrap_or(usize::MAX).saturating_add(fragment.bytes.len());
        if end > DATAGRAM_MAX || fragment.bytes.is_empty() {
            self.lost += 1;
            return None;
        }
        self.quiet_since = self.quiet_since.min(now);
        // Most fragments follow others of their datagram, which is touched in one step.
        if self.partial.touch(&key, now).is_none()
            && let Some((_, old)) = self.partial.insert(key, Datagram::default(), now)
        {
            self.crowded_out += 1;
            self.give_up(&old);
        }
        let partial = self.partial.latest_mut()?;
        let before = partial.held();
        partial.take(fragment, end);
        let (complete, after) = (partial.complete(), partial.held());
        self.held = self.held.saturating_sub(before).saturating_add(after);
        if let Some(protocol) = complete {
            self.held = self.held.saturating_sub(after);
            return Some((protocol, self.partial.remove(&key)?.into_bytes()));
        }
        while self.held > FRAGMENTS_BYTES_MAX {
            let (_, old) = self.partial.pop_oldest()?;
            self.crowded_out += 1;
            self.give_up(&old);
        }
        None
    }

    /// How many datagrams had to leave because there was no room, since the last call.
    pub fn crowded_out(&mut self) -> u64 {
        std::mem::take(&mut self.crowded_out)
    }

    /// Forgets datagrams that waited too long; how many were lost since the last call.
    #[inline]
    pub fn expire(&mut self, now: Timestamp) -> u64 {
        if self.lost == 0 && !now.exceeds(self.quiet_since, FRAGMENT_IDLE) {
            return 0;
        }
        self.forget_idle(now)
    }

    #[cold]
    fn forget_idle(&mut self, now: Timestamp) -> u64 {
        while let Some((_, old)) = self.partial.pop_idle(now) {
            self.give_up(&old);
        }
        self.quiet_since = self.partial.oldest().unwrap_or(Timestamp::MAX);
        std::mem::take(&mut self.lost)
    }

    /// Bytes held by all datagrams under reassembly.
    pub fn held(&self) -> usize {
        self.held
    }

    fn give_up(&mut self, partial: &Datagram) {
        self.lost += 1;
        self.held = self.held.saturating_sub(partial.held());
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs_nanos(secs, 0)
    }

    fn fragment(id: u32, offset: u32, more: bool, bytes: &[u8]) -> Fragment<'_> {
        Fragment { id, offset, more, protocol: 17, bytes }
    }

    #[test]
    fn any_order_and_duplicates() {
        let mut table = Fragments::default();
        assert_eq!(table.push(at(0), V4, V4, &fragment(1, 8, false, b"world")), None);
        assert_eq!(table.push(at(0), V4, V4, &fragment(1, 8, false, b"world")), None);
        assert_eq!(table.push(at(0), V4, V4, &fragment(1, 0, true, b"hello..,")), Some((17, b"hello..,world".to_vec())));
        assert_eq!((table.held(), table.expire(at(100))), (0, 0));
    }

    #[test]
    fn overlaps_are_refused() {
        for addr in [V4, V6] {
            let mut table = Fragments::default();
            table.push(at(0), addr, addr, &fragment(1, 0, true, b"12345678abcdefgh"));
            table.push(at(0), addr, addr, &fragment(1, 8, true, b"XXXXXXXXabcdefgh"));
            assert_eq!(table.push(at(0), addr, addr, &fragment(1, 24, false, b"end")), None);
            assert_eq!(table.expire(at(100)), 1);
        }
    }

    #[test]
    fn bounds() {
        let mut table = Fragments::default();
        assert_eq!(table.push(at(0), V4, V4, &fragment(1, 65_528, false, b"12345678")), None, "beyond 65,535");
        for id in 0..5_000 {
            assert_eq!(table.push(at(0), V4, V4, &fragment(id, 0, true, &[0; 1_480])), None);
        }
        assert!(table.held() <= FRAGMENTS_BYTES_MAX && table.partial.len() <= FRAGMENTS_MAX);
        assert!((3_900..5_000).contains(&table.crowded_out()) && table.crowded_out() == 0);
        assert_eq!(table.expire(at(31)), 1 + 5_000);
        assert_eq!(table.held(), 0);
    }

    proptest! {
        #[test]
        fn what_was_cut_comes_back(payload in proptest::collection::vec(any::<u8>(), 9..4000), size in 1usize..40, order in any::<u64>()) {
            let size = size * 8;
            let mut pieces: Vec<(usize, &[u8])> = payload.chunks(size).enumerate().map(|(i, c)| (i * size, c)).collect();
            let mut seed = order;
            for i in (1..pieces.len()).rev() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                pieces.swap(i, (seed >> 33) as usize % (i + 1));
            }
            prop_assume!(pieces.len() <= super::super::datagram::RANGES_MAX);
            let mut table = Fragments::default();
            let mut whole = None;
            for (offset, bytes) in &pieces {
                let more = offset + bytes.len() < payload.len();
                whole = table.push(at(0), V6, V6, &fragment(7, *offset as u32, more, bytes)).or(whole);
            }
            prop_assert_eq!(whole, Some((17, payload.clone())));
        }
    }
}
