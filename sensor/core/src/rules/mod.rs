//! Rules: which values of which fields are signs of which app, and how much each sign weighs.
//!
//! Reads rule files from text and matches field values. Must not know dissectors (the field list is passed in), flows,
//! devices or policy.

mod explain;
mod file;
mod indicator;
mod names;
mod pattern;
mod prefixes;
mod scale;
mod selftest;
mod set;
mod texts;

pub use explain::{Explanation, Near, Outcome, Reason};
pub use file::{Layer, RuleFile};
pub use indicator::{Effect, Indicator, IndicatorId, Maturity, Region, Surface, Teaches};
pub use names::{LOCAL_SUFFIXES, RUNTIME_SUFFIXES_MAX, Suffixes};
pub use pattern::{NamePattern, Pattern, TextHow};
pub use scale::{Confidence, SIGNALS};
pub use selftest::{Expect, RuleTest, TestOutcome, TestRun, Untested};
pub use set::{AppInfo, RuleSet};

#[cfg(test)]
mod testing;
