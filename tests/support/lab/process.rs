//! Programs in the background: their words go to a file, and they end with us.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait_for;

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; both its outputs go to `log`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).expect("a log file");
        let err = out.try_clone().expect("the same file");
        // A group of its own: Ctrl-C is for us, and we end it.
        let child = command.process_group(0).stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Process { child: child.unwrap_or_else(|e| panic!("{command:?}: {e}")), log: log.to_path_buf() }
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote until now, over all its starts with this log.
    pub fn words(&self) -> String {
        std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When there is no such process any more.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap_or_else(|e| panic!("{signal}: {e}: {}", self.words()));
    }

    /// Its end, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within `limit`.
    pub fn end(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of process {}", self.child.id());
        wait_for(&what, limit, || self.ended())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
