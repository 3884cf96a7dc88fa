//! ARP for IPv4 over Ethernet: which MAC says that it has which address.
//!
//! Only the sender's half is taken: the target's half repeats what somebody else said.

use std::net::{IpAddr, Ipv4Addr};

use super::dns::wire::{array_at, ipv4_at, u8_at, u16_at};
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

/// `arp.message`: what kind of message.
pub static MESSAGE: Field = Field {
    name: "arp.message",
    key: "message",
    kind: FieldKind::Token(&["request", "reply", "probe", "announcement"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of ARP message; a probe asks whether an address is free and binds nothing, an announcement claims one.",
    source: "RFC 826, RFC 5227 section 1.1",
};

/// The line in the table.
pub static ARP: DissectorDef = DissectorDef {
    name: "arp",
    about: "ARP: the MAC behind an IPv4 address.",
    carriers: &[Carrier::Arp],
    fields: &[&MESSAGE],
    opens: &[0..=0xff],
    ports: &[],
    probe: |input| if input.carrier == Carrier::Arp && Arp::parse(input.bytes).is_some() { Probe::Match } else { Probe::No },
    start: || Box::new(Reader),
};

struct Reader;

impl Dissector for Reader {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(arp) = Arp::parse(input.bytes) {
            sink.emit(&arp);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

/// RFC 826: hardware 1, protocol 0x0800, lengths 6 and 4, operation; sender MAC and address, target MAC and address.
struct Arp {
    reply: bool,
    mac: Mac,
    sender: Ipv4Addr,
    target: Ipv4Addr,
}

impl Arp {
    fn parse(bytes: &[u8]) -> Option<Arp> {
        let ethernet = u16_at(bytes, 0)? == 1 && u16_at(bytes, 2)? == 0x0800 && u8_at(bytes, 4)? == 6 && u8_at(bytes, 5)? == 4;
        let operation = u16_at(bytes, 6)?;
        let arp = Arp { reply: operation == 2, mac: Mac(array_at(bytes, 8)?), sender: ipv4_at(bytes, 14)?, target: ipv4_at(bytes, 24)? };
        (ethernet && matches!(operation, 1 | 2)).then_some(arp)
    }

    fn message(&self) -> &'static str {
        match self.reply {
            _ if self.sender == self.target => "announcement",
            true => "reply",
            false if self.sender.is_unspecified() => "probe",
            false => "request",
        }
    }
}

impl Record for Arp {
    fn dissector(&self) -> &'static str {
        "arp"
    }

    fn kind(&self) -> &'static str {
        "arp"
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&MESSAGE, Value::Token(self.message()));
    }

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        if self.mac.is_unicast() && !self.sender.is_unspecified() && !self.sender.is_multicast() && !self.sender.is_broadcast() {
            see(Binding { mac: Some(self.mac), addr: Some(IpAddr::V4(self.sender)), ..Binding::new(BindingSource::Arp) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dns::testing::{bindings, input};
    use super::*;

    fn arp(operation: u8, mac: [u8; 6], sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
        [&[0, 1, 8, 0, 6, 4, 0, operation][..], &mac, &sender, &[0; 6], &target].concat()
    }

    const PHONE: [u8; 6] = [2, 0, 0, 0, 0, 7];

    fn bound(bytes: &[u8]) -> Vec<String> {
        bindings(&ARP, &input(Carrier::Arp, bytes))
    }

    #[test]
    fn the_sender_is_bound_and_nobody_else() {
        for (operation, target) in [(1, [10, 0, 0, 1]), (2, [10, 0, 0, 1]), (1, [10, 0, 0, 7]), (2, [10, 0, 0, 7])] {
            assert_eq!(bound(&arp(operation, PHONE, [10, 0, 0, 7], target)), ["arp 02:00:00:00:00:07 10.0.0.7"]);
        }
    }

    #[test]
    fn probes_groups_and_other_hardware_bind_nothing() {
        let none: [String; 0] = [];
        assert_eq!(bound(&arp(1, PHONE, [0; 4], [10, 0, 0, 7])), none, "RFC 5227 probe");
        assert_eq!(bound(&arp(2, [0xff; 6], [10, 0, 0, 7], [10, 0, 0, 1])), none, "broadcast MAC");
        assert_eq!(bound(&arp(2, [0; 6], [10, 0, 0, 7], [10, 0, 0, 1])), none, "no MAC");
        assert_eq!(bound(&arp(2, PHONE, [224, 0, 0, 1], [10, 0, 0, 1])), none, "multicast address");
        let mut inverse = arp(8, PHONE, [10, 0, 0, 7], [10, 0, 0, 1]);
        assert_eq!((ARP.probe)(&input(Carrier::Arp, &inverse)), Probe::No);
        inverse[7] = 2;
        inverse[1] = 6;
        assert_eq!((ARP.probe)(&input(Carrier::Arp, &inverse)), Probe::No, "IEEE 802 hardware type");
    }

    #[test]
    fn cut_anywhere_it_says_nothing() {
        let whole = arp(2, PHONE, [10, 0, 0, 7], [10, 0, 0, 1]);
        for len in 0..whole.len() {
            assert_eq!((ARP.probe)(&input(Carrier::Arp, &whole[..len])), Probe::No, "{len}");
        }
    }
}
