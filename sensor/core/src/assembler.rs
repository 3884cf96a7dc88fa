//! Bytes that arrive in any order, put back in order: one type for TCP streams, QUIC CRYPTO frames and IP fragments.
//!
//! The bytes lie in one flat window; a sorted list of disjoint intervals says which of them are there. The first copy of
//! a byte wins (as Linux and BSD do for bytes already queued); a later, different copy is reported, never silently taken.

/// Half-open range of filled bytes, relative to the window's start.
type Span = (usize, usize);

/// What an insertion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Some byte was there already with another value.
    pub conflict: bool,
    /// Some bytes lay beyond the window and were not taken.
    pub beyond: bool,
    /// Too many separate ranges: the bytes were not taken.
    pub scattered: bool,
}

/// A window over a byte sequence. Offsets are absolute (`u64`) and never wrap: callers unwrap sequence numbers first.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    start: u64,
    /// Bytes before `head` in `window` are consumed: the latest of them stay as history.
    head: usize,
    window: Vec<u8>,
    filled: Vec<Span>,
    bytes_max: usize,
    ranges_max: usize,
    history_max: usize,
}

impl Assembler {
    /// An empty window of at most `bytes_max` bytes in at most `ranges_max` separate ranges, starting at `start`.
    pub const fn new(start: u64, bytes_max: usize, ranges_max: usize) -> Self {
        Assembler { start, head: 0, window: Vec::new(), filled: Vec::new(), bytes_max, ranges_max, history_max: 0 }
    }

    /// Keeps the latest consumed bytes, at most so many: a copy of them that differs is reported as well.
    pub const fn with_history(mut self, bytes: usize) -> Self {
        self.history_max = bytes;
        self
    }

    /// Nothing more is to be held against consumed bytes.
    pub fn forget_history(&mut self) {
        self.history_max = 0;
        self.drop_history(0);
    }

    /// Drops consumed bytes but for the latest `keep`.
    fn drop_history(&mut self, keep: usize) {
        if self.filled.is_empty() && keep == 0 {
            self.window = Vec::new();
            self.head = 0;
        } else if self.head > keep {
            self.window.drain(..self.head - keep);
            self.head = keep;
        }
    }

    /// The absolute offset of the first byte that was not consumed.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The bytes that are there without a gap, from [`Self::start`].
    pub fn readable(&self) -> &[u8] {
        let end = self.contiguous();
        self.window.get(self.head..self.head.saturating_add(end)).unwrap_or(&[])
    }

    /// Whether bytes wait behind a gap.
    pub fn has_gap(&self) -> bool {
        match self.filled.first() {
            Some(&(0, _)) => self.filled.len() > 1,
            Some(_) => true,
            None => false,
        }
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Bytes of memory held by the window.
    pub fn held(&self) -> usize {
        self.window.capacity()
    }

    /// How many bytes are there, wherever they lie.
    pub fn filled(&self) -> usize {
        self.filled.iter().map(|(from, to)| to - from).sum()
    }

    /// One past the last byte that is held, as an absolute offset.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.filled.last().map_or(0, |s| s.1) as u64)
    }

    fn contiguous(&self) -> usize {
        match self.filled.first() {
            Some(&(0, end)) => end,
            _ => 0,
        }
    }

    /// Puts `bytes` at the absolute `offset`. What lies before [`Self::start`] was consumed and is passed over.
    pub fn insert(&mut self, offset: u64, bytes: &[u8]) -> Inserted {
        let mut done = Inserted::default();
        let skip = self.start.saturating_sub(offset);
        done.conflict = self.contradicts_history(skip, bytes);
        let bytes = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)).unwrap_or(&[]);
        if bytes.is_empty() {
            return done;
        }
        let Some(from) = usize::try_from(offset.saturating_sub(self.start)).ok().filter(|from| *from < self.bytes_max) else {
            done.beyond = true;
            return done;
        };
        let room = self.bytes_max - from;
        done.beyond = bytes.len() > room;
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let span = (from, from + bytes.len());

        let first = self.filled.partition_point(|s| s.1 < span.0);
        let last = self.filled.partition_point(|s| s.0 <= span.1);
        if first == last && self.filled.len() >= self.ranges_max {
            done.scattered = true;
            return done;
        }
        self.grow(span.1);
        done.conflict |= self.write(first, last, span, bytes);
        let merged = self.filled.get(first..last).unwrap_or(&[]).iter().fold(span, |m, s| (m.0.min(s.0), m.1.max(s.1)));
        self.filled.splice(first..last, [merged]);
        done
    }

    /// Whether bytes that begin `back` before the start differ from what was consumed there, as far as that is still known.
    fn contradicts_history(&self, back: u64, bytes: &[u8]) -> bool {
        let Ok(back) = usize::try_from(back) else { return false };
        let known = back.min(self.head).min(self.history_max);
        let unknown = back - known;
        let old = self.window.get(self.head.saturating_sub(known)..self.head).unwrap_or(&[]);
        old.iter().zip(bytes.get(unknown..).unwrap_or(&[])).any(|(a, b)| a != b)
    }

    /// Writes those parts of `bytes` that no span in `first..last` covers; says whether a covered part differs.
    fn write(&mut self, first: usize, last: usize, span: Span, bytes: &[u8]) -> bool {
        let mut conflict = false;
        let mut at = span.0;
        for &(from, to) in self.filled.get(first..last).unwrap_or(&[]) {
            let (old_from, old_to) = (from.clamp(at, span.1), to.clamp(at, span.1));
            copy(&mut self.window, self.head, (at, old_from), span.0, bytes);
            let held = self.window.get(self.head + old_from..self.head + old_to);
            conflict |= held != bytes.get(old_from - span.0..old_to - span.0);
            at = old_to;
        }
        copy(&mut self.window, self.head, (at, span.1), span.0, bytes);
        conflict
    }

    fn grow(&mut self, end: usize) {
        if self.head + end > self.window.len() {
            self.drop_history(self.history_max);
        }
        if self.head + end > self.window.len() {
            self.window.resize(self.head + end, 0);
        }
    }

    /// Takes `count` bytes off the front; more than are readable skips a gap and drops what lies before the new start.
    pub fn consume(&mut self, count: usize) {
        let seen = count <= self.contiguous();
        self.start = self.start.saturating_add(count as u64);
        self.filled.retain_mut(|span| {
            *span = (span.0.saturating_sub(count), span.1.saturating_sub(count));
            span.1 > 0
        });
        self.head = (self.head + count).min(self.window.len());
        // What was never seen is no history.
        if !seen {
            self.drop_history(0);
        } else if self.filled.is_empty() {
            self.window.truncate(self.head);
            self.drop_history(self.history_max);
            if self.window.capacity() > 4 * self.history_max {
                self.window.shrink_to_fit();
            }
        }
    }

    /// Moves the start to the first byte that is there; the number of bytes that were missing.
    pub fn skip_gap(&mut self) -> usize {
        match self.filled.first() {
            Some(&(from, _)) if from > 0 => {
                self.consume(from);
                from
            }
            _ => 0,
        }
    }
}

/// Copies the part `span` of `bytes` (which begins at `base`) into the window.
fn copy(window: &mut [u8], head: usize, span: Span, base: usize, bytes: &[u8]) {
    let (Some(to), Some(from)) = (window.get_mut(head + span.0..head + span.1), bytes.get(span.0 - base..span.1 - base)) else {
        return;
    };
    to.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn first_copy_wins_and_the_other_is_reported() {
        let mut a = Assembler::new(100, 1000, 8);
        assert_eq!(a.insert(104, b"EFGH"), Inserted::default());
        assert_eq!(a.readable(), b"");
        assert!(a.has_gap());
        assert!(a.insert(100, b"abcdXF").conflict);
        assert_eq!(a.readable(), b"abcdEFGH");
        assert!(!a.insert(98, b"..abcd").conflict);
    }

    #[test]
    fn bounds() {
        let mut a = Assembler::new(0, 10, 2);
        assert!(a.insert(8, b"xyz").beyond);
        assert!(a.insert(u64::MAX, b"x").beyond);
        assert!(!a.insert(5, b"m").scattered);
        assert!(a.insert(2, b"c").scattered);
        assert_eq!(a.skip_gap(), 5);
        assert_eq!(a.readable(), b"m");
        a.consume(100);
        assert!(a.is_empty());
        assert_eq!((a.start(), a.held()), (105, 0));
    }

    #[test]
    fn consumed_bytes_are_held_against_later_copies() {
        let mut a = Assembler::new(100, 1000, 8).with_history(6);
        a.insert(100, b"abcdefgh");
        a.consume(8);
        for (offset, bytes, conflict) in [
            (104, &b"efgh"[..], false),
            (104, b"efXh", true),
            (100, b"XXcdefgh", false),
            (100, b"abcdefgX", true),
            (106, b"ghij", false),
            (106, b"Xhij", true),
            (90, b"X", false),
        ] {
            assert_eq!(a.clone().insert(offset, bytes).conflict, conflict, "{offset} {}", bytes.escape_ascii());
        }
        a.insert(108, b"ijkl");
        a.insert(114, b"op");
        a.consume(4);
        assert!(a.insert(110, b"kX").conflict && a.held() < 100);
        assert_eq!((a.skip_gap(), a.readable()), (2, &b"op"[..]));
        assert!(!a.clone().insert(112, b"??").conflict, "what was never seen is no history");
        a.consume(2);
        a.forget_history();
        assert_eq!((a.held(), a.insert(114, b"XX").conflict), (0, false));
    }

    /// The naive model: one optional byte per offset.
    struct Naive {
        start: usize,
        bytes: Vec<Option<u8>>,
    }

    impl Naive {
        fn insert(&mut self, offset: usize, bytes: &[u8]) -> bool {
            let mut conflict = false;
            for (i, b) in bytes.iter().enumerate().filter(|(i, _)| offset + i >= self.start) {
                let slot = &mut self.bytes[offset + i];
                conflict |= slot.is_some_and(|old| old != *b);
                slot.get_or_insert(*b);
            }
            conflict
        }

        fn readable(&self) -> Vec<u8> {
            self.bytes[self.start..].iter().map_while(|b| *b).collect()
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_model(steps in proptest::collection::vec((0usize..300, proptest::collection::vec(0u8..3, 0..40), 0usize..20), 1..60)) {
            let mut real = Assembler::new(0, 4096, 512);
            let mut naive = Naive { start: 0, bytes: vec![None; 4096] };
            for (offset, bytes, eat) in steps {
                let done = real.insert(offset as u64, &bytes);
                prop_assert_eq!(done.conflict, naive.insert(offset, &bytes));
                prop_assert!(!done.beyond && !done.scattered);
                prop_assert_eq!(real.readable(), &naive.readable()[..]);
                let eat = eat.min(real.readable().len());
                real.consume(eat);
                naive.start += eat;
                prop_assert_eq!(real.readable(), &naive.readable()[..]);
            }
        }
    }
}
