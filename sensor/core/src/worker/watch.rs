//! What the correlator asks workers to look out for: learned addresses, and hardware addresses of designated or exposed devices.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::evidence::{Evidence, FlowId};
use crate::flow::Flow;
use crate::fold::Folded;
use crate::net::{Mac, Path};
use crate::time::Timestamp;

use super::emit;
use super::tracking::Passing;
use super::{FlowState, Output};

/// How often the presence of one device in one place is told.
const PRESENCE_EVERY: Duration = Duration::from_secs(60);

/// Devices and places whose last telling is remembered.
const PRESENCE_MAX: usize = 4_096;

/// Places of one hardware address that are told: one with more addresses than any device has is a router's, and says nothing about a device.
const PLACES_PER_MAC_MAX: u16 = 256;

/// Addresses to look out for. Built by the correlator, read by every worker.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Server addresses that an app was proven at.
    pub addrs: HashSet<IpAddr, Folded>,
    /// Hardware addresses whose presence matters.
    pub macs: HashSet<Mac, Folded>,
    /// Local DNS suffixes that were announced, stripped from names before matching.
    pub suffixes: Vec<String>,
}

impl Watch {
    /// What this one has and the other one has not.
    pub(super) fn fresh(&self, before: &Watch) -> Vec<IpAddr> {
        self.addrs.iter().filter(|a| !before.addrs.contains(a)).copied().collect()
    }

    #[inline]
    pub(super) fn has_addr(&self, addr: IpAddr) -> bool {
        !self.addrs.is_empty() && self.addrs.contains(&addr)
    }
}

/// How long a flow that is still being read may take to show a name. It is in the first packets, or nowhere.
const NAME_PATIENCE: Duration = Duration::from_secs(1);

/// Tells the correlator of a flow with a watched end, once nothing more is read of it or it has had time enough. A flow with a name
/// of its own says by that name what it is: what else is spoken with a watched address is nobody's business.
#[inline]
pub(super) fn contact(index: u16, flow: &mut Flow<FlowState>, watch: &Watch, now: Timestamp, output: &mut dyn Output) {
    if is_due(flow, now) {
        tell(index, flow, watch, output);
    }
}

/// Whether it is time to tell of a flow with a watched end.
#[inline(always)]
pub(super) fn is_due(flow: &Flow<FlowState>, now: Timestamp) -> bool {
    flow.state.watched && (flow.state.reading.is_decided() || flow.state.named || now.exceeds(flow.first, NAME_PATIENCE))
}

fn tell(index: u16, flow: &mut Flow<FlowState>, watch: &Watch, output: &mut dyn Output) {
    flow.state.watched = false;
    if flow.state.named && !flow.state.matters {
        return;
    }
    flow.state.matters = true;
    let server_is_opener = watch.has_addr(flow.opener.addr) && !watch.has_addr(flow.peer.addr);
    let meta = emit::meta(index, flow, !server_is_opener);
    output.evidence(Evidence::Contact { flow: meta, last: flow.last });
}

/// What a flow has carried so far.
pub(super) fn traffic(index: u16, flow: &Flow<FlowState>, ended: bool) -> Evidence {
    let bytes = if emit::client_is_opener(flow) { flow.bytes } else { [flow.bytes[1], flow.bytes[0]] };
    Evidence::Traffic { flow: FlowId(flow_id(index, flow.id)), last: flow.last, bytes, named: flow.state.named, ended }
}

/// The worker in the high 16 bits, its count in the low 48.
pub(super) fn flow_id(index: u16, count: u64) -> u64 {
    (u64::from(index) << 48) | (count & 0xffff_ffff_ffff)
}

/// Tells the presence of watched devices, each place at most once a minute.
#[derive(Debug, Default)]
pub(super) struct PresenceThrottle {
    /// Hardware addresses that matter, by their last octets: most packets end here.
    wanted: Tails,
    /// The same in full.
    macs: HashSet<Mac, Folded>,
    places: HashMap<(Mac, Path, IpAddr), Sighting, Folded>,
    /// Places told of each hardware address.
    told: HashMap<Mac, u16, Folded>,
}

/// When a device was last told and last seen in one place, and on which interface.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    told: Timestamp,
    seen: Timestamp,
    interface: u16,
}

/// How some hardware addresses end: a bit for each number that their last two octets can be. They are asked for every packet, and of two
/// devices seldom alike.
#[derive(Debug)]
struct Tails(Box<[u64; TAIL_WORDS]>);

const TAIL_WORDS: usize = (u16::MAX as usize + 1) / 64;

impl Default for Tails {
    fn default() -> Self {
        Tails(Box::new([0; TAIL_WORDS]))
    }
}

impl Tails {
    fn place_of(mac: Mac) -> (usize, u64) {
        let [.., fifth, last] = mac.0;
        let tail = u16::from_be_bytes([fifth, last]);
        (usize::from(tail / 64), 1 << (tail % 64))
    }

    fn of(macs: impl Iterator<Item = Mac>) -> Self {
        let mut tails = Tails::default();
        for (word, bit) in macs.map(Self::place_of) {
            tails.0.get_mut(word).into_iter().for_each(|word| *word |= bit);
        }
        tails
    }

    #[inline(always)]
    fn may_have(&self, mac: Mac) -> bool {
        let (word, bit) = Self::place_of(mac);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl PresenceThrottle {
    /// Other hardware addresses matter from now on. One with more addresses than a device has is a router's: its presence says nothing.
    pub(super) fn look_for(&mut self, watch: &Watch) {
        let is_router = |mac: &Mac| self.told.get(mac).is_some_and(|told| *told >= PLACES_PER_MAC_MAX);
        self.macs = watch.macs.iter().filter(|mac| !is_router(mac)).copied().collect();
        self.wanted = Tails::of(self.macs.iter().copied());
    }

    /// Whether the presence of this hardware address may matter.
    #[inline(always)]
    pub(super) fn may_want(&self, mac: Mac) -> bool {
        self.wanted.may_have(mac)
    }

    /// The statement to make about this packet's sender, if any.
    #[inline]
    pub(super) fn see(&mut self, packet: &Passing, addr: IpAddr) -> Option<Evidence> {
        let mac = packet.mac?;
        if !self.may_want(mac) {
            return None;
        }
        self.tell(packet, mac, addr)
    }

    fn tell(&mut self, packet: &Passing, mac: Mac, addr: IpAddr) -> Option<Evidence> {
        // A device that has no address yet, or only speaks on its link, is not in a segment yet.
        let rooted = match addr {
            IpAddr::V4(a) => !a.is_unspecified() && !a.is_link_local(),
            IpAddr::V6(a) => !a.is_unspecified() && !a.is_unicast_link_local(),
        };
        if !rooted || !self.macs.contains(&mac) {
            return None;
        }
        let key = (mac, packet.path(), addr);
        if let Some(known) = self.places.get_mut(&key) {
            known.seen = known.seen.max(packet.ts);
            if packet.ts.distance(known.told) < PRESENCE_EVERY {
                return None;
            }
        }
        let told = self.told.entry(mac).or_default();
        *told += u16::from(!self.places.contains_key(&key));
        if *told >= PLACES_PER_MAC_MAX {
            self.macs.remove(&mac);
            self.wanted = Tails::of(self.macs.iter().copied());
        }
        if self.places.len() >= PRESENCE_MAX {
            self.places.clear();
        }
        self.places.insert(key, Sighting { told: packet.ts, seen: packet.ts, interface: packet.interface });
        Some(Evidence::Presence { ts: packet.ts, mac, addr, interface: packet.interface, path: key.1 })
    }

    /// At the end of the input: where each device was seen after it was last told. In a fixed order.
    pub(super) fn last_seen(&mut self) -> Vec<Evidence> {
        let mut untold: Vec<_> = self.places.drain().filter(|(_, s)| s.seen > s.told).collect();
        untold.sort_by_key(|(key, s)| (s.seen, *key));
        let tell = |((mac, path, addr), s): ((Mac, Path, IpAddr), Sighting)| Evidence::Presence {
            ts: s.seen,
            mac,
            addr,
            interface: s.interface,
            path,
        };
        untold.into_iter().map(tell).collect()
    }
}
