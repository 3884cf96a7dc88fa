//! QQ: OICQ over UDP and the MSF hello over TCP.

use crate::prng::Prng;

/// An OICQ packet: a keep-alive.
pub fn oicq(sequence: u16, prng: &mut Prng) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    [&[2, 0x37, 0x0b, 0x00, 0x58, high, low][..], &12_345_678u32.to_be_bytes(), &prng.bytes(40), &[3]].concat()
}

/// The first message of the MSF link.
pub fn msf(prng: &mut Prng) -> Vec<u8> {
    let body = [&[0x01, 0x33, 0x52, 0x39, 0, 0, 0, 0, 4][..], b"MSF", &[5], &prng.bytes(60)].concat();
    [&((body.len() + 4) as u32).to_be_bytes()[..], &body].concat()
}
