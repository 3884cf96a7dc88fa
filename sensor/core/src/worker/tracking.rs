//! What a worker keeps for a flow: what was seen of it, and how a packet changes that.

use crate::decode::{Frame, Glance, Packet};
use crate::dissect::Direction;
use crate::flow::Flow;
use crate::net::{Endpoint, Mac, Path, Transport};
use crate::time::Timestamp;

use super::conversation::Reading;
use super::places;

/// What a worker keeps for a flow.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct FlowState {
    /// The bytes that are still being read.
    pub(super) reading: Reading,
    /// An end is watched, and it is to be told unless the flow turns out to have a name.
    pub(super) watched: bool,
    /// A server name was seen.
    pub(super) named: bool,
    /// Indicators fired, or an end is watched: the correlator wants to know its traffic.
    pub(super) matters: bool,
    /// Which direction the client sends in, once a record told.
    pub(super) client: Option<Direction>,
    /// What its place is told when it ends.
    pub(super) marks: places::Marks,
}

/// Counts a packet of a flow, and says which way it goes.
#[inline(always)]
pub(super) fn track(flow: &mut Flow<FlowState>, packet: &Passing, ends: (Endpoint, Endpoint), opens: bool) -> Direction {
    if opens && !flow.opened {
        flow.opened = true;
        if flow.opener != ends.0 && flow.packets.iter().sum::<u64>() > 0 {
            flow.reverse();
        }
    }
    let (direction, side) = if flow.opener == ends.0 { (Direction::Forward, 0) } else { (Direction::Backward, 1) };
    count(flow, side, packet);
    direction
}

/// What a packet is, whatever it carries.
pub(super) struct Passing {
    pub(super) ts: Timestamp,
    pub(super) interface: u16,
    pub(super) wire_len: u32,
    pub(super) truncated: bool,
    /// The sender's hardware address.
    pub(super) mac: Option<Mac>,
    way: Way,
}

/// The way that a packet came: a path is made of it when somebody wants one.
enum Way {
    /// One VLAN tag or none.
    Tagged(Option<u16>),
    Path(Path),
}

impl Passing {
    pub(super) fn of(packet: &Packet<'_>) -> Self {
        let Packet { ts, interface, wire_len, truncated, macs, path, .. } = *packet;
        Passing { ts, interface, wire_len, truncated, mac: macs.map(|m| m.src), way: Way::Path(path) }
    }

    #[inline(always)]
    pub(super) fn at_a_glance(frame: &Frame<'_>, seen: &Glance<'_>) -> Self {
        let Frame { ts, interface, wire_len, .. } = *frame;
        Passing { ts, interface, wire_len, truncated: seen.truncated, mac: Some(seen.src_mac()), way: Way::Tagged(seen.vlan) }
    }

    /// VLANs and tunnels.
    #[inline]
    pub(super) fn path(&self) -> Path {
        match self.way {
            Way::Tagged(vlan) => Path::tagged(vlan),
            Way::Path(path) => path,
        }
    }
}

/// Counts a packet from the opener (0) or the peer (1).
#[inline(always)]
pub(super) fn count(flow: &mut Flow<FlowState>, side: usize, packet: &Passing) {
    flow.last = flow.last.max(packet.ts);
    if packet.truncated {
        flow.state.marks.cut = flow.state.marks.cut.saturating_add(1);
    }
    // What a second tap shows of the same direction is not sent twice.
    let first_tap = flow.taps.get_mut(side).is_some_and(|tap| *tap.get_or_insert(packet.interface) == packet.interface);
    if let (Some(bytes), true) = (flow.bytes.get_mut(side), first_tap) {
        *bytes = bytes.saturating_add(u64::from(packet.wire_len));
    }
    if let Some(packets) = flow.packets.get_mut(side) {
        *packets += 1;
    }
    if let (Some(known), Some(mac)) = (flow.macs.get_mut(side), packet.mac) {
        known.get_or_insert(mac);
    }
}

impl FlowState {
    /// Takes a packet from the opener (0) or the peer (1) that is counted and nothing else: whether it is one. A flow that is about to be
    /// settled has none.
    #[inline(always)]
    pub(super) fn takes_unread(&mut self, side: usize, seen: &Glance<'_>) -> bool {
        match &mut self.reading {
            Reading::Fresh(fresh) => {
                let bare = seen.tcp.filter(|tcp| !tcp.fin() && !seen.truncated && seen.payload.is_empty());
                bare.is_some_and(|tcp| fresh.takes_bare(side, tcp.seq, tcp.syn()))
            }
            Reading::Open(conversation) => !seen.tcp.is_some_and(|tcp| tcp.syn()) && conversation.is_done(side),
            Reading::Decided => self.matters || !self.named,
        }
    }

    /// Whether a SYN with this sequence number opens another connection over the same addresses and ports. While a stream is read,
    /// a SYN inside it changes nothing: who injects one hides nothing.
    pub(super) fn restarts(&self, from_opener: bool, seq: u32) -> bool {
        match &self.reading {
            Reading::Fresh(_) => false,
            Reading::Open(conversation) => from_opener && conversation.is_other_stream(seq),
            Reading::Decided => true,
        }
    }
}

impl Flow<FlowState> {
    /// Its name was seen, and is nobody's business. What can still change is how much it carries.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        let state = &self.state;
        let both = || self.transport == Transport::Udp || self.packets.iter().all(|n| *n > 0);
        let one_tap = || self.taps.iter().all(|tap| tap.is_none_or(|tap| tap == self.interface));
        state.named && state.reading.is_decided() && !state.matters && !state.watched && both() && one_tap()
    }

    /// The first packet seen was an answer: turn the flow around.
    fn reverse(&mut self) {
        std::mem::swap(&mut self.opener, &mut self.peer);
        self.macs.swap(0, 1);
        self.taps.swap(0, 1);
        self.bytes.swap(0, 1);
        self.packets.swap(0, 1);
        self.state.client = self.state.client.map(Direction::reverse);
        self.state.reading.reverse();
    }
}
