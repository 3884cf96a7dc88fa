//! NetBIOS over UDP: the name that a host registers or states for its address (RFC 1002).
//!
//! Only names of hosts count: unique names with the suffixes 00 (workstation) and 20 (file server). Group names are work groups, and
//! suffix 03 holds the names of logged-in users. Host names often hold a person's name: the field is personal.

use std::net::IpAddr;

use super::dns::wire::{array_at, ipv4_at, u8_at, u16_at};
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Role, Sink};

/// `netbios.name`: the name that a message is about.
pub static NAME: Field = Field {
    name: "netbios.name",
    key: "name",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: true,
    meaning: "NetBIOS name that a message is about, without padding and suffix.",
    source: "RFC 1001 section 14.1",
};

/// `netbios.message`: what kind of message.
pub static MESSAGE: Field = Field {
    name: "netbios.message",
    key: "message",
    kind: FieldKind::Token(&["query", "registration", "release", "refresh", "response", "status", "datagram", "other"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of NetBIOS message.",
    source: "RFC 1002 sections 4.2 and 4.4",
};

/// The line in the table.
pub static NETBIOS: DissectorDef = DissectorDef {
    name: "netbios",
    about: "NetBIOS name and datagram services: the host name behind an address.",
    carriers: &[Carrier::Udp],
    fields: &[&NAME, &MESSAGE],
    opens: &[0..=0xff],
    ports: &[137, 138],
    probe: |input| if input.carrier == Carrier::Udp && Netbios::parse(input).is_some() { Probe::Match } else { Probe::No },
    start: || Box::new(Reader),
};

/// Octets of an encoded name in a message: length 32, 32 letters, length 0 (without a scope).
const NAME_LEN: usize = 34;

/// Record types: NB and NBSTAT.
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;

struct Reader;

impl Dissector for Reader {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(netbios) = Netbios::parse(input) {
            sink.emit(&netbios);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

/// A NetBIOS name: 15 characters, padded with spaces, and a suffix.
#[derive(Clone, Copy)]
struct NbName {
    text: [u8; 15],
    suffix: u8,
}

impl NbName {
    fn new(raw: [u8; 16]) -> NbName {
        let [text @ .., suffix] = raw;
        NbName { text, suffix }
    }

    /// RFC 1001 section 14.1: each half octet is a letter from A to P; a scope may follow and is passed over.
    fn decode(bytes: &[u8], at: usize) -> Option<NbName> {
        if u8_at(bytes, at)? != 32 {
            return None;
        }
        let letters: [u8; 32] = array_at(bytes, at.checked_add(1)?)?;
        let mut raw = [0; 16];
        for (to, pair) in raw.iter_mut().zip(letters.chunks_exact(2)) {
            let &[high, low] = pair.first_chunk::<2>()?;
            let half = |letter: u8| letter.checked_sub(b'A').filter(|half| *half < 16);
            *to = half(high)? << 4 | half(low)?;
        }
        Some(NbName::new(raw))
    }

    fn text(&self) -> &[u8] {
        let end = self.text.iter().rposition(|b| !matches!(b, 0 | b' ')).map_or(0, |last| last.saturating_add(1));
        self.text.get(..end).unwrap_or(&[])
    }

    /// `*` asks for everybody; other names of hosts.
    fn is_host(&self) -> bool {
        matches!(self.suffix, 0 | 0x20) && !self.text().is_empty() && !self.text().starts_with(b"*")
    }
}

struct Netbios {
    message: &'static str,
    name: NbName,
    response: bool,
    /// The host that the message tells about.
    host: Option<NbName>,
    addr: Option<IpAddr>,
    mac: Option<Mac>,
}

impl Netbios {
    fn parse(input: &Input<'_>) -> Option<Netbios> {
        match (input.src.port, input.dst.port) {
            (137, _) | (_, 137) => Netbios::name_service(input),
            (138, _) | (_, 138) => Netbios::datagram(input),
            _ => None,
        }
    }

    /// RFC 1002 section 4.2: a DNS header; the question's or the record's name comes right behind it.
    fn name_service(input: &Input<'_>) -> Option<Netbios> {
        let bytes = input.bytes;
        let (flags, questions) = (u16_at(bytes, 2)?, u16_at(bytes, 4)?);
        let name = NbName::decode(bytes, 12)?;
        let response = flags & 0x8000 != 0;
        let rtype = u16_at(bytes, 12 + NAME_LEN)?;
        let ok = flags & 0xf == 0;
        let message = match (flags >> 11 & 0xf, response, rtype) {
            (_, true, NBSTAT) => "status",
            (_, true, NB) => "response",
            (0, false, _) => "query",
            (5 | 0xf, false, _) => "registration",
            (6, false, _) => "release",
            (8 | 9, false, _) => "refresh",
            _ => "other",
        };
        let mut netbios = Netbios { message, name, response, host: None, addr: None, mac: None };
        match message {
            // The address record stands behind the question, whose name it points to.
            "registration" | "refresh" if questions == 1 => netbios.take_address(bytes, 12 + NAME_LEN + 4 + 2, name),
            "response" if questions == 0 && ok => netbios.take_address(bytes, 12 + NAME_LEN, name),
            "status" if ok => netbios.take_status(input),
            _ => {}
        }
        Some(netbios)
    }

    /// Takes the address record whose type is at `at`, when it is about a host.
    fn take_address(&mut self, bytes: &[u8], at: usize, name: NbName) {
        self.addr = unique_address(bytes, at).filter(|_| name.is_host());
        self.host = self.addr.map(|_| name);
    }

    /// Number of names, each with 16 octets and flags, then the MAC (section 4.2.18): the sender tells about itself.
    fn take_status(&mut self, input: &Input<'_>) {
        let at = 12 + NAME_LEN + 10;
        let Some(names) = u8_at(input.bytes, at).and_then(|n| input.bytes.get(at + 1..)?.split_at_checked(usize::from(n) * 18)) else {
            return;
        };
        let mut entries = names.0.chunks_exact(18).filter_map(|entry| {
            let name = NbName::new(array_at(entry, 0)?);
            (u16_at(entry, 16)? & 0x8000 == 0 && name.is_host()).then_some(name)
        });
        self.host = entries.next();
        self.addr = self.host.map(|_| input.src.addr);
        self.mac = array_at(names.1, 0).map(Mac).filter(|m| m.is_unicast());
    }

    /// RFC 1002 section 4.4.1: type, flags, id, source address and port, length, offset, source name, destination name.
    fn datagram(input: &Input<'_>) -> Option<Netbios> {
        let bytes = input.bytes;
        let addr = ipv4_at(bytes, 4)?;
        let name = NbName::decode(bytes, 14).filter(|_| matches!(u8_at(bytes, 0), Some(0x10..=0x12)))?;
        // A datagram that was passed on by somebody else says nothing about its sender.
        let own = IpAddr::V4(addr) == input.src.addr && name.is_host();
        let (host, addr) = if own { (Some(name), Some(IpAddr::V4(addr))) } else { (None, None) };
        Some(Netbios { message: "datagram", name, response: false, host, addr, mac: None })
    }
}

/// Type, class, TTL, length, then flags with the group bit and one address (RFC 1002 section 4.2.2).
fn unique_address(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let field = |offset: usize| at.checked_add(offset);
    let unique = u16_at(bytes, at)? == NB && u16_at(bytes, field(10)?)? & 0x8000 == 0;
    let addr = ipv4_at(bytes, field(12)?)?;
    (unique && !addr.is_unspecified() && !addr.is_multicast() && !addr.is_broadcast()).then_some(IpAddr::V4(addr))
}

impl Record for Netbios {
    fn dissector(&self) -> &'static str {
        "netbios"
    }

    fn kind(&self) -> &'static str {
        "netbios"
    }

    fn sender(&self) -> Option<Role> {
        Some(if self.response { Role::Server } else { Role::Client })
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&NAME, Value::Text(self.name.text()));
        see(&MESSAGE, Value::Token(self.message));
    }

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        if let Some(host) = &self.host {
            see(Binding { mac: self.mac, addr: self.addr, name: Some(host.text()), ..Binding::new(BindingSource::Netbios) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dns::testing::{bindings, input, notes};
    use super::*;
    use crate::net::Endpoint;

    fn encoded(name: &str, suffix: u8) -> Vec<u8> {
        let mut raw = format!("{name:<15}").into_bytes();
        raw.push(suffix);
        let letters: Vec<u8> = raw.iter().flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]).collect();
        [&[32][..], &letters, &[0]].concat()
    }

    fn on(port: u16, bytes: &[u8]) -> Input<'_> {
        let end = |addr: [u8; 4]| Endpoint { addr: addr.into(), port };
        Input { src: end([10, 0, 0, 7]), dst: end([10, 0, 0, 255]), ..input(Carrier::Udp, bytes) }
    }

    fn registration(name: &str, suffix: u8, nb_flags: u8) -> Vec<u8> {
        let head = [0, 1, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 1];
        let record = [0xc0, 12, 0, 0x20, 0, 1, 0, 4, 0x93, 0xe0, 0, 6, nb_flags, 0, 10, 0, 0, 7];
        [&head[..], &encoded(name, suffix), &[0, 0x20, 0, 1], &record].concat()
    }

    /// RFC 1001 section 14.1: FRED, padded to 16 with spaces.
    #[test]
    fn the_example_of_rfc_1001() {
        let name = NbName::decode(b" EGFCEFEECACACACACACACACACACACACA\0", 0).expect("valid");
        assert_eq!((name.text(), name.suffix), (&b"FRED"[..], 0x20));
        assert!(NbName::decode(b" EGFCEFEECACACACACACACACACACACACQ\0", 0).is_none());
    }

    #[test]
    fn registrations_bind_hosts_only() {
        assert_eq!(bindings(&NETBIOS, &on(137, &registration("JANA-PC", 0, 0))), ["netbios 10.0.0.7 name=JANA-PC"]);
        assert_eq!(bindings(&NETBIOS, &on(137, &registration("JANA-PC", 0x20, 0x60))), ["netbios 10.0.0.7 name=JANA-PC"]);
        for (name, suffix, flags) in [("WORKGROUP", 0, 0x80), ("JANA", 3, 0), ("*", 0, 0), ("", 0, 0)] {
            let notes = notes(&NETBIOS, &on(137, &registration(name, suffix, flags)));
            assert_eq!((notes.seen.len(), notes.seen[0].bindings.len()), (1, 0), "{name} {suffix:02x} {flags:02x}");
        }
        assert!(NAME.personal);
    }

    #[test]
    fn answers_bind() {
        let head = [0, 1, 0x85, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let record = [0, 0x20, 0, 1, 0, 0, 0, 60, 0, 6, 0, 0, 10, 0, 0, 9];
        let response = [&head[..], &encoded("SERVER", 0x20), &record].concat();
        assert_eq!(bindings(&NETBIOS, &on(137, &response)), ["netbios 10.0.0.9 name=SERVER"]);
        let entry = |name: &str, suffix: u8, flags: u8| [format!("{name:<15}").as_bytes(), &[suffix, flags, 0]].concat();
        let names = [entry("WORKGROUP", 0, 0x84), entry("JANA-PC", 0, 4), entry("JANA", 3, 4)].concat();
        let record = [0, 0x21, 0, 1, 0, 0, 0, 0, 0, 61, 3];
        let status = [&head[..], &encoded("*", 0), &record, &names, &[2, 0, 0, 0, 0, 7]].concat();
        assert_eq!(bindings(&NETBIOS, &on(137, &status)), ["netbios 02:00:00:00:00:07 10.0.0.7 name=JANA-PC"]);
    }

    #[test]
    fn datagrams_bind_their_sender() {
        let mut datagram =
            [&[0x11, 2, 0, 1, 10, 0, 0, 7, 0, 138, 0, 82, 0, 0][..], &encoded("JANA-PC", 0), &encoded("WORKGROUP", 0x1d)].concat();
        assert_eq!(bindings(&NETBIOS, &on(138, &datagram)), ["netbios 10.0.0.7 name=JANA-PC"]);
        datagram[7] = 8;
        assert_eq!(bindings(&NETBIOS, &on(138, &datagram)).len(), 0, "passed on by somebody else");
    }

    #[test]
    fn cut_or_flipped_it_never_panics() {
        let whole = registration("JANA-PC", 0, 0);
        for len in 0..whole.len() {
            assert_eq!(bindings(&NETBIOS, &on(137, &whole[..len])).len(), 0, "{len}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(bindings(&NETBIOS, &on(137, &flipped)).iter().all(|b| b.starts_with("netbios ")));
        }
    }
}
