//! Telling the service manager: ready, alive, ending. Alive means that every ring takes steps, not merely that the process runs.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The watchdog's side of `Type=notify`.
#[derive(Debug)]
pub struct Watchdog {
    every: Option<Duration>,
    last: Instant,
}

impl Watchdog {
    /// Reads what the service manager wants (`WATCHDOG_USEC`).
    pub fn from_environment() -> Self {
        Watchdog { every: sd_notify::watchdog_enabled().map(|limit| limit / 3), last: Instant::now() }
    }

    /// Says that the sensor is alive, where that is wanted and it is time. `progress` tells whether every ring takes steps; it is only
    /// asked when it is time.
    pub fn beat(&mut self, progress: impl FnOnce() -> bool) {
        let Some(every) = self.every else { return };
        if self.last.elapsed() >= every && progress() {
            self.last = Instant::now();
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}

/// Everything runs.
pub fn ready(status: &str) {
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The end has begun.
pub fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}
