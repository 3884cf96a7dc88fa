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

/// A flow in eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    /// Of its hash; zero when there is none.
    tag: u32,
    /// Of its latest packet.
    ticks: u32,
    /// Where it is counted.
    place: u16,
}

/// One cache line. What tells flows apart lies together, so that the processor compares all of it at once.
#[derive(Clone, Copy, Debug, Default)]
struct Set {
    /// Tag, and the upper bits of the time.
    tags: [u32; WAYS],
    /// The lower bits of the time, and the place.
    rest: [u32; WAYS],
}

/// Bits of the time beside a tag.
const BESIDE: u32 = (1 << (TIME_BITS - PLACE_BITS)) - 1;

/// The table.
#[derive(Debug)]
pub struct Settled {
    sets: Vec<Set>,
    idle_ticks: u32,
    /// Nothing was ever put in.
    untouched: bool,
}

#[inline]
fn ticks(at: Timestamp) -> u32 {
    u32::try_from((at.nanos() / TICK_NANOS) & TIME_MASK).unwrap_or(0)
}

/// Ticks since a packet. A clock that stepped back makes it look very old.
#[inline]
fn age(now: u32, then: u32) -> u32 {
    now.wrapping_sub(then) & ((1 << TIME_BITS) - 1)
}

impl Set {
    /// Where the flow with this tag is.
    #[inline(always)]
    fn position(&self, tag: u32) -> Option<usize> {
        // A byte for each of them, in one number: compilers make a comparison of all eight at once of this.
        let hits = u64::from_le_bytes(self.tags.map(|known| if known & !BESIDE == tag { u8::MAX } else { 0 }));
        (hits != 0).then_some(hits.trailing_zeros() as usize / 8)
    }

    #[inline(always)]
    fn get(&self, at: usize) -> Slot {
        let (tag, rest) = (self.tags.get(at).copied().unwrap_or(0), self.rest.get(at).copied().unwrap_or(0));
        let place = u16::try_from(rest & 0xffff).unwrap_or(0);
        Slot { tag: tag & !BESIDE, ticks: (tag & BESIDE) << PLACE_BITS | rest >> PLACE_BITS, place }
    }

    #[inline(always)]
    fn set(&mut self, at: usize, slot: Slot) {
        if let (Some(tag), Some(rest)) = (self.tags.get_mut(at), self.rest.get_mut(at)) {
            *tag = slot.tag | slot.ticks >> PLACE_BITS;
            *rest = slot.ticks << PLACE_BITS | u32::from(slot.place);
        }
    }
}

/// Which set, and the tag in it.
#[inline]
fn place_of(hash: u64) -> (usize, u32) {
    let tag = u32::try_from(hash >> 32).unwrap_or(0) & !BESIDE;
    (usize::try_from(hash & 0xffff_ffff).unwrap_or(0) % SETS, tag.max(BESIDE + 1))
}

impl Settled {
    /// An empty table whose entries are forgotten after `idle`.
    pub fn new(idle: Duration) -> Self {
        let idle_ticks = u32::try_from(idle.as_nanos() / u128::from(TICK_NANOS)).unwrap_or(u32::MAX);
        Settled { sets: vec![Set::default(); SETS], idle_ticks, untouched: true }
    }

    /// The place of the flow with this hash, which has a packet at `now`; `None` when it is not there, or was quiet for too long.
    #[inline(always)]
    pub fn touch(&mut self, hash: u64, now: Timestamp) -> Option<u16> {
        if self.untouched {
            return None;
        }
        let (set, tag) = place_of(hash);
        let set = self.sets.get_mut(set)?;
        let at = set.position(tag)?;
        let (now, known) = (ticks(now), set.get(at));
        if age(now, known.ticks) > self.idle_ticks {
            set.set(at, Slot::default());
            return None;
        }
        set.set(at, Slot { ticks: now, ..known });
        Some(known.place)
    }

    /// Forgets the flow with this hash.
    #[cold]
    pub fn forget(&mut self, hash: u64) {
        let (set, tag) = place_of(hash);
        if let Some(set) = self.sets.get_mut(set)
            && let Some(at) = set.position(tag)
        {
            set.set(at, Slot::default());
        }
    }

    /// Puts a flow in that is not there, with the number of its place. It takes the room of the quietest where there is none left.
    pub fn put(&mut self, hash: u64, now: Timestamp, place: u16) {
        self.untouched = false;
        let (set, tag) = place_of(hash);
        let Some(set) = self.sets.get_mut(set) else { return };
        let now = ticks(now);
        // Of several that are free the last.
        let free = set.tags.iter().rposition(|tag| *tag & !BESIDE == 0);
        if let Some(at) = free.or_else(|| (0..WAYS).max_by_key(|at| age(now, set.get(*at).ticks))) {
            set.set(at, Slot { tag, ticks: now, place });
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
