//! What the sensor remembers over restarts: findings with their history, and what was done to the sensor. SQLite, one writer.
//!
//! A write is one transaction that is on disk when it returns, so what a reader was told is there after a power cut. When writing
//! fails (full disk), nothing is lost as long as the process lives: the caller keeps what is pending and tries again.

mod row;
mod schema;
mod waivers;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_core::ledger::{Event, Tracked};
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags, params};

use crate::waivers::{Entry, WaiverUse};

/// The file's name in the state directory.
pub const FILE: &str = "ringfence.sqlite";

/// How long a reader may hold the writer up.
const BUSY: Duration = Duration::from_secs(2);

/// The store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
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
    /// What: `start`, `stop`, `reload`, `reload-refused`, `alarm`, `alarm-over`.
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
        Ok(Store { connection, path })
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

    /// Writes changes; they are on disk when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it was written.
    pub fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            for tracked in &changes.findings {
                row::write(&transaction, tracked)?;
                waivers::write_use(&transaction, &tracked.finding)?;
            }
            for (at, event, id) in &changes.events {
                let mut insert = transaction.prepare_cached("INSERT INTO history (at, finding, event) VALUES (?1, ?2, ?3)")?;
                insert.execute(params![at.to_string(), id, event.name()])?;
            }
            changes.waivers.iter().try_for_each(|entry| waivers::write(&transaction, entry))?;
            for audit in &changes.audit {
                let mut insert = transaction.prepare_cached("INSERT INTO audit (at, action, detail) VALUES (?1, ?2, ?3)")?;
                insert.execute(params![audit.at.to_string(), audit.action, audit.detail])?;
            }
            transaction.commit()
        };
        write().map_err(|error| error_of(&self.path, &error))
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

    /// Bytes on disk, the write-ahead log included.
    pub fn bytes(&self) -> u64 {
        let size = |suffix: &str| std::fs::metadata(format!("{}{suffix}", self.path.display())).map_or(0, |m| m.len());
        size("") + size("-wal")
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
