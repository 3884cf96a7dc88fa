//! What is to leave: an event of a finding with the finding as it was then. Written in the transaction that writes the finding, so there
//! is no moment at which one is on disk and the other is not. Outputs read it through a connection of their own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringfence_core::ledger::{Event, Stage, Tracked};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use super::{BUSY, FILE, Happened, StoreError, error_of, row};

/// The id is drawn when the row is made and stays: a far end that has seen it drops the second copy. `AUTOINCREMENT`, for a number must
/// not come back after its row is gone; the id of the whole tells whether numbers are those of this file.
pub(super) const TABLES: &str = "
CREATE TABLE outbox (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  at_nanos INTEGER NOT NULL,
  event    TEXT NOT NULL,
  stage    TEXT NOT NULL,
  reopened INTEGER NOT NULL,
  body     TEXT NOT NULL
) STRICT;
CREATE TABLE outbox_id (id TEXT NOT NULL) STRICT;
INSERT INTO outbox_id VALUES (lower(hex(randomblob(16))));
";

/// Writes between two looks at what may go.
const TRIM_EVERY: u64 = 64;

/// What the outputs want of the store; they set it, the store's writer obeys.
#[derive(Debug, Default)]
pub struct Demand {
    /// There is an output.
    wanted: AtomicBool,
    /// Every output has what is at or below this number.
    delivered: AtomicU64,
    /// The longest queue that an output may have, events.
    keep: AtomicU64,
    /// It was set: until then nothing is known of what may go.
    known: AtomicBool,
    writes: AtomicU64,
}

impl Demand {
    /// Sets whether there is an output, up to where all have everything, and how many events the longest queue may have.
    pub fn set(&self, wanted: bool, delivered: u64, keep: u64) {
        self.delivered.store(delivered, Ordering::Relaxed);
        self.keep.store(keep, Ordering::Relaxed);
        self.wanted.store(wanted, Ordering::Release);
        self.known.store(true, Ordering::Release);
    }

    /// Whether there is an output.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    fn is_trim_due(&self) -> bool {
        self.known.load(Ordering::Acquire) && self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(TRIM_EVERY)
    }
}

/// Puts the events of a write into the outbox, each with its finding. The finding of an event whose finding is gone says no more.
pub(super) fn append(transaction: &Transaction<'_>, demand: &Demand, events: &[Happened], findings: &[Tracked]) -> rusqlite::Result<()> {
    if demand.is_wanted() {
        let by_id: HashMap<&str, &Tracked> = findings.iter().map(|t| (t.finding.id.as_str(), t)).collect();
        for Happened { at, event, finding: id, .. } in events {
            let Some(tracked) = by_id.get(id.as_str()) else { continue };
            let mut insert =
                transaction.prepare_cached("INSERT INTO outbox (at_nanos, event, stage, reopened, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
            insert.execute(params![signed(at.nanos()), event.name(), tracked.stage.name(), tracked.reopened, row::body(tracked)?])?;
        }
    }
    if demand.is_trim_due() {
        trim(transaction, demand)?;
    }
    Ok(())
}

/// Rows that every output has, and the oldest of a queue that is longer than any output may have.
fn trim(transaction: &Transaction<'_>, demand: &Demand) -> rusqlite::Result<()> {
    let last = transaction.query_row("SELECT coalesce(max(seq), 0) FROM outbox", [], |row| number(row, 0))?;
    let floor = match demand.is_wanted() {
        true => demand.delivered.load(Ordering::Relaxed).max(last.saturating_sub(demand.keep.load(Ordering::Relaxed))),
        false => last,
    };
    transaction.execute("DELETE FROM outbox WHERE seq <= ?1", [signed(floor)])?;
    Ok(())
}

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number: later events have higher ones.
    pub seq: u64,
    /// Its id: drawn at random, and the same however often it is sent.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// The finding as it was then.
    pub tracked: Tracked,
}

/// How the outbox stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Tells this outbox from another one.
    pub id: String,
    /// The number of the oldest event that is there; of the one that comes next when there is none.
    pub first: u64,
    /// The number of the latest event that there was.
    pub last: u64,
}

/// A reader of the outbox: it writes nothing and holds nobody up.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens the outbox of a store that exists.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn open(dir: &Path) -> Result<Reader, StoreError> {
        let path = dir.join(FILE);
        let open = || -> rusqlite::Result<Connection> {
            // Read-only would not do: a reader of a write-ahead log may have to make its index.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "query_only", true)?;
            Ok(connection)
        };
        let connection = open().map_err(|e| error_of(&path, &e))?;
        Ok(Reader { connection, path })
    }

    /// How the outbox stands.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn extent(&self) -> Result<Extent, StoreError> {
        let read = || {
            let id = self.connection.query_row("SELECT id FROM outbox_id", [], |row| row.get(0))?;
            let sequence = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'";
            let last = self.connection.query_row(sequence, [], |row| number(row, 0)).optional()?.unwrap_or(0);
            let oldest = "SELECT seq FROM outbox ORDER BY seq LIMIT 1";
            let first = self.connection.query_row(oldest, [], |row| number(row, 0)).optional()?.unwrap_or(last + 1);
            Ok(Extent { id, first, last })
        };
        read().map_err(|error| error_of(&self.path, &error))
    }

    /// The events after a number, in order, at most `limit`; and the number up to which rows were looked at. A row that cannot be read is
    /// left out.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn after(&self, seq: u64, limit: u32) -> Result<(Vec<Row>, u64), StoreError> {
        let read = || -> rusqlite::Result<(Vec<Row>, u64)> {
            let mut query = self.connection.prepare_cached(
                "SELECT stage, reopened, body, seq, id, at_nanos, event FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let mut rows = query.query(params![signed(seq), limit])?;
            let (mut found, mut reached) = (Vec::new(), seq);
            while let Some(row) = rows.next()? {
                let (seq, id, at, event): (_, String, _, String) = (number(row, 3)?, row.get(4)?, number(row, 5)?, row.get(6)?);
                reached = seq;
                let event = Event::ALL.into_iter().find(|e| e.name() == event);
                if let (Some(event), Some(tracked)) = (event, row::read(row)?) {
                    found.push(Row { seq, id, at: Timestamp::from_nanos(at), event, tracked });
                }
            }
            Ok((found, reached))
        };
        read().map_err(|error| error_of(&self.path, &error))
    }

    /// When the event after a number happened.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn waiting_since(&self, seq: u64) -> Result<Option<Timestamp>, StoreError> {
        let query = "SELECT at_nanos FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT 1";
        let at = self.connection.query_row(query, [signed(seq)], |row| number(row, 0)).optional();
        Ok(at.map_err(|error| error_of(&self.path, &error))?.map(Timestamp::from_nanos))
    }

    /// How a finding was judged before an event of it, as far as its history goes back.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn judged_before(&self, row: &Row) -> Result<Option<(Verdict, Level)>, StoreError> {
        let (at, name) = (row.at.to_string(), row.event.name());
        let read = || -> rusqlite::Result<Option<(Verdict, Level)>> {
            let mut query = self.connection.prepare_cached(
                "SELECT verdict, level FROM history WHERE finding = ?1 AND seq < \
                   (SELECT max(seq) FROM history WHERE finding = ?1 AND at = ?2 AND event = ?3) ORDER BY seq DESC LIMIT 1",
            )?;
            let words = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, Option<String>>(1)?));
            let Some((Some(verdict), Some(level))) = query.query_row(params![row.tracked.finding.id, at, name], words).optional()? else {
                return Ok(None);
            };
            let verdict = Verdict::WORDS.iter().find(|(word, _)| *word == verdict);
            let level = Level::WORDS.iter().find(|(word, _)| *word == level).map_or(Level::None, |(_, level)| *level);
            Ok(verdict.map(|(_, verdict)| (*verdict, level)))
        };
        read().map_err(|error| error_of(&self.path, &error))
    }

    /// Findings that are open now.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn open_findings(&self) -> Result<Vec<Tracked>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Tracked>> {
            let mut query = self.connection.prepare("SELECT stage, reopened, body FROM findings WHERE stage = ?1 ORDER BY id")?;
            let rows = query.query_map([Stage::Open.name()], row::read)?;
            rows.filter_map(Result::transpose).collect()
        };
        read().map_err(|error| error_of(&self.path, &error))
    }
}

/// SQLite counts with a sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|n| u64::try_from(n).unwrap_or(0))
}

/// Shared between the store's writer and the outputs.
pub type SharedDemand = Arc<Demand>;
