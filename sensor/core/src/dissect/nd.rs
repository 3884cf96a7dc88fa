//! Neighbour discovery (RFC 4861): which hardware address has which IPv6 address, and who is a router.

use std::net::IpAddr;

use crate::field::{Field, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};

/// The line in the table of dissectors.
pub static ND: DissectorDef = DissectorDef {
    name: "nd",
    about: "IPv6 neighbour discovery: binds hardware and network address, knows routers; it has no fields for rules.",
    carriers: &[Carrier::Icmp6],
    fields: &[],
    probe: |input| if matches!(input.bytes, [133..=136, 0, ..]) { Probe::Match } else { Probe::No },
    start: || Box::new(Nd),
};

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// Options looked at in one message.
const OPTIONS_MAX: usize = 16;

struct Nd;

/// One binding.
struct Message {
    mac: Mac,
    addr: IpAddr,
    router: bool,
}

impl Message {
    fn parse(bytes: &[u8], src: IpAddr) -> Option<Message> {
        let (kind, _) = bytes.split_first()?;
        let (options, about, wanted, router) = match *kind {
            ROUTER_SOLICITATION => (bytes.get(8..)?, src, SOURCE_LINK_LAYER, false),
            ROUTER_ADVERTISEMENT => (bytes.get(16..)?, src, SOURCE_LINK_LAYER, true),
            NEIGHBOUR_SOLICITATION => (bytes.get(24..)?, src, SOURCE_LINK_LAYER, false),
            NEIGHBOUR_ADVERTISEMENT => {
                let target = bytes.get(8..)?.first_chunk::<16>()?;
                (bytes.get(24..)?, IpAddr::from(*target), TARGET_LINK_LAYER, bytes.get(4)? & 0x80 != 0)
            }
            _ => return None,
        };
        // From the unspecified address: duplicate address detection says nothing yet.
        let mac = link_layer(options, wanted).filter(|_| !about.is_unspecified())?;
        Some(Message { mac, addr: about, router })
    }
}

/// The link-layer address in an option of this kind; lengths are in units of 8 bytes.
fn link_layer(options: &[u8], wanted: u8) -> Option<Mac> {
    let mut rest = options;
    for _ in 0..OPTIONS_MAX {
        let [kind, units, ..] = rest else { return None };
        let length = usize::from(*units) * 8;
        let option = rest.get(..length).filter(|_| length > 0)?;
        if *kind == wanted {
            return option.get(2..)?.first_chunk().map(|m| Mac(*m)).filter(|m| m.is_unicast());
        }
        rest = rest.get(length..)?;
    }
    None
}

impl Dissector for Nd {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(message) = Message::parse(input.bytes, input.src.addr) {
            sink.emit(&message);
        }
        Progress::Done
    }
}

impl Record for Message {
    fn dissector(&self) -> &'static str {
        "nd"
    }

    fn kind(&self) -> &'static str {
        "nd"
    }

    fn visit(&self, _detail: Detail, _see: &mut dyn FnMut(&'static Field, Value<'_>)) {}

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        see(Binding { mac: Some(self.mac), addr: Some(self.addr), router: self.router, ..Binding::new(BindingSource::Nd) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertisement() -> Vec<u8> {
        let mut m = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
        m.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        m.extend([2, 1, 0, 0, 0x5e, 0, 0x53, 7]);
        m
    }

    #[test]
    fn neighbours_and_routers() {
        let src: IpAddr = "fe80::7".parse().expect("address");
        let m = Message::parse(&advertisement(), src).expect("an advertisement");
        assert_eq!((m.addr.to_string().as_str(), m.router), ("2001:db8::7", false));
        let mut router = vec![134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        router.extend([5, 1, 0, 0, 0, 0, 5, 0xdc, 1, 1, 0, 0, 0x5e, 0, 0x53, 1]);
        let m = Message::parse(&router, src).expect("an advertisement");
        assert!(m.router && m.addr == src);
        let mut detection = vec![135, 0, 0, 0, 0, 0, 0, 0];
        detection.extend([0; 16]);
        detection.extend([1, 1, 0, 0, 0x5e, 0, 0x53, 1]);
        assert!(Message::parse(&detection, "::".parse().expect("address")).is_none());
    }

    #[test]
    fn cut_and_lying_options() {
        let whole = advertisement();
        for cut in 0..whole.len() {
            assert!(Message::parse(&whole[..cut], "fe80::7".parse().expect("address")).is_none(), "{cut}");
        }
        for length in [0, 2, 255] {
            let mut lie = advertisement();
            lie[25] = length;
            assert!(Message::parse(&lie, "fe80::7".parse().expect("address")).is_none(), "{length}");
        }
    }
}
