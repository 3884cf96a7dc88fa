//! Addresses and what they hang on: MAC, prefix, endpoint, transport, and the path (VLANs, tunnels) of a packet.

pub mod text;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IEEE 802 MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it names one station (not a group, not all zero).
    pub const fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// Whether the locally administered bit is set: what phones do when they randomise (IEEE 802c section 4).
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }
}

/// As one number: hashed for every packet.
impl Hash for Mac {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.0;
        state.write_u64(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = ();

    /// Accepts `02:00:00:00:00:01`, the same with `-`, and Cisco's `0200.0000.0001`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
        if digits.len() != 12 || !digits.is_ascii() || text.len() < 14 {
            return Err(());
        }
        let mut mac = [0; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ())?;
        }
        Ok(Mac(mac))
    }
}

/// An address prefix in CIDR form; host bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The network address.
    pub addr: IpAddr,
    /// The number of leading bits that count.
    pub len: u8,
}

impl Prefix {
    /// The prefix of `len` bits around `addr`; `None` when `len` is more than the family has.
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        let addr = match addr {
            IpAddr::V4(a) if len <= 32 => {
                IpAddr::V4(Ipv4Addr::from(u32::from(a) & (u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0))))
            }
            IpAddr::V6(a) if len <= 128 => {
                IpAddr::V6(Ipv6Addr::from(u128::from(a) & (u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0))))
            }
            _ => return None,
        };
        Some(Prefix { addr, len })
    }

    /// Whether `addr` lies in it.
    pub fn contains(&self, addr: IpAddr) -> bool {
        Prefix::new(addr, self.len).is_some_and(|p| p.addr == self.addr)
    }

    /// Whether all of `other` lies in it.
    pub fn covers(&self, other: &Prefix) -> bool {
        self.len <= other.len && self.contains(other.addr)
    }
}

impl FromStr for Prefix {
    type Err = ();

    /// `10.0.0.0/8`, `2001:db8::/32`, or a bare address (all bits). Host bits that are set are refused.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (addr, len) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let addr: IpAddr = addr.parse().map_err(|_| ())?;
        let full = if addr.is_ipv4() { 32 } else { 128 };
        let len = len.map_or(Ok(full), |l| l.parse().map_err(|_| ()))?;
        Prefix::new(addr, len).filter(|p| p.addr == addr).ok_or(())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

/// One end of a flow: address and port (0 where the transport has none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The innermost address.
    pub addr: IpAddr,
    /// The transport port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            IpAddr::V4(a) => write!(f, "{a}:{}", self.port),
            IpAddr::V6(a) => write!(f, "[{a}]:{}", self.port),
        }
    }
}

/// The transport of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP (RFC 9293).
    Tcp,
    /// UDP (RFC 768).
    Udp,
}

impl Transport {
    /// `tcp` or `udp`.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// One step of the way that a packet was carried: a VLAN tag or a tunnel, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hop {
    /// IEEE 802.1Q / 802.1ad tag: the 12-bit VLAN id.
    Vlan(u16),
    /// MPLS label.
    Mpls(u32),
    /// PPPoE session id.
    Pppoe(u16),
    /// GRE, with its key where there is one.
    Gre(Option<u32>),
    /// ERSPAN session id.
    Erspan(u16),
    /// VXLAN network id.
    Vxlan(u32),
    /// GENEVE network id.
    Geneve(u32),
    /// GTP-U tunnel endpoint id.
    Gtp(u32),
    /// IP in IP, 6in4, 4in6.
    IpIp,
    /// Teredo (RFC 4380).
    Teredo,
    /// TZSP (TaZmen sniffer protocol).
    Tzsp,
    /// Cisco metadata: security group tag.
    Sgt(u16),
}

/// A step from the number behind its word.
type MakeHop = fn(Option<u32>) -> Option<Hop>;

/// Words for steps.
const HOPS: [(&str, MakeHop); 12] = [
    ("vlan", |n| Some(Hop::Vlan(n?.try_into().ok()?))),
    ("mpls", |n| Some(Hop::Mpls(n?))),
    ("pppoe", |n| Some(Hop::Pppoe(n?.try_into().ok()?))),
    ("gre", |n| Some(Hop::Gre(n))),
    ("erspan", |n| Some(Hop::Erspan(n?.try_into().ok()?))),
    ("vxlan", |n| Some(Hop::Vxlan(n?))),
    ("geneve", |n| Some(Hop::Geneve(n?))),
    ("gtp", |n| Some(Hop::Gtp(n?))),
    ("ipip", |_| Some(Hop::IpIp)),
    ("teredo", |_| Some(Hop::Teredo)),
    ("tzsp", |_| Some(Hop::Tzsp)),
    ("sgt", |n| Some(Hop::Sgt(n?.try_into().ok()?))),
];

/// `vlan:20`, `vxlan:5001`, `gre`.
impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Hop::Vlan(n) => write!(f, "vlan:{n}"),
            Hop::Mpls(n) => write!(f, "mpls:{n}"),
            Hop::Pppoe(n) => write!(f, "pppoe:{n}"),
            Hop::Gre(Some(n)) => write!(f, "gre:{n}"),
            Hop::Gre(None) => write!(f, "gre"),
            Hop::Erspan(n) => write!(f, "erspan:{n}"),
            Hop::Vxlan(n) => write!(f, "vxlan:{n}"),
            Hop::Geneve(n) => write!(f, "geneve:{n}"),
            Hop::Gtp(n) => write!(f, "gtp:{n}"),
            Hop::IpIp => write!(f, "ipip"),
            Hop::Teredo => write!(f, "teredo"),
            Hop::Tzsp => write!(f, "tzsp"),
            Hop::Sgt(n) => write!(f, "sgt:{n}"),
        }
    }
}

impl FromStr for Hop {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, number) = text.split_once(':').map_or((text, None), |(word, number)| (word, Some(number)));
        let number = number.map(|n| n.parse().map_err(drop)).transpose()?;
        HOPS.iter().find(|(name, _)| *name == word).and_then(|(_, hop)| hop(number)).ok_or(())
    }
}

/// How many steps of a path are kept; deeper ones are peeled but not remembered.
pub const PATH_HOPS_MAX: usize = 4;

/// The way that a packet was carried, outermost first, at most [`PATH_HOPS_MAX`] steps.
///
/// Each step is a number, because paths are copied and compared for every packet.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    hops: [u64; PATH_HOPS_MAX],
}

/// By the steps that are there: most paths have one or none.
impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, deeper @ ..] = self.hops;
        state.write_u64(first);
        deeper.into_iter().take_while(|hop| *hop != 0).for_each(|hop| state.write_u64(hop));
    }
}

/// Where the kind of a step begins in its number, and the bit that tells a number that is there from none.
const HOP_KIND_AT: u32 = 40;
const HOP_NUMBERED: u64 = 1 << 32;

/// A step as a number, in the order of steps; never zero.
const fn packed(hop: Hop) -> u64 {
    let (kind, number) = match hop {
        Hop::Vlan(n) => (1, HOP_NUMBERED | n as u64),
        Hop::Mpls(n) => (2, HOP_NUMBERED | n as u64),
        Hop::Pppoe(n) => (3, HOP_NUMBERED | n as u64),
        Hop::Gre(Some(n)) => (4, HOP_NUMBERED | n as u64),
        Hop::Gre(None) => (4, 0),
        Hop::Erspan(n) => (5, HOP_NUMBERED | n as u64),
        Hop::Vxlan(n) => (6, HOP_NUMBERED | n as u64),
        Hop::Geneve(n) => (7, HOP_NUMBERED | n as u64),
        Hop::Gtp(n) => (8, HOP_NUMBERED | n as u64),
        Hop::IpIp => (9, 0),
        Hop::Teredo => (10, 0),
        Hop::Tzsp => (11, 0),
        Hop::Sgt(n) => (12, HOP_NUMBERED | n as u64),
    };
    kind << HOP_KIND_AT | number
}

/// The step of a number; `None` for zero.
const fn unpacked(hop: u64) -> Option<Hop> {
    let (short, long) = (hop as u16, hop as u32);
    Some(match hop >> HOP_KIND_AT {
        1 => Hop::Vlan(short),
        2 => Hop::Mpls(long),
        3 => Hop::Pppoe(short),
        4 if hop & HOP_NUMBERED == 0 => Hop::Gre(None),
        4 => Hop::Gre(Some(long)),
        5 => Hop::Erspan(short),
        6 => Hop::Vxlan(long),
        7 => Hop::Geneve(long),
        8 => Hop::Gtp(long),
        9 => Hop::IpIp,
        10 => Hop::Teredo,
        11 => Hop::Tzsp,
        12 => Hop::Sgt(short),
        _ => return None,
    })
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.hops()).finish()
    }
}

impl Path {
    /// One VLAN tag, or none.
    pub fn tagged(vlan: Option<u16>) -> Self {
        Path { hops: [vlan.map_or(0, |id| packed(Hop::Vlan(id))), 0, 0, 0] }
    }

    /// Appends a step; `false` when the path is full and the step was not kept.
    pub fn push(&mut self, hop: Hop) -> bool {
        match self.hops.iter_mut().find(|h| **h == 0) {
            Some(free) => {
                *free = packed(hop);
                true
            }
            None => false,
        }
    }

    /// The steps, outermost first.
    pub fn hops(&self) -> impl Iterator<Item = Hop> + '_ {
        self.hops.iter().map_while(|h| unpacked(*h))
    }

    /// The VLAN ids, outermost first.
    pub fn vlans(&self) -> impl Iterator<Item = u16> + '_ {
        self.hops().filter_map(|h| if let Hop::Vlan(id) = h { Some(id) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_in_every_notation() {
        for text in ["02:00:5e:10:00:01", "02-00-5E-10-00-01", "0200.5e10.0001"] {
            assert_eq!(text.parse::<Mac>().map(|m| m.to_string()), Ok("02:00:5e:10:00:01".into()));
        }
        for bad in ["", "02:00", "02005e100001", "02:00:5e:10:00:zz", "02:00:5e:10:00:01:02"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn prefixes() {
        let net: Prefix = "10.20.0.0/16".parse().expect("valid");
        assert!(net.contains("10.20.255.1".parse().expect("addr")));
        assert!(!net.contains("10.21.0.1".parse().expect("addr")));
        assert!(!net.contains("::a14:1".parse().expect("addr")));
        assert!("10.20.0.1/16".parse::<Prefix>().is_err(), "host bits");
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
        assert!("0.0.0.0/0".parse::<Prefix>().expect("all").covers(&net));
        assert!("2001:db8::/32".parse::<Prefix>().expect("v6").contains("2001:db8:1::1".parse().expect("addr")));
    }

    #[test]
    fn hops_are_read_as_they_are_written() {
        for text in [
            "vlan:20",
            "mpls:16",
            "pppoe:9",
            "gre",
            "gre:5",
            "erspan:77",
            "vxlan:5001",
            "geneve:9",
            "gtp:8",
            "ipip",
            "teredo",
            "tzsp",
            "sgt:33",
        ] {
            assert_eq!(text.parse::<Hop>().map(|h| h.to_string()), Ok(text.to_string()));
        }
        for bad in ["", "vlan", "vlan:70000", "vlan:x", "lan:1", "vxlan:-1"] {
            assert!(bad.parse::<Hop>().is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_are_numbers_in_their_order() {
        let all = [
            Hop::Vlan(1),
            Hop::Vlan(4_095),
            Hop::Mpls(0xf_ffff),
            Hop::Pppoe(9),
            Hop::Gre(None),
            Hop::Gre(Some(0)),
            Hop::Gre(Some(u32::MAX)),
        ];
        let more =
            [Hop::Erspan(u16::MAX), Hop::Vxlan(0), Hop::Geneve(7), Hop::Gtp(u32::MAX), Hop::IpIp, Hop::Teredo, Hop::Tzsp, Hop::Sgt(3)];
        let all: Vec<Hop> = all.into_iter().chain(more).collect();
        let numbers: Vec<u64> = all.iter().map(|hop| packed(*hop)).collect();
        assert!(all.is_sorted() && numbers.is_sorted() && !numbers.contains(&0));
        assert_eq!(numbers.iter().filter_map(|n| unpacked(*n)).collect::<Vec<_>>(), all);
        assert_eq!(unpacked(0), None);
    }

    #[test]
    fn a_path_keeps_the_outer_steps() {
        let mut path = Path::default();
        for id in 1..=6 {
            assert_eq!(path.push(Hop::Vlan(id)), id <= 4);
        }
        assert_eq!(path.vlans().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
