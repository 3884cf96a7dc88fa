//! The flow table of one worker: bounded, no locks; the flow that was quiet longest leaves first.

use std::net::IpAddr;
use std::time::Duration;

use super::index::Index;
use super::key::{FlowKey, Words};
use crate::fold::Keys;
use crate::net::{Endpoint, Mac, Path, Transport};
use crate::time::Timestamp;

/// What is known of a flow whatever it carries. `state` is what the owner of the table needs to follow its bytes. What every packet
/// touches comes first, so that it lies together with the key.
#[derive(Debug)]
#[repr(C)]
pub struct Flow<S> {
    /// Latest packet.
    pub last: Timestamp,
    /// Packets from opener and from peer.
    pub packets: [u64; 2],
    /// Bytes on the wire from opener and from peer, as the first tap of each saw them.
    pub bytes: [u64; 2],
    /// What the owner keeps.
    pub state: S,
    /// Which interface delivered the first packet of opener and of peer: bytes are counted there alone.
    pub taps: [Option<u16>; 2],
    /// The sender of the SYN, or of the first packet seen.
    pub opener: Endpoint,
    /// Hardware addresses of opener and peer.
    pub macs: [Option<Mac>; 2],
    /// TCP or UDP.
    pub transport: Transport,
    /// A SYN was seen, so `opener` is certain.
    pub opened: bool,
    /// The other end.
    pub peer: Endpoint,
    /// Which interface delivered the first packet.
    pub interface: u16,
    /// Unique within the worker, in the order of first packets.
    pub id: u64,
    /// First packet.
    pub first: Timestamp,
    /// VLANs and tunnels of the first packet.
    pub path: Path,
}

/// Where a flow is, until it is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowIndex(u32);

const NIL: u32 = u32::MAX;

/// How exact the order of latest packets is: a flow moves up at most so often, because its neighbours in the order are elsewhere in memory.
const ORDER: Duration = Duration::from_millis(100);

/// Idle flows that are told at once.
const TOGETHER: usize = 32;

#[derive(Debug)]
#[repr(C)]
struct Slot<S> {
    words: [u64; 2],
    /// When it last moved up.
    moved: Timestamp,
    flow: Flow<S>,
    hash: u64,
}

/// The neighbours of a flow in the order of latest packets.
#[derive(Clone, Copy, Debug)]
struct Links {
    newer: u32,
    older: u32,
}

/// Flows by key, in the order of their latest packet.
#[derive(Debug)]
pub struct FlowTable<S> {
    keys: Keys,
    index: Index,
    slots: Vec<Option<Slot<S>>>,
    /// Apart from the slots: whoever moves up touches these of its neighbours alone.
    links: Vec<Links>,
    /// Both ends of the flow in each slot, shortened: a search for an address reads 8 bytes for each flow.
    ends: Vec<[u32; 2]>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    /// No flow was quiet since before this.
    quiet_since: Timestamp,
    capacity: usize,
}

impl<S> FlowTable<S> {
    /// An empty table for at most `capacity` flows.
    pub fn new(capacity: usize) -> Self {
        FlowTable {
            keys: Keys::random(),
            index: Index::new(),
            slots: Vec::new(),
            links: Vec::new(),
            ends: Vec::new(),
            free: Vec::new(),
            newest: NIL,
            oldest: NIL,
            quiet_since: Timestamp::ZERO,
            capacity: capacity.max(1),
        }
    }

    /// The number of flows.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    fn slot(&mut self, at: u32) -> Option<&mut Slot<S>> {
        self.slots.get_mut(usize::try_from(at).ok()?)?.as_mut()
    }

    fn links(&mut self, at: u32) -> Option<&mut Links> {
        self.links.get_mut(usize::try_from(at).ok()?)
    }

    fn unlink(&mut self, at: u32) {
        let Some(Links { newer, older }) = self.links(at).copied() else { return };
        match self.links(newer) {
            Some(links) => links.older = older,
            None => self.newest = older,
        }
        match self.links(older) {
            Some(links) => links.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let older = self.newest;
        if let Some(links) = self.links(at) {
            *links = Links { newer: NIL, older };
        }
        match self.links(older) {
            Some(links) => links.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    /// The flow of a key.
    #[inline]
    pub fn find(&self, key: &FlowKey<'_>) -> Option<FlowIndex> {
        if self.is_empty() {
            return None;
        }
        let found = self.index.find(key.hash(&self.keys), |at| {
            let slot = usize::try_from(at).ok().and_then(|i| self.slots.get(i)).and_then(Option::as_ref);
            slot.is_some_and(|s| key.has(&s.words) && (key.is_short() || key.is_of(s.flow.opener, s.flow.peer, s.flow.transport)))
        });
        found.map(FlowIndex)
    }

    /// The flow of an IPv4 key.
    #[inline(always)]
    pub fn find_short(&self, words: &Words) -> Option<FlowIndex> {
        if self.is_empty() {
            return None;
        }
        let found = self.index.find(words.hash(&self.keys), |at| {
            let slot = usize::try_from(at).ok().and_then(|i| self.slots.get(i)).and_then(Option::as_ref);
            slot.is_some_and(|s| s.words == words.words())
        });
        found.map(FlowIndex)
    }

    /// A flow has a packet at `now`: it becomes one of the newest.
    #[inline]
    pub fn rise(&mut self, at: FlowIndex, now: Timestamp) {
        let (at, newest) = (at.0, self.newest);
        let Some(slot) = self.slot(at) else { return };
        if (now.exceeds(slot.moved, ORDER) || slot.moved.exceeds(now, ORDER)) && at != newest {
            slot.moved = now;
            self.unlink(at);
            self.link_newest(at);
        }
    }

    /// The flow at a place.
    #[inline]
    pub fn get(&mut self, at: FlowIndex) -> Option<&mut Flow<S>> {
        self.slot(at.0).map(|s| &mut s.flow)
    }

    /// Whether a flow has to leave before another one is put in.
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Puts a flow in that is not there, as the newest; where it is.
    #[inline(always)]
    pub fn insert(&mut self, key: &FlowKey<'_>, flow: Flow<S>) -> FlowIndex {
        debug_assert!(self.find(key).is_none() && !self.is_full(), "a flow is put in once, where there is room");
        let (hash, ends) = (key.hash(&self.keys), [flow.opener.addr, flow.peer.addr].map(short));
        self.quiet_since = self.quiet_since.min(flow.last);
        let slot = Some(Slot { words: key.words(), moved: flow.last, flow, hash });
        let at = match self.free.pop() {
            Some(at) => at,
            None => u32::try_from(self.slots.len()).unwrap_or(NIL),
        };
        match usize::try_from(at).ok().and_then(|i| Some((self.slots.get_mut(i)?, self.ends.get_mut(i)?))) {
            Some((place, known)) => (*place, *known) = (slot, ends),
            None => {
                self.slots.push(slot);
                self.ends.push(ends);
                self.links.push(Links { newer: NIL, older: NIL });
            }
        }
        self.index.insert(hash, at);
        self.link_newest(at);
        FlowIndex(at)
    }

    /// Drops the flow at a place.
    pub fn drop_at(&mut self, at: FlowIndex) {
        let Some(place) = usize::try_from(at.0).ok().and_then(|i| self.slots.get_mut(i)) else { return };
        let Some(hash) = place.as_ref().map(|slot| slot.hash) else { return };
        *place = None;
        self.index.remove(hash, at.0);
        self.unlink(at.0);
        self.free.push(at.0);
    }

    /// The flow that was quiet longest.
    pub fn oldest(&self) -> Option<FlowIndex> {
        Some(self.oldest).filter(|at| *at != NIL).map(FlowIndex)
    }

    /// Some of the flows that were quiet for more than `idle`, the quietest first; it may take [`ORDER`] longer until it is a flow's turn.
    /// Where there are none, there is no other.
    #[inline]
    pub fn idle(&mut self, now: Timestamp, idle: Duration) -> Vec<FlowIndex> {
        if now.exceeds(self.quiet_since, idle) { self.quiet(now, idle) } else { Vec::new() }
    }

    #[cold]
    fn quiet(&mut self, now: Timestamp, idle: Duration) -> Vec<FlowIndex> {
        let mut found = Vec::new();
        let mut at = self.oldest;
        // The order stands apart from the flows, so that the processor fetches the next ones while it waits for this one.
        while let Some(last) = self.slot(at).map(|s| s.flow.last).filter(|_| found.len() < TOGETHER) {
            if now.since(last) <= idle {
                if found.is_empty() {
                    self.quiet_since = last;
                }
                return found;
            }
            found.push(FlowIndex(at));
            at = self.links(at).map_or(NIL, |links| links.newer);
        }
        if found.is_empty() {
            self.quiet_since = now;
        }
        found
    }

    /// Every flow, in the order of its place in memory: deterministic for the same packets.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Flow<S>> {
        self.slots.iter_mut().filter_map(|s| s.as_mut().map(|s| &mut s.flow))
    }

    /// Every flow of which one end is among `addrs`, and few others, in the order of its place in memory.
    pub fn of_ends(&mut self, addrs: &[IpAddr]) -> impl Iterator<Item = &mut Flow<S>> {
        let mut wanted: Vec<u32> = addrs.iter().copied().map(short).collect();
        wanted.sort_unstable();
        let is = move |end: &u32| match wanted[..] {
            [one] => *end == one,
            _ => wanted.binary_search(end).is_ok(),
        };
        let both = self.ends.iter().zip(&mut self.slots).filter(move |(ends, _)| ends.iter().any(&is));
        both.filter_map(|(_, slot)| slot.as_mut().map(|s| &mut s.flow))
    }
}

/// An address in 32 bits; those of IPv6 may meet.
fn short(addr: IpAddr) -> u32 {
    match addr {
        IpAddr::V4(a) => a.into(),
        IpAddr::V6(a) => a
            .octets()
            .as_chunks::<4>()
            .0
            .iter()
            .fold(0x5bd1_e995, |sum: u32, word| sum.rotate_left(9).wrapping_mul(0x9e37_79b1) ^ u32::from_be_bytes(*word)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn end(port: u16) -> Endpoint {
        Endpoint { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port }
    }

    fn flow(port: u16, at: u64) -> Flow<u16> {
        let ts = Timestamp::from_secs_nanos(at, 0);
        let (opener, peer) = (end(port), end(1));
        Flow {
            id: 0,
            transport: Transport::Tcp,
            opener,
            peer,
            opened: true,
            macs: [None; 2],
            interface: 0,
            taps: [None; 2],
            path: Path::default(),
            first: ts,
            last: ts,
            bytes: [0; 2],
            packets: [0; 2],
            state: port,
        }
    }

    #[test]
    fn keeps_the_newest() {
        let mut table = FlowTable::new(3);
        let put = |table: &mut FlowTable<u16>, port: u16| {
            table.insert(&FlowKey::new(&end(1), &end(port), Transport::Tcp), flow(port, u64::from(port)))
        };
        let drop = |table: &mut FlowTable<u16>, at: Option<FlowIndex>| {
            let state = table.get(at?).map(|f| f.state);
            table.drop_at(at?);
            state
        };
        let second = |n| Timestamp::from_secs_nanos(n, 0);
        for port in [10, 11, 12] {
            assert!(!table.is_full());
            put(&mut table, port);
        }
        let at = table.find(&FlowKey::new(&end(10), &end(1), Transport::Tcp)).expect("it is there");
        table.rise(at, second(12));
        assert!(table.is_full());
        let oldest = table.oldest();
        assert_eq!(drop(&mut table, oldest), Some(11));
        put(&mut table, 13);
        assert_eq!(drop(&mut table, Some(at)), Some(10));
        assert_eq!(table.len(), 2);
        assert!(table.idle(second(20), Duration::from_secs(8)).is_empty());
        let idle = table.idle(second(21), Duration::from_secs(8));
        assert_eq!(idle.len(), 1);
        assert_eq!(drop(&mut table, idle.first().copied()), Some(12));
        let oldest = table.oldest();
        assert_eq!(drop(&mut table, oldest), Some(13));
        assert!(table.oldest().is_none() && table.is_empty());
        put(&mut table, 14);
        assert_eq!(table.iter_mut().count(), 1);
    }

    proptest! {
        /// The naive model: ports in a list, the quietest first.
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec((any::<bool>(), 0u16..12), 1..200)) {
            let (mut table, mut list) = (FlowTable::new(8), Vec::new());
            for (n, (drop, port)) in (0..).zip(steps) {
                let (one, other) = (end(port), end(1_000));
                let key = FlowKey::new(&one, &other, Transport::Tcp);
                let at = table.find(&key);
                prop_assert_eq!(at.and_then(|at| table.get(at)).map(|f| f.state), list.contains(&port).then_some(port));
                list.retain(|known| *known != port);
                match at {
                    Some(at) if drop => table.drop_at(at),
                    Some(at) => table.rise(at, Timestamp::from_secs_nanos(n, 0)),
                    None => {
                        if table.is_full() {
                            table.oldest().into_iter().for_each(|at| table.drop_at(at));
                            list.remove(0);
                        }
                        table.insert(&key, Flow { peer: other, ..flow(port, n) });
                    }
                }
                if at.is_none() || !drop {
                    list.push(port);
                }
                prop_assert_eq!(table.len(), list.len());
                prop_assert_eq!(table.oldest().and_then(|at| table.get(at)).map(|f| f.state), list.first().copied());
            }
        }
    }
}
