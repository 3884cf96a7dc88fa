//! Coverage by place: what the flows of each part of the network carried, hid and lost. Booked once for each flow, when it ends;
//! whoever knows segments makes them of places.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::coverage::Blind;
use crate::decode::Packet;
use crate::flow::Flow;
use crate::fold::Folded;
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
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub(super) grain: Grain,
    index: HashMap<Place, u16, Folded>,
    known: Vec<(Place, PlaceTally)>,
    /// What did not fit.
    elsewhere: PlaceTally,
    /// The first ways that packets came, and the places of IPv4 on them: (number of the way, network).
    ways: Vec<(u16, Path)>,
    latest_way: usize,
    nets: HashMap<u64, PlaceNumber, Folded>,
}

/// The number of a place; [`ELSEWHERE`] when there was no more room for it.
pub(super) type PlaceNumber = u16;

/// The number of everything that did not fit.
pub(super) const ELSEWHERE: PlaceNumber = u16::MAX;

/// Ways that are numbered: a mirror port has a few VLANs.
const WAYS_MAX: usize = 32;

const _: () = assert!(PLACES_MAX < ELSEWHERE as usize);

impl PartialEq for Places {
    fn eq(&self, other: &Self) -> bool {
        self.grain == other.grain && self.all() == other.all()
    }
}

impl Eq for Places {}

impl Places {
    /// Every place with its counts, in a fixed order; `None` is where everything beyond the bound went.
    pub fn all(&self) -> Vec<(Option<Place>, &PlaceTally)> {
        let empty = PlaceTally::default();
        let mut all: Vec<_> = self.known.iter().filter(|(_, t)| *t != empty).map(|(place, tally)| (Some(*place), tally)).collect();
        all.sort_by_key(|(place, _)| *place);
        all.extend((self.elsewhere != empty).then_some((None, &self.elsewhere)));
        all
    }

    /// Places are told apart differently from now on; what was counted stays where it is.
    pub(super) fn set_grain(&mut self, grain: Grain) {
        self.grain = grain;
        self.nets.clear();
    }

    /// The number of a place.
    #[inline]
    pub(super) fn number(&mut self, interface: u16, path: &Path, addr: IpAddr) -> PlaceNumber {
        let IpAddr::V4(v4) = addr else { return self.number_of(interface, path, addr) };
        let Some(way) = self.way_of(interface, path) else { return self.number_of(interface, path, addr) };
        let net = u32::from(v4).checked_shr(32 - u32::from(self.grain.v4.min(32))).unwrap_or(0);
        let key = (way as u64) << 32 | u64::from(net);
        if let Some(number) = self.nets.get(&key) {
            return *number;
        }
        // Every place that there will be is among those.
        if self.known.len() >= PLACES_MAX && self.nets.len() >= self.known.len() {
            return ELSEWHERE;
        }
        let number = self.number_of(interface, path, addr);
        if number != ELSEWHERE {
            self.nets.insert(key, number);
        }
        number
    }

    /// The number of a way; `None` when there are too many.
    #[inline]
    fn way_of(&mut self, interface: u16, path: &Path) -> Option<usize> {
        let is = |(i, p): &(u16, Path)| *i == interface && p == path;
        if !self.ways.get(self.latest_way).is_some_and(is) {
            self.latest_way = match self.ways.iter().position(is) {
                Some(known) => known,
                None if self.ways.len() >= WAYS_MAX => return None,
                None => {
                    self.ways.push((interface, *path));
                    self.ways.len() - 1
                }
            };
        }
        Some(self.latest_way)
    }

    fn number_of(&mut self, interface: u16, path: &Path, addr: IpAddr) -> PlaceNumber {
        let len = if addr.is_ipv4() { self.grain.v4.min(32) } else { self.grain.v6.min(128) };
        let Some(net) = Prefix::new(addr, len) else { return ELSEWHERE };
        let place = Place { interface, path: *path, net };
        if let Some(number) = self.index.get(&place) {
            return *number;
        }
        if self.known.len() >= PLACES_MAX {
            return ELSEWHERE;
        }
        let number = u16::try_from(self.known.len()).unwrap_or(ELSEWHERE);
        self.index.insert(place, number);
        self.known.push((place, PlaceTally::default()));
        number
    }

    fn at(&mut self, number: PlaceNumber) -> &mut PlaceTally {
        self.known.get_mut(usize::from(number)).map_or(&mut self.elsewhere, |(_, tally)| tally)
    }

    /// Where a packet of a lone flow was: interface and path, where they are known.
    pub(super) fn way(&self, number: PlaceNumber) -> Option<(u16, Path)> {
        self.known.get(usize::from(number)).map(|(place, _)| (place.interface, place.path))
    }

    /// Books a flow that ended with its first packet; `false` when there was no more room for its place.
    pub(super) fn lone(&mut self, number: PlaceNumber, bytes: u32) -> bool {
        let tally = self.at(number);
        tally.flows = tally.flows.saturating_add(1);
        tally.frames = tally.frames.saturating_add(1);
        tally.bytes = tally.bytes.saturating_add(u64::from(bytes));
        number != ELSEWHERE
    }

    /// Books a flow that ended; `false` when there was no more room for its place.
    pub(super) fn flow(&mut self, flow: &Flow<FlowState>) -> bool {
        let client = if emit::client_is_opener(flow) { flow.opener } else { flow.peer };
        let number = self.number(flow.interface, &flow.path, client.addr);
        let tally = self.at(number);
        let marks = flow.state.marks;
        let (packets, bytes) = (flow.packets.iter().sum(), flow.bytes.iter().sum());
        let sums = [&mut tally.flows, &mut tally.dissected, &mut tally.frames, &mut tally.bytes, &mut tally.truncated];
        let more = [1, u64::from(marks.dissected), packets, bytes, u64::from(marks.cut)];
        sums.into_iter().zip(more).for_each(|(sum, n)| *sum = sum.saturating_add(n));
        if marks.blind != 0 {
            marks.blinds().for_each(|kind| tally.add_blind(kind));
        }
        if marks.limits != 0 {
            marks.limits().for_each(|limit| tally.limits.add(limit));
        }
        number != ELSEWHERE
    }

    /// Books a packet that belongs to no flow and hides what it carries.
    pub(super) fn hidden(&mut self, packet: &Packet<'_>, ends: (IpAddr, IpAddr), kind: Blind) {
        let addr = if is_private(ends.1) && !is_private(ends.0) { ends.1 } else { ends.0 };
        let number = self.number(packet.interface, &packet.path, addr);
        let tally = self.at(number);
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
