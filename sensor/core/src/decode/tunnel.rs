//! What an IP packet carries: TCP, UDP, and every tunnel that is known. Tunnels over UDP are taken for such only when port and
//! content agree; otherwise the datagram is left as it is.

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use crate::net::Hop;
use crate::ports::PortSet;

use super::bytes::{be16, be32, skip, u8};
use super::counts::Malformed;
use super::ip::Carried;
use super::packet::{Body, Payload, Tcp, TcpFlags, Udp};
use super::{Gathered, Layer};

const P_IPIP: u8 = 4;
pub(super) const P_TCP: u8 = 6;
pub(super) const P_UDP: u8 = 17;
const P_6IN4: u8 = 41;
const P_GRE: u8 = 47;
const P_ESP: u8 = 50;
const P_AH: u8 = 51;
const P_ICMP6: u8 = 58;
const P_NONE: u8 = 59;
const P_ETHERIP: u8 = 97;
const P_MPLS: u8 = 137;

/// By protocol number (IANA). Not inlined: see [`super::step`].
#[inline(never)]
pub(super) fn protocol<'a>(carried: &Carried<'a>, gathered: &mut Gathered) -> Result<Layer<'a>, Malformed> {
    if let Some(fragment) = carried.as_fragment() {
        return Ok(carried.done(fragment));
    }
    let bytes = carried.bytes;
    match carried.protocol {
        P_TCP => tcp(bytes, gathered.cut).map(|tcp| carried.done(Payload::Tcp(tcp))).ok_or(Malformed::Tcp),
        P_UDP => udp(carried, gathered).ok_or(Malformed::Udp),
        P_ICMP6 => Ok(carried.done(Payload::Icmp6(bytes))),
        P_IPIP | P_6IN4 => {
            gathered.hop(Hop::IpIp);
            Ok(Layer::Ip(bytes))
        }
        P_GRE => gre(bytes, gathered).ok_or(Malformed::Tunnel),
        P_AH => authenticated(carried).ok_or(Malformed::Tunnel),
        P_ESP => Ok(carried.done(Payload::Opaque("esp"))),
        P_ETHERIP => skip(bytes, 2).map(Layer::Ethernet).ok_or(Malformed::Tunnel),
        P_MPLS => Ok(Layer::Mpls(bytes)),
        P_NONE => Ok(carried.done(Payload::Other(P_NONE))),
        other => Ok(carried.done(Payload::Other(other))),
    }
}

/// What [`protocol`] makes of a payload that is no tunnel and has nothing wrong, for the common ones.
#[inline]
pub(super) fn plain<'a>(carried: &Carried<'a>, cut: bool) -> Option<Payload<'a>> {
    if carried.fragment.is_some() {
        return None;
    }
    match carried.protocol {
        P_TCP => tcp(carried.bytes, cut).map(Payload::Tcp),
        P_UDP => udp_header(carried.bytes).filter(|udp| !may_be_over_udp(udp.sport, udp.dport, udp.payload)).map(Payload::Udp),
        P_ICMP6 => Some(Payload::Icmp6(carried.bytes)),
        _ => None,
    }
}

/// TCP (RFC 9293 section 3.1).
#[inline]
pub(super) fn tcp(bytes: &[u8], cut: bool) -> Option<Tcp<'_>> {
    let header = TcpHeaderSlice::from_slice(bytes).ok()?;
    let payload = skip(bytes, usize::from(header.data_offset()) * 4)?;
    let wire_len = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(u32::from(cut));
    Some(Tcp {
        sport: header.source_port(),
        dport: header.destination_port(),
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        flags: TcpFlags { syn: header.syn(), ack: header.ack(), fin: header.fin(), rst: header.rst() },
        payload,
        wire_len,
    })
}

/// UDP (RFC 768), and the tunnels over it.
fn udp<'a>(carried: &Carried<'a>, gathered: &mut Gathered) -> Option<Layer<'a>> {
    let udp = udp_header(carried.bytes)?;
    let layer = over_udp(carried, (udp.sport, udp.dport), udp.payload, gathered);
    Some(layer.unwrap_or_else(|| carried.done(Payload::Udp(udp))))
}

/// Whether [`over_udp`] has to look at a datagram.
#[inline(always)]
pub(super) fn may_be_over_udp(sport: u16, dport: u16, bytes: &[u8]) -> bool {
    TUNNELS.has(sport) || TUNNELS.has(dport) || wireguard(bytes)
}

/// Every port that [`over_udp`] knows.
static TUNNELS: PortSet = PortSet::of([1194, 2152, 3544, 4500, 4754, 4789, 4790, 6081, 6635, 8472, 37008]);

#[inline]
fn udp_header(bytes: &[u8]) -> Option<Udp<'_>> {
    let header = UdpHeaderSlice::from_slice(bytes).ok()?;
    let (sport, dport, length) = (header.source_port(), header.destination_port(), usize::from(header.length()));
    let rest = skip(bytes, 8)?;
    let payload = match length {
        // 0: longer than 65,535 (RFC 2675 section 4), or offloaded.
        0 => rest,
        1..8 => return None,
        l => rest.get(..l - 8).unwrap_or(rest),
    };
    Some(Udp { sport, dport, payload })
}

fn over_udp<'a>(carried: &Carried<'a>, (sport, dport): (u16, u16), bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    match (sport, dport) {
        (_, 4789 | 8472) => vxlan(bytes, gathered),
        (_, 4790) => vxlan_gpe(bytes, gathered),
        (_, 6081) => geneve(bytes, gathered),
        (_, 6635) => plausible_mpls(bytes).then_some(Layer::Mpls(bytes)),
        (2152, _) | (_, 2152) => gtp(bytes, gathered),
        (3544, _) | (_, 3544) => teredo(bytes, gathered),
        (_, 37008) => tzsp(bytes, gathered),
        (4500, _) | (_, 4500) if bytes.len() >= 16 && !bytes.starts_with(&[0; 4]) => Some(carried.done(Payload::Opaque("esp"))),
        // GRE in UDP is version 0 (RFC 8086 section 3): another one is another program's datagram.
        (_, 4754) if bytes.get(1).is_some_and(|b| b & 7 == 0) => gre(bytes, gathered),
        (1194, _) | (_, 1194) if openvpn(bytes) => Some(carried.done(Payload::Opaque("openvpn"))),
        _ => wireguard(bytes).then(|| carried.done(Payload::Opaque("wireguard"))),
    }
}

/// AH (RFC 4302 section 2): the payload is in the clear behind it.
fn authenticated<'a>(carried: &Carried<'a>) -> Option<Layer<'a>> {
    let (next, rest) = u8(carried.bytes)?;
    let (units, _) = u8(rest)?;
    let bytes = skip(carried.bytes, (usize::from(units) + 2) * 4)?;
    Some(Layer::Protocol(Carried { protocol: next, bytes, ..*carried }))
}

/// GRE (RFC 2784, RFC 2890; version 1 is PPTP, RFC 2637) and ERSPAN within it.
fn gre<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (flags, rest) = be16(bytes)?;
    let (protocol, mut rest) = be16(rest)?;
    let version = flags & 7;
    if version == 1 {
        return pptp(flags, protocol, rest, gathered);
    }
    if version != 0 {
        return Some(Layer::Done(Body::Other));
    }
    let has = |bit: u16| flags & bit != 0;
    if has(0x8000) || has(0x4000) {
        rest = skip(rest, 4)?;
    }
    let mut key = None;
    if has(0x2000) {
        let (k, after) = be32(rest)?;
        (key, rest) = (Some(k), after);
    }
    if has(0x1000) {
        rest = skip(rest, 4)?;
    }
    if has(0x4000) {
        rest = routing(rest)?;
    }
    gathered.hop(Hop::Gre(key));
    match protocol {
        // ERSPAN I has no header of its own and no sequence number, II has 8 bytes.
        0x88be if has(0x1000) => erspan2(rest, gathered),
        0x88be => Some(Layer::Ethernet(rest)),
        0x22eb => erspan3(rest, gathered),
        // WCCP: an optional 4-byte redirect header that never looks like IP.
        0x883e => Some(Layer::Ip(if rest.first().is_some_and(|b| b >> 4 == 4) { rest } else { skip(rest, 4)? })),
        other => Some(Layer::Ether(other, rest)),
    }
}

/// Source route entries of RFC 1701: each with its length; one of length 0 ends the list.
fn routing(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    for _ in 0..64 {
        let (_family, after) = be16(rest)?;
        let (length, after) = u8(skip(after, 1)?)?;
        rest = skip(after, usize::from(length))?;
        if length == 0 {
            return Some(rest);
        }
    }
    None
}

fn pptp<'a>(flags: u16, protocol: u16, bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (key, rest) = be32(bytes)?;
    let rest = if flags & 0x1000 != 0 { skip(rest, 4)? } else { rest };
    let rest = if flags & 0x0080 != 0 { skip(rest, 4)? } else { rest };
    gathered.hop(Hop::Gre(Some(key)));
    if rest.is_empty() || protocol != 0x880b {
        return Some(Layer::Done(Body::Other));
    }
    let rest = rest.strip_prefix(&[0xff, 0x03]).unwrap_or(rest);
    let (short, after) = u8(rest)?;
    if short & 1 == 1 {
        return Some(Layer::Ppp(u16::from(short), after));
    }
    be16(rest).map(|(protocol, rest)| Layer::Ppp(protocol, rest))
}

/// ERSPAN type II (draft-foschiano-erspan section 4.2).
fn erspan2<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (_version_vlan, rest) = be16(bytes)?;
    let (session, rest) = be16(rest)?;
    gathered.hop(Hop::Erspan(session & 0x03ff));
    Some(Layer::Ethernet(skip(rest, 4)?))
}

/// ERSPAN type III (section 4.3): 12 bytes, 8 more when the O bit says so; the frame type may say IP.
fn erspan3<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (_version_vlan, rest) = be16(bytes)?;
    let (session, rest) = be16(rest)?;
    let (flags, rest) = be16(skip(rest, 6)?)?;
    gathered.hop(Hop::Erspan(session & 0x03ff));
    let rest = if flags & 1 == 1 { skip(rest, 8)? } else { rest };
    Some(if flags >> 10 & 0x1f == 2 { Layer::Ip(rest) } else { Layer::Ethernet(rest) })
}

/// VXLAN (RFC 7348 section 5): the I flag, reserved bits zero (group policy allowed), 24-bit id.
fn vxlan<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (flags, rest) = be32(bytes)?;
    let (id, rest) = be32(rest)?;
    if flags & 0x0800_0000 == 0 || flags & 0x77b7_0000 != 0 || rest.len() < 14 {
        return None;
    }
    gathered.hop(Hop::Vxlan(id >> 8));
    Some(Layer::Ethernet(rest))
}

/// VXLAN with a next-protocol field (draft-ietf-nvo3-vxlan-gpe).
fn vxlan_gpe<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (flags, rest) = be32(bytes)?;
    let (id, rest) = be32(rest)?;
    let next = flags & 0xff;
    if flags & 0x0800_0000 == 0 {
        return None;
    }
    let layer = match next {
        1 | 2 => Layer::Ip(rest),
        0 | 3 => Layer::Ethernet(rest),
        4 => nsh(rest)?,
        5 => Layer::Mpls(rest),
        _ => return None,
    };
    gathered.hop(Hop::Vxlan(id >> 8));
    Some(layer)
}

/// Network service header (RFC 8300 section 2).
pub(super) fn nsh(bytes: &[u8]) -> Option<Layer<'_>> {
    let (base, _) = be32(bytes)?;
    let length = usize::try_from(base >> 16 & 0x3f).ok()? * 4;
    if length < 8 {
        return None;
    }
    let rest = skip(bytes, length)?;
    Some(match base & 0xff {
        1 | 2 => Layer::Ip(rest),
        3 => Layer::Ethernet(rest),
        5 => Layer::Mpls(rest),
        _ => Layer::Done(Body::Other),
    })
}

/// GENEVE (RFC 8926 section 3): version 0, options in 4-byte units, an EtherType.
fn geneve<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (first, rest) = u8(bytes)?;
    let (_flags, rest) = u8(rest)?;
    let (ether_type, rest) = be16(rest)?;
    let (id, rest) = be32(rest)?;
    let rest = skip(rest, usize::from(first & 0x3f) * 4)?;
    if first >> 6 != 0 || !matches!(ether_type, 0x0800 | 0x86dd | 0x6558 | 0x0806 | 0x8847) {
        return None;
    }
    gathered.hop(Hop::Geneve(id >> 8));
    Some(Layer::Ether(ether_type, rest))
}

/// GTP-U (3GPP TS 29.281 section 5): version 1 user data with its extension headers, IP within.
fn gtp<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (flags, rest) = u8(bytes)?;
    let (kind, rest) = u8(rest)?;
    let (_length, rest) = be16(rest)?;
    let (tunnel, mut rest) = be32(rest)?;
    if flags >> 4 != 3 || kind != 0xff {
        return None;
    }
    if flags & 7 != 0 {
        let mut next = *rest.get(3)?;
        rest = skip(rest, 4)?;
        for _ in 0..16 {
            if next == 0 {
                break;
            }
            let units = usize::from(*rest.first()?);
            let length = units.checked_mul(4).filter(|l| *l > 0)?;
            next = *rest.get(length - 1)?;
            rest = skip(rest, length)?;
        }
    }
    matches!(rest.first().map(|b| b >> 4), Some(4 | 6)).then_some(())?;
    gathered.hop(Hop::Gtp(tunnel));
    Some(Layer::Ip(rest))
}

/// Teredo (RFC 4380 section 5.1.1): optional authentication and origin headers, then an IPv6 packet of just the right length.
fn teredo<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let mut rest = bytes;
    if let Some(auth) = rest.strip_prefix(&[0, 1]) {
        let (id_len, auth) = u8(auth)?;
        let (mac_len, auth) = u8(auth)?;
        rest = skip(auth, usize::from(id_len) + usize::from(mac_len) + 9)?;
    }
    if let Some(origin) = rest.strip_prefix(&[0, 0]) {
        rest = skip(origin, 6)?;
    }
    let length = rest.get(4..6)?.first_chunk().map(|b| usize::from(u16::from_be_bytes(*b)))?;
    let fits = rest.first().is_some_and(|b| b >> 4 == 6) && rest.len() >= 40 + length;
    fits.then(|| {
        gathered.hop(Hop::Teredo);
        Layer::Ip(rest)
    })
}

/// TZSP: version 1, type "received packet", encapsulated protocol, tagged fields up to the end tag.
fn tzsp<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let rest = bytes.strip_prefix(&[1]).and_then(|r| r.strip_prefix(&[0]).or_else(|| r.strip_prefix(&[1])))?;
    let (protocol, mut rest) = be16(rest)?;
    for _ in 0..64 {
        let (tag, after) = u8(rest)?;
        rest = match tag {
            0 => after,
            // Something must follow that can be a frame.
            1 if after.len() < 14 => return None,
            1 => {
                gathered.hop(Hop::Tzsp);
                return match protocol {
                    1 => Some(Layer::Ethernet(after)),
                    18 => super::wifi::frame(after, gathered),
                    _ => None,
                };
            }
            _ => {
                let (length, after) = u8(after)?;
                skip(after, usize::from(length))?
            }
        };
    }
    None
}

/// MPLS over UDP (RFC 7510): the bottom of the stack within a few entries, and IP below it.
fn plausible_mpls(bytes: &[u8]) -> bool {
    let bottom = bytes.chunks_exact(4).take(8).position(|e| e.get(2).is_some_and(|b| b & 1 == 1));
    bottom.and_then(|n| bytes.get((n + 1) * 4)).is_some_and(|b| matches!(b >> 4, 4 | 6))
}

/// OpenVPN on its port (openvpn-rfc.txt, "packet format"): an opcode that exists with a key id, and room for what must follow:
/// a session id and a packet number in control packets, a peer id or the tag of the cipher in data packets.
fn openvpn(bytes: &[u8]) -> bool {
    match bytes.first().map(|b| (b >> 3, b & 7)) {
        Some((4 | 5 | 6 | 9, _)) => bytes.len() >= 16,
        Some((7 | 8 | 10 | 11, 0)) => bytes.len() >= 14,
        _ => false,
    }
}

/// WireGuard by content (whitepaper section 5.4): message type, three zero bytes, and the exact length of that type.
fn wireguard(bytes: &[u8]) -> bool {
    let Some((head, _)) = bytes.split_first_chunk::<4>() else { return false };
    match (head, bytes.len()) {
        ([1, 0, 0, 0], 148) | ([2, 0, 0, 0], 92) | ([3, 0, 0, 0], 64) => true,
        // Transport data: padded to 16, with a counter whose high bytes are zero.
        ([4, 0, 0, 0], n) => n >= 32 && n % 16 == 0 && bytes.get(12..16) == Some(&[0; 4]) && bytes.get(4..8) != Some(&[0; 4]),
        _ => false,
    }
}
