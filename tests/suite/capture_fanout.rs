//! Several rings on one interface: every frame comes to one of them, and all frames of a conversation to the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringfence::capture::{LinkState, LiveOptions};
use ringfence_core::net::Mac;
use ringfence_tests::frame::{self, TcpHeader, flags, proto};

use crate::capture_space::{A, B, Ring, Sender, cable, in_namespace, options, until};

/// Conversations of each kind.
const FLOWS: u16 = 48;
const RINGS: u16 = 3;

/// One way of one conversation.
#[derive(Clone, Copy)]
struct Way {
    flow: u16,
    back: bool,
}

impl Way {
    /// Any two of a thing, in the order of this way.
    fn pair<T>(self, one: T, other: T) -> (T, T) {
        if self.back { (other, one) } else { (one, other) }
    }

    fn macs(self) -> (Mac, Mac) {
        self.pair(A, B)
    }

    fn addresses(self) -> (IpAddr, IpAddr) {
        let [high, low] = self.flow.to_be_bytes();
        self.pair(Ipv4Addr::new(10, 7, high, low).into(), Ipv4Addr::new(203, 0, 113, low.wrapping_mul(7)).into())
    }

    fn addresses6(self) -> (IpAddr, IpAddr) {
        let of = |side: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, side, 0, 0, 0, 0, self.flow));
        self.pair(of(1), of(2))
    }

    fn ports(self) -> (u16, u16) {
        self.pair(40_000 + self.flow, 443)
    }
}

/// A mark that is found again in whatever arrives: kind, conversation, direction.
fn mark(kind: u8, way: Way) -> [u8; 8] {
    let [high, low] = way.flow.to_be_bytes();
    [0xa5, 0x5a, 0xc3, kind, high, low, u8::from(way.back), 0x3c]
}

fn marks(bytes: &[u8]) -> BTreeSet<(u8, u16)> {
    let found = bytes.windows(8).filter(|w| w.starts_with(&[0xa5, 0x5a, 0xc3]) && w[7] == 0x3c);
    found.map(|w| (w[3], u16::from_be_bytes([w[4], w[5]]))).collect()
}

fn tcp(kind: u8, way: Way, (src, dst): (IpAddr, IpAddr)) -> Vec<u8> {
    let (sport, dport) = way.ports();
    let header = TcpHeader { flags: flags::ACK, ..TcpHeader::default() };
    let segment = frame::tcp(SocketAddr::new(src, sport), SocketAddr::new(dst, dport), &header, &mark(kind, way));
    frame::ip(src, dst, 64, proto::TCP, &segment)
}

/// A datagram of 2,400 bytes, marked all over.
fn large(kind: u8, way: Way, (src, dst): (IpAddr, IpAddr)) -> Vec<u8> {
    let (sport, dport) = way.ports();
    let datagram = frame::udp(SocketAddr::new(src, sport), SocketAddr::new(dst, dport), &mark(kind, way).repeat(300));
    frame::ip(src, dst, 64, proto::UDP, &datagram)
}

fn on_wire(way: Way, vlans: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = way.macs();
    frame::ethernet(dst, src, vlans, ethertype, payload)
}

fn ip_on_wire(way: Way, vlans: &[u16], packet: &[u8]) -> Vec<u8> {
    on_wire(way, vlans, frame::ethertype_of(packet), packet)
}

/// An outer IPv4 packet between two tunnel ends, the same for all conversations.
fn outer(way: Way, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = way.pair([192, 0, 2, 1], [192, 0, 2, 2]);
    frame::ipv4(src.into(), dst.into(), 64, protocol, payload)
}

/// A datagram between tunnel ends whose source port comes from the inner packet: another one in each direction.
fn over_udp(way: Way, port: u16, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = way.pair([192, 0, 2, 1], [192, 0, 2, 2]);
    let entropy = 49_152 + way.flow * 2 + u16::from(way.back);
    outer(way, proto::UDP, &frame::udp((src, entropy).into(), (dst, port).into(), payload))
}

fn vxlan(way: Way, packet: &[u8]) -> Vec<u8> {
    over_udp(way, 4789, &frame::vxlan(77, &ip_on_wire(way, &[], packet)))
}

/// IPv6 with a flow label, another one in each direction (RFC 6437).
fn labelled(way: Way, mut packet: Vec<u8>) -> Vec<u8> {
    let label = u32::from(way.flow) * 2 + u32::from(way.back) + 1;
    packet[1..4].copy_from_slice(&label.to_be_bytes()[1..]);
    packet
}

/// IPv6 in two fragments (RFC 8200 section 4.5).
fn fragments6(way: Way, packet: &[u8]) -> Vec<Vec<u8>> {
    let (src, dst) = way.addresses6();
    let part = |from: usize, to: usize, more: u16| {
        let mut payload = vec![packet[6], 0];
        payload.extend((from as u16 | more).to_be_bytes());
        payload.extend([0, 0, way.flow as u8, u8::from(way.back)]);
        payload.extend(&packet[40 + from..40 + to]);
        frame::ip(src, dst, 64, 44, &payload)
    };
    vec![part(0, 1_200, 1), part(1_200, packet.len() - 40, 0)]
}

/// What one way of a conversation looks like, for each kind; the index is the kind.
type Kind = (&'static str, fn(u8, Way) -> Vec<Vec<u8>>);

const KINDS: &[Kind] = &[
    ("plain", |k, w| vec![ip_on_wire(w, &[], &tcp(k, w, w.addresses()))]),
    ("VLAN", |k, w| vec![ip_on_wire(w, &[7], &tcp(k, w, w.addresses()))]),
    ("VLAN, each direction its own", |k, w| vec![ip_on_wire(w, &[7 + u16::from(w.back)], &tcp(k, w, w.addresses()))]),
    ("QinQ", |k, w| vec![ip_on_wire(w, &[100, 7], &tcp(k, w, w.addresses()))]),
    ("three tags", |k, w| vec![ip_on_wire(w, &[100, 8, 7], &tcp(k, w, w.addresses()))]),
    ("VXLAN", |k, w| vec![ip_on_wire(w, &[], &vxlan(w, &tcp(k, w, w.addresses())))]),
    ("VXLAN in a VLAN", |k, w| vec![ip_on_wire(w, &[7], &vxlan(w, &tcp(k, w, w.addresses())))]),
    ("IPv6 in VXLAN", |k, w| vec![ip_on_wire(w, &[], &vxlan(w, &tcp(k, w, w.addresses6())))]),
    ("GRE", |k, w| {
        let inner = tcp(k, w, w.addresses());
        vec![ip_on_wire(w, &[], &outer(w, proto::GRE, &frame::gre(frame::IPV4, None, &inner)))]
    }),
    ("Ethernet in GRE with a key", |k, w| {
        let inner = ip_on_wire(w, &[9], &tcp(k, w, w.addresses()));
        vec![ip_on_wire(w, &[], &outer(w, proto::GRE, &frame::gre(0x6558, Some(u32::from(w.back)), &inner)))]
    }),
    ("ERSPAN I, one direction per switch", |k, w| {
        let inner = ip_on_wire(w, &[], &tcp(k, w, w.addresses()));
        vec![ip_on_wire(Way { back: false, ..w }, &[], &outer(Way { back: w.back, ..w }, proto::GRE, &frame::gre(0x88be, None, &inner)))]
    }),
    ("GENEVE", |k, w| {
        let inner = [&[2, 0, 0x65, 0x58, 0, 0, 77, 0][..], &[0; 8], &ip_on_wire(w, &[], &tcp(k, w, w.addresses()))].concat();
        vec![ip_on_wire(w, &[], &over_udp(w, 6081, &inner))]
    }),
    ("GTP-U with an extension header", |k, w| {
        let head = [0x34, 0xff, 0, 60, 0, 0, 0, 1 + u8::from(w.back), 0, 0, 0, 0x85, 1, 0, 9, 0];
        vec![ip_on_wire(w, &[], &over_udp(w, 2152, &[&head[..], &tcp(k, w, w.addresses())].concat()))]
    }),
    ("IP in IP", |k, w| vec![ip_on_wire(w, &[], &outer(w, proto::IPIP, &tcp(k, w, w.addresses())))]),
    ("IPv6 in IP", |k, w| vec![ip_on_wire(w, &[], &outer(w, proto::IPV6_IN_IP, &tcp(k, w, w.addresses6())))]),
    ("MPLS, each direction its own label", |k, w| {
        let stack = [&[0, 1 + u8::from(w.back), 0, 64, 0, 9, 1, 64][..], &tcp(k, w, w.addresses())].concat();
        vec![on_wire(w, &[], 0x8847, &stack)]
    }),
    ("PPPoE", |k, w| vec![on_wire(w, &[], 0x8864, &[&[0x11, 0, 0, 1, 0, 50, 0, 0x21][..], &tcp(k, w, w.addresses())].concat())]),
    ("IPv6", |k, w| vec![ip_on_wire(w, &[], &tcp(k, w, w.addresses6()))]),
    ("IPv6 with flow labels", |k, w| vec![ip_on_wire(w, &[], &labelled(w, tcp(k, w, w.addresses6())))]),
    ("fragments beside whole packets", |k, w| {
        let parts = frame::fragments(&large(k, w, w.addresses()), w.flow, 1_400);
        parts.iter().chain([&tcp(k, w, w.addresses())]).map(|p| ip_on_wire(w, &[], p)).collect()
    }),
    ("fragments of IPv6 beside whole packets", |k, w| {
        let parts = fragments6(w, &large(k, w, w.addresses6()));
        parts.iter().chain([&tcp(k, w, w.addresses6())]).map(|p| ip_on_wire(w, &[], p)).collect()
    }),
    ("fragments of a tunnel beside whole packets", |k, w| {
        let ident = 1_000 + w.flow * 2 + u16::from(w.back);
        let parts = frame::fragments(&vxlan(w, &large(k, w, w.addresses())), ident, 1_400);
        parts.iter().chain([&vxlan(w, &tcp(k, w, w.addresses()))]).map(|p| ip_on_wire(w, &[], p)).collect()
    }),
];

fn rings(count: u16) -> Vec<Ring> {
    let one = |ring| Ring::start(LiveOptions { rings: count, ring, fanout_group: 4_711, ..options("span0") });
    let rings: Vec<Ring> = (0..count).map(one).collect();
    rings.iter().for_each(|ring| ring.stands(LinkState::Capturing));
    rings
}

#[test]
fn both_directions_of_a_conversation_reach_one_ring() {
    in_namespace(|| {
        cable("far0", "span0");
        let rings = rings(RINGS);
        let mut sender = Sender::on("far0");
        let mut whole = 0;
        for (kind, (_, make)) in KINDS.iter().enumerate() {
            for flow in 0..FLOWS {
                for back in [false, true] {
                    let frames = make(kind as u8, Way { flow, back });
                    whole += if frames.len() == 1 { 1 } else { 2 };
                    frames.iter().for_each(|frame| sender.send(frame));
                }
            }
        }
        let last = (KINDS.len() as u8 - 1, FLOWS - 1);
        until("the last frame", || rings.iter().any(|r| r.any(|bytes| marks(bytes).contains(&last) && bytes.len() < 400)));
        let seen: Vec<_> = rings.into_iter().map(Ring::end).collect();
        // Fragments of IPv4 arrive joined; those of IPv6 as they are.
        let extra = usize::from(FLOWS) * 2;
        assert_eq!(seen.iter().map(Vec::len).sum::<usize>(), whole + extra, "every frame once");
        let mut places: BTreeMap<(u8, u16), BTreeSet<usize>> = BTreeMap::new();
        for (ring, frames) in seen.iter().enumerate() {
            assert!(frames.len() * 5 > whole / usize::from(RINGS), "ring {ring} has {} of {whole} frames", frames.len());
            for mark in frames.iter().flat_map(|(bytes, _)| marks(bytes)) {
                places.entry(mark).or_default().insert(ring);
            }
        }
        assert_eq!(places.len(), KINDS.len() * usize::from(FLOWS), "every conversation was seen");
        let mut split: BTreeMap<&str, usize> = BTreeMap::new();
        places
            .iter()
            .filter(|(_, rings)| rings.len() > 1)
            .for_each(|((kind, _), _)| *split.entry(KINDS[usize::from(*kind)].0).or_default() += 1);
        assert!(split.is_empty(), "conversations of {FLOWS} that came to several rings: {split:#?}");
    });
}

#[test]
fn rings_come_back_together_when_the_interface_does() {
    in_namespace(|| {
        cable("far0", "span0");
        let rings = rings(2);
        crate::capture_space::ip("link del span0");
        rings.iter().for_each(|ring| ring.stands(LinkState::Gone));
        cable("far0", "span0");
        rings.iter().for_each(|ring| ring.stands(LinkState::Capturing));
        let mut sender = Sender::on("far0");
        for flow in 0..40 {
            sender.send(&ip_on_wire(
                Way { flow, back: false },
                &[],
                &tcp(1, Way { flow, back: false }, Way { flow, back: false }.addresses()),
            ));
        }
        until("all frames", || rings.iter().map(Ring::count).sum::<usize>() >= 40);
        let seen: Vec<usize> = rings.into_iter().map(|r| r.end().len()).collect();
        assert_eq!(seen.iter().sum::<usize>(), 40);
        assert!(seen.iter().all(|n| *n > 5), "{seen:?}");
    });
}
