//! Coverage by place: what the flows of each part of the network carried, hid and lost. Booked once for each flow, when it ends;
//! whoever knows segments makes them of places.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::coverage::Blind;
use crate::decode::Packet;
use crate::flow::Flow;
use crate::limits::{Limit, LimitCounts, PLACES_MAX};
use crate::net::{Path, Prefix};

use super::{FlowState, emit};

/// How finely places are told apart: leading bits of a client's address, at least as many as the longest prefix of a segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grain {
    /// Of IPv4 addresses.
    pub v4: u8,
    /// Of IPv6 addresses.
    pub v6: u8,
}

impl Default for Grain {
    fn default() -> Self {
        Grain { v4: 24, v6: 64 }
    }
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which interface delivered it.
    pub interface: u16,
    /// VLANs and tunnels.
    pub path: Path,
    /// The client's network.
    pub net: Prefix,
}

/// What the flows of one place carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceTally {
    /// Flows that ended.
    pub flows: u64,
    /// Flows that a dissector recognised.
    pub dissected: u64,
    /// Packets of these flows.
    pub frames: u64,
    /// Bytes of these flows.
    pub bytes: u64,
    /// Packets of these flows that the snap length cut.
    pub truncated: u64,
    /// Flows (of tunnels: packets) that could not be judged, by kind.
    pub blind: [u64; Blind::ALL.len()],
    /// Flows that hit a limit.
    pub limits: LimitCounts,
}

impl PlaceTally {
    /// The count of one kind.
    pub fn blind(&self, kind: Blind) -> u64 {
        self.blind.get(kind as usize).copied().unwrap_or(0)
    }

    fn add_blind(&mut self, kind: Blind) {
        if let Some(count) = self.blind.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds another one to this one.
    pub fn merge(&mut self, other: &PlaceTally) {
        let sums = [&mut self.flows, &mut self.dissected, &mut self.frames, &mut self.bytes, &mut self.truncated];
        let more = [other.flows, other.dissected, other.frames, other.bytes, other.truncated];
        sums.into_iter().zip(more).chain(self.blind.iter_mut().zip(other.blind)).for_each(|(sum, n)| *sum = sum.saturating_add(n));
        self.limits.merge(&other.limits);
    }
}

/// What is remembered of a flow until it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    blind: u32,
    limits: u32,
    /// Packets that were cut.
    pub(super) cut: u32,
    /// A dissector recognised it.
    pub(super) dissected: bool,
    /// A dissector said something since this was last asked.
    pub(super) said: bool,
}

impl Marks {
    pub(super) fn blind(&mut self, kind: Blind) {
        self.blind |= 1 << kind as u32;
    }

    pub(super) fn limit(&mut self, limit: Limit) {
        self.limits |= 1 << limit as u32;
    }

    fn blinds(self) -> impl Iterator<Item = Blind> {
        Blind::ALL.iter().copied().filter(move |kind| self.blind & 1 << *kind as u32 != 0)
    }

    fn limits(self) -> impl Iterator<Item = Limit> {
        Limit::ALL.iter().copied().filter(move |limit| self.limits & 1 << *limit as u32 != 0)
    }
}

// A mark is a bit.
const _: () = assert!(Blind::ALL.len() <= 32 && Limit::ALL.len() <= 32);

/// Every place, bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub(super) grain: Grain,
    known: HashMap<Place, PlaceTally>,
    /// What did not fit.
    elsewhere: PlaceTally,
}

impl Places {
    /// Every place with its counts, in a fixed order; `None` is where everything beyond the bound went.
    pub fn all(&self) -> Vec<(Option<Place>, &PlaceTally)> {
        let mut all: Vec<_> = self.known.iter().map(|(place, tally)| (Some(*place), tally)).collect();
        all.sort_by_key(|(place, _)| *place);
        all.extend((self.elsewhere != PlaceTally::default()).then_some((None, &self.elsewhere)));
        all
    }

    /// The counts of a place, and whether there was no more room for it.
    fn at(&mut self, interface: u16, path: Path, addr: IpAddr) -> (&mut PlaceTally, bool) {
        let len = if addr.is_ipv4() { self.grain.v4.min(32) } else { self.grain.v6.min(128) };
        let place = Prefix::new(addr, len).map(|net| Place { interface, path, net });
        match place {
            Some(place) if self.known.contains_key(&place) || self.known.len() < PLACES_MAX => {
                (self.known.entry(place).or_default(), false)
            }
            _ => (&mut self.elsewhere, true),
        }
    }

    /// Books a flow that ended; `false` when there was no more room for its place.
    pub(super) fn flow(&mut self, flow: &Flow<FlowState>) -> bool {
        let client = if emit::client_is_opener(flow) { flow.opener } else { flow.peer };
        let (tally, full) = self.at(flow.interface, flow.path, client.addr);
        let marks = flow.state.marks;
        let packets = flow.packets.iter().sum();
        let bytes = flow.bytes.iter().sum();
        let one = PlaceTally {
            flows: 1,
            dissected: u64::from(marks.dissected),
            frames: packets,
            bytes,
            truncated: u64::from(marks.cut),
            ..PlaceTally::default()
        };
        tally.merge(&one);
        marks.blinds().for_each(|kind| tally.add_blind(kind));
        marks.limits().for_each(|limit| tally.limits.add(limit));
        !full
    }

    /// Books a packet that belongs to no flow and hides what it carries.
    pub(super) fn hidden(&mut self, packet: &Packet<'_>, ends: (IpAddr, IpAddr), kind: Blind) {
        let addr = if is_private(ends.1) && !is_private(ends.0) { ends.1 } else { ends.0 };
        let (tally, _) = self.at(packet.interface, packet.path, addr);
        tally.frames = tally.frames.saturating_add(1);
        tally.bytes = tally.bytes.saturating_add(u64::from(packet.wire_len));
        tally.add_blind(kind);
    }
}

/// Whether an address is one of a site's own (RFC 1918, RFC 4193): of two ends that is where the device is.
fn is_private(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => a.is_private(),
        IpAddr::V6(a) => a.is_unique_local(),
    }
}
