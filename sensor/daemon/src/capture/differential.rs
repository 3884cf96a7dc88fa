//! The reader against libpcap: the same frames, byte for byte; and against capinfos where libpcap gives up.

use std::path::Path;
use std::process::Command;

use pcap::{Capture, Precision};

use super::samples::{Owned, captures_below, drain, shared};
use super::{FileSource, Options};

/// What libpcap says about a file.
enum Oracle {
    /// Link type, snap length as it works with it, frames; and whether it stopped with an error.
    Frames(i32, Vec<Owned>, Option<String>),
    Refused(String),
}

fn libpcap(path: &Path) -> Oracle {
    let mut capture = match Capture::from_file_with_precision(path, Precision::Nano) {
        Ok(capture) => capture,
        Err(error) => return Oracle::Refused(error.to_string()),
    };
    let link = capture.get_datalink().0;
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                let (secs, nanos) = (packet.header.ts.tv_sec as u64, packet.header.ts.tv_usec as u64);
                frames.push(Owned {
                    nanos: secs.saturating_mul(1_000_000_000).saturating_add(nanos),
                    link_type: 0,
                    interface: 0,
                    bytes: packet.data.to_vec(),
                    wire_len: packet.header.len,
                });
            }
            Err(pcap::Error::NoMorePackets) => return Oracle::Frames(link, frames, None),
            Err(error) => return Oracle::Frames(link, frames, Some(error.to_string())),
        }
    }
}

/// libpcap's DLT for a LINKTYPE where they differ on Linux (pcap-common.c).
fn dlt(link_type: u16) -> i32 {
    match link_type {
        100 => 11,
        101 => 12,
        102 => 15,
        103 => 16,
        106 => 19,
        other => i32::from(other),
    }
}

fn capinfos(path: &Path) -> Option<usize> {
    let out = Command::new("capinfos").args(["-c", "-M", "-T", "-r"]).arg(path).output().ok()?;
    String::from_utf8_lossy(&out.stdout).trim().rsplit('\t').next()?.parse().ok()
}

#[test]
fn frames_are_those_of_libpcap() {
    let (mut whole, mut begun, mut frames, mut refused) = (0, 0, 0, Vec::new());
    for folder in ["peers", "reshaped", "wechat"].iter().filter_map(|f| shared(f)) {
        for path in captures_below(&folder) {
            let name = path.display();
            let ours = FileSource::open(&path.to_string_lossy(), &Options::default());
            let (link, theirs, stopped) = match libpcap(&path) {
                Oracle::Frames(link, theirs, stopped) => (link, theirs, stopped),
                Oracle::Refused(why) => {
                    refused.push((path.clone(), why));
                    continue;
                }
            };
            let (ours, warnings) = drain(&mut ours.unwrap_or_else(|error| panic!("{error}")));
            if let Some(why) = stopped {
                assert!(ours.len() >= theirs.len(), "{name}: {why}");
                refused.push((path.clone(), why));
                begun += 1;
            } else {
                whole += 1;
                assert_eq!(ours.len(), theirs.len(), "{name} {warnings:?}");
            }
            let mut last = 0;
            for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert_eq!(dlt(ours.link_type), link, "{name} frame {i}");
                // a packet without a time (simple packet block) is at the epoch for libpcap, and with its predecessor for us
                last = if theirs.nanos == 0 { last } else { theirs.nanos };
                assert_eq!(ours.nanos, last, "{name} frame {i}");
                assert_eq!(ours.wire_len, theirs.wire_len.max(theirs.bytes.len() as u32), "{name} frame {i}");
                assert!(ours.bytes == theirs.bytes, "{name} frame {i}");
            }
            frames += theirs.len();
        }
    }
    let shut = refused.len() - begun;
    eprintln!("libpcap reads {whole} files whole, {begun} in part, {shut} not at all; its {frames} frames are the same here");
    for (path, why) in refused {
        let Some(count) = capinfos(&path) else {
            eprintln!("{}: libpcap: {why}; capinfos has no count", path.display());
            continue;
        };
        let read = FileSource::open(&path.to_string_lossy(), &Options::default()).map(|mut source| drain(&mut source));
        let (ours, warnings) = read.unwrap_or_else(|error| panic!("{error}"));
        eprintln!("{}: libpcap: {why}; capinfos {count}, ours {}, {warnings:?}", path.display(), ours.len());
        assert_eq!(ours.len(), count, "{}: {warnings:?}", path.display());
    }
}

#[test]
fn small_chunks_give_the_same_frames_as_large_ones() {
    for folder in ["peers", "reshaped", "wechat"].iter().filter_map(|f| shared(f)) {
        for path in captures_below(&folder) {
            let read = |chunk| {
                let mut source = FileSource::open(&path.to_string_lossy(), &Options { chunk, ..Options::default() }).expect("a capture");
                drain(&mut source)
            };
            let large = read(1 << 20);
            for chunk in [1, 1_500, 4_099] {
                assert!(read(chunk) == large, "{} chunk {chunk}", path.display());
            }
        }
    }
}
