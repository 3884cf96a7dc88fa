//! Packets that only have to be counted: those of flows of which nothing more is read, and first ones that nobody reads. They are dealt with by
//! numbers in registers, and the worker's general way does the same to them; a test holds one to the other.

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::{Frame, Glance};
use crate::dissect::Carrier;
use crate::flow::{First, FlowIndex, Words};
use crate::limits::FLOW_IDLE;
use crate::net::{Endpoint, Transport};

use super::conversation::is_nobodys;
use super::tracking::{Passing, count};
use super::{Shedding, Worker, emit, may_stay_lone};

/// What a glance at a packet came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Looked {
    /// It is dealt with.
    Counted,
    /// It belongs to no flow that is done with: the hash of its key, and where its flow is.
    Live(u64, Option<FlowIndex>),
    /// It was not looked at.
    Not,
}

impl Worker {
    /// Counts a packet of which nothing else is wanted.
    #[inline(always)]
    pub(super) fn only_counts(&mut self, frame: &Frame<'_>, seen: &Glance<'_>) -> Looked {
        if self.shedding > Shedding::Nothing || self.presence.may_want(seen.src_mac) {
            return Looked::Not;
        }
        let transport = if seen.tcp.is_some() { Transport::Tcp } else { Transport::Udp };
        let words = Words::new((seen.src, seen.sport), (seen.dst, seen.dport), transport);
        let hash = words.hash(&self.keys);
        let opens = seen.tcp.is_some_and(|tcp| tcp.flags.syn && !tcp.flags.ack);
        if let Some(place) = self.settled.touch(hash, frame.ts) {
            if !opens {
                self.tally.places.more(place, frame.interface, frame.wire_len, seen.truncated);
                return Looked::Counted;
            }
            self.settled.forget(hash);
        }
        let at = self.flows.find_short(&words);
        let counted = match at {
            Some(at) => !opens && self.passes(at, frame, seen),
            None => !self.lone.may_have(hash) && self.stays_lone(frame, seen, &words, hash, opens),
        };
        if counted { Looked::Counted } else { Looked::Live(hash, at) }
    }

    /// Counts a packet of a flow of which nothing more is read.
    #[inline(always)]
    fn passes(&mut self, at: FlowIndex, frame: &Frame<'_>, seen: &Glance<'_>) -> bool {
        let Some(flow) = self.flows.get(at) else { return false };
        let from_opener = flow.opener.port == seen.sport && flow.opener.addr == IpAddr::V4(Ipv4Addr::from_bits(seen.src));
        let side = usize::from(!from_opener);
        if !flow.state.only_counts(side, seen.tcp.is_some_and(|tcp| tcp.flags.syn)) || frame.ts.exceeds(flow.last, FLOW_IDLE) {
            return false;
        }
        let Frame { ts, interface, wire_len, .. } = *frame;
        count(flow, side, &Passing { ts, interface, wire_len, truncated: seen.truncated, mac: Some(seen.src_mac) });
        self.flows.rise(at, ts);
        true
    }

    /// Keeps what a first packet says, when nobody has to read it.
    #[inline(always)]
    fn stays_lone(&mut self, frame: &Frame<'_>, seen: &Glance<'_>, words: &Words, hash: u64, opens: bool) -> bool {
        if seen.truncated
            || !self.lone.takes(frame.ts, frame.wire_len)
            || self.watched.may_have(seen.src)
            || self.watched.may_have(seen.dst)
        {
            return false;
        }
        let (syn, fin) = seen.tcp.map_or((false, false), |tcp| (tcp.flags.syn, tcp.flags.fin));
        let ends = || {
            let [src, dst] = [(seen.src, seen.sport), (seen.dst, seen.dport)];
            [src, dst].map(|(addr, port)| Endpoint { addr: IpAddr::V4(Ipv4Addr::from_bits(addr)), port })
        };
        let nobodys = match seen.tcp {
            Some(_) if fin => false,
            Some(_) if seen.payload.is_empty() => true,
            Some(_) => may_stay_lone(frame.ts, ends().into(), syn, seen.payload),
            None => !seen.payload.is_empty() && is_nobodys(Carrier::Udp, frame.ts, ends().into(), seen.payload),
        };
        if !nobodys {
            return false;
        }
        let transport = if seen.tcp.is_some() { Transport::Tcp } else { Transport::Udp };
        let client = if emit::opener_port_asks(seen.sport, seen.dport, opens, transport) { seen.src } else { seen.dst };
        let place = self.tally.places.number_v4(frame.interface, &seen.path(), client);
        let payload = u32::try_from(seen.payload.len()).unwrap_or(0);
        let first = First {
            ts: frame.ts,
            seq: seen.tcp.map_or(0, |tcp| tcp.seq.wrapping_add(payload)),
            wire_len: frame.wire_len,
            low: words.in_order,
            syn,
            opens,
            tcp: seen.tcp.is_some(),
            place,
        };
        self.tally.lone(&first);
        self.lone.put(hash, &first);
        true
    }
}
