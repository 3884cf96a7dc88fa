//! ARP (RFC 826): which hardware address has which IPv4 address.

use std::net::{IpAddr, Ipv4Addr};

use crate::field::{Field, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors.
pub static ARP: DissectorDef = DissectorDef {
    name: "arp",
    about: "ARP: binds hardware and network address; it has no fields for rules.",
    carriers: &[Carrier::Arp],
    fields: &[],
    probe: |input| if Message::parse(input.bytes).is_some() { Probe::Match } else { Probe::No },
    start: || Box::new(Arp),
};

struct Arp;

/// Who sent it and what it says of itself.
struct Message {
    mac: Mac,
    addr: Ipv4Addr,
}

impl Message {
    /// Ethernet and IPv4 only; requests and replies say the same about their sender. An ARP probe (RFC 5227) has no sender address.
    fn parse(bytes: &[u8]) -> Option<Message> {
        let rest = bytes.strip_prefix(&[0, 1, 8, 0, 6, 4, 0])?;
        let rest = rest.strip_prefix(&[1]).or_else(|| rest.strip_prefix(&[2]))?;
        let (mac, rest) = rest.split_first_chunk::<6>()?;
        let (addr, _) = rest.split_first_chunk::<4>()?;
        let message = Message { mac: Mac(*mac), addr: Ipv4Addr::from(*addr) };
        (message.mac.is_unicast() && !message.addr.is_unspecified()).then_some(message)
    }
}

impl Dissector for Arp {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(message) = Message::parse(input.bytes) {
            sink.emit(&message);
        }
        Progress::Done
    }
}

impl Record for Message {
    fn dissector(&self) -> &'static str {
        "arp"
    }

    fn kind(&self) -> &'static str {
        "arp"
    }

    fn visit(&self, _detail: Detail, _see: &mut dyn FnMut(&'static Field, Value<'_>)) {}

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        see(Binding { mac: Some(self.mac), addr: Some(IpAddr::V4(self.addr)), ..Binding::new(BindingSource::Arp) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: [u8; 28] = [0, 1, 8, 0, 6, 4, 0, 2, 0, 0, 0x5e, 0, 0x53, 1, 10, 0, 0, 1, 0, 0, 0x5e, 0, 0x53, 2, 10, 0, 0, 2];

    #[test]
    fn the_sender_speaks_of_itself() {
        let message = Message::parse(&REPLY).expect("a reply");
        assert_eq!((message.mac.to_string().as_str(), message.addr), ("00:00:5e:00:53:01", Ipv4Addr::new(10, 0, 0, 1)));
        let mut probe = REPLY;
        probe[7] = 1;
        probe[14..18].fill(0);
        assert!(Message::parse(&probe).is_none());
        for cut in 0..18 {
            assert!(Message::parse(&REPLY[..cut]).is_none());
        }
    }
}
