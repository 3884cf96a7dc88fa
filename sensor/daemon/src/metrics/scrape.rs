//! What one scrape reads from, and the series that it makes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringfence_core::ledger::{Stage, Tracked};

use crate::deliver::Standing;
use crate::pseudonym::Pseudonyms;
use crate::state::{Ring, Status};

/// Segments that have a label of their own; more are told as `other`.
pub const SEGMENTS_MAX: usize = 128;
/// Open findings that have a series of their own.
pub const FINDING_SERIES_MAX: usize = 500;

/// What one scrape reads from: all families see the same.
pub struct Scrape<'s> {
    pub status: Arc<Status>,
    pub findings: Vec<Arc<Tracked>>,
    pub requests: BTreeMap<(&'static str, u16), u64>,
    pub connections: u64,
    pub evicted: u64,
    pub pseudonyms: &'s Pseudonyms,
    pub group_min: u64,
    pub outputs: BTreeMap<String, Standing>,
}

impl Scrape<'_> {
    /// Open findings.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Tracked>> {
        self.findings.iter().filter(|t| t.stage == Stage::Open)
    }

    /// The label of a segment.
    pub fn segment<'n>(&self, name: &'n str) -> &'n str {
        if self.status.segments.iter().take(SEGMENTS_MAX).any(|s| s.name == name) { name } else { "other" }
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
    /// Series of the families before this one.
    pub series: usize,
}

impl Samples {
    /// Adds to a series.
    pub fn add(&mut self, labels: &[&str], value: f64) {
        *self.values.entry(labels.iter().map(ToString::to_string).collect()).or_default() += value;
    }

    /// Adds one series for each ring.
    pub fn rings(&mut self, scrape: &Scrape<'_>, value: fn(&Ring) -> Option<f64>) {
        for ring in &scrape.status.rings {
            if let Some(value) = value(ring) {
                self.add(&[&ring.interface, &ring.ring.to_string()], value);
            }
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
