//! Who a sender is: the register's word first, then its own MAC, then a lease, then the bare address.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::net::Mac;
use crate::record::BindingSource;

use super::{DeviceId, Identity, RegisterEntry, Seen};

/// Addresses shown of one device.
const ADDRESSES_MAX: usize = 16;

/// Host names that thousands of devices give themselves: two MACs with one of them are not one device.
const GENERIC_NAMES: &[&str] =
    &["iphone", "ipad", "android", "localhost", "desktop", "laptop", "phone", "user", "windows", "unknown", "macbook", "debian", "ubuntu"];

/// A device as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceView {
    /// Stable text: `reg:ID`, `mac:...`, or `addr:...@segment-number`.
    pub key: String,
    /// Its own MAC.
    pub mac: Option<Mac>,
    /// Its addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// Its names, the most trusted first.
    pub names: Vec<String>,
    /// The MAC is a random one.
    pub randomised_mac: bool,
    /// Seen through a router.
    pub behind_router: bool,
    /// The register entry.
    pub register: Option<Box<str>>,
    /// How sure it is, in [0, 1].
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
}

/// Every sender with its key, worked out once: the answer of one moment.
#[derive(Debug)]
pub struct Roster<'i> {
    identity: &'i Identity,
    keys: Vec<String>,
    groups: HashMap<String, Vec<DeviceId>>,
}

impl<'i> Roster<'i> {
    pub(super) fn new(identity: &'i Identity) -> Self {
        let ids = || (0..identity.seen.len()).filter_map(|i| u32::try_from(i).ok()).map(DeviceId);
        let keys: Vec<String> = ids().map(|id| identity.key(id)).collect();
        let mut groups: HashMap<String, Vec<DeviceId>> = HashMap::new();
        for (id, key) in ids().zip(&keys) {
            groups.entry(key.clone()).or_default().push(id);
        }
        Roster { identity, keys, groups }
    }

    fn group(&self, id: DeviceId) -> &[DeviceId] {
        let key = self.keys.get(id.0 as usize);
        key.and_then(|k| self.groups.get(k)).map_or(&[], Vec::as_slice)
    }

    /// The first handle of the same device.
    pub fn canonical(&self, id: DeviceId) -> DeviceId {
        self.group(id).first().copied().unwrap_or(id)
    }

    /// Everything that is known about a device.
    pub fn view(&self, id: DeviceId) -> DeviceView {
        self.identity.view(id, self.keys.get(id.0 as usize).cloned().unwrap_or_default(), self.group(id))
    }
}

impl Identity {
    fn seen(&self, id: DeviceId) -> Option<&Seen> {
        self.seen.get(id.0 as usize)
    }

    /// The MAC that is the sender's own: not a router's, else the holder of the address at that time.
    fn own_mac(&self, seen: &Seen) -> Option<Mac> {
        let direct = seen.sender.mac.filter(|m| self.knowledge.router(*m).is_none());
        direct.or_else(|| {
            self.knowledge.holder_at(seen.sender.addr, seen.last).or(seen.sender.lease).filter(|m| self.knowledge.router(*m).is_none())
        })
    }

    /// The entry of the register that a sender belongs to.
    fn registered(&self, seen: &Seen, own: Option<Mac>) -> Option<&RegisterEntry> {
        let by_mac = |e: &&RegisterEntry| own.is_some_and(|m| e.macs.contains(&m));
        let by_addr = |e: &&RegisterEntry| e.addrs.contains(&seen.sender.addr);
        let by_name = |e: &&RegisterEntry| {
            own.is_some_and(|m| self.names_of(m).iter().any(|(s, n)| is_strong(*s) && e.names.iter().any(|x| x.eq_ignore_ascii_case(n))))
        };
        let find = |f: &dyn Fn(&&RegisterEntry) -> bool| self.register.iter().find(|e| f(e));
        find(&by_mac).or_else(|| find(&by_addr)).or_else(|| find(&by_name))
    }

    fn names_of(&self, mac: Mac) -> Vec<(BindingSource, Box<str>)> {
        self.knowledge.about(mac).map(|s| s.names.iter().cloned().collect()).unwrap_or_default()
    }

    /// The first of the random MACs that one device used one after the other: the same DHCP host name, never at the same time.
    fn first_of_rotation(&self, mac: Mac) -> Mac {
        let Some(station) = self.knowledge.about(mac) else { return mac };
        let Some((first, _)) = station.span.filter(|_| mac.is_local()) else { return mac };
        let names: Vec<&str> = station.names.iter().filter(|(s, n)| is_strong(*s) && !is_generic(n)).map(|(_, n)| &**n).collect();
        let earlier = self.knowledge.stations().filter(|(other, about)| {
            let shares = about.names.iter().any(|(s, n)| is_strong(*s) && names.contains(&&**n));
            other.is_local() && **other != mac && shares && about.span.is_some_and(|(_, last)| last < first)
        });
        earlier.min_by_key(|(other, about)| (about.span, **other)).map_or(mac, |(other, _)| *other)
    }

    /// The text that is the same for the same device.
    pub(super) fn key(&self, id: DeviceId) -> String {
        let Some(seen) = self.seen(id) else { return String::new() };
        let own = self.own_mac(seen);
        if let Some(entry) = self.registered(seen, own) {
            return format!("reg:{}", entry.id);
        }
        match own {
            Some(mac) => format!("mac:{}", self.first_of_rotation(mac)),
            None => format!("addr:{}@{}", seen.sender.addr, seen.sender.segment.0),
        }
    }

    /// The register entry of a device.
    pub fn register_entry(&self, id: DeviceId) -> Option<&RegisterEntry> {
        let seen = self.seen(id)?;
        self.registered(seen, self.own_mac(seen))
    }

    fn view(&self, id: DeviceId, key: String, group: &[DeviceId]) -> DeviceView {
        let same: Vec<&Seen> = group.iter().filter_map(|i| self.seen(*i)).collect();
        let macs: BTreeSet<Mac> = same.iter().filter_map(|s| self.own_mac(s)).collect();
        let mac = same.iter().filter_map(|s| self.own_mac(s).map(|m| (s.first, m))).min().map(|(_, m)| m);
        let mut addresses: BTreeSet<IpAddr> = same.iter().map(|s| s.sender.addr).collect();
        for station in macs.iter().filter_map(|m| self.knowledge.about(*m)) {
            addresses.extend(station.addrs.keys().filter(|a| !is_local_scope(**a)));
        }
        let mut named: Vec<(BindingSource, Box<str>)> = macs.iter().flat_map(|m| self.names_of(*m)).collect();
        named.sort();
        let mut names: Vec<String> = Vec::new();
        for (_, name) in named {
            if !names.iter().any(|n| n.eq_ignore_ascii_case(&name)) {
                names.push(name.into());
            }
        }
        let (confidence, reasons) = self.confidence(id, &macs);
        DeviceView {
            key,
            mac,
            addresses: addresses.into_iter().take(ADDRESSES_MAX).collect(),
            names,
            randomised_mac: mac.is_some_and(Mac::is_local),
            behind_router: same.iter().any(|s| s.sender.mac.is_some_and(|m| self.knowledge.router(m).is_some())),
            register: self.register_entry(id).map(|e| e.id.clone()),
            confidence,
            reasons,
        }
    }

    /// How sure the identity is, and why.
    fn confidence(&self, id: DeviceId, macs: &BTreeSet<Mac>) -> (f64, Vec<String>) {
        let Some(seen) = self.seen(id) else { return (0.0, Vec::new()) };
        let mut reasons = Vec::new();
        let router = seen.sender.mac.and_then(|m| self.knowledge.router(m).map(|why| (m, why)));
        if let Some((mac, why)) = router {
            reasons.push(format!("frames come from {mac}, which {why}"));
        }
        let own = self.own_mac(seen);
        if own.is_some_and(|m| self.first_of_rotation(m) != m) || macs.iter().any(|m| self.first_of_rotation(*m) != *m) {
            reasons.push("random addresses one after the other, with the same DHCP host name".into());
        }
        if let Some(entry) = self.registered(seen, own) {
            reasons.push(format!("in the device register as {}", entry.id));
            return (0.99, reasons);
        }
        let said = own.and_then(|m| self.knowledge.about(m)).and_then(|s| s.addrs.get(&seen.sender.addr));
        let confidence = match (own, said) {
            (Some(_), Some(source)) => {
                reasons.push(format!("{} binds address and hardware address", source.name()));
                if is_strong(*source) { 0.95 } else { 0.90 }
            }
            (Some(_), None) => {
                reasons.push("the frame's own hardware address".into());
                0.80
            }
            (None, _) if router.is_some() => {
                reasons.push("by address alone, behind a router".into());
                0.40
            }
            (None, _) => {
                reasons.push("by address alone".into());
                0.50
            }
        };
        if own.is_some_and(Mac::is_local) {
            reasons.push("the hardware address is a random one: it may change".into());
        }
        (confidence, reasons)
    }
}

fn is_strong(source: BindingSource) -> bool {
    matches!(source, BindingSource::Dhcp | BindingSource::DhcpRequest)
}

fn is_generic(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    GENERIC_NAMES
        .iter()
        .any(|g| name == *g || name.strip_prefix(g).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '-')))
}

fn is_local_scope(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}
