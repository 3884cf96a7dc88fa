//! QUIC: the ClientHello in Initial packets of versions 1, 2, the drafts, and of versions that nobody told us about.
//!
//! Initial keys follow from the client's first Destination Connection ID (RFC 9001 section 5.2): everyone on the path can open them.

mod header;
mod keys;
mod version;

#[cfg(test)]
mod tests;

use crate::assembler::Assembler;
use crate::coverage::Blind;
use crate::limits::{Limit, QUIC_CRYPTO_MAX, QUIC_INITIALS_MAX, QUIC_RANGES_MAX, TLS_HELLO_MAX};
use crate::record::Sink;

use super::client_hello::{ClientHello, QUIC_ALPN, QUIC_ECH, QUIC_ECH_CONFIG, QUIC_JA3, QUIC_JA4, QUIC_SNI, QUIC_VERSION, Transport};
use super::tls::emit_next;
use super::{Carrier, Direction, Dissector, DissectorDef, Input, Probe, Progress};

use header::{Kind, LongHeader, varint};
use keys::Keys;
use version::Version;

/// The line in the table of dissectors.
pub static QUIC: DissectorDef = DissectorDef {
    name: "quic",
    about: "QUIC Initial packets on any UDP port: the ClientHello within.",
    carriers: &[Carrier::Udp],
    fields: &[&QUIC_SNI, &QUIC_ALPN, &QUIC_VERSION, &QUIC_ECH, &QUIC_ECH_CONFIG, &QUIC_JA3, &QUIC_JA4],
    opens: &[0x80..=0xff],
    ports: &[],
    probe,
    start: || Box::new(Quic::default()),
};

/// A client's first datagram has at least so many bytes (RFC 9000 section 14.1).
const DATAGRAM_MIN: usize = 1_200;

/// A datagram in a frame of Ethernet has no more.
const DATAGRAM_USUAL: usize = 1_472;

/// Connection IDs have at most 20 bytes in the versions that are known.
const CID_MAX: usize = 20;

/// Keys of a connection that are kept: the first ID, one after a Retry, and a few for connections that reuse the ports.
const KEYS_MAX: usize = 4;

fn probe(input: &Input<'_>) -> Probe {
    let fits = LongHeader::parse(input.bytes).is_some_and(|h| {
        let known = Version::of(h.version).is_some();
        let sane = h.version != 0 && h.dcid.len() <= CID_MAX && h.scid.len() <= CID_MAX;
        sane && if known {
            h.kind == Kind::Initial || h.kind == Kind::ZeroRtt
        } else {
            input.bytes.len() >= DATAGRAM_MIN && h.dcid.len() >= 8
        }
    });
    if fits { Probe::Match } else { Probe::No }
}

/// A connection ID, where it lies.
struct Cid {
    length: u8,
    bytes: [u8; CID_MAX],
}

impl Cid {
    /// `None` for what is longer than one may be.
    fn new(id: &[u8]) -> Option<Cid> {
        let mut bytes = [0; CID_MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Cid { length: u8::try_from(id.len()).ok()?, bytes })
    }

    fn is(&self, id: &[u8]) -> bool {
        self.bytes.get(..usize::from(self.length)) == Some(id)
    }
}

#[derive(Default)]
struct Quic {
    /// Keys that have been made, with the connection ID they came from.
    keys: Vec<(Cid, Keys)>,
    /// The direction in which client Initials opened.
    client: Option<Direction>,
    /// CRYPTO bytes that wait for others; most hellos are whole at once and leave nothing.
    crypto: Option<Box<Assembler>>,
    /// CRYPTO bytes before this offset were read.
    read_to: u64,
    opened: u16,
    tried: u16,
    hellos: u8,
    /// The extension that encrypted the name of the hello before.
    ech: Option<Box<[u8]>>,
    told: bool,
}

impl Dissector for Quic {
    fn held(&self) -> usize {
        let keys = self.keys.capacity() * size_of::<(Cid, Keys)>();
        keys + self.crypto.as_ref().map_or(0, |window| size_of::<Assembler>() + window.held())
    }

    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        let mut rest = input.bytes;
        // Coalesced packets (RFC 9000 section 12.2); each has at least a header.
        for _ in 0..16 {
            let Some(header) = LongHeader::parse(rest) else { break };
            let Some(packet) = rest.get(..header.end) else { break };
            if header.kind == Kind::Initial && self.client.is_none_or(|d| d == input.direction) {
                self.initial(&header, packet, input.direction, sink);
            }
            match rest.get(header.end..) {
                Some(next) if header.end > 0 && !next.is_empty() => rest = next,
                _ => break,
            }
        }
        if self.tried >= QUIC_INITIALS_MAX {
            sink.limit(Limit::QuicInitials);
            return self.give_up(sink);
        }
        // A short header: the handshake is over.
        let short = input.bytes.first().is_some_and(|b| b & 0x80 == 0);
        if short && (self.hellos > 0 || self.opened == 0) {
            return self.give_up(sink);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }

    /// The client went silent in the middle of its hello, or nobody could open what it said.
    fn finish(&mut self, sink: &mut dyn Sink) {
        if self.tried > 0 {
            self.tell(sink);
        }
    }
}

impl Quic {
    fn give_up(&mut self, sink: &mut dyn Sink) -> Progress {
        self.tell(sink);
        Progress::FlowDone
    }

    fn tell(&mut self, sink: &mut dyn Sink) {
        if self.hellos == 0 && !self.told {
            self.told = true;
            sink.blind(if self.opened > 0 { Blind::QuicGap } else { Blind::QuicUnknown });
        }
    }

    fn initial(&mut self, header: &LongHeader<'_>, packet: &[u8], direction: Direction, sink: &mut dyn Sink) {
        self.tried += 1;
        let version = Version::of(header.version).unwrap_or(Version::V1);
        // The keys of the first ID serve until a Retry; then, or for a new connection on the same ports, those of the new ID.
        let known = self.keys.iter().position(|(_, keys)| keys.version == version);
        // Where the packet is opened: here, unless it is longer than a frame of Ethernet.
        let (mut near, mut far) = ([0; DATAGRAM_USUAL], Vec::new());
        let room = match near.get_mut(..packet.len()) {
            Some(room) => room,
            None => {
                far.resize(packet.len(), 0);
                far.as_mut_slice()
            }
        };
        let tried = known.and_then(|from| self.keys.get(from..)).unwrap_or_default();
        let mut plain = tried.iter().find_map(|(_, keys)| keys.open(header, packet, room));
        if plain.is_none() && self.keys.len() < KEYS_MAX && !self.keys.iter().any(|(cid, k)| cid.is(header.dcid) && k.version == version) {
            let made = Cid::new(header.dcid).and_then(|cid| Some((cid, Keys::derive(version, header.dcid)?)));
            plain = made.as_ref().and_then(|(_, keys)| keys.open(header, packet, room));
            if let Some(made) = made.filter(|_| plain.is_some() || self.keys.is_empty()) {
                if plain.is_some() {
                    (self.crypto, self.read_to) = (None, 0);
                }
                // Most connections need one set.
                self.keys.reserve_exact(1);
                self.keys.push(made);
            }
        }
        let Some(plain) = plain.and_then(|range| room.get(range)) else { return };
        self.opened += 1;
        self.client = Some(direction);
        self.frames(plain, sink);
    }

    /// The frames that an Initial may hold (RFC 9000 section 12.4).
    fn frames(&mut self, plain: &[u8], sink: &mut dyn Sink) {
        let mut rest = plain;
        while let Some((kind, after)) = varint(rest) {
            let next = match kind {
                0 => Some(unpadded(after)),
                1 => Some(after),
                2 | 3 => ack(after, kind == 3),
                6 => self.crypto(after, sink),
                _ => None,
            };
            let Some(next) = next else { return };
            rest = next;
        }
    }

    fn crypto<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn Sink) -> Option<&'a [u8]> {
        let (offset, rest) = varint(bytes)?;
        let (length, rest) = varint(rest)?;
        let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let fresh = || Box::new(Assembler::new(self.read_to, QUIC_CRYPTO_MAX, QUIC_RANGES_MAX));
        let window = self.crypto.get_or_insert_with(fresh);
        let inserted = window.insert(offset, data);
        if inserted.beyond || inserted.scattered {
            sink.limit(Limit::QuicCrypto);
        }
        while let Some((length, hello)) = whole_message(window.readable()) {
            if let Some(mut hello) = hello.and_then(|body| ClientHello::parse(Transport::Quic, body)) {
                self.hellos = self.hellos.saturating_add(1);
                emit_next(&mut hello, &mut self.ech, sink);
            }
            window.consume(length);
        }
        if window.is_empty() {
            self.read_to = window.start();
            self.crypto = None;
        }
        Some(rest)
    }
}

/// Steps over PADDING frames (RFC 9000 section 19.1): most of a client's first datagrams is nothing else.
fn unpadded(bytes: &[u8]) -> &[u8] {
    let (words, _) = bytes.as_chunks::<16>();
    let padding = 16 * words.iter().take_while(|word| **word == [0; 16]).count();
    let rest = bytes.get(padding..).unwrap_or_default();
    rest.get(rest.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default()
}

/// The length of a whole handshake message at the front, and its body when it is a ClientHello.
fn whole_message(bytes: &[u8]) -> Option<(usize, Option<&[u8]>)> {
    let ([kind, l2, l1, l0], rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes([0, *l2, *l1, *l0])).ok().filter(|l| *l <= TLS_HELLO_MAX)?;
    let body = rest.get(..length)?;
    Some((4 + length, (*kind == 1).then_some(body)))
}

/// Steps over an ACK frame (RFC 9000 section 19.3).
fn ack(bytes: &[u8], ecn: bool) -> Option<&[u8]> {
    let (_largest, rest) = varint(bytes)?;
    let (_delay, rest) = varint(rest)?;
    let (count, rest) = varint(rest)?;
    let (_first, mut rest) = varint(rest)?;
    let numbers = count.checked_mul(2)?.checked_add(if ecn { 3 } else { 0 })?;
    for _ in 0..numbers {
        // Every number takes a byte, so the loop ends with the packet.
        rest = varint(rest)?.1;
    }
    Some(rest)
}
