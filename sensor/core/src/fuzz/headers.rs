//! Our header reader against another one: where etherparse finds a TCP or UDP payload in a plain Ethernet frame, so do we, the same.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use crate::decode::{Body, DecodeCounts, Frame, Payload, decode};
use crate::net::{Endpoint, Hop};
use crate::time::Timestamp;

/// UDP ports of tunnels: what looks like one there and is broken inside is refused, where the other reader does not look inside.
const TUNNEL_PORTS: [u16; 10] = [2_152, 3_544, 4_500, 4_754, 4_789, 4_790, 6_081, 6_635, 8_472, 37_008];

/// What a reader found: who, to whom, TCP or not, and the payload.
type Found<'a> = (Endpoint, Endpoint, bool, &'a [u8]);

/// Reads `data` as one Ethernet frame, twice.
pub fn headers(data: &[u8]) {
    let Ok(wire_len) = u32::try_from(data.len()) else { return };
    let frame = Frame { ts: Timestamp::ZERO, link_type: 1, interface: 0, bytes: data, wire_len, vlan: None };
    let mut counts = DecodeCounts::default();
    let packet = decode(&frame, &mut counts);
    assert!(packet.is_some() != (counts.malformed().count() > 0 || counts.too_deep() > 0), "counted wrongly: {counts:?}");
    let Some(theirs) = SlicedPacket::from_ethernet(data).ok().and_then(|p| of_theirs(&p)) else { return };
    let Some(packet) = packet else {
        let (src, dst, is_tcp, _) = theirs;
        let tunnel = !is_tcp && TUNNEL_PORTS.iter().any(|port| *port == src.port || *port == dst.port);
        assert!(tunnel, "refused what is whole: {theirs:?}");
        return;
    };
    // Within a tunnel the two look at different headers.
    if packet.path.hops().any(|h| !matches!(h, Hop::Vlan(_))) {
        return;
    }
    let Body::Ip(ip) = packet.body else { panic!("no IP: {theirs:?}") };
    let (ports, is_tcp, payload) = match ip.payload {
        Payload::Tcp(tcp) => ((tcp.sport, tcp.dport), true, tcp.payload),
        Payload::Udp(udp) => ((udp.sport, udp.dport), false, udp.payload),
        // A tunnel that is recognised by its content.
        Payload::Opaque(_) | Payload::Fragment(_) => return,
        other => panic!("{other:?} is not {theirs:?}"),
    };
    let ours = (Endpoint { addr: ip.src, port: ports.0 }, Endpoint { addr: ip.dst, port: ports.1 }, is_tcp, payload);
    assert!(ours == theirs, "ours {ours:?}, theirs {theirs:?}");
}

fn of_theirs<'a>(packet: &SlicedPacket<'a>) -> Option<Found<'a>> {
    let (src, dst) = match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Arp(_) => return None,
    };
    let (sport, dport, is_tcp, payload) = match packet.transport.as_ref()? {
        TransportSlice::Tcp(tcp) => (tcp.source_port(), tcp.destination_port(), true, tcp.payload()),
        TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port(), false, udp.payload()),
        _ => return None,
    };
    Some((Endpoint { addr: src, port: sport }, Endpoint { addr: dst, port: dport }, is_tcp, payload))
}
