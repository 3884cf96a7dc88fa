//! One IP datagram under reassembly: the bytes of its fragments as they came, and which offsets they have.
//!
//! Nothing is held for what has not come: a fragment at the far end of a datagram takes no more room than its bytes.

use std::collections::VecDeque;

use crate::decode::Fragment;

/// Separate ranges of one datagram: 65,535 bytes in 8-byte fragments that leave gaps need more, nothing real does.
pub const RANGES_MAX: usize = 64;

/// A datagram of which something is missing.
#[derive(Debug, Default)]
pub struct Datagram {
    /// The bytes of all fragments, one behind the other as they came.
    bytes: Vec<u8>,
    /// Where they belong, in the order of offsets; none lies over another. Both ends can grow: there are those who send the last first.
    pieces: VecDeque<Piece>,
    /// How many ranges the pieces make where those that touch are one.
    ranges: usize,
    /// The protocol of the first fragment.
    protocol: Option<u8>,
    /// The length, once the last fragment told.
    length: Option<usize>,
    /// Overlaps were seen: everything of this datagram is refused until it is forgotten.
    refused: bool,
}

/// Offsets from `from` up to `to`, whose bytes begin at `at`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: usize,
    to: usize,
    at: usize,
}

impl Datagram {
    /// Takes a fragment that ends at the offset `to`.
    pub fn take(&mut self, fragment: &Fragment<'_>, to: usize) {
        if self.refused {
            return;
        }
        if !fragment.more {
            // Two ends that differ, or data beyond the end.
            self.refused = self.length.is_some_and(|l| l != to) || self.pieces.back().is_some_and(|last| last.to > to);
            self.length = Some(to);
        }
        if fragment.offset == 0 {
            self.protocol = Some(fragment.protocol);
        }
        self.refused |= self.length.is_some_and(|l| to > l) || !self.put(to, fragment.bytes);
        if self.refused {
            (self.bytes, self.pieces) = Default::default();
        }
    }

    /// Takes bytes that end at an offset and are new, or are there already, all of them and the same; `false` for others.
    fn put(&mut self, to: usize, bytes: &[u8]) -> bool {
        let from = to.saturating_sub(bytes.len());
        let next = self.pieces.partition_point(|piece| piece.to <= from);
        if self.pieces.get(next).is_some_and(|piece| piece.from < to) {
            return self.repeats(next, from, bytes);
        }
        let touches_next = self.pieces.get(next).is_some_and(|piece| piece.from == to);
        let before = next.checked_sub(1).and_then(|before| self.pieces.get_mut(before)).filter(|piece| piece.to == from);
        let touched = usize::from(before.is_some()) + usize::from(touches_next);
        if touched == 0 && self.ranges >= RANGES_MAX {
            return false;
        }
        let at = self.bytes.len();
        match before {
            Some(before) if before.at + (from - before.from) == at => before.to = to,
            _ => self.pieces.insert(next, Piece { from, to, at }),
        }
        self.bytes.extend_from_slice(bytes);
        self.ranges = (self.ranges + 1).saturating_sub(touched);
        true
    }

    /// Whether all these bytes are there, from a piece on, and the same.
    fn repeats(&self, first: usize, mut from: usize, mut bytes: &[u8]) -> bool {
        for piece in self.pieces.range(first..) {
            if piece.from > from {
                return false;
            }
            let (here, rest) = bytes.split_at(bytes.len().min(piece.to - from));
            let at = piece.at + (from - piece.from);
            if self.bytes.get(at..at + here.len()) != Some(here) {
                return false;
            }
            (from, bytes) = (piece.to, rest);
            if bytes.is_empty() {
                return true;
            }
        }
        false
    }

    /// The protocol, once everything is there.
    pub fn complete(&self) -> Option<u8> {
        let length = self.length.filter(|_| self.ranges == 1 && !self.refused)?;
        let (first, last) = (self.pieces.front()?, self.pieces.back()?);
        if first.from == 0 && last.to >= length { self.protocol } else { None }
    }

    /// Its bytes in the order of offsets: without a copy where they came in it.
    pub fn into_bytes(self) -> Vec<u8> {
        if self.pieces.len() <= 1 {
            return self.bytes;
        }
        let mut whole = Vec::with_capacity(self.bytes.len());
        for Piece { from, to, at } in self.pieces {
            whole.extend_from_slice(self.bytes.get(at..at + (to - from)).unwrap_or_default());
        }
        whole
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The naive model: one optional byte per offset.
    #[derive(Default)]
    struct Naive {
        bytes: Vec<Option<u8>>,
        protocol: Option<u8>,
        length: Option<usize>,
        refused: bool,
    }

    impl Naive {
        fn take(&mut self, fragment: &Fragment<'_>, to: usize) {
            let from = fragment.offset as usize;
            self.bytes.resize(self.bytes.len().max(to), None);
            let old = self.bytes[from..to].to_vec();
            if !fragment.more {
                self.refused |= self.length.is_some_and(|l| l != to) || self.bytes[to..].iter().any(Option::is_some);
                self.length = Some(to);
            }
            self.refused |= self.length.is_some_and(|l| to > l);
            if from == 0 {
                self.protocol = Some(fragment.protocol);
            }
            let new = fragment.bytes.iter().copied().map(Some);
            let (fresh, repeated) = (old.iter().all(Option::is_none), old.iter().copied().eq(new.clone()));
            let near = [from.checked_sub(1), Some(to)].into_iter().flatten().any(|at| self.bytes.get(at).is_some_and(Option::is_some));
            let full = self.bytes.chunk_by(|a, b| a.is_some() == b.is_some()).filter(|range| range[0].is_some()).count() >= RANGES_MAX;
            self.refused |= !repeated && (!fresh || (full && !near));
            self.bytes[from..to].iter_mut().zip(new).for_each(|(to, byte)| *to = byte);
        }

        fn whole(&self) -> Option<(u8, Vec<u8>)> {
            let there: Vec<u8> = self.bytes.iter().map_while(|byte| *byte).collect();
            (!self.refused && there.len() >= self.length?).then_some((self.protocol?, there))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn agrees_with_the_naive_model(
            units in 1usize..160,
            size in 1usize..3,
            keys in proptest::collection::vec(any::<u32>(), 160),
            sorted in 0u8..4,
            twists in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..160, 1usize..30, any::<bool>(), 0u8..3), 0..6),
        ) {
            // The pieces of a datagram in some order, and among them others that may overlap, contradict, or end elsewhere.
            let payload: Vec<u8> = (0..units * 8).map(|at| (at / 5) as u8).collect();
            let mut steps: Vec<(usize, Vec<u8>, bool)> =
                payload.chunks(size * 8).enumerate().map(|(n, chunk)| (n * size * 8, chunk.to_vec(), (n + 1) * size < units)).collect();
            match sorted {
                0 => {}
                1 => steps.reverse(),
                2 => steps.sort_by_key(|(offset, ..)| keys[offset / 8]),
                _ => steps.sort_by_key(|(offset, ..)| (offset / (size * 8) % 2, *offset)),
            }
            for (place, unit, length, more, change) in twists {
                let from = unit * 8;
                let bytes = (from..from + length).map(|at| (at / 5) as u8 ^ u8::from(change == 0)).collect();
                steps.insert(place.index(steps.len() + 1), (from, bytes, more || change > 0));
            }
            let (mut real, mut naive) = (Datagram::default(), Naive::default());
            for (n, (offset, bytes, more)) in steps.iter().enumerate() {
                let fragment = Fragment { id: 1, offset: *offset as u32, more: *more, protocol: n as u8, bytes };
                real.take(&fragment, offset + bytes.len());
                naive.take(&fragment, offset + bytes.len());
                prop_assert_eq!(real.refused, naive.refused);
                prop_assert_eq!(real.complete(), naive.whole().map(|(protocol, _)| protocol));
                if let Some((_, whole)) = naive.whole() {
                    prop_assert_eq!(real.into_bytes(), whole);
                    break;
                }
            }
        }
    }
}
