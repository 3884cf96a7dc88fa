//! Segments: which part of the network a packet belongs to, by VLAN, tunnel, interface or prefix; derived where none is configured.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::net::{Hop, Path, Prefix};

use super::words::SegmentClass;

/// The index of a segment, stable for one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u32);

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name: from the configuration, or derived (`vlan-20`, `10.1.2.0/24`).
    pub name: Box<str>,
    /// What it is for.
    pub class: SegmentClass,
}

/// What makes a packet belong to a configured segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentRule {
    /// VLAN ids, any tag of the path.
    pub vlans: Vec<u16>,
    /// Tunnel ids (VXLAN, GENEVE, GRE key, ERSPAN session ...).
    pub tunnels: Vec<u32>,
    /// Capture interfaces.
    pub interfaces: Vec<String>,
    /// Prefixes of the device's address.
    pub prefixes: Vec<Prefix>,
}

/// Segments beyond this are lumped together: an attacker can make up prefixes.
const DERIVED_MAX: usize = 4_096;

/// All segments.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    all: Vec<Segment>,
    vlans: HashMap<u16, SegmentId>,
    tunnels: HashMap<u32, SegmentId>,
    interfaces: HashMap<String, SegmentId>,
    /// Longest first.
    prefixes: Vec<(Prefix, SegmentId)>,
    derived: HashMap<Box<str>, SegmentId>,
}

/// The number that names a tunnel, where it has one.
fn tunnel_id(hop: Hop) -> Option<u32> {
    match hop {
        Hop::Vxlan(id) | Hop::Geneve(id) | Hop::Gtp(id) | Hop::Mpls(id) => Some(id),
        Hop::Gre(key) => key,
        Hop::Erspan(id) | Hop::Pppoe(id) | Hop::Sgt(id) => Some(u32::from(id)),
        Hop::Vlan(_) | Hop::IpIp | Hop::Teredo | Hop::Tzsp => None,
    }
}

impl Segments {
    /// Adds a configured segment. Overlaps are for the loader to refuse.
    pub fn add(&mut self, name: &str, class: SegmentClass, rule: &SegmentRule) -> SegmentId {
        let id = self.push(name, class);
        rule.vlans.iter().for_each(|v| {
            self.vlans.insert(*v, id);
        });
        rule.tunnels.iter().for_each(|t| {
            self.tunnels.insert(*t, id);
        });
        rule.interfaces.iter().for_each(|i| {
            self.interfaces.insert(i.clone(), id);
        });
        self.prefixes.extend(rule.prefixes.iter().map(|p| (*p, id)));
        self.prefixes.sort_by_key(|(p, _)| std::cmp::Reverse(p.len));
        id
    }

    fn push(&mut self, name: &str, class: SegmentClass) -> SegmentId {
        let id = SegmentId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Segment { name: name.into(), class });
        id
    }

    /// A segment.
    pub fn get(&self, id: SegmentId) -> &Segment {
        static NOWHERE: std::sync::OnceLock<Segment> = std::sync::OnceLock::new();
        let nowhere = || NOWHERE.get_or_init(|| Segment { name: "unknown".into(), class: SegmentClass::Unknown });
        self.all.get(id.0 as usize).unwrap_or_else(nowhere)
    }

    /// All segments.
    pub fn all(&self) -> impl Iterator<Item = &Segment> {
        self.all.iter()
    }

    /// Names of all segments.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|s| &*s.name)
    }

    /// A configured segment by name.
    pub fn by_name(&self, name: &str) -> Option<SegmentId> {
        self.all.iter().position(|s| *s.name == *name).and_then(|i| u32::try_from(i).ok()).map(SegmentId)
    }

    /// Where a packet belongs: the innermost VLAN or tunnel that is configured, else the longest prefix of the address, else the
    /// interface, else a segment derived from the VLAN or the prefix.
    pub fn find(&mut self, interface: &str, path: &Path, addr: IpAddr) -> SegmentId {
        let by_hop = path.hops().filter_map(|hop| match hop {
            Hop::Vlan(id) => self.vlans.get(&id).copied(),
            other => tunnel_id(other).and_then(|id| self.tunnels.get(&id).copied()),
        });
        if let Some(id) = by_hop.last() {
            return id;
        }
        let by_prefix = self.prefixes.iter().find(|(p, _)| p.contains(addr)).map(|(_, id)| *id);
        by_prefix.or_else(|| self.interfaces.get(interface).copied()).unwrap_or_else(|| self.derive(path, addr))
    }

    fn derive(&mut self, path: &Path, addr: IpAddr) -> SegmentId {
        let name: Box<str> = match path.vlans().last() {
            Some(vlan) => format!("vlan-{vlan}").into(),
            None => {
                let len = if addr.is_ipv4() { 24 } else { 64 };
                Prefix::new(addr, len).map_or("unknown".into(), |p| p.to_string().into())
            }
        };
        if let Some(id) = self.derived.get(&name) {
            return *id;
        }
        let name = if self.derived.len() >= DERIVED_MAX { "elsewhere".into() } else { name };
        if let Some(id) = self.derived.get(&name) {
            return *id;
        }
        let id = self.push(&name, SegmentClass::Unknown);
        self.derived.insert(name, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(hops: &[Hop]) -> Path {
        let mut path = Path::default();
        hops.iter().for_each(|h| {
            path.push(*h);
        });
        path
    }

    #[test]
    fn vlan_before_prefix_before_interface() {
        let mut s = Segments::default();
        let lab = SegmentRule { vlans: vec![10], tunnels: vec![5001], ..SegmentRule::default() };
        let office = SegmentRule { prefixes: vec!["10.0.0.0/8".parse().expect("prefix")], ..SegmentRule::default() };
        let desk = SegmentRule {
            prefixes: vec!["10.1.2.0/24".parse().expect("prefix")],
            interfaces: vec!["span0".into()],
            ..SegmentRule::default()
        };
        s.add("lab", SegmentClass::Sensitive, &lab);
        s.add("office", SegmentClass::Standard, &office);
        s.add("desk", SegmentClass::Standard, &desk);
        let addr = |a: &str| a.parse::<IpAddr>().expect("address");
        let mut name = |i: &str, hops: &[Hop], a: &str| {
            let id = s.find(i, &path(hops), addr(a));
            s.get(id).name.to_string()
        };
        assert_eq!(name("", &[Hop::Vlan(10)], "10.1.2.3"), "lab");
        assert_eq!(name("", &[Hop::Vxlan(5001)], "10.1.2.3"), "lab");
        assert_eq!(name("", &[Hop::Vlan(99)], "10.1.2.3"), "desk");
        assert_eq!(name("", &[], "10.9.9.9"), "office");
        assert_eq!(name("span0", &[], "192.0.2.1"), "desk");
        assert_eq!(name("", &[Hop::Vlan(7), Hop::Vlan(20)], "192.0.2.1"), "vlan-20");
        assert_eq!(name("", &[], "192.0.2.77"), "192.0.2.0/24");
        assert_eq!(name("", &[], "2001:db8::77"), "2001:db8::/64");
    }

    #[test]
    fn made_up_prefixes_are_lumped_together() {
        let mut s = Segments::default();
        for i in 0..10_000u32 {
            s.find("", &Path::default(), IpAddr::V4((i << 8).into()));
        }
        assert!(s.all.len() <= DERIVED_MAX + 2, "{}", s.all.len());
    }
}
