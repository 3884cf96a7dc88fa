//! What is known about one ring of one interface: whether it captures, what it lost, how long it was blind. Written by the ring's
//! thread, read by everybody.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ringfence_core::time::Timestamp;

/// How a ring stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// It has not been opened yet.
    #[default]
    Waiting,
    /// Frames are taken.
    Capturing,
    /// The interface is there, but down.
    Down,
    /// There is no interface of this name.
    Gone,
    /// The system refuses: the error says why.
    Refused,
}

impl LinkState {
    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            LinkState::Waiting => "waiting",
            LinkState::Capturing => "capturing",
            LinkState::Down => "down",
            LinkState::Gone => "gone",
            LinkState::Refused => "refused",
        }
    }
}

/// A ring's side of an interface at a moment.
#[derive(Clone, Debug, Default)]
pub struct LinkView {
    /// The interface.
    pub interface: String,
    /// Which of its rings.
    pub ring: u16,
    /// How it stands.
    pub state: LinkState,
    /// Why it does not capture, with the remedy.
    pub error: Option<String>,
    /// Frames that the kernel passed to this ring, those that it dropped included.
    pub received: u64,
    /// Frames that the kernel dropped because the ring was full.
    pub dropped_kernel: u64,
    /// Frames that the interface itself dropped since the start; ring 0 counts them for all.
    pub dropped_nic: u64,
    /// How often it was opened again.
    pub reopened: u64,
    /// Time in which it did not capture, nanoseconds.
    pub blind_nanos: u64,
    /// The latest frame.
    pub last_frame: Option<Timestamp>,
    /// The kernel passes only part of the traffic, on request.
    pub filtered: bool,
}

/// The place where a ring says how it stands.
#[derive(Debug)]
pub struct Link(Mutex<LinkView>);

impl Link {
    /// A ring that has not been opened.
    pub fn new(interface: &str, ring: u16) -> Link {
        Link(Mutex::new(LinkView { interface: interface.to_string(), ring, ..LinkView::default() }))
    }

    /// How it stands.
    pub fn view(&self) -> LinkView {
        self.lock().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut LinkView)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, LinkView> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
