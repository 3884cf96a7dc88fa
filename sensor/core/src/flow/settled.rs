//! Flows that are done with, in 8 bytes each: what they are is known, and it is nobody's business. Their packets are still counted where
//! they belong, and are not taken for flows of their own.
//!
//! A table of fixed size in sets of one cache line; of a full set the quietest leaves. A flow that was forgotten begins anew with its next
//! packet. Two flows are taken for one with a chance of five in ten million per flow, unless a SYN tells them apart.

use std::time::Duration;

use crate::limits::SETTLED_FLOWS_MAX;
use crate::time::Timestamp;

/// Entries of a set: one cache line.
const WAYS: usize = 8;

const SETS: usize = SETTLED_FLOWS_MAX / WAYS;

/// Times are kept in sixteenths of a second modulo 2^24, that is 12 days.
const TICK_NANOS: u64 = 1_000_000_000 / 16;
const TIME_BITS: u32 = 24;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

const PLACE_BITS: u32 = 16;

/// Tag, time, place; all zero when nothing is there. A tag is never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot(u64);

/// The table.
#[derive(Debug)]
pub struct Settled {
    sets: Vec<[Slot; WAYS]>,
    idle_ticks: u64,
    /// Nothing was ever put in.
    untouched: bool,
}

#[inline]
fn ticks(at: Timestamp) -> u64 {
    (at.nanos() / TICK_NANOS) & TIME_MASK
}

impl Slot {
    #[inline]
    fn new(tag: u64, now: u64, place: u16) -> Self {
        Slot(tag << (TIME_BITS + PLACE_BITS) | now << PLACE_BITS | u64::from(place))
    }

    #[inline]
    fn tag(self) -> u64 {
        self.0 >> (TIME_BITS + PLACE_BITS)
    }

    #[inline]
    fn place(self) -> u16 {
        u16::try_from(self.0 & 0xffff).unwrap_or(0)
    }

    /// Ticks since its latest packet. A clock that stepped back makes it look very old.
    #[inline]
    fn age(self, now: u64) -> u64 {
        now.wrapping_sub(self.0 >> PLACE_BITS) & TIME_MASK
    }
}

/// Which set, and the tag in it.
#[inline]
fn place_of(hash: u64) -> (usize, u64) {
    (usize::try_from(hash & 0xffff_ffff).unwrap_or(0) % SETS, (hash >> (TIME_BITS + PLACE_BITS)).max(1))
}

impl Settled {
    /// An empty table whose entries are forgotten after `idle`.
    pub fn new(idle: Duration) -> Self {
        let idle_ticks = idle.as_nanos() / u128::from(TICK_NANOS);
        Settled { sets: vec![[Slot::default(); WAYS]; SETS], idle_ticks: u64::try_from(idle_ticks).unwrap_or(TIME_MASK), untouched: true }
    }

    /// The place of the flow with this hash, which has a packet at `now`; `None` when it is not there, or was quiet for too long.
    #[inline]
    pub fn touch(&mut self, hash: u64, now: Timestamp) -> Option<u16> {
        if self.untouched {
            return None;
        }
        let (set, tag) = place_of(hash);
        let slot = self.sets.get_mut(set)?.iter_mut().find(|s| s.tag() == tag)?;
        let (now, place) = (ticks(now), slot.place());
        if slot.age(now) > self.idle_ticks {
            *slot = Slot::default();
            return None;
        }
        *slot = Slot::new(tag, now, place);
        Some(place)
    }

    /// Forgets the flow with this hash.
    #[cold]
    pub fn forget(&mut self, hash: u64) {
        let (set, tag) = place_of(hash);
        if let Some(slot) = self.sets.get_mut(set).and_then(|s| s.iter_mut().find(|s| s.tag() == tag)) {
            *slot = Slot::default();
        }
    }

    /// Puts a flow in that is not there, with the number of its place. It takes the room of the quietest where there is none left.
    pub fn put(&mut self, hash: u64, now: Timestamp, place: u16) {
        self.untouched = false;
        let (set, tag) = place_of(hash);
        let now = ticks(now);
        let Some(slots) = self.sets.get_mut(set) else { return };
        let free = slots.iter_mut().rev().find(|s| **s == Slot::default());
        if let Some(slot) = free {
            *slot = Slot::new(tag, now, place);
        } else if let Some(slot) = slots.iter_mut().max_by_key(|s| s.age(now)) {
            *slot = Slot::new(tag, now, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::fold::Keys;

    const IDLE: Duration = Duration::from_secs(15 * 60);

    proptest! {
        /// As long as sets are not full, it is a map that forgets the idle. Times are whole ticks, because the table knows no finer ones.
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec((0u64..300, 0u64..40_000, any::<bool>()), 1..300)) {
            let keys = Keys::of(3);
            let (mut table, mut map) = (Settled::new(IDLE), HashMap::<u64, (Timestamp, u16)>::new());
            let mut now = Timestamp::from_secs_nanos(1_700_000_000, 0);
            for (n, pause, long) in steps {
                now = now.after(Duration::from_nanos(TICK_NANOS * if long { pause } else { pause / 10_000 }));
                let hash = keys.pair(n, n);
                let known = map.remove(&n).filter(|(last, _)| now.since(*last) <= IDLE);
                prop_assert_eq!(table.touch(hash, now), known.map(|(_, place)| place));
                let place = known.map_or(n as u16 * 7, |(_, place)| place);
                match (known, n % 5) {
                    (Some(_), 0) => table.forget(hash),
                    (Some(_), _) => {
                        map.insert(n, (now, place));
                    }
                    (None, _) => {
                        table.put(hash, now, place);
                        map.insert(n, (now, place));
                    }
                }
            }
        }
    }

    #[test]
    fn of_a_full_set_the_quietest_leaves() {
        let mut table = Settled::new(IDLE);
        let at = |n: u64| Timestamp::from_secs_nanos(1_000 + n, 0);
        let hash = |n: u64| n << 50 | 5;
        for n in 1..=8 {
            table.put(hash(n), at(n), n as u16);
        }
        assert_eq!(table.touch(hash(1), at(9)), Some(1));
        table.put(hash(9), at(10), 9);
        assert_eq!((table.touch(hash(2), at(11)), table.touch(hash(1), at(11))), (None, Some(1)));
        assert_eq!(table.touch(hash(1), Timestamp::ZERO), None, "the clock stepped back");
        assert_eq!(table.touch(hash(9), at(10 + 15 * 60)), Some(9));
    }
}
