//! TLS over TCP, on any port: hellos of both sides, split over records and segments as they like.
//!
//! Records are consumed as they come (RFC 8446 section 5.1); only handshake messages that are wanted are kept, bounded.

#[cfg(test)]
mod tests;

use crate::coverage::Blind;
use crate::limits::{Limit, TLS_HELLO_MAX};
use crate::record::Sink;

use super::client_hello::ech::Offer;
use super::client_hello::{ClientHello, TLS_ALPN, TLS_ECH, TLS_ECH_CONFIG, TLS_JA3, TLS_JA4, TLS_SNI, TLS_VERSION, Transport};
use super::server_hello::{CERT_NAME, CHOSEN_VERSION, CIPHER, CertificateNames, JA3S, ServerHello};
use super::{Carrier, Direction, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors.
pub static TLS: DissectorDef = DissectorDef {
    name: "tls",
    about: "TLS over TCP on any port: ClientHello, ServerHello, certificate names of TLS 1.2 and below.",
    carriers: &[Carrier::Tcp],
    fields: &[
        &TLS_SNI,
        &TLS_ALPN,
        &TLS_VERSION,
        &TLS_ECH,
        &TLS_ECH_CONFIG,
        &TLS_JA3,
        &TLS_JA4,
        &CHOSEN_VERSION,
        &CIPHER,
        &JA3S,
        &CERT_NAME,
    ],
    opens: &[20..=23, 0x80..=0xff],
    ports: &[],
    probe,
    start: || Box::new(Tls::default()),
};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// A record holds at most 2^14 bytes and what encryption adds (RFC 5246 section 6.2.3).
const RECORD_MAX: usize = (1 << 14) + 2048;

/// Bytes by which a ClientHello is told from something encrypted.
const HELLO_HEAD: usize = 5;

/// Records of one direction that are looked at before a hello: a hello in 1-byte records, and as many empty ones before it.
const RECORDS_MAX: u32 = 80_000;

/// Records of early data that are passed over while a second hello may come.
const EARLY_MAX: u32 = 256;

/// The bytes that begin a record of a TLS version that exists.
pub(super) fn is_record_start(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, 3, 0..=4, ..])
}

/// Whether a segment in mid-stream is of a session whose hello is gone: there is nothing to be read in it or behind it.
pub fn is_late(bytes: &[u8]) -> bool {
    matches!(bytes, [APPLICATION_DATA, 3, 1..=4, high, low, ..] if usize::from(u16::from_be_bytes([*high, *low])) <= RECORD_MAX)
}

fn probe(input: &Input<'_>) -> Probe {
    match input.bytes {
        [HANDSHAKE, 3, 0..=4, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match rest.first() {
                _ if length > RECORD_MAX => Probe::No,
                // Empty handshake records are not allowed, and seen from those who try sensors.
                _ if length == 0 => Probe::Match,
                None if input.at_end => Probe::No,
                None => Probe::More,
                Some(0..=4 | 11..=16 | 20) if input.at_start => Probe::Match,
                Some(1 | 2) => Probe::Match,
                Some(_) => Probe::No,
            }
        }
        [ALERT, 3, 0..=4, 0, 2, 1 | 2, ..] | [CHANGE_CIPHER_SPEC, 3, 0..=4, 0, 1, 1, ..] if input.at_start => Probe::Match,
        // In mid-stream: a session whose hello is gone. It is taken, so that nobody else has to look at it.
        bytes if is_late(bytes) => Probe::Match,
        bytes if sslv2_length(bytes).is_some() && input.at_start => Probe::Match,
        [20..=23] | [20..=23, 3] | [20..=23, 3, 0..=4] | [20..=23, 3, 0..=4, _] if !input.at_end => Probe::More,
        [ALERT, 3, 0..=4, 0, 2] | [CHANGE_CIPHER_SPEC, 3, 0..=4, 0, 1] if !input.at_end && input.at_start => Probe::More,
        _ => Probe::No,
    }
}

/// The length of an SSLv2 ClientHello, when the header adds up (RFC 5246 appendix E.2).
fn sslv2_length(bytes: &[u8]) -> Option<usize> {
    let [high @ 0x80..=0xff, low, 1, major, minor, s1, s0, i1, i0, c1, c0, ..] = bytes else { return None };
    let length = usize::from(u16::from_be_bytes([high & 0x7f, *low]));
    let [suites, session, challenge] = [[s1, s0], [i1, i0], [c1, c0]].map(|[h, l]| usize::from(u16::from_be_bytes([*h, *l])));
    let version_fits = matches!((major, minor), (0, 2) | (3, 0..=3));
    let adds_up = 9 + suites + session + challenge == length && suites % 3 == 0 && suites > 0 && (16..=32).contains(&challenge);
    (version_fits && adds_up).then_some(length + 2)
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// Bytes of the current handshake record that are still to come.
    record_left: usize,
    /// Handshake bytes of messages that are not whole yet.
    handshake: Vec<u8>,
    /// Bytes of a message that nobody wants, still to be passed over.
    skip: usize,
    records: u32,
    early: u32,
    /// What follows is encrypted, unless a hello shows otherwise.
    ciphered: bool,
    begun: bool,
}

/// What a direction wants after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    On,
    DirectionDone,
    FlowDone,
}

#[derive(Debug, Default)]
struct Tls {
    sides: [Side; 2],
    seen: Seen,
}

/// What both directions have said.
#[derive(Debug, Default)]
struct Seen {
    client_hello: bool,
    /// Whether it is that of TLS 1.3.
    server_hello: Option<bool>,
    /// The extension that encrypted the name of the hello before.
    ech: Option<Box<[u8]>>,
    certificate: bool,
}

impl Dissector for Tls {
    fn held(&self) -> usize {
        self.sides.iter().map(|s| s.handshake.capacity()).sum()
    }

    fn renew(&mut self) -> bool {
        *self = Tls::default();
        true
    }

    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        let Tls { sides: [forward, backward], seen } = self;
        let side = if input.direction == Direction::Forward { forward } else { backward };
        let mut rest = input.bytes;
        loop {
            if side.record_left > 0 {
                let take = side.record_left.min(rest.len());
                let (bytes, after) = rest.split_at_checked(take).unwrap_or((rest, &[]));
                if bytes.is_empty() {
                    return consumed(input, rest, 1);
                }
                side.record_left -= bytes.len();
                rest = after;
                match side.handshake(bytes, seen, sink) {
                    Step::On => continue,
                    Step::DirectionDone => return Progress::Done,
                    Step::FlowDone => return Progress::FlowDone,
                }
            }
            if !side.begun
                && let Some(length) = sslv2_length(rest)
            {
                let Some(bytes) = rest.get(..length) else { return consumed(input, rest, length) };
                emit_sslv2(bytes, sink);
                side.begun = true;
                rest = rest.get(length..).unwrap_or(&[]);
                continue;
            }
            let Some((header, after)) = rest.split_first_chunk::<5>() else { return consumed(input, rest, 5) };
            let [kind, _, _, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            if !is_record_start(header) || length > RECORD_MAX {
                return Progress::Done;
            }
            if side.ciphered && kind == HANDSHAKE && after.len() < HELLO_HEAD.min(length) {
                return consumed(input, rest, header.len() + HELLO_HEAD.min(length));
            }
            side.begun = true;
            side.records += 1;
            match side.record(kind, length, after, seen) {
                Record::Handshake => rest = after,
                Record::Skip => {
                    // Beyond what is shown: the rest is skipped when it comes.
                    let body = after.get(length..);
                    match body {
                        Some(next) => rest = next,
                        None => return Progress::Continue { consumed: input.bytes.len() - after.len() + length, need: 5 },
                    }
                }
                Record::DirectionDone => return Progress::Done,
                Record::FlowDone => return Progress::FlowDone,
            }
        }
    }
}

/// What a record means.
enum Record {
    Handshake,
    Skip,
    DirectionDone,
    FlowDone,
}

impl Side {
    fn record(&mut self, kind: u8, length: usize, after: &[u8], seen: &Seen) -> Record {
        if self.records > RECORDS_MAX {
            return Record::DirectionDone;
        }
        match kind {
            HANDSHAKE if self.ciphered && !plain_hello(after, length) => Record::DirectionDone,
            HANDSHAKE => {
                self.ciphered = false;
                self.record_left = length;
                Record::Handshake
            }
            CHANGE_CIPHER_SPEC => {
                self.ciphered = true;
                Record::Skip
            }
            APPLICATION_DATA if !seen.any_hello() => Record::FlowDone,
            // Early data of the client: after a retry another hello comes behind it.
            APPLICATION_DATA if self.early < EARLY_MAX => {
                self.early += 1;
                Record::Skip
            }
            APPLICATION_DATA => Record::DirectionDone,
            _ => Record::Skip,
        }
    }

    /// Takes bytes of handshake records: reads them where they lie, unless a message began in earlier ones; keeps what is not whole.
    fn handshake(&mut self, bytes: &[u8], seen: &mut Seen, sink: &mut dyn Sink) -> Step {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        let bytes = bytes.get(skipped..).unwrap_or(&[]);
        let Side { handshake, skip, .. } = self;
        if !handshake.is_empty() {
            handshake.extend_from_slice(bytes);
        }
        let whole = if handshake.is_empty() { bytes } else { handshake.as_slice() };
        let (left, step) = messages(whole, skip, seen, sink);
        let read = whole.len() - left;
        if !handshake.is_empty() {
            handshake.drain(..read);
        } else if left > 0 {
            let begun = bytes.get(read..).unwrap_or(&[]);
            handshake.reserve_exact(room_for(begun));
            handshake.extend_from_slice(begun);
        }
        step
    }
}

/// Reads handshake messages as long as they are whole: how many bytes are left, and of how many to come nobody wants any (`skip`).
fn messages(bytes: &[u8], skip: &mut usize, seen: &mut Seen, sink: &mut dyn Sink) -> (usize, Step) {
    let mut left = bytes;
    loop {
        let Some((head, rest)) = left.split_first_chunk::<4>() else { return (left.len(), Step::On) };
        let [kind, l2, l1, l0] = *head;
        let length = usize::try_from(u32::from_be_bytes([0, l2, l1, l0])).unwrap_or(usize::MAX);
        if !matches!(kind, CLIENT_HELLO | SERVER_HELLO | CERTIFICATE) {
            // Passed over without being kept, however long it is.
            let here = rest.len().min(length);
            *skip = length - here;
            left = rest.get(here..).unwrap_or(&[]);
            continue;
        }
        if length > TLS_HELLO_MAX {
            sink.limit(Limit::TlsHello);
            return (left.len(), Step::DirectionDone);
        }
        let Some((body, next)) = rest.split_at_checked(length) else { return (left.len(), Step::On) };
        left = next;
        if !seen.message(kind, body, sink) {
            return (left.len(), Step::DirectionDone);
        }
        if seen.is_complete() {
            return (left.len(), Step::FlowDone);
        }
    }
}

impl Seen {
    fn any_hello(&self) -> bool {
        self.client_hello || self.server_hello.is_some()
    }

    /// Reads a message; `false` when it is not what it says it is.
    fn message(&mut self, kind: u8, body: &[u8], sink: &mut dyn Sink) -> bool {
        match kind {
            CLIENT_HELLO => {
                let Some(mut hello) = ClientHello::parse(Transport::Tls, body) else { return false };
                emit_next(&mut hello, &mut self.ech, sink);
                self.client_hello = true;
                true
            }
            SERVER_HELLO => {
                let Some(hello) = ServerHello::parse(body) else { return false };
                self.server_hello = Some(hello.is_tls13()).filter(|_| !hello.is_retry());
                sink.emit(&hello);
                true
            }
            _ => {
                if let Some(names) = CertificateNames::parse(body) {
                    sink.emit(&names);
                }
                self.certificate = true;
                true
            }
        }
    }

    /// Everything that is in the clear was seen.
    fn is_complete(&self) -> bool {
        let server = match self.server_hello {
            Some(true) => true,
            Some(false) => self.certificate,
            None => false,
        };
        // With the server's side alone the hello may still come: segments overtake each other.
        server && self.client_hello
    }
}

/// Bytes to make room for when a message begins like this: all of it, if it is as long as real hellos are.
fn room_for(begun: &[u8]) -> usize {
    let length = match begun {
        [_, l2, l1, l0, ..] => usize::try_from(u32::from_be_bytes([0, *l2, *l1, *l0])).unwrap_or(usize::MAX),
        _ => 0,
    };
    begun.len().max(length.saturating_add(4).min(ROOM_MAX))
}

/// Room that is made for a message before its bytes are there.
const ROOM_MAX: usize = 4_096;

/// Behind a ChangeCipherSpec handshake records are encrypted, but for a second ClientHello, whose length says that it fills its record.
fn plain_hello(after: &[u8], length: usize) -> bool {
    match after {
        [CLIENT_HELLO, l2, l1, l0, 3, ..] => {
            usize::try_from(u32::from_be_bytes([0, *l2, *l1, *l0])).is_ok_and(|l| l + 4 >= length && l <= TLS_HELLO_MAX)
        }
        _ => false,
    }
}

fn consumed(input: &Input<'_>, rest: &[u8], need: usize) -> Progress {
    Progress::Continue { consumed: input.bytes.len() - rest.len(), need }
}

/// Emits a hello of a connection, judged by the extension of the one before it; leaves its own for the next.
pub(super) fn emit_next(hello: &mut ClientHello<'_>, before: &mut Option<Box<[u8]>>, sink: &mut dyn Sink) {
    if let Some(before) = before {
        hello.follows(before);
    }
    emit_hello(hello, sink);
    *before = hello.ech.filter(|(_, body)| body.len() <= ECH_KEPT_MAX).map(|(_, body)| body.into());
}

/// Bytes of an extension that are kept until the next hello: real ones have about 250.
const ECH_KEPT_MAX: usize = 1_024;

/// Emits a hello and counts what it hides.
pub(super) fn emit_hello(hello: &ClientHello<'_>, sink: &mut dyn Sink) {
    match hello.ech.as_ref().map(|(offer, _)| *offer) {
        Some(Offer::Real) => sink.blind(Blind::EchOffer),
        Some(Offer::Unknown) => sink.blind(Blind::EchPresent),
        Some(Offer::Grease) | None => {}
    }
    sink.emit(hello);
}

fn emit_sslv2(bytes: &[u8], sink: &mut dyn Sink) {
    let [_, _, _, major, minor, ..] = bytes else { return };
    sink.emit(&ClientHello::sslv2(u16::from_be_bytes([*major, *minor])));
}
