//! What the tests of the small dissectors share: one message in, what the record says out, as text.

use crate::coverage::Blind;
use crate::dissect::{Carrier, Direction, Dissector, DissectorDef, Input, Probe};
use crate::field::Value;
use crate::limits::Limit;
use crate::net::{Endpoint, Mac};
use crate::record::{Detail, Record, Role, Sink};
use crate::time::Timestamp;

/// What a record said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub kind: &'static str,
    pub sender: Option<&'static str>,
    pub fields: Vec<String>,
    pub answers: Vec<String>,
    pub bindings: Vec<String>,
    pub suffixes: Vec<String>,
}

impl Seen {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|f| f.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A sink that writes everything down.
#[derive(Default)]
pub struct Notes {
    pub seen: Vec<Seen>,
    pub limits: Vec<Limit>,
}

impl Sink for Notes {
    fn emit(&mut self, record: &dyn Record) {
        let mut seen = Seen { kind: record.kind(), ..Seen::default() };
        seen.sender = record.sender().map(|role| if role == Role::Client { "client" } else { "server" });
        record.visit(Detail::Full, &mut |field, value| seen.fields.push(format!("{}={}", field.name, text(value))));
        record.answers(&mut |a| seen.answers.push(format!("{} {} {}", a.name.escape_ascii(), a.addr, a.ttl_secs)));
        record.suffixes(&mut |s| seen.suffixes.push(s.escape_ascii().to_string()));
        record.bindings(&mut |b| {
            let mut parts = vec![b.source.name().to_owned()];
            parts.extend(b.mac.map(|m| m.to_string()));
            parts.extend(b.addr.map(|a| a.to_string()));
            parts.extend(b.name.map(|n| format!("name={}", String::from_utf8_lossy(n))));
            parts.extend(b.vendor_class.map(|n| format!("class={}", String::from_utf8_lossy(n))));
            parts.extend(b.parameters.map(|p| format!("asks={}", p.escape_ascii())));
            parts.extend(b.client_id.map(|id| format!("id={}", id.escape_ascii())));
            parts.extend(b.lifetime_secs.map(|s| format!("{s}s")));
            parts.extend(b.relay.map(|r| format!("via={r}")));
            parts.extend(b.released.then(|| "released".to_owned()));
            parts.extend(b.router.then(|| "router".to_owned()));
            seen.bindings.push(parts.join(" "));
        });
        self.seen.push(seen);
    }

    fn limit(&mut self, limit: Limit) {
        self.limits.push(limit);
    }

    fn blind(&mut self, _blind: Blind) {}
}

fn text(value: Value<'_>) -> String {
    match value {
        Value::Text(t) => String::from_utf8_lossy(t).into_owned(),
        Value::Token(t) => t.to_owned(),
        Value::Number(n) => n.to_string(),
        Value::Address(a) => a.to_string(),
        Value::List(l) => l.iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect::<Vec<_>>().join(","),
    }
}

/// An input with addresses from 192.0.2.0/24, high ports, and a sender's MAC that ends in 99.
pub fn input(carrier: Carrier, bytes: &[u8]) -> Input<'_> {
    Input {
        ts: Timestamp::from_secs_nanos(1_700_000_000, 0),
        carrier,
        direction: Direction::Forward,
        src: Endpoint { addr: [192, 0, 2, 7].into(), port: 40_000 },
        dst: Endpoint { addr: [192, 0, 2, 53].into(), port: 50_000 },
        src_mac: Some(Mac([2, 0, 0, 0, 0, 0x99])),
        bytes,
        at_start: true,
        at_end: false,
    }
}

/// Probes and reads one message.
pub fn notes(def: &DissectorDef, input: &Input<'_>) -> Notes {
    let mut notes = Notes::default();
    if (def.probe)(input) == Probe::Match {
        let mut dissector: Box<dyn Dissector> = (def.start)();
        dissector.read(input, &mut notes);
    }
    notes
}

/// The bindings in one message.
pub fn bindings(def: &DissectorDef, input: &Input<'_>) -> Vec<String> {
    notes(def, input).seen.into_iter().flat_map(|s| s.bindings).collect()
}

/// The suffixes in one message.
pub fn suffixes(def: &DissectorDef, input: &Input<'_>) -> Vec<String> {
    notes(def, input).seen.into_iter().flat_map(|s| s.suffixes).collect()
}
