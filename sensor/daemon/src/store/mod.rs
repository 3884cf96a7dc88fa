//! What the sensor remembers over restarts: findings with their history, and what was done to the sensor. SQLite, one writer.
//!
//! A write is one transaction that is on disk when it returns, so what a reader was told is there after a power cut. When writing
//! fails (full disk), nothing is lost as long as the process lives: the caller keeps what is pending and tries again.

mod audit;
pub mod outbox;
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

use ringfence_core::ledger::{Event, Tracked};
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::audit::{Anchors, Head, Signer, anchor};
use crate::keys::KeyError;
use crate::waivers::{Entry, WaiverUse};

/// The file's name in the state directory.
pub const FILE: &str = "ringfence.sqlite";

/// How long a reader may hold the writer up.
const BUSY: Duration = Duration::from_secs(2);

/// Actions whose head does not wait for others.
const ANCHORED_AT_ONCE: &[&str] = &["start", "stop"];

/// The store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
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

/// One write: all of it or nothing.
#[derive(Debug, Default)]
pub struct Changes {
    /// Findings as they are now.
    pub findings: Vec<Tracked>,
    /// What happened to which.
    pub events: Vec<(Timestamp, Event, String)>,
    /// What was done.
    pub audit: Vec<Audit>,
    /// Waivers that commands added or changed.
    pub waivers: Vec<Entry>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.events.is_empty() && self.audit.is_empty() && self.waivers.is_empty()
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
        Ok(Store { connection, path, signer, anchors: Anchors::new(dir), tip, demand: outbox::SharedDemand::default() })
    }

    /// What outputs want of it.
    pub fn demand(&self) -> outbox::SharedDemand {
        outbox::SharedDemand::clone(&self.demand)
    }

    /// Every finding that was kept; rows that cannot be read are counted.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn findings(&self) -> Result<(Vec<Tracked>, u64), StoreError> {
        let read = || -> rusqlite::Result<(Vec<Tracked>, u64)> {
            let mut query = self.connection.prepare("SELECT stage, reopened, body FROM findings ORDER BY id")?;
            let rows = query.query_map([], row::read)?;
            let (mut all, mut unreadable) = (Vec::new(), 0);
            for row in rows {
                match row? {
                    Some(tracked) => all.push(tracked),
                    None => unreadable += 1,
                }
            }
            Ok((all, unreadable))
        };
        read().map_err(|error| error_of(&self.path, &error))
    }

    /// Writes changes; they are on disk when it returns. A head of the audit log is anchored after that, never before.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it was written.
    pub fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let written = self.transact(changes).map_err(|error| error_of(&self.path, &error))?;
        let at_once = changes.audit.iter().any(|a| ANCHORED_AT_ONCE.contains(&a.action));
        if let Some((tip, head)) = written {
            self.tip = tip;
            tell_anchor(self.anchors.reached(head, at_once));
        }
        Ok(())
    }

    fn transact(&mut self, changes: &Changes) -> rusqlite::Result<Option<(audit::Tip, Head)>> {
        let transaction = self.connection.transaction()?;
        for tracked in &changes.findings {
            row::write(&transaction, tracked)?;
            waivers::write_use(&transaction, &tracked.finding)?;
        }
        for (at, event, id) in &changes.events {
            let mut insert = transaction.prepare_cached("INSERT INTO history (at, finding, event) VALUES (?1, ?2, ?3)")?;
            insert.execute(params![at.to_string(), id, event.name()])?;
        }
        outbox::append(&transaction, &self.demand, &changes.events, &changes.findings)?;
        changes.waivers.iter().try_for_each(|entry| waivers::write(&transaction, entry))?;
        let head = audit::append(&transaction, &self.tip, &changes.audit, &self.signer)?;
        transaction.commit()?;
        Ok(head)
    }

    /// Anchors the audit log's head where it is due. Called from time to time.
    pub fn anchor(&mut self) {
        tell_anchor(self.anchors.tick());
    }

    /// What commands did to waivers.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn waivers(&self) -> Result<Vec<Entry>, StoreError> {
        waivers::read(&self.connection).map_err(|error| error_of(&self.path, &error))
    }

    /// The latest uses of a waiver.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn waiver_uses(&self, waiver: &str, limit: u32) -> Result<Vec<WaiverUse>, StoreError> {
        waivers::read_uses(&self.connection, waiver, limit).map_err(|error| error_of(&self.path, &error))
    }

    /// Anchors the audit log's head, if it is not yet.
    pub fn anchor_now(&mut self) {
        tell_anchor(self.anchors.flush());
    }

    /// Bytes on disk, the write-ahead log included.
    pub fn bytes(&self) -> u64 {
        let size = |suffix: &str| std::fs::metadata(format!("{}{suffix}", self.path.display())).map_or(0, |m| m.len());
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
