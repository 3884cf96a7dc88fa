//! Two bits of a word for each of some numbers: of nearly all others it is told at once that they are not among them.

/// Words of bits: 8 KiB, which stay in a core's first cache.
const WORDS: usize = 1_024;

/// The bits.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    words: [u64; WORDS],
    /// No number was added yet.
    empty: bool,
}

impl Default for Sieve {
    fn default() -> Self {
        Sieve { words: [0; WORDS], empty: true }
    }
}

/// The word and the bits of a number.
#[inline(always)]
fn bits_of(number: u32) -> (usize, u64) {
    let mixed = number.wrapping_mul(0x9e37_79b1);
    (usize::try_from(mixed >> 22).unwrap_or(0) % WORDS, 1 << (mixed >> 16 & 63) | 1 << (mixed >> 10 & 63))
}

impl Sieve {
    /// The bits of these numbers, and no others.
    pub(super) fn of(numbers: impl Iterator<Item = u32>) -> Self {
        let mut sieve = Sieve::default();
        numbers.for_each(|number| sieve.add(number));
        sieve
    }

    /// One number more.
    pub(super) fn add(&mut self, number: u32) {
        let (word, bits) = bits_of(number);
        self.empty = false;
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    /// Whether a number may be among them. What is among them is never missed.
    #[inline(always)]
    pub(super) fn may_have(&self, number: u32) -> bool {
        if self.empty {
            return false;
        }
        let (word, bits) = bits_of(number);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missed_and_little_is_mistaken() {
        for (count, chance) in [(100, 10), (8_192, 5_000)] {
            let sieve = Sieve::of((0..count).map(|n| n * 7_919));
            assert!((0..count).all(|n| sieve.may_have(n * 7_919)));
            let mistaken = (0..100_000u32).filter(|n| sieve.may_have(n * 30_011 + 1_000_000_000)).count();
            assert!(mistaken < 2 * chance, "{mistaken} of 100,000, where chance makes about {chance}");
        }
        assert!(!Sieve::default().may_have(0));
    }
}
