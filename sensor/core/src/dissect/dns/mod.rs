//! DNS over UDP and TCP, multicast DNS and LLMNR: names that are asked for, and what they resolve to.

mod message;
mod name;

#[cfg(test)]
mod tests;

use crate::field::{Family, Field, FieldKind, Value};
use crate::limits::Limit;
use crate::record::{Answer, Binding, BindingSource, Detail, Record, Role, Sink};

use super::{Carrier, Direction, Dissector, DissectorDef, Input, Probe, Progress};

use message::Message;

/// `dns.qname`: the name that is asked for.
pub static QNAME: Field = Field {
    name: "dns.qname",
    key: "name",
    kind: FieldKind::Name,
    family: Some(Family::Dns),
    signal: Some("dns-name"),
    personal: false,
    meaning: "The name that is asked for; a dot inside a label is escaped.",
    source: "RFC 1035 section 4.1.2",
};

/// `dns.type`: the type that is asked for.
pub static QTYPE: Field = Field {
    name: "dns.type",
    key: "type",
    kind: FieldKind::Number,
    family: None,
    signal: None,
    personal: false,
    meaning: "The type of record that is asked for: 1 = A, 28 = AAAA, 65 = HTTPS.",
    source: "RFC 1035 section 3.2.2",
};

/// `dns.message`: question or answer.
pub static MESSAGE: Field = Field {
    name: "dns.message",
    key: "message",
    kind: FieldKind::Token(&["query", "response"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "Whether it asks or answers.",
    source: "RFC 1035 section 4.1.1, bit QR",
};

/// `dns.rcode`: how the answer went.
pub static RCODE: Field = Field {
    name: "dns.rcode",
    key: "rcode",
    kind: FieldKind::Number,
    family: None,
    signal: None,
    personal: false,
    meaning: "Response code: 0 = no error, 3 = no such name.",
    source: "RFC 1035 section 4.1.1",
};

/// The line in the table of dissectors.
pub static DNS: DissectorDef = DissectorDef {
    name: "dns",
    about: "DNS over UDP and TCP on any port, multicast DNS and LLMNR.",
    carriers: &[Carrier::Udp, Carrier::Tcp],
    fields: &[&QNAME, &QTYPE, &MESSAGE, &RCODE],
    probe,
    start: || Box::new(Dns),
};

const PORT: u16 = 53;
const PORT_MDNS: u16 = 5353;
const PORT_LLMNR: u16 = 5355;

/// A message over TCP has at most this many bytes (RFC 1035 section 4.2.2), and at least a header and a question.
const TCP_MIN: usize = 12 + 5;

fn on_dns_port(input: &Input<'_>) -> bool {
    [input.src.port, input.dst.port].iter().any(|p| matches!(*p, PORT | PORT_MDNS | PORT_LLMNR))
}

fn probe(input: &Input<'_>) -> Probe {
    let strict = !on_dns_port(input);
    match input.carrier {
        Carrier::Udp => match Message::parse(input.bytes) {
            Some(m) if !strict || m.is_plain() => Probe::Match,
            _ => Probe::No,
        },
        Carrier::Tcp => {
            if strict && !input.at_start {
                return Probe::No;
            }
            let Some((length, rest)) = input.bytes.split_first_chunk().map(|(l, rest)| (usize::from(u16::from_be_bytes(*l)), rest)) else {
                // One byte: wait only where DNS is expected, or it would hold back everything else.
                return if strict { Probe::No } else { Probe::More };
            };
            if length < TCP_MIN {
                return Probe::No;
            }
            match rest.get(..length) {
                Some(bytes) => match Message::parse(bytes) {
                    Some(m) if !strict || m.is_plain() => Probe::Match,
                    _ => Probe::No,
                },
                None if strict || rest.len() >= 12 && !Message::header_fits(rest) => Probe::No,
                None => Probe::More,
            }
        }
        Carrier::Arp | Carrier::Icmp6 => Probe::No,
    }
}

struct Dns;

impl Dissector for Dns {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        match input.carrier {
            Carrier::Tcp => stream(input, sink),
            _ => {
                one(input.bytes, input, sink);
                Progress::Continue { consumed: input.bytes.len(), need: 0 }
            }
        }
    }

    fn gap(&mut self, _direction: Direction) -> Progress {
        Progress::FlowDone
    }
}

/// Messages behind their lengths.
fn stream(input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
    let mut rest = input.bytes;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((bytes, next)) = after.split_at_checked(length) else {
            return Progress::Continue { consumed: input.bytes.len() - rest.len(), need: length + 2 };
        };
        one(bytes, input, sink);
        rest = next;
    }
    Progress::Continue { consumed: input.bytes.len() - rest.len(), need: 2 }
}

fn one(bytes: &[u8], input: &Input<'_>, sink: &mut dyn Sink) {
    let Some(message) = Message::parse(bytes) else { return };
    if message.cut {
        sink.limit(Limit::DnsRecords);
    }
    let multicast = input.dst.port == PORT_MDNS || input.src.port == PORT_MDNS;
    let llmnr = input.dst.port == PORT_LLMNR || input.src.port == PORT_LLMNR;
    let source = match (multicast, llmnr) {
        (true, _) => Some(BindingSource::Mdns),
        (_, true) => Some(BindingSource::Llmnr),
        _ => None,
    };
    for i in 0..message.questions.len() {
        sink.emit(&Asked { message: &message, question: i, source });
    }
    if message.questions.is_empty() && source.is_some() {
        sink.emit(&Asked { message: &message, question: 0, source });
    }
}

/// One question of a message with what answers it; or a multicast announcement without a question.
struct Asked<'m> {
    message: &'m Message,
    question: usize,
    source: Option<BindingSource>,
}

impl Record for Asked<'_> {
    fn dissector(&self) -> &'static str {
        "dns"
    }

    fn kind(&self) -> &'static str {
        "dns"
    }

    fn sender(&self) -> Option<Role> {
        // Multicast has no servers.
        self.source.is_none().then_some(if self.message.response { Role::Server } else { Role::Client })
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        if let Some(question) = self.message.questions.get(self.question) {
            see(&QNAME, Value::Text(&question.name));
            see(&QTYPE, Value::Number(u64::from(question.kind)));
        }
        see(&MESSAGE, Value::Token(if self.message.response { "response" } else { "query" }));
        if self.message.response {
            see(&RCODE, Value::Number(u64::from(self.message.rcode)));
        }
    }

    fn answers(&self, see: &mut dyn FnMut(Answer<'_>)) {
        let Some(question) = self.message.questions.get(self.question).filter(|_| self.source.is_none()) else { return };
        self.message.addresses_of(&question.name, &mut |addr, ttl_secs| see(Answer { name: &question.name, addr, ttl_secs }));
    }

    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        let Some(source) = self.source.filter(|_| self.question == 0) else { return };
        self.message.own_addresses(&mut |name, addr| {
            let host = name.strip_suffix(b".local").unwrap_or(name);
            see(Binding { addr: Some(addr), name: Some(host), ..Binding::new(source) });
        });
    }
}
