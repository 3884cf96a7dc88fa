//! What the sensor said at one moment: only what the screen shows.

use std::collections::BTreeMap;
use std::time::Duration;

use ringfence_core::policy::Verdict;
use ringfence_core::time::Timestamp;
use serde::Deserialize;

use crate::cli::client::Client;
use crate::cli::{Failure, word};

/// Findings that are asked for: more than anybody scrolls through.
pub const FINDINGS_MAX: usize = 200;

/// What the sensor said.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How it is.
    pub coverage: Coverage,
    /// Its segments.
    pub segments: Vec<Segment>,
    /// Devices with open findings.
    pub devices: usize,
    /// Its alarms.
    pub alarms: Vec<Alarm>,
    /// Its open findings, most serious first.
    pub findings: Vec<Finding>,
    /// Frames and bytes per second of each ring, where there was a snapshot before.
    pub rates: BTreeMap<(String, u16), (f64, f64)>,
}

/// How it is.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Coverage {
    pub at: String,
    pub started: String,
    pub site: String,
    pub ready: bool,
    pub rules: String,
    pub rings: Vec<Ring>,
    pub store: Store,
}

/// A ring.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ring {
    pub interface: String,
    pub ring: u16,
    pub state: String,
    pub error: Option<String>,
    pub frames: u64,
    pub bytes: u64,
    pub lost: BTreeMap<String, u64>,
    pub last_frame: Option<String>,
    pub delay_secs: f64,
    pub filtered: bool,
}

/// The store.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Store {
    pub pending: u64,
    pub problem: String,
}

/// A segment.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Segment {
    pub name: String,
    pub class: String,
    pub devices: usize,
    pub open: BTreeMap<String, usize>,
}

/// An alarm.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Alarm {
    pub kind: String,
    pub interface: String,
    pub since: String,
    pub detail: String,
}

/// A finding.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Finding {
    pub device: Device,
    pub segment: String,
    pub app: String,
    pub surface: String,
    pub level: String,
    pub confidence: f64,
    pub verdict: String,
    pub last_seen: String,
    pub flows: u64,
}

/// A device.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Device {
    pub id: String,
    pub name: Option<String>,
    pub register: Option<String>,
}

#[derive(Deserialize)]
struct Segments {
    devices: usize,
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Alarms {
    alarms: Vec<Alarm>,
}

#[derive(Deserialize)]
struct Page {
    findings: Vec<Finding>,
}

impl Snapshot {
    /// Asks the sensor; at most so many findings.
    ///
    /// # Errors
    /// [`Failure`] when it does not answer.
    pub fn fetch(client: &Client, findings_max: usize) -> Result<Snapshot, Failure> {
        let coverage = client.get("/api/v1/coverage")?;
        let Segments { devices, segments } = client.get("/api/v1/segments")?;
        let alarms = client.get::<Alarms>("/api/v1/alarms")?.alarms;
        let mut snapshot = Snapshot { coverage, segments, devices, alarms, ..Snapshot::default() };
        // Pages come in the order of opening: one question for each verdict that is there gives the most serious first.
        for (verdict, _) in snapshot.open() {
            let room = findings_max.saturating_sub(snapshot.findings.len());
            if room > 0 {
                let path = format!("/api/v1/findings?stage=open&verdict={}&limit={room}", verdict.name());
                let mut found = client.get::<Page>(&path)?.findings;
                found.sort_by(|a, b| b.last_seen.cmp(&a.last_seen));
                snapshot.findings.append(&mut found);
            }
        }
        Ok(snapshot)
    }

    /// The same, with rates since `before`.
    pub fn since(mut self, before: &Snapshot) -> Snapshot {
        let span = self.at().since(before.at()).as_secs_f64();
        if span <= 0.0 {
            // The sensor has not looked again: what was true still is.
            self.rates.clone_from(&before.rates);
            return self;
        }
        let known: BTreeMap<(&str, u16), &Ring> = before.coverage.rings.iter().map(|r| ((r.interface.as_str(), r.ring), r)).collect();
        let rate = |ring: &Ring| {
            let old = known.get(&(ring.interface.as_str(), ring.ring))?;
            let per_sec = |new: u64, old: u64| new.saturating_sub(old) as f64 / span;
            Some(((ring.interface.clone(), ring.ring), (per_sec(ring.frames, old.frames), per_sec(ring.bytes, old.bytes))))
        };
        self.rates = self.coverage.rings.iter().filter_map(rate).collect();
        self
    }

    /// Open findings by verdict, most serious first.
    pub fn open(&self) -> BTreeMap<Verdict, usize> {
        let mut open = BTreeMap::new();
        for (name, n) in self.segments.iter().flat_map(|s| &s.open) {
            if let Some(verdict) = word(name, &Verdict::WORDS) {
                *open.entry(verdict).or_default() += n;
            }
        }
        open
    }

    /// When this was true.
    pub fn at(&self) -> Timestamp {
        Timestamp::parse(&self.coverage.at).unwrap_or_default()
    }

    /// How long before this was `time`.
    pub fn ago(&self, time: &str) -> Option<Duration> {
        Timestamp::parse(time).map(|t| self.at().since(t))
    }
}
