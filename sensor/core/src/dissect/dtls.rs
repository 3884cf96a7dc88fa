//! DTLS 1.0 to 1.3: the ClientHello, in fragments of any order; with a cookie there are two, and both count.

use crate::assembler::Assembler;
use crate::limits::{Limit, TLS_HELLO_MAX};
use crate::record::Sink;

use super::client_hello::{ClientHello, DTLS_ALPN, DTLS_ECH, DTLS_ECH_CONFIG, DTLS_JA3, DTLS_JA4, DTLS_SNI, DTLS_VERSION, Transport};
use super::tls::emit_hello;
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors.
pub static DTLS: DissectorDef = DissectorDef {
    name: "dtls",
    about: "DTLS over UDP on any port: the ClientHello.",
    carriers: &[Carrier::Udp],
    fields: &[&DTLS_SNI, &DTLS_ALPN, &DTLS_VERSION, &DTLS_ECH, &DTLS_ECH_CONFIG, &DTLS_JA3, &DTLS_JA4],
    opens: &[20..=25],
    ports: &[],
    probe,
    start: || Box::new(Dtls::default()),
};

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Fragments of one hello.
const FRAGMENTS_MAX: usize = 256;

/// Datagrams looked at before a flow is given up.
const DATAGRAMS_MAX: u16 = 64;

fn probe(input: &Input<'_>) -> Probe {
    let is_hello = records(input.bytes).next().is_some_and(|(kind, body)| kind == HANDSHAKE && matches!(body.first(), Some(1..=3)));
    if is_hello { Probe::Match } else { Probe::No }
}

/// The records of a datagram (RFC 6347 section 4.1): type, version, epoch, sequence number, length. Those of epoch 0 are in the clear.
fn records(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (header, after) = rest.split_first_chunk::<13>()?;
        let [kind, major, minor, e1, e0, .., l1, l0] = *header;
        let versions = matches!((major, minor), (0xfe, 0xff | 0xfd | 0xfc) | (1, 0));
        let body = after.get(..usize::from(u16::from_be_bytes([l1, l0])))?;
        if !versions || (e1, e0) != (0, 0) || !(20..=25).contains(&kind) {
            return None;
        }
        rest = after.get(body.len()..)?;
        Some((kind, body))
    })
}

/// A fragment of a handshake message (RFC 6347 section 4.2.2).
struct Fragment<'a> {
    kind: u8,
    length: usize,
    sequence: u16,
    offset: usize,
    bytes: &'a [u8],
}

fn be24(bytes: [u8; 3]) -> usize {
    let [a, b, c] = bytes;
    usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX)
}

fn fragments(body: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (header, after) = rest.split_first_chunk::<12>()?;
        let [kind, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0] = *header;
        let bytes = after.get(..be24([f2, f1, f0]))?;
        rest = after.get(bytes.len()..)?;
        Some(Fragment { kind, length: be24([l2, l1, l0]), sequence: u16::from_be_bytes([s1, s0]), offset: be24([o2, o1, o0]), bytes })
    })
}

#[derive(Debug, Default)]
struct Dtls {
    /// The hello under assembly: its sequence number, its length, its bytes.
    hello: Option<(u16, usize, Assembler)>,
    /// Hellos that were read already, by sequence number.
    read: Vec<u16>,
    datagrams: u16,
}

impl Dissector for Dtls {
    fn held(&self) -> usize {
        self.hello.as_ref().map_or(0, |(.., window)| window.held())
    }

    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        self.datagrams += 1;
        for (kind, body) in records(input.bytes) {
            if kind != HANDSHAKE {
                continue;
            }
            for fragment in fragments(body).filter(|f| f.kind == CLIENT_HELLO) {
                self.take(&fragment, sink);
            }
        }
        let over = self.datagrams >= DATAGRAMS_MAX || self.read.len() >= 4;
        if over { Progress::FlowDone } else { Progress::Continue { consumed: input.bytes.len(), need: 0 } }
    }
}

impl Dtls {
    fn take(&mut self, fragment: &Fragment<'_>, sink: &mut dyn Sink) {
        if fragment.length > TLS_HELLO_MAX {
            sink.limit(Limit::TlsHello);
            return;
        }
        let within = fragment.offset.checked_add(fragment.bytes.len()).is_some_and(|end| end <= fragment.length);
        if !within || self.read.contains(&fragment.sequence) {
            return;
        }
        let fits = |(sequence, length, _): &(u16, usize, Assembler)| *sequence == fragment.sequence && *length == fragment.length;
        if !self.hello.as_ref().is_some_and(fits) {
            self.hello = Some((fragment.sequence, fragment.length, Assembler::new(0, TLS_HELLO_MAX, FRAGMENTS_MAX)));
        }
        let Some((_, length, window)) = &mut self.hello else { return };
        window.insert(fragment.offset as u64, fragment.bytes);
        if let Some(body) = window.readable().get(..*length) {
            let plain = ClientHello::without_cookie(body);
            if let Some(hello) = plain.as_deref().and_then(|body| ClientHello::parse(Transport::Dtls, body)) {
                emit_hello(&hello, sink);
            }
            self.read.push(fragment.sequence);
            self.hello = None;
        }
    }
}
