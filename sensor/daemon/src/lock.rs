//! One process at a time works on a state directory: the sensor, or a tool that needs it stopped.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held as long as it lives; the kernel takes it back however the process ends.
#[derive(Debug)]
pub struct StateLock(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

impl StateLock {
    /// Takes the lock; `None` when somebody else has it.
    ///
    /// # Errors
    /// When the directory cannot be opened.
    pub fn take(dir: &Path) -> io::Result<Option<StateLock>> {
        let folder = File::open(dir)?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(StateLock(folder))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let held = StateLock::take(dir.path()).expect("opened").expect("free");
        assert!(StateLock::take(dir.path()).expect("opened").is_none());
        drop(held);
        assert!(StateLock::take(dir.path()).expect("opened").is_some());
    }
}
