//! IPv6 neighbour discovery: which MAC says that it has which address, and who is a router (RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use super::dns::wire::{array_at, ipv6_at, u8_at, u16_at};
use super::dns::{Name, rooted_names};
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

/// `nd.message`: what kind of message.
pub static MESSAGE: Field = Field {
    name: "nd.message",
    key: "message",
    kind: FieldKind::Token(&["router-solicitation", "router-advertisement", "neighbour-solicitation", "neighbour-advertisement"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of neighbour discovery message.",
    source: "RFC 4861 section 4",
};

/// The line in the table.
pub static ND: DissectorDef = DissectorDef {
    name: "nd",
    about: "IPv6 neighbour discovery: the MAC behind an IPv6 address, and routers.",
    carriers: &[Carrier::Icmp6],
    fields: &[&MESSAGE],
    opens: &[0..=0xff],
    ports: &[],
    probe: |input| if input.carrier == Carrier::Icmp6 && Nd::parse(input).is_some() { Probe::Match } else { Probe::No },
    start: || Box::new(Reader),
};

/// Options read of one message; each is at least 8 octets long.
const OPTIONS_MAX: usize = 64;

/// RFC 4861 section 4.6: option types.
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// RFC 8106 section 5.2.
const DNS_SEARCH_LIST: u8 = 31;

struct Reader;

impl Dissector for Reader {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(nd) = Nd::parse(input) {
            sink.emit(&nd);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RouterSolicitation,
    /// With the router lifetime above zero.
    RouterAdvertisement(bool),
    NeighbourSolicitation,
    /// With the target and the R flag.
    NeighbourAdvertisement(Ipv6Addr, bool),
}

struct Nd<'a> {
    kind: Kind,
    src: IpAddr,
    src_mac: Option<Mac>,
    options: &'a [u8],
}

impl<'a> Nd<'a> {
    /// RFC 4861 sections 4.1 to 4.4; the code is 0 in all of them.
    fn parse(input: &Input<'a>) -> Option<Nd<'a>> {
        let bytes = input.bytes;
        let (kind, fixed) = match u8_at(bytes, 0)? {
            133 => (Kind::RouterSolicitation, 8),
            134 => (Kind::RouterAdvertisement(u16_at(bytes, 6)? > 0), 16),
            135 => (Kind::NeighbourSolicitation, 24),
            136 => (Kind::NeighbourAdvertisement(ipv6_at(bytes, 8)?, u8_at(bytes, 4)? & 0x80 != 0), 24),
            _ => return None,
        };
        let options = bytes.get(fixed..)?;
        (u8_at(bytes, 1)? == 0).then_some(Nd { kind, src: input.src.addr, src_mac: input.src_mac, options })
    }

    /// Type and content of each option; the length counts units of 8 octets and is never 0 (section 4.6).
    fn options(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.options;
        let next = move || {
            let (kind, units) = (u8_at(rest, 0)?, u8_at(rest, 1)?);
            let (option, tail) = rest.split_at_checked(usize::from(units).checked_mul(8).filter(|len| *len > 0)?)?;
            rest = tail;
            Some((kind, option.get(2..)?))
        };
        std::iter::from_fn(next).take(OPTIONS_MAX)
    }

    /// The link-layer address in an option, else the frame's: the option may be left out where the frame shows it (section 7.2.4).
    fn link_layer(&self, option: u8) -> Option<Mac> {
        let stated = self.options().find(|(kind, _)| *kind == option).and_then(|(_, content)| array_at(content, 0)).map(Mac);
        stated.or(self.src_mac).filter(|mac| mac.is_unicast())
    }
}

impl Record for Nd<'_> {
    fn dissector(&self) -> &'static str {
        "nd"
    }

    fn kind(&self) -> &'static str {
        "nd"
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let message = match self.kind {
            Kind::RouterSolicitation => "router-solicitation",
            Kind::RouterAdvertisement(_) => "router-advertisement",
            Kind::NeighbourSolicitation => "neighbour-solicitation",
            Kind::NeighbourAdvertisement(..) => "neighbour-advertisement",
        };
        see(&MESSAGE, Value::Token(message));
    }

    /// The sender of everything but an advertisement states its own source address; the unspecified one (duplicate address detection)
    /// binds nothing. An advertisement is about its target.
    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let (addr, mac, router) = match self.kind {
            Kind::RouterAdvertisement(default) => (self.src, self.link_layer(SOURCE_LINK_LAYER), default),
            Kind::NeighbourAdvertisement(target, router) => (IpAddr::V6(target), self.link_layer(TARGET_LINK_LAYER), router),
            _ => (self.src, self.link_layer(SOURCE_LINK_LAYER), false),
        };
        if addr.is_ipv6() && !addr.is_unspecified() && !addr.is_multicast() && mac.is_some() {
            see(Binding { mac, addr: Some(addr), router, ..Binding::new(BindingSource::Nd) });
        }
    }

    fn suffixes(&self, see: &mut dyn FnMut(&[u8])) {
        if !matches!(self.kind, Kind::RouterAdvertisement(_)) {
            return;
        }
        for (_, content) in self.options().filter(|(kind, _)| *kind == DNS_SEARCH_LIST) {
            // Two reserved octets and the lifetime stand before the names; zeros pad them.
            rooted_names(content.get(6..).unwrap_or(&[])).filter(|name| !name.is_root()).for_each(|name: Name| see(&name.text()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dns::testing::{bindings, input, suffixes};
    use super::*;
    use crate::net::Endpoint;

    const TARGET: &str = "2001:db8::7";

    fn message(kind: u8, flags: u8, body: usize, target: Option<&str>, options: &[u8]) -> Vec<u8> {
        let mut m = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        m.resize(8 + body, 0);
        if let Some(target) = target {
            m[8..24].copy_from_slice(&target.parse::<Ipv6Addr>().expect("address").octets());
        }
        m.extend(options);
        m
    }

    fn from<'a>(src: &str, bytes: &'a [u8]) -> Input<'a> {
        Input { src: Endpoint { addr: src.parse().expect("address"), port: 0 }, ..input(Carrier::Icmp6, bytes) }
    }

    const SLLA: [u8; 8] = [1, 1, 2, 0, 0, 0, 0, 7];
    const TLLA: [u8; 8] = [2, 1, 2, 0, 0, 0, 0, 8];

    #[test]
    fn who_is_bound() {
        let solicit = message(135, 0, 16, Some(TARGET), &SLLA);
        assert_eq!(bindings(&ND, &from("fe80::7", &solicit)), ["nd 02:00:00:00:00:07 fe80::7"]);
        assert_eq!(bindings(&ND, &from("::", &message(135, 0, 16, Some(TARGET), &[]))).len(), 0, "duplicate address detection");
        let advert = message(136, 0x60, 16, Some(TARGET), &TLLA);
        assert_eq!(bindings(&ND, &from("fe80::8", &advert)), ["nd 02:00:00:00:00:08 2001:db8::7"]);
        let bare = message(136, 0x60, 16, Some(TARGET), &[]);
        assert_eq!(bindings(&ND, &from("fe80::8", &bare)), ["nd 02:00:00:00:00:99 2001:db8::7"], "the frame's MAC");
    }

    #[test]
    fn routers() {
        let flagged = message(136, 0xe0, 16, Some(TARGET), &TLLA);
        assert_eq!(bindings(&ND, &from("fe80::8", &flagged)), ["nd 02:00:00:00:00:08 2001:db8::7 router"]);
        let mut advert = message(134, 0, 8, None, &SLLA);
        assert_eq!(bindings(&ND, &from("fe80::1", &advert)), ["nd 02:00:00:00:00:07 fe80::1"], "lifetime 0: no default router");
        advert[6] = 7;
        assert_eq!(bindings(&ND, &from("fe80::1", &advert)), ["nd 02:00:00:00:00:07 fe80::1 router"]);
    }

    #[test]
    fn search_list() {
        let mut option = vec![31, 3, 0, 0, 0, 0, 1, 0];
        option.extend(b"\x04work\x07example\x00");
        option.resize(24, 0);
        let mut advert = message(134, 0, 8, None, &option);
        assert_eq!(suffixes(&ND, &from("fe80::1", &advert)), ["work.example"]);
        advert[0] = 133;
        assert_eq!(suffixes(&ND, &from("fe80::1", &advert)).len(), 0);
    }

    #[test]
    fn hostile_options() {
        for options in [&[1, 0, 2, 0, 0, 0, 0, 7][..], &[1, 255, 2], &[1], &[31, 1, 0, 0, 0, 0, 0, 0]] {
            let advert = message(136, 0, 16, Some(TARGET), options);
            assert_eq!(bindings(&ND, &from("fe80::8", &advert)), ["nd 02:00:00:00:00:99 2001:db8::7"], "{options:?}");
        }
        let group = message(136, 0, 16, Some("ff02::1"), &TLLA);
        assert_eq!(bindings(&ND, &from("fe80::8", &group)).len(), 0);
        let whole = message(136, 0, 16, Some(TARGET), &TLLA);
        for len in 0..24 {
            assert_eq!((ND.probe)(&from("fe80::8", &whole[..len])), Probe::No);
        }
        assert_eq!((ND.probe)(&from("fe80::8", &message(143, 0, 16, None, &[]))), Probe::No, "MLD report");
    }
}
