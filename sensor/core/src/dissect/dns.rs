//! DNS over UDP and TCP on any port, multicast DNS and LLMNR: who asked for which name, and which addresses it got.
//!
//! One record per question. It must not know what a name means, nor remember which query an answer belongs to.

mod answers;
mod message;
mod name;
mod probe;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
pub(super) mod wire;

pub(super) use name::Name;

use std::net::IpAddr;

use super::{Carrier, Direction, Dissector, DissectorDef, Input, Progress};
use crate::field::{Family, Field, FieldKind, Value};
use crate::limits::Limit;
use crate::net::Mac;
use crate::record::{Answer, Binding, BindingSource, Detail, Record, Role, Sink};
use message::{HEADER_LEN, Message, Question, Section, rcode_name, rtype, type_name};

/// `dns.qname`: the name asked for.
pub static QNAME: Field = Field {
    name: "dns.qname",
    key: "name",
    kind: FieldKind::Name,
    family: Some(Family::Dns),
    signal: Some("dns-name"),
    personal: false,
    meaning: "Name asked for, without the final dot; a dot or backslash inside a label has a backslash before it, a control character is \\DDD.",
    source: "RFC 1035 sections 4.1.2 and 5.1",
};

/// `dns.type`: the record type asked for.
pub static TYPE: Field = Field {
    name: "dns.type",
    key: "qtype",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Record type asked for, such as A, AAAA or HTTPS; TYPE and its number where it has no name.",
    source: "RFC 1035 section 3.2.2, RFC 3597 section 5",
};

/// `dns.message`: question or answer.
pub static MESSAGE: Field = Field {
    name: "dns.message",
    key: "message",
    kind: FieldKind::Token(&["query", "response"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "Whether the message asks or answers.",
    source: "RFC 1035 section 4.1.1",
};

/// `dns.rcode`: how the answer went.
pub static RCODE: Field = Field {
    name: "dns.rcode",
    key: "rcode",
    kind: FieldKind::Token(message::RCODES),
    family: None,
    signal: None,
    personal: false,
    meaning: "Response code of an answer, the EDNS part included.",
    source: "RFC 1035 section 4.1.1, RFC 6891 section 6.1.3",
};

/// `dns.service`: which of the three.
pub static SERVICE: Field = Field {
    name: "dns.service",
    key: "service",
    kind: FieldKind::Token(&["dns", "mdns", "llmnr"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "Unicast DNS, multicast DNS (port 5353) or LLMNR (port 5355).",
    source: "RFC 1035, RFC 6762, RFC 4795",
};

/// `dns.alpn`: protocols that HTTPS records offer.
pub static ALPN: Field = Field {
    name: "dns.alpn",
    key: "alpn_offered",
    kind: FieldKind::List,
    family: None,
    signal: None,
    personal: false,
    meaning: "Protocols that SVCB and HTTPS records of an answer offer.",
    source: "RFC 9460 section 7.1",
};

/// `dns.ech`: whether HTTPS records hand out keys for Encrypted Client Hello.
pub static ECH: Field = Field {
    name: "dns.ech",
    key: "ech",
    kind: FieldKind::Token(&["offered"]),
    family: None,
    signal: None,
    personal: false,
    meaning: "An SVCB or HTTPS record of the answer holds an ECH configuration: later TLS names may be hidden.",
    source: "RFC 9848",
};

/// The line in the table.
pub static DNS: DissectorDef = DissectorDef {
    name: "dns",
    about: "DNS over UDP and TCP on any port, multicast DNS and LLMNR.",
    carriers: &[Carrier::Udp, Carrier::Tcp],
    fields: &[&QNAME, &TYPE, &MESSAGE, &RCODE, &SERVICE, &ALPN, &ECH],
    opens: &[0..=0xff],
    ports: &[],
    probe: probe::probe,
    start: || Box::new(Dns::default()),
};

/// Messages in a row without a readable first question after which a stream is given up.
const BAD_MESSAGES_MAX: u8 = 8;

/// Alpn ids shown of one message.
const ALPN_MAX: usize = 32;

#[derive(Default)]
struct Dns {
    /// Unreadable messages in a row, forward and backward.
    bad: [u8; 2],
}

impl Dissector for Dns {
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        if input.carrier == Carrier::Tcp {
            return self.read_stream(input, sink);
        }
        emit(input, input.bytes, sink);
        Progress::Continue { consumed: input.bytes.len(), need: 0 }
    }

    fn renew(&mut self) -> bool {
        *self = Dns::default();
        true
    }

    fn gap(&mut self, _direction: Direction) -> Progress {
        // The length that would begin the next message is lost.
        Progress::Done
    }
}

impl Dns {
    /// RFC 1035 section 4.2.2: each message has its length in two octets before it.
    fn read_stream(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress {
        let [forward, backward] = &mut self.bad;
        let bad = if input.direction == Direction::Forward { forward } else { backward };
        let mut rest = input.bytes;
        while let Some((head, tail)) = rest.split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes(*head));
            let Some((message, tail)) = tail.split_at_checked(len) else { break };
            *bad = if emit(input, message, sink) { 0 } else { bad.saturating_add(1) };
            if *bad >= BAD_MESSAGES_MAX {
                return Progress::Done;
            }
            rest = tail;
        }
        let need = rest.first_chunk::<2>().map_or(2, |head| usize::from(u16::from_be_bytes(*head)).saturating_add(2));
        Progress::Continue { consumed: input.bytes.len().saturating_sub(rest.len()), need }
    }
}

/// Names of a list, such as DHCP's search list: names in wire form one after the other, compressed within it, at most 32.
pub(super) fn rooted_names(list: &[u8]) -> impl Iterator<Item = Name<'_>> {
    let mut at = 0;
    let next = move || {
        let (name, behind) = Name::read(list, at)?;
        at = behind;
        Some(name)
    };
    std::iter::from_fn(next).take(32)
}

/// Emits one record per question, or one for a message without questions; `false` when there is nothing to read.
fn emit(input: &Input<'_>, bytes: &[u8], sink: &mut dyn Sink) -> bool {
    let Some(message) = Message::parse(bytes).filter(|_| bytes.len() >= HEADER_LEN) else { return false };
    let service = Service::of(input);
    if message.over_limit() {
        sink.limit(Limit::DnsRecords);
    }
    let record = |question, first| DnsRecord { message: &message, question, first, service, src: input.src.addr, src_mac: input.src_mac };
    sink.emit(&record(message.first, true));
    for question in message.more_questions() {
        sink.emit(&record(Some(question), false));
    }
    true
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Dns,
    Mdns,
    Llmnr,
}

impl Service {
    fn of(input: &Input<'_>) -> Service {
        let on = |port| input.src.port == port || input.dst.port == port;
        match (on(5353), on(5355)) {
            (true, _) => Service::Mdns,
            (_, true) => Service::Llmnr,
            _ => Service::Dns,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Service::Dns => "dns",
            Service::Mdns => "mdns",
            Service::Llmnr => "llmnr",
        }
    }
}

struct DnsRecord<'a> {
    message: &'a Message<'a>,
    question: Option<Question<'a>>,
    /// The first of its message: what belongs to the message is shown with it only.
    first: bool,
    service: Service,
    src: IpAddr,
    src_mac: Option<Mac>,
}

impl Record for DnsRecord<'_> {
    fn dissector(&self) -> &'static str {
        "dns"
    }

    fn kind(&self) -> &'static str {
        "dns"
    }

    fn sender(&self) -> Option<Role> {
        Some(if self.message.header.is_response() { Role::Server } else { Role::Client })
    }

    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let response = self.message.header.is_response();
        if let Some(question) = &self.question {
            question.name.with_text(|text| see(&QNAME, Value::Text(text)));
            if let Some(qtype) = question.qtype {
                see(&TYPE, Value::Text(type_name(qtype).as_bytes()));
            }
        }
        see(&MESSAGE, Value::Token(if response { "response" } else { "query" }));
        if response {
            see(&RCODE, Value::Token(rcode_name(self.message.rcode())));
        }
        see(&SERVICE, Value::Token(self.service.name()));
        if detail == Detail::Full && response && self.first {
            self.visit_services(see);
        }
    }

    fn answers_under_a_field(&self) -> bool {
        true
    }

    fn answers(&self, see: &mut dyn FnMut(Answer<'_>)) {
        if let Some(question) = &self.question {
            answers::answers(self.message, question, see);
        }
    }

    /// Multicast DNS and LLMNR: a host states its own name and addresses (RFC 6762 section 6, RFC 4795 section 2.3). Its MAC is part of
    /// it only where the packet itself came from one of these addresses: reflectors repeat what others said.
    fn bindings(&self, see: &mut dyn FnMut(Binding<'_>)) {
        if self.service == Service::Dns || !self.first || !self.message.header.is_response() {
            return;
        }
        let hosts = || self.message.records().filter(|r| r.class & 0x7fff == 1 && r.ttl > 0 && self.may_bind(r.section));
        let own = hosts().find(|r| answers::address(self.message, r) == Some(self.src)).map(|r| r.name);
        for record in hosts() {
            let Some(addr) = answers::address(self.message, &record).filter(|a| answers::is_host(*a)) else { continue };
            let source = if self.service == Service::Mdns { BindingSource::Mdns } else { BindingSource::Llmnr };
            let mac = self.src_mac.filter(|_| own.is_some_and(|own| own.same(&record.name)));
            record.name.with_text(|name| see(Binding { addr: Some(addr), name: Some(name), mac, ..Binding::new(source) }));
        }
    }
}

impl DnsRecord<'_> {
    /// Multicast DNS puts a host's addresses into the additional section of answers about its services (RFC 6763 section 12).
    fn may_bind(&self, section: Section) -> bool {
        section == Section::Answer || (self.service == Service::Mdns && section == Section::Additional)
    }

    fn visit_services(&self, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        if !self.message.records().any(|r| matches!(r.rtype, rtype::HTTPS | rtype::SVCB)) {
            return;
        }
        let mut alpn: Vec<&[u8]> = Vec::new();
        let mut ech = false;
        for service in answers::services(self.message) {
            ech |= service.has_ech();
            for id in service.alpn() {
                if alpn.len() < ALPN_MAX && !alpn.contains(&id) {
                    alpn.push(id);
                }
            }
        }
        if !alpn.is_empty() {
            see(&ALPN, Value::List(&alpn));
        }
        if ech {
            see(&ECH, Value::Token("offered"));
        }
    }
}
