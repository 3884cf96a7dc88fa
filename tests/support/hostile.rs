//! Captures as they are and damaged, each through a whole sensor in this process: how many, how much work and memory they took.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence::capture::{FileSource, Options, Source, Step};
use ringfence::rules_store::RulesStore;
use ringfence_core::correlate::Correlator;
use ringfence_core::evidence::Evidence;
use ringfence_core::identity::Identity;
use ringfence_core::policy::Policy;
use ringfence_core::rules::RuleSet;
use ringfence_core::worker::{Output, Worker};

use crate::capture::{Pcap, pcap};
use crate::prng::Prng;
use crate::{mutate, office};

/// Bytes that may be shown to dissectors for one byte of a capture. A hello in one-byte records is shown about three times.
const SHOWN_PER_BYTE: u64 = 64;

/// And at least so many, in bytes.
const SHOWN_MIN: u64 = 1 << 20;

/// What was run, and the extremes.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Captures.
    pub captures: u64,
    /// Runs: each capture as it is and damaged.
    pub runs: u64,
    /// Frames of all runs.
    pub frames: u64,
    /// The run that took longest.
    pub slowest: (Duration, String),
    /// The run that raised the peak of memory most, in KiB.
    pub hungriest: (u64, String),
    /// Most bytes shown for one byte of a capture of 4 KiB or more.
    pub most_shown: (f64, String),
    /// Runs that did more work than they may.
    pub overworked: Vec<String>,
}

#[derive(Default)]
struct Inbox(Vec<Evidence>);

impl Output for Inbox {
    fn evidence(&mut self, evidence: Evidence) {
        self.0.push(evidence);
    }
}

/// Runs captures.
pub struct Runner {
    rules: Arc<RuleSet>,
    report: Report,
}

impl Runner {
    /// With the shipped rules.
    ///
    /// # Panics
    /// When they are refused.
    pub fn new() -> Self {
        Runner { rules: RulesStore::load(None).expect("the shipped rules").set, report: Report::default() }
    }

    /// What was run so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Runs a file, and `times` damaged copies of it. A file that cannot be read is passed over.
    pub fn file(&mut self, path: &Path, times: usize, rng: &mut Prng) {
        let Ok(bytes) = std::fs::read(path) else { return };
        self.bytes(&path.to_string_lossy(), &bytes, times, rng);
    }

    /// The same of a capture in memory.
    pub fn bytes(&mut self, name: &str, bytes: &[u8], times: usize, rng: &mut Prng) {
        self.report.captures += 1;
        self.run(name, bytes);
        for n in 0..times {
            let mut damaged = mutate::bytes(bytes, rng);
            // Most damage is to the frames: a file whose first bytes are wrong is refused at once.
            let head = damaged.len().min(bytes.len()).min(24);
            damaged[..head].copy_from_slice(&bytes[..head]);
            self.run(&format!("{name}, damage {n}"), &damaged);
        }
    }

    /// The office with its frames damaged, once for each seed.
    pub fn office(&mut self, seeds: std::ops::Range<u64>) {
        for seed in seeds {
            let frames = office::morning_of(seed).trace.into_frames();
            let damaged = mutate::mutate(&frames, seed);
            self.report.captures += 1;
            self.run(&format!("office {seed}"), &pcap(&damaged, Pcap::default()));
        }
    }

    fn run(&mut self, name: &str, bytes: &[u8]) {
        let started = Instant::now();
        let before = peak_memory_kib();
        let (frames, shown) = self.sensor(bytes);
        let grown = peak_memory_kib().saturating_sub(before);
        if grown > self.report.hungriest.0 {
            self.report.hungriest = (grown, name.to_string());
        }
        let took = started.elapsed();
        let report = &mut self.report;
        report.runs += 1;
        report.frames += frames;
        if took > report.slowest.0 {
            report.slowest = (took, name.to_string());
        }
        let size = bytes.len() as u64;
        let per_byte = shown as f64 / size.max(1) as f64;
        if size >= 4_096 && per_byte > report.most_shown.0 {
            report.most_shown = (per_byte, name.to_string());
        }
        if shown > SHOWN_PER_BYTE * size + SHOWN_MIN {
            report.overworked.push(format!("{name}: {shown} bytes shown of {size}"));
        }
    }

    /// Frames, and bytes shown to dissectors.
    fn sensor(&self, bytes: &[u8]) -> (u64, u64) {
        let Ok(mut source) = FileSource::from_bytes("memory", bytes.to_vec(), &Options::default()) else { return (0, 0) };
        let identity = Identity::new(Vec::new());
        let mut correlator = Correlator::new(Arc::clone(&self.rules), Policy::none(), identity, Vec::new());
        let mut worker = Worker::new(0, Arc::clone(&self.rules), 0);
        let mut inbox = Inbox::default();
        while let Ok(Step::Frame(frame)) = source.next() {
            worker.frame(&frame, &mut inbox);
            inbox.0.drain(..).for_each(|e| correlator.take(e));
        }
        if let Some(watch) = correlator.watch_update() {
            worker.watch(watch, &mut inbox);
        }
        worker.finish(&mut inbox);
        inbox.0.drain(..).for_each(|e| correlator.take(e));
        let _ = correlator.report();
        (worker.tally().frames, worker.tally().shown)
    }
}

impl Default for Runner {
    fn default() -> Self {
        Runner::new()
    }
}

/// Every file below a folder, sorted.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).map(|d| d.flatten().map(|e| e.path()).collect::<Vec<_>>()).unwrap_or_default();
    let mut found: Vec<PathBuf> = entries.into_iter().flat_map(|p| if p.is_dir() { files(&p) } else { vec![p] }).collect();
    found.sort();
    found
}

/// The most memory that this process had at once, in KiB (`VmHWM` of `/proc/self/status`); 0 where that is not known.
pub fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
