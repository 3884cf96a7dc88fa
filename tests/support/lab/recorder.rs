//! A libpcap receiver that writes what it hears: the oracle of what the sensor heard.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Precision};
use ringfence_core::time::Timestamp;

use super::Namespace;
use crate::capture::{Pcap, PcapWriter};

/// A recording in progress.
#[derive(Debug)]
pub struct Recorder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<Recorded>>>,
}

/// A recording.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The file.
    pub path: PathBuf,
    /// Frames in it.
    pub frames: u64,
    /// Frames that the kernel dropped for want of room.
    pub dropped: u64,
}

impl Recorder {
    /// Begins; frames that arrive after this call are recorded.
    ///
    /// # Panics
    /// When the interface cannot be opened.
    pub fn start(namespace: &Namespace, interface: &str, path: &Path) -> Self {
        let handle = namespace.run(|| listen(interface, 64 << 20)).unwrap_or_else(|e| panic!("{interface}: {e}"));
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, path) = (Arc::clone(&stop), path.to_path_buf());
        let thread = std::thread::spawn(move || record(handle, &flag, path));
        Recorder { stop, thread: Some(thread) }
    }

    /// Ends when nothing is left to be read.
    ///
    /// # Panics
    /// When the recording failed.
    pub fn stop(mut self) -> Recorded {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        thread.join().expect("the recorder lives").expect("the recording can be written")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A handle on an interface of the namespace that the caller is in: nanoseconds, whole frames, never blocking.
///
/// # Errors
/// When libpcap refuses.
pub fn listen(interface: &str, buffer_bytes: i32) -> Result<Capture<Active>, pcap::Error> {
    let handle = Capture::from_device(interface)?.promisc(true).snaplen(262_144).buffer_size(buffer_bytes).timeout(10);
    handle.precision(Precision::Nano).open()?.setnonblock()
}

/// True when frames may wait; false after 100 ms without.
///
/// # Errors
/// When the kernel refuses to wait.
pub fn frames_wait(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::from(100_u8))? > 0)
}

fn record(mut handle: Capture<Active>, stop: &AtomicBool, path: PathBuf) -> io::Result<Recorded> {
    let flavour = Pcap { nanos: true, ..Pcap::default() };
    let mut file = BufWriter::new(File::create(&path)?);
    let mut out = PcapWriter::new(&mut file, flavour)?;
    let mut frames = 0;
    loop {
        let last = stop.load(Ordering::Relaxed);
        let before = frames;
        while let Ok(packet) = handle.next_packet() {
            // Nanoseconds, since the handle was opened so.
            out.frame(Timestamp::from_secs_nanos(packet.header.ts.tv_sec as u64, packet.header.ts.tv_usec as u64), packet.data)?;
            frames += 1;
        }
        if last && frames == before {
            break;
        }
        frames_wait(handle.as_fd())?;
    }
    file.flush()?;
    let stats = handle.stats().map_err(io::Error::other)?;
    Ok(Recorded { path, frames, dropped: u64::from(stats.dropped) })
}
