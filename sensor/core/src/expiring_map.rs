//! A bounded map whose entries leave when nobody touched them for a while, the oldest first when it is full.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use crate::time::Timestamp;

/// A map of at most `capacity` entries; each is forgotten `idle` after it was last touched. Time comes from the caller.
#[derive(Clone, Debug)]
pub struct ExpiringMap<K, V> {
    entries: HashMap<K, (u64, V)>,
    /// (last touch, key) in the order of touching: `order` numbers are unique and grow.
    order: BTreeMap<u64, (Timestamp, K)>,
    next: u64,
    capacity: usize,
    idle: Duration,
}

impl<K: Eq + Hash + Clone, V> ExpiringMap<K, V> {
    /// An empty map.
    pub fn new(capacity: usize, idle: Duration) -> Self {
        ExpiringMap { entries: HashMap::new(), order: BTreeMap::new(), next: 0, capacity: capacity.max(1), idle }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value, without touching it.
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, v)| v)
    }

    /// The value, touched at `now`.
    pub fn touch(&mut self, key: &K, now: Timestamp) -> Option<&mut V> {
        let order = self.next;
        let (at, value) = self.entries.get_mut(key)?;
        if let Some((_, key)) = self.order.remove(at) {
            *at = order;
            self.order.insert(order, (now, key));
            self.next += 1;
        }
        Some(value)
    }

    /// Puts a value in, touched at `now`. When the map is full the entry touched longest ago comes back.
    pub fn insert(&mut self, key: K, value: V, now: Timestamp) -> Option<(K, V)> {
        let gone = self.remove(&key).is_none() && self.entries.len() >= self.capacity;
        let evicted = if gone { self.pop_oldest() } else { None };
        self.order.insert(self.next, (now, key.clone()));
        self.entries.insert(key, (self.next, value));
        self.next += 1;
        evicted
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (at, value) = self.entries.remove(key)?;
        self.order.remove(&at);
        Some(value)
    }

    /// When the entry was touched that was touched longest ago.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.order.first_key_value().map(|(_, (touched, _))| *touched)
    }

    /// Takes out the entry that was touched longest ago, if that was more than `idle` before `now`.
    pub fn pop_idle(&mut self, now: Timestamp) -> Option<(K, V)> {
        let (_, (touched, _)) = self.order.first_key_value()?;
        if now.since(*touched) <= self.idle { None } else { self.pop_oldest() }
    }

    /// Takes out the entry that was touched longest ago.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let (_, (_, key)) = self.order.pop_first()?;
        let (_, value) = self.entries.remove(&key)?;
        Some((key, value))
    }

    /// Every entry, in no stated order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(k, (_, v))| (k, v))
    }
}

#[cfg(test)]
mod tests {
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
}
