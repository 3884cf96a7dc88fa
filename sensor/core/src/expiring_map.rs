//! A bounded map whose entries leave when nobody touched them for a while, the oldest first when it is full.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::fold::Folded;
use crate::time::Timestamp;

/// A map of at most `capacity` entries; each is forgotten `idle` after it was last touched. Time comes from the caller.
#[derive(Clone, Debug)]
pub struct ExpiringMap<K, V> {
    /// Where an entry lies in `slots`.
    places: HashMap<K, usize, Folded>,
    /// Entries in a chain in the order of touching, and free ones.
    slots: Vec<Slot<K, V>>,
    free: Vec<usize>,
    /// The ends of the chain; [`NONE`] when nothing is held.
    oldest: usize,
    latest: usize,
    capacity: usize,
    idle: Duration,
}

/// No slot.
const NONE: usize = usize::MAX;

#[derive(Clone, Debug)]
struct Slot<K, V> {
    /// `None` while it is free.
    entry: Option<(K, V)>,
    touched: Timestamp,
    older: usize,
    newer: usize,
}

impl<K: Eq + Hash + Clone, V> ExpiringMap<K, V> {
    /// An empty map.
    pub fn new(capacity: usize, idle: Duration) -> Self {
        let (places, slots, free) = (HashMap::default(), Vec::new(), Vec::new());
        ExpiringMap { places, slots, free, oldest: NONE, latest: NONE, capacity: capacity.max(1), idle }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The value, without touching it.
    pub fn peek(&self, key: &K) -> Option<&V> {
        let (_, value) = self.slots.get(*self.places.get(key)?)?.entry.as_ref()?;
        Some(value)
    }

    /// The value, touched at `now`.
    pub fn touch(&mut self, key: &K, now: Timestamp) -> Option<&mut V> {
        let at = *self.places.get(key)?;
        if at != self.latest {
            self.unchain(at);
            self.chain(at);
        }
        let slot = self.slots.get_mut(at)?;
        slot.touched = now;
        slot.entry.as_mut().map(|(_, value)| value)
    }

    /// The value that was touched or put in latest.
    pub fn latest_mut(&mut self) -> Option<&mut V> {
        self.slots.get_mut(self.latest)?.entry.as_mut().map(|(_, value)| value)
    }

    /// Puts a value in, touched at `now`. When the map is full the entry touched longest ago comes back.
    pub fn insert(&mut self, key: K, value: V, now: Timestamp) -> Option<(K, V)> {
        let gone = self.remove(&key).is_none() && self.len() >= self.capacity;
        let evicted = if gone { self.pop_oldest() } else { None };
        let slot = Slot { entry: Some((key.clone(), value)), touched: now, older: NONE, newer: NONE };
        let at = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(at) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.chain(at);
        self.places.insert(key, at);
        evicted
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.places.remove(key)?;
        self.vacate(at).map(|(_, value)| value)
    }

    /// When the entry was touched that was touched longest ago.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.slots.get(self.oldest).map(|slot| slot.touched)
    }

    /// Takes out the entry that was touched longest ago, if that was more than `idle` before `now`.
    pub fn pop_idle(&mut self, now: Timestamp) -> Option<(K, V)> {
        if now.since(self.oldest()?) <= self.idle { None } else { self.pop_oldest() }
    }

    /// Takes out the entry that was touched longest ago.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let (key, _) = self.slots.get(self.oldest)?.entry.as_ref()?;
        self.places.remove(key);
        self.vacate(self.oldest)
    }

    /// Every entry, in no stated order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().filter_map(|slot| slot.entry.as_ref().map(|(key, value)| (key, value)))
    }

    /// Puts a slot at the new end of the chain.
    fn chain(&mut self, at: usize) {
        let before = std::mem::replace(&mut self.latest, at);
        match self.slots.get_mut(before) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.older, slot.newer) = (before, NONE);
        }
    }

    /// Takes a slot out of the chain.
    fn unchain(&mut self, at: usize) {
        let Some((older, newer)) = self.slots.get(at).map(|slot| (slot.older, slot.newer)) else { return };
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.latest = older,
        }
    }

    fn vacate(&mut self, at: usize) -> Option<(K, V)> {
        self.unchain(at);
        self.free.push(at);
        self.slots.get_mut(at)?.entry.take()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forgets_the_idle_and_the_oldest() {
        let at = |s| Timestamp::from_secs_nanos(s, 0);
        let mut map = ExpiringMap::new(2, Duration::from_secs(10));
        assert!(map.insert("a", 1, at(0)).is_none());
        assert!(map.insert("b", 2, at(1)).is_none());
        assert_eq!(map.touch(&"a", at(5)), Some(&mut 1));
        assert_eq!(map.insert("c", 3, at(6)), Some(("b", 2)));
        assert_eq!(map.pop_idle(at(15)), None);
        assert_eq!(map.pop_idle(at(16)), Some(("a", 1)));
        assert_eq!(map.insert("c", 4, at(17)), None);
        assert_eq!((map.len(), map.peek(&"c")), (1, Some(&4)));
    }

    proptest! {
        /// A list in the order of touching does the same.
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec((0u8..6, 0u8..9), 0..200)) {
            let mut map = ExpiringMap::new(5, Duration::from_secs(10));
            let mut list: Vec<(u8, usize, Timestamp)> = Vec::new();
            for (i, (what, key)) in steps.into_iter().enumerate() {
                let now = Timestamp::from_secs_nanos(i as u64, 0);
                let known = list.iter().position(|(k, ..)| *k == key);
                match what {
                    0 | 1 => {
                        let gone = known.map(|at| list.remove(at));
                        let evicted = if gone.is_none() && list.len() == 5 { Some(list.remove(0)) } else { None };
                        list.push((key, i, now));
                        prop_assert_eq!(map.insert(key, i, now), evicted.map(|(k, v, _)| (k, v)));
                    }
                    2 => {
                        let touched = known.map(|at| list.remove(at));
                        list.extend(touched.map(|(k, v, _)| (k, v, now)));
                        prop_assert_eq!(map.touch(&key, now).copied(), touched.map(|(_, v, _)| v));
                    }
                    3 => prop_assert_eq!(map.remove(&key), known.map(|at| list.remove(at).1)),
                    4 => prop_assert_eq!(map.pop_oldest(), if list.is_empty() { None } else { Some(list.remove(0)).map(|(k, v, _)| (k, v)) }),
                    _ => {
                        let idle = list.first().is_some_and(|(.., touched)| now.since(*touched) > Duration::from_secs(10));
                        prop_assert_eq!(map.pop_idle(now), if idle { Some(list.remove(0)).map(|(k, v, _)| (k, v)) } else { None });
                    }
                }
                prop_assert_eq!((map.len(), map.oldest()), (list.len(), list.first().map(|(.., touched)| *touched)));
                prop_assert_eq!(map.latest_mut().copied(), list.last().map(|(_, v, _)| *v));
                prop_assert_eq!(map.peek(&key), list.iter().find(|(k, ..)| *k == key).map(|(_, v, _)| v));
                let mut all: Vec<_> = map.iter().map(|(k, v)| (*k, *v)).collect();
                all.sort_unstable();
                let mut expected: Vec<_> = list.iter().map(|(k, v, _)| (*k, *v)).collect();
                expected.sort_unstable();
                prop_assert_eq!(all, expected);
            }
        }
    }
}
