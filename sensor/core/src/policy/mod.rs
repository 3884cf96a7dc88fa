//! Policy: what the organisation allows where, and the verdict on a device, an app, a place and a time.
//!
//! Must never know frames, flows, dissectors or the worker.

mod words;

pub use words::{Level, SegmentClass, Status, Verdict};
