//! DHCPv6: which client got which addresses, relayed or not (RFC 8415).
//!
//! A client is named by a DUID, which may hold the MAC of any of its interfaces; so the relay's statement (RFC 6939) and an EUI-64
//! link-local address come first. Delegated prefixes bind nothing: their addresses belong to whatever stands behind the router.

mod options;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr};

use super::dns::wire::{array_at, ipv6_at, u8_at, u16_at, u32_at};
use super::dns::{Name, rooted_names};
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Role, Sink};
use options::options;

/// `dhcp6.message`: the message type.
pub static MESSAGE: Field = Field {
    name: "dhcp6.message",
    key: "message",
    kind: FieldKind::Token(MESSAGES),
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of DHCPv6 message, the innermost where it is relayed.",
    source: "RFC 8415 section 7.3",
};

/// `dhcp6.fqdn`: option 39.
pub static FQDN: Field = Field {
    name: "dhcp6.fqdn",
    key: "fqdn",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: true,
    meaning: "Domain name that the client gives itself.",
    source: "RFC 4704 section 4",
};

/// `dhcp6.vendor_class`: option 16.
pub static VENDOR_CLASS: Field = Field {
    name: "dhcp6.vendor_class",
    key: "vendor_class",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of client, such as MSFT 5.0.",
    source: "RFC 8415 section 21.16",
};

/// Words of `dhcp6.message`; index is the message type.
const MESSAGES: &[&str] = &[
    "other",
    "solicit",
    "advertise",
    "request",
    "confirm",
    "renew",
    "rebind",
    "reply",
    "release",
    "decline",
    "reconfigure",
    "information-request",
];

/// The line in the table.
pub static DHCP6: DissectorDef = DissectorDef {
    name: "dhcp6",
    about: "DHCPv6, relayed too: the lease behind an address.",
    carriers: &[Carrier::Udp],
    fields: &[&MESSAGE, &FQDN, &VENDOR_CLASS],
    opens: &[1..=13],
    ports: &PORTS,
    probe,
    start: || Box::new(Reader),
};

/// Client and server port (RFC 8415 section 7.2); the header alone is too little to be recognised elsewhere.
const PORTS: [u16; 2] = [546, 547];

/// Relays in a row (RFC 8415 section 7.6: HOP_COUNT_LIMIT).
const RELAYS_MAX: usize = 8;

/// Addresses taken from one message.
const ADDRESSES_MAX: usize = 32;

fn probe(input: &Input<'_>) -> Probe {
    let on_port = PORTS.contains(&input.src.port) || PORTS.contains(&input.dst.port);
    if input.carrier == Carrier::Udp && on_port && Dhcp6::parse(input).is_some() { Probe::Match } else { Probe::No }
}

struct Reader;

impl Dissector for Reader {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(dhcp) = Dhcp6::parse(input) {
            sink.emit(&dhcp);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

mod code {
    pub const CLIENT_ID: u16 = 1;
    pub const IA_NA: u16 = 3;
    pub const IA_TA: u16 = 4;
    pub const IA_ADDR: u16 = 5;
    pub const OPTION_REQUEST: u16 = 6;
    pub const RELAY_MESSAGE: u16 = 9;
    pub const VENDOR_CLASS: u16 = 16;
    pub const DOMAIN_LIST: u16 = 24;
    pub const CLIENT_FQDN: u16 = 39;
    pub const CLIENT_LINK_LAYER: u16 = 79;
}

struct Dhcp6<'a> {
    kind: u8,
    options: &'a [u8],
    /// The client as the outer layers show it.
    mac: Option<Mac>,
    relay: Option<IpAddr>,
}

impl<'a> Dhcp6<'a> {
    /// Peels relay layers (section 9: type, hop count, link address, peer address, options) down to the client's message
    /// (section 8: type, 3 octets of transaction id, options).
    fn parse(input: &Input<'a>) -> Option<Dhcp6<'a>> {
        let mut bytes = input.bytes;
        let (mut mac, mut relay, mut peer) = (None, None, None);
        for _ in 0..=RELAYS_MAX {
            let kind = u8_at(bytes, 0)?;
            if !matches!(kind, 12 | 13) {
                let options = bytes.get(4..).filter(|_| (1..=11).contains(&kind))?;
                let sent_by_client = !matches!(kind, 2 | 7 | 10);
                let direct = if sent_by_client { input.src_mac } else { eui64(input.dst.addr) };
                let mac = if relay.is_some() { mac.or(peer.and_then(eui64)) } else { direct };
                return Some(Dhcp6 { kind, options, mac: mac.filter(|m: &Mac| m.is_unicast()), relay });
            }
            let (link, from) = (ipv6_at(bytes, 2)?, ipv6_at(bytes, 18)?);
            let layer = bytes.get(34..)?;
            relay = Some(IpAddr::V6(if link.is_unspecified() { relay_of(input) } else { link }));
            peer = Some(IpAddr::V6(from));
            // RFC 6939 section 4: link-layer type, then the address.
            let stated = options(layer).find(|(code, v)| *code == code::CLIENT_LINK_LAYER && u16_at(v, 0) == Some(1));
            mac = stated.and_then(|(_, v)| array_at(v, 2)).map(Mac).or(mac);
            bytes = options(layer).find(|(code, _)| *code == code::RELAY_MESSAGE)?.1;
        }
        None
    }

    fn option(&self, code: u16) -> Option<&'a [u8]> {
        options(self.options).find(|(c, _)| *c == code).map(|(_, value)| value)
    }

    fn mac(&self) -> Option<Mac> {
        self.mac.or_else(|| self.option(code::CLIENT_ID).and_then(duid_mac))
    }

    /// RFC 4704 section 4: flags, then the name in wire form, unterminated when it is not fully qualified.
    fn fqdn(&self) -> Option<Vec<u8>> {
        let (_, name) = self.option(code::CLIENT_FQDN)?.split_first()?;
        let rooted = [name, &[0]].concat();
        Name::read(&rooted, 0).map(|(name, _)| name).filter(|name| !name.is_root()).map(|name| name.text())
    }

    /// RFC 8415 section 21.16: enterprise number, then length and data.
    fn vendor_class(&self) -> Option<&'a [u8]> {
        let value = self.option(code::VENDOR_CLASS)?;
        let len = usize::from(u16_at(value, 4)?);
        value.get(6..)?.get(..len)
    }

    fn is_reply(&self) -> bool {
        matches!(self.kind, 2 | 7 | 10)
    }

    /// Addresses of every IA_NA (12 octets before its options) and IA_TA (4), with their valid lifetime (section 21.6).
    fn addresses(&self) -> impl Iterator<Item = (Ipv6Addr, u32)> + use<'a> {
        let inside = options(self.options).filter_map(|(code, value)| match code {
            code::IA_NA => value.get(12..),
            code::IA_TA => value.get(4..),
            _ => None,
        });
        let addresses = inside.flat_map(options).filter(|(code, _)| *code == code::IA_ADDR);
        addresses.filter_map(|(_, v)| Some((ipv6_at(v, 0)?, u32_at(v, 20)?))).filter(|(a, _)| is_host(*a)).take(ADDRESSES_MAX)
    }
}

fn is_host(addr: Ipv6Addr) -> bool {
    !(addr.is_unspecified() || addr.is_multicast() || addr.is_loopback())
}

/// A relay without a link address is known by the address that it sends from or is answered at.
fn relay_of(input: &Input<'_>) -> Ipv6Addr {
    match if u8_at(input.bytes, 0) == Some(12) { input.src.addr } else { input.dst.addr } {
        IpAddr::V6(addr) => addr,
        IpAddr::V4(addr) => addr.to_ipv6_mapped(),
    }
}

/// RFC 8415 section 11: type 1 is hardware type, time, link-layer address; type 3 the same without the time.
fn duid_mac(duid: &[u8]) -> Option<Mac> {
    let (at, len) = match u16_at(duid, 0)? {
        1 => (8, 14),
        3 => (4, 10),
        _ => return None,
    };
    let mac = array_at(duid, at).map(Mac)?;
    (u16_at(duid, 2)? == 1 && duid.len() == len && mac.is_unicast()).then_some(mac)
}

/// The MAC in a link-local address made of it (RFC 4291 appendix A).
fn eui64(addr: IpAddr) -> Option<Mac> {
    let IpAddr::V6(addr) = addr else { return None };
    match addr.octets() {
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] => Some(Mac([a ^ 2, b, c, d, e, f])),
        _ => None,
    }
}

impl Record for Dhcp6<'_> {
    fn dissector(&self) -> &'static str {
        "dhcp6"
    }

    fn kind(&self) -> &'static str {
        "dhcp6"
    }

    fn sender(&self) -> Option<Role> {
        Some(if self.is_reply() { Role::Server } else { Role::Client })
    }

    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&MESSAGE, Value::Token(MESSAGES.get(usize::from(self.kind)).copied().unwrap_or("other")));
        if let Some(class) = self.vendor_class() {
            see(&VENDOR_CLASS, Value::Text(class));
        }
        if let Some(name) = self.fqdn().filter(|_| detail == Detail::Full) {
            see(&FQDN, Value::Text(&name));
        }
    }

    /// A reply binds; renew, rebind and confirm say what the client holds; request what it wants; release and decline give up.
    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let (source, released) = match self.kind {
            7 => (BindingSource::Dhcp, false),
            3..=6 => (BindingSource::DhcpRequest, false),
            8 | 9 => (BindingSource::Dhcp, true),
            1 | 11 => (BindingSource::DhcpRequest, false),
            _ => return,
        };
        let Some(mac) = self.mac() else { return };
        let name = self.fqdn();
        let binding = Binding { mac: Some(mac), name: name.as_deref(), relay: self.relay, ..Binding::new(source) };
        let binding = Binding {
            vendor_class: self.vendor_class().filter(|_| !self.is_reply()),
            parameters: self.option(code::OPTION_REQUEST).filter(|list| !list.is_empty() && matches!(self.kind, 1 | 3)),
            client_id: self.option(code::CLIENT_ID).filter(|duid| duid.len() >= 3 && !self.is_reply()),
            v6: true,
            ..binding
        };
        let mut bound = false;
        for (addr, lifetime) in self.addresses().filter(|_| !matches!(self.kind, 1 | 11)) {
            bound = true;
            // Section 18.3.8: a server sets the lifetimes of an address to 0 when it takes it back.
            let released = released || (self.kind == 7 && lifetime == 0);
            see(Binding { addr: Some(IpAddr::V6(addr)), lifetime_secs: (self.kind == 7).then_some(lifetime), released, ..binding });
        }
        if !bound && !self.is_reply() && !released && (binding.name.is_some() || binding.vendor_class.is_some()) {
            see(binding);
        }
    }

    fn suffixes(&self, see: &mut dyn FnMut(&[u8])) {
        if let Some(list) = self.option(code::DOMAIN_LIST).filter(|_| self.is_reply()) {
            rooted_names(list).filter(|name| !name.is_root()).for_each(|name| see(&name.text()));
        }
    }
}
