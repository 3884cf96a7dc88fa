//! Packets that only have to be counted: those of flows of which nothing more is read, and first ones that nobody reads. They are dealt with by
//! numbers in registers, and the worker's general way does the same to them; a test holds one to the other.

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::{Frame, Glance};
use crate::dissect::Carrier;
use crate::flow::{First, FlowIndex, Words};
use crate::limits::FLOW_IDLE;
use crate::net::{Endpoint, Transport};

use super::conversation::is_nobodys;
use super::flows::{Sought, may_stay_lone};
use super::tracking::{Passing, count};
use super::{Output, Worker, emit, watch};

impl Worker {
    /// A packet of the common kind: counted, where that is all that is wanted, or followed.
    #[inline(always)]
    pub(super) fn at_a_glance(&mut self, frame: &Frame<'_>, seen: &Glance<'_>, output: &mut dyn Output) {
        if self.presence.may_want(seen.src_mac()) {
            let addr = IpAddr::V4(Ipv4Addr::from_bits(seen.src));
            let presence = self.presence.see(&Passing::at_a_glance(frame, seen), addr);
            presence.into_iter().for_each(|presence| output.evidence(presence));
        }
        let Some(sought) = self.unless_it_only_counts(frame, seen) else { return };
        let passing = Passing::at_a_glance(frame, seen);
        match seen.segment() {
            Some(tcp) => self.tcp(&passing, ends(seen), &tcp, Some(sought), output),
            None => self.udp(&passing, ends(seen), seen.payload, Some(sought), output),
        }
    }

    /// Counts a packet of which nothing else is wanted; of every other one, where its flow is.
    #[inline(always)]
    fn unless_it_only_counts(&mut self, frame: &Frame<'_>, seen: &Glance<'_>) -> Option<Sought> {
        let transport = if seen.tcp.is_some() { Transport::Tcp } else { Transport::Udp };
        let words = Words::new((seen.src, seen.sport), (seen.dst, seen.dport), transport);
        let hash = words.hash(&self.keys);
        let opens = seen.tcp.is_some_and(|tcp| tcp.opens());
        if let Some(place) = self.done_with(hash, opens, frame.ts) {
            self.tally.places.more(place, frame.interface, frame.wire_len, seen.truncated);
            return None;
        }
        let at = self.flows.find_short(&words);
        let wanted = match at {
            Some(at) if !opens && self.passes(at, frame, seen) => return None,
            None if !self.lone.may_have(hash) => match self.stays_lone(frame, seen, &words, hash, opens) {
                Stay::Lone => return None,
                Stay::Wanted => true,
                Stay::Unfit => false,
            },
            _ => false,
        };
        Some(Sought { hash, at, wanted })
    }

    /// Counts a packet of a flow of which nothing more is read.
    #[inline(always)]
    fn passes(&mut self, at: FlowIndex, frame: &Frame<'_>, seen: &Glance<'_>) -> bool {
        let Some(flow) = self.flows.get(at) else { return false };
        if frame.ts.exceeds(flow.last, FLOW_IDLE) || watch::is_due(flow, frame.ts) {
            return false;
        }
        let from_opener = flow.opener.port == seen.sport && flow.opener.addr == IpAddr::V4(Ipv4Addr::from_bits(seen.src));
        let side = usize::from(!from_opener);
        if !flow.state.takes_unread(side, seen) {
            return false;
        }
        count(flow, side, &Passing::at_a_glance(frame, seen));
        self.flows.rise(at, frame.ts);
        true
    }

    /// Keeps what a first packet says, when nobody has to read it.
    #[inline(always)]
    fn stays_lone(&mut self, frame: &Frame<'_>, seen: &Glance<'_>, words: &Words, hash: u64, opens: bool) -> Stay {
        if seen.truncated
            || !self.lone.takes(frame.ts, frame.wire_len)
            || self.watched.may_have(seen.src)
            || self.watched.may_have(seen.dst)
        {
            return Stay::Unfit;
        }
        let (syn, fin) = seen.tcp.map_or((false, false), |tcp| (tcp.syn(), tcp.fin()));
        let nobodys = match seen.tcp {
            Some(_) if fin => false,
            Some(_) if seen.payload.is_empty() => true,
            Some(_) => may_stay_lone(frame.ts, ends(seen), syn, seen.payload),
            None => !seen.payload.is_empty() && is_nobodys(Carrier::Udp, frame.ts, ends(seen), seen.payload),
        };
        if !nobodys {
            return Stay::Wanted;
        }
        let transport = if seen.tcp.is_some() { Transport::Tcp } else { Transport::Udp };
        let client = if emit::opener_port_asks(seen.sport, seen.dport, opens, transport) { seen.src } else { seen.dst };
        let place = self.tally.places.number_tagged(frame.interface, seen.vlan, client);
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
        Stay::Lone
    }
}

/// What becomes of a first packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stay {
    /// It is kept, and counted.
    Lone,
    /// Somebody wants to read it.
    Wanted,
    /// It does not fit among those that are kept so.
    Unfit,
}

/// The sender's end, and the other one.
#[inline(always)]
fn ends(seen: &Glance<'_>) -> (Endpoint, Endpoint) {
    let end = |addr: u32, port: u16| Endpoint { addr: IpAddr::V4(Ipv4Addr::from_bits(addr)), port };
    (end(seen.src, seen.sport), end(seen.dst, seen.dport))
}
