//! One direction of a TCP stream: sequence numbers unwrapped to offsets, bytes put in order, capped.
//!
//! Resets are not believed (one with a bad sequence number is an old evasion); a stream ends by silence.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::assembler::Assembler;
use crate::limits::{Limit, STREAM_BYTES_MAX, STREAM_RANGES_MAX};
use crate::time::Timestamp;

/// Offsets of a stream whose beginning was not seen start here, so that earlier segments still have one.
const MIDSTREAM_START: u64 = 1 << 33;

/// Consumed bytes that are kept until a reader has understood them, to tell a copy that differs: a large hello.
const HISTORY_MAX: usize = 4 * 1024;

/// How long bytes wait behind a gap before the gap is taken as lost: a retransmission comes within seconds.
const GAP_PATIENCE: Duration = Duration::from_secs(8);

/// Payloads of nothing but zeros up to this length on a pure ACK are padding that a middlebox counted as data.
const ZERO_PADDING_MAX: usize = 6;

/// A segment of one direction.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// The sequence number of the first byte, SYN counted.
    pub seq: u32,
    /// Opens the direction.
    pub syn: bool,
    /// Closes it.
    pub fin: bool,
    /// The data.
    pub bytes: &'a [u8],
}

/// What an arriving segment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Bytes differ from those that came first.
    pub conflict: bool,
    /// A limit was hit.
    pub limit: Option<Limit>,
    /// Bytes are missing and will not come: what is readable now is not adjacent to what was read before.
    pub gap: bool,
}

/// One direction of a stream.
#[derive(Debug)]
pub struct Half {
    /// The sequence number at offset 0 (modulo 2^32), once known.
    base: Option<u32>,
    /// The sequence number of another SYN: the data tells which one opened the stream.
    alternate: Option<u32>,
    window: Assembler,
    /// The beginning was seen.
    opened: bool,
    /// Something was consumed.
    begun: bool,
    fin: Option<u64>,
    /// Where the first missing byte is, and since when bytes wait behind it.
    gap_since: Option<(u64, Timestamp)>,
    /// Zeros that may be data or padding; the next segment tells (offset, length).
    doubtful: Option<(u64, NonZeroU8)>,
    /// Unread bytes that the reader wants before it is called again.
    pub need: usize,
    /// The reader wants nothing more.
    pub done: bool,
    /// Payload segments seen while nobody knew what it is.
    pub probes: u8,
    /// The next unread byte begins a protocol (the stream's start, or behind a hand-over).
    pub at_start: bool,
}

impl Default for Half {
    fn default() -> Self {
        Half {
            base: None,
            alternate: None,
            window: Assembler::new(0, STREAM_BYTES_MAX, STREAM_RANGES_MAX).with_history(HISTORY_MAX),
            opened: false,
            begun: false,
            fin: None,
            gap_since: None,
            doubtful: None,
            need: 0,
            done: false,
            probes: 0,
            at_start: false,
        }
    }
}

impl Half {
    /// In a direction of which nothing was seen comes a segment without data: it opens it, or the data comes next.
    #[inline]
    pub fn begin(&mut self, seq: u32, syn: bool) {
        if syn {
            (self.base, self.opened, self.at_start) = (Some(seq.wrapping_add(1)), true, true);
        } else {
            self.base = Some(seq.wrapping_sub(low32(MIDSTREAM_START)));
            self.window = Assembler::new(MIDSTREAM_START, STREAM_BYTES_MAX, STREAM_RANGES_MAX).with_history(HISTORY_MAX);
        }
    }

    /// The bytes that can be read.
    pub fn readable(&self) -> &[u8] {
        self.window.readable()
    }

    /// Whether the stream ends behind the readable bytes.
    pub fn at_end(&self) -> bool {
        self.fin.is_some_and(|fin| fin <= self.window.start().saturating_add(self.readable().len() as u64))
    }

    /// Whether the reader is to be called: it has enough bytes, or all that will ever be there.
    #[inline]
    pub fn is_ready(&self) -> bool {
        let unread = self.readable().len();
        !self.done && ((unread > 0 && unread >= self.need) || self.at_end())
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.window.held()
    }

    /// Whether a segment is exactly what comes next, with nothing held or in doubt: it can be read where it lies.
    #[inline]
    pub fn is_next(&self, segment: &Segment<'_>) -> bool {
        let plain = !segment.syn && !segment.fin && segment.bytes.len() > ZERO_PADDING_MAX && segment.bytes.len() >= self.need;
        let settled = self.doubtful.is_none() && self.alternate.is_none() && self.fin.is_none() && self.window.is_empty();
        let here = self.base.map(|base| base.wrapping_add(low32(self.window.start())));
        plain && settled && here == Some(segment.seq)
    }

    /// Whether a segment lies wholly in what a reader has passed over, with nothing held to compare it with: it changes nothing.
    #[inline]
    pub fn is_past(&self, segment: &Segment<'_>) -> bool {
        let plain = !segment.syn && !segment.fin && segment.bytes.len() > ZERO_PADDING_MAX;
        let settled = self.doubtful.is_none() && self.alternate.is_none() && self.begun && self.window.held() == 0;
        let Some(base) = self.base.filter(|_| plain && settled) else { return false };
        let behind = base.wrapping_add(low32(self.window.start())).wrapping_sub(segment.seq).cast_signed();
        usize::try_from(behind).is_ok_and(|behind| behind >= segment.bytes.len())
    }

    /// Bytes that were never put in are done with, and no later copy of anything before them matters.
    #[inline]
    pub fn pass(&mut self, count: usize) {
        self.begun |= count > 0;
        self.at_start &= count == 0;
        self.window.pass(count);
        self.gap_since = None;
    }

    /// Takes bytes off the front; more than are there are skipped when they come.
    pub fn consume(&mut self, count: usize) {
        self.begun |= count > 0;
        self.at_start &= count == 0;
        self.window.consume(count);
    }

    /// A reader has understood what was consumed: no later copy of it matters.
    pub fn forget_history(&mut self) {
        self.window.forget_history();
    }

    /// Forgets what is held; the next segment begins anew.
    pub fn discard(&mut self) {
        let held = self.window.end().saturating_sub(self.window.start());
        self.consume(usize::try_from(held).unwrap_or(usize::MAX));
        self.window.forget_history();
        self.gap_since = None;
    }

    /// Whether this SYN opens another stream than the one followed so far, which has ended.
    pub fn is_other_stream(&self, seq: u32) -> bool {
        self.opened && self.base != Some(seq.wrapping_add(1)) && self.fin.is_some()
    }

    /// Puts a segment in its place.
    pub fn push(&mut self, segment: &Segment<'_>) -> Arrival {
        let data_seq = if segment.syn { segment.seq.wrapping_add(1) } else { segment.seq };
        if segment.syn && !self.opened && !self.begun {
            self.open(data_seq);
        } else if segment.syn && self.base != Some(data_seq) {
            self.alternate = Some(data_seq).filter(|_| !self.begun && self.window.is_empty());
            if segment.bytes.is_empty() {
                return Arrival { conflict: true, ..Arrival::default() };
            }
        }
        if self.alternate.is_some() && !segment.bytes.is_empty() {
            self.choose_opening(data_seq);
        }
        let offset = self.offset(data_seq, segment.bytes.len());
        if !segment.bytes.is_empty() || segment.fin {
            self.settle_doubt(offset, segment.bytes);
        }
        let zeros = segment.bytes.len() <= ZERO_PADDING_MAX && segment.bytes.iter().all(|b| *b == 0);
        if let Some(len) = u8::try_from(segment.bytes.len()).ok().and_then(NonZeroU8::new)
            && zeros
            && !segment.fin
        {
            self.doubtful = Some((offset, len));
            return Arrival::default();
        }
        if segment.fin {
            self.fin = Some(offset.saturating_add(segment.bytes.len() as u64));
        }
        // A keep-alive may carry an octet of garbage from before the window (RFC 1122 section 4.2.3.6).
        let keep_alive = segment.bytes.len() == 1 && offset.saturating_add(1) == self.window.start();
        let mut inserted = self.window.insert(offset, segment.bytes);
        inserted.conflict &= !keep_alive;
        let limit = match (inserted.beyond, inserted.scattered) {
            (true, _) => Some(Limit::StreamBytes),
            (_, true) => Some(Limit::StreamRanges),
            _ => None,
        };
        Arrival { conflict: inserted.conflict, limit, gap: self.settle_gap(segment.ts, limit.is_some()) }
    }

    fn open(&mut self, data_seq: u32) {
        let held = std::mem::take(self);
        self.base = Some(data_seq);
        self.opened = true;
        self.at_start = true;
        if let (Some(base), false) = (held.base, held.window.is_empty()) {
            // Data came before its SYN (reordered by the capture): keep it.
            let ahead = base.wrapping_add(low32(held.window.start())).wrapping_sub(data_seq);
            let early = held.window.readable();
            if usize::try_from(ahead).is_ok_and(|a| a < STREAM_BYTES_MAX) {
                self.window.insert(u64::from(ahead), early);
            }
        }
    }

    /// Of two SYNs the one counts that the first data follows.
    fn choose_opening(&mut self, data_seq: u32) {
        let Some(other) = self.alternate.take() else { return };
        let follows = |base: u32| usize::try_from(data_seq.wrapping_sub(base)).is_ok_and(|ahead| ahead < STREAM_BYTES_MAX);
        if !self.base.is_some_and(follows) && follows(other) {
            self.base = Some(other);
        }
    }

    /// The offset of a sequence number; in mid-stream the first one seen sets the origin.
    fn offset(&mut self, seq: u32, len: usize) -> u64 {
        let base = match self.base {
            Some(base) => base,
            None => {
                self.window = Assembler::new(MIDSTREAM_START, STREAM_BYTES_MAX, STREAM_RANGES_MAX).with_history(HISTORY_MAX);
                *self.base.insert(seq.wrapping_sub(low32(MIDSTREAM_START)))
            }
        };
        let start = self.window.start();
        let here = base.wrapping_add(low32(start));
        let ahead = seq.wrapping_sub(here).cast_signed();
        let offset = start.saturating_add_signed(i64::from(ahead));
        let before = start.saturating_sub(offset);
        if !self.opened && !self.begun && before > 0 && before <= STREAM_BYTES_MAX as u64 / 4 && len > 0 {
            self.rewind(offset);
        }
        offset
    }

    /// Mid-stream, nothing read yet, and an earlier segment comes: it is where to begin.
    fn rewind(&mut self, offset: u64) {
        let mut window = Assembler::new(offset, STREAM_BYTES_MAX, STREAM_RANGES_MAX);
        window.insert(self.window.start(), self.window.readable());
        self.window = window;
        self.need = 0;
    }

    /// Zeros that another segment writes over were padding; otherwise they were data.
    fn settle_doubt(&mut self, offset: u64, bytes: &[u8]) {
        let Some((at, len)) = self.doubtful.take() else { return };
        let len = len.get();
        let over = offset < at.saturating_add(len.into()) && at < offset.saturating_add(bytes.len() as u64);
        if !over {
            self.window.insert(at, [0; ZERO_PADDING_MAX].get(..len.into()).unwrap_or(&[]));
        }
    }

    /// Whether bytes are missing for so long that they will not come. What the reader left unread before them goes with them.
    fn settle_gap(&mut self, now: Timestamp, full: bool) -> bool {
        if !self.window.has_gap() {
            self.gap_since = None;
            return false;
        }
        let unread = self.window.readable().len();
        let edge = self.window.start().saturating_add(unread as u64);
        let since = match self.gap_since {
            Some((at, since)) if at == edge => since,
            // New bytes came before the gap: the reader has a say first.
            _ if unread > 0 => {
                self.gap_since = Some((edge, now));
                return false;
            }
            _ => now,
        };
        self.gap_since = Some((edge, since));
        if !full && now.since(since) < GAP_PATIENCE {
            return false;
        }
        self.gap_since = None;
        self.at_start = false;
        self.window.consume(unread);
        self.window.skip_gap() > 0
    }
}

/// The low 32 bits, as sequence arithmetic wants them.
fn low32(offset: u64) -> u32 {
    u32::try_from(offset & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(seq: u32, bytes: &[u8]) -> Segment<'_> {
        Segment { ts: Timestamp::ZERO, seq, syn: false, fin: false, bytes }
    }

    fn syn(seq: u32) -> Segment<'static> {
        Segment { ts: Timestamp::ZERO, seq, syn: true, fin: false, bytes: b"" }
    }

    #[test]
    fn across_the_wrap_in_any_order() {
        let mut half = Half::default();
        half.push(&syn(u32::MAX - 2));
        half.push(&segment(3, b"fgh"));
        half.push(&segment(u32::MAX - 1, b"abcde"));
        assert_eq!(half.readable(), b"abcdefgh");
        assert!(half.at_start);
        half.consume(8);
        half.push(&segment(6, b"ij"));
        assert_eq!(half.readable(), b"ij");
        assert!(!half.at_start);
    }

    #[test]
    fn begun_is_what_an_empty_segment_makes() {
        for (seq, opens) in [(0, true), (u32::MAX, true), (7, false), (u32::MAX, false)] {
            let mut half = Half::default();
            half.push(&Segment { syn: opens, ..segment(seq, b"") });
            let mut begun = Half::default();
            begun.begin(seq, opens);
            assert_eq!(format!("{half:?}"), format!("{begun:?}"), "{seq} {opens}");
        }
    }

    #[test]
    fn skips_ahead_and_ignores_what_was_read() {
        let mut half = Half::default();
        half.push(&syn(0));
        half.push(&segment(1, b"abc"));
        half.consume(5);
        half.push(&segment(4, b"defg"));
        assert_eq!(half.readable(), b"fg");
        half.push(&segment(1, b"XYZ"));
        assert_eq!(half.readable(), b"fg");
    }

    #[test]
    fn what_is_past_changes_nothing() {
        let mut half = Half::default();
        half.push(&syn(u32::MAX - 9));
        half.push(&segment(u32::MAX - 8, b"abc"));
        assert!(!half.is_past(&segment(u32::MAX - 8, b"abcdefgh")), "it is held");
        half.consume(40);
        for (seq, bytes, past) in [
            (u32::MAX - 5, &b"12345678"[..], true),
            (23, b"12345678", true),
            (24, b"12345678", false),
            (31, b"12345678", false),
            (3, b"123", false),
        ] {
            assert_eq!(half.is_past(&segment(seq, bytes)), past, "{seq}");
            let before = format!("{half:?}");
            if past {
                assert_eq!(half.push(&segment(seq, bytes)), Arrival::default());
                assert_eq!(format!("{half:?}"), before);
            }
        }
    }

    #[test]
    fn without_a_syn_the_earliest_segment_begins() {
        let mut half = Half::default();
        half.push(&segment(1000, b"def"));
        half.push(&segment(997, b"abc"));
        assert_eq!(half.readable(), b"abcdef");
        assert!(!half.at_start);
    }

    #[test]
    fn of_two_syns_the_one_with_data_counts() {
        for real in [1_000u32, 9_000_000] {
            let mut half = Half::default();
            half.push(&syn(1_000));
            assert!(half.push(&syn(9_000_000)).conflict);
            half.push(&segment(real.wrapping_add(1), b"hello"));
            assert_eq!(half.readable(), b"hello", "{real}");
            half.push(&syn(77));
            half.push(&segment(real.wrapping_add(6), b" again"));
            assert_eq!(half.readable(), b"hello again", "a SYN in mid-stream changes nothing");
        }
    }

    #[test]
    fn data_before_its_syn() {
        let mut half = Half::default();
        half.push(&segment(104, b"def"));
        half.push(&syn(100));
        half.push(&segment(101, b"abc"));
        assert_eq!(half.readable(), b"abcdef");
        assert!(half.at_start);
    }

    #[test]
    fn data_in_the_syn_and_the_end() {
        let mut half = Half::default();
        half.push(&Segment { ts: Timestamp::ZERO, seq: 9, syn: true, fin: false, bytes: b"hello" });
        assert_eq!(half.readable(), b"hello");
        assert!(!half.at_end());
        half.push(&Segment { ts: Timestamp::ZERO, seq: 15, syn: false, fin: true, bytes: b"" });
        assert!(half.at_end());
    }

    #[test]
    fn padding_on_acks_is_no_data() {
        let mut half = Half::default();
        half.push(&syn(0));
        assert!(!half.push(&segment(1, &[0; 6])).conflict);
        assert!(!half.push(&segment(1, b"abc")).conflict);
        assert_eq!(half.readable(), b"abc");
        half.push(&segment(4, &[0]));
        half.push(&segment(5, &[0]));
        half.push(&segment(6, b"d"));
        assert_eq!(half.readable(), b"abc\0\0d");
    }

    #[test]
    fn conflicts_are_told_and_gaps_are_given_up() {
        let mut half = Half::default();
        half.push(&syn(0));
        half.push(&segment(5, b"efgh"));
        assert!(half.push(&segment(5, b"eXgh")).conflict);
        assert_eq!(half.readable(), b"");
        let late = Segment { ts: Timestamp::from_secs_nanos(60, 0), ..segment(9, b"i") };
        assert!(half.push(&late).gap);
        assert_eq!(half.readable(), b"efghi");
        assert_eq!(half.push(&segment(0x7000_0000, b"far")).limit, Some(Limit::StreamBytes));
    }
}
