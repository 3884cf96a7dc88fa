//! Interfaces as a source: libpcap's TPACKET_V3 ring, read without blocking, opened again for as long as it takes.
//!
//! A ring never fails because of its interface: it waits for it, says so through its [`Link`], counts the time without sight, and
//! goes on. Must not know what is in the frames.

mod bpf;
mod fanout;
mod filter;
mod handle;
mod interface;
mod link;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ringfence_core::decode::Frame;
use ringfence_core::time::Timestamp;

use super::{CaptureError, Source, Step};
use handle::{Handle, Outcome, Unopened};

pub use filter::{Filter, SMALL_MAX};
pub use interface::{ANY, Counters, Interface, Interfaces};
pub use link::{Link, LinkState, LinkView};
pub use socket::ethtool;

/// How an interface is captured from.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The interface by name; `any` for all of them.
    pub interface: String,
    /// The number that its frames carry.
    pub interface_index: u16,
    /// How many rings share its frames.
    pub rings: u16,
    /// Which of them this is, counted from 0.
    pub ring: u16,
    /// Size of the kernel's ring in bytes.
    pub buffer_bytes: usize,
    /// Bytes that are kept of a frame.
    pub snaplen: u32,
    /// Ask for frames to other stations as well.
    pub promiscuous: bool,
    /// Deliver each frame at once (TPACKET_V2) in place of by blocks: for tests, not for load.
    pub immediate: bool,
    /// What the kernel shall deliver.
    pub filter: Filter,
    /// The fanout group that the rings of this interface join; no other program in the network namespace may use it.
    pub fanout_group: u16,
}

impl Default for LiveOptions {
    fn default() -> Self {
        LiveOptions {
            interface: String::new(),
            interface_index: 0,
            rings: 1,
            ring: 0,
            buffer_bytes: 64 * 1024 * 1024,
            // The largest that libpcap knows: a frame of 64 KiB that GRO merged or fanout reassembled, with its headers.
            snaplen: 262_144,
            promiscuous: true,
            immediate: false,
            filter: Filter::All,
            fanout_group: 0,
        }
    }
}

/// How long a ring waits for a frame before it says that there is none.
const IDLE: Duration = Duration::from_millis(100);

/// How often an open ring looks at its interface and its drop counters.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a ring that cannot open waits before it tries again: doubled from the first to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long a ring whose interface is gone is still read, so that what the kernel had is not lost.
const DRAIN: Duration = Duration::from_millis(60);

/// Fruitless wake-ups in a row after which a ring pauses, so that an interface in trouble costs no CPU.
const FRUITLESS_MAX: u32 = 3;

/// One ring of one interface.
pub struct Live {
    options: LiveOptions,
    link: Arc<Link>,
    stop: Arc<AtomicBool>,
    interfaces: Option<Interfaces>,
    open: Option<Handle>,
    /// Something is to be done before the next frame is read.
    pause: bool,
    /// The ring was found empty.
    empty: bool,
    fruitless: u32,
    /// When the interface is looked at again.
    look_at: Instant,
    /// The same for a ring that never runs empty, by the frames' stamps: when it was looked at.
    looked: Timestamp,
    retry: Duration,
    opened: u64,
    /// What reading said when it failed.
    failed: Option<String>,
    /// Until when a ring whose interface is gone is still read.
    drain_until: Option<Instant>,
}

impl Live {
    /// A ring that opens with its first [`Source::next`], as soon as it can.
    pub fn new(options: LiveOptions, link: Arc<Link>, stop: Arc<AtomicBool>) -> Self {
        let filtered = options.filter.expression().is_some();
        link.filtered.store(u8::from(filtered), Relaxed);
        Live {
            options,
            link,
            stop,
            interfaces: None,
            open: None,
            pause: true,
            empty: false,
            fruitless: 0,
            look_at: Instant::now(),
            looked: Timestamp::ZERO,
            retry: RETRY.0,
            opened: 0,
            failed: None,
            drain_until: None,
        }
    }

    /// What is to be done between frames: look at the interface, wait for frames. True when it is time to say that none arrived.
    #[cold]
    fn between(&mut self) -> bool {
        let now = Instant::now();
        if self.failed.is_some() || now >= self.look_at {
            self.look(now);
            self.looked = clock();
        }
        let wait = IDLE.min(self.look_at.saturating_duration_since(now));
        let Some(handle) = &mut self.open else {
            thread::sleep(wait);
            return true;
        };
        if !self.empty {
            self.pause = false;
            return false;
        }
        if self.fruitless >= FRUITLESS_MAX {
            thread::sleep(wait.min(Duration::from_millis(10)));
        } else if !handle.wait(wait) {
            return true;
        }
        handle.measure_age();
        (self.empty, self.pause) = (false, false);
        false
    }

    /// Compares the interface with what this ring holds of it.
    fn look(&mut self, now: Instant) {
        let found = match self.find() {
            Ok(found) => found,
            Err(error) => {
                // Without an answer the capture is the only witness.
                self.look_at = now + LOOK_EVERY;
                if self.open.is_none() {
                    self.stand(LinkState::Waiting, Some(format!("the kernel does not say what interfaces there are: {error}")));
                }
                return;
            }
        };
        match (&self.open, found) {
            (Some(handle), Some(found)) if handle.index() == found.index && self.failed.is_none() => self.look_at_open(now, &found),
            (Some(_), found) => self.leave(now, found.as_ref()),
            (None, Some(found)) => self.try_open(now, &found),
            (None, None) => {
                let state = if self.opened > 0 { LinkState::Gone } else { LinkState::Waiting };
                self.stand_closed(now, state, self.why_missing());
            }
        }
    }

    fn find(&mut self) -> std::io::Result<Option<Interface>> {
        if self.interfaces.is_none() {
            self.interfaces = Some(Interfaces::open()?);
        }
        let found = self.interfaces.as_mut().map_or(Ok(None), |i| i.find(&self.options.interface));
        if found.is_err() {
            self.interfaces = None;
        }
        found
    }

    fn look_at_open(&mut self, now: Instant, found: &Interface) {
        self.drain_until = None;
        self.look_at = now + LOOK_EVERY;
        if let Some(handle) = &mut self.open {
            handle.read_counters(&self.link, Some(&found.counters));
            handle.measure_age();
        }
        let (state, error) = standing(found);
        self.stand(state, error);
    }

    /// The interface is not the one any more that this ring has open: read what is left, then close.
    fn leave(&mut self, now: Instant, found: Option<&Interface>) {
        let until = *self.drain_until.get_or_insert(now + DRAIN);
        if self.failed.is_none() && now < until {
            self.look_at = until;
            return;
        }
        let failed = self.failed.take();
        let index = self.open.as_ref().map_or(0, Handle::index);
        self.close();
        let same = found.is_some_and(|f| f.index == index);
        let error = match (&failed, found) {
            (Some(text), Some(_)) if same => format!("reading failed ({text}); it is opened again"),
            (_, Some(_)) => "another interface has taken its name; that one is opened".to_string(),
            (_, None) => self.why_gone(index),
        };
        let state = if same { LinkState::Waiting } else { LinkState::Gone };
        self.retry = RETRY.0;
        self.stand_closed(now, state, error);
        if found.is_some() {
            self.look_at = now;
        }
    }

    fn why_missing(&self) -> String {
        let name = &self.options.interface;
        format!("there is no interface {name} (`ip link` shows which there are); it is captured from as soon as it appears")
    }

    fn why_gone(&mut self, index: u32) -> String {
        let name = self.options.interface.clone();
        match self.interfaces.as_mut().and_then(|i| i.find_index(index).ok().flatten()) {
            Some(renamed) => format!("{name} is called {} now: rename it back, or name that one in the configuration", renamed.name),
            None => format!("{name} was deleted; it is captured from as soon as it is there again"),
        }
    }

    fn try_open(&mut self, now: Instant, found: &Interface) {
        if !found.up {
            let (state, error) = standing(found);
            return self.stand_closed(now, state, error.unwrap_or_default());
        }
        match Handle::open(&self.options, found) {
            Ok(handle) => {
                self.open = Some(handle);
                if self.opened > 0 {
                    link::add(&self.link.reopened, 1);
                }
                self.opened += 1;
                (self.empty, self.fruitless, self.retry) = (false, 0, RETRY.0);
                self.look_at = now + LOOK_EVERY;
                let (state, error) = standing(found);
                self.stand(state, error);
            }
            Err(Unopened::Refused(why)) => self.stand_closed(now, LinkState::Refused, why),
            Err(Unopened::NotNow(why)) => self.stand_closed(now, LinkState::Waiting, why),
        }
    }

    fn stand(&mut self, state: LinkState, error: Option<String>) -> bool {
        self.link.stand(state, error)
    }

    /// Reports a state without a capture, and when it is tried again: soon after a change, then less and less often.
    fn stand_closed(&mut self, now: Instant, state: LinkState, error: String) {
        if self.stand(state, Some(error)) {
            self.retry = RETRY.0;
        }
        self.look_at = now + self.retry;
        self.retry = (self.retry * 2).min(RETRY.1);
    }

    fn close(&mut self) {
        if let Some(mut handle) = self.open.take() {
            handle.read_counters(&self.link, None);
        }
        self.drain_until = None;
        self.pause = true;
    }
}

/// How a ring with an open capture stands.
fn standing(found: &Interface) -> (LinkState, Option<String>) {
    let name = &found.name;
    if !found.up {
        return (LinkState::Down, Some(format!("{name} is set down: `ip link set {name} up`")));
    }
    if !found.carrier {
        return (LinkState::Down, Some(format!("{name} has no carrier: is the cable in, is the mirror port on?")));
    }
    (LinkState::Capturing, None)
}

/// The wall clock.
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The time up to which surely nothing more arrives: a frame may lie in the kernel's open block for a while.
fn quiet_until() -> Timestamp {
    clock().before(handle::BLOCK_TIMEOUT * 2)
}

impl Source for Live {
    #[inline]
    fn next(&mut self) -> Result<Step<'_>, CaptureError> {
        if self.stop.load(Relaxed) {
            self.close();
            return Ok(Step::End);
        }
        if self.pause && self.between() {
            return Ok(Step::Idle(quiet_until()));
        }
        let Live { open: Some(handle), link, options, pause, empty, fruitless, looked, failed, .. } = self else {
            return Ok(Step::Idle(quiet_until()));
        };
        let (link_type, interface) = (handle.link_type, options.interface_index);
        match handle.next(link) {
            Outcome::Frame { ts, bytes, wire_len } => {
                *fruitless = 0;
                // Also when the clock went back: by the distance.
                *pause = ts.distance(*looked) >= LOOK_EVERY;
                Ok(Step::Frame(Frame { ts, link_type, interface, bytes, wire_len, vlan: None }))
            }
            Outcome::Skipped => Ok(Step::Idle(quiet_until())),
            Outcome::Empty => {
                *fruitless += 1;
                (*empty, *pause) = (true, true);
                Ok(Step::Idle(quiet_until()))
            }
            Outcome::Failed(error) => {
                (*failed, *pause) = (Some(error), true);
                Ok(Step::Idle(quiet_until()))
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}
