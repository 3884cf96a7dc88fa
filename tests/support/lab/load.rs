//! What is sent at the sensor: small frames, a mix as in an office, a storm of handshakes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use ringfence_core::net::Mac;

use super::sender::frames_of;
use crate::corpus::{self, Corpus};
use crate::frame;
use crate::office;

/// Frames, ready to send.
pub type Frames = Vec<Vec<u8>>;

/// What a load is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// 60 bytes each, of a thousand flows.
    Small,
    /// Bulk, handshakes and an office's morning in the shares of a working day: nine frames of ten carry bulk.
    Mixed,
    /// TLS handshakes, one after the other.
    Storm,
    /// The mix, with random senders between: every flow table is full.
    Day,
}

impl Load {
    /// Words on the command line.
    pub const WORDS: [(&'static str, Load); 4] =
        [("small", Load::Small), ("mixed", Load::Mixed), ("storm", Load::Storm), ("day", Load::Day)];

    /// Makes the frames; `dir` takes what has to be written in between.
    ///
    /// # Errors
    /// When `dir` cannot be written.
    pub fn frames(self, dir: &Path) -> io::Result<Frames> {
        match self {
            Load::Small => Ok(small()),
            Load::Mixed => Ok(weave(vec![of(Corpus::Bulk, 60_000, dir)?, of(Corpus::Storm, 1_000, dir)?, office(dir)?])),
            Load::Storm => of(Corpus::Storm, 30_000, dir),
            Load::Day => Ok(weave(vec![of(Corpus::Bulk, 60_000, dir)?, of(Corpus::Flood, 20_000, dir)?, office(dir)?])),
        }
    }
}

fn of(corpus: Corpus, units: u64, dir: &Path) -> io::Result<Frames> {
    let path = dir.join("corpus.pcap");
    let mut out = BufWriter::new(File::create(&path)?);
    corpus::write(corpus, units, &mut out)?;
    out.flush()?;
    drop(out);
    frames_of(&path)
}

/// The morning of the demonstration.
///
/// # Errors
/// When `dir` cannot be written.
pub fn office(dir: &Path) -> io::Result<Frames> {
    let path = dir.join("office.pcap");
    office::write(&path)?;
    frames_of(&path)
}

fn small() -> Frames {
    let near = Mac([0, 0, 0x5e, 0, 0x53, 1]);
    let far = Mac([0, 0, 0x5e, 0, 0x53, 2]);
    let one = |flow: u32| {
        let src = SocketAddr::new(Ipv4Addr::from_bits(0x0a0a_1400 + flow % 200).into(), 20_000 + (flow / 200) as u16);
        let dst = SocketAddr::new(Ipv4Addr::new(198, 51, 100, 10).into(), 40_000);
        let datagram = frame::udp(src, dst, &[0x5a; 18]);
        frame::ethernet(far, near, &[], frame::IPV4, &frame::ip(src.ip(), dst.ip(), 64, frame::proto::UDP, &datagram))
    };
    (0..64_000).map(|n| one(n % 1_000)).collect()
}

/// Puts lists together so that each keeps its order and is spread over the whole.
fn weave(lists: Vec<Frames>) -> Frames {
    let spread = |frames: Frames| {
        let len = frames.len().max(1) as f64;
        frames.into_iter().enumerate().map(move |(at, frame)| (at as f64 / len, frame))
    };
    let mut all: Vec<(f64, Vec<u8>)> = lists.into_iter().flat_map(spread).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, frame)| frame).collect()
}

/// Gives a storm new clients, 10.`pass`.x.x, so that its flows are new to whoever heard it before. Checksums are left as they are: a
/// mirror port shows wrong ones all day.
pub fn renew(frames: &mut Frames, pass: u8) {
    const SRC: usize = 26;
    const DST: usize = 30;
    for frame in frames.iter_mut().filter(|f| f.len() > DST + 1) {
        let at = if frame[SRC] == 10 { SRC } else { DST };
        frame[at + 1] = pass;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn woven_lists_keep_their_order() {
        let list = |letter: u8, len: u8| (0..len).map(|n| vec![letter, n]).collect::<Frames>();
        let woven = weave(vec![list(b'a', 100), list(b'b', 10), Frames::new()]);
        assert_eq!(woven.len(), 110);
        for letter in [b'a', b'b'] {
            assert!(woven.iter().filter(|f| f[0] == letter).is_sorted());
        }
        assert!(woven.chunks(22).all(|c| c.iter().filter(|f| f[0] == b'b').count() == 2));
    }

    #[test]
    fn renewed_clients_are_the_same_at_both_ends() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut frames = of(Corpus::Storm, 3, dir.path()).expect("a storm");
        renew(&mut frames, 9);
        assert!(frames.iter().all(|f| f[26..28] == [10, 9] || f[30..32] == [10, 9]));
        assert!(frames.iter().any(|f| f[26..28] == [10, 9]) && frames.iter().any(|f| f[30..32] == [10, 9]));
    }
}
