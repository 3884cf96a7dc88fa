//! A flow's bytes on their way to a dissector: probe by content, bind, read, hand over, give up.

use crate::coverage::Blind;
use crate::dissect::{self, Carrier, Direction, DissectorDef, Input, Probe, Progress};
use crate::flow::{Flow, Half, Segment};
use crate::limits::PROBE_SEGMENTS_MAX;
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

use super::FlowState;
use super::emit::Emitter;
use super::fresh::Fresh;
use super::reader::Reader;
use super::spare::Spare;

/// Datagrams of a flow after which nobody is asked again.
const PROBE_DATAGRAMS_MAX: u8 = 8;

/// Times that one direction may be handed over (CONNECT inside CONNECT ...).
const HAND_OVERS_MAX: u8 = 4;

/// What is kept of a flow while its bytes are read.
#[derive(Default)]
pub(super) struct Conversation {
    halves: [Half; 2],
    reader: Reader,
    datagrams: u8,
    hand_overs: u8,
    ambiguous: bool,
    /// Bytes held, as they stand in the worker's sum.
    counted: usize,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("halves", &self.halves).field("bound", &self.reader.is_bound()).finish()
    }
}

/// What is read of a flow.
#[derive(Debug)]
pub(super) enum Reading {
    /// Nothing yet that anybody has to keep.
    Fresh(Fresh),
    /// Its bytes, and who reads them.
    Open(Box<Conversation>),
    /// Nothing more.
    Decided,
}

impl Default for Reading {
    fn default() -> Self {
        Reading::Fresh(Fresh::default())
    }
}

impl Reading {
    /// Whether nothing more is read.
    pub(super) fn is_decided(&self) -> bool {
        matches!(self, Reading::Decided)
    }

    /// A number for which everything has to be fetched that closing needs.
    pub(super) fn wake(&self) -> u64 {
        match self {
            Reading::Open(conversation) => {
                let needs = conversation.halves.iter().map(|half| half.need).sum::<usize>();
                (needs ^ conversation.held() ^ conversation.counted) as u64
            }
            _ => 0,
        }
    }

    /// Whether all is done with a segment once it was seen: nobody reads any longer, or it is a `bare` one, without data and end.
    #[inline(always)]
    pub(super) fn takes(&mut self, direction: Direction, seq: u32, syn: bool, bare: bool) -> bool {
        match self {
            Reading::Fresh(fresh) => bare && fresh.takes_bare(side(direction), seq, syn),
            Reading::Open(_) => false,
            Reading::Decided => true,
        }
    }

    /// The directions were taken the wrong way round.
    pub(super) fn reverse(&mut self) {
        match self {
            Reading::Fresh(fresh) => fresh.opened.swap(0, 1),
            Reading::Open(conversation) => conversation.halves.swap(0, 1),
            Reading::Decided => {}
        }
    }
}

/// Whether nobody wants to see this first payload of a flow, whatever comes next.
#[inline(always)]
pub(super) fn is_nobodys(carrier: Carrier, ts: Timestamp, ends: (Endpoint, Endpoint), bytes: &[u8]) -> bool {
    let (src, dst) = ends;
    let at_start = carrier != Carrier::Tcp;
    let direction = Direction::Forward;
    let input = Input { ts, carrier, direction, src, dst, src_mac: None, bytes, at_start, at_end: at_start };
    matches!(ask(&input), Asked::Nobody)
}

fn side(direction: Direction) -> usize {
    match direction {
        Direction::Forward => 0,
        Direction::Backward => 1,
    }
}

/// What the reading loop does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Look at the same direction again.
    Again,
    /// Wait for more bytes.
    Wait,
    /// The flow is decided: nothing more is wanted.
    Decided,
}

/// What came of reading a segment where it lies.
enum InPlace {
    /// It is dealt with, and nothing follows from it.
    Passed(Next),
    /// It was read.
    Read(Next),
    /// It has to be kept first.
    Keep,
}

/// A TCP segment of a tracked flow that somebody may have to read.
pub(super) fn segment(
    flow: &mut Flow<FlowState>,
    direction: Direction,
    segment: &Segment<'_>,
    cut: bool,
    spare: &mut Spare,
    emitter: &mut Emitter<'_>,
) {
    let mut conversation = match std::mem::replace(&mut flow.state.reading, Reading::Decided) {
        Reading::Fresh(fresh) => spare.begin(&fresh),
        Reading::Open(conversation) => conversation,
        Reading::Decided => return,
    };
    let decided = conversation.segment(flow, direction, segment, cut, emitter) == Next::Decided;
    keep(flow, conversation, decided, spare, emitter);
}

/// A UDP datagram of a tracked flow.
pub(super) fn datagram(
    flow: &mut Flow<FlowState>,
    direction: Direction,
    ts: Timestamp,
    bytes: &[u8],
    spare: &mut Spare,
    emitter: &mut Emitter<'_>,
) {
    if bytes.is_empty() {
        return;
    }
    let mut conversation = match std::mem::replace(&mut flow.state.reading, Reading::Decided) {
        Reading::Decided => return,
        Reading::Open(conversation) => conversation,
        Reading::Fresh(mut fresh) => {
            let (src, dst) = ends(flow, direction);
            let src_mac = flow.macs.get(side(direction)).copied().flatten();
            let input = Input { ts, carrier: Carrier::Udp, direction, src, dst, src_mac, bytes, at_start: true, at_end: true };
            let Asked::Bound(def) = ask(&input) else {
                fresh.datagrams = fresh.datagrams.saturating_add(1);
                if fresh.datagrams < PROBE_DATAGRAMS_MAX {
                    flow.state.reading = Reading::Fresh(fresh);
                }
                return;
            };
            emitter.tally.bound(flow);
            let mut conversation = spare.begin(&fresh);
            conversation.reader.bind(def);
            conversation
        }
    };
    let decided = conversation.datagram(flow, direction, ts, bytes, emitter) == Next::Decided;
    keep(flow, conversation, decided, spare, emitter);
}

/// Keeps what is undecided, as long as all streams together stay within their bound.
fn keep(flow: &mut Flow<FlowState>, mut conversation: Box<Conversation>, decided: bool, spare: &mut Spare, emitter: &mut Emitter<'_>) {
    emitter.tally.release(conversation.counted);
    let held = if decided { 0 } else { conversation.held() };
    if decided || !emitter.tally.hold(held) {
        spare.end(conversation);
        return;
    }
    conversation.counted = held;
    flow.state.reading = Reading::Open(conversation);
}

impl Conversation {
    /// It sees what a fresh flow has seen.
    pub(super) fn begin(&mut self, fresh: &Fresh) {
        for (half, opened) in self.halves.iter_mut().zip(fresh.opened) {
            if let Some((seq, syn)) = opened {
                half.begin(seq, syn);
            }
        }
        self.datagrams = fresh.datagrams;
    }

    /// Forgets everything; a dissector is kept as new, where that can be.
    pub(super) fn clear(&mut self) {
        let Conversation { halves, reader, datagrams, hand_overs, ambiguous, counted } = self;
        halves.iter_mut().for_each(|half| *half = Half::default());
        reader.clear();
        (*datagrams, *hand_overs, *ambiguous, *counted) = Default::default();
    }

    /// Whether a SYN with this sequence number belongs to another connection than this one.
    pub(super) fn is_other_stream(&self, seq: u32) -> bool {
        self.halves.first().is_some_and(|h| h.is_other_stream(seq))
    }

    /// Bytes of memory that it holds.
    fn held(&self) -> usize {
        self.halves.iter().map(Half::held).sum::<usize>() + self.reader.held()
    }

    /// Whether nothing more is read from the opener (0) or the peer (1).
    pub(super) fn is_done(&self, side: usize) -> bool {
        self.halves.get(side).is_some_and(|half| half.done)
    }

    /// Bytes that stand in the worker's sum.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// Whether nobody knows yet what it is.
    pub(super) fn is_undecided(&self) -> bool {
        !self.reader.is_bound()
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        let [forward, backward] = &mut self.halves;
        if side(direction) == 0 { forward } else { backward }
    }

    fn segment(
        &mut self,
        flow: &mut Flow<FlowState>,
        direction: Direction,
        segment: &Segment<'_>,
        cut: bool,
        emitter: &mut Emitter<'_>,
    ) -> Next {
        let half = self.half(direction);
        if half.done && !segment.syn {
            return Next::Wait;
        }
        if !cut && half.is_past(segment) {
            return Next::Wait;
        }
        if !cut && half.is_next(segment) {
            match self.read_in_place(flow, direction, segment, emitter) {
                InPlace::Passed(next) => return next,
                // The other direction has nothing that it waited with.
                InPlace::Read(Next::Wait) if !self.half(direction.reverse()).is_ready() => return Next::Wait,
                InPlace::Read(next) => return self.read_both(flow, direction, Some(next), segment.ts, emitter),
                InPlace::Keep => {}
            }
        }
        let half = self.half(direction);
        let arrival = half.push(segment);
        if !segment.bytes.is_empty() {
            half.probes = half.probes.saturating_add(1);
        }
        if let Some(limit) = arrival.limit {
            emitter.tally.limit_flow(flow, limit);
        }
        if arrival.conflict && !self.ambiguous {
            self.ambiguous = true;
            emitter.tally.blind_flow(flow, Blind::Ambiguous);
        }
        if arrival.gap {
            emitter.tally.blind_flow(flow, Blind::StreamGap);
            if self.gap(direction) == Next::Decided {
                return Next::Decided;
            }
        }
        let next = self.read_both(flow, direction, None, segment.ts, emitter);
        if cut && next != Next::Decided {
            // What the snap length cut never comes: do not wait for it.
            self.half(direction).discard();
        }
        next
    }

    fn gap(&mut self, direction: Direction) -> Next {
        let Some(reader) = self.reader.bound() else { return Next::Wait };
        match reader.gap(direction) {
            Progress::FlowDone => Next::Decided,
            Progress::Done => {
                self.half(direction).done = true;
                Next::Wait
            }
            Progress::Continue { need, .. } => {
                self.half(direction).need = need;
                Next::Wait
            }
            Progress::HandOver { .. } => {
                self.reader.unbind();
                Next::Wait
            }
        }
    }

    /// Reads a segment that is next in its direction where it lies: nothing is copied unless somebody wants it again.
    fn read_in_place(
        &mut self,
        flow: &mut Flow<FlowState>,
        direction: Direction,
        segment: &Segment<'_>,
        emitter: &mut Emitter<'_>,
    ) -> InPlace {
        let half = self.half(direction);
        let input = Input { bytes: segment.bytes, at_end: false, ..stream_input(flow, half, direction, segment.ts) };
        if !self.reader.is_bound() {
            match ask(&input) {
                Asked::More => return InPlace::Keep,
                Asked::Nobody => {
                    let half = self.half(direction);
                    half.probes = half.probes.saturating_add(1);
                    half.done = half.probes >= PROBE_SEGMENTS_MAX;
                    half.pass(segment.bytes.len());
                    let done = self.halves.iter().all(|h| h.done);
                    return InPlace::Passed(if done { Next::Decided } else { Next::Wait });
                }
                Asked::Bound(def) => {
                    emitter.tally.bound(flow);
                    self.reader.bind(def);
                }
            }
        }
        let Some(reader) = self.reader.bound() else { return InPlace::Keep };
        emitter.tally.show(segment.bytes.len());
        let progress = reader.read(&input, &mut emitter.on(flow, &input));
        let said = std::mem::take(&mut flow.state.marks.said);
        if said {
            self.halves.iter_mut().for_each(Half::forget_history);
        }
        let half = self.half(direction);
        half.probes = half.probes.saturating_add(1);
        match progress {
            Progress::Continue { consumed, need } if said && consumed >= segment.bytes.len() => {
                half.pass(consumed);
                half.need = need;
                InPlace::Read(Next::Wait)
            }
            Progress::FlowDone => InPlace::Passed(Next::Decided),
            _ => {
                half.push(segment);
                InPlace::Read(self.apply(direction, progress))
            }
        }
    }

    /// Reads the direction that got bytes, unless that is done (`first`: what came of it), then the other one: what one side said may
    /// be what the other was waiting for.
    fn read_both(
        &mut self,
        flow: &mut Flow<FlowState>,
        direction: Direction,
        mut first: Option<Next>,
        ts: Timestamp,
        emitter: &mut Emitter<'_>,
    ) -> Next {
        let mut turn = direction;
        let mut moved = false;
        // Every step consumes, binds or ends; the bound only guards against a dissector that does none of these.
        for _ in 0..STEPS_MAX {
            let next = match first.take() {
                Some(next) => next,
                None => self.step(flow, turn, ts, emitter),
            };
            match next {
                Next::Again => moved = true,
                Next::Decided => return Next::Decided,
                Next::Wait if turn == direction => (turn, moved) = (direction.reverse(), false),
                Next::Wait if moved => (turn, moved) = (direction, false),
                Next::Wait => return Next::Wait,
            }
        }
        Next::Decided
    }

    fn step(&mut self, flow: &mut Flow<FlowState>, direction: Direction, ts: Timestamp, emitter: &mut Emitter<'_>) -> Next {
        let Conversation { halves: [forward, backward], reader, .. } = self;
        let half = if side(direction) == 0 { forward } else { backward };
        if !half.is_ready() {
            return Next::Wait;
        }
        let input = stream_input(flow, half, direction, ts);
        if !reader.is_bound() {
            return self.probe(flow, direction, ts, emitter);
        }
        let Some(reader) = reader.bound() else { return Next::Wait };
        emitter.tally.show(input.bytes.len());
        let progress = reader.read(&input, &mut emitter.on(flow, &input));
        if std::mem::take(&mut flow.state.marks.said) {
            self.halves.iter_mut().for_each(Half::forget_history);
        }
        self.apply(direction, progress)
    }

    fn apply(&mut self, direction: Direction, progress: Progress) -> Next {
        let half = self.half(direction);
        match progress {
            Progress::Continue { consumed, need } => {
                let had = half.readable().len();
                half.consume(consumed);
                half.need = need;
                half.done |= half.at_end() && half.readable().is_empty();
                if consumed == 0 || consumed >= had { Next::Wait } else { Next::Again }
            }
            Progress::HandOver { consumed } => {
                half.consume(consumed);
                self.hand_over(direction)
            }
            Progress::Done => {
                half.done = true;
                half.discard();
                if self.halves.iter().all(|h| h.done) { Next::Decided } else { Next::Wait }
            }
            Progress::FlowDone => Next::Decided,
        }
    }

    fn hand_over(&mut self, direction: Direction) -> Next {
        self.hand_overs += 1;
        if self.hand_overs > HAND_OVERS_MAX {
            return Next::Decided;
        }
        self.reader.unbind();
        for half in &mut self.halves {
            half.done = false;
            half.need = 0;
            half.probes = 0;
        }
        self.half(direction).at_start = true;
        Next::Again
    }

    /// Asks every dissector in table order whether these bytes are its own.
    fn probe(&mut self, flow: &mut Flow<FlowState>, direction: Direction, ts: Timestamp, emitter: &mut Emitter<'_>) -> Next {
        let half = self.half(direction);
        let input = stream_input(flow, half, direction, ts);
        if input.bytes.is_empty() {
            return Next::Wait;
        }
        match ask(&input) {
            Asked::Bound(def) => {
                emitter.tally.bound(flow);
                self.reader.bind(def);
                Next::Again
            }
            // Whoever asks for more is bound by what a stream may hold.
            Asked::More if !input.at_end => Next::Wait,
            Asked::More | Asked::Nobody => {
                half.discard();
                if half.probes >= PROBE_SEGMENTS_MAX {
                    half.done = true;
                }
                if self.halves.iter().all(|h| h.done) { Next::Decided } else { Next::Wait }
            }
        }
    }

    fn datagram(
        &mut self,
        flow: &mut Flow<FlowState>,
        direction: Direction,
        ts: Timestamp,
        bytes: &[u8],
        emitter: &mut Emitter<'_>,
    ) -> Next {
        let (src, dst) = ends(flow, direction);
        let src_mac = flow.macs.get(side(direction)).copied().flatten();
        let input = Input { ts, carrier: Carrier::Udp, direction, src, dst, src_mac, bytes, at_start: true, at_end: true };
        if !self.reader.is_bound() {
            match ask(&input) {
                Asked::Bound(def) => {
                    emitter.tally.bound(flow);
                    self.reader.bind(def);
                }
                Asked::More | Asked::Nobody => {
                    self.datagrams = self.datagrams.saturating_add(1);
                    return if self.datagrams >= PROBE_DATAGRAMS_MAX { Next::Decided } else { Next::Wait };
                }
            }
        }
        let Some(reader) = self.reader.bound() else { return Next::Wait };
        emitter.tally.show(bytes.len());
        match reader.read(&input, &mut emitter.on(flow, &input)) {
            Progress::FlowDone => Next::Decided,
            Progress::HandOver { .. } => {
                self.reader.unbind();
                Next::Wait
            }
            Progress::Continue { .. } | Progress::Done => Next::Wait,
        }
    }

    /// The flow is over: dissectors that held something back may still say it.
    pub(super) fn end(&mut self, flow: &mut Flow<FlowState>, emitter: &mut Emitter<'_>) {
        if flow.transport == Transport::Tcp {
            self.end_stream(flow, emitter);
        }
        let Some(reader) = self.reader.bound() else { return };
        let (src, dst) = ends(flow, Direction::Forward);
        let carrier = if flow.transport == Transport::Tcp { Carrier::Tcp } else { Carrier::Udp };
        let last = Input {
            ts: flow.last,
            carrier,
            direction: Direction::Forward,
            src,
            dst,
            src_mac: None,
            bytes: &[],
            at_start: false,
            at_end: true,
        };
        reader.finish(&mut emitter.on(flow, &last));
    }

    fn end_stream(&mut self, flow: &mut Flow<FlowState>, emitter: &mut Emitter<'_>) {
        for direction in [Direction::Forward, Direction::Backward] {
            let Conversation { halves: [forward, backward], reader, .. } = self;
            let half = if side(direction) == 0 { forward } else { backward };
            let Some(reader) = reader.bound() else { return };
            if half.done {
                continue;
            }
            let input = Input { at_end: true, ..stream_input(flow, half, direction, flow.last) };
            if reader.read(&input, &mut emitter.on(flow, &input)) == Progress::FlowDone {
                self.reader.unbind();
                return;
            }
        }
    }
}

/// Steps of the reading loop for one segment: every 1-byte record of a 64 KiB hello, with room.
const STEPS_MAX: usize = 200_000;

/// The unread bytes of one direction, as a dissector sees them.
fn stream_input<'h>(flow: &Flow<FlowState>, half: &'h Half, direction: Direction, ts: Timestamp) -> Input<'h> {
    let (src, dst) = ends(flow, direction);
    let src_mac = flow.macs.get(side(direction)).copied().flatten();
    Input {
        ts,
        carrier: Carrier::Tcp,
        direction,
        src,
        dst,
        src_mac,
        bytes: half.readable(),
        at_start: half.at_start,
        at_end: half.at_end(),
    }
}

fn ends(flow: &Flow<FlowState>, direction: Direction) -> (Endpoint, Endpoint) {
    match direction {
        Direction::Forward => (flow.opener, flow.peer),
        Direction::Backward => (flow.peer, flow.opener),
    }
}

enum Asked {
    Bound(&'static DissectorDef),
    More,
    Nobody,
}

#[inline]
fn ask(input: &Input<'_>) -> Asked {
    for def in dissect::candidates(input.carrier, (input.src.port, input.dst.port), input.bytes) {
        match (def.probe)(input) {
            Probe::Match => return Asked::Bound(def),
            Probe::More => return Asked::More,
            Probe::No => {}
        }
    }
    Asked::Nobody
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What docs/performance.md says of memory.
    #[test]
    fn flows_are_small() {
        let sizes = [size_of::<Flow<FlowState>>(), size_of::<Conversation>()];
        eprintln!("a flow {} bytes, what is read of one {} bytes", sizes[0], sizes[1]);
        assert!(sizes[0] <= 224 && sizes[1] <= 400, "{sizes:?}");
    }
}
