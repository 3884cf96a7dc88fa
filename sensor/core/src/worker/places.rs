//! Coverage by place: what the flows of each part of the network carried, hid and lost. Booked once for each flow, when it ends;
//! whoever knows segments makes them of places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::coverage::Blind;
use crate::decode::Packet;
use crate::flow::{First, Flow};
use crate::fold::Folded;
use crate::limits::{Limit, LimitCounts, PLACES_MAX};
use crate::net::{Path, Prefix};

use super::sieve::Sieve;
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
    /// Where its first packet was booked when it was the only one, and the bytes of it.
    pub(super) booked: Option<(PlaceNumber, u16)>,
    /// A dissector said something since this was last asked.
    pub(super) said: bool,
}

impl Marks {
    /// Of a flow that begins with a packet that was booked.
    pub(super) fn after(first: &First) -> Self {
        Marks { booked: u16::try_from(first.wire_len).ok().map(|bytes| (first.place, bytes)), ..Marks::default() }
    }

    pub(super) fn blind(&mut self, kind: Blind) {
        self.blind |= 1 << kind as u32;
    }

    pub(super) fn limit(&mut self, limit: Limit) {
        self.limits |= 1 << limit as u32;
    }

    fn blinds(self) -> impl Iterator<Item = Blind> {
        let all = if self.blind == 0 { &[] } else { Blind::ALL };
        all.iter().copied().filter(move |kind| self.blind & 1 << *kind as u32 != 0)
    }

    fn limits(self) -> impl Iterator<Item = Limit> {
        let all = if self.limits == 0 { &[] } else { Limit::ALL };
        all.iter().copied().filter(move |limit| self.limits & 1 << *limit as u32 != 0)
    }
}

// A mark is a bit.
const _: () = assert!(Blind::ALL.len() <= 32 && Limit::ALL.len() <= 32);

/// What is counted for every packet, apart from what is rare: all of these together stay in a core's second-level cache.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    flows: u64,
    frames: u64,
    bytes: u64,
    truncated: u64,
    interface: u16,
}

/// What is counted for some flows.
#[derive(Clone, Debug, Default)]
struct Rare {
    dissected: u64,
    blind: [u64; Blind::ALL.len()],
    limits: LimitCounts,
}

impl Rare {
    fn add_blind(&mut self, kind: Blind) {
        if let Some(count) = self.blind.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// Every place, bounded.
#[derive(Clone, Debug, Default)]
pub struct Places {
    grain: Grain,
    index: HashMap<Place, u16, Folded>,
    known: Vec<Place>,
    carried: Vec<Carried>,
    rare: Vec<Rare>,
    /// What did not fit.
    elsewhere: (Carried, Rare),
    /// The first ways that packets came, and the places of IPv4 on them: (number of the way, network).
    ways: Vec<(u16, Path)>,
    latest_way: usize,
    /// The interface and VLAN of the latest common packet, and the way that is.
    tagged: Option<((u16, Option<u16>), usize)>,
    nets: HashMap<u64, PlaceNumber, Folded>,
    /// Which of them may be there.
    sieve: Sieve,
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
    pub fn all(&self) -> Vec<(Option<Place>, PlaceTally)> {
        let empty = PlaceTally::default();
        let counts = self.known.iter().zip(&self.carried).zip(&self.rare);
        let mut all: Vec<_> = counts.map(|((place, carried), rare)| (Some(*place), sum(carried, rare))).collect();
        all.sort_by_key(|(place, _)| *place);
        all.push((None, sum(&self.elsewhere.0, &self.elsewhere.1)));
        all.retain(|(_, tally)| *tally != empty);
        all
    }

    /// Places are told apart differently from now on; what was counted stays where it is.
    pub(super) fn set_grain(&mut self, grain: Grain) {
        self.grain = grain;
        self.nets.clear();
        self.sieve = Sieve::default();
    }

    /// The number of a place.
    #[inline]
    pub(super) fn number(&mut self, interface: u16, path: &Path, addr: IpAddr) -> PlaceNumber {
        match addr {
            IpAddr::V4(v4) => match self.way_of(interface, path) {
                Some(way) => self.number_on(way, v4.to_bits()),
                None => self.number_of(interface, path, addr),
            },
            IpAddr::V6(_) => self.number_of(interface, path, addr),
        }
    }

    /// The same of an IPv4 address behind one VLAN tag or none.
    #[inline(always)]
    pub(super) fn number_tagged(&mut self, interface: u16, vlan: Option<u16>, addr: u32) -> PlaceNumber {
        let tag = (interface, vlan);
        match self.tagged {
            Some((known, way)) if known == tag => self.number_on(way, addr),
            _ => self.number_untold(tag, addr),
        }
    }

    #[cold]
    fn number_untold(&mut self, tag: (u16, Option<u16>), addr: u32) -> PlaceNumber {
        let path = Path::tagged(tag.1);
        let Some(way) = self.way_of(tag.0, &path) else { return self.number_of(tag.0, &path, Ipv4Addr::from_bits(addr).into()) };
        self.tagged = Some((tag, way));
        self.number_on(way, addr)
    }

    /// The number of the place of an IPv4 address that came on a numbered way.
    #[inline(always)]
    fn number_on(&mut self, way: usize, addr: u32) -> PlaceNumber {
        let net = u64::from(addr) >> (32 - u32::from(self.grain.v4.min(32)));
        let (key, short) = ((way as u64) << 32 | net, (net as u32).wrapping_add((way as u32) << 27));
        if self.sieve.may_have(short)
            && let Some(number) = self.nets.get(&key)
        {
            return *number;
        }
        // Every place that there will be is among those.
        if self.known.len() >= PLACES_MAX && self.nets.len() >= self.known.len() {
            return ELSEWHERE;
        }
        self.number_new(way, addr, key, short)
    }

    #[cold]
    fn number_new(&mut self, way: usize, addr: u32, key: u64, short: u32) -> PlaceNumber {
        let Some((interface, path)) = self.ways.get(way).copied() else { return ELSEWHERE };
        let number = self.number_of(interface, &path, Ipv4Addr::from_bits(addr).into());
        if number != ELSEWHERE {
            self.nets.insert(key, number);
            self.sieve.add(short);
        }
        number
    }

    /// The number of a way; `None` when there are too many.
    #[inline(always)]
    fn way_of(&mut self, interface: u16, path: &Path) -> Option<usize> {
        match self.ways.get(self.latest_way) {
            Some((i, p)) if *i == interface && p == path => Some(self.latest_way),
            _ => self.other_way(interface, path),
        }
    }

    fn other_way(&mut self, interface: u16, path: &Path) -> Option<usize> {
        self.latest_way = match self.ways.iter().position(|(i, p)| *i == interface && p == path) {
            Some(known) => known,
            None if self.ways.len() >= WAYS_MAX => return None,
            None => {
                self.ways.push((interface, *path));
                self.ways.len() - 1
            }
        };
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
        self.known.push(place);
        self.carried.push(Carried { interface, ..Carried::default() });
        self.rare.push(Rare::default());
        number
    }

    #[inline]
    fn carried(&mut self, number: PlaceNumber) -> &mut Carried {
        self.carried.get_mut(usize::from(number)).unwrap_or(&mut self.elsewhere.0)
    }

    fn rare(&mut self, number: PlaceNumber) -> &mut Rare {
        self.rare.get_mut(usize::from(number)).unwrap_or(&mut self.elsewhere.1)
    }

    /// Where a packet of a lone flow was: interface and path, where they are known.
    pub(super) fn way(&self, number: PlaceNumber) -> Option<(u16, Path)> {
        self.known.get(usize::from(number)).map(|place| (place.interface, place.path))
    }

    /// Books a flow of which one packet was seen; `false` when there was no more room for its place.
    #[inline]
    pub(super) fn lone(&mut self, number: PlaceNumber, bytes: u32) -> bool {
        let carried = self.carried(number);
        carried.flows += 1;
        carried.frames += 1;
        carried.bytes += u64::from(bytes);
        number != ELSEWHERE
    }

    /// Books a flow; where.
    pub(super) fn flow(&mut self, flow: &Flow<FlowState>) -> PlaceNumber {
        let client = if emit::client_is_opener(flow) { flow.opener } else { flow.peer };
        let number = self.number(flow.interface, &flow.path, client.addr);
        let marks = flow.state.marks;
        if let Some((place, bytes)) = marks.booked {
            // It is booked as a whole now, where its client turned out to be.
            let carried = self.carried(place);
            let differences = [(&mut carried.flows, 1), (&mut carried.frames, 1), (&mut carried.bytes, u64::from(bytes))];
            differences.into_iter().for_each(|(sum, n)| *sum = sum.saturating_sub(n));
        }
        let carried = self.carried(number);
        let (packets, bytes) = (flow.packets.iter().sum(), flow.bytes.iter().sum());
        let sums = [&mut carried.flows, &mut carried.frames, &mut carried.bytes, &mut carried.truncated];
        sums.into_iter().zip([1, packets, bytes, u64::from(marks.cut)]).for_each(|(sum, n)| *sum = sum.saturating_add(n));
        if marks.dissected || marks.blind != 0 || marks.limits != 0 {
            let rare = self.rare(number);
            rare.dissected = rare.dissected.saturating_add(u64::from(marks.dissected));
            marks.blinds().for_each(|kind| rare.add_blind(kind));
            marks.limits().for_each(|limit| rare.limits.add(limit));
        }
        number
    }

    /// Books one more packet of a flow that was booked. What another tap shows of it is not sent twice.
    #[inline]
    pub(super) fn more(&mut self, number: PlaceNumber, interface: u16, wire_len: u32, truncated: bool) {
        let carried = self.carried(number);
        let here = number == ELSEWHERE || carried.interface == interface;
        carried.frames += 1;
        carried.bytes += if here { u64::from(wire_len) } else { 0 };
        carried.truncated += u64::from(truncated);
    }

    /// Books a packet that belongs to no flow and hides what it carries.
    pub(super) fn hidden(&mut self, packet: &Packet<'_>, ends: (IpAddr, IpAddr), kind: Blind) {
        let addr = if is_private(ends.1) && !is_private(ends.0) { ends.1 } else { ends.0 };
        let number = self.number(packet.interface, &packet.path, addr);
        let carried = self.carried(number);
        carried.frames = carried.frames.saturating_add(1);
        carried.bytes = carried.bytes.saturating_add(u64::from(packet.wire_len));
        self.rare(number).add_blind(kind);
    }
}

/// The counts of one place.
fn sum(carried: &Carried, rare: &Rare) -> PlaceTally {
    PlaceTally {
        flows: carried.flows,
        dissected: rare.dissected,
        frames: carried.frames,
        bytes: carried.bytes,
        truncated: carried.truncated,
        blind: rare.blind,
        limits: rare.limits.clone(),
    }
}

/// Whether an address is one of a site's own (RFC 1918, RFC 4193): of two ends that is where the device is.
fn is_private(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => a.is_private(),
        IpAddr::V6(a) => a.is_unique_local(),
    }
}
