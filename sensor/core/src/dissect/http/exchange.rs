//! One connection: requests and replies in turn, both directions, until it becomes something else.

use memchr::memchr;

use super::Request;
use super::body::{Chunk, Framing, Piece, Taste};
use super::head::{self, Head, Start};
use super::shortlink::{Held, Looks, Verdict};
use crate::dissect::legacy::{self, Legacy};
use crate::dissect::newgetdns::{self, Reply, Unread};
use crate::dissect::{Carrier, Direction, Dissector, Input, Progress};
use crate::limits::{HTTP_HEAD_MAX, Limit};
use crate::record::Sink;

/// Segments of one direction in which a head is looked for after bytes were lost.
const RESYNC_SEGMENTS_MAX: u16 = 512;

/// Starts on a connection or a datagram flow.
pub(super) fn start() -> Box<dyn Dissector> {
    Box::new(Exchange::default())
}

/// What a request means for its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expect {
    /// A reply with a body.
    #[default]
    Body,
    /// A reply without one (HEAD).
    NoBody,
    /// A tunnel.
    Tunnel,
    /// Names and addresses.
    NewDns,
}

/// Requests without a reply that are remembered: pipelining beyond this is not in use.
const PENDING_MAX: u8 = 32;

/// What replies will be to, the next one first: two bits for each.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    bits: u64,
    count: u8,
}

impl Pending {
    fn push(&mut self, expect: Expect) {
        if self.count < PENDING_MAX {
            self.bits |= (expect as u64) << (2 * self.count);
            self.count += 1;
        }
    }

    fn pop(&mut self) -> Option<Expect> {
        self.count = self.count.checked_sub(1)?;
        let expect = [Expect::Body, Expect::NoBody, Expect::Tunnel, Expect::NewDns].into_iter().find(|e| *e as u64 == self.bits & 3);
        self.bits >>= 2;
        expect
    }
}

/// Where a direction's reader stands.
#[derive(Debug)]
enum State {
    /// A head begins here; so many of its bytes were searched for its end.
    Head(usize),
    /// In a body.
    Body(Framing, Taste),
    /// Behind a CONNECT.
    Tunnel,
    /// Bytes were lost: a head begins at some later segment.
    Lost(u16),
    /// Nothing more is read.
    Closed,
}

#[derive(Debug)]
struct Exchange {
    forward: State,
    backward: State,
    pending: Pending,
    /// A request whose body was cut off, to be concluded at the next call.
    cut: Option<Box<Held>>,
    /// A head was read: it is HTTP.
    proven: bool,
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange { forward: State::Head(0), backward: State::Head(0), pending: Pending::default(), cut: None, proven: false }
    }
}

/// What a step wants.
enum Step {
    Took(usize),
    Need(usize),
    HandOver(usize),
    Stop(Progress),
}

impl Dissector for Exchange {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(held) = self.cut.take()
            && held.conclude(false, input.ts, sink) == Verdict::Disguise
        {
            return Progress::FlowDone;
        }
        if input.carrier == Carrier::Udp {
            if let Some(head @ Head { start: Start::Request { method, target }, .. }) = head::parse(input.bytes) {
                self.request(&head, method, target, input, sink);
            }
            return Progress::Continue { consumed: input.bytes.len(), need: 0 };
        }
        let mut at = 0;
        while let Some(rest) = input.bytes.get(at..) {
            match self.step(rest, input, sink) {
                Step::Took(count) => at = at.saturating_add(count),
                Step::Need(need) => return self.pause(at, need, input, sink),
                Step::HandOver(count) => return Progress::HandOver { consumed: at.saturating_add(count) },
                Step::Stop(progress) => return progress,
            }
        }
        Progress::Continue { consumed: at, need: 0 }
    }

    fn renew(&mut self) -> bool {
        *self = Exchange::default();
        true
    }

    fn gap(&mut self, direction: Direction) -> Progress {
        if !self.proven {
            return Progress::FlowDone;
        }
        self.pending = Pending::default();
        match std::mem::replace(self.state(direction), State::Lost(0)) {
            State::Body(_, Taste::ShortLink(held)) => self.cut = Some(held),
            State::Closed => {
                *self.state(direction) = State::Closed;
                return Progress::Done;
            }
            _ => {}
        }
        Progress::Continue { consumed: 0, need: 0 }
    }
}

impl Exchange {
    fn state(&mut self, direction: Direction) -> &mut State {
        match direction {
            Direction::Forward => &mut self.forward,
            Direction::Backward => &mut self.backward,
        }
    }

    fn set(&mut self, direction: Direction, state: State) -> Step {
        *self.state(direction) = state;
        Step::Took(0)
    }

    /// Waits for more bytes; at the end of the direction, concludes with what there is.
    fn pause(&mut self, consumed: usize, need: usize, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if !input.at_end {
            return Progress::Continue { consumed, need };
        }
        match std::mem::replace(self.state(input.direction), State::Closed) {
            State::Body(framing, taste) => match finish(taste, framing == Framing::UntilClose, input, sink) {
                Verdict::Disguise => Progress::FlowDone,
                Verdict::Request => Progress::Done,
            },
            _ => Progress::Done,
        }
    }

    fn step(&mut self, rest: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        match self.state(input.direction) {
            State::Head(searched) => {
                let searched = *searched;
                self.head(searched, rest, input, sink)
            }
            State::Body(framing, taste) => {
                let piece = framing.step(rest, matches!(taste, Taste::Skip));
                self.body(piece, rest, input, sink)
            }
            // The reply, which is read in the other direction, is not always seen.
            State::Tunnel if rest.is_empty() => Step::Need(0),
            State::Tunnel => Step::HandOver(0),
            State::Lost(tries) => {
                let tries = *tries;
                self.lost(tries, rest, input)
            }
            State::Closed => Step::Stop(Progress::Done),
        }
    }

    /// Looks for the begin of a head at the begin of a segment.
    fn lost(&mut self, tries: u16, rest: &[u8], input: &Input<'_>) -> Step {
        if rest.is_empty() {
            return Step::Need(0);
        }
        if super::probe(&Input { bytes: rest, ..*input }) == super::Probe::Match {
            return self.set(input.direction, State::Head(0));
        }
        let next = if tries < RESYNC_SEGMENTS_MAX { State::Lost(tries.saturating_add(1)) } else { State::Closed };
        self.set(input.direction, next);
        Step::Took(rest.len())
    }

    /// Waits for a whole head and reads it.
    fn head(&mut self, searched: usize, rest: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        if searched == 0 {
            // RFC 9112 section 2.2: empty lines before a request are passed over.
            let blank = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            if blank > 0 {
                return Step::Took(blank);
            }
        }
        let within = rest.get(..HTTP_HEAD_MAX).unwrap_or(rest);
        // Most heads are here at once.
        if searched == 0
            && let Some((parsed, end)) = head::whole(within)
        {
            return self.take_head(&parsed, end, input, sink);
        }
        if let Some(end) = head::end(within, searched) {
            let Some(parsed) = within.get(..end).and_then(head::parse) else { return self.no_head(input) };
            return self.take_head(&parsed, end, input, sink);
        }
        let line_end = within.get(searched..).and_then(|new| memchr(b'\n', new));
        let first_line = line_end.filter(|_| !within.get(..searched).is_some_and(|old| old.contains(&b'\n')));
        if let Some(line) = first_line.and_then(|at| within.get(..searched.saturating_add(at)))
            && head::start(line.trim_ascii_end()).is_none()
        {
            return self.no_head(input);
        }
        if within.len() == HTTP_HEAD_MAX {
            return self.long_head(within, input, sink);
        }
        if rest.first().is_some_and(|b| !head::is_method_byte(*b)) {
            return self.no_head(input);
        }
        self.set(input.direction, State::Head(rest.len()));
        Step::Need(rest.len().saturating_add(1))
    }

    /// What is here is not HTTP/1.
    fn no_head(&mut self, input: &Input<'_>) -> Step {
        self.set(input.direction, State::Closed);
        Step::Stop(if self.proven { Progress::Done } else { Progress::FlowDone })
    }

    /// Says what the begin of an endless head says, and stops there.
    fn long_head(&mut self, within: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        sink.limit(Limit::HttpHead);
        if let Some(head @ Head { start: Start::Request { method, target }, .. }) = head::parse(within) {
            let target = head::target(method, target);
            if !Looks::of(&head, &target).hold() {
                sink.emit(&request(&head, method, &target));
            }
        }
        self.set(input.direction, State::Closed);
        Step::Stop(Progress::Done)
    }

    fn take_head(&mut self, head: &Head<'_>, end: usize, input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        self.proven = true;
        let next = match head.start {
            Start::Request { method: b"PRI", .. } => return Step::Stop(Progress::FlowDone),
            Start::Request { method, target } => self.request(head, method, target, input, sink),
            Start::Response(status) => match self.response(head, status) {
                Ok(next) => next,
                Err(stop) => return stop(end),
            },
        };
        match next {
            Some(state) => {
                self.set(input.direction, state);
                Step::Took(end)
            }
            None => Step::Stop(Progress::FlowDone),
        }
    }

    /// Says what a request says, or holds it back; what comes behind its head, `None` after a disguise.
    fn request(&mut self, head: &Head<'_>, method: &[u8], target: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Option<State> {
        let target = head::target(method, target);
        let said = request(head, method, &target);
        let expect = match method {
            b"HEAD" => Expect::NoBody,
            b"CONNECT" => Expect::Tunnel,
            _ if said.newgetdns => Expect::NewDns,
            _ => Expect::Body,
        };
        self.pending.push(expect);
        let framing = match (head.length, head.chunked, head.ambiguous) {
            (_, true, _) => Framing::Chunked(Chunk::Size),
            (_, _, true) => Framing::UntilClose,
            (length, ..) => Framing::Length(length.unwrap_or(0)),
        };
        let looks = Looks::of(head, &target);
        if looks.hold() {
            return Some(State::Body(framing, Taste::ShortLink(Box::new(Held::new(looks, &said)))));
        }
        sink.emit(&said);
        if expect == Expect::Tunnel && input.carrier == Carrier::Tcp {
            return Some(State::Tunnel);
        }
        let taste = match framing {
            Framing::Length(length) if method == b"POST" && legacy::is_path(target.path) => Taste::Legacy(Vec::new(), length),
            _ => Taste::Skip,
        };
        Some(State::Body(framing, taste))
    }

    /// What comes behind the head of a reply.
    fn response(&mut self, head: &Head<'_>, status: u16) -> Result<Option<State>, fn(usize) -> Step> {
        if status == 101 {
            return Ok(None);
        }
        if status < 200 {
            return Ok(Some(State::Head(0)));
        }
        let expect = self.pending.pop().unwrap_or_default();
        if expect == Expect::Tunnel {
            if status < 300 {
                return Err(Step::HandOver);
            }
            for state in [&mut self.forward, &mut self.backward] {
                if matches!(state, State::Tunnel) {
                    *state = State::Head(0);
                }
            }
        }
        if expect == Expect::NoBody || matches!(status, 204 | 304) {
            return Ok(Some(State::Head(0)));
        }
        let framing = match (head.length, head.chunked, head.ambiguous) {
            (_, true, _) => Framing::Chunked(Chunk::Size),
            (Some(length), _, false) => Framing::Length(length),
            _ => Framing::UntilClose,
        };
        let taste = if expect == Expect::NewDns && status == 200 { Taste::NewDns(Vec::new()) } else { Taste::Skip };
        Ok(Some(State::Body(framing, taste)))
    }

    /// Does with a piece of a body what its taste asks for.
    fn body(&mut self, piece: Piece, rest: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        match piece {
            Piece::Need(need) => Step::Need(need),
            Piece::Frame(count) | Piece::Unseen(count) => Step::Took(count),
            Piece::Content(count) => {
                let State::Body(framing, taste) = self.state(input.direction) else { return Step::Stop(Progress::Done) };
                if matches!((&framing, &taste), (Framing::UntilClose, Taste::Skip)) {
                    return Step::Stop(Progress::Done);
                }
                match push(taste, rest.get(..count).unwrap_or(rest), input, sink) {
                    Verdict::Disguise => Step::Stop(Progress::FlowDone),
                    Verdict::Request => Step::Took(count),
                }
            }
            Piece::End | Piece::Broken => {
                let next = if piece == Piece::End { State::Head(0) } else { State::Closed };
                let State::Body(_, taste) = std::mem::replace(self.state(input.direction), next) else {
                    return Step::Stop(Progress::Done);
                };
                match finish(taste, piece == Piece::End, input, sink) {
                    Verdict::Disguise => Step::Stop(Progress::FlowDone),
                    Verdict::Request => Step::Took(0),
                }
            }
        }
    }
}

/// Shows body bytes to whoever wants them, until nobody does.
fn push(taste: &mut Taste, bytes: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Verdict {
    let more = match taste {
        Taste::Skip => true,
        Taste::ShortLink(held) => held.push(bytes),
        Taste::Legacy(prefix, _) => {
            let room = legacy::PREFIX_BYTES.saturating_sub(prefix.len());
            prefix.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            prefix.len() < legacy::PREFIX_BYTES
        }
        Taste::NewDns(reply) if reply.len().saturating_add(bytes.len()) > newgetdns::REPLY_BYTES_MAX => {
            sink.limit(Limit::Inflate);
            *taste = Taste::Skip;
            true
        }
        Taste::NewDns(reply) => {
            reply.extend_from_slice(bytes);
            true
        }
    };
    if more { Verdict::Request } else { finish(std::mem::replace(taste, Taste::Skip), true, input, sink) }
}

/// Concludes from what was seen of a body; `complete`: there is no more of it, or no more is needed.
fn finish(taste: Taste, complete: bool, input: &Input<'_>, sink: &mut dyn Sink) -> Verdict {
    match taste {
        Taste::Skip => {}
        Taste::ShortLink(held) => return held.conclude(complete, input.ts, sink),
        Taste::Legacy(prefix, length) => {
            if let Some(cgi) = legacy::decode(&prefix, length) {
                sink.emit(&Legacy { cgi });
            }
        }
        Taste::NewDns(_) if !complete => {}
        Taste::NewDns(body) => match newgetdns::plain(&body) {
            Ok(xml) => {
                if let Some(reply) = Reply::new(&xml) {
                    sink.emit(&reply);
                }
            }
            Err(Unread::TooLarge) => sink.limit(Limit::Inflate),
            Err(Unread::Unknown) => {}
        },
    }
    Verdict::Request
}

/// What a request head says.
fn request<'a>(head: &Head<'a>, method: &'a [u8], target: &head::Target<'a>) -> Request<'a> {
    let host = target.authority.or(head.host).map(head::host).filter(|h| !h.is_empty());
    Request {
        method,
        authority: head.host.or(target.authority).filter(|a| !a.is_empty()),
        host,
        user_agent: head.user_agent,
        path: target.path,
        newgetdns: newgetdns::is_request(target.path, target.query),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn replies_are_expected_in_the_order_of_requests(steps in proptest::collection::vec(proptest::option::weighted(0.7, 0usize..4), 0..120)) {
            let (mut real, mut naive) = (Pending::default(), std::collections::VecDeque::new());
            for step in steps {
                match step.map(|kind| [Expect::Body, Expect::NoBody, Expect::Tunnel, Expect::NewDns][kind]) {
                    Some(expect) => {
                        real.push(expect);
                        if naive.len() < usize::from(PENDING_MAX) {
                            naive.push_back(expect);
                        }
                    }
                    None => prop_assert_eq!(real.pop(), naive.pop_front()),
                }
            }
        }
    }
}
