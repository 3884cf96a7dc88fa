//! From the hash of a key to a place in a table: eight bytes for each entry, linear probing, nothing left behind by what is removed.

/// No place.
const NIL: u32 = u32::MAX;

/// The smallest table.
const CELLS_MIN: usize = 64;

/// The half of a hash that tells entries apart, and where the entry is.
#[derive(Clone, Copy, Debug)]
struct Cell {
    tag: u32,
    at: u32,
}

const EMPTY: Cell = Cell { tag: 0, at: NIL };

/// An index that is at most half full.
#[derive(Debug)]
pub(super) struct Index {
    cells: Vec<Cell>,
    used: usize,
}

#[inline]
fn tag_of(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0)
}

impl Index {
    pub(super) fn new() -> Self {
        Index { cells: vec![EMPTY; CELLS_MIN], used: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Where an entry with this tag begins to be looked for.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        usize::try_from(tag).unwrap_or(0) & (self.cells.len() - 1)
    }

    #[inline]
    fn after(&self, cell: usize) -> usize {
        (cell + 1) & (self.cells.len() - 1)
    }

    /// The entry with this hash that `is` the one.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        let mut cell = self.home(tag);
        loop {
            let found = self.cells.get(cell)?;
            if found.at == NIL {
                return None;
            }
            if found.tag == tag && is(found.at) {
                return Some(found.at);
            }
            cell = self.after(cell);
        }
    }

    /// Adds an entry that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, at: u32) {
        if (self.used + 1) * 2 > self.cells.len() {
            let larger = vec![EMPTY; self.cells.len() * 2];
            let old = std::mem::replace(&mut self.cells, larger);
            old.into_iter().filter(|c| c.at != NIL).for_each(|c| self.put(c));
        }
        self.put(Cell { tag: tag_of(hash), at });
        self.used += 1;
    }

    fn put(&mut self, new: Cell) {
        let mut cell = self.home(new.tag);
        // The table is at most half full: there is an end.
        while let Some(place) = self.cells.get_mut(cell) {
            if place.at == NIL {
                *place = new;
                return;
            }
            cell = self.after(cell);
        }
    }

    /// Removes the entry of a place. What stands behind it moves up, so that it is still found.
    pub(super) fn remove(&mut self, hash: u64, at: u32) {
        let mut hole = self.home(tag_of(hash));
        loop {
            match self.cells.get(hole) {
                Some(cell) if cell.at == at => break,
                Some(cell) if cell.at != NIL => hole = self.after(hole),
                _ => return,
            }
        }
        self.used -= 1;
        let mut next = self.after(hole);
        while let Some(cell) = self.cells.get(next).copied().filter(|c| c.at != NIL) {
            let (home, mask) = (self.home(cell.tag), self.cells.len() - 1);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                if let Some(place) = self.cells.get_mut(hole) {
                    *place = cell;
                }
                hole = next;
            }
            next = self.after(next);
        }
        if let Some(place) = self.cells.get_mut(hole) {
            *place = EMPTY;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Hashes of few bits meet often, at the end of the table as well.
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec((any::<bool>(), 0u64..8, 0u32..60), 1..400)) {
            let (mut index, mut map) = (Index::new(), HashMap::new());
            for (add, bits, key) in steps {
                let hash = (0xffff_fffc_0000_0000_u64).wrapping_add((bits ^ u64::from(key) & 7) << 32);
                let known = map.get(&key).copied();
                match (add, known) {
                    (true, None) => {
                        index.insert(hash, key);
                        map.insert(key, hash);
                    }
                    (false, Some(old)) => {
                        index.remove(old, key);
                        map.remove(&key);
                    }
                    _ => {}
                }
                prop_assert_eq!(index.len(), map.len());
                for key in 0..60 {
                    let hash = map.get(&key).copied();
                    let found = hash.and_then(|h| index.find(h, |at| at == key));
                    prop_assert_eq!(found, hash.map(|_| key));
                }
            }
        }
    }
}
