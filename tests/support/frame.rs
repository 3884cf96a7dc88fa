//! Frames by hand: Ethernet, VLAN, IPv4 and IPv6, TCP and UDP with right checksums, ARP, neighbour discovery, a few tunnels.

use std::net::{IpAddr, Ipv4Addr};

/// A hardware address.
pub type Mac = [u8; 6];

/// The Internet checksum (RFC 1071).
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u32 = bytes.chunks(2).map(|c| u32::from(c[0]) << 8 | c.get(1).map_or(0, |b| u32::from(*b))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An Ethernet frame, with VLAN tags from the outside in.
pub fn ethernet(src: Mac, dst: Mac, vlans: &[u16], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&dst[..], &src[..]].concat();
    for vlan in vlans {
        frame.extend([0x81, 0x00]);
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend_from_slice(payload);
    while frame.len() < 60 {
        frame.push(0);
    }
    frame
}

/// The EtherType of an address's family.
pub fn ether_type(addr: IpAddr) -> u16 {
    if addr.is_ipv4() { 0x0800 } else { 0x86dd }
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

/// An IP packet of the family of its addresses.
pub fn ip(src: IpAddr, dst: IpAddr, protocol: u8, id: u16, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = (octets(src), octets(dst));
    if src.len() == 16 {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend((payload.len() as u16).to_be_bytes());
        packet.extend([protocol, 64]);
        return [packet, src, dst, payload.to_vec()].concat();
    }
    let mut header = vec![0x45, 0];
    header.extend((20 + payload.len() as u16).to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend([0x40, 0, 64, protocol, 0, 0]);
    header.extend([src, dst].concat());
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [header, payload.to_vec()].concat()
}

fn pseudo(src: IpAddr, dst: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    [octets(src), octets(dst), vec![0, protocol], (length as u16).to_be_bytes().to_vec()].concat()
}

/// A UDP datagram.
pub fn udp(src: (IpAddr, u16), dst: (IpAddr, u16), payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut datagram = [src.1.to_be_bytes(), dst.1.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    datagram.extend_from_slice(payload);
    let sum = checksum(&[&pseudo(src.0, dst.0, 17, datagram.len()), &datagram]);
    datagram[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    datagram
}

/// TCP flags.
pub mod flags {
    /// Closes.
    pub const FIN: u8 = 1;
    /// Opens.
    pub const SYN: u8 = 2;
    /// Aborts.
    pub const RST: u8 = 4;
    /// Delivers at once.
    pub const PSH: u8 = 8;
    /// Acknowledges.
    pub const ACK: u8 = 16;
}

/// A TCP segment.
pub fn tcp(src: (IpAddr, u16), dst: (IpAddr, u16), seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = [src.1.to_be_bytes(), dst.1.to_be_bytes()].concat();
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    let sum = checksum(&[&pseudo(src.0, dst.0, 6, segment.len()), &segment]);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// An ARP message: 1 asks, 2 answers.
pub fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4];
    message.extend(operation.to_be_bytes());
    for (mac, addr) in [sender, target] {
        message.extend(mac);
        message.extend(addr.octets());
    }
    message
}

/// An ICMPv6 message with its checksum.
pub fn icmp6(src: IpAddr, dst: IpAddr, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0][..], body].concat();
    let sum = checksum(&[&pseudo(src, dst, 58, message.len()), &message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_rfc_1071() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }

    #[test]
    fn a_packet_sums_to_zero() {
        let (a, b) = ("10.0.0.1".parse().expect("a"), "10.0.0.2".parse().expect("b"));
        let packet = ip(a, b, 17, 7, &udp((a, 1), (b, 2), b"hello"));
        assert_eq!(checksum(&[&packet[..20]]), 0);
        assert_eq!(checksum(&[&pseudo(a, b, 17, 13), &packet[20..]]), 0);
    }
}
