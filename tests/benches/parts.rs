//! The parts of the packet path alone: `make bench-parts`.

use divan::{Bencher, black_box};
use ringfence_core::decode::{DecodeCounts, Frame, decode};
use ringfence_core::time::Timestamp;
use ringfence_tests::corpus::Corpus;

fn main() {
    divan::main();
}

/// Frames of a corpus without their file.
fn frames(corpus: Corpus) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    ringfence_tests::corpus::write(corpus, 1_000, &mut bytes).expect("memory");
    let mut source = ringfence::capture::FileSource::from_bytes("corpus", bytes, &Default::default()).expect("a capture");
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = source.next_frame() {
        frames.push(frame.bytes.to_vec());
    }
    frames
}

fn view(bytes: &[u8]) -> Frame<'_> {
    Frame { ts: Timestamp::ZERO, link_type: 1, interface: 0, bytes, wire_len: bytes.len() as u32, vlan: None }
}

#[divan::bench(args = [Corpus::Storm, Corpus::Bulk, Corpus::Flood, Corpus::Tunnels])]
fn decoding(bencher: Bencher<'_, '_>, corpus: Corpus) {
    let frames = frames(corpus);
    bencher.counter(divan::counter::ItemsCount::new(frames.len())).bench(|| {
        for bytes in &frames {
            black_box(decode(&view(bytes), &mut DecodeCounts::default()));
        }
    });
}
