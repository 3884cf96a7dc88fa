//! TCP conversations: what two ends say to each other becomes segments, and the segments can be disturbed as networks do.

use std::net::SocketAddr;
use std::time::Duration;

use ringfence_core::time::Timestamp;

use crate::capture::Trace;
use crate::frame::{self, TcpHeader, flags, proto};
use crate::prng::Prng;
use crate::wire::{Side, Wire};

/// One TCP segment of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Time since the conversation began.
    pub at: Duration,
    /// Who sends it.
    pub from: Side,
    /// Its header.
    pub header: TcpHeader,
    /// Its data.
    pub payload: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Move {
    Say(Side, Vec<u8>),
    Wait(Duration),
    Close(Side),
    Reset(Side),
}

/// A conversation in the making: the ends, what they say, and how the network treats it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The end that opens.
    pub client: SocketAddr,
    /// The end that answers.
    pub server: SocketAddr,
    /// Data bytes per segment at most.
    pub mss: usize,
    /// Round-trip time between the sensor and the server.
    pub rtt: Duration,
    /// Initial sequence numbers of client and server.
    pub isn: (u32, u32),
    /// Sizes of the first segments of everything that is said; the rest goes by `mss`.
    pub pieces: Vec<usize>,
    /// False: the capture begins after the handshake.
    pub handshake: bool,
    /// Only this side is seen.
    pub only: Option<Side>,
    /// Each of every so many data segments changes place with the next one of the same side.
    pub swap_every: Option<usize>,
    /// Each of every so many data segments is sent twice.
    pub repeat_every: Option<usize>,
    /// Each of every so many data segments is missing from the capture.
    pub lose_every: Option<usize>,
    moves: Vec<Move>,
}

impl Conversation {
    /// A conversation in which nothing is said yet, on a good network.
    pub fn new(client: SocketAddr, server: SocketAddr, rng: &mut Prng) -> Self {
        Conversation {
            client,
            server,
            mss: 1400,
            rtt: Duration::from_micros(rng.between(9_000, 38_000) as u64),
            isn: (rng.u32(), rng.u32()),
            pieces: Vec::new(),
            handshake: true,
            only: None,
            swap_every: None,
            repeat_every: None,
            lose_every: None,
            moves: Vec::new(),
        }
    }

    /// The sequence numbers of both ends pass zero within the first `bytes` of data.
    pub fn wrap_within(mut self, bytes: u32) -> Self {
        self.isn = (bytes.wrapping_neg(), bytes.wrapping_neg());
        self
    }

    /// `from` says something.
    pub fn say(&mut self, from: Side, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.moves.push(Move::Say(from, bytes.into()));
        self
    }

    /// The client says something.
    pub fn client(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.say(Side::Client, bytes)
    }

    /// The server says something.
    pub fn server(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.say(Side::Server, bytes)
    }

    /// Nothing is said for a while.
    pub fn wait(&mut self, span: Duration) -> &mut Self {
        self.moves.push(Move::Wait(span));
        self
    }

    /// `side` ends the conversation, the other side agrees.
    pub fn close(&mut self, side: Side) -> &mut Self {
        self.moves.push(Move::Close(side));
        self
    }

    /// `side` breaks off.
    pub fn reset(&mut self, side: Side) -> &mut Self {
        self.moves.push(Move::Reset(side));
        self
    }

    /// The segments as the sensor sees them, by time.
    pub fn segments(&self) -> Vec<Segment> {
        let mut ends = Ends::new(self);
        ends.open();
        for (index, step) in self.moves.iter().enumerate() {
            match step {
                Move::Say(from, bytes) => {
                    let answered = matches!(self.moves.get(index + 1), Some(Move::Say(next, _)) if next != from);
                    ends.say(*from, bytes, answered);
                }
                Move::Wait(span) => ends.now += *span,
                Move::Close(side) => ends.close(*side),
                Move::Reset(side) => ends.put(*side, flags::RST | flags::ACK, &[]),
            }
        }
        let mut segments = ends.done;
        self.disturb(&mut segments);
        segments
    }

    /// Puts the frames of the conversation on record; returns the time of the last.
    pub fn play(&self, start: Timestamp, wire: &Wire, trace: &mut Trace) -> Timestamp {
        let mut last = start;
        for segment in self.segments() {
            last = start.after(segment.at);
            let (src, dst) = match segment.from {
                Side::Client => (self.client, self.server),
                Side::Server => (self.server, self.client),
            };
            let bytes = frame::tcp(src, dst, &segment.header, &segment.payload);
            wire.send(trace, last, segment.from, &wire.packet(segment.from, src.ip(), dst.ip(), proto::TCP, &bytes));
        }
        last
    }

    fn disturb(&self, segments: &mut Vec<Segment>) {
        if !self.handshake {
            segments.drain(..3);
        }
        if let Some(every) = self.swap_every {
            swap(segments, every);
        }
        if let Some(every) = self.repeat_every {
            let late = |s: &Segment| Segment { at: s.at + Duration::from_micros(40), ..s.clone() };
            *segments =
                nth_data(segments, every).into_iter().flat_map(|(s, hit)| [Some(s.clone()), hit.then(|| late(s))]).flatten().collect();
        }
        if let Some(every) = self.lose_every {
            *segments = nth_data(segments, every).into_iter().filter(|(_, hit)| !hit).map(|(s, _)| s.clone()).collect();
        }
        if let Some(side) = self.only {
            segments.retain(|s| s.from == side);
        }
    }
}

/// Each segment, and whether it is the last of `every` data segments.
fn nth_data(segments: &[Segment], every: usize) -> Vec<(&Segment, bool)> {
    let mut count = 0;
    let mut hit = |s: &Segment| {
        count += usize::from(!s.payload.is_empty());
        !s.payload.is_empty() && count % every.max(1) == 0
    };
    segments.iter().map(|s| (s, hit(s))).collect()
}

fn swap(segments: &mut [Segment], every: usize) {
    let mut count = 0;
    let mut at = 0;
    while at + 1 < segments.len() {
        let (a, b) = (&segments[at], &segments[at + 1]);
        if !a.payload.is_empty() && !b.payload.is_empty() && a.from == b.from {
            count += 1;
            if count % every.max(1) == 0 {
                let (first, second) = (a.at, b.at);
                segments.swap(at, at + 1);
                (segments[at].at, segments[at + 1].at) = (first, second);
                at += 1;
            }
        }
        at += 1;
    }
}

/// Both ends while the segments are made.
struct Ends<'a> {
    plan: &'a Conversation,
    now: Duration,
    next: [u32; 2],
    last: Option<Side>,
    done: Vec<Segment>,
}

/// Maximum segment size 1460, SACK permitted, window scale 7.
const SYN_OPTIONS: [u8; 12] = [2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7];

/// A client answers at once, as the sensor is next to it.
const NEAR: Duration = Duration::from_micros(220);
/// Between segments of one burst.
const GAP: Duration = Duration::from_micros(130);

impl<'a> Ends<'a> {
    fn new(plan: &'a Conversation) -> Self {
        Ends { plan, now: Duration::ZERO, next: [plan.isn.0, plan.isn.1], last: None, done: Vec::new() }
    }

    fn open(&mut self) {
        self.put(Side::Client, flags::SYN, &[]);
        self.put(Side::Server, flags::SYN | flags::ACK, &[]);
        self.put(Side::Client, flags::ACK, &[]);
    }

    fn say(&mut self, from: Side, bytes: &[u8], answered: bool) {
        let mut rest = bytes;
        let mut pieces = self.plan.pieces.iter().copied();
        let mut count = 0;
        while !rest.is_empty() {
            let size = pieces.next().unwrap_or(self.plan.mss).clamp(1, self.plan.mss);
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            count += 1;
            let push = if rest.is_empty() { flags::PSH } else { 0 };
            self.put(from, flags::ACK | push, piece);
            if if rest.is_empty() { !answered } else { count % 4 == 0 } {
                self.put(from.other(), flags::ACK, &[]);
            }
        }
    }

    fn close(&mut self, side: Side) {
        self.put(side, flags::FIN | flags::ACK, &[]);
        self.put(side.other(), flags::FIN | flags::ACK, &[]);
        self.put(side, flags::ACK, &[]);
    }

    fn put(&mut self, from: Side, bits: u8, payload: &[u8]) {
        self.now += match (self.last, from) {
            (None, _) => Duration::ZERO,
            (Some(last), from) if last == from => GAP,
            (_, Side::Client) => NEAR,
            (_, Side::Server) => self.plan.rtt,
        };
        self.last = Some(from);
        let (mine, theirs) = if from == Side::Client { (0, 1) } else { (1, 0) };
        let syn = bits & flags::SYN != 0;
        let header = TcpHeader {
            seq: self.next[mine],
            ack: if bits & flags::ACK == 0 { 0 } else { self.next[theirs] },
            flags: bits,
            options: if syn { SYN_OPTIONS.to_vec() } else { Vec::new() },
        };
        let counted = payload.len() as u32 + u32::from(bits & (flags::SYN | flags::FIN) != 0);
        self.next[mine] = self.next[mine].wrapping_add(counted);
        self.done.push(Segment { at: self.now, from, header, payload: payload.to_vec() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Conversation {
        let mut rng = Prng::new(9);
        let ends = ("192.0.2.1:40000".parse().unwrap(), "198.51.100.1:80".parse().unwrap());
        let mut talk = Conversation::new(ends.0, ends.1, &mut rng);
        talk.client(rng.bytes(5000)).server(rng.bytes(9000)).wait(Duration::from_secs(1)).client(vec![1; 10]).close(Side::Client);
        talk
    }

    /// A naive receiver: data by sequence number, first copy wins.
    fn heard(segments: &[Segment], from: Side, isn: u32) -> Vec<u8> {
        let mut bytes = std::collections::BTreeMap::new();
        for s in segments.iter().filter(|s| s.from == from) {
            for (i, b) in s.payload.iter().enumerate() {
                bytes.entry(s.header.seq.wrapping_sub(isn).wrapping_add(i as u32)).or_insert(*b);
            }
        }
        assert!(bytes.keys().copied().eq(1..=bytes.len() as u32), "holes");
        bytes.into_values().collect()
    }

    #[test]
    fn both_ends_hear_everything_whatever_the_network_does() {
        let plain = talk();
        let said = heard(&plain.segments(), Side::Client, plain.isn.0);
        assert_eq!(said.len(), 5010);
        let troubled = Conversation { swap_every: Some(2), repeat_every: Some(3), pieces: vec![1, 3, 700], mss: 536, ..talk() };
        for talk in [troubled.clone(), troubled.wrap_within(800)] {
            let segments = talk.segments();
            assert_eq!(heard(&segments, Side::Client, talk.isn.0), said);
            assert_eq!(heard(&segments, Side::Server, talk.isn.1).len(), 9000);
            assert!(segments.iter().all(|s| s.payload.len() <= 536));
            assert!(segments.windows(2).all(|w| w[0].at <= w[1].at + Duration::from_micros(100)));
        }
    }

    #[test]
    fn knobs_turn() {
        let order = |talk: &Conversation| talk.segments().iter().map(|s| s.header.seq).collect::<Vec<_>>();
        assert_ne!(order(&talk()), order(&Conversation { swap_every: Some(1), ..talk() }));
        assert!(Conversation { handshake: false, ..talk() }.segments().iter().all(|s| s.header.flags & flags::SYN == 0));
        assert!(Conversation { only: Some(Side::Server), ..talk() }.segments().iter().all(|s| s.from == Side::Server));
        let data = |talk: &Conversation| talk.segments().iter().filter(|s| !s.payload.is_empty()).count();
        assert_eq!(data(&talk()), 4 + 7 + 1);
        assert_eq!(data(&Conversation { repeat_every: Some(4), ..talk() }), 15);
        assert_eq!(data(&Conversation { lose_every: Some(4), ..talk() }), 9);
    }

    #[test]
    fn acknowledgements_add_up() {
        let segments = talk().segments();
        let (last, fin) = (segments.last().unwrap(), &segments[segments.len() - 2]);
        assert_eq!((fin.header.flags, last.header.flags), (flags::FIN | flags::ACK, flags::ACK));
        assert_eq!(last.header.ack, fin.header.seq.wrapping_add(1));
    }
}
