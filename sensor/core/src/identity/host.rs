//! An address: who held it when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::station::{clean, put_bounded};
use super::{DeviceId, Fact, points};
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;

/// How long ARP and ND hold without being repeated: stations repeat themselves every few minutes (Linux: 60 s, Windows: 10 min).
const NEIGHBOUR_HOLDS: Duration = Duration::from_secs(4 * 3600);

/// How long a lease holds whose length is not stated: the usual default of servers.
const LEASE_HOLDS: Duration = Duration::from_secs(24 * 3600);

/// How far a statement reaches back: a station that was there before the capture began repeats itself within this. A lease does not
/// reach back, as it is what begins a stay.
const REACHES_BACK: Duration = Duration::from_secs(10 * 60);

/// Names and frame MACs kept per address.
const NAMES_MAX: usize = 8;
const CARRIERS_MAX: usize = 8;

/// A statement that a MAC has the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub ts: Timestamp,
    pub mac: Mac,
    pub source: BindingSource,
    pub until: Timestamp,
    pub released: bool,
    pub relayed: bool,
}

impl Point {
    pub fn new(fact: &Fact, mac: Mac) -> Point {
        let lease = matches!(fact.source, BindingSource::Dhcp | BindingSource::DhcpRequest);
        let holds = match fact.lifetime_secs {
            Some(secs) => Duration::from_secs(secs.into()),
            None if lease => LEASE_HOLDS,
            None => NEIGHBOUR_HOLDS,
        };
        let until = fact.ts.after(holds);
        Point { ts: fact.ts, mac, source: fact.source, until, released: fact.released, relayed: fact.relay.is_some() }
    }

    /// A server's word, accounting, ARP and ND bind; what a client asks for and what names imply counts only where nothing else is known.
    const fn is_strong(&self) -> bool {
        matches!(self.source, BindingSource::Dhcp | BindingSource::Radius | BindingSource::Nd | BindingSource::Arp)
    }
}

/// An address in a segment.
#[derive(Clone, Debug)]
pub struct Host {
    pub id: DeviceId,
    strong: Vec<Point>,
    weak: Vec<Point>,
    names: BTreeMap<(BindingSource, String), Timestamp>,
    carriers: BTreeMap<Option<Mac>, (Timestamp, Timestamp)>,
}

impl Host {
    pub const fn new(id: DeviceId) -> Host {
        Host { id, strong: Vec::new(), weak: Vec::new(), names: BTreeMap::new(), carriers: BTreeMap::new() }
    }

    /// Takes a statement.
    pub fn hold(&mut self, point: Point) {
        let points = if point.is_strong() { &mut self.strong } else { &mut self.weak };
        points::put(points, point);
    }

    /// Takes a name that was given without a MAC.
    pub fn name(&mut self, fact: &Fact) {
        if let Some(name) = fact.name.as_deref().and_then(clean) {
            let first = self.names.get(&(fact.source, name.clone())).map_or(fact.ts, |ts| fact.ts.min(*ts));
            put_bounded(&mut self.names, (fact.source, name), first, NAMES_MAX);
        }
    }

    /// A frame of the address came from this MAC.
    pub fn carried_by(&mut self, mac: Option<Mac>, ts: Timestamp) {
        let (first, last) = self.carriers.get(&mac).copied().unwrap_or((ts, ts));
        put_bounded(&mut self.carriers, mac, (first.min(ts), last.max(ts)), CARRIERS_MAX);
    }

    /// MACs that frames of the address came from, and a time for each stay that may lie in between: first, last, and when somebody was
    /// bound to the address.
    pub fn carriers(&self) -> impl Iterator<Item = (Option<Mac>, Timestamp)> + '_ {
        self.carriers.iter().flat_map(|(mac, (first, last))| {
            let between = self.strong.iter().map(|p| p.ts).filter(move |ts| first < ts && ts < last);
            between.chain([*first, *last]).map(move |ts| (*mac, ts))
        })
    }

    /// First and last time of frames of the address, whoever sent them.
    pub fn carried(&self) -> impl Iterator<Item = (Option<Mac>, Timestamp, Timestamp)> + '_ {
        self.carriers.iter().map(|(mac, (first, last))| (*mac, *first, *last))
    }

    /// When anybody was bound to the address.
    pub fn bound_at(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.strong.iter().map(|p| p.ts)
    }

    /// When a MAC was bound to the address.
    pub fn times_of(&self, mac: Mac) -> impl Iterator<Item = Timestamp> + '_ {
        self.strong.iter().chain(&self.weak).filter(move |p| p.mac == mac).map(|p| p.ts)
    }

    /// Names given without a MAC: source, name, first time.
    pub fn names(&self) -> impl Iterator<Item = (BindingSource, &str, Timestamp)> {
        self.names.iter().map(|((source, name), ts)| (*source, name.as_str(), *ts))
    }

    /// Whether this MAC was ever bound to the address by a strong statement.
    pub fn knows(&self, mac: Mac) -> bool {
        self.strong.iter().any(|p| p.mac == mac)
    }

    /// MACs that were ever bound to the address.
    pub fn holders(&self) -> impl Iterator<Item = Mac> + '_ {
        self.strong.iter().chain(&self.weak).map(|p| p.mac)
    }

    /// Who held the address at `ts`. ARP and ND of MACs that `is_proxy` (they answer for others) do not count.
    pub fn holder(&self, ts: Timestamp, is_proxy: &dyn Fn(Mac) -> bool) -> Option<Point> {
        let counts = |p: &&Point| !matches!(p.source, BindingSource::Arp | BindingSource::Nd) || !is_proxy(p.mac);
        let of = |points: &[Point]| holder_in(&points.iter().filter(counts).copied().collect::<Vec<_>>(), ts);
        of(&self.strong).or_else(|| of(&self.weak))
    }

    /// Whether another MAC has a lease at `ts` that has not run out: two networks use the same address.
    pub fn is_contested(&self, holder: Mac, ts: Timestamp) -> bool {
        let others = self.strong.iter().filter(|p| p.mac != holder && p.ts <= ts && p.until > ts && !p.released);
        let given_up = |p: &Point| self.strong.iter().any(|r| r.released && r.mac == p.mac && r.ts >= p.ts && r.ts <= ts);
        others.into_iter().any(|p| !given_up(p))
    }
}

/// The statement in force at `ts`, of statements in the order of time.
fn holder_in(points: &[Point], ts: Timestamp) -> Option<Point> {
    let at = points.partition_point(|p| p.ts <= ts);
    let before = last_held(points.get(..at).unwrap_or(&[]));
    let after = points.get(at);
    // Between two statements of the same MAC it had the address all the time.
    let bracketed = |p: &&Point| ts <= p.until || after.is_some_and(|next| next.mac == p.mac);
    let begins = |p: &Point| matches!(p.source, BindingSource::Dhcp | BindingSource::Radius | BindingSource::DhcpRequest) && !p.released;
    let reaches = |p: &&Point| !begins(p) && p.ts.since(ts) <= REACHES_BACK;
    before.filter(bracketed).or_else(|| after.filter(reaches)).copied()
}

/// The last statement that was not taken back. A release ends only its own MAC's hold: who declines an address never had it.
fn last_held(points: &[Point]) -> Option<&Point> {
    let mut given_up: Vec<Mac> = Vec::new();
    for point in points.iter().rev() {
        if point.released {
            given_up.push(point.mac);
        } else {
            return Some(point).filter(|p| !given_up.contains(&p.mac));
        }
    }
    None
}
