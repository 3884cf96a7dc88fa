//! Flows of which one packet was seen, in 16 bytes each: most of a scan or a flood never has a second one.
//!
//! A table of fixed size that fits into a core's second-level cache, in sets of four, the latest first; the oldest of a set leaves. What
//! is kept of the packet is what a flow needs that begins with it. Two flows are taken for one with a chance of about two in ten million per packet.

use std::time::Duration;

use crate::fold::Keys;
use crate::limits::LONE_FLOWS_MAX;
use crate::time::Timestamp;

/// Entries of a set: one cache line.
const WAYS: usize = 4;

const SETS: usize = LONE_FLOWS_MAX / WAYS;

/// Times are kept in nanoseconds modulo 2^40, that is 18 minutes.
const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// Lengths are kept in so many bits.
const LENGTH_BITS: u32 = 12;
const LENGTH_MASK: u64 = (1 << LENGTH_BITS) - 1;

/// Between two sweeps: what is idle must leave before its time wraps.
const SWEEP_EVERY: Duration = Duration::from_secs(120);

/// The first packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// When.
    pub ts: Timestamp,
    /// The sequence number of what comes next from the same sender, or of the SYN.
    pub seq: u32,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// The sender is the lower end of the key.
    pub low: bool,
    /// It was a SYN, or the answer to one.
    pub syn: bool,
    /// It was a SYN, so its sender opened the flow.
    pub opens: bool,
    /// TCP, else UDP.
    pub tcp: bool,
    /// Where it is counted.
    pub place: u16,
}

/// Time and tag; sequence number, place, length and four flags. All zero when nothing is there.
#[derive(Clone, Copy, Debug, Default)]
struct Slot(u64, u64);

/// The table.
#[derive(Debug)]
pub struct Lone {
    sets: Vec<[Slot; WAYS]>,
    /// The latest packet that was put in: times are told from here backwards.
    latest: Timestamp,
    swept: Timestamp,
    idle: Duration,
}

impl Slot {
    #[inline]
    fn new(tag: u64, first: &First) -> Self {
        let time = first.ts.nanos() & TIME_MASK;
        let flags = u64::from(first.low) | u64::from(first.syn) << 1 | u64::from(first.tcp) << 2 | u64::from(first.opens) << 3;
        let length = u64::from(first.wire_len) & LENGTH_MASK;
        Slot(tag << TIME_BITS | time, u64::from(first.seq) << 32 | u64::from(first.place) << 16 | length << 4 | flags)
    }

    #[inline]
    fn is_empty(self) -> bool {
        self.1 == 0
    }

    /// How long before `latest` it was put in.
    #[inline]
    fn age(self, latest: Timestamp) -> u64 {
        (latest.nanos() & TIME_MASK).wrapping_sub(self.0 & TIME_MASK) & TIME_MASK
    }

    fn first(self, latest: Timestamp) -> First {
        let low = |n: u64, bits: u32| u32::try_from(n & ((1 << bits) - 1)).unwrap_or(0);
        First {
            ts: Timestamp::from_nanos(latest.nanos().saturating_sub(self.age(latest))),
            seq: low(self.1 >> 32, 32),
            wire_len: low(self.1 >> 4, LENGTH_BITS),
            low: self.1 & 1 == 1,
            syn: self.1 & 2 == 2,
            tcp: self.1 & 4 == 4,
            opens: self.1 & 8 == 8,
            place: u16::try_from(self.1 >> 16 & 0xffff).unwrap_or(0),
        }
    }
}

/// Which set, and the tag in it.
#[inline]
fn place_of(hash: u64) -> (usize, u64) {
    (usize::try_from(hash & 0xffff_ffff).unwrap_or(0) % SETS, hash >> TIME_BITS)
}

impl Lone {
    /// An empty table whose entries are forgotten after `idle`: at most 15 minutes.
    pub fn new(idle: Duration) -> Self {
        Lone { sets: vec![[Slot::default(); WAYS]; SETS], latest: Timestamp::ZERO, swept: Timestamp::ZERO, idle }
    }

    /// The keys of a table whose content is the same for the same packets and the same number.
    pub fn keys(number: u64) -> Keys {
        Keys::of(number)
    }

    /// Whether a packet of this time and length fits in.
    #[inline]
    pub fn takes(&self, ts: Timestamp, wire_len: u32) -> bool {
        (1..=LENGTH_MASK).contains(&u64::from(wire_len)) && !self.latest.exceeds(ts, SWEEP_EVERY)
    }

    /// Whether the first packet of a flow may be there.
    #[inline(always)]
    pub fn may_have(&self, hash: u64) -> bool {
        let (set, tag) = place_of(hash);
        self.sets.get(set).is_some_and(|slots| slots.iter().any(|s| s.0 >> TIME_BITS == tag && !s.is_empty()))
    }

    /// Takes the first packet of a flow out.
    #[inline]
    pub fn take(&mut self, hash: u64) -> Option<First> {
        let (set, tag) = place_of(hash);
        let latest = self.latest;
        let set = self.sets.get_mut(set)?;
        let at = set.iter().position(|s| s.0 >> TIME_BITS == tag && !s.is_empty())?;
        let slot = std::mem::take(set.get_mut(at)?);
        // What is older moves up.
        set.get_mut(at..)?.rotate_left(1);
        Some(slot.first(latest))
    }

    /// Puts a first packet in; the oldest of its set leaves for it. [`Lone::takes`] is asked before, and [`Lone::sweep`].
    #[inline(always)]
    pub fn put(&mut self, hash: u64, first: &First) {
        let (set, tag) = place_of(hash);
        self.latest = self.latest.max(first.ts);
        if let Some(set) = self.sets.get_mut(set) {
            let [newest, newer, older, _] = *set;
            *set = [Slot::new(tag, first), newest, newer, older];
        }
    }

    /// Whether it is time for [`Lone::sweep`].
    #[inline]
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.exceeds(self.swept, SWEEP_EVERY)
    }

    /// Takes out what was quiet for too long.
    #[cold]
    pub fn sweep(&mut self, now: Timestamp) {
        self.swept = now;
        let (latest, idle) = (self.latest, self.idle);
        for set in &mut self.sets {
            for slot in set.iter_mut().filter(|s| !s.is_empty()) {
                if now.since(slot.first(latest).ts) > idle {
                    *slot = Slot::default();
                }
            }
            // What is left moves up, in its order.
            set.sort_by_key(|slot| slot.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const IDLE: Duration = Duration::from_secs(15 * 60);

    fn first(n: u64, at: Timestamp) -> First {
        First {
            ts: at,
            seq: n as u32 ^ 0xffff_0000,
            wire_len: 60 + n as u32 % 1_000,
            low: n.is_multiple_of(2),
            syn: n.is_multiple_of(3),
            opens: n.is_multiple_of(6),
            tcp: n.is_multiple_of(5),
            place: n as u16,
        }
    }

    proptest! {
        /// As long as sets are not full, it is a map that forgets the idle; pauses are of any length.
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec((0u64..300, 0u64..3_000_000_000_000, any::<bool>()), 1..200)) {
            let keys = Keys::of(3);
            let (mut table, mut map) = (Lone::new(IDLE), HashMap::new());
            let mut now = Timestamp::from_secs_nanos(1_700_000_000, 123_456_789);
            for (n, pause, long) in steps {
                now = now.after(Duration::from_nanos(if long { pause } else { pause / 10_000 }));
                let hash = keys.pair(n, n);
                if table.is_due(now) {
                    table.sweep(now);
                    map.retain(|_, f: &mut First| now.since(f.ts) <= IDLE);
                }
                let (ours, theirs) = (table.take(hash), map.remove(&n));
                prop_assert_eq!(ours, theirs);
                if ours.is_none() {
                    prop_assert!(table.takes(now, 60));
                    table.put(hash, &first(n, now));
                    map.insert(n, first(n, now));
                }
            }
            let left = table.sets.iter().flatten().filter(|slot| !slot.is_empty()).count();
            prop_assert_eq!(left, map.len());
        }
    }

    #[test]
    fn of_a_full_set_the_oldest_leaves() {
        let mut table = Lone::new(IDLE);
        let at = |n: u64| Timestamp::from_secs_nanos(1_000 + n, 0);
        let hash = |n: u64| n << 50 | 5;
        for n in 1..=4 {
            table.put(hash(n), &first(n, at(n)));
        }
        assert_eq!(table.take(hash(1)), Some(first(1, at(1))));
        table.put(hash(1), &first(1, at(9)));
        table.put(hash(6), &first(6, at(10)));
        assert_eq!(table.take(hash(2)), None);
        assert!(!table.takes(at(10), 4_096) && !table.takes(at(10), 0));
        assert!(!table.takes(Timestamp::ZERO, 60), "the clock stepped back");
    }
}
