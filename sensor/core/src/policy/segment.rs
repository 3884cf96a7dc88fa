//! Segments: which part of the network a packet belongs to, by VLAN, tunnel, interface or prefix; derived where none is configured.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use crate::fold::Folded;
use crate::limits::{Limit, LimitCounts, SEGMENTS_DERIVED_MAX};
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
    /// How packets are told to belong to it; empty when it was derived.
    pub selectors: Vec<Selector>,
}

/// One way to tell that a packet belongs to a segment. A segment may have several; one that fits is enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// VLAN ids from the first to the second, both included.
    Vlans(u16, u16),
    /// A tunnel with its id.
    Tunnel(Hop),
    /// A capture interface that sees nothing else.
    Interface(String),
    /// The address of the device that is judged.
    Prefix(Prefix),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Vlans(first, last) if first == last => write!(f, "VLAN {first}"),
            Selector::Vlans(first, last) => write!(f, "VLANs {first}-{last}"),
            Selector::Tunnel(hop) => write!(f, "tunnel {}", tunnel_name(*hop)),
            Selector::Interface(name) => write!(f, "interface {name}"),
            Selector::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

type MakeHop = fn(u32) -> Hop;

/// The tunnels that have an id, and how many bits it has: MPLS label (RFC 3032 section 2.1), PPPoE session (RFC 2516 section 4),
/// GRE key (RFC 2890 section 2.1), ERSPAN session (10 bits), VXLAN and GENEVE network id (RFC 7348, RFC 8926), GTP-U endpoint
/// (3GPP TS 29.281), security group tag.
const TUNNELS: [(&str, u32, MakeHop); 8] = [
    ("mpls", 20, Hop::Mpls),
    ("pppoe", 16, |id| Hop::Pppoe(low16(id))),
    ("gre", 32, |id| Hop::Gre(Some(id))),
    ("erspan", 10, |id| Hop::Erspan(low16(id))),
    ("vxlan", 24, Hop::Vxlan),
    ("geneve", 24, Hop::Geneve),
    ("gtp", 32, Hop::Gtp),
    ("sgt", 16, |id| Hop::Sgt(low16(id))),
];

fn low16(id: u32) -> u16 {
    u16::try_from(id).unwrap_or(u16::MAX)
}

/// Reads a tunnel and its id: `vxlan:5001`.
///
/// # Errors
/// What would be right.
pub fn parse_tunnel(text: &str) -> Result<Hop, String> {
    let kinds = || TUNNELS.map(|(kind, _, _)| kind);
    let (kind, id) = text.split_once(':').ok_or_else(|| "write the kind and the id: vxlan:5001".to_string())?;
    let (_, bits, hop) = TUNNELS.iter().find(|(known, _, _)| *known == kind).ok_or_else(|| {
        crate::diagnostic::nearest(kind, kinds())
            .map_or_else(|| format!("tunnels with an id: {}", kinds().join(", ")), |near| format!("did you mean `{near}:{id}`?"))
    })?;
    let max = u64::from(u32::MAX) >> (32 - bits);
    let id = id.parse::<u64>().ok().filter(|id| *id <= max).and_then(|id| u32::try_from(id).ok());
    id.map(hop).ok_or_else(|| format!("{kind} ids go from 0 to {max}"))
}

fn tunnel_name(hop: Hop) -> String {
    match hop {
        Hop::Vlan(id) => format!("vlan:{id}"),
        Hop::Mpls(id) => format!("mpls:{id}"),
        Hop::Pppoe(id) => format!("pppoe:{id}"),
        Hop::Gre(Some(key)) => format!("gre:{key}"),
        Hop::Erspan(id) => format!("erspan:{id}"),
        Hop::Vxlan(id) => format!("vxlan:{id}"),
        Hop::Geneve(id) => format!("geneve:{id}"),
        Hop::Gtp(id) => format!("gtp:{id}"),
        Hop::Sgt(tag) => format!("sgt:{tag}"),
        Hop::Gre(None) => "gre".into(),
        Hop::IpIp => "ipip".into(),
        Hop::Teredo => "teredo".into(),
        Hop::Tzsp => "tzsp".into(),
    }
}

/// What a segment is derived from where none is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Origin {
    Vlan(u16),
    Net(Prefix),
    /// Beyond [`SEGMENTS_DERIVED_MAX`].
    Elsewhere,
}

/// All segments.
#[derive(Clone, Debug, Default)]
pub struct Segments {
    all: Vec<Segment>,
    hops: HashMap<Hop, SegmentId, Folded>,
    interfaces: HashMap<String, SegmentId, Folded>,
    prefixes: HashMap<Prefix, SegmentId, Folded>,
    /// Lengths that some prefix has, longest first.
    lengths: Vec<u8>,
    derived: HashMap<Origin, SegmentId, Folded>,
    limits: LimitCounts,
}

impl Segments {
    /// Adds a configured segment. What an earlier one claims stays there; [`super::overlaps`] tells beforehand.
    pub fn add(&mut self, name: &str, class: SegmentClass, selectors: Vec<Selector>) -> SegmentId {
        let id = SegmentId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        for selector in &selectors {
            match selector {
                Selector::Vlans(first, last) => (*first..=*last).for_each(|vlan| {
                    self.hops.entry(Hop::Vlan(vlan)).or_insert(id);
                }),
                Selector::Tunnel(hop) => {
                    self.hops.entry(*hop).or_insert(id);
                }
                Selector::Interface(name) => {
                    self.interfaces.entry(name.clone()).or_insert(id);
                }
                Selector::Prefix(prefix) => {
                    self.prefixes.entry(*prefix).or_insert(id);
                    self.lengths.push(prefix.len);
                }
            }
        }
        self.lengths.sort_unstable_by(|a, b| b.cmp(a));
        self.lengths.dedup();
        self.all.push(Segment { name: name.into(), class, selectors });
        id
    }

    /// A segment.
    pub fn get(&self, id: SegmentId) -> &Segment {
        static NOWHERE: std::sync::OnceLock<Segment> = std::sync::OnceLock::new();
        let nowhere = || Segment { name: ELSEWHERE.into(), class: SegmentClass::Unknown, selectors: Vec::new() };
        let at = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.all.get(at).unwrap_or_else(|| NOWHERE.get_or_init(nowhere))
    }

    /// All segments, configured ones first, then derived ones in the order in which they appeared.
    pub fn all(&self) -> impl Iterator<Item = &Segment> {
        self.all.iter()
    }

    /// Names of all segments.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|s| &*s.name)
    }

    /// A segment by name.
    pub fn by_name(&self, name: &str) -> Option<SegmentId> {
        self.all.iter().position(|s| *s.name == *name).and_then(|i| u32::try_from(i).ok()).map(SegmentId)
    }

    /// The longest configured prefix lengths of IPv4 and IPv6; 0 where there is none.
    pub fn longest_prefixes(&self) -> (u8, u8) {
        let longest = |v4: bool| self.prefixes.keys().filter(|p| p.addr.is_ipv4() == v4).map(|p| p.len).max().unwrap_or(0);
        (longest(true), longest(false))
    }

    /// Bounds that were hit.
    pub fn limits(&self) -> &LimitCounts {
        &self.limits
    }

    /// Where a packet belongs: the innermost VLAN or tunnel that is configured (what is outside of it only carries it), else the
    /// interface, else the longest prefix of the address, else a segment derived from the VLAN or the prefix.
    pub fn find(&mut self, interface: &str, path: &Path, addr: IpAddr) -> SegmentId {
        let by_hop = path.hops().filter_map(|hop| self.hops.get(&hop)).last();
        let known = by_hop.or_else(|| self.interfaces.get(interface)).copied();
        let addr = addr.to_canonical();
        known.or_else(|| self.by_prefix(addr)).unwrap_or_else(|| self.derive(path, addr))
    }

    fn by_prefix(&self, addr: IpAddr) -> Option<SegmentId> {
        self.lengths.iter().find_map(|len| self.prefixes.get(&Prefix::new(addr, *len)?).copied())
    }

    fn derive(&mut self, path: &Path, addr: IpAddr) -> SegmentId {
        let net = || Prefix::new(addr, if addr.is_ipv4() { 24 } else { 64 }).map_or(Origin::Elsewhere, Origin::Net);
        if own_vlan(path).is_none() && is_no_place(addr) {
            return NOWHERE;
        }
        let mut origin = own_vlan(path).map_or_else(net, Origin::Vlan);
        if !self.derived.contains_key(&origin) && self.derived.len() >= SEGMENTS_DERIVED_MAX {
            self.limits.add(Limit::Segments);
            origin = Origin::Elsewhere;
        }
        if let Some(id) = self.derived.get(&origin) {
            return *id;
        }
        let name = match origin {
            Origin::Vlan(vlan) => format!("vlan-{vlan}"),
            Origin::Net(prefix) => prefix.to_string(),
            Origin::Elsewhere => ELSEWHERE.to_string(),
        };
        let id = self.add(&name, SegmentClass::Unknown, Vec::new());
        self.derived.insert(origin, id);
        id
    }
}

/// What belongs to no place: a host that has no address yet, and addresses that every link has.
const NOWHERE: SegmentId = SegmentId(u32::MAX);

/// Its name, and that of derived segments beyond the bound.
const ELSEWHERE: &str = "elsewhere";

fn is_no_place(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => a.is_unspecified() || a.is_link_local() || a.is_broadcast() || a.is_multicast(),
        IpAddr::V6(a) => a.is_unspecified() || a.is_unicast_link_local() || a.is_multicast(),
    }
}

/// The innermost VLAN tag that is the device's own: tags outside of an overlay or a mirror session belong to what carries it.
fn own_vlan(path: &Path) -> Option<u16> {
    path.hops().fold(None, |vlan, hop| match hop {
        Hop::Vlan(id) => Some(id),
        Hop::Erspan(_) | Hop::Vxlan(_) | Hop::Geneve(_) | Hop::Tzsp => None,
        _ => vlan,
    })
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

    fn net(text: &str) -> Selector {
        Selector::Prefix(text.parse().expect("prefix"))
    }

    fn office() -> Segments {
        let mut s = Segments::default();
        s.add("lab", SegmentClass::Sensitive, vec![Selector::Vlans(10, 12), Selector::Tunnel(Hop::Vxlan(5001))]);
        s.add("office", SegmentClass::Standard, vec![net("10.0.0.0/8"), net("2001:db8::/32")]);
        s.add("desk", SegmentClass::Standard, vec![net("10.1.2.0/24"), net("2001:db8:0:7::/64")]);
        s.add("guest", SegmentClass::Guest, vec![Selector::Interface("span0".into())]);
        s
    }

    #[test]
    fn vlan_or_tunnel_before_interface_before_the_longest_prefix() {
        let mut s = office();
        for (interface, hops, addr, expect) in [
            ("", &[Hop::Vlan(10)][..], "10.1.2.3", "lab"),
            ("", &[Hop::Vlan(12)], "10.1.2.3", "lab"),
            ("", &[Hop::Vlan(13)], "10.1.2.3", "desk"),
            ("span0", &[Hop::Vlan(11)], "10.1.2.3", "lab"),
            ("span0", &[], "10.1.2.3", "guest"),
            ("span0", &[], "192.0.2.1", "guest"),
            ("", &[Hop::Vxlan(5001)], "10.1.2.3", "lab"),
            ("", &[Hop::Geneve(5001)], "10.1.2.3", "desk"),
            ("", &[], "10.1.2.3", "desk"),
            ("", &[], "::ffff:10.1.2.3", "desk"),
            ("", &[], "10.9.9.9", "office"),
            ("", &[], "2001:db8:0:7::1", "desk"),
            ("", &[], "2001:db8:0:8::1", "office"),
        ] {
            let id = s.find(interface, &path(hops), addr.parse().expect("address"));
            assert_eq!(&*s.get(id).name, expect, "{interface} {hops:?} {addr}");
        }
    }

    #[test]
    fn the_innermost_configured_hop_wins() {
        let mut s = office();
        s.add("carrier", SegmentClass::Standard, vec![Selector::Vlans(900, 900)]);
        for (hops, expect) in [
            (&[Hop::Vlan(900), Hop::Vlan(10)][..], "lab"),
            (&[Hop::Vlan(10), Hop::Vlan(900)], "carrier"),
            (&[Hop::Vlan(900), Hop::Vlan(77)], "carrier"),
            (&[Hop::Vlan(900), Hop::Erspan(1), Hop::Vlan(11)], "lab"),
        ] {
            let id = s.find("", &path(hops), "192.0.2.1".parse().expect("address"));
            assert_eq!(&*s.get(id).name, expect, "{hops:?}");
        }
    }

    #[test]
    fn derived_segments_say_what_they_come_from() {
        let mut s = Segments::default();
        for (hops, addr, expect) in [
            (&[Hop::Vlan(20)][..], "192.0.2.1", "vlan-20"),
            (&[Hop::Vlan(7), Hop::Vlan(20)], "192.0.2.1", "vlan-20"),
            (&[Hop::Vlan(20), Hop::IpIp], "192.0.2.1", "vlan-20"),
            (&[Hop::Vlan(900), Hop::Erspan(3)], "192.0.2.1", "192.0.2.0/24"),
            (&[Hop::Vlan(900), Hop::Vxlan(3), Hop::Vlan(20)], "192.0.2.1", "vlan-20"),
            (&[], "192.0.2.77", "192.0.2.0/24"),
            (&[], "2001:db8::77", "2001:db8::/64"),
        ] {
            let id = s.find("any", &path(hops), addr.parse().expect("address"));
            assert_eq!((&*s.get(id).name, s.get(id).class), (expect, SegmentClass::Unknown), "{hops:?} {addr}");
            assert_eq!(s.find("any", &path(hops), addr.parse().expect("address")), id, "the same again");
        }
    }

    #[test]
    fn addresses_of_every_link_are_no_place() {
        let mut s = Segments::default();
        for addr in ["0.0.0.0", "169.254.7.7", "255.255.255.255", "224.0.0.251", "::", "fe80::7", "ff02::fb"] {
            let id = s.find("", &Path::default(), addr.parse().expect("address"));
            assert_eq!((&*s.get(id).name, s.get(id).class), ("elsewhere", SegmentClass::Unknown), "{addr}");
        }
        assert_eq!(s.all().count(), 0);
        let id = s.find("", &path(&[Hop::Vlan(20)]), "fe80::7".parse().expect("address"));
        assert_eq!(&*s.get(id).name, "vlan-20", "a VLAN is a place");
    }

    #[test]
    fn made_up_prefixes_are_lumped_together() {
        let mut s = Segments::default();
        let beyond = 1_000;
        for i in 1..=u32::try_from(SEGMENTS_DERIVED_MAX + beyond).expect("small") {
            s.find("", &Path::default(), IpAddr::V4((i << 8).into()));
        }
        assert_eq!(s.all().count(), SEGMENTS_DERIVED_MAX + 1);
        assert_eq!(s.limits().of(Limit::Segments), beyond as u64);
        let known = s.find("", &Path::default(), IpAddr::V4((5 << 8).into()));
        assert_eq!(&*s.get(known).name, "0.0.5.0/24", "segments from before the bound stay");
    }

    #[test]
    fn tunnels_are_read_with_their_bounds() {
        for (text, hop) in [
            ("vxlan:16777215", Hop::Vxlan(0xff_ffff)),
            ("gre:4294967295", Hop::Gre(Some(u32::MAX))),
            ("erspan:1023", Hop::Erspan(1023)),
            ("mpls:0", Hop::Mpls(0)),
        ] {
            assert_eq!(parse_tunnel(text), Ok(hop));
            assert_eq!(tunnel_name(hop), text);
        }
        for (text, help) in [
            ("5001", "write the kind and the id: vxlan:5001"),
            ("vxlan:16777216", "vxlan ids go from 0 to 16777215"),
            ("gre:4294967296", "gre ids go from 0 to 4294967295"),
            ("erspan:x", "erspan ids go from 0 to 1023"),
            ("vxlam:7", "did you mean `vxlan:7`?"),
            ("wireguard:7", "tunnels with an id: mpls, pppoe, gre, erspan, vxlan, geneve, gtp, sgt"),
        ] {
            assert_eq!(parse_tunnel(text), Err(help.to_string()));
        }
    }
}
