//! Rules: which values of which fields are signs of which app, and how much each sign weighs.
//!
//! Reads rule files from text and matches field values. Must not know dissectors (the field list is passed in), flows,
//! devices or policy.

mod indicator;

pub use indicator::{Effect, Indicator, IndicatorId, Maturity, Region, Surface, Teaches};
