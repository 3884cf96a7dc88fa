//! DHCP (RFC 2131): the best word about which device has which address, and what it calls itself.

use std::net::{IpAddr, Ipv4Addr};

use crate::field::{Family, Field, FieldKind, Value};
use crate::net::Mac;
use crate::record::{Binding, BindingSource, Detail, Record, Sink};

use super::{Carrier, Dissector, DissectorDef, Input, Probe, Progress};

/// `dhcp.vendor_class`: what kind of client it says it is.
pub static VENDOR_CLASS: Field = Field {
    name: "dhcp.vendor_class",
    key: "vendor_class",
    kind: FieldKind::Text,
    family: Some(Family::Structure),
    signal: None,
    personal: false,
    meaning: "Vendor class identifier: the kind of client (android-dhcp-14, MSFT 5.0).",
    source: "RFC 2132 section 9.13",
};

/// `dhcp.hostname`: names a device, so it is only used to tell devices apart and shown with a finding.
pub static HOSTNAME: Field = Field {
    name: "dhcp.hostname",
    key: "hostname",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: true,
    meaning: "Host name that the client gives itself; only identity uses it.",
    source: "RFC 2132 section 3.14, RFC 4702",
};

/// `dhcp.message`: the message type.
pub static MESSAGE: Field = Field {
    name: "dhcp.message",
    key: "message",
    kind: FieldKind::Number,
    family: None,
    signal: None,
    personal: false,
    meaning: "Message type: 1 discover, 2 offer, 3 request, 5 acknowledge, 7 release.",
    source: "RFC 2132 section 9.6",
};

/// The line in the table of dissectors.
pub static DHCP: DissectorDef = DissectorDef {
    name: "dhcp",
    about: "DHCP for IPv4, relayed or not: leases, host names, vendor classes, search suffixes.",
    carriers: &[Carrier::Udp],
    fields: &[&VENDOR_CLASS, &HOSTNAME, &MESSAGE],
    probe: |input| if Message::parse(input.bytes).is_some() { Probe::Match } else { Probe::No },
    start: || Box::new(Dhcp),
};

const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
const OPTIONS_AT: usize = 240;
const OPTIONS_MAX: usize = 128;

const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACKNOWLEDGE: u8 = 5;
const RELEASE: u8 = 7;
const INFORM: u8 = 8;

struct Dhcp;

/// A message as far as it matters.
struct Message<'a> {
    kind: u8,
    mac: Mac,
    client: Ipv4Addr,
    yours: Ipv4Addr,
    relay: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    host: Option<&'a [u8]>,
    class: Option<&'a [u8]>,
    lease_secs: Option<u32>,
    suffixes: [Option<&'a [u8]>; 2],
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    bytes.get(at..)?.first_chunk::<4>().map(|a| Ipv4Addr::from(*a))
}

impl<'a> Message<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let [1 | 2, 1, 6, ..] = bytes else { return None };
        let mac = bytes.get(28..)?.first_chunk().map(|m| Mac(*m)).filter(|m| m.is_unicast())?;
        let options = bytes.get(OPTIONS_AT - 4..)?.strip_prefix(&COOKIE)?;
        let mut message = Message {
            kind: 0,
            mac,
            client: address(bytes, 12)?,
            yours: address(bytes, 16)?,
            relay: address(bytes, 24)?,
            requested: None,
            host: None,
            class: None,
            lease_secs: None,
            suffixes: [None; 2],
        };
        let mut rest = options;
        for _ in 0..OPTIONS_MAX {
            let Some((code, after)) = rest.split_first() else { break };
            rest = match code {
                0 => after,
                255 => break,
                _ => {
                    let Some((length, after)) = after.split_first() else { break };
                    let Some((data, next)) = after.split_at_checked(usize::from(*length)) else { break };
                    message.option(*code, data);
                    next
                }
            };
        }
        (message.kind > 0).then_some(message)
    }

    fn option(&mut self, code: u8, data: &'a [u8]) {
        match code {
            12 => self.host = Some(data.trim_ascii()).filter(|h| !h.is_empty()),
            15 => self.suffixes[0] = Some(data),
            50 => self.requested = address(data, 0),
            51 => self.lease_secs = data.first_chunk().map(|l| u32::from_be_bytes(*l)),
            53 => self.kind = data.first().copied().unwrap_or(0),
            60 => self.class = Some(data).filter(|c| !c.is_empty()),
            // Flags and two codes stand before the name (RFC 4702 section 2); the option 12 is the plainer word.
            81 if self.host.is_none() => self.host = data.get(3..).filter(|h| !h.is_empty()),
            // The first entry of the search list, as far as it is not compressed (RFC 3397).
            119 => self.suffixes[1] = Some(data),
            _ => {}
        }
    }

    /// The address that this message is about, and how sure it is.
    fn bound(&self) -> (Option<Ipv4Addr>, BindingSource) {
        let given = |a: Ipv4Addr| Some(a).filter(|a| !a.is_unspecified());
        match self.kind {
            ACKNOWLEDGE => (given(self.yours).or(given(self.client)), BindingSource::Dhcp),
            // What is asked for is not given yet; what is in use is.
            REQUEST | INFORM | RELEASE => (given(self.client), BindingSource::DhcpRequest),
            DECLINE => (self.requested, BindingSource::DhcpRequest),
            _ => (None, BindingSource::DhcpRequest),
        }
    }
}

impl Dissector for Dhcp {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if let Some(message) = Message::parse(input.bytes) {
            sink.emit(&message);
        }
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }
}

impl Record for Message<'_> {
    fn dissector(&self) -> &'static str {
        "dhcp"
    }

    fn kind(&self) -> &'static str {
        "dhcp"
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&MESSAGE, Value::Number(u64::from(self.kind)));
        if let Some(class) = self.class {
            see(&VENDOR_CLASS, Value::Text(class));
        }
        if let Some(host) = self.host {
            see(&HOSTNAME, Value::Text(host));
        }
    }

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let (addr, source) = self.bound();
        see(Binding {
            mac: Some(self.mac),
            addr: addr.map(IpAddr::V4),
            name: self.host,
            vendor_class: self.class,
            lifetime_secs: self.lease_secs,
            relay: Some(self.relay).filter(|r| !r.is_unspecified()).map(IpAddr::V4),
            released: matches!(self.kind, RELEASE | DECLINE),
            ..Binding::new(source)
        });
    }

    fn suffixes(&self, see: &mut dyn FnMut(&[u8])) {
        if self.kind != ACKNOWLEDGE {
            return;
        }
        if let Some(name) = self.suffixes[0] {
            see(name.trim_ascii_end().strip_suffix(b"\0").unwrap_or(name));
        }
        if let Some(name) = self.suffixes[1].and_then(plain_name) {
            see(&name);
        }
    }
}

/// The first name of a list in wire form without compression, as text.
fn plain_name(wire: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut rest = wire;
    for _ in 0..128 {
        let (length, after) = rest.split_first()?;
        match length {
            0 => return (!text.is_empty()).then_some(text),
            1..=63 => {
                let (label, next) = after.split_at_checked(usize::from(*length))?;
                if !text.is_empty() {
                    text.push(b'.');
                }
                text.extend_from_slice(label);
                rest = next;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, options: &[u8]) -> Vec<u8> {
        let mut m = vec![if kind == 5 { 2 } else { 1 }, 1, 6, 0];
        m.resize(OPTIONS_AT - 4, 0);
        m[16..20].copy_from_slice(&[10, 0, 0, 9]);
        m[28..34].copy_from_slice(&[0, 0, 0x5e, 0, 0x53, 9]);
        m.extend(COOKIE);
        m.extend([53, 1, kind]);
        m.extend_from_slice(options);
        m.push(255);
        m
    }

    fn bindings(bytes: &[u8]) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(m) = Message::parse(bytes) {
            m.bindings(&mut |b| said.push(format!("{:?} {:?} {:?} {}", b.source, b.addr, b.name.map(String::from_utf8_lossy), b.released)));
        }
        said
    }

    #[test]
    fn leases_requests_and_releases() {
        assert_eq!(bindings(&message(5, &[12, 2, b'p', b'c'])), ["Dhcp Some(10.0.0.9) Some(\"pc\") false"]);
        assert_eq!(bindings(&message(3, &[50, 4, 10, 0, 0, 9, 12, 2, b'p', b'c'])), ["DhcpRequest None Some(\"pc\") false"]);
        let mut release = message(7, &[]);
        release[12..16].copy_from_slice(&[10, 0, 0, 9]);
        assert_eq!(bindings(&release), ["DhcpRequest Some(10.0.0.9) None true"]);
    }

    #[test]
    fn suffixes_of_an_acknowledgement() {
        let options = [&[15, 10][..], b"office.lan", &[119, 12, 6], b"branch", &[3], b"org", &[0]].concat();
        let bytes = message(5, &options);
        let mut seen = Vec::new();
        Message::parse(&bytes).expect("whole").suffixes(&mut |s| seen.push(String::from_utf8_lossy(s).into_owned()));
        assert_eq!(seen, ["office.lan", "branch.org"]);
    }

    #[test]
    fn cut_anywhere() {
        let whole = message(5, &[12, 200, b'x', 61, 7, 1, 2, 3]);
        for cut in 0..whole.len() {
            let _ = bindings(&whole[..cut]);
        }
        assert!(Message::parse(&whole[..OPTIONS_AT]).is_none(), "no message type");
    }
}
