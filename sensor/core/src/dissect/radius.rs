//! RADIUS accounting: which MAC a switch or an access point has let in, and with which address (RFC 2866).
//!
//! Only requests are read: what the network's own equipment says. User names are in them; they are not read at all. The shared secret
//! that would prove a message is not known here, so whoever can send to the accounting port can lie: the operator turns it on.

use std::net::{IpAddr, Ipv6Addr};

use super::dns::wire::{array_at, ipv4_at, ipv6_at, u8_at, u16_at, u32_at};
use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::{Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Role, Sink};

/// `radius.status`: attribute 40.
pub static STATUS: Field = Field {
    name: "radius.status",
    key: "status",
    kind: FieldKind::Token(STATUSES),
    family: None,
    signal: None,
    personal: false,
    meaning: "What an accounting request says about a session.",
    source: "RFC 2866 section 5.1",
};

/// `radius.nas`: attribute 32.
pub static NAS: Field = Field {
    name: "radius.nas",
    key: "nas",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "What the switch or access point that tells it calls itself.",
    source: "RFC 2865 section 5.32",
};

/// Words of `radius.status`; index is the value of attribute 40.
const STATUSES: &[&str] = &["other", "start", "stop", "interim"];

/// The line in the table.
pub static RADIUS: DissectorDef = DissectorDef {
    name: "radius",
    about: "RADIUS accounting: the MAC behind an address; counts only where `identity.radius_accounting` says so.",
    carriers: &[Carrier::Udp],
    fields: &[&STATUS, &NAS],
    opens: &[4..=4],
    ports: &PORTS,
    probe,
    start: || Box::new(Reader),
};

/// Accounting, and the port from before its registration (RFC 2866 section 3).
const PORTS: [u16; 2] = [1813, 1646];

/// RFC 2866 section 3: code, identifier, length, authenticator.
const HEADER: usize = 20;
const LENGTH_MAX: usize = 4095;
const ACCOUNTING_REQUEST: u8 = 4;

/// Attributes read of one message; each has two octets at least.
const ATTRIBUTES_MAX: usize = 256;

/// Addresses taken from one message.
const ADDRESSES_MAX: usize = 16;

mod attribute {
    pub const FRAMED_IP_ADDRESS: u8 = 8;
    pub const CALLING_STATION_ID: u8 = 31;
    pub const NAS_IDENTIFIER: u8 = 32;
    pub const STATUS_TYPE: u8 = 40;
    pub const FRAMED_IPV6_PREFIX: u8 = 97;
    pub const FRAMED_IPV6_ADDRESS: u8 = 168;
}

fn probe(input: &Input<'_>) -> Probe {
    let on_port = PORTS.contains(&input.dst.port);
    if input.carrier == Carrier::Udp && on_port && Accounting::parse(input.bytes).is_some() { Probe::Match } else { Probe::No }
}

struct Reader;

impl Dissector for Reader {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(accounting) = Accounting::parse(input.bytes) {
            sink.emit(&accounting);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

struct Accounting<'a> {
    status: u32,
    attributes: &'a [u8],
}

impl<'a> Accounting<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Accounting<'a>> {
        if u8_at(bytes, 0)? != ACCOUNTING_REQUEST {
            return None;
        }
        let length = usize::from(u16_at(bytes, 2)?);
        if !(HEADER..=LENGTH_MAX).contains(&length) {
            return None;
        }
        // What is behind the length is padding (RFC 2866 section 3).
        let attributes = bytes.get(HEADER..length)?;
        let whole: usize = read(attributes).map(|(_, value)| value.len().saturating_add(2)).sum();
        let status = read(attributes).find(|(kind, _)| *kind == attribute::STATUS_TYPE).and_then(|(_, value)| u32_at(value, 0))?;
        (whole == attributes.len()).then_some(Accounting { status, attributes })
    }

    fn attribute(&self, kind: u8) -> Option<&'a [u8]> {
        read(self.attributes).find(|(k, _)| *k == kind).map(|(_, value)| value)
    }

    /// The client's hardware address: `00-10-A4-23-19-C0` (RFC 3580 section 3.21), or with other separators or none.
    fn mac(&self) -> Option<Mac> {
        let text = self.attribute(attribute::CALLING_STATION_ID)?;
        let separator = |b: &u8| matches!(b, b'-' | b':' | b'.');
        let digits: Vec<u8> = text.iter().filter(|b| !separator(b)).map(|b| nibble(*b)).collect::<Option<_>>()?;
        let digits: &[u8; 12] = digits.as_slice().try_into().ok()?;
        let mut mac = [0; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte: u8, digit| byte << 4 | digit);
        }
        Some(Mac(mac)).filter(|mac| mac.is_unicast())
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        read(self.attributes).filter_map(|(kind, value)| address(kind, value)).take(ADDRESSES_MAX)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// A framed address. A framed prefix says which addresses a client may form, not which it has, unless it is a single one.
fn address(kind: u8, value: &[u8]) -> Option<IpAddr> {
    match (kind, value.len()) {
        // RFC 2865 section 5.8: all ones and all ones but the last mean that none is stated.
        (attribute::FRAMED_IP_ADDRESS, 4) => {
            ipv4_at(value, 0).filter(|a| !a.is_unspecified() && !a.is_multicast() && a.octets().first() != Some(&255)).map(IpAddr::V4)
        }
        (attribute::FRAMED_IPV6_ADDRESS, 16) => ipv6_at(value, 0).and_then(host),
        // RFC 3162 section 2.3: a reserved octet, the length, the prefix.
        (attribute::FRAMED_IPV6_PREFIX, 18) if u8_at(value, 1) == Some(128) => array_at(value, 2).map(Ipv6Addr::from).and_then(host),
        _ => None,
    }
}

fn host(addr: Ipv6Addr) -> Option<IpAddr> {
    (!(addr.is_unspecified() || addr.is_multicast() || addr.is_loopback())).then_some(IpAddr::V6(addr))
}

/// Attributes: type, length with both octets, value (RFC 2865 section 5).
fn read(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let next = move || {
        let (kind, length) = (u8_at(rest, 0)?, usize::from(u8_at(rest, 1)?));
        let (attribute, tail) = rest.split_at_checked(length)?;
        rest = tail;
        Some((kind, attribute.get(2..)?))
    };
    std::iter::from_fn(next).take(ATTRIBUTES_MAX)
}

impl Record for Accounting<'_> {
    fn dissector(&self) -> &'static str {
        "radius"
    }

    fn kind(&self) -> &'static str {
        "radius"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Client)
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let word = usize::try_from(self.status).ok().and_then(|status| STATUSES.get(status));
        see(&STATUS, Value::Token(word.copied().unwrap_or("other")));
        if let Some(nas) = self.attribute(attribute::NAS_IDENTIFIER) {
            see(&NAS, Value::Text(nas));
        }
    }

    /// Start and interim bind; stop gives up. Other kinds are about the equipment itself.
    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let (Some(mac), 1..=3) = (self.mac(), self.status) else { return };
        for addr in self.addresses() {
            see(Binding { mac: Some(mac), addr: Some(addr), released: self.status == 2, ..Binding::new(BindingSource::Radius) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dns::testing::{bindings, input, notes};
    use super::*;
    use crate::net::Endpoint;

    fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind, value.len() as u8 + 2], value].concat()
    }

    fn request(status: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = attribute(40, &status.to_be_bytes());
        body.extend(attributes.concat());
        let length = (20 + body.len()) as u16;
        [&[4, 7], &length.to_be_bytes()[..], &[9; 16], &body].concat()
    }

    fn station(text: &str) -> Vec<u8> {
        attribute(31, text.as_bytes())
    }

    const V4: [u8; 4] = [10, 0, 0, 7];

    fn to_server(bytes: &[u8]) -> Input<'_> {
        Input { dst: Endpoint { addr: IpAddr::from([10, 0, 9, 1]), port: 1813 }, ..input(Carrier::Udp, bytes) }
    }

    #[test]
    fn a_session_from_start_to_stop() {
        let v6 = "2001:db8::7".parse::<Ipv6Addr>().expect("address").octets();
        let about = [attribute(1, b"jana"), station("02-00-00-00-00-07"), attribute(8, &V4), attribute(168, &v6), attribute(32, b"sw3")];
        let start = request(1, &about);
        let (bound, bound6) = ("radius 02:00:00:00:00:07 10.0.0.7", "radius 02:00:00:00:00:07 2001:db8::7");
        assert_eq!(bindings(&RADIUS, &to_server(&start)), [bound, bound6]);
        assert_eq!(bindings(&RADIUS, &to_server(&request(3, &about))), [bound, bound6]);
        let released = bindings(&RADIUS, &to_server(&request(2, &about)));
        assert_eq!(released, [format!("{bound} released"), format!("{bound6} released")]);
        assert_eq!(bindings(&RADIUS, &to_server(&request(7, &about))).len(), 0, "accounting-on is about the switch");
        let shown = notes(&RADIUS, &to_server(&start)).seen.iter().flat_map(|s| s.fields.clone()).collect::<Vec<_>>().join(" ");
        assert!(shown.contains("radius.status=start") && shown.contains("radius.nas=sw3") && !shown.contains("jana"), "{shown}");
    }

    #[test]
    fn ways_to_write_a_station() {
        for (text, good) in [
            ("02:00:00:00:00:07", true),
            ("0200.0000.0007", true),
            ("020000000007", true),
            ("02-00-00-00-00-07:guest", false),
            ("02-00-00-00-00", false),
            ("01-00-5e-00-00-07", false),
            ("+420 123 456", false),
            ("", false),
        ] {
            let bytes = request(1, &[station(text), attribute(8, &V4)]);
            assert_eq!(bindings(&RADIUS, &to_server(&bytes)).len(), usize::from(good), "{text}");
        }
    }

    #[test]
    fn what_binds_nothing() {
        let prefix = |len: u8| [&[0, len], &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7][..]].concat();
        for (address, good) in [
            (attribute(8, &[255, 255, 255, 254]), false),
            (attribute(8, &[0; 4]), false),
            (attribute(8, &V4[..3]), false),
            (attribute(97, &prefix(64)), false),
            (attribute(97, &prefix(128)), true),
            (attribute(97, &prefix(128)[..10]), false),
            (attribute(168, &[0; 16]), false),
        ] {
            let bytes = request(1, &[station("020000000007"), address.clone()]);
            assert_eq!(bindings(&RADIUS, &to_server(&bytes)).len(), usize::from(good), "{address:?}");
        }
    }

    #[test]
    fn hostile_messages() {
        let whole = request(1, &[station("020000000007"), attribute(8, &V4)]);
        for len in 0..whole.len() {
            assert_eq!((RADIUS.probe)(&to_server(&whole[..len])), Probe::No, "{len}");
        }
        assert_eq!((RADIUS.probe)(&to_server(&[&whole[..], &[0; 9]].concat())), Probe::Match, "padding");
        for (at, byte) in [(0, 5), (2, 255), (3, 19), (21, 0), (21, 1), (21, 255)] {
            let mut broken = whole.clone();
            broken[at] = byte;
            assert_eq!((RADIUS.probe)(&to_server(&broken)), Probe::No, "{at} {byte}");
        }
        let elsewhere = Input { dst: Endpoint { port: 443, ..to_server(&whole).dst }, ..to_server(&whole) };
        assert_eq!((RADIUS.probe)(&elsewhere), Probe::No);
        let many = request(1, &[vec![station("020000000007")], vec![attribute(8, &V4); 400]].concat());
        assert_eq!(bindings(&RADIUS, &to_server(&many)).len(), 0, "more attributes than anybody sends");
        let many = request(1, &[vec![station("020000000007")], vec![attribute(8, &V4); 200]].concat());
        assert_eq!(bindings(&RADIUS, &to_server(&many)).len(), ADDRESSES_MAX);
    }
}
