//! Metrics in the Prometheus text format.

use std::fmt::Write;

use crate::state::State;

/// Every metric.
#[derive(Debug, Default)]
pub struct Metrics;

impl Metrics {
    /// The table of metrics.
    pub fn new() -> Self {
        Metrics
    }

    /// The text.
    pub fn render(&self, state: &State) -> String {
        let mut text = String::from("# HELP ringfence_frames_total Frames that were looked at.\n# TYPE ringfence_frames_total counter\n");
        for ring in &state.status().rings {
            let _ = writeln!(text, "ringfence_frames_total{{interface=\"{}\",ring=\"{}\"}} {}", ring.interface, ring.ring, ring.frames);
        }
        text
    }
}
