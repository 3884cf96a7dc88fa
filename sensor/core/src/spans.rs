//! When something was in use: spans of time, joined over short gaps, and the days that they touch. It must not know of what.
//!
//! A heartbeat comes every 3.5 to 10 minutes, so signs that are no further apart than ten minutes are one span. Adding is a union:
//! order does not matter, and nothing counts twice.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::time::Timestamp;

/// Signs that are no further apart belong to one span.
pub const GAP_MAX: Duration = Duration::from_secs(10 * 60);

/// Spans that are kept, the latest: with gaps of more than ten minutes at least two days of the busiest device, and months of others.
pub const SPANS_MAX: usize = 256;

/// Days that are kept, the latest: more than a year.
pub const DAYS_MAX: usize = 400;

const DAY_SECS: u64 = 86_400;

/// First and last moment, both included.
pub type Span = (Timestamp, Timestamp);

/// Spans of use, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    spans: Vec<Span>,
    days: BTreeSet<u32>,
}

impl Spans {
    /// One span.
    pub fn of(first: Timestamp, last: Timestamp) -> Spans {
        let mut spans = Spans::default();
        spans.add(first, last);
        spans
    }

    /// What was kept elsewhere.
    pub fn restore(spans: impl IntoIterator<Item = Span>, days: impl IntoIterator<Item = u32>) -> Spans {
        let mut all = Spans::default();
        spans.into_iter().for_each(|(first, last)| all.add(first, last));
        all.days.extend(days);
        all.bound();
        all
    }

    /// Adds use from `first` to `last`.
    pub fn add(&mut self, first: Timestamp, last: Timestamp) {
        let (mut first, mut last) = (first, last.max(first));
        let day = |at: Timestamp| u32::try_from(at.secs() / DAY_SECS).unwrap_or(u32::MAX);
        // A span longer than what is kept leaves its latest days.
        let from = day(first).max(day(last).saturating_sub(DAYS_MAX as u32));
        self.days.extend(from..=day(last));
        let near = |span: &Span| span.0 <= last.after(GAP_MAX) && first <= span.1.after(GAP_MAX);
        // Those that it touches lie side by side, for kept spans are further apart.
        let begin = self.spans.partition_point(|span| span.1.after(GAP_MAX) < first);
        let touched = self.spans.get(begin..).unwrap_or(&[]).iter().take_while(|span| near(span)).count();
        for span in self.spans.drain(begin..begin + touched) {
            (first, last) = (first.min(span.0), last.max(span.1));
        }
        self.spans.insert(begin, (first, last));
        self.bound();
    }

    /// Adds all of the other.
    pub fn merge(&mut self, other: &Spans) {
        other.spans.iter().for_each(|(first, last)| self.add(*first, *last));
        self.days.extend(&other.days);
        self.bound();
    }

    fn bound(&mut self) {
        if self.spans.len() > SPANS_MAX {
            self.spans.drain(..self.spans.len() - SPANS_MAX);
        }
        while self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
    }

    /// The spans, earliest first; of many only the latest [`SPANS_MAX`].
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Span> + ExactSizeIterator + '_ {
        self.spans.iter().copied()
    }

    /// Days since 1970 (UTC) with use; of many only the latest [`DAYS_MAX`].
    pub fn days(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.days.iter().copied()
    }

    /// What lies before a moment: spans that go on after it end there.
    pub fn until(&self, at: Timestamp) -> Spans {
        let before = self.spans.iter().filter(|(first, _)| *first <= at).map(|(first, last)| (*first, at.min(*last)));
        let day = u32::try_from(at.secs() / DAY_SECS).unwrap_or(u32::MAX);
        Spans::restore(before, self.days.iter().copied().filter(|d| *d <= day))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs_nanos(secs, 0)
    }

    fn shown(spans: &Spans) -> Vec<(u64, u64)> {
        spans.iter().map(|(first, last)| (first.secs(), last.secs())).collect()
    }

    #[test]
    fn short_gaps_join_and_long_ones_part() {
        let mut spans = Spans::of(at(1_000), at(1_000));
        spans.add(at(1_600), at(1_700));
        spans.add(at(2_301), at(2_400));
        assert_eq!(shown(&spans), [(1_000, 1_700), (2_301, 2_400)]);
        spans.add(at(1_900), at(1_900));
        assert_eq!(shown(&spans), [(1_000, 2_400)]);
        assert_eq!(shown(&spans.until(at(1_500))), [(1_000, 1_500)]);
        assert_eq!(shown(&spans.until(at(900))), []);
    }

    #[test]
    fn a_year_of_use_stays_bounded() {
        let mut spans = Spans::default();
        for day in 0..1_000u64 {
            spans.add(at(day * DAY_SECS), at(day * DAY_SECS + 60));
        }
        assert_eq!((spans.iter().len(), spans.days().len()), (SPANS_MAX, DAYS_MAX));
        assert_eq!((shown(&spans)[0].0, spans.days().next()), ((1_000 - SPANS_MAX as u64) * DAY_SECS, Some(600)));
        spans.add(at(0), at(999 * DAY_SECS));
        assert_eq!(shown(&spans), [(0, 999 * DAY_SECS + 60)]);
    }

    proptest! {
        /// Against the obvious way: minutes in which there was a sign, gaps of up to ten filled.
        #[test]
        fn agrees_with_counting_minutes(pieces in prop::collection::vec((0u64..200, 0u64..15), 1..30)) {
            let mut spans = Spans::default();
            let mut reversed = Spans::default();
            let mut minutes = BTreeSet::new();
            for (first, length) in &pieces {
                spans.add(at(first * 60), at((first + length) * 60));
                minutes.extend(*first..=first + length);
            }
            pieces.iter().rev().for_each(|(first, length)| reversed.add(at(first * 60), at((first + length) * 60)));
            let mut naive: Vec<(u64, u64)> = Vec::new();
            for minute in minutes {
                match naive.last_mut() {
                    Some(last) if minute - last.1 <= 10 => last.1 = minute,
                    _ => naive.push((minute, minute)),
                }
            }
            let naive: Vec<(u64, u64)> = naive.into_iter().map(|(a, b)| (a * 60, b * 60)).collect();
            prop_assert_eq!(shown(&spans), naive);
            prop_assert_eq!(&reversed, &spans);
            let mut twice = spans.clone();
            twice.merge(&reversed);
            prop_assert_eq!(twice, spans, "nothing counts twice");
        }
    }
}
