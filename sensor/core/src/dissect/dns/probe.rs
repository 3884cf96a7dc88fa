//! Is it DNS? Certain by port where the port says so, by a strict reading of the whole message anywhere else.

use super::message::{HEADER_LEN, Header, Message, Question, is_known_type};
use super::name::Name;
use crate::dissect::{Carrier, Input, Probe};

/// Ports on which a readable first question is enough: DNS, multicast DNS, LLMNR.
const PORTS: [u16; 3] = [53, 5353, 5355];

/// NetBIOS name service: the same header around names of its own, see the `netbios` dissector.
const NETBIOS: u16 = 137;

/// Octets of a message over TCP on a port that is not DNS's, for which the probe is willing to wait.
const STRICT_MAX: usize = 2048;

/// The probe of the dissector.
pub fn probe(input: &Input<'_>) -> Probe {
    let on = |port: u16| input.src.port == port || input.dst.port == port;
    if on(NETBIOS) {
        return Probe::No;
    }
    let known = PORTS.into_iter().any(on);
    match input.carrier {
        Carrier::Udp => verdict(if known { is_plausible(input.bytes) } else { is_strict(input.bytes) }),
        Carrier::Tcp => stream(input, known),
        _ => Probe::No,
    }
}

const fn verdict(yes: bool) -> Probe {
    if yes { Probe::Match } else { Probe::No }
}

fn stream(input: &Input<'_>, known: bool) -> Probe {
    let Some((head, rest)) = input.bytes.split_first_chunk::<2>() else {
        let first = input.bytes.first().copied().unwrap_or(0);
        return if known || usize::from(first) < STRICT_MAX >> 8 { more(input) } else { Probe::No };
    };
    let len = usize::from(u16::from_be_bytes(*head));
    if len <= HEADER_LEN || (!known && len > STRICT_MAX) {
        return Probe::No;
    }
    let whole = rest.get(..len);
    match (whole, Header::parse(rest)) {
        // Every octet of the header that is there must be possible: the first text byte of another protocol ends the waiting.
        (_, None) => {
            if could_be_header(rest) {
                more(input)
            } else {
                Probe::No
            }
        }
        (_, Some(header)) if !header_fits(&header) => Probe::No,
        (_, Some(_)) if known => Probe::Match,
        (Some(message), _) => verdict(is_strict(message)),
        (None, _) => more(input),
    }
}

/// Nothing more will come at the end of a direction.
const fn more(input: &Input<'_>) -> Probe {
    if input.at_end { Probe::No } else { Probe::More }
}

/// Whether a header cut short could still be one: the flags, as far as they are there.
fn could_be_header(bytes: &[u8]) -> bool {
    let mut padded = [0; HEADER_LEN];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    // A missing octet counts as the one that fits.
    if let Some(questions) = padded.get_mut(5).filter(|_| bytes.len() < 6) {
        *questions = 1;
    }
    Header::parse(&padded).is_some_and(|header| header_fits(&header))
}

/// What the header of a query, notify or update over a stream may say.
fn header_fits(header: &Header) -> bool {
    let [questions, answers, authorities, additionals] = header.counts;
    matches!(header.opcode(), 0 | 4 | 5) && !header.reserved() && questions <= 1 && {
        header.is_response() || header.opcode() != 0 || (answers == 0 && authorities == 0 && additionals <= 2 && questions == 1)
    }
}

/// On a port of its own: some question can be read, or there is none and records follow.
fn is_plausible(bytes: &[u8]) -> bool {
    match Header::parse(bytes) {
        Some(header) if header.questions() > 0 => Name::read(bytes, HEADER_LEN).is_some(),
        Some(header) => header.counts == [0; 4] || Message::parse(bytes).is_some_and(|m| m.records().next().is_some()),
        None => false,
    }
}

/// Anywhere: exactly one question of a known type and class about a name made of host name characters, records to the last octet.
fn is_strict(bytes: &[u8]) -> bool {
    let Some(header) = Header::parse(bytes) else { return false };
    if header.opcode() != 0 || header.questions() != 1 || !header_fits(&header) || header.rcode() > 5 {
        return false;
    }
    let Some(message) = Message::parse(bytes) else { return false };
    message.first.is_some_and(|question| is_common(&question)) && message.is_exact()
}

fn is_common(question: &Question<'_>) -> bool {
    let host = |label: &[u8]| label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'*'));
    matches!(question.class, Some(1 | 255))
        && question.qtype.is_some_and(is_known_type)
        && !question.name.is_root()
        && question.name.labels().all(host)
}
