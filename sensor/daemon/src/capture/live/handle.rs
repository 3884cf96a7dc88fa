//! An open capture: how it is opened and joined with its sisters, how a frame is read from it, what it counts.
//!
//! Must not know when it is opened again.

use std::time::Duration;

use ::pcap::{Active, Capture, Error, Precision};
use ringfence_core::time::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::sync::atomic::Ordering::Relaxed;

use super::filter::message;
use super::interface::{ANY, Counters, Interface};
use super::link::{Link, add};
use super::{LiveOptions, clock, fanout, socket};

/// After this time the kernel hands over a block that is not full: the latency of a quiet link.
pub const BLOCK_TIMEOUT: Duration = Duration::from_millis(10);

/// Link layers besides the MTU: two MAC addresses, EtherType, two VLAN tags.
const LINK_HEADERS: u32 = 22;

/// A capture that delivers.
pub struct Handle {
    capture: Capture<Active>,
    /// As the decoder counts link types.
    pub link_type: u16,
    index: u32,
    /// A frame beyond this was merged or not cut yet.
    long: u32,
    /// Frames stamped before this may have gone to a sister ring as well.
    joined: Option<Timestamp>,
    measure_age: bool,
    kernel_drops: u32,
    /// The interface's counters when they were read last; ring 0 alone keeps them.
    counters: Option<Counters>,
}

/// Why there is no capture.
pub enum Unopened {
    /// It will not work until somebody does something.
    Refused(String),
    /// It may work later.
    NotNow(String),
}

/// What reading gave.
pub enum Outcome<'a> {
    /// A frame.
    Frame {
        /// When the kernel saw it.
        ts: Timestamp,
        /// What was kept of it.
        bytes: &'a [u8],
        /// How long it was.
        wire_len: u32,
    },
    /// A frame that another ring has as well.
    Skipped,
    /// There is none now.
    Empty,
    /// The capture is broken.
    Failed(String),
}

impl Handle {
    /// Opens a capture on an interface that is up.
    pub fn open(options: &LiveOptions, found: &Interface) -> Result<Self, Unopened> {
        let name = options.interface.as_str();
        let clamp = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let capture = Capture::from_device(name)
            .map_err(|error| why(&error, name))?
            .precision(Precision::Nano)
            .buffer_size(clamp(options.buffer_bytes))
            .snaplen(clamp(options.snaplen as usize))
            // libpcap warns about a promiscuous `any`, and the warning would count as a failure.
            .promisc(options.promiscuous && name != ANY)
            .immediate_mode(options.immediate)
            .timeout(clamp(BLOCK_TIMEOUT.as_millis() as usize));
        let capture = capture.open().map_err(|error| why(&error, name))?;
        let mut capture = capture.setnonblock().map_err(|error| why(&error, name))?;
        if let Some(expression) = options.filter.expression() {
            let refuse = |error| Unopened::Refused(format!("{name}: the filter is none: {}; correct it (pcap-filter(7))", message(&error)));
            capture.filter(&expression, true).map_err(refuse)?;
        }
        let joined = if options.rings > 1 { Some(join(&capture, options)?) } else { None };
        Ok(Handle {
            link_type: link_type(capture.get_datalink().0),
            capture,
            index: found.index,
            long: if found.mtu == 0 { u32::MAX } else { found.mtu.saturating_add(LINK_HEADERS) },
            joined,
            measure_age: true,
            kernel_drops: 0,
            counters: (options.ring == 0).then_some(found.counters),
        })
    }

    /// The kernel's number of the interface that this is open on.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Waits for frames; false when none arrived in this time.
    pub fn wait(&self, at_most: Duration) -> bool {
        let timeout = Timespec { tv_sec: at_most.as_secs().cast_signed(), tv_nsec: at_most.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.capture, PollFlags::IN)];
        !matches!(poll(&mut fds, Some(&timeout)), Ok(0))
    }

    /// Asks that the age of the next frame be measured.
    pub fn measure_age(&mut self) {
        self.measure_age = true;
    }

    /// The next frame, if there is one now.
    #[inline]
    pub fn next(&mut self, link: &Link) -> Outcome<'_> {
        let packet = match self.capture.next_packet() {
            Ok(packet) => packet,
            Err(Error::TimeoutExpired | Error::NoMorePackets) => return Outcome::Empty,
            Err(error) => return Outcome::Failed(message(&error)),
        };
        // With nanosecond precision the microseconds' field holds nanoseconds.
        let (secs, nanos) = (packet.header.ts.tv_sec.cast_unsigned(), packet.header.ts.tv_usec.cast_unsigned());
        let ts = Timestamp::from_secs_nanos(secs, nanos);
        if let Some(joined) = self.joined {
            if ts < joined {
                return Outcome::Skipped;
            }
            self.joined = None;
        }
        let wire_len = packet.header.len;
        add(&link.received, 1);
        add(&link.received_bytes, u64::from(wire_len));
        link.last_frame.store(ts.nanos(), Relaxed);
        if wire_len > packet.header.caplen {
            add(&link.truncated, 1);
        }
        if wire_len > self.long {
            add(&link.oversized, 1);
        }
        if self.measure_age {
            self.measure_age = false;
            let age = clock().since(ts);
            link.age.store(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        }
        Outcome::Frame { ts, bytes: packet.data, wire_len }
    }

    /// Adds what was dropped since the last call; `now` are the interface's counters, where it can still be asked.
    pub fn read_counters(&mut self, link: &Link, now: Option<&Counters>) {
        // Whatever was stamped before the join has come by now; and a clock that went back must not blind the ring.
        self.joined = None;
        if let Ok(stats) = self.capture.stats() {
            add(&link.dropped_kernel, u64::from(stats.dropped.wrapping_sub(self.kernel_drops)));
            self.kernel_drops = stats.dropped;
        }
        if let (Some(before), Some(now)) = (&mut self.counters, now) {
            add(&link.dropped_nic, now.missed.saturating_sub(before.missed));
            let passed = |c: &Counters| c.frames.saturating_add(c.sent);
            add(&link.passed_nic, passed(now).saturating_sub(passed(before)));
            *before = *now;
        }
    }
}

/// Joins the fanout group; gives the time from which on every frame comes to one ring only.
fn join(capture: &Capture<Active>, options: &LiveOptions) -> Result<Timestamp, Unopened> {
    let group = options.fanout_group;
    let not_now = |what: &str, error: std::io::Error| {
        let name = &options.interface;
        let hint = "is it another program's? give this sensor a group of its own";
        Unopened::NotNow(format!("{name}: {what} fanout group {group}: {error}; {hint}"))
    };
    socket::join_fanout(capture, group).map_err(|error| not_now("cannot join", error))?;
    socket::set_fanout_program(capture, &fanout::program()).map_err(|error| not_now("cannot give the program to", error))?;
    Ok(clock())
}

/// What it takes when the system refuses; whether it does, a socket of our own tells better than libpcap's words.
fn why(error: &Error, interface: &str) -> Unopened {
    let what = message(error);
    match socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None) {
        Err(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => Unopened::Refused(format!(
            "{interface}: capturing is not permitted: it takes CAP_NET_RAW; run it as the shipped service, as root, or after \
             `setcap cap_net_raw+ep` on the program"
        )),
        _ => Unopened::NotNow(format!("{interface}: {what}")),
    }
}

/// libpcap's DLT to the LINKTYPE that the decoder counts in, where they differ on Linux (pcap-common.c).
fn link_type(dlt: i32) -> u16 {
    match dlt {
        12 => 101,
        16 => 106,
        19 => 106,
        11 => 100,
        other => u16::try_from(other).unwrap_or(u16::MAX),
    }
}
