//! What leaves the sensor, and in which form. Core types are not wire types: each form has its own structs.

pub mod csv;
pub mod human;
pub mod json;

use ringfence_core::finding::{Finding, FlowRow};
use ringfence_core::limits::LimitCounts;
use ringfence_core::worker::Tally;

/// Everything that one scan has to say.
#[derive(Debug)]
pub struct ScanResult {
    /// The inputs, as the operator named them.
    pub inputs: Vec<String>,
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
    /// Limits of the correlator that were hit.
    pub limits: LimitCounts,
}
