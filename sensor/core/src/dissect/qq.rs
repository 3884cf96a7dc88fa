//! Tencent QQ: OICQ datagrams and the hello of its MSF link. Not WeChat: it has a dissector so that it is not taken for it.

use crate::dissect::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Family, Field, FieldKind, Value};
use crate::record::{Detail, Record, Sink};

/// `qq.oicq`: an OICQ datagram.
pub static OICQ: Field = Field {
    name: "qq.oicq",
    key: "oicq",
    kind: FieldKind::Token(&["packet"]),
    family: Some(Family::Structure),
    signal: Some("qq-oicq"),
    personal: false,
    meaning: "Datagram to or from UDP port 8000 that begins with 02, carries a known OICQ command, and ends with 03.",
    source: "Wireshark packet-oicq.c; nDPI test captures",
};

/// `qq.msf`: the hello of the MSF link.
pub static MSF: Field = Field {
    name: "qq.msf",
    key: "msf",
    kind: FieldKind::Token(&["hello"]),
    family: Some(Family::Structure),
    signal: Some("qq-msf"),
    personal: false,
    meaning: "First message of QQ's TCP link: its own length, 01335239, four zero bytes, the word MSF.",
    source: "libprotoident; one source, weak",
};

/// QQ's line in the table of dissectors.
pub static QQ: DissectorDef = DissectorDef {
    name: "qq",
    about: "Tencent QQ: OICQ over UDP and the MSF hello over TCP.",
    carriers: &[Carrier::Tcp, Carrier::Udp],
    fields: &[&OICQ, &MSF],
    opens: &[0..=0, 2..=2],
    ports: &[],
    probe,
    start: || Box::new(Qq),
};

const OICQ_PORT: u16 = 8000;

/// Flag, version, command, sequence, account number, at least one byte, end mark.
const OICQ_BYTES_MIN: usize = 1 + 2 + 2 + 2 + 4 + 1 + 1;

/// Commands that Wireshark names, and the login family of later clients.
const OICQ_COMMANDS: [u16; 50] = [
    0x0001, 0x0002, 0x0004, 0x0005, 0x0006, 0x0009, 0x000a, 0x000b, 0x000d, 0x0012, 0x0016, 0x0017, 0x0018, 0x001a, 0x001c, 0x001d, 0x0021,
    0x0022, 0x0026, 0x0027, 0x0029, 0x0030, 0x0031, 0x003c, 0x003d, 0x003e, 0x0058, 0x005c, 0x0062, 0x0065, 0x0067, 0x0080, 0x0081, 0x0091,
    0x00b5, 0x00ba, 0x00cd, 0x00ce, 0x00d1, 0x00dd, 0x00e5, 0x0818, 0x0819, 0x0825, 0x0826, 0x0828, 0x0836, 0x0839, 0x083b, 0x083e,
];

/// What follows the length of an MSF hello.
const MSF_MARK: &[u8] = &[0x01, 0x33, 0x52, 0x39, 0, 0, 0, 0, 4, b'M', b'S', b'F', 5];

/// The longest first message that is believed, in bytes.
const MSF_BYTES_MAX: usize = 4_096;

fn probe(input: &Input<'_>) -> Probe {
    match input.carrier {
        Carrier::Udp if is_oicq(input) => Probe::Match,
        Carrier::Tcp if input.at_start => match msf(input.bytes) {
            Some(None) => Probe::More,
            Some(Some(_)) => Probe::Match,
            None => Probe::No,
        },
        _ => Probe::No,
    }
}

fn is_oicq(input: &Input<'_>) -> bool {
    let Some(([2, version @ .., c0, c1, _, _, q0, q1, q2, q3], rest)) = input.bytes.split_first_chunk::<11>() else { return false };
    (input.src.port == OICQ_PORT || input.dst.port == OICQ_PORT)
        && input.bytes.len() >= OICQ_BYTES_MIN
        && *version != [0, 0]
        && OICQ_COMMANDS.contains(&u16::from_be_bytes([*c0, *c1]))
        && [*q0, *q1, *q2, *q3] != [0; 4]
        && rest.last() == Some(&3)
}

/// The declared length of an MSF hello once its mark is there; `Some(None)` while it may become one.
fn msf(bytes: &[u8]) -> Option<Option<usize>> {
    let length_seen = bytes.get(..bytes.len().min(2)).unwrap_or(bytes);
    if length_seen.iter().any(|b| *b != 0) {
        return None;
    }
    let Some((length, rest)) = bytes.split_first_chunk() else { return Some(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if !(MSF_MARK.len() + 4..=MSF_BYTES_MAX).contains(&length) {
        return None;
    }
    let seen = rest.len().min(MSF_MARK.len());
    (rest.get(..seen) == MSF_MARK.get(..seen)).then_some((seen == MSF_MARK.len()).then_some(length))
}

/// One sign is all there is to say about a flow.
struct Qq;

impl Dissector for Qq {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if input.carrier == Carrier::Udp {
            if is_oicq(input) {
                sink.emit(&Seen(&OICQ, "packet"));
            }
            return Progress::FlowDone;
        }
        match msf(input.bytes) {
            Some(None) => Progress::Continue { consumed: 0, need: MSF_MARK.len() + 4 },
            Some(Some(length)) if input.bytes.len() < length => Progress::Continue { consumed: 0, need: length },
            Some(Some(_)) => {
                sink.emit(&Seen(&MSF, "hello"));
                Progress::FlowDone
            }
            // The other side may still say it: what a server answers early ends nothing.
            None => Progress::Done,
        }
    }
}

struct Seen(&'static Field, &'static str);

impl Record for Seen {
    fn dissector(&self) -> &'static str {
        "qq"
    }

    fn kind(&self) -> &'static str {
        "qq"
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(self.0, Value::Token(self.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::mmtls::replay::{self, Script};

    const HELLO: &[u8] = b"\x00\x00\x00\x15\x01\x33\x52\x39\x00\x00\x00\x00\x04MSF\x05\x00\x00\x00\x00";
    const PACKET: &[u8] = &[0x02, 0x3b, 0x0b, 0x00, 0x01, 0x00, 0x17, 0x56, 0x1f, 0x0c, 0x7b, 0, 0, 0, 0, 0x0c, 0x94, 0x03];

    fn tcp(bytes: &[u8], piece: usize) -> Vec<String> {
        Script::tcp(40_000, 14_000).send(bytes, piece).run()
    }

    fn udp(bytes: &[u8], port: u16) -> Vec<String> {
        replay::datagram(bytes, 4_000, port)
    }

    #[test]
    fn an_msf_hello_in_any_pieces() {
        for piece in [1, 7, 1_400] {
            assert_eq!(tcp(HELLO, piece), ["qq msf=hello"]);
        }
    }

    #[test]
    fn an_early_answer_hides_no_hello() {
        let (head, tail) = HELLO.split_at(18);
        let seen = Script::tcp(40_000, 14_000).send(head, 18).reply(b"\x00whatever a server says", 22).send(tail, 3).run();
        assert_eq!(seen, ["qq msf=hello"]);
    }

    #[test]
    fn not_merely_a_length() {
        for at in 0..MSF_MARK.len() + 4 {
            let mut bad = HELLO.to_vec();
            bad[at] ^= 0x40;
            assert_eq!(tcp(&bad, 1_400), [""; 0], "{at}");
        }
        for cut in 0..HELLO.len() {
            assert_eq!(tcp(&HELLO[..cut], 1_400), [""; 0], "{cut}");
        }
        assert_eq!(tcp(b"\x00\x00\x00\x15aaaaaaaaaaaaaaaaaaaaaaaaaa", 1_400), [""; 0]);
    }

    #[test]
    fn oicq_is_strict() {
        assert_eq!(udp(PACKET, 8_000), ["qq oicq=packet"]);
        assert_eq!(udp(PACKET, 8_001), [""; 0]);
        for (at, byte) in [(0, 3), (3, 0x77), (17, 2)] {
            let mut bad = PACKET.to_vec();
            bad[at] = byte;
            assert_eq!(udp(&bad, 8_000), [""; 0], "{at}");
        }
        for cut in 0..PACKET.len() {
            assert_eq!(udp(&PACKET[..cut], 8_000), [""; 0], "{cut}");
        }
    }
}
