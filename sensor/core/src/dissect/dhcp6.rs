//! DHCP for IPv6 (RFC 8415): addresses given, the hardware address in the client's identifier, its name.

use std::net::{IpAddr, Ipv6Addr};

use crate::field::{Field, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors.
pub static DHCP6: DissectorDef = DissectorDef {
    name: "dhcp6",
    about: "DHCP for IPv6, relayed or not: binds addresses and names; it has no fields for rules.",
    carriers: &[Carrier::Udp],
    fields: &[],
    probe: |input| {
        let ports = [input.src.port, input.dst.port];
        if ports.iter().any(|p| matches!(p, 546 | 547)) && Message::parse(input.bytes, 0).is_some() { Probe::Match } else { Probe::No }
    },
    start: || Box::new(Dhcp6),
};

const REPLY: u8 = 7;
const RELAY_FORWARD: u8 = 12;
const RELAY_REPLY: u8 = 13;

const CLIENT_ID: u16 = 1;
const IA_NA: u16 = 3;
const IA_ADDRESS: u16 = 5;
const RELAY_MESSAGE: u16 = 9;
const CLIENT_FQDN: u16 = 39;
const CLIENT_LINK_LAYER: u16 = 79;

/// Relays one behind the other.
const RELAYS_MAX: usize = 4;
const OPTIONS_MAX: usize = 64;
const ADDRESSES_MAX: usize = 8;

struct Dhcp6;

#[derive(Default)]
struct Message {
    kind: u8,
    mac: Option<Mac>,
    addrs: Vec<Ipv6Addr>,
    name: Option<Vec<u8>>,
    relay: Option<Ipv6Addr>,
}

/// Options: code, length, data.
fn options(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let ([c1, c0, l1, l0], after) = rest.split_first_chunk::<4>()?;
        let (data, next) = after.split_at_checked(usize::from(u16::from_be_bytes([*l1, *l0])))?;
        rest = next;
        Some((u16::from_be_bytes([*c1, *c0]), data))
    })
    .take(OPTIONS_MAX)
}

impl Message {
    fn parse(bytes: &[u8], depth: usize) -> Option<Message> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            1..=11 => {
                let mut message = Message { kind: *kind, ..Message::default() };
                options(rest.get(3..)?).for_each(|(code, data)| message.option(code, data));
                message.mac.map(|_| message)
            }
            RELAY_FORWARD | RELAY_REPLY if depth < RELAYS_MAX => {
                let link = rest.get(1..)?.first_chunk::<16>().map(|a| Ipv6Addr::from(*a))?;
                let mut inner = None;
                let mut mac = None;
                for (code, data) in options(rest.get(33..)?) {
                    match code {
                        RELAY_MESSAGE => inner = Message::parse(data, depth + 1),
                        CLIENT_LINK_LAYER => mac = data.get(2..).and_then(|m| m.first_chunk()).map(|m| Mac(*m)),
                        _ => {}
                    }
                }
                let mut message = inner?;
                message.relay = message.relay.or(Some(link).filter(|l| !l.is_unspecified()));
                message.mac = mac.or(message.mac);
                Some(message)
            }
            _ => None,
        }
    }

    fn option(&mut self, code: u16, data: &[u8]) {
        match code {
            CLIENT_ID => self.mac = duid(data).or(self.mac),
            IA_NA => {
                let inner = data.get(12..).unwrap_or(&[]);
                let given = options(inner).filter(|(code, _)| *code == IA_ADDRESS).filter_map(|(_, a)| a.first_chunk::<16>());
                self.addrs.extend(given.map(|a| Ipv6Addr::from(*a)).take(ADDRESSES_MAX));
            }
            CLIENT_FQDN => self.name = data.get(1..).and_then(first_label),
            _ => {}
        }
    }
}

/// The hardware address in a DUID of type 1 (with a time) or 3 (section 11).
fn duid(data: &[u8]) -> Option<Mac> {
    let mac = match data {
        [0, 1, 0, 1, _, _, _, _, rest @ ..] | [0, 3, 0, 1, rest @ ..] => rest,
        _ => return None,
    };
    mac.first_chunk().filter(|_| mac.len() == 6).map(|m| Mac(*m)).filter(|m| m.is_unicast())
}

fn first_label(wire: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = wire.split_first()?;
    rest.get(..usize::from(*length)).filter(|l| !l.is_empty() && *length < 64).map(<[u8]>::to_vec)
}

impl Dissector for Dhcp6 {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(message) = Message::parse(input.bytes, 0) {
            sink.emit(&message);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

impl Record for Message {
    fn dissector(&self) -> &'static str {
        "dhcp6"
    }

    fn kind(&self) -> &'static str {
        "dhcp6"
    }

    fn visit(&self, _detail: Detail, _see: &mut dyn FnMut(&'static Field, Value<'_>)) {}

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let source = if self.kind == REPLY { BindingSource::Dhcp } else { BindingSource::DhcpRequest };
        let base = Binding { mac: self.mac, name: self.name.as_deref(), relay: self.relay.map(IpAddr::V6), ..Binding::new(source) };
        see(base);
        // What a client asks for is not given yet.
        for addr in self.addrs.iter().filter(|_| self.kind == REPLY) {
            see(Binding { addr: Some(IpAddr::V6(*addr)), ..base });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(code: u16, data: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
    }

    fn reply() -> Vec<u8> {
        let addr = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let given = option(IA_ADDRESS, &[&addr[..], &[0; 8]].concat());
        [
            vec![REPLY, 1, 2, 3],
            option(CLIENT_ID, &[0, 3, 0, 1, 0, 0, 0x5e, 0, 0x53, 9]),
            option(IA_NA, &[vec![0; 12], given].concat()),
            option(CLIENT_FQDN, &[0, 2, b'p', b'c', 0]),
        ]
        .concat()
    }

    #[test]
    fn a_reply_and_a_relayed_reply() {
        let direct = Message::parse(&reply(), 0).expect("a reply");
        assert_eq!((direct.addrs.len(), direct.name.as_deref(), direct.relay), (1, Some(&b"pc"[..]), None));
        let link = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let relayed = [&[RELAY_REPLY, 0][..], &link, &[0; 16], &option(RELAY_MESSAGE, &reply())].concat();
        let relayed = Message::parse(&relayed, 0).expect("a relayed reply");
        assert_eq!((relayed.mac, relayed.relay.map(|r| r.to_string())), (direct.mac, Some("2001:db8::1".into())));
    }

    #[test]
    fn cut_anywhere_and_nested_for_ever() {
        let whole = reply();
        for cut in 0..whole.len() {
            let _ = Message::parse(&whole[..cut], 0);
        }
        let mut nested = reply();
        for _ in 0..10 {
            nested = [&[RELAY_FORWARD, 0][..], &[0; 32], &option(RELAY_MESSAGE, &nested)].concat();
        }
        assert!(Message::parse(&nested, 0).is_none());
    }
}
