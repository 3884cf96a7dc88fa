//! How the frames of an interface are shared between rings: by the address pair of the inner IP packet, whichever way it goes.
//!
//! The kernel's own hash takes ports, the IPv6 flow label and the outer UDP ports of VXLAN into account. These differ between
//! fragments and between directions, so a flow would come to two rings. This program takes the two addresses alone, one level of
//! tunnel deep; what holds no IP comes to ring 0. The formats are those of the decoder; where this program looks less deep it takes
//! the outer addresses, which both directions share as well.

use super::bpf::{Assembler, Fact, Label, Op, Size};
use super::socket::Instruction;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const VLANS: [u32; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
const PPPOE: u32 = 0x8864;
const MPLS: [u32; 2] = [0x8847, 0x8848];
const BRIDGE: u32 = 0x6558;
const ERSPAN: u32 = 0x88be;
const ERSPAN_3: u32 = 0x22eb;

/// PACKET_OUTGOING of linux/if_packet.h.
const OUTGOING: u32 = 4;
/// Interfaces whose frames have an Ethernet header: Ethernet itself, loopback (linux/if_arp.h).
const WITH_ETHERNET: [u32; 2] = [1, 772];

// Memory cells.
const OUTER: u32 = 0;
const PROTOCOL: u32 = 1;
const FLAGS: u32 = 2;
const SOURCE: u32 = 3;
const HASH: u32 = 4;
const PLACE: u32 = 5;

/// The places that several parts of the program lead to.
#[derive(Clone, Copy)]
struct Labels {
    /// `X` at an IP header that no tunnel was peeled off yet.
    ip: Label,
    /// `X` at an IPv4 header like that.
    ip4: Label,
    /// `X` at an IPv6 header like that.
    ip6: Label,
    mpls: Label,
    pppoe: Label,
    /// `X` behind the IP header, its protocol in [`PROTOCOL`].
    carried: Label,
    /// `X` at an Ethernet header inside.
    inner_ethernet: Label,
    /// `A` an EtherType inside, `X` behind it.
    inner_ether: Label,
    /// `X` at an IP header inside.
    inner_ip: Label,
    /// The tunnel cannot be looked into: the addresses of [`OUTER`] count.
    outer: Label,
    /// `X` at the IP header whose addresses count.
    hash4: Label,
    hash6: Label,
    mix: Label,
    /// There is no IP in it.
    none: Label,
}

/// The program: what it returns, modulo the number of rings, is the ring.
pub fn program() -> Vec<Instruction> {
    let mut p = Assembler::default();
    let l = Labels {
        ip: p.label(),
        ip4: p.label(),
        ip6: p.label(),
        mpls: p.label(),
        pppoe: p.label(),
        carried: p.label(),
        inner_ethernet: p.label(),
        inner_ether: p.label(),
        inner_ip: p.label(),
        outer: p.label(),
        hash4: p.label(),
        hash6: p.label(),
        mix: p.label(),
        none: p.label(),
    };
    start(&mut p, &l);
    labels_and_sessions(&mut p, &l);
    ip_headers(&mut p, &l);
    carried(&mut p, &l);
    inner(&mut p, &l);
    hash(&mut p, &l);
    p.place(l.none).give(0);
    p.finish()
}

/// Where the network header is, and what: the kernel took the outermost VLAN tag out of frames that came in. A frame that goes out is
/// seen with its link header.
fn start(p: &mut Assembler, l: &Labels) {
    let (out, ready) = (p.label(), p.label());
    p.x(0).set_x(OUTER).fact(Fact::Direction).unless_eq(OUTGOING, ready).fact(Fact::Hardware);
    p.if_one_of(&WITH_ETHERNET, out).jump(ready).place(out).x(14).place(ready).set_x(OUTER).fact(Fact::Protocol);
    vlans(p, 4);
    p.if_eq(IPV4, l.ip4).if_eq(IPV6, l.ip6).if_eq(PPPOE, l.pppoe).if_one_of(&MPLS, l.mpls).jump(l.none);
}

/// Steps over VLAN tags: `A` an EtherType, `X` behind it, before and after.
fn vlans(p: &mut Assembler, most: usize) {
    let done = p.label();
    for _ in 0..most {
        let tag = p.label();
        p.if_one_of(&VLANS, tag).jump(done).place(tag).load(Size::Half, 2).set(PROTOCOL).advance(4).get(PROTOCOL);
    }
    p.place(done);
}

/// MPLS (RFC 3032): up to six labels, then IP by its first nibble, or a pseudo-wire control word. PPPoE (RFC 2516).
fn labels_and_sessions(p: &mut Assembler, l: &Labels) {
    let bottom = p.label();
    p.place(l.mpls);
    for _ in 0..6 {
        p.load(Size::Byte, 2).set(PROTOCOL).advance(4).get(PROTOCOL).if_any(1, bottom);
    }
    p.jump(l.none);
    p.place(bottom).load(Size::Byte, 0).op(Op::Rsh, 4).if_eq(4, l.ip4).if_eq(6, l.ip6).unless_eq(0, l.none);
    p.advance(4).jump(l.inner_ethernet);
    p.place(l.pppoe).load(Size::Half, 6).set(PROTOCOL).advance(8).get(PROTOCOL);
    p.if_eq(0x0021, l.ip).if_eq(0x0057, l.ip).jump(l.none);
}

/// The outer IP header. Fragments stay with their addresses: only the first would show what is inside.
fn ip_headers(p: &mut Assembler, l: &Labels) {
    p.place(l.ip).load(Size::Byte, 0).op(Op::Rsh, 4).if_eq(6, l.ip6).unless_eq(4, l.none);
    p.place(l.ip4).set_x(OUTER).load(Size::Half, 6).if_any(0x3fff, l.hash4).load(Size::Byte, 9).set(PROTOCOL);
    p.load(Size::Byte, 0).op(Op::And, 0xf).op(Op::Lsh, 2).advance_a().jump(l.carried);
    p.place(l.ip6).set_x(OUTER).load(Size::Byte, 6).set(PROTOCOL).advance(40);
}

fn carried(p: &mut Assembler, l: &Labels) {
    let (udp, gre) = (p.label(), p.label());
    p.place(l.carried).get(PROTOCOL).if_eq(17, udp).if_eq(47, gre).if_eq(4, l.inner_ip).if_eq(41, l.inner_ip).jump(l.outer);
    over_udp(p, l, udp);
    over_gre(p, l, gre);
}

/// VXLAN (RFC 7348), VXLAN-GPE, GENEVE (RFC 8926), GTP-U (3GPP TS 29.281).
fn over_udp(p: &mut Assembler, l: &Labels, udp: Label) {
    let (vxlan, gpe, geneve, gtp) = (p.label(), p.label(), p.label(), p.label());
    p.place(udp).load(Size::Half, 2).if_eq(4789, vxlan).if_eq(8472, vxlan).if_eq(4790, gpe).if_eq(6081, geneve).if_eq(2152, gtp);
    p.load(Size::Half, 0).if_eq(2152, gtp).jump(l.outer);
    p.place(vxlan).load(Size::Word, 8).unless_any(0x0800_0000, l.outer).if_any(0x77b7_0000, l.outer);
    p.advance(16).jump(l.inner_ethernet);
    let (ip, ethernet) = (p.label(), p.label());
    p.place(gpe).load(Size::Word, 8).unless_any(0x0800_0000, l.outer).op(Op::And, 0xff);
    p.if_eq(1, ip).if_eq(2, ip).if_eq(0, ethernet).if_eq(3, ethernet).jump(l.outer);
    p.place(ip).advance(16).jump(l.inner_ip).place(ethernet).advance(16).jump(l.inner_ethernet);
    p.place(geneve).load(Size::Half, 10).set(PROTOCOL).load(Size::Byte, 8).if_any(0xc0, l.outer);
    let inner = p.label();
    p.op(Op::And, 0x3f).op(Op::Lsh, 2).op(Op::Add, 16).advance_a().get(PROTOCOL).unless_eq(BRIDGE, inner).jump(l.inner_ethernet);
    p.place(inner).jump(l.inner_ether);
    let (optional, extended) = (p.label(), p.label());
    p.place(gtp).load(Size::Half, 8).op(Op::And, 0xf0ff).unless_eq(0x30ff, l.outer).load(Size::Byte, 8).if_any(7, optional);
    p.advance(16).jump(l.inner_ip);
    p.place(optional).load(Size::Byte, 19).set(PROTOCOL).advance(20).get(PROTOCOL).unless_eq(0, extended).jump(l.inner_ip);
    // One extension header, whose last byte says whether there is another one.
    p.place(extended).load(Size::Byte, 0).op(Op::Lsh, 2).op(Op::Sub, 1).advance_a().load(Size::Byte, 0).unless_eq(0, l.outer);
    p.advance(1).jump(l.inner_ip);
}

/// GRE (RFC 2784, RFC 2890) with IP, Ethernet or ERSPAN inside.
fn over_gre(p: &mut Assembler, l: &Labels, gre: Label) {
    let (erspan, erspan3) = (p.label(), p.label());
    // Versions other than 0, and source routes.
    p.place(gre).load(Size::Half, 0).set(FLAGS).if_any(0x4007, l.outer).load(Size::Half, 2).set(PROTOCOL);
    // Checksum, key, sequence number: four bytes each.
    for (bit, shift) in [(0x8000, 13), (0x2000, 11), (0x1000, 10)] {
        p.get(FLAGS).op(Op::And, bit).op(Op::Rsh, shift).advance_a();
    }
    p.advance(4).get(PROTOCOL).if_eq(ERSPAN, erspan).if_eq(ERSPAN_3, erspan3).if_eq(BRIDGE, l.inner_ethernet).jump(l.inner_ether);
    // Type I has no header and no sequence number, type II has eight bytes.
    p.place(erspan).get(FLAGS).unless_any(0x1000, l.inner_ethernet).advance(8).jump(l.inner_ethernet);
    let short = p.label();
    p.place(erspan3).load(Size::Half, 10).set(FLAGS).advance(12).get(FLAGS).unless_any(1, short).advance(8);
    p.place(short).get(FLAGS).op(Op::Rsh, 10).op(Op::And, 0x1f).if_eq(2, l.inner_ip).jump(l.inner_ethernet);
}

fn inner(p: &mut Assembler, l: &Labels) {
    p.place(l.inner_ethernet).load(Size::Half, 12).set(PROTOCOL).advance(14).get(PROTOCOL);
    p.place(l.inner_ether);
    vlans(p, 2);
    p.if_eq(IPV4, l.inner_ip).if_eq(IPV6, l.inner_ip).jump(l.outer);
    p.place(l.inner_ip).load(Size::Byte, 0).op(Op::Rsh, 4).if_eq(4, l.hash4).if_eq(6, l.hash6);
    p.place(l.outer).get_x(OUTER).load(Size::Byte, 0).op(Op::Rsh, 4).if_eq(4, l.hash4).if_eq(6, l.hash6).jump(l.none);
}

/// Sum and difference by bits do not know an order; the products spread neighbouring addresses over all rings.
fn hash(p: &mut Assembler, l: &Labels) {
    p.place(l.hash6);
    fold(p, 8);
    p.set(SOURCE);
    fold(p, 24);
    p.jump(l.mix);
    p.place(l.hash4).load(Size::Word, 12).set(SOURCE).load(Size::Word, 16);
    p.place(l.mix).a_to_x().get(SOURCE).op_x(Op::Xor).op(Op::Mul, 0x9e37_79b1).set(HASH);
    p.get(SOURCE).op_x(Op::Add).op(Op::Mul, 0x85eb_ca77).get_x(HASH).op_x(Op::Xor);
    for factor in [0x7feb_352d, 0x846c_a68b] {
        p.a_to_x().op(Op::Rsh, 16).op_x(Op::Xor).op(Op::Mul, factor);
    }
    p.a_to_x().op(Op::Rsh, 16).op_x(Op::Xor).give_a();
}

/// `A` = the IPv6 address at `X + at`, folded to a word; `X` stays.
fn fold(p: &mut Assembler, at: u32) {
    p.set_x(PLACE).load(Size::Word, at);
    for word in 1..4 {
        p.op(Op::Mul, 0x01000193).set(HASH).load(Size::Word, at + word * 4).a_to_x().get(HASH).op_x(Op::Xor).get_x(PLACE);
    }
}
