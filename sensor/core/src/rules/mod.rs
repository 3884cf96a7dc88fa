//! Rules: which values of which fields are signs of which app, and how much each sign weighs.
//!
//! Reads rule files from text and matches field values. Must not know dissectors (the field list is passed in), flows,
//! devices or policy.

mod asked;
mod check;
mod ends;
mod file;
mod indicator;
mod name_list;
mod name_pattern;
mod name_table;
mod names;
mod prefixes;
mod scale;
mod set;
mod texts;

pub use check::{Coverage, TestFailure};
pub use file::{Pattern, Rule, RuleFile};
pub use indicator::{Effect, Indicator, IndicatorId, Maturity, Region, Surface, Teaches};
pub use name_list::NameList;
pub use names::{LOCAL_SUFFIXES, Names};
pub use set::{RuleSet, SERVER};
