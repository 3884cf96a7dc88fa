//! Damage, seeded: what a hostile or broken sender could have sent instead.

use crate::prng::Prng;

/// One frame with its time.
pub type Timed = (u64, Vec<u8>);

/// Damages a list of frames: each is left alone, cut, flipped, doubled, swapped with a neighbour, or gets a false length field.
pub fn mutate(frames: &[Timed], seed: u64) -> Vec<Timed> {
    let mut prng = Prng::new(seed);
    let mut out: Vec<Timed> = Vec::with_capacity(frames.len());
    for (at, frame) in frames {
        let mut frame = frame.clone();
        match prng.below(12) {
            0 => frame.truncate(prng.below(frame.len() + 1)),
            1 => flip(&mut frame, &mut prng, 1),
            2 => flip(&mut frame, &mut prng, 8),
            3 => out.push((*at, frame.clone())),
            4 => {
                if let Some(last) = out.pop() {
                    out.push((*at, frame.clone()));
                    frame = last.1;
                }
            }
            5 => lie(&mut frame, &mut prng),
            _ => {}
        }
        out.push((*at, frame));
    }
    out
}

fn flip(frame: &mut [u8], prng: &mut Prng, times: usize) {
    for _ in 0..times {
        let (at, bit) = (prng.below(frame.len()), prng.below(8));
        if let Some(byte) = frame.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }
}

/// Writes an extreme number over two bytes somewhere.
fn lie(frame: &mut [u8], prng: &mut Prng) {
    let at = prng.below(frame.len().saturating_sub(1));
    let value: [u8; 2] = [[0, 0], [0xff, 0xff], [0, 1], [0x7f, 0xff], [0x80, 0]][prng.below(5)];
    if let Some(field) = frame.get_mut(at..at + 2) {
        field.copy_from_slice(&value);
    }
}
