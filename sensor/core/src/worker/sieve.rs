//! A bit for each of some numbers: of nearly all others it is told at once that they are not among them.

/// Words of bits: 4 KiB, which stay in a core's first cache.
const WORDS: usize = 512;

/// The bits.
#[derive(Debug)]
pub(super) struct Sieve([u64; WORDS]);

impl Default for Sieve {
    fn default() -> Self {
        Sieve([0; WORDS])
    }
}

/// The word and the bit of a number.
#[inline(always)]
fn bit_of(number: u32) -> (usize, u64) {
    let bit = number.wrapping_mul(0x9e37_79b1) >> 17;
    (usize::try_from(bit / 64).unwrap_or(0) % WORDS, 1 << (bit % 64))
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
        let (word, bit) = bit_of(number);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a number may be among them. What is among them is never missed.
    #[inline(always)]
    pub(super) fn may_have(&self, number: u32) -> bool {
        let (word, bit) = bit_of(number);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missed_and_little_is_mistaken() {
        let sieve = Sieve::of((0..100).map(|n| n * 7_919));
        assert!((0..100).all(|n| sieve.may_have(n * 7_919)));
        let mistaken = (0..100_000u32).filter(|n| sieve.may_have(n * 3 + 1_000_000_000)).count();
        assert!(mistaken < 1_000, "{mistaken} of 100,000, where chance makes about 300");
        assert!(!Sieve::default().may_have(0));
    }
}
