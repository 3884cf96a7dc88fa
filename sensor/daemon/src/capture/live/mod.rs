//! A live interface: frames from the kernel's ring, and the truth about what did not come.
//!
//! libpcap with TPACKET_V3, non-blocking, waited for with poll(2): a blocking read on a quiet link does not come back. An interface
//! that is missing, down, refused or replaced is waited for with growing pauses, and the time is counted as blind.

mod fanout;
mod filter;
mod handle;
mod interface;
mod link;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ringfence_core::decode::Frame;
use ringfence_core::time::Timestamp;

use super::{CaptureError, Source, Step};
use crate::clock::now;
use handle::{Handle, OpenError};
use interface::Presence;

pub use filter::Filter;
pub use link::{Link, LinkState, LinkView};

/// How long one wait for frames lasts at most.
const WAIT: Duration = Duration::from_millis(100);

/// How often counters and the interface itself are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Frames between two looks at the clock under load.
const FRAMES_PER_LOOK: u32 = 1_024;

/// The first and the longest pause before another attempt to open.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How an interface is captured.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Its name; `any` for all.
    pub interface: String,
    /// What frames call it.
    pub interface_index: u16,
    /// Rings of this interface.
    pub rings: u16,
    /// Which of them.
    pub ring: u16,
    /// Kernel buffer, bytes.
    pub buffer_bytes: usize,
    /// Bytes kept of a frame.
    pub snaplen: u32,
    /// See frames that are not for this host.
    pub promiscuous: bool,
    /// Deliver each frame at once (TPACKET_V2): for tests of latency, not for load.
    pub immediate: bool,
    /// What the kernel passes on.
    pub filter: Filter,
    /// The fanout group of this interface's rings.
    pub fanout_group: u16,
}

/// One ring of a live interface.
pub struct Live {
    options: LiveOptions,
    link: Arc<Link>,
    stop: Arc<AtomicBool>,
    handle: Option<Handle>,
    /// Set when the handle is of no use any more; it is dropped at the next call.
    broken: bool,
    opened: bool,
    pause: Duration,
    retry: Instant,
    looked: Instant,
    frames: u32,
    /// Since when nothing is captured.
    blind: Option<Instant>,
    nic_base: Option<u64>,
    last_frame: Option<Timestamp>,
}

impl Live {
    /// A ring that opens its interface when it can.
    pub fn new(options: LiveOptions, link: Arc<Link>, stop: Arc<AtomicBool>) -> Live {
        let now = Instant::now();
        let filtered = !matches!(options.filter, Filter::All);
        link.update(|view| view.filtered = filtered);
        Live {
            options,
            link,
            stop,
            handle: None,
            broken: false,
            opened: false,
            pause: PAUSES.0,
            retry: now,
            looked: now,
            frames: 0,
            blind: None,
            nic_base: None,
            last_frame: None,
        }
    }

    /// Opens the interface when it is time; waits a little when it cannot be opened.
    fn open(&mut self) {
        let began = *self.blind.get_or_insert_with(Instant::now);
        if Instant::now() < self.retry {
            thread::sleep(WAIT.min(self.retry.saturating_duration_since(Instant::now())));
            self.tell_blind();
            return;
        }
        match Handle::open(&self.options) {
            Ok(handle) => {
                self.handle = Some(handle);
                self.pause = PAUSES.0;
                self.blind = None;
                let again = std::mem::replace(&mut self.opened, true);
                let nic = interface::dropped(&self.options.interface);
                self.nic_base.get_or_insert(nic);
                self.link.update(|view| {
                    // The first opening is no blindness: nobody was promised anything before.
                    view.blind_nanos += if again { nanos(began.elapsed()) } else { 0 };
                    view.reopened += u64::from(again);
                    view.state = LinkState::Capturing;
                    view.error = None;
                });
            }
            Err(error) => self.failed(error),
        }
    }

    fn failed(&mut self, error: OpenError) {
        self.retry = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.link.update(|view| {
            if view.ring == 0 && view.state != error.state {
                eprintln!("ringfence: {}: {}", view.interface, error.message);
            }
            view.state = error.state;
            view.error = Some(error.message);
        });
        self.tell_blind();
    }

    /// Books the blind time so far, so that a reader sees it grow.
    fn tell_blind(&mut self) {
        let Some(began) = self.blind.as_mut().filter(|_| self.opened || self.link.view().state != LinkState::Waiting) else { return };
        let span = began.elapsed();
        *began = Instant::now();
        self.link.update(|view| view.blind_nanos += nanos(span));
    }

    /// Looks at counters and at the interface; drops a handle whose interface is not the same any more.
    fn look(&mut self) {
        self.looked = Instant::now();
        self.frames = 0;
        let Some(handle) = &mut self.handle else { return };
        let counts = handle.counts();
        let nic = interface::dropped(&self.options.interface);
        let lost_nic = if self.options.ring == 0 { nic.saturating_sub(self.nic_base.unwrap_or(nic)) } else { 0 };
        let last = self.last_frame;
        self.link.update(|view| {
            view.received += counts.received;
            view.dropped_kernel += counts.dropped;
            view.dropped_nic = view.dropped_nic.max(lost_nic);
            view.last_frame = last.or(view.last_frame);
        });
        if interface::presence(&self.options.interface) != Presence::Up(handle.index()) {
            self.broken = true;
        }
    }

    fn drop_broken(&mut self) {
        self.broken = false;
        if let Some(mut handle) = self.handle.take() {
            let counts = handle.counts();
            self.link.update(|view| {
                view.received += counts.received;
                view.dropped_kernel += counts.dropped;
            });
        }
        self.retry = Instant::now();
    }
}

impl Source for Live {
    fn next(&mut self) -> Result<Step<'_>, CaptureError> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Step::End);
        }
        self.frames += 1;
        if self.frames >= FRAMES_PER_LOOK || self.handle.is_none() {
            if self.looked.elapsed() >= LOOK_EVERY {
                self.look();
            }
            self.frames = 0;
        }
        if self.broken {
            self.drop_broken();
        }
        if self.handle.is_none() {
            self.open();
        }
        let Live { options, handle, broken, frames, last_frame, .. } = self;
        let Some(handle) = handle else { return Ok(Step::Idle(now())) };
        let link_type = handle.link_type();
        match handle.take_or_wait(WAIT) {
            Ok(Some(packet)) => {
                let ts = handle::time_of(&packet);
                *last_frame = Some(ts);
                let (bytes, wire_len) = (packet.data, packet.header.len);
                Ok(Step::Frame(Frame { ts, link_type, interface: options.interface_index, bytes, wire_len, vlan: None }))
            }
            Ok(None) => {
                // Quiet: whoever has nothing to do can look around.
                *frames = FRAMES_PER_LOOK;
                Ok(Step::Idle(now()))
            }
            Err(_) => {
                *broken = true;
                Ok(Step::Idle(now()))
            }
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
