//! Neighbour discovery (RFC 4861): ICMPv6 messages with right checksums.

use std::net::Ipv6Addr;

use ringfence_core::net::Mac;

use crate::frame::{self, proto};

/// All nodes on the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers on the link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The group that everyone with the last three bytes of `addr` listens to (RFC 4291 section 2.7.1).
pub fn solicited_node(addr: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = addr.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from(b) << 8 | u16::from(c))
}

/// The hardware address of an IPv6 multicast group (RFC 2464 section 7).
pub fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

/// The link-local address that a station forms from its hardware address (RFC 4291 appendix A).
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

fn packet(src: Ipv6Addr, dst: Ipv6Addr, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(body);
    let sum = frame::transport_checksum(src.into(), dst.into(), proto::ICMPV6, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    frame::ipv6(src, dst, 255, proto::ICMPV6, &message)
}

fn link_option(kind: u8, mac: Mac) -> Vec<u8> {
    let mut option = vec![kind, 1];
    option.extend(mac.0);
    option
}

/// Router solicitation.
pub fn router_solicitation(src: Ipv6Addr, mac: Mac) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(link_option(1, mac));
    packet(src, ALL_ROUTERS, 133, &body)
}

/// Router advertisement with one prefix of 64 bits, autonomous and on-link.
pub fn router_advertisement(src: Ipv6Addr, mac: Mac, prefix: Ipv6Addr) -> Vec<u8> {
    let mut body = vec![64, 0];
    body.extend(1800_u16.to_be_bytes());
    body.extend([0; 8]);
    body.extend(link_option(1, mac));
    body.extend([3, 4, 64, 0xc0]);
    body.extend(86_400_u32.to_be_bytes());
    body.extend(14_400_u32.to_be_bytes());
    body.extend([0; 4]);
    body.extend(prefix.octets());
    packet(src, ALL_NODES, 134, &body)
}

/// Neighbour solicitation; from the unspecified address it is duplicate address detection (RFC 4862 section 5.4).
pub fn solicitation(src: Ipv6Addr, target: Ipv6Addr, mac: Mac) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(target.octets());
    if !src.is_unspecified() {
        body.extend(link_option(1, mac));
    }
    packet(src, solicited_node(target), 135, &body)
}

/// Neighbour advertisement, solicited and overriding; `router` sets flag R.
pub fn advertisement(src: Ipv6Addr, dst: Ipv6Addr, target: Ipv6Addr, mac: Mac, router: bool) -> Vec<u8> {
    let mut body = vec![if router { 0xe0 } else { 0x60 }, 0, 0, 0];
    body.extend(target.octets());
    body.extend(link_option(2, mac));
    packet(src, dst, 136, &body)
}
