//! Devices that matter, where they were on which day, and when they used what.
//!
//! Rows are small, for there are many: devices and segments by number, times in seconds since 1970. Views show them to people.

use std::net::IpAddr;

use ringfence_core::correlate::Seen;
use ringfence_core::finding::{DeviceFacts, Finding};
use ringfence_core::identity::{Fact, SegmentKey};
use ringfence_core::record::BindingSource;
use ringfence_core::spans::Span;
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

pub(super) const TABLES: &str = "
CREATE TABLE devices (
  seq            INTEGER PRIMARY KEY,
  key            TEXT NOT NULL UNIQUE,
  id             TEXT NOT NULL,
  mac            TEXT,
  name           TEXT,
  register       TEXT,
  randomised_mac INTEGER NOT NULL,
  behind_router  INTEGER NOT NULL,
  confidence     REAL NOT NULL,
  reasons        TEXT NOT NULL,
  first_seen     INTEGER NOT NULL,
  last_seen      INTEGER NOT NULL,
  facts          TEXT
) STRICT;
CREATE INDEX devices_by_last_seen ON devices (last_seen);
CREATE INDEX findings_by_device ON findings (device);
CREATE INDEX findings_by_last_seen ON findings (last_seen);
CREATE INDEX findings_open ON findings (stage) WHERE stage = 'open';
CREATE TABLE segments (
  seq  INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE sightings (
  device  INTEGER NOT NULL,
  day     INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  addr    TEXT NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  PRIMARY KEY (device, day, segment, addr)
) STRICT, WITHOUT ROWID;
CREATE TABLE uses (
  device  INTEGER NOT NULL,
  app     TEXT NOT NULL,
  surface TEXT NOT NULL,
  segment INTEGER NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  PRIMARY KEY (device, app, surface, segment, first)
) STRICT, WITHOUT ROWID;
CREATE VIEW device_days AS
  SELECT d.key AS device, date(s.day * 86400, 'unixepoch') AS day, g.name AS segment, s.addr AS addr,
         datetime(s.first, 'unixepoch') AS first, datetime(s.last, 'unixepoch') AS last
  FROM sightings s JOIN devices d ON d.seq = s.device JOIN segments g ON g.seq = s.segment;
CREATE VIEW device_uses AS
  SELECT d.key AS device, u.app AS app, u.surface AS surface, g.name AS segment,
         datetime(u.first, 'unixepoch') AS first, datetime(u.last, 'unixepoch') AS last
  FROM uses u JOIN devices d ON d.seq = u.device JOIN segments g ON g.seq = u.segment;
";

const DAY_SECS: u64 = 86_400;

/// Spans of use that are written each time: earlier ones have been written before, and change only by what is learned late.
const SPANS_WRITTEN: usize = 8;

/// A device at an address on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySeen {
    /// The segment's name.
    pub segment: String,
    /// The address.
    pub addr: IpAddr,
    /// First and last time on that day, in whole seconds.
    pub span: Span,
}

/// A fact as it is kept.
#[derive(Serialize, Deserialize)]
struct FactRow {
    ts: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    segment: u32,
    source: String,
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    addr: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    vendor_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    parameters: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    client_id: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    v6: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    router: bool,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Writes a device that was seen, with where it was.
pub(super) fn write_seen(transaction: &Transaction<'_>, seen: &Seen) -> rusqlite::Result<()> {
    let spans = seen.sightings.iter().map(|s| s.span);
    let Some(whole) = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return Ok(()) };
    let device = device_row(transaction, &seen.device, whole)?;
    let rows: Vec<FactRow> = seen.facts.iter().map(row_of).collect();
    let facts = serde_json::to_string(&rows).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let facts = (!rows.is_empty()).then_some(facts);
    transaction.prepare_cached("UPDATE devices SET facts = ?2 WHERE seq = ?1")?.execute(params![device, facts])?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO sightings (device, day, segment, addr, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)",
    )?;
    for sighting in &seen.sightings {
        let segment = segment_row(transaction, &sighting.segment)?;
        for (day, first, last) in by_day(sighting.span) {
            insert.execute(params![device, day, segment, sighting.addr.to_string(), first, last])?;
        }
    }
    Ok(())
}

/// Writes the device of a finding, and when it used the app.
pub(super) fn write_uses(transaction: &Transaction<'_>, finding: &Finding) -> rusqlite::Result<()> {
    let device = device_row(transaction, &finding.device, (finding.first_seen, finding.last_seen))?;
    let Some(surface) = finding.surface else { return Ok(()) };
    let segment = segment_row(transaction, &finding.segment)?;
    let mut clear = transaction
        .prepare_cached("DELETE FROM uses WHERE device = ?1 AND app = ?2 AND surface = ?3 AND segment = ?4 AND first BETWEEN ?5 AND ?6")?;
    let mut insert =
        transaction.prepare_cached("INSERT INTO uses (device, app, surface, segment, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (first, last) in finding.presence.iter().rev().take(SPANS_WRITTEN) {
        let values = params![device, finding.app, surface.name(), segment, first.secs(), last.secs()];
        // What was two spans before may have become one.
        clear.execute(values)?;
        insert.execute(values)?;
    }
    Ok(())
}

fn by_day((first, last): Span) -> impl Iterator<Item = (u64, u64, u64)> {
    let (first, last) = (first.secs(), last.secs().max(first.secs()));
    (first / DAY_SECS..=last / DAY_SECS).map(move |day| (day, first.max(day * DAY_SECS), last.min(day * DAY_SECS + DAY_SECS - 1)))
}

/// The number of a device; its row is made, or brought up to date.
fn device_row(transaction: &Transaction<'_>, device: &DeviceFacts, (first, last): Span) -> rusqlite::Result<i64> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO devices (key, id, mac, name, register, randomised_mac, behind_router, confidence, reasons, first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (key) DO UPDATE SET mac = excluded.mac, name = excluded.name, register = excluded.register,
         randomised_mac = excluded.randomised_mac, behind_router = excluded.behind_router, confidence = excluded.confidence,
         reasons = excluded.reasons, first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)
         RETURNING seq",
    )?;
    let values = params![
        device.key,
        device.id,
        device.mac.map(|m| m.to_string()),
        device.name,
        device.register,
        device.randomised_mac,
        device.behind_router,
        device.confidence,
        device.reasons.join("; "),
        first.secs(),
        last.secs(),
    ];
    upsert.query_row(values, |row| row.get(0))
}

fn segment_row(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<i64> {
    let mut find = transaction.prepare_cached("SELECT seq FROM segments WHERE name = ?1")?;
    if let Some(seq) = find.query_row([name], |row| row.get(0)).optional()? {
        return Ok(seq);
    }
    transaction.prepare_cached("INSERT INTO segments (name) VALUES (?1) RETURNING seq")?.query_row([name], |row| row.get(0))
}

fn row_of(fact: &Fact) -> FactRow {
    FactRow {
        ts: fact.ts.nanos(),
        segment: fact.segment.0,
        source: fact.source.name().into(),
        mac: fact.mac.map(|m| m.to_string()),
        addr: fact.addr,
        name: fact.name.as_deref().map(Into::into),
        vendor_class: fact.vendor_class.as_deref().map(Into::into),
        parameters: fact.parameters,
        client_id: fact.client_id,
        v6: fact.v6,
        router: fact.router,
    }
}

fn fact_of(row: FactRow) -> Option<Fact> {
    let mac = row.mac?.parse().ok()?;
    let source = BindingSource::ALL.into_iter().find(|s| s.name() == row.source)?;
    Some(Fact {
        segment: SegmentKey(row.segment),
        source,
        addr: row.addr,
        name: row.name.map(Into::into),
        vendor_class: row.vendor_class.map(Into::into),
        parameters: row.parameters,
        client_id: row.client_id,
        v6: row.v6,
        router: row.router,
        ..Fact::blank(Timestamp::from_nanos(row.ts), mac)
    })
}

/// What is remembered of devices that were seen since a time and have a finding that counts: open, or with a sign since then.
pub(super) fn facts_since(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<Fact>> {
    let mut query = connection.prepare(
        "SELECT facts FROM devices WHERE last_seen >= ?1 AND facts IS NOT NULL
         AND id IN (SELECT device FROM findings WHERE stage = 'open' OR last_seen >= ?2)",
    )?;
    let mut rows = query.query(params![since.secs(), since.to_string()])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let kept: Vec<FactRow> = serde_json::from_str(row.get_ref(0)?.as_str()?).unwrap_or_default();
        facts.extend(kept.into_iter().filter_map(fact_of));
    }
    Ok(facts)
}

/// Where a device was, the latest first.
pub(super) fn sightings(connection: &Connection, key: &str, limit: u32) -> rusqlite::Result<Vec<DaySeen>> {
    let mut query = connection.prepare_cached(
        "SELECT g.name, s.addr, s.first, s.last FROM sightings s JOIN devices d ON d.seq = s.device JOIN segments g ON g.seq = s.segment
         WHERE d.key = ?1 ORDER BY s.day DESC, s.first DESC LIMIT ?2",
    )?;
    let rows = query.query_map(params![key, limit], |row| {
        let addr: String = row.get(1)?;
        Ok(addr.parse().ok().zip(Some((row.get::<_, String>(0)?, seconds(row, 2)?, seconds(row, 3)?))))
    })?;
    let known = rows.filter_map(Result::transpose);
    known.map(|row| row.map(|(addr, (segment, first, last))| DaySeen { segment, addr, span: (first, last) })).collect()
}

fn seconds(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_secs_nanos(row.get::<_, u64>(column)?, 0))
}
