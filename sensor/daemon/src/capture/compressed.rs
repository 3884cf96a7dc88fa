//! Compressed files: whole, of several parts, cut, damaged, bombs; and devices that fail below them.

use std::io::{Read, Write};

use super::pcap::Order;
use super::samples::*;
use super::*;

#[test]
fn compressed_files_read_like_plain_ones() {
    let plain = noise(300);
    let all = clean(&plain);
    let (one, two) = plain.split_at(100_000);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&plain)].concat();
    for packed in [gzip(&plain), [gzip(one), gzip(two)].concat(), zstd(&plain), [zstd(one), zstd(two)].concat(), skippable] {
        for chunk in [1_000, 1 << 20] {
            assert_eq!(read(&packed, chunk), Ok((all.clone(), vec![])));
        }
    }
}

#[test]
fn compressed_files_that_are_cut_give_what_can_be_read() {
    let plain = noise(3_000);
    let all = clean(&plain);
    for packed in [gzip(&plain), zstd(&plain)] {
        let mut last = 0;
        for tenth in 2..10 {
            let cut = packed.len() * tenth / 10;
            let (frames, warnings) = read(&packed[..cut], 1 << 20).expect("a capture");
            assert_eq!(losses(&warnings), [Loss::Cut]);
            assert!(warnings[0].broken.what.contains("data ends in the middle"), "{}", warnings[0]);
            assert!(frames == all[..frames.len()] && frames.len() >= last, "{tenth}");
            // blocks of 128 KiB are all or nothing: whatever came before the cut one must be there
            assert!(frames.len() * 10 + 2_000 > all.len() * tenth, "{} of {} at {tenth}", frames.len(), all.len());
            last = frames.len();
        }
        for bytes in 1..=8.min(packed.len()) {
            let (frames, _) = read(&packed[..packed.len() - bytes], 1 << 20).expect("a capture");
            assert!(frames.len() + 200 > all.len());
        }
    }
}

#[test]
fn compressed_files_that_are_damaged_never_panic() {
    let plain = noise(120);
    for packed in [gzip(&plain), zstd(&plain)] {
        for at in (4..packed.len()).step_by(packed.len() / 150) {
            let mut bad = packed.clone();
            bad[at] ^= 1 << (at % 8);
            if let Ok((frames, warnings)) = read(&bad, 1 << 16) {
                assert!(frames.len() <= 10_000);
                assert!(!warnings.is_empty() || frames.len() == 120, "at {at}");
            }
        }
    }
    let trailing = [gzip(&plain), b"garbage".to_vec()].concat();
    let (frames, warnings) = read(&trailing, 1 << 20).expect("a capture");
    assert_eq!((frames.len(), warnings.len()), (120, 1));
}

#[test]
fn a_bomb_is_streamed() {
    let head = Bytes::new(Order::Little).pcap(0xa1b2_c3d4, (2, 4), 1).out;
    let record = Bytes::new(Order::Little).record((1, 1), 1, &vec![0; 250_000]).out;
    let mut encoder = flate2::write::GzEncoder::new(gzip(&head), flate2::Compression::fast());
    for _ in 0..256 {
        encoder.write_all(&record).expect("memory");
    }
    let bomb = encoder.finish().expect("memory");
    assert!(bomb.len() < 1 << 20);
    let mut source = open(&bomb, 1 << 20).expect("a capture");
    let mut bytes = 0;
    while let Some(frame) = source.next_frame().expect("no device") {
        bytes += frame.bytes.len();
    }
    assert_eq!(bytes, 64_000_000);
    assert!(source.memory() <= 2 << 20);
}

/// A device that fails after some bytes.
struct Failing(Vec<u8>, usize);

impl Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = &self.0[self.1..];
        if left.is_empty() {
            return Err(std::io::Error::from_raw_os_error(5));
        }
        let n = left.len().min(into.len());
        into[..n].copy_from_slice(&left[..n]);
        self.1 += n;
        Ok(n)
    }
}

#[test]
fn a_failing_device_is_an_error_plain_or_compressed() {
    let plain = noise(400);
    for bytes in [plain.clone(), gzip(&plain), zstd(&plain)] {
        let device = Failing(bytes[..bytes.len() * 9 / 10].to_vec(), 0);
        let opened = input::detect(Box::new(device), &Meter::hidden()).expect("the first bytes are there");
        let mut source = FileSource::from_stream("disk", None, opened.stream, &Options::default()).expect("the header is there");
        let mut frames = 0;
        let error = loop {
            match source.next() {
                Ok(Step::Frame(_)) => frames += 1,
                Ok(other) => panic!("{other:?} after {frames} frames"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CaptureError::Input { .. }), "{error:?}");
        assert!(matches!(source.next(), Ok(Step::End)));
    }
}
