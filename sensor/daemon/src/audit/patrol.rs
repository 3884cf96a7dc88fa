//! Verifies the log again and again while the sensor runs, so that a broken chain is an alarm and not a surprise for an auditor.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringfence_core::time::Timestamp;

use super::{PublicKey, anchor, read, verify};
use crate::clock::now;

/// The shortest time between two rounds.
const EVERY: Duration = Duration::from_secs(60);

/// A round of a long log takes time: it never has more than this share of one processor.
const SHARE: u32 = 200;

/// How the log was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When; `None` before the first round.
    pub at: Option<Timestamp>,
    /// Entries that were held against their chain.
    pub entries: u64,
    /// The first fault, or why the log could not be read; `None` when it is whole.
    pub broken: Option<String>,
}

/// Where the latest round is told.
#[derive(Clone, Debug, Default)]
pub struct Patrol(Arc<Mutex<Standing>>);

impl Patrol {
    /// How the log was found in the latest round.
    pub fn standing(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verifies the log in the store `file` with the signer's `key`, at once and then from time to time until `stop`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(&self, file: PathBuf, key: PublicKey, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
        let told = self.clone();
        thread::Builder::new().name("audit".into()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let standing = round(&file, &key);
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
                let until = Instant::now() + EVERY.max(began.elapsed() * SHARE);
                while !stop.load(Ordering::Relaxed) && Instant::now() < until {
                    thread::park_timeout(until.saturating_duration_since(Instant::now()));
                }
            }
        })
    }
}

/// One round.
pub(super) fn round(file: &Path, key: &PublicKey) -> Standing {
    let at = Some(now());
    let broken = |why: String| Standing { at, entries: 0, broken: Some(why) };
    // Before the log: an anchor is never ahead of the store.
    let text = match fs::read(file.with_file_name(anchor::FILE)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return broken(format!("{}: {error}", anchor::FILE)),
    };
    let anchored = anchor::heads(&text);
    if let Some((line, _)) = anchored.iter().find(|(_, head)| head.is_err()) {
        return broken(format!("{}: line {line} is no head", anchor::FILE));
    }
    let anchored: Vec<_> = anchored.into_iter().filter_map(|(_, head)| head.ok()).collect();
    match read::beside(file) {
        Ok(log) => {
            let checked = verify(log.entries, &log.heads, &anchored, key);
            Standing { at, entries: checked.entries, broken: checked.broken.first().map(ToString::to_string) }
        }
        Err(error) => broken(error.to_string()),
    }
}
