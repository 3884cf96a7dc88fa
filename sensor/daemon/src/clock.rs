//! The sensor's clocks, the one place where the time of day and the processor's time are read.

use std::time::{Duration, SystemTime};

use ringfence_core::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// The time of day.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs_nanos(since.as_secs(), u64::from(since.subsec_nanos()))
}

/// Processor time that the calling thread has used.
pub fn thread_cpu() -> Duration {
    used(ClockId::ThreadCPUTime)
}

/// Processor time that the process has used, all threads together.
pub fn process_cpu() -> Duration {
    used(ClockId::ProcessCPUTime)
}

fn used(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}
