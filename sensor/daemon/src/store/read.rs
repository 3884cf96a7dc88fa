//! The store, read: by the sensor itself, and beside it by commands that explain and judge the past.

use std::path::{Path, PathBuf};

use ringfence_core::identity::{Fact, Link};
use ringfence_core::ledger::Tracked;
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::{BUSY, DaySeen, FILE, Piece, StoreError, coverage, devices, error_of, links, row, schema, waivers};
use crate::waivers::{Entry, WaiverUse};

/// Which findings are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Which<'w> {
    /// The open ones, and those whose last sign came at this time or later.
    OpenOrSince(Timestamp),
    /// Those of a device, by its key.
    Of(&'w str),
    /// One, by its id.
    One(&'w str),
    /// Those whose last sign came at this time or later.
    Since(Timestamp),
}

impl Which<'_> {
    fn condition(self) -> (&'static str, String) {
        match self {
            Which::OpenOrSince(at) => ("stage = 'open' OR last_seen >= ?1", at.to_string()),
            Which::Of(key) => ("device = (SELECT id FROM devices WHERE key = ?1)", key.to_string()),
            Which::One(id) => ("id = ?1", id.to_string()),
            Which::Since(at) => ("last_seen >= ?1", at.to_string()),
        }
    }
}

/// Something that happened to a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// The verdict then; empty in rows of earlier versions.
    pub verdict: String,
    /// The level then; empty in rows of earlier versions.
    pub level: String,
}

/// A device that is remembered, by what makes it the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its key.
    pub key: String,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Its entry of the register.
    pub register: Option<String>,
}

/// The store, for those who only read.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Reader {
    /// Opens the store in a directory to read it, beside a running sensor or without one.
    ///
    /// # Errors
    /// [`StoreError`] when there is none, it is damaged, or its tables are of another version.
    pub fn open(dir: &Path) -> Result<Reader, StoreError> {
        let path = dir.join(FILE);
        let fail = |error: rusqlite::Error| error_of(&path, &error);
        let connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
        connection.busy_timeout(BUSY).map_err(fail)?;
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
        if version as usize != schema::VERSION {
            let message = format!("its tables are of version {version}, known here: {}", schema::VERSION);
            return Err(StoreError { path, message, help: "read it with the version of the sensor that writes it" });
        }
        Ok(Reader { connection, path })
    }

    /// Findings that were kept; rows that cannot be read are counted.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn findings(&self, which: Which<'_>) -> Result<(Vec<Tracked>, u64), StoreError> {
        let read = || -> rusqlite::Result<(Vec<Tracked>, u64)> {
            let (condition, value) = which.condition();
            let mut query =
                self.connection.prepare_cached(&format!("SELECT stage, reopened, body FROM findings WHERE {condition} ORDER BY id"))?;
            let rows = query.query_map([value], row::read)?;
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

    /// What is remembered of devices that were seen since a time, to be recalled.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn facts_since(&self, since: Timestamp) -> Result<Vec<Fact>, StoreError> {
        devices::facts_since(&self.connection, since).map_err(|error| error_of(&self.path, &error))
    }

    /// Where a device was, by day, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the tables cannot be read.
    pub fn sightings(&self, device: &str, limit: u32) -> Result<Vec<DaySeen>, StoreError> {
        devices::sightings(&self.connection, device, limit).map_err(|error| error_of(&self.path, &error))
    }

    /// What is known of the hour in which a time lies.
    ///
    /// # Errors
    /// [`StoreError`] when the tables cannot be read.
    pub fn coverage_of(&self, at: Timestamp, segment: &str) -> Result<Piece, StoreError> {
        coverage::of_hour(&self.connection, at, segment).map_err(|error| error_of(&self.path, &error))
    }

    /// What commands did to waivers.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn waivers(&self) -> Result<Vec<Entry>, StoreError> {
        waivers::read(&self.connection).map_err(|error| error_of(&self.path, &error))
    }

    /// What operators said about who is who, in the order of their saying.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn links(&self) -> Result<Vec<Link>, StoreError> {
        links::read(&self.connection).map_err(|error| error_of(&self.path, &error))
    }

    /// The latest uses of a waiver.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn waiver_uses(&self, waiver: &str, limit: u32) -> Result<Vec<WaiverUse>, StoreError> {
        waivers::read_uses(&self.connection, waiver, limit).map_err(|error| error_of(&self.path, &error))
    }

    /// What happened to a finding, in the order of time.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn history(&self, finding: &str) -> Result<Vec<HistoryRow>, StoreError> {
        let read = || -> rusqlite::Result<Vec<HistoryRow>> {
            let mut query = self.connection.prepare_cached(
                "SELECT at, event, coalesce(verdict, ''), coalesce(level, '') FROM history WHERE finding = ?1 ORDER BY seq",
            )?;
            let rows = query.query_map([finding], |row| {
                let at: String = row.get(0)?;
                let at = Timestamp::parse(&at).unwrap_or(Timestamp::ZERO);
                Ok(HistoryRow { at, event: row.get(1)?, verdict: row.get(2)?, level: row.get(3)? })
            })?;
            rows.collect()
        };
        read().map_err(|error| error_of(&self.path, &error))
    }

    /// Every device that is remembered: key, hardware address, entry of the register.
    ///
    /// # Errors
    /// [`StoreError`] when the table cannot be read.
    pub fn known(&self) -> Result<Vec<Known>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Known>> {
            let mut query = self.connection.prepare_cached("SELECT key, mac, register FROM devices ORDER BY key")?;
            let rows = query.query_map([], |row| Ok(Known { key: row.get(0)?, mac: row.get(1)?, register: row.get(2)? }))?;
            rows.collect()
        };
        read().map_err(|error| error_of(&self.path, &error))
    }
}
