//! One round of the mix: the Ethernet frames of every real capture that is at hand, merged by their time since the beginning.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence::capture::{FileSource, Options};
use ringfence_core::time::Timestamp;

use crate::capture::link;
use crate::{frame, office, real_captures};

/// Longer pauses are cut: a link that carries all of these captures at once has none.
const PAUSE_MAX: Duration = Duration::from_millis(10);

/// A frame and the time since the one before.
pub(super) struct Timed {
    pub(super) pause: Duration,
    bytes: Vec<u8>,
}

/// The frames of one round.
pub(super) struct Round(Vec<Timed>);

impl Round {
    /// Of the captures beside the checkout; where there are none, of the office.
    pub(super) fn new() -> Self {
        let files: Vec<PathBuf> =
            real_captures().iter().flat_map(|dir| ["peers", "wechat"].map(|d| captures(&dir.join(d)))).flatten().collect();
        let mut frames: Vec<(Duration, Vec<u8>)> = files.iter().flat_map(|f| read(f)).collect();
        if frames.is_empty() {
            let start = office::START;
            frames = office::morning().trace.into_frames().into_iter().map(|f| (f.at.since(start), f.bytes)).collect();
        }
        frames.sort_by_key(|(at, _)| *at);
        let mut before = Duration::ZERO;
        let timed = frames.into_iter().map(|(at, bytes)| {
            let pause = (at - before).min(PAUSE_MAX);
            before = at;
            Timed { pause, bytes }
        });
        Round(timed.collect())
    }

    pub(super) fn frames(&self) -> &[Timed] {
        &self.0
    }
}

impl Timed {
    /// The frame as it is in a later round: private addresses are those of other hosts. Checksums stay as they were.
    pub(super) fn of_round(&self, round: u64) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if bytes.get(12..14) == Some(&frame::IPV4.to_be_bytes()) && bytes.len() >= 34 {
            for at in [26, 30] {
                match bytes[at..at + 2] {
                    [10, _] => bytes[at + 1] = bytes[at + 1].wrapping_add(round as u8),
                    [192, 168] => bytes[at + 2] = bytes[at + 2].wrapping_add(round as u8),
                    [172, second @ 16..=31] => bytes[at + 1] = 16 + (second - 16 + (round % 16) as u8) % 16,
                    _ => {}
                }
            }
        }
        bytes
    }
}

fn captures(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = entries.flat_map(|path| if path.is_dir() { captures(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

fn read(path: &Path) -> Vec<(Duration, Vec<u8>)> {
    let Ok(mut source) = FileSource::open(&path.to_string_lossy(), &Options::default()) else { return Vec::new() };
    let mut frames = Vec::new();
    let mut first: Option<Timestamp> = None;
    while let Ok(Some(frame)) = source.next_frame() {
        let start = *first.get_or_insert(frame.ts);
        if frame.link_type == link::ETHERNET && frame.wire_len as usize == frame.bytes.len() {
            frames.push((frame.ts.since(start), frame.bytes.to_vec()));
        }
    }
    frames
}
