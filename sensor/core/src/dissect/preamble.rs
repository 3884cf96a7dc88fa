//! TLS behind other protocols: SOCKS, PROXY headers, STARTTLS in mail, directory, database, chat and remote desktop protocols.
//!
//! A table says by which first bytes each is known. Then the client's bytes are searched for a ClientHello, bounded, and handed over there.

use crate::limits::PREAMBLE_BYTES_MAX;
use crate::record::Sink;

use super::{Carrier, Direction, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors: the last one.
pub static PREAMBLE: DissectorDef = DissectorDef {
    name: "preamble",
    about: "What comes before TLS: SOCKS, PROXY headers, STARTTLS; it has no fields, it only hands over to TLS.",
    carriers: &[Carrier::Tcp],
    fields: &[],
    probe,
    start: || Box::new(Preamble::default()),
};

/// First bytes of protocols that may turn into TLS. Texts are matched without regard to case.
const TEXTS: &[&[u8]] = &[
    // PROXY protocol v1.
    b"PROXY ",
    // SMTP, FTP, NNTP: greetings and commands.
    b"220",
    b"200 ",
    b"201 ",
    b"EHLO ",
    b"HELO ",
    b"LHLO ",
    b"AUTH TLS",
    b"STARTTLS",
    // IMAP, POP3, ManageSieve, ACAP.
    b"* OK",
    b"* PREAUTH",
    b"+OK",
    b"CAPA",
    b"STLS",
    b"\"IMPLEMENTATION\"",
    b"* ACAP",
    // XMPP.
    b"<?xml",
    b"<stream:",
    // IRC.
    b"CAP LS",
    b"NOTICE AUTH",
    b":",
];

/// First bytes that are no text.
const BINARIES: &[&[u8]] = &[
    // PROXY protocol v2.
    b"\r\n\r\n\0\r\nQUIT\n",
    // PostgreSQL SSLRequest.
    &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f],
    // TPKT of RDP, with an X.224 connection request or confirm.
    &[3, 0, 0],
    // TDS pre-login.
    &[0x12, 1, 0],
    // SOCKS 4 and 5: version and command or method count.
    &[4, 1],
    &[4, 2],
    &[5, 1],
    &[5, 2],
    &[5, 3],
    &[5, 4],
    &[5, 0],
];

/// Bytes of a text that are needed to know it.
const TEXT_MAX: usize = 16;

/// Messages that are told by structure, not by fixed bytes: LDAP (a SEQUENCE with a message id), MySQL (a greeting of version 10), IMAP tags.
fn is_structured(bytes: &[u8]) -> bool {
    let ldap = matches!(bytes, [0x30, 0x0c..=0x7f, 2, 1, ..] | [0x30, 0x81..=0x84, ..]);
    let mysql = matches!(bytes, [_, _, 0, 0, 10, b'3'..=b'9' | b'1', ..]);
    let imap_tag = bytes
        .split(|b| *b == b' ')
        .nth(1)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"STARTTLS\r\n") || word.eq_ignore_ascii_case(b"CAPABILITY\r\n"));
    ldap || mysql || imap_tag
}

fn probe(input: &Input<'_>) -> Probe {
    if !input.at_start {
        return Probe::No;
    }
    let bytes = input.bytes;
    let begins = |word: &&[u8]| bytes.get(..word.len()).is_some_and(|b| b.eq_ignore_ascii_case(word));
    if TEXTS.iter().chain(BINARIES).any(begins) || is_structured(bytes) {
        return Probe::Match;
    }
    let may_begin = |word: &&[u8]| bytes.len() < word.len() && word.get(..bytes.len()).is_some_and(|w| w.eq_ignore_ascii_case(bytes));
    let more = bytes.len() < TEXT_MAX && !input.at_end && TEXTS.iter().chain(BINARIES).any(may_begin);
    if more { Probe::More } else { Probe::No }
}

#[derive(Debug, Default)]
struct Preamble {
    seen: [usize; 2],
}

impl Dissector for Preamble {
    fn read(&mut self, input: &Input<'_>, _sink: &mut dyn Sink) -> Progress {
        let [forward, backward] = &mut self.seen;
        let seen = if input.direction == Direction::Forward { forward } else { backward };
        if let Some(at) = hello_at(input.bytes) {
            return Progress::HandOver { consumed: at };
        }
        if seen.saturating_add(input.bytes.len()) > PREAMBLE_BYTES_MAX {
            return Progress::Done;
        }
        // The last bytes may begin a hello whose rest is still to come.
        let keep = input.bytes.len().min(HELLO_HEAD - 1);
        let consumed = input.bytes.len() - keep;
        *seen += consumed;
        if input.at_end { Progress::Done } else { Progress::Continue { consumed, need: keep + 1 } }
    }
}

/// Bytes by which a ClientHello is known: record header, message type and length, version.
const HELLO_HEAD: usize = 11;

/// Where a ClientHello begins: `16 03 0x len len 01 00 xx xx 03 0x`, with lengths that agree.
fn hello_at(bytes: &[u8]) -> Option<usize> {
    bytes.windows(HELLO_HEAD).position(|w| match w {
        [0x16, 3, 0..=4, r1, r0, 1, 0, l1, l0, 3, 0..=4] => {
            let (record, message) = (u16::from_be_bytes([*r1, *r0]), u16::from_be_bytes([*l1, *l0]));
            // The message fills its record, or goes on in the next one.
            message >= 38 && u32::from(record) <= u32::from(message) + 4 + 16_384 && record >= 6
        }
        _ => false,
    })
}
