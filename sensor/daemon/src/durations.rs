//! Spans of time, counted by how long they are: what a histogram shows. Pure.

use std::time::Duration;

/// Up to where each count goes, seconds: five minutes to a week, for what waits for a person.
pub const BOUNDS_SECS: [u64; 8] = [300, 900, 3_600, 4 * 3_600, 8 * 3_600, 86_400, 3 * 86_400, 7 * 86_400];

/// Counted spans.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Durations {
    /// How many were not longer than each bound.
    pub within: [u64; BOUNDS_SECS.len()],
    /// How many there were.
    pub count: u64,
    /// Their sum, seconds.
    pub sum_secs: f64,
}

impl Durations {
    /// Counts one.
    pub fn add(&mut self, span: Duration) {
        let secs = span.as_secs_f64();
        self.count += 1;
        self.sum_secs += secs;
        for (count, bound) in self.within.iter_mut().zip(BOUNDS_SECS) {
            *count += u64::from(secs <= bound as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_counts_all_that_are_not_longer() {
        let mut durations = Durations::default();
        [60, 300, 301, 8 * 86_400].into_iter().for_each(|secs| durations.add(Duration::from_secs(secs)));
        assert_eq!((durations.count, durations.sum_secs), (4, 661.0 + 8.0 * 86_400.0));
        assert_eq!(durations.within, [2, 3, 3, 3, 3, 3, 3, 3]);
    }
}
