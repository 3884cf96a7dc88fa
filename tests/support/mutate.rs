//! Damage: what hostile networks, broken taps and full disks do to frames and files. Seeded, so that every failure repeats.

use crate::capture::Frame;
use crate::frame::{CTAG, IPV4, IPV6, STAG};
use crate::prng::Prng;

/// One kind of damage to a list of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The frame ends early.
    Truncate,
    /// A few bits are flipped.
    FlipBits,
    /// The frame comes again a little later.
    Duplicate,
    /// The frame changes place (not time) with a near one.
    Swap,
    /// A length or offset field lies.
    FalsifyLength,
    /// The frame is missing.
    Drop,
    /// The tail of another frame stands in place of its own.
    Splice,
    /// The frame goes on with zeros.
    Extend,
}

impl Damage {
    /// Every kind.
    pub const ALL: [Damage; 8] = [
        Damage::Truncate,
        Damage::FlipBits,
        Damage::Duplicate,
        Damage::Swap,
        Damage::FalsifyLength,
        Damage::Drop,
        Damage::Splice,
        Damage::Extend,
    ];
}

/// Damages about one frame in five, in every way.
pub fn mutate(list: &[Frame], seed: u64) -> Vec<Frame> {
    frames(list, &Damage::ALL, 20, &mut Prng::new(seed))
}

/// Damages about `percent` of 100 frames, each in one of `kinds`.
pub fn frames(frames: &[Frame], kinds: &[Damage], percent: usize, rng: &mut Prng) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::with_capacity(frames.len());
    for frame in frames {
        if kinds.is_empty() || !rng.chance(percent) {
            out.push(frame.clone());
            continue;
        }
        let mut frame = frame.clone();
        match rng.pick(kinds) {
            Damage::Drop => continue,
            Damage::Duplicate => out.push(frame.clone()),
            Damage::Swap => {
                let back = rng.between(1, 4).min(out.len());
                if let Some(at) = out.len().checked_sub(back).filter(|_| back > 0) {
                    std::mem::swap(&mut out[at].bytes, &mut frame.bytes);
                }
            }
            Damage::Truncate => frame.bytes.truncate(rng.below(frame.bytes.len() + 1)),
            Damage::FlipBits => flip(&mut frame.bytes, rng),
            Damage::FalsifyLength => falsify(&mut frame.bytes, rng),
            Damage::Splice => {
                let tail = &rng.clone().pick(frames).bytes;
                let at = rng.below(frame.bytes.len().min(tail.len()) + 1);
                frame.bytes.truncate(at);
                frame.bytes.extend(&tail[at..]);
            }
            Damage::Extend => frame.bytes.resize(frame.bytes.len() + rng.between(1, 1500), 0),
        }
        out.push(frame);
    }
    out
}

/// Flips one to eight bits.
pub fn flip(bytes: &mut [u8], rng: &mut Prng) {
    for _ in 0..rng.between(1, 8).min(bytes.len()) {
        let at = rng.below(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
    }
}

/// Damages a file or a message as a whole: cut, flipped, blocks swapped, a run repeated, or words that lie.
pub fn bytes(bytes: &[u8], rng: &mut Prng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match rng.below(5) {
        0 => out.truncate(rng.below(out.len() + 1)),
        1 => (0..=out.len() / 2000).for_each(|_| flip(&mut out, rng)),
        2 => {
            let size = rng.between(1, 512).min(out.len() / 2);
            let [a, b] = [(); 2].map(|()| rng.below(bytes.len() / 2 - size + 1));
            let (left, right) = out.split_at_mut(bytes.len() / 2);
            left[a..a + size].swap_with_slice(&mut right[b..b + size]);
        }
        3 => {
            let at = rng.below(out.len() + 1);
            let run = bytes[at..(at + rng.between(1, 4096)).min(bytes.len())].to_vec();
            out.splice(at..at, run);
        }
        _ => (0..rng.between(1, 4)).for_each(|_| lie(&mut out, 0, rng)),
    }
    out
}

/// Makes a length or offset field of the frame lie, where one is found; else a word anywhere.
fn falsify(bytes: &mut [u8], rng: &mut Prng) {
    let fields = length_fields(bytes);
    if fields.is_empty() || rng.chance(30) {
        return lie(bytes, 14, rng);
    }
    let (at, wide) = *rng.pick(&fields);
    if wide {
        lie_at(bytes, at, rng);
    } else if let Some(byte) = bytes.get_mut(at) {
        *byte = rng.u16() as u8;
    }
}

/// Where the lengths of an Ethernet frame stand, and whether they are words: header length, total length, TCP offset, UDP length.
fn length_fields(bytes: &[u8]) -> Vec<(usize, bool)> {
    let word = |at: usize| bytes.get(at..at + 2).map(|w| u16::from_be_bytes([w[0], w[1]]));
    let mut at = 12;
    while matches!(word(at), Some(CTAG | STAG)) {
        at += 4;
    }
    let (mut fields, protocol, l4) = match word(at) {
        Some(IPV4) => (vec![(at + 2, false), (at + 4, true), (at + 8, true)], bytes.get(at + 11), at + 22),
        Some(IPV6) => (vec![(at + 6, true), (at + 8, false)], bytes.get(at + 8), at + 42),
        _ => return Vec::new(),
    };
    match protocol {
        Some(6) => fields.push((l4 + 12, false)),
        Some(17) => fields.push((l4 + 4, true)),
        _ => {}
    }
    fields
}

fn lie(bytes: &mut [u8], from: usize, rng: &mut Prng) {
    let room = bytes.len().saturating_sub(from + 1);
    if room > 0 {
        lie_at(bytes, from + rng.below(room), rng);
    }
}

fn lie_at(bytes: &mut [u8], at: usize, rng: &mut Prng) {
    let Some([a, b]) = bytes.get_mut(at..at + 2) else { return };
    let now = u16::from_be_bytes([*a, *b]);
    let lies = [0, 1, now.wrapping_sub(1), now.wrapping_add(1), now.wrapping_mul(2), 0x7fff, 0x8000, 0xffff, rng.u16()];
    [*a, *b] = rng.pick(&lies).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use ringfence_core::net::Mac;
    use ringfence_core::time::Timestamp;

    fn sample() -> Vec<Frame> {
        let (src, dst) = ("192.0.2.1:4000".parse().unwrap(), "198.51.100.1:53".parse().unwrap());
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let one = |n: u8| {
            let packet = frame::ip([192, 0, 2, 1].into(), [198, 51, 100, 1].into(), 64, 17, &frame::udp(src, dst, &[n; 50]));
            Frame { at: Timestamp::from_secs_nanos(n.into(), 0), interface: 0, bytes: frame::ethernet(mac, mac, &[20], IPV4, &packet) }
        };
        (0..100).map(one).collect()
    }

    #[test]
    fn every_kind_does_something_and_repeats() {
        for kind in Damage::ALL {
            let [a, b] = [(); 2].map(|()| frames(&sample(), &[kind], 50, &mut Prng::new(1)));
            assert_eq!(a, b, "{kind:?}");
            assert_ne!(a, sample(), "{kind:?}");
            assert_ne!(a, frames(&sample(), &[kind], 50, &mut Prng::new(2)), "{kind:?}");
        }
        assert_eq!(frames(&sample(), &Damage::ALL, 0, &mut Prng::new(1)), sample());
    }

    #[test]
    fn finds_the_lengths() {
        let bytes = &sample()[0].bytes;
        let values: Vec<u16> =
            length_fields(bytes).iter().filter(|f| f.1).map(|f| u16::from_be_bytes([bytes[f.0], bytes[f.0 + 1]])).collect();
        assert_eq!(values, [78, 0x4000, 58]);
    }

    #[test]
    fn files_are_damaged_whatever_their_length() {
        let mut rng = Prng::new(5);
        for len in 0..300 {
            let file = rng.bytes(len);
            for _ in 0..20 {
                let _ = bytes(&file, &mut rng);
            }
        }
        let file = rng.bytes(1000);
        assert!((0..50).filter(|_| bytes(&file, &mut rng) != file).count() > 45);
    }
}
