//! DHCP for IPv4: which MAC got which address for how long, and what it calls itself (RFC 2131, RFC 2132).
//!
//! Host names and domain names of clients often hold a person's name ("Janas-iPhone"): the fields are personal, they can be matched
//! but are never printed. The device that they name gets them through a binding, where the privacy policy decides.

mod options;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use super::dns::wire::{array_at, ipv4_at, u8_at, u32_at};
use super::dns::{Name, rooted_names};
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Role, Sink};
use options::Options;

/// `dhcp.message`: option 53.
pub static MESSAGE: Field = Field {
    name: "dhcp.message",
    key: "message",
    kind: FieldKind::Token(MESSAGES),
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of DHCP message; bootp where it has none.",
    source: "RFC 2132 section 9.6",
};

/// `dhcp.hostname`: option 12.
pub static HOSTNAME: Field = Field {
    name: "dhcp.hostname",
    key: "hostname",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: true,
    meaning: "Host name that the client gives itself.",
    source: "RFC 2132 section 3.14",
};

/// `dhcp.fqdn`: option 81.
pub static FQDN: Field = Field {
    name: "dhcp.fqdn",
    key: "fqdn",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: true,
    meaning: "Domain name that the client gives itself.",
    source: "RFC 4702 section 2",
};

/// `dhcp.vendor_class`: option 60.
pub static VENDOR_CLASS: Field = Field {
    name: "dhcp.vendor_class",
    key: "vendor_class",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Kind of client, such as android-dhcp-13 or MSFT 5.0.",
    source: "RFC 2132 section 9.13",
};

/// `dhcp.parameters`: option 55.
pub static PARAMETERS: Field = Field {
    name: "dhcp.parameters",
    key: "parameters",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Options that the client asks for, as numbers in its order: tells operating systems apart.",
    source: "RFC 2132 section 9.8",
};

/// Words of `dhcp.message`; index is the value of option 53.
const MESSAGES: &[&str] = &["bootp", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform", "other"];

/// The line in the table.
pub static DHCP: DissectorDef = DissectorDef {
    name: "dhcp",
    about: "DHCP for IPv4, relayed too: the lease behind an address.",
    carriers: &[Carrier::Udp],
    fields: &[&MESSAGE, &HOSTNAME, &FQDN, &VENDOR_CLASS, &PARAMETERS],
    opens: &[1..=2],
    ports: &[],
    probe: |input| if input.carrier == Carrier::Udp && Dhcp::parse(input.bytes).is_some() { Probe::Match } else { Probe::No },
    start: || Box::new(Reader),
};

struct Reader;

impl Dissector for Reader {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(dhcp) = Dhcp::parse(input.bytes) {
            sink.emit(&dhcp);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

/// RFC 2131 section 2: op, htype, hlen, hops at 0..4; ciaddr 12, yiaddr 16, giaddr 24, chaddr 28, sname 44, file 108, cookie 236.
struct Dhcp<'a> {
    reply: bool,
    kind: u8,
    ciaddr: Ipv4Addr,
    yiaddr: Ipv4Addr,
    giaddr: Ipv4Addr,
    chaddr: Option<Mac>,
    options: Options<'a>,
}

const COOKIE: u32 = 0x6382_5363;

impl<'a> Dhcp<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Dhcp<'a>> {
        let (op, hardware_len) = (u8_at(bytes, 0)?, u8_at(bytes, 2)?);
        if !matches!(op, 1 | 2) || hardware_len > 16 || u32_at(bytes, 236)? != COOKIE {
            return None;
        }
        let options = Options::new(bytes.get(240..)?, bytes.get(108..236)?, bytes.get(44..108)?);
        let chaddr = if u8_at(bytes, 1)? == 1 && hardware_len == 6 { array_at(bytes, 28).map(Mac) } else { None };
        let kind = options.get(53).and_then(|v| u8_at(v, 0)).unwrap_or(0);
        Some(Dhcp {
            reply: op == 2,
            kind,
            ciaddr: ipv4_at(bytes, 12)?,
            yiaddr: ipv4_at(bytes, 16)?,
            giaddr: ipv4_at(bytes, 24)?,
            chaddr: chaddr.filter(|m| m.is_unicast()),
            options,
        })
    }

    /// The client's MAC: chaddr, else a client identifier of hardware type 1 (RFC 2132 section 9.14).
    fn mac(&self) -> Option<Mac> {
        let identifier = || {
            let id = self.options.get(61).filter(|id| id.len() == 7 && u8_at(id, 0) == Some(1))?;
            array_at(id, 1).map(Mac).filter(|m| m.is_unicast())
        };
        self.chaddr.or_else(identifier)
    }

    /// Option 61 where it is more than a hardware address; of one as in RFC 4361 section 6.1 (255, IAID, DUID) the DUID, which DHCPv6
    /// shows as well.
    fn client_id(&self) -> Option<&'a [u8]> {
        let id = self.options.get(61)?;
        match id.split_first()? {
            (255, rest) => rest.get(4..).filter(|duid| duid.len() >= 3),
            (1, rest) if rest.len() == 6 => None,
            _ => Some(id),
        }
    }

    fn hostname(&self) -> Option<&'a [u8]> {
        self.options.get(12).map(trim).filter(|name| !name.is_empty())
    }

    /// RFC 4702 section 2: flags, two obsolete octets, name in wire form when flag E (0x04) is set, else in text.
    fn fqdn(&self) -> Option<Vec<u8>> {
        let (head, name) = self.options.get(81)?.split_first_chunk::<3>()?;
        let [flags, ..] = *head;
        let name = if flags & 4 != 0 { wire_text(name)? } else { trim(name).to_vec() };
        (!name.is_empty()).then_some(name)
    }

    /// The address that the message is about and whether the client has it, asks for it or gives it up.
    fn address(&self) -> Option<(Ipv4Addr, BindingSource, bool)> {
        let requested = self.options.get(50).and_then(|v| ipv4_at(v, 0));
        let held = if self.ciaddr.is_unspecified() { None } else { Some(self.ciaddr) };
        let yours = if self.yiaddr.is_unspecified() { held } else { Some(self.yiaddr) };
        let (addr, source, released) = match (self.kind, self.reply) {
            (5 | 0, true) => (yours?, BindingSource::Dhcp, false),
            (3, false) => (held.or(requested)?, BindingSource::DhcpRequest, false),
            (8, false) => (held?, BindingSource::DhcpRequest, false),
            (7, false) => (held?, BindingSource::Dhcp, true),
            (4, false) => (requested?, BindingSource::Dhcp, true),
            _ => return None,
        };
        (!addr.is_unspecified() && !addr.is_multicast() && !addr.is_broadcast()).then_some((addr, source, released))
    }

    fn relay(&self) -> Option<IpAddr> {
        (!self.giaddr.is_unspecified()).then_some(IpAddr::V4(self.giaddr))
    }
}

/// Without the zeros that some clients put at the end.
fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| !matches!(b, 0 | b' ' | b'.')).map_or(0, |last| last.saturating_add(1));
    text.get(..end).unwrap_or(text)
}

/// A name in wire form; it may end without its zero when it is not fully qualified (RFC 4702 section 2.3.1).
fn wire_text(bytes: &[u8]) -> Option<Vec<u8>> {
    let rooted = [bytes, &[0]].concat();
    Name::read(&rooted, 0).map(|(name, _)| name).filter(|name| !name.is_root()).map(|name| name.text())
}

impl Record for Dhcp<'_> {
    fn dissector(&self) -> &'static str {
        "dhcp"
    }

    fn kind(&self) -> &'static str {
        "dhcp"
    }

    fn sender(&self) -> Option<Role> {
        Some(if self.reply { Role::Server } else { Role::Client })
    }

    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&MESSAGE, Value::Token(MESSAGES.get(usize::from(self.kind)).copied().unwrap_or("other")));
        if let Some(name) = self.hostname() {
            see(&HOSTNAME, Value::Text(name));
        }
        if let Some(class) = self.options.get(60) {
            see(&VENDOR_CLASS, Value::Text(class));
        }
        if detail < Detail::Full {
            return;
        }
        if let Some(name) = self.fqdn() {
            see(&FQDN, Value::Text(&name));
        }
        if let Some(list) = self.options.get(55) {
            let numbers: Vec<String> = list.iter().map(u8::to_string).collect();
            see(&PARAMETERS, Value::Text(numbers.join(",").as_bytes()));
        }
    }

    /// A server's acknowledgement binds; a request and an inform say what a client wants or has; a discover names the client only.
    /// Offers bind nothing: several servers may offer, and the client takes one.
    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let fqdn = self.fqdn();
        let name = self.hostname().or(fqdn.as_deref()).filter(|_| !self.reply || self.kind == 5);
        let address = self.address();
        let Some(mac) = self.mac() else { return };
        if address.is_none() && (self.reply || (name.is_none() && self.options.get(60).is_none())) {
            return;
        }
        let (addr, source, released) = match address {
            Some((addr, source, released)) => (Some(IpAddr::V4(addr)), source, released),
            None => (None, BindingSource::DhcpRequest, false),
        };
        see(Binding {
            source,
            mac: Some(mac),
            addr,
            name,
            vendor_class: self.options.get(60).filter(|_| !self.reply),
            parameters: self.options.get(55).filter(|list| !list.is_empty() && matches!((self.kind, self.reply), (1 | 3, false))),
            client_id: self.client_id().filter(|_| !self.reply),
            v6: false,
            lifetime_secs: self.options.get(51).and_then(|v| u32_at(v, 0)).filter(|_| self.reply),
            relay: self.relay(),
            released,
            router: false,
        });
    }

    fn suffixes(&self, see: &mut dyn FnMut(&[u8])) {
        if !self.reply || !matches!(self.kind, 2 | 5) {
            return;
        }
        if let Some(domain) = self.options.get(15).map(trim).filter(|d| !d.is_empty()) {
            see(domain);
        }
        // RFC 3397 section 2: a long list is split over several options, and compressed within all of it.
        let list = self.options.joined(119);
        rooted_names(&list).filter(|name| !name.is_root()).for_each(|name| see(&name.text()));
    }
}
