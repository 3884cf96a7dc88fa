//! NetBIOS name service (RFC 1002): hosts that register a name for their own address.

use std::net::{IpAddr, Ipv4Addr};

use crate::field::{Field, Value};
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors.
pub static NETBIOS: DissectorDef = DissectorDef {
    name: "netbios",
    about: "NetBIOS name registrations and datagrams: binds host name and address; it has no fields for rules.",
    carriers: &[Carrier::Udp],
    fields: &[],
    probe: |input| {
        let on_port = [input.src.port, input.dst.port].iter().any(|p| matches!(p, 137 | 138));
        if on_port && Message::parse(input).is_some() { Probe::Match } else { Probe::No }
    },
    start: || Box::new(Netbios),
};

/// Suffixes of unique names of hosts: workstation, server (the last byte of the 16).
const HOST_SUFFIXES: [u8; 2] = [0x00, 0x20];

struct Netbios;

struct Message {
    name: Vec<u8>,
    addr: IpAddr,
}

impl Message {
    fn parse(input: &Input<'_>) -> Option<Message> {
        let bytes = input.bytes;
        if input.dst.port == 138 || input.src.port == 138 {
            // A datagram (section 4.4.1): its source name stands behind 14 bytes and speaks of the sender.
            let [0x10..=0x12, ..] = bytes else { return None };
            return Some(Message { name: decoded(bytes.get(14..)?)?, addr: input.src.addr });
        }
        // Registration or refresh requests (section 4.2.2): opcode 5, 8 or 9, one question and the address in the additional record.
        let flags = bytes.get(2..)?.first_chunk().map(|f| u16::from_be_bytes(*f))?;
        if flags & 0x8000 != 0 || !matches!(flags >> 11 & 0xf, 5 | 8 | 9) {
            return None;
        }
        let name = decoded(bytes.get(12..)?)?;
        let record = bytes.get(50..)?;
        // The name again (a pointer or in full), type, class, TTL, length, flags, address.
        let data = if record.first()? & 0xc0 == 0xc0 { record.get(2..)? } else { record.get(34..)? };
        let flags = data.get(10..)?.first_chunk().map(|f| u16::from_be_bytes(*f))?;
        let addr = data.get(12..)?.first_chunk::<4>().map(|a| IpAddr::V4(Ipv4Addr::from(*a)))?;
        (flags & 0x8000 == 0).then_some(Message { name, addr })
    }
}

/// A first-level encoded name (RFC 1001 section 14.1): 32 letters A to P, the 16th byte a suffix; only names of hosts.
fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    let encoded = bytes.strip_prefix(&[32])?.first_chunk::<32>()?;
    let mut raw = Vec::with_capacity(16);
    for [high, low] in encoded.as_chunks::<2>().0 {
        let nibble = |b: &u8| b.checked_sub(b'A').filter(|n| *n < 16);
        raw.push(nibble(high)? << 4 | nibble(low)?);
    }
    let (suffix, name) = raw.split_last()?;
    let name = name.trim_ascii_end();
    let printable = name.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    (HOST_SUFFIXES.contains(suffix) && printable && !name.is_empty()).then(|| name.to_vec())
}

impl Dissector for Netbios {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(message) = Message::parse(input) {
            sink.emit(&message);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

impl Record for Message {
    fn dissector(&self) -> &'static str {
        "netbios"
    }

    fn kind(&self) -> &'static str {
        "netbios"
    }

    fn visit(&self, _detail: Detail, _see: &mut dyn FnMut(&'static Field, Value<'_>)) {}

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        see(Binding { addr: Some(self.addr), name: Some(&self.name), ..Binding::new(BindingSource::Netbios) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(name: &str, suffix: u8) -> Vec<u8> {
        let mut raw = format!("{name:<15}").into_bytes();
        raw.push(suffix);
        [vec![32], raw.iter().flat_map(|b| [b'A' + (b >> 4), b'A' + (b & 15)]).collect(), vec![0]].concat()
    }

    #[test]
    fn names_of_hosts_only() {
        assert_eq!(decoded(&encoded("LAPTOP-7", 0)).as_deref(), Some(&b"LAPTOP-7"[..]));
        assert_eq!(decoded(&encoded("WORKGROUP", 0x1e)), None);
        for cut in 0..33 {
            assert_eq!(decoded(&encoded("LAPTOP-7", 0)[..cut]), None);
        }
    }
}
