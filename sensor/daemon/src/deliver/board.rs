//! How the outputs are, for metrics: each output writes its own row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ringfence_core::time::Timestamp;

/// How an output is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Its kind.
    pub kind: &'static str,
    /// Events that wait, those that its filter will leave out included.
    pub depth: u64,
    /// Since when the oldest of them waits.
    pub waiting_since: Option<Timestamp>,
    /// Events that the far end has taken.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Events that are gone because the queue was full.
    pub dropped: u64,
    /// Events that the far end refused for good.
    pub refused: u64,
    /// Events that another event of the same finding stands for.
    pub folded: u64,
    /// What is wrong; empty when nothing is.
    pub problem: String,
    /// When the far end last took something.
    pub last_success: Option<Timestamp>,
}

/// Every output by its name.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<String, Standing>>>);

impl Board {
    /// All rows.
    pub fn all(&self) -> BTreeMap<String, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the row of an output.
    pub fn write(&self, output: &str, change: impl FnOnce(&mut Standing)) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(rows.entry(output.to_string()).or_default());
    }

    /// Takes a row out: the output is no more.
    pub fn remove(&self, output: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(output);
    }
}
