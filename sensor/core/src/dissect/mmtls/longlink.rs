//! The long link: MMTLS records straight on TCP, followed for the life of the connection at the cost of one header per record.

use std::time::Duration;

use super::hello::{self, ClientHello, HelloKind, Suite};
use super::record::{CLEAR_ALERT_BYTES, HEADER_BYTES, Header, Look, RecordType, Version, look};
use super::{Client, Mmtls};
use crate::dissect::{Direction, Dissector, Input, Probe, Progress};
use crate::record::{Role, Sink};
use crate::time::Timestamp;

/// Heartbeats come every 3.5 to 10 minutes: one report for each of them, none for data records of the same size in between.
const HEARTBEAT_REPORT: Duration = Duration::from_secs(3 * 60);

/// Records in line after which framing alone counts, both directions together.
const FRAMING_RECORDS: u32 = 3;

/// Segments of one direction in which a record's start is looked for after bytes were lost.
const RESYNC_SEGMENTS_MAX: u8 = 64;

/// Looks at the first bytes of a direction.
pub(super) fn probe(input: &Input<'_>) -> Probe {
    match look(input.bytes) {
        Look::Bad => Probe::No,
        Look::Short => Probe::More,
        Look::Header(header) if input.at_start && !may_open(header) => Probe::No,
        Look::Header(_) => Probe::Match,
    }
}

/// Whether a connection may begin with this record, from either end.
fn may_open(header: Header) -> bool {
    match header.kind {
        RecordType::Handshake => hello::is_client_length(header.body) || hello::is_server_length(header.body),
        RecordType::Early => hello::is_client_length(header.body),
        RecordType::Alert => header.body == CLEAR_ALERT_BYTES,
        RecordType::Data => false,
    }
}

/// Starts on a connection.
pub(super) fn start() -> Box<dyn Dissector> {
    Box::new(LongLink::default())
}

/// Where a direction's reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Nothing was read yet.
    #[default]
    Fresh,
    /// A record begins here.
    Aligned,
    /// Bytes were lost: a record begins at some later segment.
    Lost(u8),
    /// Nothing more is read.
    Closed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    place: Place,
    /// Records in line since the last loss.
    records: u32,
    heartbeats: u32,
}

/// What the flow has been shown to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    #[default]
    Unproven,
    /// A valid ClientHello went in this direction; the word is what was said last.
    Hello(Direction, &'static str),
    /// Records without a handshake.
    Framing(&'static str),
}

#[derive(Debug, Default)]
struct LongLink {
    version: Option<Version>,
    forward: Half,
    backward: Half,
    standing: Standing,
    /// What the ClientHello was for, so that the server's choice can be held against it.
    offered: Option<HelloKind>,
    chosen: Option<Suite>,
    reported: Timestamp,
}

/// What a step wants.
enum Step {
    Took(usize),
    Need(usize),
    Stop(Progress),
}

impl Dissector for LongLink {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        let mut at = 0;
        while let Some(rest) = input.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest, input, sink) {
                Step::Took(count) => at = at.saturating_add(count.max(1)),
                Step::Need(need) => return Progress::Continue { consumed: at, need },
                Step::Stop(progress) => return progress,
            }
        }
        Progress::Continue { consumed: at, need: 0 }
    }

    fn gap(&mut self, direction: Direction) -> Progress {
        let proven = self.standing != Standing::Unproven;
        let half = self.half(direction);
        match half.place {
            // The hello itself is missing in part.
            Place::Fresh if !proven => Progress::FlowDone,
            Place::Closed => Progress::Done,
            _ => {
                half.place = Place::Lost(0);
                half.records = 0;
                Progress::Continue { consumed: 0, need: 0 }
            }
        }
    }
}

impl LongLink {
    fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::Forward => &mut self.forward,
            Direction::Backward => &mut self.backward,
        }
    }

    /// Reads at a place where a record should begin.
    fn step(&mut self, rest: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        let place = self.half(input.direction).place;
        if place == Place::Closed {
            return Step::Stop(Progress::Done);
        }
        let header = match look(rest) {
            Look::Short => return Step::Need(HEADER_BYTES),
            Look::Header(header) if self.version.is_none_or(|v| v == header.version) => header,
            Look::Header(_) | Look::Bad => return self.off_track(rest, input),
        };
        if place == Place::Fresh && may_open(header) {
            return self.opening(header, rest, input, sink);
        }
        if place == Place::Fresh && input.at_start && self.standing == Standing::Unproven {
            return Step::Stop(Progress::FlowDone);
        }
        self.advance(header, input, sink)
    }

    /// Passes over a record whose body is not clear.
    fn advance(&mut self, header: Header, input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        self.version = Some(header.version);
        self.half(input.direction).place = Place::Aligned;
        self.count(header, input, sink);
        Step::Took(header.total())
    }

    /// No record of this flow begins here: look at the next segment, or give up.
    fn off_track(&mut self, rest: &[u8], input: &Input<'_>) -> Step {
        let proven = self.standing != Standing::Unproven;
        let half = self.half(input.direction);
        let tries = match half.place {
            Place::Lost(tries) => tries.saturating_add(1),
            Place::Fresh if !input.at_start => 1,
            Place::Aligned if proven => 1,
            _ => return Step::Stop(Progress::FlowDone),
        };
        half.records = 0;
        if tries >= RESYNC_SEGMENTS_MAX {
            half.place = Place::Closed;
            return Step::Stop(Progress::Done);
        }
        half.place = Place::Lost(tries);
        Step::Took(rest.len())
    }

    /// Reads the first record of a direction: a hello, or the server's refusal.
    fn opening(&mut self, header: Header, rest: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> Step {
        let Some(body) = rest.get(HEADER_BYTES..header.total()) else { return Step::Need(header.total()) };
        let good = if header.kind == RecordType::Alert {
            self.alert(header, body, input, sink)
        } else if hello::is_client_length(header.body) {
            hello::client_hello(header.version, body).is_some_and(|hello| self.client(header, hello, input, sink))
        } else {
            hello::server_hello(header.version, body).is_some_and(|suite| self.server(header, suite, input, sink))
        };
        if !good {
            // In mid-stream an encrypted record may be as long as a ServerHello.
            let encrypted = !input.at_start && header.kind == RecordType::Handshake && hello::is_server_length(header.body);
            return if encrypted { self.advance(header, input, sink) } else { Step::Stop(Progress::FlowDone) };
        }
        self.version = Some(header.version);
        let half = self.half(input.direction);
        half.place = Place::Aligned;
        half.records = half.records.saturating_add(1);
        Step::Took(header.total())
    }

    /// Takes a valid ClientHello; false when the other end has sent one already.
    fn client(&mut self, header: Header, hello: ClientHello<'_>, input: &Input<'_>, sink: &mut dyn Sink) -> bool {
        if matches!(self.standing, Standing::Hello(..)) {
            return false;
        }
        let client = Client::new(hello, input.ts);
        let word = client.word();
        let said = Mmtls { sender: Some(Role::Client), hello: Some(word), client: Some(client), ..Mmtls::new("long", header.version) };
        sink.emit(&said);
        self.standing = Standing::Hello(input.direction, word);
        self.offered = Some(hello.kind);
        self.reported = input.ts;
        if let Some(suite) = self.chosen.filter(|s| hello.kind.offers(*s)) {
            self.mutual(header, suite, input, sink);
        }
        true
    }

    /// Takes a valid ServerHello; false when it answers something that was not offered.
    fn server(&mut self, header: Header, suite: Suite, input: &Input<'_>, sink: &mut dyn Sink) -> bool {
        match (self.standing, self.offered) {
            (Standing::Hello(from, _), _) if from == input.direction => return false,
            (_, Some(kind)) if !kind.offers(suite) => return false,
            (Standing::Hello(..), _) => self.mutual(header, suite, input, sink),
            _ => self.chosen = Some(suite),
        }
        true
    }

    fn mutual(&mut self, header: Header, suite: Suite, input: &Input<'_>, sink: &mut dyn Sink) {
        let Standing::Hello(from, _) = self.standing else { return };
        let sender = Some(if from == input.direction { Role::Client } else { Role::Server });
        sink.emit(&Mmtls { sender, hello: Some("mutual"), chosen: Some(suite), ..Mmtls::new("long", header.version) });
        self.standing = Standing::Hello(from, "mutual");
        self.reported = input.ts;
    }

    /// Takes a clear alert: only the server's answer to a hello is one.
    fn alert(&mut self, header: Header, body: &[u8], input: &Input<'_>, sink: &mut dyn Sink) -> bool {
        let answers = matches!(self.standing, Standing::Hello(from, _) if from != input.direction);
        let Some(code) = hello::clear_alert(body).filter(|_| answers) else { return false };
        sink.emit(&Mmtls { sender: Some(Role::Server), alert: Some(code), ..Mmtls::new("long", header.version) });
        true
    }

    /// Counts a record behind the handshake, or in mid-stream.
    fn count(&mut self, header: Header, input: &Input<'_>, sink: &mut dyn Sink) {
        let half = self.half(input.direction);
        half.records = half.records.saturating_add(1);
        half.heartbeats = half.heartbeats.saturating_add(u32::from(header.is_heartbeat()));
        let (records, beats) = ((self.forward.records, self.backward.records), (self.forward.heartbeats, self.backward.heartbeats));
        let framed = records.0 > 0 && records.1 > 0 && records.0.saturating_add(records.1) >= FRAMING_RECORDS;
        let word = if beats.0 > 0 && beats.1 > 0 { "midstream-heartbeat" } else { "midstream" };
        match self.standing {
            Standing::Unproven | Standing::Framing("midstream") if framed && self.standing != Standing::Framing(word) => {
                sink.emit(&Mmtls { framing: Some(word), ..Mmtls::new("long", header.version) });
                self.standing = Standing::Framing(word);
                self.reported = input.ts;
            }
            _ if header.is_heartbeat() => self.heartbeat(header, input, sink),
            _ => {}
        }
    }

    /// Reports that the link is alive, in the words in which it was proven.
    fn heartbeat(&mut self, header: Header, input: &Input<'_>, sink: &mut dyn Sink) {
        if input.ts.since(self.reported) < HEARTBEAT_REPORT {
            return;
        }
        let mut said = Mmtls { heartbeat: true, ..Mmtls::new("long", header.version) };
        match self.standing {
            Standing::Unproven => return,
            Standing::Framing(word) => said.framing = Some(word),
            Standing::Hello(from, word) => {
                said.hello = Some(word);
                said.sender = Some(if from == input.direction { Role::Client } else { Role::Server });
            }
        }
        sink.emit(&said);
        self.reported = input.ts;
    }
}
