//! The worker: frames in, evidence out. One per capture ring; it owns its flows and shares nothing.
//!
//! Frame -> packet -> flow -> dissector -> matcher -> [`Evidence`]. It must not know devices, policy or findings.

mod conversation;
mod emit;
mod glance;
mod places;
mod shed;
mod sieve;
mod tally;
mod tracking;
mod watch;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::coverage::Blind;
use crate::decode::{self, Body, DecodeCounts, Frame, Ip, Packet, Payload, Tcp, Udp};
use crate::dissect::{self, Carrier, Direction, Input};
use crate::evidence::Evidence;
use crate::flow::{First, Flow, FlowIndex, FlowKey, FlowTable, Fragments, Lone, Segment, Settled};
use crate::fold::Keys;
use crate::limits::{FLOW_IDLE, FLOWS_MAX, Limit, UNDECIDED_IDLE};
use crate::net::{Endpoint, Transport};
use crate::record::Record;
use crate::rules::RuleSet;
use crate::time::Timestamp;

use conversation::{Fresh, Reading, is_nobodys};
use emit::{Emitter, Place};
use glance::Looked;
use sieve::Sieve;
use tracking::{FlowState, track};

pub use emit::RecordContext;
pub use places::{Grain, Place as CoveragePlace, PlaceTally, Places};
pub use shed::Shedding;
pub use tally::Tally;
pub use watch::Watch;

/// Who listens to a worker.
pub trait Output {
    /// Takes a statement.
    fn evidence(&mut self, evidence: Evidence);

    /// Sees every record of every dissector, matched or not (the `dissect` command). Only called when
    /// [`Output::wants_records`] says so.
    fn record(&mut self, _context: &RecordContext, _record: &dyn Record) {}

    /// Whether [`Output::record`] is to be called.
    fn wants_records(&self) -> bool {
        false
    }
}

/// One worker.
pub struct Worker {
    index: u16,
    rules: Arc<RuleSet>,
    flows: FlowTable<FlowState>,
    lone: Lone,
    settled: Settled,
    /// Of both tables without chains. They follow from the salt, so that the same packets leave the same flows.
    keys: Keys,
    fragments: Fragments,
    watch: Arc<Watch>,
    /// Watched addresses of IPv4.
    watched: Sieve,
    presence: watch::PresenceThrottle,
    tally: Tally,
    shedding: Shedding,
    next_flow: u64,
    salt: u64,
}

impl Worker {
    /// A worker. `index` makes its flow ids unique among workers; `salt` keys the hash of installations.
    pub fn new(index: u16, rules: Arc<RuleSet>, salt: u64) -> Self {
        Worker {
            index,
            rules,
            flows: FlowTable::new(FLOWS_MAX),
            lone: Lone::new(FLOW_IDLE),
            settled: Settled::new(FLOW_IDLE),
            keys: Keys::of(salt),
            fragments: Fragments::default(),
            watch: Arc::new(Watch::default()),
            watched: Sieve::default(),
            presence: watch::PresenceThrottle::default(),
            tally: Tally::default(),
            shedding: Shedding::default(),
            next_flow: 0,
            salt,
        }
    }

    /// What was seen, lost and not judged so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes other rules, built over the present ones; local suffixes that were announced stay known.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.rules = rules;
        self.strip_suffixes();
    }

    /// Gives up part of the traffic from now on, or takes it up again.
    pub fn set_shedding(&mut self, shedding: Shedding) {
        self.shedding = shedding;
    }

    /// How finely the coverage tells places apart.
    pub fn set_grain(&mut self, grain: Grain) {
        self.tally.places.set_grain(grain);
    }

    /// Takes one frame.
    pub fn frame(&mut self, frame: &Frame<'_>, output: &mut dyn Output) {
        self.tally.frame(frame);
        if self.lone.is_due(frame.ts) {
            self.lone.sweep(frame.ts);
        }
        match decode::glance(frame) {
            Some(seen) => match self.only_counts(frame, &seen) {
                Looked::Counted => {}
                looked => self.packet(&seen.packet(frame), looked, output),
            },
            None => self.uncommon(frame, output),
        }
        self.expire(frame.ts, output);
    }

    fn uncommon(&mut self, frame: &Frame<'_>, output: &mut dyn Output) {
        let mut counts = DecodeCounts::default();
        let packet = decode::decode(frame, &mut counts);
        self.tally.decoded(&counts);
        if let Some(packet) = packet {
            self.packet(&packet, Looked::Not, output);
        }
    }

    /// Time passes without a frame.
    pub fn idle(&mut self, now: Timestamp, output: &mut dyn Output) {
        self.expire(now, output);
    }

    /// The input ended: tells the traffic of every flow that matters.
    pub fn finish(&mut self, output: &mut dyn Output) {
        while let Some(flow) = self.flows.pop_oldest() {
            self.close(flow, output);
        }
        self.tally.fragments_lost(self.fragments.expire(Timestamp::MAX));
        self.presence.last_seen().into_iter().for_each(|e| output.evidence(e));
    }

    /// Addresses and hardware addresses to look out for. Flows that are already there are told at once.
    pub fn watch(&mut self, watch: Arc<Watch>, output: &mut dyn Output) {
        let index = self.index;
        let fresh = watch.fresh(&self.watch);
        if !fresh.is_empty() {
            for flow in self.flows.of_ends(&fresh).filter(|f| fresh.contains(&f.opener.addr) || fresh.contains(&f.peer.addr)) {
                flow.state.watched = true;
                watch::contact(index, flow, &watch, flow.last, output);
            }
        }
        let announced = watch.suffixes.len() != self.watch.suffixes.len();
        let bits = |addr: &IpAddr| if let IpAddr::V4(a) = addr { Some(a.to_bits()) } else { None };
        if watch.addrs.len() == self.watch.addrs.len() + fresh.len() {
            // Nothing went: what is mostly one address more needs no other sieve.
            fresh.iter().filter_map(bits).for_each(|addr| self.watched.add(addr));
        } else {
            self.watched = Sieve::of(watch.addrs.iter().filter_map(bits));
        }
        if watch.macs != self.watch.macs {
            self.presence.look_for(&watch);
        }
        self.watch = watch;
        if announced {
            self.strip_suffixes();
        }
    }

    fn strip_suffixes(&mut self) {
        if !self.watch.suffixes.is_empty() {
            let rules = Arc::make_mut(&mut self.rules);
            self.watch.suffixes.iter().for_each(|s| rules.add_local_suffix(s));
        }
    }

    fn expire(&mut self, now: Timestamp, output: &mut dyn Output) {
        while let Some(flow) = self.flows.pop_idle(now, FLOW_IDLE) {
            self.close(flow, output);
        }
        self.tally.fragments_lost(self.fragments.expire(now));
        (0..self.fragments.crowded_out()).for_each(|_| self.tally.limit(Limit::Fragments));
        if self.tally.frames.is_multiple_of(SWEEP_EVERY) {
            self.sweep(now);
        }
    }

    /// Streams that nobody recognised and that went quiet give their bytes back.
    fn sweep(&mut self, now: Timestamp) {
        for flow in self.flows.iter_mut().filter(|f| now.since(f.last) > UNDECIDED_IDLE) {
            if let Reading::Open(conversation) = &flow.state.reading
                && conversation.is_undecided()
            {
                self.tally.release(conversation.counted());
                flow.state.reading = Reading::Decided;
            }
        }
    }

    fn close(&mut self, mut flow: Flow<FlowState>, output: &mut dyn Output) {
        if let Reading::Open(mut conversation) = std::mem::replace(&mut flow.state.reading, Reading::Decided) {
            self.tally.release(conversation.counted());
            let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
            conversation.end(&mut flow, &mut emitter);
        }
        self.tally.flow_closed(&mut flow);
        watch::contact(self.index, &mut flow, &self.watch, Timestamp::MAX, output);
        if flow.state.matters {
            output.evidence(watch::traffic(self.index, &flow, true));
        }
    }

    fn packet(&mut self, packet: &Packet<'_>, looked: Looked, output: &mut dyn Output) {
        match &packet.body {
            Body::Arp(bytes) => self.message(packet, Carrier::Arp, NO_ENDS, bytes, output),
            Body::Ip(ip) => self.ip(packet, ip, looked, output),
            Body::Other => {}
        }
    }

    fn ip(&mut self, packet: &Packet<'_>, ip: &Ip<'_>, looked: Looked, output: &mut dyn Output) {
        if let Some(presence) = self.presence.see(packet, ip.src, &self.watch) {
            output.evidence(presence);
        }
        if self.shedding > Shedding::Nothing
            && let Some(step) = Shedding::step_of(ip).filter(|step| *step <= self.shedding)
        {
            return self.tally.shed(step);
        }
        match &ip.payload {
            Payload::Tcp(tcp) => self.tcp(packet, ip, tcp, looked, output),
            Payload::Udp(udp) => self.udp(packet, ip, udp, looked, output),
            Payload::Icmp6(bytes) => self.message(packet, Carrier::Icmp6, (ip.src, ip.dst), bytes, output),
            Payload::Fragment(fragment) => {
                let whole = self.fragments.push(packet.ts, ip.src, ip.dst, fragment);
                if let Some((protocol, bytes)) = whole {
                    let mut counts = DecodeCounts::default();
                    let inner = decode::decode_reassembled(packet, ip.src, ip.dst, protocol, &bytes, &mut counts);
                    self.tally.decoded(&counts);
                    if let Some(inner) = inner {
                        self.packet(&inner, Looked::Not, output);
                    }
                }
            }
            Payload::Opaque(_) => self.tally.hidden(packet, (ip.src, ip.dst), Blind::Tunnel),
            Payload::Other(_) => {}
        }
    }

    /// A message that belongs to no flow.
    fn message(&mut self, packet: &Packet<'_>, carrier: Carrier, ends: (IpAddr, IpAddr), bytes: &[u8], output: &mut dyn Output) {
        let (src, dst) = (Endpoint { addr: ends.0, port: 0 }, Endpoint { addr: ends.1, port: 0 });
        let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
        let place = Place { interface: packet.interface, path: packet.path };
        let input = Input {
            ts: packet.ts,
            carrier,
            direction: Direction::Forward,
            src,
            dst,
            src_mac: packet.macs.map(|m| m.src),
            bytes,
            at_start: true,
            at_end: true,
        };
        emitter.message(place, &input);
    }

    fn tcp(&mut self, packet: &Packet<'_>, ip: &Ip<'_>, tcp: &Tcp<'_>, looked: Looked, output: &mut dyn Output) {
        let (src, dst) = (Endpoint { addr: ip.src, port: tcp.sport }, Endpoint { addr: ip.dst, port: tcp.dport });
        let key = FlowKey::new(src, dst, Transport::Tcp);
        let opens = tcp.flags.syn && !tcp.flags.ack;
        let Some(hash) = self.live(&key, packet, opens, looked) else { return };
        let cut = tcp.wire_len as usize > tcp.payload.len();
        let other = |f: &mut Flow<FlowState>| opens && f.state.restarts(f.opener == src, tcp.seq);
        let Some(at) = self.known(&key, packet.ts, other, output).or_else(|| {
            let lone = !cut && !tcp.flags.fin && may_stay_lone(packet.ts, (src, dst), tcp.flags.syn, tcp.payload);
            let seq = tcp.seq.wrapping_add(u32::try_from(tcp.payload.len()).unwrap_or(0));
            let opening = Opening { hash, opens, lone: lone.then_some((seq, tcp.flags.syn)) };
            self.begin(&key, packet, (src, dst), &opening, output)
        }) else {
            return;
        };
        let Some(flow) = self.flows.get(at) else { return };
        let direction = track(flow, packet, (src, dst), opens);
        if !flow.state.reading.is_decided() {
            let segment = Segment { ts: packet.ts, seq: tcp.seq, syn: tcp.flags.syn, fin: tcp.flags.fin, bytes: tcp.payload };
            let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
            conversation::segment(flow, direction, &segment, cut, &mut emitter);
        }
        watch::contact(self.index, flow, &self.watch, packet.ts, output);
        self.settle(at, hash, packet.ts);
    }

    fn udp(&mut self, packet: &Packet<'_>, ip: &Ip<'_>, udp: &Udp<'_>, looked: Looked, output: &mut dyn Output) {
        let (src, dst) = (Endpoint { addr: ip.src, port: udp.sport }, Endpoint { addr: ip.dst, port: udp.dport });
        let key = FlowKey::new(src, dst, Transport::Udp);
        let Some(hash) = self.live(&key, packet, false, looked) else { return };
        let Some(at) = self.known(&key, packet.ts, |_| false, output).or_else(|| {
            let lone = !udp.payload.is_empty() && is_nobodys(Carrier::Udp, packet.ts, (src, dst), udp.payload);
            let opening = Opening { hash, opens: false, lone: lone.then_some((0, false)) };
            self.begin(&key, packet, (src, dst), &opening, output)
        }) else {
            return;
        };
        let Some(flow) = self.flows.get(at) else { return };
        let direction = track(flow, packet, (src, dst), false);
        if !flow.state.reading.is_decided() {
            let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
            conversation::datagram(flow, direction, packet.ts, udp.payload, &mut emitter);
        }
        watch::contact(self.index, flow, &self.watch, packet.ts, output);
        self.settle(at, hash, packet.ts);
    }

    /// The hash of a key whose flow is live or begins here; `None` when the flow is done with, and its packet counted.
    #[inline]
    fn live(&mut self, key: &FlowKey, packet: &Packet<'_>, opens: bool, looked: Looked) -> Option<u64> {
        if let Looked::Live(hash) = looked {
            return Some(hash);
        }
        let hash = key.hash(&self.keys);
        if let Some(place) = self.settled.touch(hash, packet.ts) {
            if !opens {
                self.tally.places.more(place, packet.interface, packet.wire_len, packet.truncated);
                return None;
            }
            self.settled.forget(hash);
        }
        Some(hash)
    }

    /// Lets go of a flow of which nothing more is wanted but that its packets be counted.
    #[inline]
    fn settle(&mut self, at: FlowIndex, hash: u64, now: Timestamp) {
        if let Some(flow) = self.flows.get(at).filter(|flow| flow.is_settled()) {
            let place = self.tally.flow_closed(flow);
            self.flows.drop_at(at);
            self.settled.put(hash, now, place);
        }
    }

    /// The flow of a key, unless it has been quiet for too long or this packet begins an`other` one: then it is closed.
    #[inline]
    fn known(
        &mut self,
        key: &FlowKey,
        now: Timestamp,
        other: impl Fn(&mut Flow<FlowState>) -> bool,
        output: &mut dyn Output,
    ) -> Option<FlowIndex> {
        let at = self.flows.touch(key, now)?;
        let flow = self.flows.get(at)?;
        if !now.exceeds(flow.last, FLOW_IDLE) && !other(flow) {
            return Some(at);
        }
        let old = self.flows.remove(key)?;
        self.close(old, output);
        None
    }

    /// A packet of a flow that is not in the table: the second of a lone flow, one that stays alone for now, or the beginning of a flow.
    #[inline(always)]
    fn begin(
        &mut self,
        key: &FlowKey,
        packet: &Packet<'_>,
        ends: (Endpoint, Endpoint),
        opening: &Opening,
        output: &mut dyn Output,
    ) -> Option<FlowIndex> {
        let Opening { hash, opens, lone } = *opening;
        if let Some(first) = self.lone.take(hash)
            && !packet.ts.exceeds(first.ts, FLOW_IDLE)
        {
            return Some(self.promote(key, packet, ends, &first, output));
        }
        let watched = self.watch.has_addr(ends.0.addr) || self.watch.has_addr(ends.1.addr);
        if let Some((seq, syn)) = lone
            && !watched
            && !packet.truncated
            && self.lone.takes(packet.ts, packet.wire_len)
        {
            let tcp = key.transport() == Transport::Tcp;
            let client = if emit::opener_asks(ends.0, ends.1, opens, key.transport()) { ends.0 } else { ends.1 };
            let place = self.tally.places.number(packet.interface, &packet.path, client.addr);
            let first = First { ts: packet.ts, seq, wire_len: packet.wire_len, low: key.is_low(ends.0), syn, opens, tcp, place };
            self.tally.lone(&first);
            self.lone.put(hash, &first);
            return None;
        }
        Some(self.start(key, packet, ends, opens, watched, output))
    }

    /// A flow that begins with this packet.
    fn start(
        &mut self,
        key: &FlowKey,
        packet: &Packet<'_>,
        ends: (Endpoint, Endpoint),
        opens: bool,
        watched: bool,
        output: &mut dyn Output,
    ) -> FlowIndex {
        let flow = self.fresh(key, packet, ends, opens);
        self.open(*key, Flow { state: FlowState { watched, ..FlowState::default() }, ..flow }, output)
    }

    fn fresh(&mut self, key: &FlowKey, packet: &Packet<'_>, ends: (Endpoint, Endpoint), opened: bool) -> Flow<FlowState> {
        let id = self.next_flow;
        self.next_flow += 1;
        Flow {
            id,
            transport: key.transport(),
            opener: ends.0,
            peer: ends.1,
            opened,
            macs: [packet.macs.map(|m| m.src), None],
            interface: packet.interface,
            taps: [None; 2],
            path: packet.path,
            first: packet.ts,
            last: packet.ts,
            bytes: [0; 2],
            packets: [0; 2],
            state: FlowState::default(),
        }
    }

    /// The second packet of a lone flow: the flow begins with the first one.
    fn promote(
        &mut self,
        key: &FlowKey,
        packet: &Packet<'_>,
        ends: (Endpoint, Endpoint),
        first: &First,
        output: &mut dyn Output,
    ) -> FlowIndex {
        let again = key.is_low(ends.0) == first.low;
        let (opener, peer) = if again { ends } else { (ends.1, ends.0) };
        let (interface, path) = self.tally.places.way(first.place).unwrap_or((packet.interface, packet.path));
        let flow = self.fresh(key, packet, (opener, peer), false);
        let flow = Flow {
            opened: first.opens,
            macs: [if again { packet.macs.map(|m| m.src) } else { None }, None],
            interface,
            taps: [Some(interface), None],
            path,
            first: first.ts,
            bytes: [u64::from(first.wire_len), 0],
            packets: [1, 0],
            state: FlowState { reading: Reading::Fresh(Fresh::after(first)), marks: places::Marks::after(first), ..FlowState::default() },
            ..flow
        };
        self.open(*key, flow, output)
    }

    fn open(&mut self, key: FlowKey, flow: Flow<FlowState>, output: &mut dyn Output) -> FlowIndex {
        let (at, evicted) = self.flows.insert(key, flow);
        if let Some(evicted) = evicted {
            self.tally.limit(Limit::Flows);
            self.close(evicted, output);
        }
        at
    }
}

/// What a first packet is for its flow.
struct Opening {
    hash: u64,
    /// It is a SYN.
    opens: bool,
    /// It may stay alone: the sequence number of what follows it, and whether it is a SYN or the answer to one.
    lone: Option<(u32, bool)>,
}

/// Whether a first segment may stay what it is: nobody reads it, and what comes behind it is read the same without it.
#[inline]
fn may_stay_lone(ts: Timestamp, ends: (Endpoint, Endpoint), syn: bool, payload: &[u8]) -> bool {
    let unread = || dissect::tls::is_late(payload) || is_nobodys(Carrier::Tcp, ts, ends, payload);
    payload.is_empty() || (!syn && payload.iter().take(8).any(|b| *b != 0) && unread())
}

/// Frames between two sweeps: each looks at every flow, so that a frame pays for one.
const SWEEP_EVERY: u64 = FLOWS_MAX as u64;

/// ARP has no IP header.
const NO_ENDS: (IpAddr, IpAddr) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
