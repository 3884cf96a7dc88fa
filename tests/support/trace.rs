//! A trace: frames with their times, written as pcap or pcapng.

use std::io::{self, Write};
use std::path::Path;

/// Frames in any order; they are written by time.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    frames: Vec<(u64, Vec<u8>)>,
}

impl Trace {
    /// Adds a frame at so many microseconds since the epoch.
    pub fn push(&mut self, micros: u64, frame: Vec<u8>) {
        self.frames.push((micros, frame));
    }

    /// The frames by time.
    pub fn sorted(&self) -> Vec<(u64, Vec<u8>)> {
        let mut frames = self.frames.clone();
        frames.sort_by_key(|(at, _)| *at);
        frames
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The trace as a pcap file: little endian, microseconds, Ethernet.
    pub fn to_pcap(&self) -> Vec<u8> {
        pcap(&self.sorted())
    }

    /// Writes the trace as a pcap file.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = io::BufWriter::new(std::fs::File::create(path)?);
        file.write_all(&self.to_pcap())?;
        file.flush()
    }
}

/// Frames as they come, as a pcap file.
pub fn pcap(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4u32.to_le_bytes().to_vec(), vec![2, 0, 4, 0]].concat();
    file.extend([0u32, 0, 262_144, 1].iter().flat_map(|n| n.to_le_bytes()));
    for (at, frame) in frames {
        let length = frame.len() as u32;
        file.extend([(at / 1_000_000) as u32, (at % 1_000_000) as u32, length, length].iter().flat_map(|n| n.to_le_bytes()));
        file.extend_from_slice(frame);
    }
    file
}
