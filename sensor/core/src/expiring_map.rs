//! A bounded map whose entries leave when nobody touched them for a while, the oldest first when it is full.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::fold::Folded;
use crate::time::Timestamp;

/// A map of at most `capacity` entries; each is forgotten `idle` after it was last touched. Time comes from the caller.
#[derive(Clone, Debug)]
pub struct ExpiringMap<K, V> {
    /// In which slot a key is.
    places: HashMap<K, usize, Folded>,
    slots: Vec<Option<Slot<K, V>>>,
    /// Slots that are empty.
    free: Vec<usize>,
    /// Both ends of the chain of slots, in the order of touching: a touch moves one link, whatever the size of the map.
    oldest: usize,
    newest: usize,
    capacity: usize,
    idle: Duration,
}

/// An entry, and its neighbours in the chain.
#[derive(Clone, Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    touched: Timestamp,
    older: usize,
    newer: usize,
}

/// The neighbour at the ends of the chain.
const NONE: usize = usize::MAX;

impl<K: Eq + Hash + Clone, V> ExpiringMap<K, V> {
    /// An empty map.
    pub fn new(capacity: usize, idle: Duration) -> Self {
        let capacity = capacity.max(1);
        ExpiringMap { places: HashMap::default(), slots: Vec::new(), free: Vec::new(), oldest: NONE, newest: NONE, capacity, idle }
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
        let at = self.places.get(key)?;
        self.slots.get(*at)?.as_ref().map(|slot| &slot.value)
    }

    /// The value, touched at `now`.
    pub fn touch(&mut self, key: &K, now: Timestamp) -> Option<&mut V> {
        let at = *self.places.get(key)?;
        if at != self.newest {
            self.unchain(at);
            self.chain(at);
        }
        let slot = self.slot(at)?;
        slot.touched = now;
        Some(&mut slot.value)
    }

    /// Puts a value in, touched at `now`. When the map is full the entry touched longest ago comes back.
    pub fn insert(&mut self, key: K, value: V, now: Timestamp) -> Option<(K, V)> {
        let gone = self.remove(&key).is_none() && self.places.len() >= self.capacity;
        let evicted = if gone { self.pop_oldest() } else { None };
        let slot = Some(Slot { key: key.clone(), value, touched: now, older: NONE, newer: NONE });
        let at = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(at) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.places.insert(key, at);
        self.chain(at);
        evicted
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.places.remove(key)?;
        self.unchain(at);
        self.free.push(at);
        self.slots.get_mut(at)?.take().map(|slot| slot.value)
    }

    /// When the entry was touched that was touched longest ago.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.slots.get(self.oldest)?.as_ref().map(|slot| slot.touched)
    }

    /// Takes out the entry that was touched longest ago, if that was more than `idle` before `now`.
    pub fn pop_idle(&mut self, now: Timestamp) -> Option<(K, V)> {
        if now.since(self.oldest()?) <= self.idle { None } else { self.pop_oldest() }
    }

    /// Takes out the entry that was touched longest ago.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let key = self.slot(self.oldest)?.key.clone();
        self.remove(&key).map(|value| (key, value))
    }

    /// Every entry, in no stated order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().flatten().map(|slot| (&slot.key, &slot.value))
    }

    fn slot(&mut self, at: usize) -> Option<&mut Slot<K, V>> {
        self.slots.get_mut(at)?.as_mut()
    }

    /// Takes a slot out of the chain.
    fn unchain(&mut self, at: usize) {
        let Some((older, newer)) = self.slot(at).map(|slot| (slot.older, slot.newer)) else { return };
        match self.slot(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slot(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }

    /// Puts a slot at the newest end of the chain.
    fn chain(&mut self, at: usize) {
        let before = std::mem::replace(&mut self.newest, at);
        match self.slot(before) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
        if let Some(slot) = self.slot(at) {
            (slot.older, slot.newer) = (before, NONE);
        }
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

    /// Entries in the order of touching, the oldest first.
    #[derive(Default)]
    struct Naive(Vec<(u8, u64, Timestamp)>);

    impl Naive {
        fn take(&mut self, key: u8) -> Option<(u8, u64, Timestamp)> {
            let at = self.0.iter().position(|(k, ..)| *k == key)?;
            Some(self.0.remove(at))
        }

        fn touch(&mut self, key: u8, now: Timestamp) -> Option<u64> {
            let (key, value, _) = self.take(key)?;
            self.0.push((key, value, now));
            Some(value)
        }

        fn insert(&mut self, key: u8, value: u64, now: Timestamp, capacity: usize) -> Option<(u8, u64)> {
            let full = self.take(key).is_none() && self.0.len() >= capacity;
            let gone = if full { self.pop() } else { None };
            self.0.push((key, value, now));
            gone
        }

        fn pop(&mut self) -> Option<(u8, u64)> {
            if self.0.is_empty() { None } else { Some(self.0.remove(0)).map(|(key, value, _)| (key, value)) }
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_list_does(capacity in 1..6_usize, calls in prop::collection::vec((0..6_u8, 0..9_u8), 0..200)) {
            const IDLE: u64 = 7;
            let mut map = ExpiringMap::new(capacity, Duration::from_secs(IDLE));
            let mut naive = Naive::default();
            for (n, (call, key)) in calls.into_iter().enumerate() {
                let secs = n as u64;
                let now = Timestamp::from_secs_nanos(secs, 0);
                match call {
                    0 | 1 => prop_assert_eq!(map.insert(key, secs, now), naive.insert(key, secs, now, capacity)),
                    2 => prop_assert_eq!(map.touch(&key, now).copied(), naive.touch(key, now)),
                    3 => prop_assert_eq!(map.remove(&key), naive.take(key).map(|(_, value, _)| value)),
                    4 => prop_assert_eq!(map.pop_oldest(), naive.pop()),
                    _ => {
                        let idle = naive.0.first().is_some_and(|(.., at)| now.since(*at) > Duration::from_secs(IDLE));
                        prop_assert_eq!(map.pop_idle(now), if idle { naive.pop() } else { None });
                    }
                }
                let mut all: Vec<(u8, u64)> = map.iter().map(|(key, value)| (*key, *value)).collect();
                let mut expect: Vec<(u8, u64)> = naive.0.iter().map(|(key, value, _)| (*key, *value)).collect();
                all.sort_unstable();
                expect.sort_unstable();
                prop_assert_eq!((all, map.len()), (expect, naive.0.len()));
                prop_assert_eq!(map.oldest(), naive.0.first().map(|(.., at)| *at));
                prop_assert_eq!(map.peek(&key).copied(), naive.0.iter().find(|(k, ..)| *k == key).map(|(_, value, _)| *value));
            }
        }
    }
}
