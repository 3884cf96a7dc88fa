//! What decoding makes of a frame: borrowed views, nothing copied.

use std::net::IpAddr;

use crate::net::{Endpoint, Mac, Path};
use crate::time::Timestamp;

/// What the NIC or the capture file delivered.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// The link type as in the pcap LINKTYPE registry (1 = Ethernet, 101 = raw IP, 113 = Linux SLL ...), without FCS bits.
    pub link_type: u16,
    /// Which interface or capture file delivered it, counted from 0.
    pub interface: u16,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// How long it was on the wire; more than `bytes.len()` when the snap length cut it.
    pub wire_len: u32,
    /// A VLAN tag that the kernel took out of the frame.
    pub vlan: Option<u16>,
}

/// The two hardware addresses of a frame, innermost Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacPair {
    /// The sender.
    pub src: Mac,
    /// The receiver; `None` on Linux cooked captures.
    pub dst: Option<Mac>,
}

/// A decoded frame.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// Which interface delivered it.
    pub interface: u16,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// The frame was cut by the snap length.
    pub truncated: bool,
    /// Hardware addresses, innermost.
    pub macs: Option<MacPair>,
    /// VLANs and tunnels, outermost first.
    pub path: Path,
    /// What it carries.
    pub body: Body<'a>,
}

/// What a frame carries after all encapsulations are peeled.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// An ARP message, from its hardware type on (RFC 826).
    Arp(&'a [u8]),
    /// An IP packet.
    Ip(Ip<'a>),
    /// Something else (spanning tree, LLDP ...).
    Other,
}

/// The innermost IP header and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Ip<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// What the packet carries.
    pub payload: Payload<'a>,
}

/// The payload of the innermost IP header.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A TCP segment.
    Tcp(Tcp<'a>),
    /// A UDP datagram.
    Udp(Udp<'a>),
    /// An ICMPv6 message from its type on.
    Icmp6(&'a [u8]),
    /// A fragment: to be reassembled, then decoded again with [`super::decode_reassembled`].
    Fragment(Fragment<'a>),
    /// An encrypted tunnel (ESP, WireGuard ...): its name.
    Opaque(&'static str),
    /// Another protocol number.
    Other(u8),
}

/// A TCP segment (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a> {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sequence number of the first payload byte (of the SYN, where it is set).
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// SYN, ACK, FIN, RST.
    pub flags: TcpFlags,
    /// The data, without padding of the frame; cut when the frame was.
    pub payload: &'a [u8],
    /// How long the payload was on the wire.
    pub wire_len: u32,
}

/// The flags that matter to a passive observer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// Opens.
    pub syn: bool,
    /// The acknowledgement number counts.
    pub ack: bool,
    /// Closes.
    pub fin: bool,
    /// Aborts.
    pub rst: bool,
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Udp<'a> {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// The data; cut when the frame was.
    pub payload: &'a [u8],
}

/// A fragment of an IP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// The identification field.
    pub id: u32,
    /// Offset of `bytes` in the datagram's payload.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// The protocol of the datagram's payload (of the first fragment, for IPv6).
    pub protocol: u8,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Packet<'_> {
    /// Source and destination endpoint, where the packet has a TCP or UDP header.
    pub fn endpoints(&self) -> Option<(Endpoint, Endpoint)> {
        let Body::Ip(ip) = self.body else { return None };
        let (sport, dport) = match ip.payload {
            Payload::Tcp(t) => (t.sport, t.dport),
            Payload::Udp(u) => (u.sport, u.dport),
            _ => return None,
        };
        Some((Endpoint { addr: ip.src, port: sport }, Endpoint { addr: ip.dst, port: dport }))
    }
}
