//! A bare libpcap receiver that only counts: what the machine can do, beside which the sensor is measured.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use nix::unistd::gettid;

use super::Namespace;
use super::recorder::{frames_wait, listen};

/// What a receiver has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Frames that it took.
    pub frames: u64,
    /// Frames that it says it lost.
    pub lost: u64,
    /// Processor time, in ticks of 10 ms.
    pub ticks: u64,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    frames: AtomicU64,
    lost: AtomicU64,
    thread: AtomicU64,
}

/// A receiver in a thread of its own.
#[derive(Debug)]
pub struct Bare {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Bare {
    /// Opens the interface as the sensor does: whole frames, a kernel buffer of so many bytes.
    ///
    /// # Panics
    /// When libpcap refuses.
    pub fn start(namespace: &Namespace, interface: &str, buffer_bytes: i32) -> Self {
        let mut handle = namespace.run(|| listen(interface, buffer_bytes)).unwrap_or_else(|e| panic!("{interface}: {e}"));
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            ours.thread.store(gettid().as_raw() as u64, Ordering::Relaxed);
            while !ours.stop.load(Ordering::Relaxed) {
                let mut taken = 0;
                while handle.next_packet().is_ok() {
                    taken += 1;
                }
                ours.frames.fetch_add(taken, Ordering::Relaxed);
                ours.lost.store(handle.stats().map_or(0, |s| u64::from(s.dropped)), Ordering::Relaxed);
                if taken == 0 && frames_wait(handle.as_fd()).is_err() {
                    break;
                }
            }
        });
        Bare { shared, thread: Some(thread) }
    }

    /// What it has done so far.
    pub fn count(&self) -> Count {
        let (frames, lost) = (self.shared.frames.load(Ordering::Relaxed), self.shared.lost.load(Ordering::Relaxed));
        let ticks = ticks(&format!("/proc/self/task/{}/stat", self.shared.thread.load(Ordering::Relaxed))).unwrap_or(0);
        Count { frames, lost, ticks }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Processor time of a process or thread, in ticks of 10 ms.
///
/// # Errors
/// When it has ended.
pub fn ticks(stat: &str) -> io::Result<u64> {
    let text = fs::read_to_string(stat)?;
    // Fields 14 and 15 (proc(5)), counted after the name, which may hold blanks.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Ok(fields.iter().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum())
}
