//! A segment or datagram finds its flow or begins one, is counted there, and shows what it carries to whoever reads the flow.

use std::net::IpAddr;

use crate::decode::Tcp;
use crate::dissect::{self, Carrier};
use crate::flow::{First, Flow, FlowIndex, FlowKey, Segment};
use crate::limits::{FLOW_IDLE, Limit};
use crate::net::{Endpoint, Transport};
use crate::time::Timestamp;

use super::conversation::{self, Reading, is_nobodys};
use super::emit::{self, Emitter};
use super::fresh::Fresh;
use super::places::PlaceNumber;
use super::tracking::{FlowState, Passing, track};
use super::{Output, Worker, places, watch};

/// What a look for the flow of a packet came to: it is not done with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought {
    /// Of its key, for the tables without chains.
    pub(super) hash: u64,
    /// Where it is, when it is live.
    pub(super) at: Option<FlowIndex>,
    /// It is a first packet that somebody is known to want.
    pub(super) wanted: bool,
}

impl Worker {
    /// A TCP segment.
    pub(super) fn tcp(
        &mut self,
        packet: &Passing,
        ends: (Endpoint, Endpoint),
        tcp: &Tcp<'_>,
        sought: Option<Sought>,
        output: &mut dyn Output,
    ) {
        let opens = tcp.flags.syn && !tcp.flags.ack;
        let Some(Sought { hash, at: found, wanted }) = sought.or_else(|| self.seek(ends, Transport::Tcp, packet, opens)) else { return };
        let cut = tcp.wire_len as usize > tcp.payload.len();
        let other = |f: &mut Flow<FlowState>| opens && f.state.restarts(f.opener == ends.0, tcp.seq);
        let Some(at) = found.and_then(|at| self.known(at, packet.ts, other, output)).or_else(|| {
            let lone = !wanted && !cut && !tcp.flags.fin && may_stay_lone(packet.ts, ends, tcp.flags.syn, tcp.payload);
            let seq = tcp.seq.wrapping_add(u32::try_from(tcp.payload.len()).unwrap_or(0));
            let opening = Opening { hash, opens, lone: lone.then_some((seq, tcp.flags.syn)) };
            self.begin(Transport::Tcp, packet, ends, &opening, output)
        }) else {
            return;
        };
        let Some(flow) = self.flows.get(at) else { return };
        let direction = track(flow, packet, ends, opens);
        let bare = !cut && !tcp.flags.fin && tcp.payload.is_empty();
        if !flow.state.reading.takes(direction, tcp.seq, tcp.flags.syn, bare) {
            let segment = Segment { ts: packet.ts, seq: tcp.seq, syn: tcp.flags.syn, fin: tcp.flags.fin, bytes: tcp.payload };
            let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
            conversation::segment(flow, direction, &segment, cut, &mut self.spare, &mut emitter);
        }
        watch::contact(self.index, flow, &self.watch, packet.ts, output);
        if flow.is_settled() {
            self.settle(at, hash, packet.ts);
        }
    }

    /// A UDP datagram.
    pub(super) fn udp(
        &mut self,
        packet: &Passing,
        ends: (Endpoint, Endpoint),
        payload: &[u8],
        sought: Option<Sought>,
        output: &mut dyn Output,
    ) {
        let Some(Sought { hash, at: found, wanted }) = sought.or_else(|| self.seek(ends, Transport::Udp, packet, false)) else { return };
        let Some(at) = found.and_then(|at| self.known(at, packet.ts, |_| false, output)).or_else(|| {
            let lone = !wanted && !payload.is_empty() && is_nobodys(Carrier::Udp, packet.ts, ends, payload);
            let opening = Opening { hash, opens: false, lone: lone.then_some((0, false)) };
            self.begin(Transport::Udp, packet, ends, &opening, output)
        }) else {
            return;
        };
        let Some(flow) = self.flows.get(at) else { return };
        let direction = track(flow, packet, ends, false);
        if !flow.state.reading.is_decided() {
            let mut emitter = Emitter::new(self.index, &self.rules, self.salt, &mut self.tally, output);
            conversation::datagram(flow, direction, packet.ts, payload, &mut self.spare, &mut emitter);
        }
        watch::contact(self.index, flow, &self.watch, packet.ts, output);
        if flow.is_settled() {
            self.settle(at, hash, packet.ts);
        }
    }

    /// Where the flow of a packet is; `None` when it is done with, and its packet counted.
    fn seek(&mut self, ends: (Endpoint, Endpoint), transport: Transport, packet: &Passing, opens: bool) -> Option<Sought> {
        let key = FlowKey::new(&ends.0, &ends.1, transport);
        let hash = key.hash(&self.keys);
        if let Some(place) = self.done_with(hash, opens, packet.ts) {
            self.tally.places.more(place, packet.interface, packet.wire_len, packet.truncated);
            return None;
        }
        Some(Sought { hash, at: self.flows.find(&key), wanted: false })
    }

    /// Where a packet of the flow with this hash is to be counted, if that is done with and this packet opens no other one.
    #[inline(always)]
    pub(super) fn done_with(&mut self, hash: u64, opens: bool, ts: Timestamp) -> Option<PlaceNumber> {
        let place = self.settled.touch(hash, ts)?;
        if opens {
            self.settled.forget(hash);
        }
        (!opens).then_some(place)
    }

    /// Lets go of a flow of which nothing more is wanted but that its packets be counted.
    fn settle(&mut self, at: FlowIndex, hash: u64, now: Timestamp) {
        let Some(flow) = self.flows.get(at) else { return };
        let place = self.tally.flow_closed(flow);
        self.flows.drop_at(at);
        self.settled.put(hash, now, place);
    }

    /// The flow at a place, unless it has been quiet for too long or this packet begins an`other` one: then it is closed.
    #[inline]
    fn known(
        &mut self,
        at: FlowIndex,
        now: Timestamp,
        other: impl Fn(&mut Flow<FlowState>) -> bool,
        output: &mut dyn Output,
    ) -> Option<FlowIndex> {
        let flow = self.flows.get(at)?;
        if !now.exceeds(flow.last, FLOW_IDLE) && !other(flow) {
            self.flows.rise(at, now);
            return Some(at);
        }
        self.close(at, output);
        None
    }

    /// A packet of a flow that is not in the table: the second of a lone flow, one that stays alone for now, or the beginning of a flow.
    #[inline(never)]
    fn begin(
        &mut self,
        transport: Transport,
        packet: &Passing,
        ends: (Endpoint, Endpoint),
        opening: &Opening,
        output: &mut dyn Output,
    ) -> Option<FlowIndex> {
        let Opening { hash, opens, lone } = *opening;
        let key = &FlowKey::new(&ends.0, &ends.1, transport);
        if let Some(first) = self.lone.take(hash)
            && !packet.ts.exceeds(first.ts, FLOW_IDLE)
        {
            return Some(self.promote(key, packet, ends, &first, output));
        }
        let watched = self.is_watched(ends.0.addr) || self.is_watched(ends.1.addr);
        if let Some((seq, syn)) = lone
            && !watched
            && !packet.truncated
            && self.lone.takes(packet.ts, packet.wire_len)
        {
            let tcp = transport == Transport::Tcp;
            let client = if emit::opener_asks(ends.0, ends.1, opens, transport) { ends.0 } else { ends.1 };
            let place = self.tally.places.number(packet.interface, &packet.path(), client.addr);
            let first = First { ts: packet.ts, seq, wire_len: packet.wire_len, low: key.is_low(ends.0), syn, opens, tcp, place };
            self.tally.lone(&first);
            self.lone.put(hash, &first);
            return None;
        }
        Some(self.start(key, packet, ends, opens, watched, output))
    }

    /// Whether an address is to be looked out for.
    #[inline]
    fn is_watched(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(v4) if !self.watched.may_have(v4.to_bits()) => false,
            _ => self.watch.has_addr(addr),
        }
    }

    /// A flow that begins with this packet.
    fn start(
        &mut self,
        key: &FlowKey<'_>,
        packet: &Passing,
        ends: (Endpoint, Endpoint),
        opens: bool,
        watched: bool,
        output: &mut dyn Output,
    ) -> FlowIndex {
        let mut flow = self.fresh(key, packet, ends, opens);
        flow.state.watched = watched;
        self.open(key, flow, output)
    }

    fn fresh(&mut self, key: &FlowKey<'_>, packet: &Passing, ends: (Endpoint, Endpoint), opened: bool) -> Flow<FlowState> {
        let id = self.next_flow;
        self.next_flow += 1;
        Flow {
            id,
            transport: key.transport(),
            opener: ends.0,
            peer: ends.1,
            opened,
            macs: [packet.mac, None],
            interface: packet.interface,
            taps: [None; 2],
            path: packet.path(),
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
        key: &FlowKey<'_>,
        packet: &Passing,
        ends: (Endpoint, Endpoint),
        first: &First,
        output: &mut dyn Output,
    ) -> FlowIndex {
        let again = key.is_low(ends.0) == first.low;
        let (opener, peer) = if again { ends } else { (ends.1, ends.0) };
        let (interface, path) = self.tally.places.way(first.place).unwrap_or((packet.interface, packet.path()));
        let mut flow = self.fresh(key, packet, (opener, peer), first.opens);
        flow.macs = [if again { packet.mac } else { None }, None];
        (flow.interface, flow.taps, flow.path) = (interface, [Some(interface), None], path);
        (flow.first, flow.bytes, flow.packets) = (first.ts, [u64::from(first.wire_len), 0], [1, 0]);
        (flow.state.reading, flow.state.marks) = (Reading::Fresh(Fresh::after(first)), places::Marks::after(first));
        self.open(key, flow, output)
    }

    #[inline(always)]
    fn open(&mut self, key: &FlowKey<'_>, flow: Flow<FlowState>, output: &mut dyn Output) -> FlowIndex {
        if self.flows.is_full()
            && let Some(oldest) = self.flows.oldest()
        {
            self.tally.limit(Limit::Flows);
            self.close(oldest, output);
        }
        self.flows.insert(key, flow)
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
pub(super) fn may_stay_lone(ts: Timestamp, ends: (Endpoint, Endpoint), syn: bool, payload: &[u8]) -> bool {
    let unread = || dissect::tls::is_late(payload) || is_nobodys(Carrier::Tcp, ts, ends, payload);
    payload.is_empty() || (!syn && payload.iter().take(8).any(|b| *b != 0) && unread())
}
