//! Reassembly against a naive model: one optional byte per offset, the first copy wins.

use std::net::{IpAddr, Ipv4Addr};

use crate::assembler::Assembler;
use crate::decode::Fragment;
use crate::flow::{Fragments, Half, Segment};
use crate::time::Timestamp;

/// Bytes of the model's window.
const WINDOW: usize = 2_048;

/// Ranges of the window under test.
const RANGES: usize = 16;

/// One byte per place, where it is known.
#[derive(Clone)]
struct Naive {
    start: usize,
    bytes: Vec<Option<u8>>,
}

impl Naive {
    fn new(len: usize) -> Self {
        Naive { start: 0, bytes: vec![None; len] }
    }

    /// Whether some byte was there with another value.
    fn insert(&mut self, offset: usize, bytes: &[u8]) -> bool {
        let mut conflict = false;
        for (i, byte) in bytes.iter().enumerate().filter(|(i, _)| offset + i >= self.start) {
            let Some(place) = self.bytes.get_mut(offset + i) else { break };
            conflict |= place.is_some_and(|old| old != *byte);
            place.get_or_insert(*byte);
        }
        conflict
    }

    /// Whether some byte is known with another value, consumed ones included.
    fn differs(&self, offset: usize, bytes: &[u8]) -> bool {
        bytes.iter().zip(self.bytes.iter().skip(offset)).any(|(byte, place)| place.is_some_and(|old| old != *byte))
    }

    fn readable(&self) -> Vec<u8> {
        self.bytes.iter().skip(self.start).map_while(|b| *b).collect()
    }

    /// Separate runs of known bytes from the start on.
    fn ranges(&self) -> usize {
        let known: Vec<bool> = self.bytes.iter().skip(self.start).map(Option::is_some).collect();
        known.iter().enumerate().filter(|(i, k)| **k && !(*i > 0 && known.get(i - 1) == Some(&true))).count()
    }
}

/// One step: where, how many bytes of which value, and what to eat afterwards.
struct Step<'a> {
    offset: usize,
    bytes: &'a [u8],
    eat: usize,
}

/// `data` as steps: offset in two bytes, length, how much to eat, then the bytes.
fn steps(data: &[u8]) -> Vec<Step<'_>> {
    let mut found = Vec::new();
    let mut rest = data;
    while let Some(([high, low, len, eat], after)) = rest.split_first_chunk::<4>() {
        let (bytes, next) = after.split_at(usize::from(*len).min(after.len()));
        rest = next;
        found.push(Step { offset: usize::from(u16::from_be_bytes([*high, *low])), bytes, eat: usize::from(*eat) });
        if found.len() == 200 {
            break;
        }
    }
    found
}

/// A window, a stream and a fragmented datagram, each against the model.
pub fn reassembly(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let steps = steps(rest);
    match kind % 3 {
        0 => window(&steps),
        1 => stream(&steps),
        _ => datagram(&steps),
    }
}

fn window(steps: &[Step<'_>]) {
    let mut real = Assembler::new(0, WINDOW, RANGES);
    let mut naive = Naive::new(1 << 17);
    for step in steps {
        let before = naive.clone();
        let conflict = naive.insert(step.offset, step.bytes);
        let done = real.insert(step.offset as u64, step.bytes);
        let end = step.offset + step.bytes.len();
        let beyond = !step.bytes.is_empty() && end > naive.start && end > naive.start + WINDOW;
        assert_eq!(done.beyond, beyond, "beyond");
        if beyond {
            // What lies beyond the window is not kept.
            let room = (naive.start + WINDOW).saturating_sub(step.offset).min(step.bytes.len());
            naive = before.clone();
            let part = naive.insert(step.offset, &step.bytes[..room]);
            assert!(done.scattered || done.conflict == part, "conflict at the edge");
        } else if !done.scattered {
            assert_eq!(done.conflict, conflict, "conflict");
        }
        if done.scattered {
            assert!(naive.ranges() > RANGES, "refused with {} ranges", naive.ranges());
            naive = before;
        }
        assert!(naive.ranges() <= RANGES, "{} ranges", naive.ranges());
        assert_eq!(real.readable(), naive.readable(), "readable");
        let eat = step.eat.min(real.readable().len());
        real.consume(eat);
        naive.start += eat;
        assert_eq!(real.readable(), naive.readable(), "readable after eating");
        assert!(real.held() <= 4 * WINDOW, "{} bytes held", real.held());
    }
}

/// A stream whose SYN was seen, all within its window and its time: what can be read is what the model says.
fn stream(steps: &[Step<'_>]) {
    let base = 0xffff_ff00_u32;
    let segment =
        |offset: usize, bytes| Segment { ts: Timestamp::ZERO, seq: base.wrapping_add(offset as u32), syn: false, fin: false, bytes };
    let mut real = Half::default();
    real.push(&Segment { syn: true, ..segment(0, b"") });
    let mut naive = Naive::new(1 << 17);
    for step in steps {
        // Short runs of zeros may be padding that was counted as data; they have tests of their own.
        if step.bytes.iter().all(|b| *b == 0) {
            continue;
        }
        // Offset 0 is the first byte behind the SYN.
        let known = naive.differs(step.offset, step.bytes);
        let conflict = naive.insert(step.offset, step.bytes);
        let arrival = real.push(&segment(step.offset + 1, step.bytes));
        if arrival.limit.is_some() || arrival.gap {
            return;
        }
        assert!(arrival.conflict || !conflict, "a conflict in the window");
        assert!(known || !arrival.conflict, "no conflict anywhere");
        assert_eq!(real.readable(), naive.readable(), "readable");
        let eat = step.eat.min(real.readable().len());
        real.consume(eat);
        naive.start += eat;
    }
}

/// Fragments of one datagram: complete exactly when every byte came once, and never with holes.
fn datagram(steps: &[Step<'_>]) {
    let addr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut real = Fragments::default();
    let mut naive = Naive::new(1 << 17);
    let mut length = None;
    for step in steps {
        let (offset, more) = (step.offset & !7, step.eat & 1 == 1);
        // Nothing at all, and what lies beyond the longest datagram, is no fragment.
        if step.bytes.is_empty() || offset + step.bytes.len() > 65_535 {
            continue;
        }
        let fragment = Fragment { id: 1, offset: offset as u32, more, protocol: 17, bytes: step.bytes };
        let whole = real.push(Timestamp::ZERO, addr, addr, &fragment);
        naive.insert(offset, step.bytes);
        if !more {
            length = length.or(Some(offset + step.bytes.len()));
        }
        if let Some((_, bytes)) = whole {
            let model = naive.readable();
            assert_eq!(Some(bytes.len()), length, "the length");
            assert!(model.len() >= bytes.len() && model[..bytes.len()] == bytes[..], "complete although holes");
            return;
        }
    }
    real.expire(Timestamp::MAX);
    assert_eq!(real.held(), 0);
}
