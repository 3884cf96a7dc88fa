//! Heads outside of the store: a file with a line for each, to be copied to where the sensor's owner cannot write.
//!
//! A line is `seq hash at signature`. It is written after the store has the entry on disk, so no anchor is ever ahead of the store.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::chain::Head;

/// The file.
pub const FILE: &str = "audit.heads";
/// Entries after which a head is anchored.
pub const EVERY_ENTRIES: u64 = 16;
/// The longest that an entry waits for its anchor.
pub const EVERY: Duration = Duration::from_secs(3_600);

/// Bytes in which a line ends.
const LINE_BYTES_MAX: u64 = 4_096;

/// Hexadecimal digits of a signature.
const SIGNATURE_DIGITS: usize = 128;

/// When which head is anchored.
#[derive(Debug)]
pub struct Anchors {
    path: PathBuf,
    /// The last one that was written, and since when others wait.
    last: u64,
    waiting: Option<(Head, Instant)>,
}

impl Anchors {
    /// The anchors of a state directory.
    pub fn new(dir: &Path) -> Self {
        Anchors { path: dir.join(FILE), last: 0, waiting: None }
    }

    /// The log has reached this head. It is anchored now when `at_once` says so, or when enough has come together.
    ///
    /// # Errors
    /// When the file cannot be written: the head waits, and the next call tries again.
    pub fn reached(&mut self, head: Head, at_once: bool) -> io::Result<()> {
        let since = self.waiting.take().map_or_else(Instant::now, |(_, since)| since);
        let due = at_once || self.last == 0 || head.seq.saturating_sub(self.last) >= EVERY_ENTRIES;
        self.waiting = Some((head, since));
        if due { self.flush() } else { Ok(()) }
    }

    /// Anchors what has waited for long enough.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn tick(&mut self) -> io::Result<()> {
        match &self.waiting {
            Some((_, since)) if since.elapsed() >= EVERY => self.flush(),
            _ => Ok(()),
        }
    }

    /// Anchors what waits.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some((head, since)) = self.waiting.take() else { return Ok(()) };
        if let Err(error) = append(&self.path, &head) {
            self.waiting = Some((head, since));
            return Err(error);
        }
        self.last = head.seq;
        Ok(())
    }
}

fn append(path: &Path, head: &Head) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).read(true).create(true).open(path)?;
    // What a crash or a full disk left of a line was never told to anybody.
    let whole = whole_lines(&mut file)?;
    if whole < file.metadata()?.len() {
        file.set_len(whole)?;
    }
    file.write_all(format!("{}\n", line(head)).as_bytes())?;
    file.sync_all()
}

/// Bytes up to the end of the last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let start = len.saturating_sub(LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail.iter().rposition(|b| *b == b'\n').map_or(start, |at| start + at as u64 + 1))
}

/// Heads of a file that was shipped, each with its line; `Err` where a line is no head. A last line that was torn while it was
/// written is left out.
pub fn heads(text: &str) -> Vec<(usize, Result<Head, &str>)> {
    let (whole, last) = text.rsplit_once('\n').unwrap_or(("", text));
    // Shorter than a head: what is longer was changed, not torn.
    let signature = last.splitn(4, ' ').nth(3).unwrap_or("");
    let torn = signature.len() < SIGNATURE_DIGITS && !signature.contains(' ');
    let lines = whole.split('\n').filter(|_| text.contains('\n')).chain((!torn).then_some(last));
    lines.enumerate().map(|(at, text)| (at + 1, head(text).ok_or(text))).collect()
}

/// A head as a line.
pub fn line(head: &Head) -> String {
    format!("{} {} {} {}", head.seq, head.hash, head.at, head.signature)
}

/// A line as a head; `None` when it is none.
pub fn head(text: &str) -> Option<Head> {
    let mut words = text.split(' ');
    let mut word = || words.next().map(str::to_string);
    let head = Head { seq: word()?.parse().ok()?, hash: word()?, at: word()?, signature: word()? };
    (line(&head) == text && head.signature.len() == SIGNATURE_DIGITS).then_some(head)
}
