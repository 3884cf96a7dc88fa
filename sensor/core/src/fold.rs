//! A keyed hash for the tables of the packet path: one multiplication for eight bytes, where SipHash has a dozen rounds.
//!
//! Whoever does not know the keys cannot make two values meet on purpose; it is no hash to sign with.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The keys of a table.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    first: u64,
    second: u64,
}

impl Keys {
    /// Keys that nobody knows, other ones in each process.
    pub fn random() -> Self {
        let state = RandomState::new();
        Keys { first: state.hash_one(1u8), second: state.hash_one(2u8) | 1 }
    }

    /// Keys that follow from a number: the same for the same number.
    pub const fn of(number: u64) -> Self {
        let first = fold(number ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93);
        Keys { first, second: fold(first ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db) | 1 }
    }

    /// The hash of two words.
    #[inline]
    pub const fn pair(&self, one: u64, two: u64) -> u64 {
        fold(fold(one ^ self.first, two ^ self.second) ^ self.second, self.first | 1)
    }

    /// The hash of a word and what came before it.
    #[inline]
    pub const fn join(&self, before: u64, word: u64) -> u64 {
        fold(before ^ word ^ self.first, self.second)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Keys::random()
    }
}

/// Both halves of the product, folded into one.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Makes hashers for the maps of the standard library.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folded(Keys);

/// The state of a hash.
#[derive(Clone, Copy, Debug)]
pub struct FoldHasher {
    keys: Keys,
    state: u64,
}

impl BuildHasher for Folded {
    type Hasher = FoldHasher;

    #[inline]
    fn build_hasher(&self) -> FoldHasher {
        FoldHasher { keys: self.0, state: self.0.second }
    }
}

/// Up to seven bytes as a number, other ones for others of the same length: read as two halves that may overlap, without a loop.
#[inline(always)]
fn few(bytes: &[u8]) -> u64 {
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, .., z] if bytes.len() < 4 => {
            let middle = bytes.get(1).map_or(0, |b| u64::from(*b));
            u64::from(a) | middle << 8 | u64::from(z) << 16
        }
        _ => {
            let (Some((first, _)), Some((_, last))) = (bytes.split_first_chunk::<4>(), bytes.split_last_chunk::<4>()) else { return 0 };
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 24
        }
    }
}

impl Hasher for FoldHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        // The length tells zeros at the end from nothing at all.
        self.write_u64(few(rest) ^ (bytes.len() as u64) << 56);
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    #[inline]
    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.state = self.keys.join(self.state, n);
    }

    #[inline]
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn neighbours_spread_and_keys_count() {
        let keys = Keys::of(7);
        let hashes: HashSet<u64> = (0..1_000u64).flat_map(|a| (0..20u64).map(move |b| keys.pair(a, b))).collect();
        assert_eq!(hashes.len(), 20_000);
        let low: HashSet<u64> = hashes.iter().map(|h| h & 0xffff).collect();
        assert!(low.len() > 16_000, "{} of 65,536 buckets, where chance fills 17,200", low.len());
        let high: HashSet<u64> = hashes.iter().map(|h| h >> 48).collect();
        assert!(high.len() > 16_000, "{}", high.len());
        assert!(Keys::of(8).pair(1, 2) != keys.pair(1, 2) && Keys::random().pair(1, 2) != Keys::random().pair(1, 2));
    }

    #[test]
    fn bytes_differ_from_shorter_ones() {
        let build = Folded(Keys::of(1));
        let hash = |bytes: &[u8]| {
            let mut hasher = build.build_hasher();
            hasher.write(bytes);
            hasher.finish()
        };
        let all: HashSet<u64> = (0..20).map(|n| hash(&vec![0; n])).collect();
        assert_eq!(all.len(), 20);
        assert_ne!(hash(b"weixin.qq.com"), hash(b"weixin.qq.con"));
    }
}
