//! Bytes that arrive in any order, put back in order: one type for TCP streams and the CRYPTO frames of QUIC.
//!
//! The bytes lie in one flat window: those that can be read come first, and a sorted list of disjoint intervals says which of the
//! later ones are there. Bytes in order, as most are, never touch that list. The first copy of a byte wins (as Linux and BSD do for
//! bytes already queued); a later, different copy is reported, never silently taken.

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
    /// Consumed bytes, and all others up to the last one that is there.
    window: Vec<u8>,
    /// Bytes that are there without a gap.
    ready: usize,
    /// What lies behind a gap: none of them begins at or before `ready`.
    behind: Vec<Span>,
    history_max: usize,
    bytes_max: u32,
    ranges_max: u32,
}

impl Assembler {
    /// An empty window of at most `bytes_max` bytes in at most `ranges_max` separate ranges, starting at `start`.
    pub const fn new(start: u64, bytes_max: usize, ranges_max: usize) -> Self {
        let (bytes_max, ranges_max) = (bound(bytes_max), bound(ranges_max));
        Assembler { start, head: 0, window: Vec::new(), ready: 0, behind: Vec::new(), history_max: 0, bytes_max, ranges_max }
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
        if self.is_empty() && keep == 0 {
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
        self.window.get(self.head..self.head.saturating_add(self.ready)).unwrap_or(&[])
    }

    /// Whether bytes wait behind a gap.
    pub fn has_gap(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.ready == 0 && self.behind.is_empty()
    }

    /// Bytes of memory held by the window.
    pub fn held(&self) -> usize {
        self.window.capacity()
    }

    /// How many bytes are there, wherever they lie.
    pub fn filled(&self) -> usize {
        self.ready + self.behind.iter().map(|(from, to)| to - from).sum::<usize>()
    }

    /// One past the last byte that is held, as an absolute offset.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.behind.last().map_or(self.ready, |s| s.1) as u64)
    }

    /// Puts `bytes` at the absolute `offset`. What lies before [`Self::start`] was consumed and is passed over.
    pub fn insert(&mut self, offset: u64, bytes: &[u8]) -> Inserted {
        let mut done = Inserted::default();
        let skip = self.start.saturating_sub(offset);
        done.conflict = skip > 0 && self.contradicts_history(skip, bytes);
        let bytes = usize::try_from(skip).ok().and_then(|skip| bytes.get(skip..)).unwrap_or(&[]);
        if bytes.is_empty() {
            return done;
        }
        let bytes_max = self.bytes_max as usize;
        let Some(from) = usize::try_from(offset.saturating_sub(self.start)).ok().filter(|from| *from < bytes_max) else {
            done.beyond = true;
            return done;
        };
        let room = bytes_max - from;
        done.beyond = bytes.len() > room;
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let span = (from, from + bytes.len());
        match (self.behind.first(), self.behind.last()) {
            (None, _) if from <= self.ready => done.conflict |= self.extend(from, bytes),
            (_, last) if from > last.map_or(self.ready, |s| s.1) => done.scattered = !self.append(span, bytes),
            (Some(next), _) if from == self.ready && span.1 == next.0 => self.fill(span, bytes),
            _ => self.place(span, bytes, &mut done),
        }
        done
    }

    /// Puts bytes behind everything that is there and a gap; `false` when there are too many ranges.
    fn append(&mut self, span: Span, bytes: &[u8]) -> bool {
        if self.is_scattered() {
            return false;
        }
        self.drop_history(self.history_max);
        self.window.reserve((self.head + span.1).saturating_sub(self.window.len()));
        self.window.resize(self.head + span.0, 0);
        self.window.extend_from_slice(bytes);
        self.behind.push(span);
        true
    }

    /// Puts bytes where they are exactly what is missing between the begin and what lies behind the first gap.
    fn fill(&mut self, span: Span, bytes: &[u8]) {
        copy(&mut self.window, self.head, span, span.0, bytes);
        self.ready = self.behind.remove(0).1;
    }

    /// Whether there is no room for one range more.
    fn is_scattered(&self) -> bool {
        self.behind.len() + usize::from(self.ready > 0) >= self.ranges_max as usize
    }

    /// Puts bytes at the end of what is there, which they touch or overlap; says whether an overlapped part differs.
    fn extend(&mut self, from: usize, bytes: &[u8]) -> bool {
        let (again, new) = bytes.split_at(bytes.len().min(self.ready - from));
        let held = self.readable().get(from..from + again.len());
        let conflict = held != Some(again);
        if !new.is_empty() {
            self.drop_history(self.history_max);
            self.window.extend_from_slice(new);
            self.ready += new.len();
        }
        conflict
    }

    /// Puts bytes wherever they belong.
    fn place(&mut self, span: Span, bytes: &[u8], done: &mut Inserted) {
        let touches = span.0 <= self.ready;
        let first = self.behind.partition_point(|s| s.1 < span.0);
        let last = self.behind.partition_point(|s| s.0 <= span.1);
        let alone = first == last && !(touches && self.ready > 0);
        if alone && self.is_scattered() {
            done.scattered = true;
            return;
        }
        self.grow(span.1);
        done.conflict |= self.write(first, last, span, bytes);
        let merged = self.behind.get(first..last).unwrap_or(&[]).iter().fold(span, |m, s| (m.0.min(s.0), m.1.max(s.1)));
        if touches {
            self.ready = self.ready.max(merged.1);
            self.behind.drain(first..last);
        } else {
            self.behind.splice(first..last, [merged]);
        }
    }

    /// Whether bytes that begin `back` before the start differ from what was consumed there, as far as that is still known.
    fn contradicts_history(&self, back: u64, bytes: &[u8]) -> bool {
        let Ok(back) = usize::try_from(back) else { return false };
        let known = back.min(self.head).min(self.history_max);
        let unknown = back - known;
        let old = self.window.get(self.head.saturating_sub(known)..self.head).unwrap_or(&[]);
        old.iter().zip(bytes.get(unknown..).unwrap_or(&[])).any(|(a, b)| a != b)
    }

    /// Writes those parts of `bytes` that are not there, neither at the begin nor in a span in `first..last`; says whether one that is
    /// there differs.
    fn write(&mut self, first: usize, last: usize, span: Span, bytes: &[u8]) -> bool {
        let mut conflict = false;
        let mut at = span.0;
        for (from, to) in std::iter::once((0, self.ready)).chain(self.behind.get(first..last).unwrap_or(&[]).iter().copied()) {
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
        let seen = count <= self.ready;
        self.start = self.start.saturating_add(count as u64);
        self.ready = self.ready.saturating_sub(count);
        if !self.behind.is_empty() {
            self.draw_near(count);
        }
        self.head = (self.head + count).min(self.window.len());
        // What was never seen is no history.
        if !seen {
            self.drop_history(0);
        } else if self.is_empty() {
            self.window.truncate(self.head);
            self.drop_history(self.history_max);
            if self.window.capacity() > 4 * self.history_max {
                self.window.shrink_to_fit();
            }
        }
    }

    /// Takes `count` bytes off the front, and forgets what was consumed.
    #[inline]
    pub fn pass(&mut self, count: usize) {
        if self.window.is_empty() && self.behind.is_empty() {
            self.start = self.start.saturating_add(count as u64);
        } else {
            self.consume(count);
        }
        self.forget_history();
    }

    /// What lies behind a gap comes nearer; what the start reaches can be read.
    fn draw_near(&mut self, count: usize) {
        self.behind.retain_mut(|span| {
            *span = (span.0.saturating_sub(count), span.1.saturating_sub(count));
            span.1 > 0
        });
        if let Some(&(0, end)) = self.behind.first() {
            self.ready = end;
            self.behind.remove(0);
        }
    }

    /// Moves the start to the first byte that is there; the number of bytes that were missing.
    pub fn skip_gap(&mut self) -> usize {
        match self.behind.first() {
            Some(&(from, _)) if self.ready == 0 => {
                self.consume(from);
                from
            }
            _ => 0,
        }
    }
}

/// A bound in the width in which it is kept.
const fn bound(count: usize) -> u32 {
    if count < u32::MAX as usize { count as u32 } else { u32::MAX }
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
        /// As when a hello is split and its segments overtake each other.
        #[test]
        fn pieces_in_any_order_are_the_whole(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 1..12),
            turns in proptest::collection::vec(any::<proptest::sample::Index>(), 12),
            passed in 0usize..30,
        ) {
            let whole = pieces.concat();
            let begins = pieces.iter().scan(passed, |at, piece| Some(std::mem::replace(at, *at + piece.len())));
            let mut left: Vec<_> = begins.zip(&pieces).collect();
            let mut real = Assembler::new(0, 4096, 512).with_history(20);
            real.insert(0, &vec![7; passed]);
            real.consume(passed);
            let mut there = vec![None; whole.len()];
            for turn in turns.iter().take(pieces.len()) {
                let (offset, piece) = left.swap_remove(turn.index(left.len()));
                prop_assert_eq!(real.insert(offset as u64, piece), Inserted::default());
                piece.iter().zip(&mut there[offset - passed..]).for_each(|(byte, place)| *place = Some(*byte));
                prop_assert_eq!(real.readable(), &there.iter().map_while(|b| *b).collect::<Vec<_>>()[..]);
                prop_assert_eq!(real.filled(), there.iter().flatten().count());
                prop_assert_eq!(real.has_gap(), real.filled() > real.readable().len());
            }
            prop_assert_eq!(real.readable(), &whole[..]);
        }

        #[test]
        fn agrees_with_the_naive_model(
            steps in proptest::collection::vec((0usize..300, proptest::collection::vec(0u8..3, 0..40), 0usize..20, any::<bool>()), 1..60),
        ) {
            let mut real = Assembler::new(0, 4096, 512);
            let mut naive = Naive { start: 0, bytes: vec![None; 4096] };
            for (offset, bytes, eat, beyond) in steps {
                let done = real.insert(offset as u64, &bytes);
                prop_assert_eq!(done.conflict, naive.insert(offset, &bytes));
                prop_assert!(!done.beyond && !done.scattered);
                prop_assert_eq!(real.readable(), &naive.readable()[..]);
                // What is not there is skipped as well.
                let eat = if beyond { eat } else { eat.min(real.readable().len()) };
                let (mut passed, mut consumed) = (real.clone().with_history(9), real.clone().with_history(9));
                passed.pass(eat);
                consumed.consume(eat);
                consumed.forget_history();
                prop_assert_eq!(format!("{passed:?}"), format!("{consumed:?}"), "to pass is to consume and forget");
                real.consume(eat);
                naive.start += eat;
                let left = &naive.bytes[naive.start..];
                prop_assert_eq!(real.readable(), &naive.readable()[..]);
                prop_assert_eq!((real.start(), real.filled()), (naive.start as u64, left.iter().flatten().count()));
                prop_assert_eq!(real.end(), (naive.start + left.iter().rposition(Option::is_some).map_or(0, |last| last + 1)) as u64);
                prop_assert_eq!((real.is_empty(), real.has_gap()), (real.filled() == 0, real.filled() > real.readable().len()));
            }
        }
    }
}
