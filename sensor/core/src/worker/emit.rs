//! From a record to evidence: match its fields, learn from its answers, bind its addresses. What matches nothing is dropped here.

use std::hash::{DefaultHasher, Hasher};

use crate::coverage::{Blind, services};
use crate::dissect::dns::QNAME;
use crate::dissect::{DISSECTORS, Direction, Input, Probe};
use crate::evidence::{Bound, Evidence, FlowId, FlowMeta, HIT_VALUE_MAX, Hit, Sign, safe_text};
use crate::field::{Family, Field, FieldKind, Value};
use crate::flow::Flow;
use crate::limits::Limit;
use crate::net::{Endpoint, Path, Transport};
use crate::ports::PortSet;
use crate::record::{Answer, Binding, Detail, Record, Role, Sink};
use crate::rules::{Effect, RuleSet, SERVER, Teaches};
use crate::time::Timestamp;

use super::watch::flow_id;
use super::{FlowState, Output, Tally};

/// Where a message without a flow was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) interface: u16,
    pub(super) path: Path,
}

/// Where and when a record was seen, for those who want to see all of them.
#[derive(Clone, Copy, Debug)]
pub struct RecordContext {
    /// When its last byte was captured.
    pub ts: Timestamp,
    /// The end that is the client, innermost.
    pub client: Endpoint,
    /// The other end.
    pub server: Endpoint,
    /// TCP or UDP; `None` for ARP and ICMPv6.
    pub transport: Option<Transport>,
}

/// What all conversations of a worker need to speak.
pub(super) struct Emitter<'w> {
    index: u16,
    rules: &'w RuleSet,
    salt: u64,
    pub(super) tally: &'w mut Tally,
    output: &'w mut dyn Output,
}

/// The sink that a dissector gets while it reads one input.
pub(super) struct FlowSink<'e, 'w, 'i> {
    emitter: &'e mut Emitter<'w>,
    flow: Option<&'e mut Flow<FlowState>>,
    place: Place,
    input: &'e Input<'i>,
}

/// Whether the flow's opener is taken for the client.
pub(super) fn client_is_opener(flow: &Flow<FlowState>) -> bool {
    match flow.state.client {
        Some(direction) => direction == Direction::Forward,
        None => opener_asks(flow.opener, flow.peer, flow.opened, flow.transport),
    }
}

/// The same by what both ends are; `opened`: a SYN was seen.
pub(super) fn opener_asks(opener: Endpoint, peer: Endpoint, opened: bool, transport: Transport) -> bool {
    opener_port_asks(opener.port, peer.port, opened, transport)
}

/// The same by the ports of both ends.
#[inline(always)]
pub(super) fn opener_port_asks(opener: u16, peer: u16, opened: bool, transport: Transport) -> bool {
    let (from_service, to_service) = (opener < 1_024 || SERVICES.has(opener), peer < 1_024 || SERVICES.has(peer));
    if opened {
        true
    } else if from_service != to_service {
        to_service
    } else {
        // Nobody listens on a port that is known: whoever spoke first asks; in mid-stream servers listen on the lower port.
        transport == Transport::Udp || opener >= peer
    }
}

/// Higher ports on which servers listen.
static SERVICES: PortSet = PortSet::of([1_863, 3_128, 5_222, 5_223, 5_228, 8_000, 8_080, 8_443, 8_888, 14_000]);

/// The flow as the correlator sees it.
pub(super) fn meta(index: u16, flow: &mut Flow<FlowState>, guess: bool) -> FlowMeta {
    let forward = match flow.state.client {
        Some(direction) => direction == Direction::Forward,
        None if flow.opened => true,
        None => {
            flow.state.client = Some(if guess { Direction::Forward } else { Direction::Backward });
            guess
        }
    };
    let [opener_mac, peer_mac] = flow.macs;
    let (client, server) = if forward { (flow.opener, flow.peer) } else { (flow.peer, flow.opener) };
    let (client_mac, server_mac) = if forward { (opener_mac, peer_mac) } else { (peer_mac, opener_mac) };
    FlowMeta {
        id: FlowId(flow_id(index, flow.id)),
        transport: flow.transport,
        client,
        server,
        client_mac,
        server_mac,
        interface: flow.interface,
        path: flow.path,
        first: flow.first,
    }
}

impl<'w> Emitter<'w> {
    pub(super) fn new(index: u16, rules: &'w RuleSet, salt: u64, tally: &'w mut Tally, output: &'w mut dyn Output) -> Self {
        Emitter { index, rules, salt, tally, output }
    }

    /// The sink for one input of a flow.
    pub(super) fn on<'e, 'i>(&'e mut self, flow: &'e mut Flow<FlowState>, input: &'e Input<'i>) -> FlowSink<'e, 'w, 'i> {
        let place = Place { interface: flow.interface, path: flow.path };
        FlowSink { emitter: self, flow: Some(flow), place, input }
    }

    /// Shows a message without a flow to those dissectors that read its carrier.
    pub(super) fn message(&mut self, place: Place, input: &Input<'_>) {
        for def in DISSECTORS.iter().filter(|d| d.carriers.contains(&input.carrier)) {
            if (def.probe)(input) == Probe::Match {
                let mut sink = FlowSink { emitter: self, flow: None, place, input };
                (def.start)().read(input, &mut sink);
                return;
            }
        }
    }

    /// Indicators that fire on a record, whether it has a server name at all, and what that hides.
    fn hits(&self, record: &dyn Record) -> (Vec<Hit>, bool, Option<Blind>) {
        let mut hits = Vec::new();
        let mut named = false;
        let mut hides = None;
        let rules = self.rules;
        let detail = if rules.wants_fingerprints() { Detail::Full } else { Detail::Cheap };
        record.visit(detail, &mut |field, value| {
            named |= field.kind == FieldKind::Name && matches!(field.family, Some(Family::Tls | Family::Http));
            hides = hides.or_else(|| hidden_by(field, value));
            rules.matches(field, value, &mut |indicator| {
                let value = text_of(field, rules.telling(indicator, field, value));
                hits.push(Hit { indicator, field, value });
            });
        });
        (hits, named, hides)
    }

    fn ticket_hash(&self, bytes: &[u8]) -> u64 {
        // The low byte tells kinds of tickets apart: one installation has one of each.
        keyed_hash(self.salt, bytes) & !0xff | (bytes.len() as u64 & 0xff)
    }
}

impl FlowSink<'_, '_, '_> {
    fn settle_client(&mut self, record: &dyn Record) {
        let Some(flow) = &mut self.flow else { return };
        if let Some(role) = record.sender() {
            let forward = (self.input.direction == Direction::Forward) == (role == Role::Client);
            flow.state.client = Some(if forward { Direction::Forward } else { Direction::Backward });
        }
    }

    fn show(&mut self, record: &dyn Record) {
        if !self.emitter.output.wants_records() {
            return;
        }
        let (client, server) = match &self.flow {
            Some(flow) if client_is_opener(flow) => (flow.opener, flow.peer),
            Some(flow) => (flow.peer, flow.opener),
            None => (self.input.src, self.input.dst),
        };
        let context = RecordContext { ts: self.input.ts, client, server, transport: self.flow.as_ref().map(|f| f.transport) };
        self.emitter.output.record(&context, record);
    }

    /// Says what matched; whether anything did.
    fn sign(&mut self, record: &dyn Record) -> bool {
        let (mut hits, named, hides) = self.emitter.hits(record);
        let Some(flow) = &mut self.flow else { return false };
        flow.state.named |= named;
        let server = if client_is_opener(flow) { flow.peer } else { flow.opener };
        let by_port = (server.port == services::ENCRYPTED_DNS_PORT && record.kind() == "ch").then_some(Blind::EncryptedDns);
        if let Some(kind) = hides.or(by_port) {
            self.emitter.tally.blind_flow(flow, kind);
        }
        if hits.is_empty() {
            return false;
        }
        flow.state.matters = true;
        let guess = client_is_opener(flow);
        let meta = meta(self.emitter.index, flow, guess);
        let rules = self.emitter.rules;
        rules.matches(&SERVER, Value::Address(meta.server.addr), &mut |indicator| {
            hits.push(Hit { indicator, field: &SERVER, value: meta.server.addr.to_string().into() });
        });
        let mut beside = Vec::new();
        record.visit(Detail::Full, &mut |field, value| {
            if field.kind == FieldKind::Hash && !field.personal {
                beside.push((field, text_of(field, value)));
            }
        });
        let installation = record.installation().map(|bytes| self.emitter.ticket_hash(bytes));
        let sign = Sign { ts: self.input.ts, flow: meta, sender: record.sender(), hits, beside, installation };
        self.emitter.output.evidence(Evidence::Sign(Box::new(sign)));
        true
    }

    fn learn(&mut self, record: &dyn Record) {
        let Some(flow) = &mut self.flow else { return };
        let (rules, ts, index) = (self.emitter.rules, self.input.ts, self.emitter.index);
        let output = &mut self.emitter.output;
        record.answers(&mut |answer: Answer<'_>| {
            rules.matches(&QNAME, Value::Text(answer.name), &mut |indicator| {
                let known = rules.indicator(indicator);
                if known.effect == Effect::Evidence && known.teaches != Teaches::Nobody {
                    let guess = client_is_opener(flow);
                    let meta = meta(index, flow, guess);
                    output.evidence(Evidence::Learned { ts, flow: meta, indicator, addr: answer.addr, ttl_secs: answer.ttl_secs });
                }
            });
        });
    }

    fn bind(&mut self, record: &dyn Record) {
        let (ts, place) = (self.input.ts, self.place);
        let salt = self.emitter.salt;
        let output = &mut self.emitter.output;
        record.bindings(&mut |b: Binding<'_>| {
            let bound = Bound {
                ts,
                interface: place.interface,
                path: place.path,
                source: b.source,
                mac: b.mac,
                addr: b.addr,
                name: b.name.map(safe_text),
                vendor_class: b.vendor_class.map(safe_text),
                parameters: b.parameters.map(|list| keyed_hash(salt, list)),
                client_id: b.client_id.map(|id| keyed_hash(salt, id)),
                v6: b.v6,
                lifetime_secs: b.lifetime_secs,
                relay: b.relay,
                released: b.released,
                router: b.router,
            };
            output.evidence(Evidence::Bound(Box::new(bound)));
        });
        record.suffixes(&mut |suffix| output.evidence(Evidence::Suffix(suffix.into())));
    }
}

impl Sink for FlowSink<'_, '_, '_> {
    fn emit(&mut self, record: &dyn Record) {
        if let Some(flow) = &mut self.flow {
            flow.state.marks.said = true;
        }
        self.settle_client(record);
        self.show(record);
        let matched = self.sign(record);
        if record.is_only_fields() {
            return;
        }
        if matched || !record.answers_under_a_field() {
            self.learn(record);
        }
        self.bind(record);
    }

    fn limit(&mut self, limit: Limit) {
        match &mut self.flow {
            Some(flow) => self.emitter.tally.limit_flow(flow, limit),
            None => self.emitter.tally.limit(limit),
        }
    }

    fn blind(&mut self, blind: Blind) {
        match &mut self.flow {
            Some(flow) => self.emitter.tally.blind_flow(flow, blind),
            None => self.emitter.tally.blind(blind),
        }
    }
}

fn keyed_hash(salt: u64, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(salt);
    hasher.write(bytes);
    hasher.finish()
}

/// What a field of a hello says about the service behind it. The name is not kept.
fn hidden_by(field: &Field, value: Value<'_>) -> Option<Blind> {
    match (field.family?, field.kind, value) {
        (Family::Tls, FieldKind::Name, Value::Text(name)) => services::of_name(name),
        (Family::Tls, FieldKind::List, Value::List(offers)) => {
            offers.iter().any(|offer| services::ENCRYPTED_DNS_ALPN.contains(offer)).then_some(Blind::EncryptedDns)
        }
        _ => None,
    }
}

/// A value as text that is safe to keep; personal fields never get that far.
fn text_of(field: &Field, value: Value<'_>) -> Box<str> {
    if field.personal {
        return "".into();
    }
    match value {
        Value::Text(bytes) => safe_text(bytes),
        Value::Token(word) => word.into(),
        Value::Number(n) => n.to_string().into(),
        Value::Address(addr) => addr.to_string().into(),
        Value::List(items) => {
            let mut text = String::new();
            for item in items.iter() {
                if text.len() + item.len() > HIT_VALUE_MAX {
                    break;
                }
                if !text.is_empty() {
                    text.push(';');
                }
                text.push_str(&safe_text(item));
            }
            text.into()
        }
    }
}
