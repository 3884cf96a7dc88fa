//! A MAC: what was said about it and what was seen from it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::tenant::{Tenant, Tenants};
use super::{DeviceId, Fact, SegmentKey, is_host};
use crate::record::BindingSource;
use crate::time::Timestamp;

/// Kept per station: addresses bound to it, addresses that it sent from, far ends behind it, names, vendor classes.
pub const ADDRESSES_MAX: usize = 64;
const SERVERS_MAX: usize = 8;
const NAMES_MAX: usize = 8;
const CLASSES_MAX: usize = 4;
const ASKS_MAX: usize = 8;

/// Characters kept of a name (RFC 1035 section 2.3.4).
const NAME_CHARS_MAX: usize = 253;

/// First and last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: Timestamp,
    pub last: Timestamp,
}

impl Span {
    const NEVER: Span = Span { first: Timestamp::MAX, last: Timestamp::ZERO };

    fn see(&mut self, ts: Timestamp) {
        self.first = self.first.min(ts);
        self.last = self.last.max(ts);
    }
}

/// An address that was bound to the station, and how.
#[derive(Clone, Debug)]
pub struct Bound {
    pub span: Span,
    pub sources: BTreeSet<BindingSource>,
}

/// A MAC.
#[derive(Clone, Debug)]
pub struct Station {
    pub id: DeviceId,
    /// When anything was heard of it; `first > last` until then.
    pub span: Span,
    /// Addresses that facts bind to it.
    pub bound: BTreeMap<(SegmentKey, IpAddr), Bound>,
    /// Addresses that its frames came from.
    pub sent: BTreeMap<(SegmentKey, IpAddr), Span>,
    /// Far ends that it was seen in front of; the smallest, so that order does not matter.
    pub servers: BTreeSet<IpAddr>,
    /// It said that it is a router.
    pub says_router: bool,
    /// Who calls itself what over it.
    pub tenants: Tenants,
    /// Handles of its tenants.
    pub seats: BTreeMap<Tenant, DeviceId>,
    names: BTreeMap<(BindingSource, String), ()>,
    classes: BTreeSet<Box<str>>,
    /// What it asks for in DHCP: IPv6, hash of the list.
    asks: BTreeSet<(bool, u64)>,
}

impl Station {
    pub const fn new(id: DeviceId) -> Station {
        Station {
            id,
            span: Span::NEVER,
            bound: BTreeMap::new(),
            sent: BTreeMap::new(),
            servers: BTreeSet::new(),
            says_router: false,
            tenants: Tenants::new(),
            seats: BTreeMap::new(),
            names: BTreeMap::new(),
            classes: BTreeSet::new(),
            asks: BTreeSet::new(),
        }
    }

    /// Takes what a DHCP client says of itself; the tenant that it is, where it says so.
    pub fn call(&mut self, fact: &Fact) -> Option<Tenant> {
        if fact.source != BindingSource::DhcpRequest || is_boot_code(fact) {
            return None;
        }
        self.tenants.call(fact.ts, fact.name.as_deref().and_then(clean), fact.client_id)
    }

    /// Takes a fact about it; with `place`, what it binds. A name that no longer fits comes back.
    pub fn learn(&mut self, fact: &Fact, place: Option<(SegmentKey, IpAddr)>) -> Option<String> {
        self.span.see(fact.ts);
        self.says_router |= fact.router;
        let gone = fact.name.as_deref().and_then(clean).and_then(|name| put_bounded(&mut self.names, (fact.source, name), (), NAMES_MAX));
        if !is_boot_code(fact) {
            self.learn_kind(fact);
        }
        if let Some(place) = place {
            let bound = self.bound.entry(place).or_insert(Bound { span: Span::NEVER, sources: BTreeSet::new() });
            bound.span.see(fact.ts);
            bound.sources.insert(fact.source);
            drop_oldest(&mut self.bound, |b| b.span.last);
        }
        gone.map(|((_, name), ())| name)
    }

    /// What DHCP says about its system.
    fn learn_kind(&mut self, fact: &Fact) {
        if let Some(class) = fact.vendor_class.as_deref().and_then(clean) {
            self.classes.insert(class.into());
            if self.classes.len() > CLASSES_MAX {
                self.classes.pop_last();
            }
        }
        if let Some(list) = fact.parameters {
            self.asks.insert((fact.v6, list));
            if self.asks.len() > ASKS_MAX {
                self.asks.pop_last();
            }
        }
    }

    /// A client's frame came from it.
    pub fn send(&mut self, ts: Timestamp, segment: SegmentKey, addr: IpAddr) {
        self.span.see(ts);
        if is_host(addr) {
            self.sent.entry((segment, addr)).or_insert(Span::NEVER).see(ts);
            drop_oldest(&mut self.sent, |span| span.last);
        }
    }

    /// A far end was behind it.
    pub fn serve(&mut self, addr: IpAddr) {
        self.servers.insert(addr);
        if self.servers.len() > SERVERS_MAX {
            self.servers.pop_last();
        }
    }

    /// Host names that it gave itself, the best source first.
    pub fn names(&self) -> impl Iterator<Item = (BindingSource, &str)> {
        self.names.keys().map(|(source, name)| (*source, name.as_str()))
    }

    /// Host names that it gave itself in DHCP.
    pub fn dhcp_names(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|(source, _)| matches!(source, BindingSource::Dhcp | BindingSource::DhcpRequest)).map(|(_, name)| name)
    }

    /// What it said about its system: DHCP option 60, and what it asks for; the one with the other, as far as there are both.
    pub fn kinds(&self) -> impl Iterator<Item = (Option<&str>, Option<(bool, u64)>)> {
        let (mut classes, mut asks) = (self.classes.iter(), self.asks.iter());
        std::iter::from_fn(move || match (classes.next(), asks.next()) {
            (None, None) => None,
            (class, asks) => Some((class.map(|c| &**c), asks.copied())),
        })
    }

    /// Whether both may be the same system: nothing in DHCP options 55 and 60 speaks against it.
    pub fn may_be_like(&self, other: &Station) -> bool {
        let class = self.classes.is_empty() || other.classes.is_empty() || !self.classes.is_disjoint(&other.classes);
        class && [false, true].into_iter().all(|v6| self.may_ask_like(other, v6))
    }

    fn may_ask_like(&self, other: &Station, v6: bool) -> bool {
        let of =
            |station: &Station| station.asks.iter().filter(|(family, _)| *family == v6).map(|(_, list)| *list).collect::<BTreeSet<u64>>();
        let (mine, theirs) = (of(self), of(other));
        mine.is_empty() || theirs.is_empty() || !mine.is_disjoint(&theirs)
    }

    /// Whether both show what they ask for in DHCP, and ask for the same.
    pub fn asks_like(&self, other: &Station) -> bool {
        !self.asks.is_disjoint(&other.asks)
    }
}

/// What boots a machine over the network speaks before its system does, with options of its own (PXE 2.1 section 2.2.1).
fn is_boot_code(fact: &Fact) -> bool {
    fact.vendor_class.as_deref().is_some_and(|class| class.starts_with("PXEClient") || class.starts_with("HTTPClient"))
}

/// A host name in lower case without the final dot and mDNS's domain; `None` when nothing is left.
pub fn clean(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches('.').to_lowercase();
    let name: String = name.strip_suffix(".local").unwrap_or(&name).chars().take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

/// Puts an entry into a bounded map; the largest key goes, whatever the order of arrival, and comes back.
pub fn put_bounded<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V, max: usize) -> Option<(K, V)> {
    map.insert(key, value);
    if map.len() > max { map.pop_last() } else { None }
}

/// Of several that are equally old, the smallest key goes.
fn drop_oldest<K: Ord + Copy, V>(map: &mut BTreeMap<K, V>, last: impl Fn(&V) -> Timestamp) {
    // The first of the least is that of the smallest key.
    let oldest = || map.iter().min_by_key(|(_, value)| last(value)).map(|(key, _)| *key);
    if let Some(oldest) = if map.len() > ADDRESSES_MAX { oldest() } else { None } {
        map.remove(&oldest);
    }
}
