//! One opened libpcap handle with a TPACKET_V3 ring, joined to its group.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Error, Packet, Precision};
use ringfence_core::time::Timestamp;

use super::interface::{ANY, Presence, presence};
use super::{LinkState, LiveOptions, fanout, socket};

/// How long the kernel collects frames in a block before it hands them over.
const BLOCK_MILLIS: i32 = 50;

/// Why an interface cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    /// How the ring stands now.
    pub state: LinkState,
    /// What is wrong, and the remedy.
    pub message: String,
}

/// Frames since the last question.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub received: u64,
    pub dropped: u64,
}

/// An opened interface.
pub struct Handle {
    capture: Capture<Active>,
    waiter: OwnedFd,
    link_type: u16,
    index: u32,
    /// libpcap's counts at the last question: they are 32 bits wide and wrap.
    told: (u32, u32),
}

impl Handle {
    /// Opens the interface and joins its rings.
    pub fn open(options: &LiveOptions) -> Result<Handle, OpenError> {
        let name = &options.interface;
        let index = match presence(name) {
            Presence::Up(index) => index,
            Presence::Down(_) => return Err(refuse(LinkState::Down, format!("the interface is down; `ip link set {name} up` raises it"))),
            Presence::Gone => return Err(refuse(LinkState::Gone, "there is no such interface; `ip -br link` lists them".to_string())),
        };
        let mut capture = activate(options).map_err(|error| why(name, &error))?;
        if let Some(filter) = options.filter.text() {
            let wrong = |error: Error| refuse(LinkState::Refused, format!("the filter cannot be used: {error}; see pcap-filter(7)"));
            capture.filter(&filter, true).map_err(wrong)?;
        }
        if options.rings > 1 {
            let joined = socket::join_fanout(capture.as_fd(), options.fanout_group, &mut fanout::program());
            joined.map_err(|error| {
                refuse(LinkState::Refused, format!("the rings cannot be joined: {error}; set `rings = 1` in [capture]"))
            })?;
        }
        let waiter = capture.as_fd().try_clone_to_owned().map_err(|e| refuse(LinkState::Refused, format!("out of descriptors: {e}")))?;
        let link_type = link_type(capture.get_datalink().0);
        Ok(Handle { capture, waiter, link_type, index, told: (0, 0) })
    }

    /// The next frame; where there is none, waits until there may be one, or the time is over.
    pub fn take_or_wait(&mut self, time: Duration) -> Result<Option<Packet<'_>>, Error> {
        match self.capture.next_packet() {
            Ok(packet) => Ok(Some(packet)),
            Err(Error::TimeoutExpired) => {
                wait(&self.waiter, time);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The number in the LINKTYPE registry.
    pub fn link_type(&self) -> u16 {
        self.link_type
    }

    /// The number of the interface that was opened.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Frames since the last question.
    pub fn counts(&mut self) -> Counts {
        let Ok(stat) = self.capture.stats() else { return Counts::default() };
        let (received, dropped) = std::mem::replace(&mut self.told, (stat.received, stat.dropped));
        Counts { received: stat.received.wrapping_sub(received).into(), dropped: stat.dropped.wrapping_sub(dropped).into() }
    }
}

fn activate(options: &LiveOptions) -> Result<Capture<Active>, Error> {
    let bytes = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let inactive = Capture::from_device(options.interface.as_str())?
        .promisc(options.promiscuous && options.interface != ANY)
        .snaplen(bytes(options.snaplen as usize))
        .buffer_size(bytes(options.buffer_bytes))
        .precision(Precision::Nano)
        .timeout(BLOCK_MILLIS)
        .immediate_mode(options.immediate);
    inactive.open()?.setnonblock()
}

fn refuse(state: LinkState, message: String) -> OpenError {
    OpenError { state, message }
}

/// What libpcap's refusal means.
fn why(name: &str, error: &Error) -> OpenError {
    let text = error.to_string();
    let lower = text.to_lowercase();
    if lower.contains("permission") || lower.contains("not permitted") {
        let help = "start it as root or by systemd: CAP_NET_RAW is needed (`setcap cap_net_raw+ep` on the binary does it too)";
        return refuse(LinkState::Refused, format!("capturing is not permitted; {help}"));
    }
    if lower.contains("not up") || lower.contains("network is down") {
        return refuse(LinkState::Down, format!("the interface is down; `ip link set {name} up` raises it"));
    }
    if lower.contains("no such device") {
        return refuse(LinkState::Gone, "there is no such interface; `ip -br link` lists them".to_string());
    }
    refuse(LinkState::Refused, format!("cannot be captured: {text}"))
}

/// From libpcap's numbers (DLT) to those of capture files (LINKTYPE), which differ for raw IP.
fn link_type(dlt: i32) -> u16 {
    match dlt {
        12 | 14 => 101,
        other => u16::try_from(other).unwrap_or(u16::MAX),
    }
}

/// The stamp of a frame: with nanosecond precision libpcap puts nanoseconds where microseconds would be.
pub fn time_of(packet: &Packet<'_>) -> Timestamp {
    let ts = packet.header.ts;
    Timestamp::from_secs_nanos(u64::try_from(ts.tv_sec).unwrap_or(0), u64::try_from(ts.tv_usec).unwrap_or(0))
}

/// Waits until there is something to read, or the time is over. A socket that only reports errors (interface down) would be readable
/// all the time: then it waits by the clock.
fn wait(fd: &OwnedFd, time: Duration) {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
    let found = poll(&mut fds, timeout);
    let error = fds[0].revents().is_some_and(|events| events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL));
    if found.is_err() || error {
        std::thread::sleep(time / 10);
    }
}
