//! Real captures that may not be redistributed: tests read them from beside the checkout, and say so when they are not there.

use std::path::PathBuf;

/// The folder of captures, or `None` with a word to the log.
pub fn captures() -> Option<PathBuf> {
    let dir = ringfence_tests::real_captures();
    if dir.is_none() {
        eprintln!("skipped: no real captures beside the checkout, and RINGFENCE_CAPTURES names none");
    }
    dir
}
