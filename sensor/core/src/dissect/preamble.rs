//! TLS behind other protocols: SOCKS, PROXY headers, STARTTLS in mail, directory, database, chat and remote desktop protocols.
//!
//! What comes before TLS is known by its first bytes, from either end. Then both directions are searched for a ClientHello, bounded,
//! and handed over there. The wrapper itself is not parsed: what it says is the sender's word, while a hello is a hello.

use crate::limits::{Limit, PREAMBLE_BYTES_MAX};
use crate::record::Sink;

use super::{Carrier, Direction, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors: the last one.
pub static PREAMBLE: DissectorDef = DissectorDef {
    name: "preamble",
    about: "What comes before TLS: SOCKS, PROXY headers, STARTTLS; it has no fields, it only hands over to TLS.",
    carriers: &[Carrier::Tcp],
    fields: &[],
    opens: &[0..=0xff],
    ports: &[],
    probe,
    start: || Box::new(Preamble::default()),
};

/// First bytes of protocols that may turn into TLS, compared without regard to case.
const OPENINGS: &[&[u8]] = &[
    // PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt sections 2.1 and 2.2).
    b"PROXY ",
    b"\r\n\r\n\0\r\nQUIT\n",
    // SMTP, LMTP, FTP, NNTP: greetings and commands (RFC 3207, RFC 2033, RFC 4217, RFC 4642).
    b"220",
    b"200 ",
    b"201 ",
    b"EHLO ",
    b"HELO ",
    b"LHLO ",
    b"AUTH TLS",
    b"AUTH SSL",
    b"FEAT\r\n",
    b"USER ",
    b"STARTTLS",
    b"CAPABILITIES",
    b"MODE READER",
    // IMAP (RFC 9051), POP3 (RFC 2595), ManageSieve (RFC 5804), ACAP.
    b"* OK",
    b"* PREAUTH",
    b"* ACAP",
    b"+OK",
    b"CAPA",
    b"STLS",
    b"\"IMPLEMENTATION\"",
    // XMPP (RFC 6120 section 5).
    b"<?xml",
    b"<stream:",
    // IRC, NATS (its INFO line).
    b"CAP LS",
    b"NICK ",
    b"PASS ",
    b"NOTICE ",
    b":",
    b"INFO {",
    // VNC with VeNCrypt.
    b"RFB 003.",
    // PostgreSQL: SSLRequest and GSSENCRequest.
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\0\0\0\x08\x04\xd2\x16\x30",
    // SQL Server: TLS inside PRELOGIN packets (MS-TDS section 2.2.6.5).
    b"\x12\x01\0",
];

fn probe(input: &Input<'_>) -> Probe {
    if !input.at_start {
        return Probe::No;
    }
    let answer = match opening(input.bytes) {
        Probe::Match => Probe::Match,
        Probe::More => Probe::More,
        Probe::No => structured(input.bytes),
    };
    if answer == Probe::More && input.at_end { Probe::No } else { answer }
}

fn opening(bytes: &[u8]) -> Probe {
    let agrees = |word: &&&[u8]| word.iter().zip(bytes).all(|(a, b)| a.eq_ignore_ascii_case(b));
    let shown = |word: &&[u8]| word.len() <= bytes.len();
    // Those that are cut here may still become something; one that is whole decides.
    OPENINGS
        .iter()
        .filter(agrees)
        .fold(Probe::No, |so_far, word| if so_far == Probe::Match || shown(word) { Probe::Match } else { Probe::More })
}

/// Wrappers whose first message has lengths that must agree.
fn structured(bytes: &[u8]) -> Probe {
    match *bytes {
        [] | [3..=5] => Probe::More,
        // SOCKS 5 (RFC 1928 section 3): the server's choice, then its reply or that of RFC 1929.
        [5, 0 | 2 | 0xff] | [5, 0, 5, ..] | [5, 2, 1, ..] => Probe::Match,
        // A count and as many methods, then a request or the password.
        [5, count @ 1..=16, ref methods @ ..] => match methods.get(usize::from(count)) {
            None if methods.len() < usize::from(count) => Probe::More,
            None | Some(1 | 5) => Probe::Match,
            Some(_) => Probe::No,
        },
        // SOCKS 4 and 4a: command, port, address, user, zero.
        [4, 1 | 2, ref rest @ ..] => match rest.get(6..) {
            Some(user) if user.contains(&0) => Probe::Match,
            Some(user) if user.len() >= 64 => Probe::No,
            _ => Probe::More,
        },
        // TPKT with an X.224 connection request or confirm: RDP (MS-RDPBCGR section 2.2.1.1, RFC 1006 section 6).
        [3, 0, high, low, indicator, 0xe0 | 0xd0, ..] => {
            let agrees = u16::from(indicator).saturating_add(5) == u16::from_be_bytes([high, low]);
            if agrees { Probe::Match } else { Probe::No }
        }
        [3, 0, ..] if bytes.len() < 6 => Probe::More,
        // LDAP: a message with an extended request or response (RFC 4511 section 4.12).
        [0x30, 0x84, _, _, _, _, 2, 1, _, 0x77 | 0x78, ..] | [0x30, 0..=0x7f, 2, 1, _, 0x77 | 0x78, ..] => Probe::Match,
        [0x30, ..] if bytes.len() < 10 => Probe::More,
        // MySQL: the server's greeting, protocol 10, with a version that is a number; the client's SSLRequest.
        [low, 0, 0, 0, 10, b'1'..=b'9', ..] if low >= GREETING_MIN => Probe::Match,
        [32, 0, 0, 1, ..] => Probe::Match,
        [low] | [low, 0] | [low, 0, 0] | [low, 0, 0, 0] | [low, 0, 0, 0, 10] if low >= GREETING_MIN => Probe::More,
        [b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z', ..] => imap_command(bytes),
        _ => Probe::No,
    }
}

/// The shortest greeting of a MySQL server.
const GREETING_MIN: u8 = 30;

/// The longest IMAP tag that is believed.
const TAG_MAX: usize = 12;

/// `a001 STARTTLS`, `1 CAPABILITY`: a short tag that ends in a digit, then one of the commands that come first.
fn imap_command(bytes: &[u8]) -> Probe {
    let is_tag = |tag: &[u8]| tag.len() <= TAG_MAX && tag.iter().all(u8::is_ascii_alphanumeric);
    let Some(space) = bytes.iter().take(TAG_MAX + 1).position(|b| *b == b' ') else {
        return if is_tag(bytes) { Probe::More } else { Probe::No };
    };
    let Some((tag, [_, command @ ..])) = bytes.split_at_checked(space) else { return Probe::No };
    if !is_tag(tag) || !tag.last().is_some_and(u8::is_ascii_digit) {
        return Probe::No;
    }
    let commands = [&b"STARTTLS"[..], b"CAPABILITY", b"ID ", b"NOOP"];
    let agrees = |word: &&&[u8]| word.iter().zip(command).all(|(a, b)| a.eq_ignore_ascii_case(b));
    match commands.iter().find(agrees) {
        Some(word) if word.len() <= command.len() => Probe::Match,
        Some(_) => Probe::More,
        None => Probe::No,
    }
}

/// Bytes of each direction that were passed over.
#[derive(Debug, Default)]
struct Preamble {
    seen: [usize; 2],
}

impl Dissector for Preamble {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        let [forward, backward] = &mut self.seen;
        let seen = if input.direction == Direction::Forward { forward } else { backward };
        let (passed, found) = hello_at(input.bytes);
        if found {
            return Progress::HandOver { consumed: passed };
        }
        *seen = seen.saturating_add(passed);
        if *seen > PREAMBLE_BYTES_MAX {
            sink.limit(Limit::Preamble);
            return Progress::Done;
        }
        if input.at_end {
            return Progress::Done;
        }
        Progress::Continue { consumed: passed, need: input.bytes.len() - passed + 1 }
    }

    /// A hello behind a gap is as good as any other: the search goes on.
    fn gap(&mut self, _direction: Direction) -> Progress {
        Progress::Continue { consumed: 0, need: 1 }
    }
}

/// The offset of the first record that begins a ClientHello, or of the first that may still turn out to be one.
fn hello_at(bytes: &[u8]) -> (usize, bool) {
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == 22) {
        match begins_hello(bytes.get(at..).unwrap_or(&[])) {
            Probe::Match => return (at, true),
            Probe::More => return (at, false),
            Probe::No => {}
        }
    }
    (bytes.len(), false)
}

/// Bytes of a handshake message that tell a ClientHello: type, length, version.
const HELLO_HEAD: usize = 6;

/// The shortest ClientHello: version, random, empty session, no suites, no compression.
const HELLO_MIN: u16 = 38;

/// Whether a record here begins a ClientHello; its first six bytes may lie in as many records.
fn begins_hello(bytes: &[u8]) -> Probe {
    let mut head: Vec<u8> = Vec::with_capacity(HELLO_HEAD);
    let mut rest = bytes;
    while head.len() < HELLO_HEAD {
        let (length, after) = match rest {
            [22, 3, 0..=4, high, low, after @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), after),
            [] | [22] | [22, 3] | [22, 3, 0..=4] | [22, 3, 0..=4, 0..=0x40] => return Probe::More,
            _ => return Probe::No,
        };
        if length == 0 || length > 1 << 14 {
            return Probe::No;
        }
        let (body, next) = after.split_at_checked(length).unwrap_or((after, &[]));
        head.extend(body.iter().take(HELLO_HEAD - head.len()));
        let fits = match *head {
            [] | [1] | [1, 0] | [1, 0, _] => true,
            [1, 0, l1, l0, ref version @ ..] => u16::from_be_bytes([l1, l0]) >= HELLO_MIN && matches!(version, [] | [3] | [3, 0..=4]),
            _ => false,
        };
        match fits {
            false => return Probe::No,
            true if head.len() < HELLO_HEAD && body.len() < length => return Probe::More,
            true => rest = next,
        }
    }
    Probe::Match
}
