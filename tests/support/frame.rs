//! Bytes of the link, network and transport layers, with right lengths and checksums.
//!
//! Must not know conversations or time. To make a frame that lies, make a right one and change it ([`crate::mutate`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringfence_core::net::Mac;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of a customer VLAN tag (IEEE 802.1Q).
pub const CTAG: u16 = 0x8100;
/// EtherType of a service VLAN tag (IEEE 802.1ad).
pub const STAG: u16 = 0x88a8;

/// IP protocol numbers.
pub mod proto {
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// GRE.
    pub const GRE: u8 = 47;
    /// IPv4 in IP.
    pub const IPIP: u8 = 4;
    /// IPv6 in IP.
    pub const IPV6_IN_IP: u8 = 41;
}

/// The shortest Ethernet frame without its check sequence, in bytes: shorter ones are padded (IEEE 802.3 section 3.2.8).
pub const ETHERNET_MIN: usize = 60;

/// An Ethernet frame, padded, without check sequence. Of several VLAN tags all but the innermost are service tags.
pub fn ethernet(dst: Mac, src: Mac, vlans: &[u16], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [dst.0, src.0].concat();
    for (depth, id) in vlans.iter().enumerate() {
        let tpid = if depth + 1 == vlans.len() { CTAG } else { STAG };
        frame.extend(tpid.to_be_bytes());
        frame.extend(id.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    if frame.len() < ETHERNET_MIN {
        frame.resize(ETHERNET_MIN, 0);
    }
    frame
}

/// The EtherType that carries an IP packet, by its version.
pub fn ethertype_of(packet: &[u8]) -> u16 {
    if packet.first().is_some_and(|b| b >> 4 == 6) { IPV6 } else { IPV4 }
}

/// The internet checksum of the concatenation of `parts` (RFC 1071); only the last part may have an odd length.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IPv4 or IPv6 packet. IPv4: no options, DF set, identification 0 (RFC 6864 section 4.1).
///
/// # Panics
/// When the addresses are of different families.
pub fn ip(src: IpAddr, dst: IpAddr, ttl: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => ipv4(src, dst, ttl, protocol, payload),
        (IpAddr::V6(src), IpAddr::V6(dst)) => ipv6(src, dst, ttl, protocol, payload),
        _ => panic!("{src} and {dst} are of different families"),
    }
}

/// An IPv4 packet (RFC 791).
pub fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, ttl: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((payload.len() as u16 + 20).to_be_bytes());
    header.extend([0, 0, 0x40, 0, ttl, protocol, 0, 0]);
    header.extend(src.octets());
    header.extend(dst.octets());
    seal_ipv4(&mut header);
    header.extend(payload);
    header
}

fn seal_ipv4(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = checksum(&[header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// An IPv6 packet without extension headers (RFC 8200).
pub fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, hops: u8, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, hops]);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend(payload);
    packet
}

/// The sum over the pseudo header and a transport message with its checksum field zero (RFC 9293 section 3.1, RFC 8200 section 8.1).
pub fn transport_checksum(src: IpAddr, dst: IpAddr, protocol: u8, message: &[u8]) -> u16 {
    let octets = |a: IpAddr| match a {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    };
    let length = (message.len() as u32).to_be_bytes();
    checksum(&[&octets(src), &octets(dst), &length, &[0, protocol], message])
}

/// A UDP datagram (RFC 768).
pub fn udp(src: SocketAddr, dst: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(payload.len() + 8);
    datagram.extend(src.port().to_be_bytes());
    datagram.extend(dst.port().to_be_bytes());
    datagram.extend((payload.len() as u16 + 8).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let sum = match transport_checksum(src.ip(), dst.ip(), proto::UDP, &datagram) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

/// TCP flags.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// The fields of a TCP header that conversations vary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpHeader {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// A sum of [`flags`].
    pub flags: u8,
    /// Options, padded to a multiple of four with zeros.
    pub options: Vec<u8>,
}

/// A TCP segment (RFC 9293) with a window of 64,240 bytes.
pub fn tcp(src: SocketAddr, dst: SocketAddr, header: &TcpHeader, payload: &[u8]) -> Vec<u8> {
    let options = header.options.len().next_multiple_of(4);
    let mut segment = Vec::with_capacity(20 + options + payload.len());
    segment.extend(src.port().to_be_bytes());
    segment.extend(dst.port().to_be_bytes());
    segment.extend(header.seq.to_be_bytes());
    segment.extend(header.ack.to_be_bytes());
    segment.extend([(((20 + options) / 4) << 4) as u8, header.flags]);
    segment.extend(64_240_u16.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(&header.options);
    segment.resize(20 + options, 0);
    segment.extend(payload);
    let sum = transport_checksum(src.ip(), dst.ip(), proto::TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// Cuts an IPv4 packet without options into fragments of at most `mtu` bytes (RFC 791 section 3.2).
pub fn fragments(packet: &[u8], ident: u16, mtu: usize) -> Vec<Vec<u8>> {
    let (header, payload) = packet.split_at(20);
    let step = (mtu.max(28) - 20) / 8 * 8;
    let count = payload.len().div_ceil(step);
    let cut = |(index, part): (usize, &[u8])| {
        let more = if index + 1 < count { 0x2000 } else { 0 };
        let offset = (index * step / 8) as u16 | more;
        let mut header = header.to_vec();
        header[2..4].copy_from_slice(&(part.len() as u16 + 20).to_be_bytes());
        header[4..6].copy_from_slice(&ident.to_be_bytes());
        header[6..8].copy_from_slice(&offset.to_be_bytes());
        seal_ipv4(&mut header);
        header.extend(part);
        header
    };
    payload.chunks(step).enumerate().map(cut).collect()
}

/// A GRE header with an optional key before what it carries (RFC 2784, RFC 2890).
pub fn gre(ethertype: u16, key: Option<u32>, inner: &[u8]) -> Vec<u8> {
    let mut packet = vec![if key.is_some() { 0x20 } else { 0 }, 0];
    packet.extend(ethertype.to_be_bytes());
    packet.extend(key.map(u32::to_be_bytes).into_iter().flatten());
    packet.extend(inner);
    packet
}

/// A VXLAN header before an Ethernet frame: the payload of a datagram to UDP port 4789 (RFC 7348 section 5).
pub fn vxlan(vni: u32, frame: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x08, 0, 0, 0];
    packet.extend((vni << 8).to_be_bytes());
    packet.extend(frame);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn checksum_of_rfc_1071() {
        assert_eq!(checksum(&[&hex("0001 f203 f4f5 f6f7")]), !0xddf2);
        assert_eq!(checksum(&[&hex("0001 f203"), &hex("f4f5 f6f7")]), !0xddf2);
    }

    #[test]
    fn a_header_of_a_textbook() {
        // The example of Wikipedia's "Internet checksum" has options of its own: here the same fields, its sum b861.
        let mut header = hex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7");
        seal_ipv4(&mut header);
        assert_eq!(header[10..12], [0xb8, 0x61]);
    }

    #[test]
    fn a_receiver_finds_every_sum_right() {
        for (src, dst) in [("192.0.2.1:5", "198.51.100.1:6"), ("[2001:db8::1]:5", "[2001:db8::2]:6")] {
            let (src, dst): (SocketAddr, SocketAddr) = (src.parse().unwrap(), dst.parse().unwrap());
            for len in [0, 1, 2, 1399] {
                let payload = vec![0xa5; len];
                let header = TcpHeader { seq: 1, ack: 2, flags: flags::ACK, options: vec![2, 4, 5, 0x78, 1] };
                for (protocol, message) in [(proto::UDP, udp(src, dst, &payload)), (proto::TCP, tcp(src, dst, &header, &payload))] {
                    assert_eq!(transport_checksum(src.ip(), dst.ip(), protocol, &message), 0, "{protocol} {len}");
                    let packet = ip(src.ip(), dst.ip(), 64, protocol, &message);
                    if src.is_ipv4() {
                        assert_eq!(checksum(&[&packet[..20]]), 0);
                    }
                    assert!(packet.ends_with(&message));
                }
            }
        }
    }

    #[test]
    fn tags_and_padding() {
        let (a, b) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let frame = ethernet(a, b, &[100, 20], IPV4, &[0x45]);
        assert_eq!(frame.len(), ETHERNET_MIN);
        assert_eq!(frame[12..23], hex("88a8 0064 8100 0014 0800 45"));
    }

    #[test]
    fn fragments_join_again() {
        let payload: Vec<u8> = (0..=255).cycle().take(3001).collect();
        let packet = ipv4([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 64, proto::UDP, &payload);
        let parts = fragments(&packet, 7, 1500);
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|p| p.len() <= 1500 && checksum(&[&p[..20]]) == 0));
        assert_eq!(parts.iter().flat_map(|p| p[20..].to_vec()).collect::<Vec<_>>(), payload);
        assert_eq!(parts[2][6..8], (2960_u16 / 8).to_be_bytes());
    }
}
