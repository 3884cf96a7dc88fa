//! What leaves the sensor, and in which form. Core types are not wire types: each form has its own structs.

pub mod csv;
pub mod human;
pub mod json;

use std::collections::BTreeMap;

use ringfence_core::correlate::Correlator;
use ringfence_core::finding::{Finding, FlowRow};
use ringfence_core::limits::LimitCounts;
use ringfence_core::worker::{PlaceTally, Places, Tally};

/// Everything that one scan has to say.
#[derive(Debug)]
pub struct ScanResult {
    /// The inputs, as the operator named them.
    pub inputs: Vec<String>,
    /// What of them could not be read, a sentence each.
    pub unread: Vec<String>,
    /// The version of the rule set.
    pub rules: String,
    /// Whether a policy was given.
    pub policy: bool,
    /// Findings, most serious first.
    pub findings: Vec<Finding>,
    /// The flows that they rest on.
    pub flows: Vec<FlowRow>,
    /// What was seen, lost and not judged.
    pub tally: Tally,
    /// The same by segment, for flows: those with the most packets first.
    pub segments: Vec<SegmentCoverage>,
    /// Limits of the correlator that were hit.
    pub limits: LimitCounts,
}

/// What the flows of one segment carried, hid and lost.
#[derive(Debug)]
pub struct SegmentCoverage {
    /// The segment's name.
    pub name: Box<str>,
    /// Its class.
    pub class: &'static str,
    /// Its flows.
    pub tally: PlaceTally,
}

/// The coverage of workers' places, put together by segment.
pub fn segments<'p>(places: impl IntoIterator<Item = &'p Places>, correlator: &mut Correlator) -> Vec<SegmentCoverage> {
    let mut by_name: BTreeMap<(Box<str>, &'static str), PlaceTally> = BTreeMap::new();
    for (place, counts) in places.into_iter().flat_map(Places::all) {
        let segment = place.map_or_else(|| ("elsewhere".into(), "unknown"), |p| correlator.place(p.interface, &p.path, p.net.addr));
        by_name.entry(segment).or_default().merge(&counts);
    }
    let mut all: Vec<_> = by_name.into_iter().map(|((name, class), tally)| SegmentCoverage { name, class, tally }).collect();
    all.sort_by_key(|s| std::cmp::Reverse(s.tally.frames));
    all
}
