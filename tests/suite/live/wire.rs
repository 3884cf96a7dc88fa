//! The sensor at the end of a quiet wire, and what is sent to it.

use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::load::{self, Frames};
use ringfence_tests::lab::pair::{FAR, NEAR, Pair};
use ringfence_tests::lab::sender::{Pace, Sender};
use ringfence_tests::lab::{namespace, story};
use ringfence_tests::sensor::Json;
use tempfile::TempDir;

/// A wire before anybody listens.
pub struct Wire {
    /// Everything that is written.
    pub dir: TempDir,
    /// Both ends.
    pub pair: Pair,
    /// How the sensor is to run.
    pub setup: Setup,
}

impl Wire {
    /// `None`, and a word to the log, where namespaces are not permitted.
    pub fn new() -> Option<Self> {
        if !namespace::permitted() {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("ringfence-wire-").tempdir().expect("a folder");
        let setup = Setup::new(dir.path(), FAR, &story::policy());
        Some(Wire { pair: Pair::new().expect("a wire"), setup, dir })
    }

    /// Starts the sensor.
    pub fn start(&self) -> Daemon {
        Daemon::start(&self.pair.sensor, &self.setup)
    }

    /// Sends, so many frames per second.
    pub fn send(&self, frames: &[Vec<u8>], rate: u64) {
        let sender = Sender::open(&self.pair.sender, NEAR).expect("a sender");
        sender.send(frames, &mut Pace::new(Some(rate), None)).expect("the wire takes it");
    }

    /// The morning of the demonstration.
    pub fn office(&self) -> Frames {
        load::office(self.dir.path()).expect("an office")
    }
}

/// A rate that the sensor keeps up with even unoptimised.
pub const EASY: u64 = 5_000;

/// Frames that show nothing.
pub fn plain(count: usize) -> Frames {
    let frames = load::Load::Small.frames(std::path::Path::new("")).expect("they are made in memory");
    frames.into_iter().cycle().take(count).collect()
}

/// Findings by what must outlive a restart, sorted.
pub fn told(findings: &[Json]) -> Vec<String> {
    let keys = ["id", "segment", "app", "surface", "level", "verdict"];
    let one = |f: &Json| keys.iter().map(|k| f[*k].as_str().unwrap_or("?")).collect::<Vec<_>>().join(" ");
    let mut told: Vec<String> = findings.iter().map(one).collect();
    told.sort();
    told
}
