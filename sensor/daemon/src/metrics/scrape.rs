//! What one scrape reads from, and the series that it makes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ringfence_core::ledger::{Stage, Tracked};

use crate::deliver::Standing;
use crate::durations::{BOUNDS_SECS, Durations};
use crate::pseudonym::Pseudonyms;
use crate::state::{Ring, Segment, Status};

/// Segments that have a label of their own; more are told as `other`.
pub const SEGMENTS_MAX: usize = 128;
/// Open findings that have a series of their own.
pub const FINDING_SERIES_MAX: usize = 500;
/// Series of one family, before its segments and then its apps are added up.
pub const FAMILY_SERIES_MAX: usize = 2_000;
/// Series of one scrape, with up to 32 rings and 32 outputs.
pub const SERIES_MAX: usize = 15_000;
/// What stands for everything that has no label of its own.
pub const OTHER: &str = "other";

/// What one scrape reads from: all families see the same.
pub struct Scrape<'s> {
    pub status: Arc<Status>,
    /// Names of segments that have a label of their own.
    pub own_labels: HashSet<String>,
    pub findings: Vec<Arc<Tracked>>,
    pub requests: BTreeMap<(&'static str, u16), u64>,
    pub connections: u64,
    pub evicted: u64,
    pub pseudonyms: &'s Pseudonyms,
    pub group_min: u64,
    pub outputs: BTreeMap<String, Standing>,
}

/// Names of the segments that have a label of their own.
pub fn own_labels(status: &Status) -> HashSet<String> {
    status.segments.iter().take(SEGMENTS_MAX).map(|s| s.name.clone()).collect()
}

impl Scrape<'_> {
    /// Open findings.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Tracked>> {
        self.findings.iter().filter(|t| t.stage == Stage::Open)
    }

    /// The label of a segment.
    pub fn segment<'n>(&self, name: &'n str) -> &'n str {
        if self.own_labels.contains(name) { name } else { OTHER }
    }

    /// Segments that have a label of their own.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.status.segments.iter().take(SEGMENTS_MAX)
    }

    /// Open findings that have a series, most serious first; the order does not change while they stay open.
    pub fn shown(&self) -> Vec<&Tracked> {
        let mut open: Vec<&Tracked> = self.open().map(|t| &**t).collect();
        let place = |t: &&Tracked| (t.finding.verdict, t.opened);
        if open.len() > FINDING_SERIES_MAX {
            open.select_nth_unstable_by(FINDING_SERIES_MAX, |a, b| (place(a), &a.finding.id).cmp(&(place(b), &b.finding.id)));
            open.truncate(FINDING_SERIES_MAX);
        }
        open
    }
}

/// The series of one family. The same labels twice add up, so that no series is ever told twice.
#[derive(Default)]
pub struct Samples {
    pub values: BTreeMap<Vec<String>, f64>,
    /// Those of a histogram.
    pub spans: BTreeMap<Vec<String>, Durations>,
    /// Series of the families before this one.
    pub series: usize,
}

impl Samples {
    /// Adds to a series.
    pub fn add(&mut self, labels: &[&str], value: f64) {
        *self.values.entry(labels.iter().map(ToString::to_string).collect()).or_default() += value;
    }

    /// Adds a histogram.
    pub fn add_spans(&mut self, labels: &[&str], spans: Durations) {
        self.spans.insert(labels.iter().map(ToString::to_string).collect(), spans);
    }

    /// Lines that they make: a histogram has one for each bound, and three more.
    pub fn len(&self) -> usize {
        self.values.len() + self.spans.len() * (BOUNDS_SECS.len() + 3)
    }

    /// Adds up segments, then apps, until the family keeps its bound; half of those that have a label of their own go at a time.
    pub fn bound(&mut self, labels: &[&str]) {
        for label in ["segment", "app"] {
            let Some(at) = labels.iter().position(|l| *l == label) else { continue };
            let mut names: Vec<String> = self.values.keys().filter_map(|key| key.get(at).cloned()).collect();
            names.sort();
            names.dedup();
            let mut keep = names.len();
            while self.values.len() > FAMILY_SERIES_MAX && keep > 0 {
                keep /= 2;
                let own = names.get(..keep).unwrap_or_default();
                for (mut key, value) in std::mem::take(&mut self.values) {
                    if let Some(name) = key.get_mut(at).filter(|name| own.binary_search(name).is_err()) {
                        *name = OTHER.to_string();
                    }
                    *self.values.entry(key).or_default() += value;
                }
            }
        }
    }

    /// Adds one series for each ring.
    pub fn rings(&mut self, scrape: &Scrape<'_>, value: fn(&Ring) -> Option<f64>) {
        for ring in &scrape.status.rings {
            if let Some(value) = value(ring) {
                self.add(&[&ring.interface, &ring.ring.to_string()], value);
            }
        }
    }

    /// Adds one series for each segment, with more labels.
    pub fn segments(&mut self, scrape: &Scrape<'_>, more: fn(&Segment) -> Vec<&str>, value: fn(&Segment) -> f64) {
        for segment in &scrape.status.segments {
            let labels: Vec<&str> = [scrape.segment(&segment.name)].into_iter().chain(more(segment)).collect();
            self.add(&labels, value(segment));
        }
    }

    /// Adds one series for each output.
    pub fn outputs(&mut self, scrape: &Scrape<'_>, value: fn(&Standing) -> Option<f64>) {
        for (name, standing) in &scrape.outputs {
            if let Some(value) = value(standing) {
                self.add(&[name, standing.kind], value);
            }
        }
    }

    /// Adds counts by name.
    pub fn counts<'n>(&mut self, counts: impl IntoIterator<Item = (&'n &'static str, &'n u64)>) {
        for (name, n) in counts {
            self.add(&[name], *n as f64);
        }
    }
}
