//! Captures built byte by byte, and readers over them, for the tests of this folder.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use super::file::{FileSource, Options};
use super::pcap::Order;
use super::progress::Meter;
use super::{CaptureError, Frame, Loss, Source, Step, Warning, input};

/// A frame that outlives its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub nanos: u64,
    pub link_type: u16,
    pub interface: u16,
    pub bytes: Vec<u8>,
    pub wire_len: u32,
}

impl From<Frame<'_>> for Owned {
    fn from(f: Frame<'_>) -> Self {
        Owned { nanos: f.ts.nanos(), link_type: f.link_type, interface: f.interface, bytes: f.bytes.to_vec(), wire_len: f.wire_len }
    }
}

/// Everything that a source gives, and what it complains about.
pub fn drain(source: &mut impl Source) -> (Vec<Owned>, Vec<Warning>) {
    let mut frames = Vec::new();
    while let Step::Frame(frame) = source.next().expect("no device fails here") {
        frames.push(frame.into());
    }
    (frames, source.warnings())
}

/// A reader over bytes in memory.
pub fn open(bytes: &[u8], chunk: usize) -> Result<FileSource, CaptureError> {
    let opened = input::detect(Box::new(Cursor::new(bytes.to_vec())), &Meter::hidden()).expect("memory does not fail");
    FileSource::from_stream("sample", opened.compression, opened.stream, &Options { chunk, ..Options::default() })
}

/// Frames and warnings of bytes in memory.
pub fn read(bytes: &[u8], chunk: usize) -> Result<(Vec<Owned>, Vec<Warning>), CaptureError> {
    open(bytes, chunk).map(|mut source| drain(&mut source))
}

/// Frames of bytes in memory that must be without fault.
pub fn clean(bytes: &[u8]) -> Vec<Owned> {
    let (frames, warnings) = read(bytes, 1 << 20).expect("a capture");
    assert_eq!(warnings, []);
    frames
}

/// Losses in the order told.
pub fn losses(warnings: &[Warning]) -> Vec<Loss> {
    warnings.iter().map(|w| w.loss).collect()
}

/// The shared captures; `None`, and said so, when they are not here.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// Every file below a folder that has one of these endings.
pub fn captures_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(captures_below(&entry));
        } else if entry.extension().is_none_or(|e| !["md", "csv", "tsv", "txt"].iter().any(|x| e == *x)) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// Numbers in one byte order.
#[derive(Clone, Debug)]
pub struct Bytes {
    order: Order,
    pub out: Vec<u8>,
}

impl Bytes {
    pub fn new(order: Order) -> Self {
        Bytes { order, out: Vec::new() }
    }

    pub fn u16(mut self, n: u16) -> Self {
        self.out.extend(if self.order == Order::Little { n.to_le_bytes() } else { n.to_be_bytes() });
        self
    }

    pub fn u32(mut self, n: u32) -> Self {
        self.out.extend(if self.order == Order::Little { n.to_le_bytes() } else { n.to_be_bytes() });
        self
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.out.extend(bytes);
        self
    }

    /// A pcap file header.
    pub fn pcap(self, magic: u32, version: (u16, u16), link: u32) -> Self {
        self.u32(magic).u16(version.0).u16(version.1).u32(0).u32(0).u32(65_535).u32(link)
    }

    /// A pcap record.
    pub fn record(self, ts: (u32, u32), len: u32, bytes: &[u8]) -> Self {
        self.u32(ts.0).u32(ts.1).u32(bytes.len() as u32).u32(len).raw(bytes)
    }

    /// A pcapng block around a body.
    pub fn block(self, kind: u32, body: &[u8]) -> Self {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let total = (12 + body.len() + padding.len()) as u32;
        self.u32(kind).u32(total).raw(body).raw(&padding).u32(total)
    }

    /// A section header of unknown length.
    pub fn section(self) -> Self {
        let body = Bytes::new(self.order).u32(0x1a2b_3c4d).u16(1).u16(0).raw(&[0xff; 8]);
        self.block(0x0a0d_0d0a, &body.out)
    }

    /// An interface description with options (code, value).
    pub fn interface(self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) -> Self {
        let mut body = Bytes::new(self.order).u16(link).u16(0).u32(snaplen);
        for (code, value) in options {
            body = body.u16(*code).u16(value.len() as u16).raw(value);
            body.out.resize(body.out.len().next_multiple_of(4), 0);
        }
        self.block(1, &body.out)
    }

    /// An enhanced packet.
    pub fn packet(self, interface: u32, ticks: u64, len: u32, bytes: &[u8]) -> Self {
        let body = Bytes::new(self.order).u32(interface).u32((ticks >> 32) as u32).u32(ticks as u32);
        let body = body.u32(bytes.len() as u32).u32(len).raw(bytes);
        self.block(6, &body.out)
    }

    /// A simple packet.
    pub fn simple(self, len: u32, bytes: &[u8]) -> Self {
        let body = Bytes::new(self.order).u32(len).raw(bytes);
        self.block(3, &body.out)
    }
}

/// A small pcap of three frames.
pub fn small_pcap(order: Order) -> Vec<u8> {
    let file = Bytes::new(order).pcap(0xa1b2_c3d4, (2, 4), 1);
    file.record((10, 20), 60, &[1; 60]).record((11, 21), 0, &[]).record((12, 22), 1_500, &[3; 33]).out
}

/// A small pcapng of two sections in two byte orders, with interfaces of two link types and every kind of packet block.
pub fn small_pcapng() -> Vec<u8> {
    let first = Bytes::new(Order::Little).section().interface(1, 0, &[(2, b"eth0"), (9, &[9]), (0, &[])]);
    let first = first.packet(0, 5_000_000_001, 60, &[1; 60]).interface(101, 40, &[]).block(0x0bad, &[9; 40]);
    let first = first.packet(1, 7_000_000, 21, &[2; 21]).simple(30, &[3; 30]).out;
    let old = Bytes::new(Order::Big).u16(0).u16(7).u32(0).u32(9_000_000).u32(5).u32(50).raw(&[4; 5]).out;
    let second = Bytes::new(Order::Big).section().interface(113, 0, &[(14, &3u64.to_be_bytes())]);
    [first, second.block(2, &old).block(4, &[0; 8]).packet(0, 1, 2, &[5; 2]).out].concat()
}

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// One Zstandard frame.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A pcap of `n` frames that do not compress well, so that it takes many blocks.
pub fn noise(n: u32) -> Vec<u8> {
    let mut file = Bytes::new(Order::Little).pcap(0xa1b2_c3d4, (2, 4), 1);
    let mut x = 1u64;
    for i in 0..n {
        let bytes: Vec<u8> = (0..700)
            .map(|_| {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (x >> 59) as u8
            })
            .collect();
        file = file.record((i, 0), 700, &bytes);
    }
    file.out
}
