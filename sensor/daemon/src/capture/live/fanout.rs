//! Which ring gets a frame: a small program in the kernel, the same answer for both directions of every conversation.
//!
//! The kernel's own hash (PACKET_FANOUT_HASH) looks at ports where it finds them: it sends the two directions of a VXLAN tunnel, and
//! the fragments of a datagram, to different rings. This program looks at the pair of IP addresses alone, combined so that their order
//! does not matter. Fragments stay together without being reassembled in the kernel, and what is inside a tunnel stays with the tunnel.
//! The price: all traffic of one pair of addresses is on one ring, and so is a mirror session over GRE.
//!
//! Source: Linux `net/packet/af_packet.c` (`fanout_demux_bpf`), `Documentation/networking/filter.rst`.

use libc::{
    BPF_A, BPF_ABS, BPF_ALU, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MEM, BPF_MUL, BPF_RET, BPF_RSH, BPF_ST, BPF_W, BPF_X,
    BPF_XOR, sock_filter,
};

/// Offsets from here on are relative to the network header (`SKF_NET_OFF`).
const NET: u32 = (-0x10_0000_i32) as u32;

/// The frame's protocol, VLAN tag in the metadata taken off (`SKF_AD_OFF + SKF_AD_PROTOCOL`).
const PROTOCOL: u32 = (-0x1000_i32) as u32;

/// Inner VLAN tags that are stepped over.
const TAGS: u32 = 2;

fn op(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump_if(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt, jf, k }
}

/// XORs words of the network header, `words` of them from `at`, and ends with the mixed result.
fn fold(at: u32, words: u32) -> Vec<sock_filter> {
    let mut program = vec![op(BPF_LD | BPF_W | BPF_ABS, NET + at), op(BPF_ST, 0)];
    for word in 1..words {
        program.extend([
            op(BPF_LD | BPF_W | BPF_ABS, NET + at + word * 4),
            op(BPF_LDX | BPF_MEM, 0),
            op(BPF_ALU | BPF_XOR | BPF_X, 0),
            op(BPF_ST, 0),
        ]);
    }
    // Neighbouring addresses differ in the low bits only: a multiplication spreads them (Knuth), the high half is the answer.
    program.extend([op(BPF_ALU | BPF_MUL | BPF_K, 0x9e37_79b1), op(BPF_ALU | BPF_RSH | BPF_K, 16), op(BPF_RET | BPF_A, 0)]);
    program
}

/// The program. The kernel takes its answer modulo the number of rings; what is not IP goes to the first.
pub fn program() -> Vec<sock_filter> {
    let mut program = vec![op(BPF_LD | BPF_W | BPF_ABS, PROTOCOL)];
    for tag in 0..=TAGS {
        let skip = tag * 4;
        let (v4, v6) = (fold(12 + skip, 2), fold(8 + skip, 8));
        // IPv4: falls through; otherwise over it to the test for IPv6, otherwise over that to the test for a tag.
        program.push(jump_if(0x0800, 0, v4.len() as u8));
        program.extend(v4);
        program.push(jump_if(0x86dd, 0, v6.len() as u8));
        program.extend(v6);
        if tag < TAGS {
            // A tag: its protocol field is what the next round tests.
            program.extend([
                jump_if(0x8100, 2, 0),
                jump_if(0x88a8, 1, 0),
                op(BPF_RET | BPF_K, 0),
                op(BPF_LD | BPF_H | BPF_ABS, NET + skip + 2),
            ]);
        }
    }
    program.push(op(BPF_RET | BPF_K, 0));
    program
}
