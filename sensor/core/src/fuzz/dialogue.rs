//! Dissectors under fuzzing: pieces of both directions, as they come and cut into single bytes.

use std::fmt::Write;

use crate::coverage::Blind;
use crate::dissect::{Carrier, DISSECTORS, Direction, Dissector, DissectorDef, Input, Probe, Progress};
use crate::evidence::safe_text;
use crate::field::{Field, FieldKind, Value};
use crate::limits::{Limit, STREAM_BYTES_MAX};
use crate::net::{Endpoint, Mac};
use crate::record::{Detail, Record, Sink};
use crate::time::Timestamp;

/// Bytes that one dissector may hold: two directions' worth of a stream, and what vectors round up to.
const HELD_MAX: usize = 4 * STREAM_BYTES_MAX;

/// Pieces of one input that are read: enough for any protocol's dialogue.
const PIECES_MAX: usize = 256;

/// A piece of one direction.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    direction: Direction,
    bytes: &'a [u8],
}

/// `data` as pieces: two bytes of head (top bit: direction; low 14 bits: length), then that many bytes or what is left.
fn pieces(data: &[u8]) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = data;
    while let Some(([high, low], after)) = rest.split_first_chunk::<2>() {
        let direction = if high & 0x80 == 0 { Direction::Forward } else { Direction::Backward };
        let length = usize::from(u16::from_be_bytes([high & 0x3f, *low]));
        let (bytes, next) = after.split_at(length.min(after.len()));
        rest = next;
        if !bytes.is_empty() {
            found.push(Piece { direction, bytes });
        }
        if found.len() == PIECES_MAX {
            break;
        }
    }
    found
}

fn input<'a>(carrier: Carrier, direction: Direction, bytes: &'a [u8]) -> Input<'a> {
    let ends = [(7, 40_000), (53, 443)].map(|(last, port)| Endpoint { addr: [192, 0, 2, last].into(), port });
    let [src, dst] = if direction == Direction::Forward { ends } else { [ends[1], ends[0]] };
    let ts = Timestamp::from_secs_nanos(1_700_000_000, 0);
    Input {
        ts,
        carrier,
        direction,
        src,
        dst,
        src_mac: Some(Mac([2, 0, 0, 0, 0, 9])),
        bytes,
        at_start: true,
        at_end: carrier != Carrier::Tcp,
    }
}

/// A stream: whatever is recognised says the same when every byte comes alone, of what `counts`.
pub(super) fn stream(defs: &[&'static DissectorDef], data: &[u8], counts: fn(&str) -> bool) {
    let pieces = pieces(data);
    let Some(def) = defs.iter().find(|def| recognises(def, &pieces)) else { return };
    let kept = |said: Said| said.seen.into_iter().filter(|line| counts(line)).collect::<Vec<_>>();
    let whole = kept(Reading::new(def).run(&pieces));
    let single: Vec<Piece<'_>> =
        pieces.iter().flat_map(|p| p.bytes.chunks(1).map(|bytes| Piece { direction: p.direction, bytes })).collect();
    let split = kept(Reading::new(def).run(&single));
    assert!(whole == split, "{}: cut differently, read differently\n{whole:#?}\n{split:#?}", def.name);
}

/// Asks with the first direction's bytes as they grow, as the worker does.
fn recognises(def: &DissectorDef, pieces: &[Piece<'_>]) -> bool {
    let Some(first) = pieces.first() else { return false };
    let mut bytes = Vec::new();
    for piece in pieces.iter().filter(|p| p.direction == first.direction) {
        bytes.extend_from_slice(piece.bytes);
        match (def.probe)(&input(Carrier::Tcp, first.direction, &bytes)) {
            Probe::Match => return true,
            Probe::No => return false,
            Probe::More => {}
        }
    }
    false
}

/// Ports of dissectors that look at them.
const PORTS: &[(&str, u16)] = &[("dhcp6", 547), ("radius", 1813)];

fn datagram<'a>(def: &DissectorDef, piece: &Piece<'a>) -> Input<'a> {
    let mut input = input(Carrier::Udp, piece.direction, piece.bytes);
    if let Some((_, port)) = PORTS.iter().find(|(name, _)| *name == def.name) {
        let server = if piece.direction == Direction::Forward { &mut input.dst } else { &mut input.src };
        server.port = *port;
    }
    input
}

/// Datagrams: each to the dissector that recognised the first of them.
pub(super) fn datagrams(defs: &[&'static DissectorDef], data: &[u8]) {
    let mut bound: Option<Reading> = None;
    for piece in pieces(data) {
        if bound.is_none() {
            bound = defs.iter().find(|def| (def.probe)(&datagram(def, &piece)) == Probe::Match).map(|def| Reading::new(def));
        }
        let Some(reading) = &mut bound else { continue };
        if matches!(reading.read(&datagram(reading.notes.def, &piece)), Progress::FlowDone | Progress::HandOver { .. }) {
            bound = None;
        }
    }
}

/// One message that belongs to no flow.
pub(super) fn message(def: &'static DissectorDef, carrier: Carrier, bytes: &[u8]) {
    let input = input(carrier, Direction::Forward, bytes);
    if (def.probe)(&input) == Probe::Match {
        Reading::new(def).read(&input);
    }
}

/// A dissector at work, and what it said.
struct Reading {
    reader: Box<dyn Dissector>,
    notes: Notes,
    sides: [Half; 2],
    calls: usize,
}

/// Unread bytes of one direction.
#[derive(Default)]
struct Half {
    unread: Vec<u8>,
    skip: usize,
    need: usize,
    done: bool,
    consumed: bool,
}

/// What was said.
struct Said {
    seen: Vec<String>,
}

impl Reading {
    fn new(def: &'static DissectorDef) -> Self {
        Reading { reader: (def.start)(), notes: Notes { def, seen: Vec::new() }, sides: Default::default(), calls: 0 }
    }

    fn read(&mut self, input: &Input<'_>) -> Progress {
        let progress = self.reader.read(input, &mut self.notes);
        let held = self.reader.held();
        assert!(held <= HELD_MAX, "{} holds {held} bytes", self.notes.def.name);
        self.calls += 1;
        progress
    }

    /// Shows every piece, as the worker does: what one side said may be what the other waits for.
    fn run(mut self, pieces: &[Piece<'_>]) -> Said {
        let total: usize = pieces.iter().map(|p| p.bytes.len()).sum();
        let most = 8 * (total + pieces.len()) + 64;
        for piece in pieces {
            self.half(piece.direction).take(piece.bytes);
            if !self.turns(piece.direction, false, most) {
                return Said { seen: self.notes.seen };
            }
        }
        for direction in [Direction::Forward, Direction::Backward] {
            if !self.turns(direction, true, most) {
                break;
            }
        }
        Said { seen: self.notes.seen }
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        let [forward, backward] = &mut self.sides;
        if direction == Direction::Forward { forward } else { backward }
    }

    /// Reads both directions until neither moves; `false` when the flow is decided.
    fn turns(&mut self, first: Direction, at_end: bool, most: usize) -> bool {
        let mut turn = first;
        let mut moved = false;
        loop {
            assert!(self.calls <= most, "{}: {} calls for {most}", self.notes.def.name, self.calls);
            match self.step(turn, at_end && turn == first) {
                Step::Moved => moved = true,
                Step::Decided => return false,
                Step::Rests if turn == first => (turn, moved) = (first.reverse(), false),
                Step::Rests if moved => (turn, moved) = (first, false),
                Step::Rests => return true,
            }
        }
    }

    fn step(&mut self, direction: Direction, at_end: bool) -> Step {
        let half = self.half(direction);
        if half.done || ((half.unread.is_empty() || half.unread.len() < half.need) && !at_end) {
            return Step::Rests;
        }
        let unread = std::mem::take(&mut half.unread);
        let at_start = !half.consumed;
        let shown = Input { at_start, at_end, ..input(Carrier::Tcp, direction, &unread) };
        let progress = self.read(&shown);
        let half = self.half(direction);
        half.unread = unread;
        match progress {
            Progress::Continue { consumed, need } => {
                let had = half.unread.len();
                half.consume(consumed);
                half.need = need;
                half.done |= at_end && half.unread.is_empty();
                if consumed == 0 || consumed >= had { Step::Rests } else { Step::Moved }
            }
            Progress::Done => {
                half.done = true;
                half.unread.clear();
                if self.sides.iter().all(|h| h.done) { Step::Decided } else { Step::Rests }
            }
            Progress::HandOver { .. } | Progress::FlowDone => Step::Decided,
        }
    }
}

enum Step {
    Moved,
    Rests,
    Decided,
}

impl Half {
    fn take(&mut self, bytes: &[u8]) {
        if self.done {
            return;
        }
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.unread.extend_from_slice(&bytes[skipped..]);
        assert!(self.unread.len() <= usize::MAX / 2);
    }

    fn consume(&mut self, count: usize) {
        self.consumed |= count > 0;
        let here = count.min(self.unread.len());
        self.unread.drain(..here);
        self.skip += count - here;
    }
}

/// A sink that checks every record and writes it down.
struct Notes {
    def: &'static DissectorDef,
    seen: Vec<String>,
}

impl Notes {
    fn check(&self, speaker: &str, field: &'static Field, value: Value<'_>) {
        // HTTP speaks for MMTLS where a body carries it.
        let declared = DISSECTORS.iter().any(|d| d.name == speaker && d.fields.contains(&field));
        assert!(declared, "{speaker} does not declare {}", field.name);
        let fits = match (field.kind, value) {
            (FieldKind::Token(words), Value::Token(word)) => words.contains(&word),
            (FieldKind::Number, Value::Number(_)) | (FieldKind::Address, Value::Address(_)) => true,
            (FieldKind::List, Value::List(_)) => true,
            (FieldKind::Name | FieldKind::Text | FieldKind::Hash, Value::Text(_) | Value::Token(_)) => true,
            _ => false,
        };
        assert!(fits, "{} says {value:?} of kind {:?}", field.name, field.kind);
        if let (FieldKind::Hash, Value::Text(text)) = (field.kind, value) {
            assert!(text.iter().all(u8::is_ascii_graphic), "{}: {}", field.name, text.escape_ascii());
        }
    }
}

impl Sink for Notes {
    fn emit(&mut self, record: &dyn Record) {
        let mut text = format!("{} {:?}", record.kind(), record.sender());
        let mut cheap = Vec::new();
        record.visit(Detail::Cheap, &mut |field, _| cheap.push(field.name));
        let mut full = Vec::new();
        record.visit(Detail::Full, &mut |field, value| {
            self.check(record.dissector(), field, value);
            full.push(field.name);
            let _ = write!(text, " {}={value:?}", field.name);
        });
        assert!(cheap.iter().all(|name| full.contains(name)), "cheap {cheap:?}, in full only {full:?}");
        record.answers(&mut |answer| {
            let _ = write!(text, " {}@{}+{}", safe_text(answer.name), answer.addr, answer.ttl_secs);
        });
        record.bindings(&mut |b| {
            let _ = write!(text, " {:?} {:?} {:?} {:?}", b.source, b.mac, b.addr, b.name.map(safe_text));
        });
        record.suffixes(&mut |suffix| {
            let _ = write!(text, " suffix {}", safe_text(suffix));
        });
        assert!(safe_text(text.as_bytes()).bytes().all(|b| (0x20..0x7f).contains(&b)));
        self.seen.push(text);
    }

    fn limit(&mut self, _limit: Limit) {}

    fn blind(&mut self, _blind: Blind) {}
}
