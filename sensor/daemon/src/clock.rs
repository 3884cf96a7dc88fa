//! The sensor's clock, the one place where the time of day is read.

use std::time::SystemTime;

use ringfence_core::time::Timestamp;

/// The time of day.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs_nanos(since.as_secs(), u64::from(since.subsec_nanos()))
}
