//! A small seeded generator of pseudo-random numbers, so that every test input can be made again from its seed.

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). Not for secrets.
#[derive(Clone, Debug)]
pub struct Prng(u64);

impl Prng {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Prng(seed)
    }

    /// An independent sequence for a part of the work: a change in one part does not disturb the others.
    pub fn fork(&self, label: &str) -> Self {
        // FNV-1a
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut fork = Prng(self.0 ^ hash);
        fork.0 = fork.u64();
        fork
    }

    /// The next 64 bits.
    pub const fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next 32 bits.
    pub const fn u32(&mut self) -> u32 {
        (self.u64() >> 32) as u32
    }

    /// The next 16 bits.
    pub const fn u16(&mut self) -> u16 {
        (self.u64() >> 48) as u16
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias is below 2^-32 for bounds below 2^32.
    pub const fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.u64() % bound as u64) as usize }
    }

    /// A number in `low..=high`.
    pub const fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in about `percent` of 100 cases.
    pub const fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend(self.u64().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.u64() as u8)
    }

    /// One of `items`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Puts `items` in another order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // Reference output of splitmix64.c (S. Vigna) for the seed 1234567.
        let mut rng = Prng::new(1_234_567);
        let seen = [rng.u64(), rng.u64(), rng.u64()];
        assert_eq!(seen, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn forks_are_independent_and_repeatable() {
        let rng = Prng::new(1);
        assert_eq!(rng.fork("a").bytes(16), rng.fork("a").bytes(16));
        assert_ne!(rng.fork("a").bytes(16), rng.fork("b").bytes(16));
        assert_ne!(rng.fork("a").bytes(16), Prng::new(2).fork("a").bytes(16));
    }

    #[test]
    fn stays_in_bounds() {
        let mut rng = Prng::new(3);
        assert!((0..1000).all(|_| (5..=9).contains(&rng.between(5, 9))));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.bytes(13).len(), 13);
        let mut items: Vec<u32> = (0..100).collect();
        rng.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
