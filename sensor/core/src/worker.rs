//! The worker: frames in, evidence out. One per capture ring; it owns its flows and shares nothing.
//!
//! Frame -> packet -> flow -> dissector -> matcher -> [`Evidence`]. It must not know devices, policy or findings.

mod conversation;
mod emit;
mod flows;
mod fresh;
mod glance;
mod places;
mod reader;
mod shed;
mod sieve;
mod spare;
mod tally;
mod tracking;
mod watch;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::coverage::Blind;
use crate::decode::{self, Body, DecodeCounts, Frame, Ip, Packet, Payload};
use crate::dissect::{Carrier, Direction, Input};
use crate::evidence::Evidence;
use crate::flow::{FlowIndex, FlowTable, Fragments, Lone, Settled};
use crate::fold::Keys;
use crate::limits::{FLOW_IDLE, FLOWS_MAX, Limit, UNDECIDED_IDLE};
use crate::net::Endpoint;
use crate::record::Record;
use crate::rules::RuleSet;
use crate::time::Timestamp;

use conversation::Reading;
use emit::{Emitter, Place};
use sieve::Sieve;
use spare::Spare;
use tracking::{FlowState, Passing};

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
    spare: Spare,
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
    /// When it was last looked for what is idle.
    tidied: Timestamp,
    /// The count of frames from which on streams that went quiet are looked for.
    sweep_at: u64,
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
            spare: Spare::default(),
            keys: Keys::of(salt),
            fragments: Fragments::default(),
            watch: Arc::new(Watch::default()),
            watched: Sieve::default(),
            presence: watch::PresenceThrottle::default(),
            tally: Tally::default(),
            shedding: Shedding::default(),
            next_flow: 0,
            salt,
            tidied: Timestamp::ZERO,
            sweep_at: SWEEP_EVERY,
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
    #[inline(always)]
    pub fn frame(&mut self, frame: &Frame<'_>, output: &mut dyn Output) {
        self.tally.frame(frame);
        match decode::glance(frame) {
            Some(seen) if self.shedding == Shedding::Nothing => self.at_a_glance(frame, &seen, output),
            Some(seen) => self.packet(&seen.packet(frame), output),
            None => self.uncommon(frame, output),
        }
        // Also when the clock stepped back.
        if frame.ts.nanos().wrapping_sub(self.tidied.nanos()) > TIDY_EVERY {
            self.tidy(frame.ts, output);
        }
    }

    #[inline(never)]
    fn uncommon(&mut self, frame: &Frame<'_>, output: &mut dyn Output) {
        let mut counts = DecodeCounts::default();
        let packet = decode::decode(frame, &mut counts);
        self.tally.decoded(&counts);
        if let Some(packet) = packet {
            self.packet(&packet, output);
        }
    }

    /// Time passes without a frame.
    pub fn idle(&mut self, now: Timestamp, output: &mut dyn Output) {
        self.tidy(now, output);
    }

    /// The input ended: tells the traffic of every flow that matters.
    pub fn finish(&mut self, output: &mut dyn Output) {
        while let Some(at) = self.flows.oldest() {
            self.close(at, output);
        }
        self.fragments_lost(Timestamp::MAX);
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
            self.presence.look_for(&watch.macs);
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

    /// Lets go of what is idle.
    #[cold]
    fn tidy(&mut self, now: Timestamp, output: &mut dyn Output) {
        self.tidied = now;
        if self.lone.is_due(now) {
            self.lone.sweep(now);
        }
        loop {
            let idle = self.flows.idle(now, FLOW_IDLE);
            if idle.is_empty() {
                break;
            }
            // Nobody touched them for long. A look at each before any is closed lets the processor fetch them side by side.
            let woken = idle.iter().filter_map(|at| self.flows.get(*at).map(|flow| flow.id ^ flow.state.reading.wake()));
            black_box(woken.fold(0, |all, one| all ^ one));
            idle.into_iter().for_each(|at| self.close(at, output));
        }
        self.fragments_lost(now);
        if self.tally.frames >= self.sweep_at {
            self.sweep_at = self.tally.frames.saturating_add(SWEEP_EVERY);
            self.sweep(now);
        }
    }

    fn fragments_lost(&mut self, now: Timestamp) {
        self.tally.fragments_lost(self.fragments.expire(now));
        (0..self.fragments.crowded_out()).for_each(|_| self.tally.limit(Limit::Fragments));
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

    fn close(&mut self, at: FlowIndex, output: &mut dyn Output) {
        let Some(flow) = self.flows.get(at) else { return };
        if let Reading::Open(mut conversation) = std::mem::replace(&mut flow.state.reading, Reading::Decided) {
            self.tally.release(conversation.counted());
            let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
            conversation.end(flow, &mut emitter);
            self.spare.end(conversation);
        }
        self.tally.flow_closed(flow);
        watch::contact(self.index, flow, &self.watch, Timestamp::MAX, output);
        if flow.state.matters {
            output.evidence(watch::traffic(self.index, flow, true));
        }
        self.flows.drop_at(at);
    }

    fn packet(&mut self, packet: &Packet<'_>, output: &mut dyn Output) {
        match &packet.body {
            Body::Arp(bytes) => self.message(packet, Carrier::Arp, NO_ENDS, bytes, output),
            Body::Ip(ip) => self.ip(packet, ip, output),
            Body::Other => {}
        }
    }

    fn ip(&mut self, packet: &Packet<'_>, ip: &Ip<'_>, output: &mut dyn Output) {
        let passing = Passing::of(packet);
        if let Some(presence) = self.presence.see(&passing, ip.src) {
            output.evidence(presence);
        }
        if self.shedding > Shedding::Nothing
            && let Some(step) = Shedding::step_of(ip).filter(|step| *step <= self.shedding)
        {
            return self.tally.shed(step);
        }
        match &ip.payload {
            Payload::Tcp(tcp) => {
                let ends = (Endpoint { addr: ip.src, port: tcp.sport }, Endpoint { addr: ip.dst, port: tcp.dport });
                self.tcp(&passing, ends, tcp, None, output);
            }
            Payload::Udp(udp) => {
                let ends = (Endpoint { addr: ip.src, port: udp.sport }, Endpoint { addr: ip.dst, port: udp.dport });
                self.udp(&passing, ends, udp.payload, None, output);
            }
            Payload::Icmp6(bytes) => self.message(packet, Carrier::Icmp6, (ip.src, ip.dst), bytes, output),
            Payload::Fragment(fragment) => {
                let whole = self.fragments.push(packet.ts, ip.src, ip.dst, fragment);
                if let Some((protocol, bytes)) = whole {
                    let mut counts = DecodeCounts::default();
                    let inner = decode::decode_reassembled(packet, ip.src, ip.dst, protocol, &bytes, &mut counts);
                    self.tally.decoded(&counts);
                    if let Some(inner) = inner {
                        self.packet(&inner, output);
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
}

/// Nanoseconds between two looks for what is idle: a tenth of a second, as exact as the order of the flow table is.
const TIDY_EVERY: u64 = 100_000_000;

/// Frames between two sweeps: each looks at every flow, so that a frame pays for one.
const SWEEP_EVERY: u64 = FLOWS_MAX as u64;

/// ARP has no IP header.
const NO_ENDS: (IpAddr, IpAddr) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
