//! Who uses a NIC that several devices use in turn: a docking station, a USB adapter that is passed on.
//!
//! The MAC is the NIC's, so it says nothing about the laptop. What the laptop calls itself in DHCP does: each call begins a tenancy,
//! which lasts until somebody else calls.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::rotation::is_common;
use crate::time::Timestamp;

/// A tenant's first frames come before its first word in DHCP, by less than this.
const BEFORE_THE_CALL: Duration = Duration::from_secs(5);

/// Calls newer than this are all kept, so that late ones fall into their place; of older ones only the changes.
const SETTLED: Duration = Duration::from_secs(15 * 60);

/// Calls kept before the settled ones are thinned out, and at most.
const CALLS_SOFT: usize = 64;
const CALLS_MAX: usize = 256;

/// Tenants of one NIC. More names than this are somebody's game, and tell nobody apart.
pub const TENANTS_MAX: usize = 16;

/// A DHCP client's word about itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    ts: Timestamp,
    /// Its host name, clean.
    name: Option<Box<str>>,
    /// Its client identifier, as a hash.
    id: Option<u64>,
}

/// A tenant: the hash of its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(u64);

impl Tenant {
    /// The tenant of a label.
    pub fn of(label: &str) -> Tenant {
        let mut hasher = DefaultHasher::new();
        label.hash(&mut hasher);
        Tenant(hasher.finish())
    }
}

/// The calls over one NIC.
#[derive(Clone, Debug, Default)]
pub struct Tenants {
    calls: Vec<Call>,
}

impl Tenants {
    pub const fn new() -> Tenants {
        Tenants { calls: Vec::new() }
    }

    /// Takes a call; one that says nothing is none. The tenant, where it says who.
    pub fn call(&mut self, ts: Timestamp, name: Option<String>, id: Option<u64>) -> Option<Tenant> {
        let call = Call { ts, name: name.filter(|n| !is_common(n)).map(Into::into), id };
        if call.name.is_none() && call.id.is_none() {
            return None;
        }
        let at = self.calls.partition_point(|c| *c < call);
        let repeats = |c: &Call| c.name == call.name && c.id == call.id && c.ts == call.ts;
        if !self.calls.get(at).is_some_and(repeats) {
            self.calls.insert(at, call.clone());
            self.thin();
        }
        self.label(&call).map(|label| Tenant::of(&label))
    }

    /// The calls that are kept: when, by which name, with which client identifier.
    pub fn calls(&self) -> impl Iterator<Item = (Timestamp, Option<&str>, Option<u64>)> {
        self.calls.iter().map(|call| (call.ts, call.name.as_deref(), call.id))
    }

    /// Whether more than one device was heard over the NIC.
    pub fn is_shared(&self) -> bool {
        // The usual NIC has one tenant: no need to collect.
        let Some(first) = self.calls.first() else { return false };
        let alike = |c: &Call| c.name == first.name && c.id == first.id;
        !self.calls.iter().all(alike) && self.labels().len() > 1
    }

    /// Whether the tenants can be told apart.
    pub fn is_separable(&self) -> bool {
        self.labels().len() <= TENANTS_MAX
    }

    /// Who used the NIC at `ts`; nobody knows before the first call.
    pub fn at(&self, ts: Timestamp) -> Option<Tenant> {
        let until = ts.after(BEFORE_THE_CALL);
        let said = self.calls.iter().take_while(|c| c.ts <= until).filter_map(|c| self.label(c)).last();
        said.map(|label| Tenant::of(&label))
    }

    /// All tenants.
    pub fn all(&self) -> BTreeSet<Tenant> {
        self.labels().iter().map(|label| Tenant::of(label)).collect()
    }

    /// What a tenant is called in keys.
    pub fn label_of(&self, tenant: Tenant) -> Option<String> {
        self.labels().into_iter().find(|label| Tenant::of(label) == tenant)
    }

    /// Host names of a tenant, full.
    pub fn names_of(&self, tenant: Tenant) -> BTreeSet<&str> {
        let ours = |c: &&Call| self.label(c).is_some_and(|label| Tenant::of(&label) == tenant);
        self.calls.iter().filter(ours).filter_map(|c| c.name.as_deref()).collect()
    }

    fn labels(&self) -> BTreeSet<String> {
        self.calls.iter().filter_map(|c| self.label(c)).collect()
    }

    /// The first label of the host name, as a client may give it with its domain or without. Without a name, the name that came with
    /// the same identifier at another time, else the identifier.
    fn label(&self, call: &Call) -> Option<String> {
        let short = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        if let Some(name) = &call.name {
            return Some(short(name));
        }
        let id = call.id?;
        let named = self.calls.iter().filter(|c| c.id == Some(id)).filter_map(|c| c.name.as_deref()).min();
        // Where everybody else is named and this one is not, it is the boot code of one of them.
        let lone = self.calls.iter().all(|c| c.name.is_none());
        named.map(short).or_else(|| lone.then(|| format!("id-{id:016x}")))
    }

    /// Drops settled calls that change nothing.
    fn thin(&mut self) {
        if self.calls.len() <= CALLS_SOFT {
            return;
        }
        let settled = self.calls.last().map_or(Timestamp::ZERO, |c| c.ts.before(SETTLED));
        let mut before: Option<(Option<Box<str>>, Option<u64>)> = None;
        self.calls.retain(|c| {
            let same = before.as_ref().is_some_and(|(name, id)| *name == c.name && *id == c.id);
            before = Some((c.name.clone(), c.id));
            !same || c.ts >= settled
        });
        let excess = self.calls.len().saturating_sub(CALLS_MAX);
        self.calls.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs_nanos(1_000_000 + secs, 0)
    }

    fn tenants(calls: &[(u64, &str, Option<u64>)]) -> Tenants {
        let mut tenants = Tenants::new();
        for (secs, name, id) in calls {
            tenants.call(at(*secs), (!name.is_empty()).then(|| (*name).to_owned()), *id);
        }
        tenants
    }

    #[test]
    fn the_last_to_call_has_it() {
        let t = tenants(&[(100, "a", None), (200, "b.example.org", None), (300, "a", None), (400, "a.example.org", None)]);
        assert!(t.is_shared() && t.is_separable());
        for (secs, expect) in [(50, None), (96, Some("a")), (150, Some("a")), (196, Some("b")), (299, Some("a")), (9_000, Some("a"))] {
            assert_eq!(t.at(at(secs)), expect.map(Tenant::of), "{secs}");
        }
        assert_eq!(t.names_of(Tenant::of("a")).into_iter().collect::<Vec<_>>(), ["a", "a.example.org"]);
        assert_eq!((t.label_of(Tenant::of("b")).as_deref(), t.label_of(Tenant::of("c"))), (Some("b"), None));
    }

    #[test]
    fn what_makes_no_second_tenant() {
        for calls in [
            &[(1, "a", None), (2, "a.example.org", None)][..],
            &[(1, "a", Some(7)), (2, "", Some(7))],
            &[(1, "a", Some(7)), (2, "", Some(8))],
            &[(1, "a", None), (2, "localhost", None), (3, "", None)],
            &[(1, "", Some(7)), (2, "", Some(7))],
        ] {
            assert!(!tenants(calls).is_shared(), "{calls:?}");
        }
        assert!(tenants(&[(1, "", Some(7)), (2, "", Some(8))]).is_shared(), "two systems that give no name");
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_tells_nobody_apart() {
        let mut t = Tenants::new();
        for i in 0..5_000u64 {
            t.call(at(i), Some(format!("name-{i}")), Some(i));
        }
        assert!(t.calls.len() <= CALLS_MAX && t.is_shared() && !t.is_separable());
        let mut t = Tenants::new();
        for i in 0..50_000u64 {
            t.call(at(i * 60), Some(if i % 1_000 < 500 { "a" } else { "b" }.into()), None);
        }
        assert!(t.calls.len() <= CALLS_MAX && t.at(at(100 * 60)) == Some(Tenant::of("a")) && t.at(at(600 * 60)) == Some(Tenant::of("b")));
    }
}
