//! A program that is measured: its output, its processor time, its memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::time::ClockId;

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Standard output.
    pub words: String,
    /// Processor time of user and kernel, of all its threads.
    pub cpu: Duration,
}

fn spent(usage: &Usage) -> Duration {
    let [user, system] = [usage.user_time(), usage.system_time()].map(|t| Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1_000));
    user + system
}

/// Runs it to its end.
///
/// # Errors
/// When it does not start, or says that it failed.
pub fn run(command: &mut Command) -> Result<Ran, String> {
    let children = || getrusage(UsageWho::RUSAGE_CHILDREN).map(|u| spent(&u)).map_err(|e| e.to_string());
    let before = children()?;
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(Ran { words: String::from_utf8_lossy(&output.stdout).into_owned(), cpu: children()?.saturating_sub(before) })
}

/// Runs it, and asks every few milliseconds how much anonymous memory it holds: the most, in bytes.
///
/// # Errors
/// When it does not start, or says that it failed.
pub fn peak_anonymous(command: &mut Command) -> Result<u64, String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|e| format!("{command:?}: {e}"))?;
    let mut most = 0;
    loop {
        most = most.max(anonymous(child.id()));
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) if status.success() => return Ok(most),
            Some(status) => return Err(format!("{command:?}: {status}")),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Anonymous memory that a process holds now, in bytes (`RssAnon` of proc(5)); 0 when it has ended.
pub fn anonymous(id: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// Processor time of the calling thread.
///
/// # Panics
/// Never: the kernel knows its own threads.
pub fn thread_time() -> Duration {
    // Not `getrusage`, whose times of a thread come in whole ticks of the scheduler.
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map(Duration::from).expect("a thread has a clock")
}
