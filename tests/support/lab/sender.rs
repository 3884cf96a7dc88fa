//! Sends frames as fast as is asked for: AF_PACKET, many frames with one call.

use std::fs::File;
use std::io::{self, BufReader, IoSlice, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, sendmmsg, socket};

use super::Namespace;

/// Frames with one call.
const BATCH: usize = 64;

/// An end of a wire, ready to send.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    to: LinkAddr,
}

impl Sender {
    /// Opens an interface.
    ///
    /// # Errors
    /// When it is not there or the kernel refuses.
    pub fn open(namespace: &Namespace, interface: &str) -> io::Result<Self> {
        namespace.run(|| {
            // Protocol 0: nothing is received on this socket, so sending costs no reception.
            let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
            let ours = getifaddrs()?.filter(|a| a.interface_name == interface);
            let address = ours.filter_map(|a| a.address).find_map(|a| a.as_link_addr().copied());
            let to = address.ok_or_else(|| io::Error::other(format!("{interface} has no link address")))?;
            Ok(Sender { socket, to })
        })
    }

    /// Sends all, unless the pace ends before.
    ///
    /// # Errors
    /// When the kernel refuses a frame.
    pub fn send<F: AsRef<[u8]>>(&self, frames: &[F], pace: &mut Pace) -> io::Result<()> {
        let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, None);
        let to = vec![Some(self.to); BATCH];
        let slices: Vec<[IoSlice<'_>; 1]> = frames.iter().map(|f| [IoSlice::new(f.as_ref())]).collect();
        let mut left = &slices[..];
        while !left.is_empty() && pace.goes_on() {
            let batch = &left[..left.len().min(BATCH)];
            let flags = MsgFlags::empty();
            match sendmmsg(self.socket.as_raw_fd(), &mut headers, batch, &to[..batch.len()], [], flags).map(Iterator::count) {
                Ok(sent) => {
                    left = &left[sent..];
                    pace.sent += sent as u64;
                }
                // The far end is full for a moment.
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// How fast, how long, and how much so far.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Frames sent.
    pub sent: u64,
    begun: Instant,
    rate: Option<u64>,
    limit: Option<Duration>,
}

impl Pace {
    /// At most `rate` frames per second, for `limit` at most; from now on.
    pub fn new(rate: Option<u64>, limit: Option<Duration>) -> Self {
        Pace { sent: 0, begun: Instant::now(), rate, limit }
    }

    /// As fast as it goes, until everything is sent.
    pub fn free() -> Self {
        Pace::new(None, None)
    }

    /// Since it began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until the next frame is due; false when time is over.
    pub fn goes_on(&self) -> bool {
        if let Some(rate) = self.rate {
            wait_until(self.begun + Duration::from_nanos((self.sent as u128 * 1_000_000_000 / u128::from(rate)) as u64));
        }
        self.limit.is_none_or(|limit| self.begun.elapsed() < limit)
    }
}

/// Batches are some ten microseconds apart: too short to sleep.
fn wait_until(at: Instant) {
    while let Some(left) = at.checked_duration_since(Instant::now()) {
        if left > Duration::from_millis(2) {
            std::thread::park_timeout(left - Duration::from_millis(1));
        } else {
            std::hint::spin_loop();
        }
    }
}

/// The frames of a pcap file as [`crate::capture`] writes them: microseconds or nanoseconds, little endian.
///
/// # Errors
/// When the file cannot be read.
pub fn frames_of(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut file = BufReader::new(File::open(path)?);
    file.read_exact(&mut [0; 24])?;
    let mut frames = Vec::new();
    let mut header = [0; 16];
    while file.read_exact(&mut header).is_ok() {
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let mut frame = vec![0; len as usize];
        file.read_exact(&mut frame)?;
        frames.push(frame);
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("storm.pcap");
        let written = crate::corpus::write(crate::corpus::Corpus::Storm, 20, &mut File::create(&path).expect("a file")).expect("written");
        let frames = frames_of(&path).expect("read");
        assert_eq!(frames.len() as u64, written);
        // Every frame is IPv4 over Ethernet, as long as its header says, or padded.
        assert!(frames.iter().all(|f| f[12..14] == [8, 0] && (usize::from(u16::from_be_bytes([f[16], f[17]])) + 14).max(60) == f.len()));
    }

    #[test]
    fn the_pace_is_kept() {
        let mut pace = Pace::new(Some(1_000), Some(Duration::from_secs(60)));
        for _ in 0..5 {
            assert!(pace.goes_on());
            pace.sent += 10;
        }
        assert!(pace.goes_on() && pace.elapsed() >= Duration::from_millis(50));
        assert!(!Pace::new(None, Some(Duration::ZERO)).goes_on());
    }
}
