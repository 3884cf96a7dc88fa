//! What the sensor remembers over restarts: findings with their history, and what was done to the sensor. SQLite, one writer.
//!
//! A write is one transaction that is on disk when it returns, so what a reader was told is there after a power cut. When writing
//! fails (full disk), nothing is lost as long as the process lives: the caller keeps what is pending and tries again.

mod audit;
mod coverage;
mod devices;
mod links;
pub mod outbox;
mod read;
mod retention;
mod row;
mod schema;
mod waivers;

#[cfg(test)]
pub(crate) use schema::FIRST;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_core::correlate::Seen;
use ringfence_core::identity::Link;
use ringfence_core::ledger::{Event, Tracked};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::audit::{Anchors, Head, PublicKey, Signer, anchor};
use crate::keys::KeyError;
use crate::waivers::Entry;

pub use coverage::{Counts, Covered, Piece, Watched};
pub use devices::DaySeen;
pub use read::{HistoryRow, Known, Reader, Which};
pub use retention::{Erased, classes, midnight};

/// The file's name in the state directory.
pub const FILE: &str = "ringfence.sqlite";

/// How long a reader may hold the writer up.
const BUSY: Duration = Duration::from_secs(2);

/// Actions whose head does not wait for others.
const ANCHORED_AT_ONCE: &[&str] = &["start", "stop"];

/// The store.
#[derive(Debug)]
pub struct Store {
    reader: Reader,
    signer: Signer,
    anchors: Anchors,
    tip: audit::Tip,
    demand: outbox::SharedDemand,
}

/// Why the store cannot be used.
#[derive(Debug)]
pub struct StoreError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path.display(), self.message, self.help)
    }
}

impl std::error::Error for StoreError {}

/// Something that was done to the sensor, or that it did to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Who: `sensor`, a signal, an operator.
    pub by: String,
    /// What: one of a few words, see `docs/audit.md`.
    pub action: &'static str,
    /// More about it; no address, no name of a device.
    pub detail: String,
}

/// Something that happened to a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
    /// To which finding.
    pub finding: String,
    /// Its verdict then.
    pub verdict: Verdict,
    /// Its level then.
    pub level: Level,
}

/// One write: all of it or nothing.
#[derive(Debug, Default)]
pub struct Changes {
    /// Findings as they are now.
    pub findings: Vec<Tracked>,
    /// What happened to which.
    pub events: Vec<Happened>,
    /// What was done.
    pub audit: Vec<Audit>,
    /// Waivers that commands added or changed.
    pub waivers: Vec<Entry>,
    /// Devices that were seen.
    pub seen: Vec<Seen>,
    /// What was watched.
    pub coverage: Vec<Piece>,
    /// What operators said about who is who.
    pub links: Vec<Link>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Changes { findings, events, audit, waivers, seen, coverage, links } = self;
        let rest = waivers.is_empty() && seen.is_empty() && coverage.is_empty() && links.is_empty();
        findings.is_empty() && events.is_empty() && audit.is_empty() && rest
    }
}

/// Events that wait while the disk is full: beyond it only the latest state of each finding is kept, which is what counts.
pub const EVENTS_WAITING_MAX: usize = 65_536;

impl Changes {
    /// Adds an event, where there is room; whether there was.
    pub fn note(&mut self, event: Happened) -> bool {
        let room = self.events.len() < EVENTS_WAITING_MAX;
        if room {
            self.events.push(event);
        }
        room
    }

    /// Takes out everything that is about a device, where only groups may be told.
    pub fn without_devices(&mut self) {
        self.findings.clear();
        self.events.clear();
        self.seen.clear();
    }
}

impl Store {
    /// Opens the store in a directory, which must exist; makes or upgrades its tables.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be written, or the file is none of ours, damaged, or made by a later version.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        let path = dir.join(FILE);
        let fail = |error: rusqlite::Error| error_of(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(fail)?;
        connection.busy_timeout(BUSY).map_err(fail)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        // What is deleted is overwritten.
        connection.pragma_update(None, "secure_delete", "ON").map_err(fail)?;
        schema::upgrade(&mut connection).map_err(|problem| match problem {
            schema::Problem::Sqlite(error) => error_of(&path, &error),
            schema::Problem::Later(version) => StoreError {
                path: path.clone(),
                message: format!("was made by a later version of the sensor (tables {version}, known here: {})", schema::VERSION),
                help: "start that version, or set another [state] dir",
            },
        })?;
        audit::adopt(&mut connection).map_err(fail)?;
        let tip = audit::tip(&connection).map_err(fail)?;
        let signer = Signer::open(dir).map_err(|e| StoreError { path: e.path, message: e.message, help: KeyError::HELP })?;
        Ok(Store { reader: Reader { connection, path }, signer, anchors: Anchors::new(dir), tip, demand: outbox::SharedDemand::default() })
    }

    /// What outputs want of it.
    pub fn demand(&self) -> outbox::SharedDemand {
        outbox::SharedDemand::clone(&self.demand)
    }

    /// By which the audit log's heads are checked.
    pub fn key(&self) -> PublicKey {
        self.signer.public()
    }

    /// What it holds.
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// Writes changes; they are on disk when it returns. A head of the audit log is anchored after that, never before.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it was written.
    pub fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let written = self.transact(changes).map_err(|error| error_of(&self.reader.path, &error))?;
        let at_once = changes.audit.iter().any(|a| ANCHORED_AT_ONCE.contains(&a.action));
        self.reached(written, at_once);
        Ok(())
    }

    /// The audit log has grown, and is on disk.
    fn reached(&mut self, head: Option<(audit::Tip, Head)>, at_once: bool) {
        if let Some((tip, head)) = head {
            self.tip = tip;
            tell_anchor(self.anchors.reached(head, at_once));
        }
    }

    fn transact(&mut self, changes: &Changes) -> rusqlite::Result<Option<(audit::Tip, Head)>> {
        let transaction = self.reader.connection.transaction()?;
        for tracked in &changes.findings {
            row::write(&transaction, tracked)?;
            waivers::write_use(&transaction, &tracked.finding)?;
            devices::write_uses(&transaction, &tracked.finding)?;
        }
        let mut insert =
            transaction.prepare_cached("INSERT INTO history (at, finding, event, verdict, level) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for Happened { at, event, finding, verdict, level } in &changes.events {
            insert.execute(params![at.to_string(), finding, event.name(), verdict.name(), level.name()])?;
        }
        drop(insert);
        changes.seen.iter().try_for_each(|seen| devices::write_seen(&transaction, seen))?;
        changes.coverage.iter().try_for_each(|piece| coverage::add(&transaction, piece))?;
        outbox::append(&transaction, &self.demand, &changes.events, &changes.findings)?;
        changes.waivers.iter().try_for_each(|entry| waivers::write(&transaction, entry))?;
        changes.links.iter().try_for_each(|link| links::write(&transaction, link))?;
        let head = audit::append(&transaction, &self.tip, &changes.audit, &self.signer)?;
        transaction.commit()?;
        Ok(head)
    }

    /// Anchors the audit log's head where it is due. Called from time to time.
    pub fn anchor(&mut self) {
        tell_anchor(self.anchors.tick());
    }

    /// Anchors the audit log's head, if it is not yet.
    pub fn anchor_now(&mut self) {
        tell_anchor(self.anchors.flush());
    }

    /// Bytes on disk, the write-ahead log included.
    pub fn bytes(&self) -> u64 {
        let size = |suffix: &str| std::fs::metadata(format!("{}{suffix}", self.reader.path.display())).map_or(0, |m| m.len());
        size("") + size("-wal")
    }
}

/// An anchor that cannot be written is tried again; the log itself is on disk.
fn tell_anchor(written: std::io::Result<()>) {
    if let Err(error) = written {
        eprintln!("ringfence: {}: {error}; the next head is anchored with the one after it", anchor::FILE);
    }
}

fn error_of(path: &Path, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, ReadOnly};
    let help = match error.sqlite_error_code() {
        Some(DiskFull) => "make room on the disk; writing goes on by itself",
        Some(CannotOpen) => "the directory must exist and be writable for the sensor's user",
        Some(ReadOnly) => "make the file and its directory writable for the sensor's user",
        Some(DatabaseBusy | DatabaseLocked) => "another program holds it: is a second sensor running on this directory?",
        Some(NotADatabase | DatabaseCorrupt) => "move the file away; a new one is made at the next start",
        _ => "see the sensor's log",
    };
    StoreError { path: path.to_path_buf(), message: error.to_string(), help }
}
