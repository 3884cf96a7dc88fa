//! Overload: what is not looked at, in a stated order. Bulk goes first, what opens a conversation goes last.

use crate::decode::{Ip, Payload};

/// How much is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shedding {
    /// Nothing.
    #[default]
    Nothing,
    /// Large segments and datagrams that open nothing.
    Bulk,
    /// And every other segment or datagram that opens nothing.
    MidStream,
    /// And segments without payload: of what is left every one may be a sign.
    Bare,
}

impl Shedding {
    /// Steps, mildest first, with the name that their counter has.
    pub const STEPS: [(&'static str, Shedding); 3] =
        [("bulk", Shedding::Bulk), ("mid-stream", Shedding::MidStream), ("bare", Shedding::Bare)];

    /// One step more.
    pub fn more(self) -> Shedding {
        match self {
            Shedding::Nothing => Shedding::Bulk,
            Shedding::Bulk => Shedding::MidStream,
            Shedding::MidStream | Shedding::Bare => Shedding::Bare,
        }
    }

    /// One step less.
    pub fn less(self) -> Shedding {
        match self {
            Shedding::Nothing | Shedding::Bulk => Shedding::Nothing,
            Shedding::MidStream => Shedding::Bulk,
            Shedding::Bare => Shedding::MidStream,
        }
    }

    /// The mildest step that gives this packet up; `None` when it is always looked at.
    pub(super) fn step_of(ip: &Ip<'_>) -> Option<Shedding> {
        let (payload, opens) = match &ip.payload {
            Payload::Tcp(tcp) => (tcp.payload, opens_stream(tcp.payload)),
            Payload::Udp(udp) => (udp.payload, asks(udp.sport) || asks(udp.dport) || opens_datagram(udp.payload)),
            _ => return None,
        };
        match payload.len() {
            0 => Some(Shedding::Bare),
            _ if opens => None,
            BULK_BYTES.. => Some(Shedding::Bulk),
            _ => Some(Shedding::MidStream),
        }
    }
}

/// A payload of so many bytes fills most of an Ethernet frame.
const BULK_BYTES: usize = 1_000;

/// Ports on which addresses and names are told: DNS, DHCP, NetBIOS, DHCPv6, mDNS, LLMNR.
fn asks(port: u16) -> bool {
    matches!(port, 53 | 67 | 68 | 137 | 546 | 547 | 5353 | 5355)
}

/// The first bytes of a TLS handshake record, of an MMTLS record, of an HTTP message, or of a hand-over to TLS.
fn opens_stream(bytes: &[u8]) -> bool {
    match bytes {
        [0x16, 0x03, ..] | [0x15..=0x19, 0xf1, ..] => true,
        [first, ..] => first.is_ascii_uppercase() || *first == b'*' || *first <= 0x05,
        [] => false,
    }
}

/// A QUIC long header (RFC 8999 section 5.1), or a DTLS handshake record.
fn opens_datagram(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80..=0xff, ..] | [0x16, 0xfe, ..] | [0x02, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Tcp, TcpFlags, Udp};

    fn step(payload: Payload<'_>) -> Option<Shedding> {
        let addr = "192.0.2.1".parse().expect("address");
        Shedding::step_of(&Ip { src: addr, dst: addr, ttl: 64, payload })
    }

    fn tcp(payload: &[u8]) -> Option<Shedding> {
        let (seq, ack, flags, wire_len) = (1, 1, TcpFlags::default(), payload.len() as u32);
        step(Payload::Tcp(Tcp { sport: 50_000, dport: 443, seq, ack, flags, payload, wire_len }))
    }

    fn udp(dport: u16, payload: &[u8]) -> Option<Shedding> {
        step(Payload::Udp(Udp { sport: 50_000, dport, payload }))
    }

    #[test]
    fn bulk_first_handshakes_never() {
        let long = |first: &[u8]| [first, &[0x77; 1_400]].concat();
        for opening in
            [&[0x16, 3, 1][..], &[0x16, 0xf1, 4], &[0x19, 0xf1, 3], b"GET / HTTP/1.1\r\n", b"CONNECT x:443", &[5, 1, 0], b"* OK IMAP"]
        {
            assert_eq!((tcp(opening), tcp(&long(opening))), (None, None), "{opening:?}");
        }
        assert_eq!(tcp(&long(&[0x17, 3, 3])), Some(Shedding::Bulk));
        assert_eq!(tcp(&[0x17, 3, 3, 0, 20]), Some(Shedding::MidStream));
        assert_eq!(tcp(&[]), Some(Shedding::Bare));
        assert_eq!((udp(53, b"\x12\x34"), udp(5353, &long(b"x"))), (None, None), "names");
        assert_eq!((udp(443, &[0xc3, 0, 0, 0, 1]), udp(443, &long(&[0xc3]))), (None, None), "a long header");
        assert_eq!((udp(443, &[0x43, 1, 2]), udp(443, &long(&[0x43]))), (Some(Shedding::MidStream), Some(Shedding::Bulk)));
        assert_eq!(step(Payload::Icmp6(&[])), None);
    }

    #[test]
    fn steps_go_up_and_down_and_end() {
        let up: Vec<Shedding> = std::iter::successors(Some(Shedding::Nothing), |s| Some(s.more())).take(5).collect();
        assert_eq!(up, [Shedding::Nothing, Shedding::Bulk, Shedding::MidStream, Shedding::Bare, Shedding::Bare]);
        assert_eq!(up.iter().rev().map(|s| s.less()).collect::<Vec<_>>()[..2], [Shedding::MidStream, Shedding::MidStream]);
        assert_eq!(Shedding::Nothing.less(), Shedding::Nothing);
    }
}
