//! Link layers: what a capture's link type begins with, Ethernet and its tags, LLC, PPP, MPLS.

use crate::net::{Hop, Mac};

use super::bytes::{be16, be32, skip, u8};
use super::packet::{Body, MacPair};
use super::{Gathered, Layer, wifi};

// The pcap LINKTYPE registry (draft-ietf-opsawg-pcaplinktype).
const NULL: u16 = 0;
pub(super) const ETHERNET: u16 = 1;
const PPP: u16 = 9;
const RAW_BSD: u16 = 12;
const RAW_OPENBSD: u16 = 14;
const PPP_SERIAL: u16 = 50;
const PPP_ETHER: u16 = 51;
const RAW: u16 = 101;
const C_HDLC: u16 = 104;
const WIFI: u16 = 105;
const LOOP: u16 = 108;
const SLL: u16 = 113;
const WIFI_PRISM: u16 = 119;
const WIFI_RADIOTAP: u16 = 127;
const WIFI_AVS: u16 = 163;
const PPP_DIRECTION: u16 = 204;
const IPV4: u16 = 228;
const IPV6: u16 = 229;
const SLL2: u16 = 276;

// EtherTypes (IEEE registry).
const ET_IPV4: u16 = 0x0800;
const ET_ARP: u16 = 0x0806;
const ET_TRILL: u16 = 0x22f3;
const ET_BRIDGE: u16 = 0x6558;
const ET_VLAN: u16 = 0x8100;
const ET_IPV6: u16 = 0x86dd;
const ET_PPP: u16 = 0x880b;
const ET_MPLS: u16 = 0x8847;
const ET_MPLS_MULTICAST: u16 = 0x8848;
const ET_PPPOE: u16 = 0x8864;
const ET_QINQ: u16 = 0x88a8;
const ET_MACSEC: u16 = 0x88e5;
const ET_CISCO_CMD: u16 = 0x8909;
const ET_QINQ_OLD: u16 = 0x9100;
const ET_QINQ_OLDER: u16 = 0x9200;
const ET_NSH: u16 = 0x894f;

/// From here on the field behind the MAC addresses is an EtherType, below it is a length (IEEE 802.3 clause 3.2.6).
const ETHER_TYPE_MIN: u16 = 0x0600;

/// The first layer of a frame, by its link type; `None` when the link type is not known or the header is cut.
pub(super) fn first<'a>(link_type: u16, bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    match link_type {
        ETHERNET => Some(Layer::Ethernet(bytes)),
        RAW | RAW_BSD | RAW_OPENBSD | IPV4 | IPV6 => Some(Layer::Ip(bytes)),
        NULL | LOOP => family(bytes),
        PPP | PPP_SERIAL => ppp_framing(bytes),
        PPP_DIRECTION => ppp_framing(skip(bytes, 1)?),
        PPP_ETHER => pppoe(bytes, gathered),
        C_HDLC => be16(skip(bytes, 2)?).map(|(protocol, rest)| Layer::Ether(protocol, rest)),
        SLL => sll(bytes, gathered),
        SLL2 => sll2(bytes, gathered),
        WIFI => wifi::frame(bytes, gathered),
        WIFI_RADIOTAP => wifi::radiotap(bytes, gathered),
        WIFI_PRISM => wifi::prism(bytes, gathered),
        WIFI_AVS => wifi::avs(bytes, gathered),
        _ => None,
    }
}

/// BSD NULL and LOOP: a protocol family in 4 bytes, in the byte order of whoever wrote it. Some writers put an EtherType into the
/// last two of them (Wireshark's packet-null.c knows these as well).
fn family(bytes: &[u8]) -> Option<Layer<'_>> {
    let (family, rest) = be32(bytes)?;
    let (ether_type, _) = be16(skip(bytes, 2)?)?;
    match if family > 0xffff { family.swap_bytes() } else { family } {
        2 | 10 | 23 | 24 | 28 | 30 => Some(Layer::Ip(rest)),
        _ if matches!(ether_type, ET_IPV4 | ET_IPV6) => Some(Layer::Ip(rest)),
        _ => Some(Layer::Done(Body::Other)),
    }
}

fn mac(bytes: &[u8]) -> Option<(Mac, &[u8])> {
    bytes.split_first_chunk().map(|(mac, rest)| (Mac(*mac), rest))
}

/// An Ethernet header; its addresses replace those of an outer one.
pub(super) fn ethernet<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (dst, rest) = mac(bytes)?;
    let (src, rest) = mac(rest)?;
    let (ether_type, rest) = be16(rest)?;
    gathered.macs = Some(MacPair { src, dst: Some(dst) });
    if ether_type >= ETHER_TYPE_MIN {
        return Some(Layer::Ether(ether_type, rest));
    }
    // A length: what lies behind it is padding.
    let length = usize::from(ether_type);
    Some(Layer::Llc(rest.get(..length).unwrap_or(rest)))
}

/// From an Ethernet header through VLAN tags to an IP header, where nothing else lies between; `left` are the steps that this may take
/// behind the first one.
#[inline]
pub(super) fn to_ip<'a>(bytes: &'a [u8], gathered: &mut Gathered, left: &mut usize) -> Option<&'a [u8]> {
    let (dst, rest) = mac(bytes)?;
    let (src, rest) = mac(rest)?;
    let (mut ether_type, tags) = be16(rest)?;
    let (mut rest, mut count) = (tags, 0);
    while matches!(ether_type, ET_VLAN | ET_QINQ | ET_QINQ_OLD | ET_QINQ_OLDER) && count < *left {
        (ether_type, rest) = be16(skip(rest, 2)?)?;
        count += 1;
    }
    if !matches!(ether_type, ET_IPV4 | ET_IPV6) {
        return None;
    }
    *left = left.checked_sub(count + 1)?;
    gathered.macs = Some(MacPair { src, dst: Some(dst) });
    for tag in tags.as_chunks::<4>().0.iter().take(count) {
        let [high, low, ..] = *tag;
        gathered.hop(Hop::Vlan(u16::from_be_bytes([high, low]) & 0x0fff));
    }
    Some(rest)
}

/// What follows an EtherType.
pub(super) fn ether<'a>(ether_type: u16, bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    Some(match ether_type {
        ET_IPV4 | ET_IPV6 => Layer::Ip(bytes),
        ET_ARP => Layer::Done(Body::Arp(bytes)),
        ET_VLAN | ET_QINQ | ET_QINQ_OLD | ET_QINQ_OLDER => return vlan(bytes, gathered),
        ET_MPLS | ET_MPLS_MULTICAST => Layer::Mpls(bytes),
        ET_PPPOE => return pppoe(bytes, gathered),
        ET_PPP => {
            let (protocol, rest) = be16(bytes)?;
            Layer::Ppp(protocol, rest)
        }
        ET_BRIDGE => Layer::Ethernet(bytes),
        ET_MACSEC => return macsec(bytes),
        ET_CISCO_CMD => return cisco_metadata(bytes, gathered),
        ET_NSH => return super::tunnel::nsh(bytes),
        ET_TRILL => return trill(bytes),
        other if other < ETHER_TYPE_MIN => Layer::Llc(bytes),
        _ => Layer::Done(Body::Other),
    })
}

/// IEEE 802.1Q: priority and VLAN id, then the next type (or a length).
fn vlan<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (tag, rest) = be16(bytes)?;
    let (ether_type, rest) = be16(rest)?;
    gathered.hop(Hop::Vlan(tag & 0x0fff));
    Some(Layer::Ether(ether_type, rest))
}

/// MACsec (IEEE 802.1AE clause 9.3): flags, short length, packet number, perhaps the channel. Without encryption the frame goes on in
/// the clear, and its check value stands behind it as padding would.
fn macsec(bytes: &[u8]) -> Option<Layer<'_>> {
    const VERSION: u8 = 0x80;
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    let (flags, rest) = u8(bytes)?;
    if flags & (VERSION | ENCRYPTED_OR_CHANGED) != 0 {
        return Some(Layer::Done(Body::Other));
    }
    let rest = skip(rest, if flags & CHANNEL == 0 { 5 } else { 13 })?;
    let (ether_type, rest) = be16(rest)?;
    Some(Layer::Ether(ether_type, rest))
}

/// Cisco metadata: version, length, options with the security group tag, then the next type.
fn cisco_metadata<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (_version, rest) = u8(bytes)?;
    let (_length, rest) = u8(rest)?;
    let (_option, rest) = be16(rest)?;
    let (tag, rest) = be16(rest)?;
    let (ether_type, rest) = be16(rest)?;
    gathered.hop(Hop::Sgt(tag));
    Some(Layer::Ether(ether_type, rest))
}

/// TRILL (RFC 6325 section 3): a fixed header with options, then an Ethernet frame.
fn trill(bytes: &[u8]) -> Option<Layer<'_>> {
    let (flags, rest) = be16(bytes)?;
    let options = usize::from(flags >> 6 & 0x1f) * 4;
    Some(Layer::Ethernet(skip(rest, 4 + options)?))
}

/// LLC with SNAP (RFC 1042), and IP in the clear behind SAP 06.
pub(super) fn llc(bytes: &[u8]) -> Option<Layer<'_>> {
    let (sap, rest) = be16(bytes)?;
    let (_control, rest) = u8(rest)?;
    match sap {
        0xaaaa => {
            let (oui, rest) = rest.split_first_chunk::<3>()?;
            let (ether_type, rest) = be16(rest)?;
            let known = matches!(oui, [0, 0, 0] | [0, 0, 0xf8]);
            Some(if known { Layer::Ether(ether_type, rest) } else { Layer::Done(Body::Other) })
        }
        0x0606 => Some(Layer::Ip(rest)),
        _ => Some(Layer::Done(Body::Other)),
    }
}

/// PPP with or without address and control (RFC 1662 section 3), protocol field in one or two bytes.
fn ppp_framing(bytes: &[u8]) -> Option<Layer<'_>> {
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    if let Some(rest) = bytes.strip_prefix(&[0x0f, 0x00]).or_else(|| bytes.strip_prefix(&[0x8f, 0x00])) {
        // Cisco HDLC framing in a PPP capture.
        return be16(rest).map(|(ether_type, rest)| Layer::Ether(ether_type, rest));
    }
    let (short, rest) = u8(bytes)?;
    if short & 1 == 1 {
        return Some(Layer::Ppp(u16::from(short), rest));
    }
    be16(bytes).map(|(protocol, rest)| Layer::Ppp(protocol, rest))
}

/// What follows a PPP protocol number.
pub(super) fn ppp<'a>(protocol: u16, bytes: &'a [u8], _gathered: &mut Gathered) -> Layer<'a> {
    match protocol {
        0x0021 | 0x0057 => Layer::Ip(bytes),
        0x0281 | 0x0283 => Layer::Mpls(bytes),
        _ => Layer::Done(Body::Other),
    }
}

/// A PPPoE session (RFC 2516 section 4).
fn pppoe<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (version, rest) = u8(bytes)?;
    let (code, rest) = u8(rest)?;
    let (session, rest) = be16(rest)?;
    let (length, rest) = be16(rest)?;
    if version != 0x11 || code != 0 {
        return Some(Layer::Done(Body::Other));
    }
    gathered.hop(Hop::Pppoe(session));
    ppp_framing(rest.get(..usize::from(length)).unwrap_or(rest))
}

/// MPLS labels (RFC 3032). Nothing says what lies below the stack: the first nibble tells IP, a control word or Ethernet.
pub(super) fn mpls<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (entry, rest) = be32(bytes)?;
    gathered.hop(Hop::Mpls(entry >> 12));
    if entry & 0x100 == 0 {
        return Some(Layer::Mpls(rest));
    }
    Some(match rest.first().map(|b| b >> 4) {
        Some(4 | 6) => Layer::Ip(rest),
        // A pseudo-wire control word (RFC 4385) before an Ethernet frame.
        Some(0) if rest.len() >= 18 => Layer::Ethernet(skip(rest, 4)?),
        Some(_) if rest.len() >= 14 => Layer::Ethernet(rest),
        _ => Layer::Done(Body::Other),
    })
}

/// Linux cooked capture: type, ARPHRD, address length, address, protocol.
fn sll<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let rest = skip(bytes, 2)?;
    let (_arphrd, rest) = be16(rest)?;
    let (length, rest) = be16(rest)?;
    let (src, rest) = mac(rest)?;
    let (protocol, rest) = be16(skip(rest, 2)?)?;
    if length == 6 {
        gathered.macs = Some(MacPair { src, dst: None });
    }
    Some(cooked(protocol, rest))
}

/// Linux cooked capture v2: protocol, interface, ARPHRD, type, address length, address.
fn sll2<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (protocol, rest) = be16(bytes)?;
    let (length, rest) = u8(skip(rest, 9)?)?;
    let (src, rest) = mac(rest)?;
    if length == 6 {
        gathered.macs = Some(MacPair { src, dst: None });
    }
    Some(cooked(protocol, skip(rest, 2)?))
}

/// The protocol field of a cooked capture: an EtherType, or one of Linux's own numbers (4 = 802.2, 0x11 = 802.2 as well).
fn cooked(protocol: u16, bytes: &[u8]) -> Layer<'_> {
    match protocol {
        0x0004 | 0x0011 => Layer::Llc(bytes),
        0x0001 => Layer::Done(Body::Other),
        other => Layer::Ether(other, bytes),
    }
}
