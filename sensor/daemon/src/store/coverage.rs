//! What was watched, lost and not judged, by hour: sums that grow while the hour lasts.

use std::collections::BTreeMap;

use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

pub(super) const TABLES: &str = "
CREATE TABLE watched (
  hour          INTEGER NOT NULL,
  interface     TEXT NOT NULL,
  seconds       REAL NOT NULL,
  blind_seconds REAL NOT NULL,
  frames        INTEGER NOT NULL,
  bytes         INTEGER NOT NULL,
  lost          TEXT NOT NULL,
  PRIMARY KEY (hour, interface)
) STRICT, WITHOUT ROWID;
CREATE TABLE coverage (
  hour        INTEGER NOT NULL,
  segment     TEXT NOT NULL,
  class       TEXT NOT NULL,
  flows       INTEGER NOT NULL,
  frames      INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  truncated   INTEGER NOT NULL,
  unjudgeable TEXT NOT NULL,
  limits      TEXT NOT NULL,
  PRIMARY KEY (hour, segment)
) STRICT, WITHOUT ROWID;
";

/// Counts by name.
pub type Counts = BTreeMap<String, u64>;

/// What an interface did since the last row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    /// The interface.
    pub interface: String,
    /// Seconds that passed.
    pub seconds: f64,
    /// Seconds of them in which it could not be captured, summed over its rings.
    pub blind_seconds: f64,
    /// Frames taken.
    pub frames: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames and statements lost, by place.
    pub lost: Counts,
}

/// What the flows of a segment carried and hid since the last row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// The segment.
    pub segment: String,
    /// Its class.
    pub class: String,
    /// Flows that ended.
    pub flows: u64,
    /// Their packets.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that the snap length cut.
    pub truncated: u64,
    /// What could not be judged, by kind.
    pub unjudgeable: Counts,
    /// Flows that hit a limit, by limit.
    pub limits: Counts,
}

/// A piece of an hour, to be added to what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// When it ended; the hour that it belongs to.
    pub at: Timestamp,
    /// By interface.
    pub watched: Vec<Watched>,
    /// By segment.
    pub covered: Vec<Covered>,
}

fn hour_of(at: Timestamp) -> u64 {
    at.secs() / 3_600 * 3_600
}

/// Adds a piece.
pub(super) fn add(transaction: &Transaction<'_>, piece: &Piece) -> rusqlite::Result<()> {
    let hour = hour_of(piece.at);
    for watched in &piece.watched {
        let lost = with_kept(
            transaction,
            "SELECT lost FROM watched WHERE hour = ?1 AND interface = ?2",
            (hour, &watched.interface),
            &watched.lost,
        )?;
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO watched (hour, interface, seconds, blind_seconds, frames, bytes, lost) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds, blind_seconds = blind_seconds + excluded.blind_seconds,
             frames = frames + excluded.frames, bytes = bytes + excluded.bytes, lost = excluded.lost",
        )?;
        upsert.execute(params![hour, watched.interface, watched.seconds, watched.blind_seconds, watched.frames, watched.bytes, lost])?;
    }
    for covered in &piece.covered {
        add_covered(transaction, hour, covered)?;
    }
    Ok(())
}

fn add_covered(transaction: &Transaction<'_>, hour: u64, covered: &Covered) -> rusqlite::Result<()> {
    let key = (hour, &covered.segment);
    let unjudgeable =
        with_kept(transaction, "SELECT unjudgeable FROM coverage WHERE hour = ?1 AND segment = ?2", key, &covered.unjudgeable)?;
    let limits = with_kept(transaction, "SELECT limits FROM coverage WHERE hour = ?1 AND segment = ?2", key, &covered.limits)?;
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO coverage (hour, segment, class, flows, frames, bytes, truncated, unjudgeable, limits)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET class = excluded.class, flows = flows + excluded.flows, frames = frames + excluded.frames,
         bytes = bytes + excluded.bytes, truncated = truncated + excluded.truncated, unjudgeable = excluded.unjudgeable,
         limits = excluded.limits",
    )?;
    let Covered { segment, class, flows, frames, bytes, truncated, .. } = covered;
    upsert.execute(params![hour, segment, class, flows, frames, bytes, truncated, unjudgeable, limits])?;
    Ok(())
}

/// Counts with those that a row holds already, as JSON.
fn with_kept(transaction: &Transaction<'_>, query: &str, key: (u64, &String), counts: &Counts) -> rusqlite::Result<String> {
    let kept: Option<String> = transaction.prepare_cached(query)?.query_row(params![key.0, key.1], |row| row.get(0)).optional()?;
    let mut sum: Counts = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    counts.iter().for_each(|(name, n)| *sum.entry(name.clone()).or_default() += n);
    // A map with text keys is always JSON.
    Ok(serde_json::to_string(&sum).unwrap_or_default())
}

/// What is known of the hour in which a time lies: interfaces, and one segment.
pub(super) fn of_hour(connection: &Connection, at: Timestamp, segment: &str) -> rusqlite::Result<Piece> {
    let hour = hour_of(at);
    let counts = |text: String| serde_json::from_str(&text).unwrap_or_default();
    let mut query =
        connection.prepare_cached("SELECT interface, seconds, blind_seconds, frames, bytes, lost FROM watched WHERE hour = ?1")?;
    let watched = query.query_map([hour], |row| {
        Ok(Watched {
            interface: row.get(0)?,
            seconds: row.get(1)?,
            blind_seconds: row.get(2)?,
            frames: row.get(3)?,
            bytes: row.get(4)?,
            lost: counts(row.get(5)?),
        })
    })?;
    let watched = watched.collect::<rusqlite::Result<_>>()?;
    let mut query = connection.prepare_cached(
        "SELECT segment, class, flows, frames, bytes, truncated, unjudgeable, limits FROM coverage WHERE hour = ?1 AND segment = ?2",
    )?;
    let covered = query.query_map(params![hour, segment], |row| {
        Ok(Covered {
            segment: row.get(0)?,
            class: row.get(1)?,
            flows: row.get(2)?,
            frames: row.get(3)?,
            bytes: row.get(4)?,
            truncated: row.get(5)?,
            unjudgeable: counts(row.get(6)?),
            limits: counts(row.get(7)?),
        })
    })?;
    Ok(Piece { at: Timestamp::from_secs_nanos(hour, 0), watched, covered: covered.collect::<rusqlite::Result<_>>()? })
}
