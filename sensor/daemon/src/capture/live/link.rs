//! One ring's counters and state: written by the thread that captures, read by everybody.
//!
//! Must not know how a capture is made.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringfence_core::time::Timestamp;

/// How a ring stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// The interface was not seen yet, or could not be opened.
    #[default]
    Waiting,
    /// Frames arrive whenever there are any.
    Capturing,
    /// The interface is there, but it is set down or has no carrier.
    Down,
    /// The interface was there and is not any more: deleted or renamed.
    Gone,
    /// It cannot be captured from as things are: a missing privilege, a filter that is none.
    Refused,
}

impl LinkState {
    const ALL: [LinkState; 5] = [LinkState::Waiting, LinkState::Capturing, LinkState::Down, LinkState::Gone, LinkState::Refused];

    /// The word for it in metrics and the API.
    pub fn name(self) -> &'static str {
        match self {
            LinkState::Waiting => "waiting",
            LinkState::Capturing => "capturing",
            LinkState::Down => "down",
            LinkState::Gone => "gone",
            LinkState::Refused => "refused",
        }
    }
}

/// What a ring counted up to now; counters never go back, whatever happens to the interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// The interface by name.
    pub interface: String,
    /// Which of its rings.
    pub ring: u16,
    /// How it stands.
    pub state: LinkState,
    /// Why it does not capture, and what to do about it.
    pub error: Option<String>,
    /// Frames that were delivered.
    pub received: u64,
    /// Bytes of these frames on the wire.
    pub received_bytes: u64,
    /// Frames that found the kernel's ring full.
    pub dropped_kernel: u64,
    /// Frames that the interface itself lost. Counted by ring 0 for the whole interface, 0 in the others.
    pub dropped_nic: u64,
    /// Frames that the interface says it received and sent. Counted by ring 0 for the whole interface, 0 in the others; what is
    /// neither delivered nor dropped of them, the filter held back.
    pub passed_nic: u64,
    /// Frames that the snap length cut.
    pub truncated: u64,
    /// Frames longer than the MTU allows: merged by GRO or LRO, or not yet cut by TSO.
    pub oversized: u64,
    /// How often a capture was opened again after the first time.
    pub reopened: u64,
    /// Time without a working capture since the start, in nanoseconds, the running spell included.
    pub blind_nanos: u64,
    /// The stamp of the last frame.
    pub last_frame: Option<Timestamp>,
    /// How old a frame was when it was taken from the ring, the last time that this was measured.
    pub age: Duration,
    /// A filter keeps frames back.
    pub filtered: bool,
}

/// The shared side of a ring.
#[derive(Debug)]
pub struct Link {
    interface: String,
    ring: u16,
    epoch: Instant,
    state: AtomicU8,
    error: Mutex<Option<String>>,
    pub(super) received: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) dropped_kernel: AtomicU64,
    pub(super) dropped_nic: AtomicU64,
    pub(super) passed_nic: AtomicU64,
    pub(super) truncated: AtomicU64,
    pub(super) oversized: AtomicU64,
    pub(super) reopened: AtomicU64,
    pub(super) filtered: AtomicU8,
    pub(super) last_frame: AtomicU64,
    pub(super) age: AtomicU64,
    blind: AtomicU64,
    /// Since when it is blind, in nanoseconds after the epoch; [`SEEING`] when it is not.
    blind_since: AtomicU64,
}

const SEEING: u64 = u64::MAX;

/// Adds to a counter that one thread alone writes: no locked instruction on the packet path.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}

impl Link {
    /// A ring that waits for its interface, blind from now on.
    pub fn new(interface: &str, ring: u16) -> Self {
        let counter = || AtomicU64::new(0);
        Link {
            interface: interface.to_string(),
            ring,
            epoch: Instant::now(),
            state: AtomicU8::new(0),
            error: Mutex::new(None),
            received: counter(),
            received_bytes: counter(),
            dropped_kernel: counter(),
            dropped_nic: counter(),
            passed_nic: counter(),
            truncated: counter(),
            oversized: counter(),
            reopened: counter(),
            filtered: AtomicU8::new(0),
            last_frame: counter(),
            age: counter(),
            blind: counter(),
            blind_since: counter(),
        }
    }

    /// What was counted up to now. The numbers are read one after the other while the ring goes on counting.
    pub fn view(&self) -> LinkView {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let spell = match read(&self.blind_since) {
            SEEING => 0,
            since => self.elapsed().saturating_sub(since),
        };
        LinkView {
            interface: self.interface.clone(),
            ring: self.ring,
            state: self.state(),
            error: self.error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            received: read(&self.received),
            received_bytes: read(&self.received_bytes),
            dropped_kernel: read(&self.dropped_kernel),
            dropped_nic: read(&self.dropped_nic),
            passed_nic: read(&self.passed_nic),
            truncated: read(&self.truncated),
            oversized: read(&self.oversized),
            reopened: read(&self.reopened),
            blind_nanos: read(&self.blind).saturating_add(spell),
            last_frame: Some(read(&self.last_frame)).filter(|n| *n != 0).map(Timestamp::from_nanos),
            age: Duration::from_nanos(read(&self.age)),
            filtered: self.filtered.load(Relaxed) != 0,
        }
    }

    /// How it stands.
    pub fn state(&self) -> LinkState {
        LinkState::ALL.get(usize::from(self.state.load(Relaxed))).copied().unwrap_or_default()
    }

    /// Frames delivered so far: what a watchdog looks at.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Reports how the ring stands from now on; true when that is news.
    pub(super) fn stand(&self, state: LinkState, error: Option<String>) -> bool {
        let now = self.elapsed();
        match (state, self.blind_since.load(Relaxed)) {
            (LinkState::Capturing, SEEING) => {}
            (LinkState::Capturing, since) => {
                self.blind_since.store(SEEING, Relaxed);
                add(&self.blind, now.saturating_sub(since));
            }
            (_, SEEING) => self.blind_since.store(now, Relaxed),
            _ => {}
        }
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
        let number = LinkState::ALL.iter().position(|s| *s == state).unwrap_or(0);
        self.state.swap(number as u8, Relaxed) != number as u8
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(SEEING - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_time_runs_until_frames_can_arrive() {
        let link = Link::new("span0", 1);
        let first = link.view();
        assert_eq!((first.interface.as_str(), first.ring, first.state), ("span0", 1, LinkState::Waiting));
        assert!(link.stand(LinkState::Capturing, None));
        let seeing = link.view().blind_nanos;
        assert!(seeing >= first.blind_nanos);
        assert_eq!(link.view().blind_nanos, seeing);
        assert!(link.stand(LinkState::Gone, Some("it was deleted".into())));
        assert!(!link.stand(LinkState::Gone, Some("it was deleted".into())));
        let gone = link.view();
        assert_eq!((gone.state, gone.error.as_deref()), (LinkState::Gone, Some("it was deleted")));
        let deadline = Instant::now() + Duration::from_secs(5);
        while link.view().blind_nanos == gone.blind_nanos {
            assert!(Instant::now() < deadline, "blind time stands still");
        }
    }

    #[test]
    fn every_state_survives_the_way_through_a_number() {
        let link = Link::new("span0", 0);
        for state in LinkState::ALL {
            link.stand(state, None);
            assert_eq!(link.state(), state);
        }
    }
}
