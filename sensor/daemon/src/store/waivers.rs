//! What commands did to waivers, and which findings rest on one.

use ringfence_core::finding::Finding;
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use crate::waivers::{Done, Entry, WaiverUse};

pub(super) const TABLES: &str = "
CREATE TABLE waivers (
  id             TEXT PRIMARY KEY,
  body           TEXT,
  added_by       TEXT,
  added_at       TEXT,
  approved_by    TEXT,
  approved_at    TEXT,
  revoked_by     TEXT,
  revoked_at     TEXT,
  revoked_reason TEXT,
  renews         TEXT
) STRICT;
CREATE TABLE waiver_uses (
  waiver     TEXT NOT NULL,
  finding    TEXT NOT NULL,
  device     TEXT NOT NULL,
  app        TEXT NOT NULL,
  segment    TEXT NOT NULL,
  verdict    TEXT NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen  TEXT NOT NULL,
  PRIMARY KEY (waiver, finding)
) STRICT;
";

/// Inserts what was done, or replaces it.
pub(super) fn write(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO waivers (id, body, added_by, added_at, approved_by, approved_at, revoked_by, revoked_at, revoked_reason,
         renews) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let who = |done: Option<&Done>| done.map(|(by, _)| by.clone());
    let when = |done: Option<&Done>| done.map(|(_, at)| at.to_string());
    let (added, approved, revoked) = (entry.added.as_ref(), entry.approved.as_ref(), entry.revoked.as_ref().map(|(done, _)| done));
    let reason = entry.revoked.as_ref().map(|(_, reason)| reason);
    insert.execute(params![
        entry.id,
        entry.body,
        who(added),
        when(added),
        who(approved),
        when(approved),
        who(revoked),
        when(revoked),
        reason,
        entry.renews,
    ])?;
    Ok(())
}

/// Notes that a finding rests on a waiver.
pub(super) fn write_use(transaction: &Transaction<'_>, finding: &Finding) -> rusqlite::Result<()> {
    let Some(waiver) = &finding.waiver else { return Ok(()) };
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO waiver_uses (waiver, finding, device, app, segment, verdict, first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute(params![
        waiver,
        finding.id,
        finding.device.key,
        finding.app,
        finding.segment,
        finding.verdict.name(),
        finding.first_seen.to_string(),
        finding.last_seen.to_string(),
    ])?;
    Ok(())
}

/// Everything that commands did.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<Entry>> {
    let mut query = connection.prepare("SELECT * FROM waivers ORDER BY id")?;
    let done = |row: &Row<'_>, by: &str, at: &str| -> rusqlite::Result<Option<Done>> {
        let (by, at): (Option<String>, Option<String>) = (row.get(by)?, row.get(at)?);
        Ok(by.zip(at.and_then(|at| Timestamp::parse(&at))))
    };
    let rows = query.query_map([], |row| {
        let reason: Option<String> = row.get("revoked_reason")?;
        Ok(Entry {
            id: row.get("id")?,
            body: row.get("body")?,
            added: done(row, "added_by", "added_at")?,
            approved: done(row, "approved_by", "approved_at")?,
            revoked: done(row, "revoked_by", "revoked_at")?.zip(reason),
            renews: row.get("renews")?,
        })
    })?;
    rows.collect()
}

/// The uses of one waiver, the latest first.
pub(super) fn read_uses(connection: &Connection, waiver: &str, limit: u32) -> rusqlite::Result<Vec<WaiverUse>> {
    let mut query = connection.prepare_cached("SELECT * FROM waiver_uses WHERE waiver = ?1 ORDER BY last_seen DESC, finding LIMIT ?2")?;
    let time = |row: &Row<'_>, column: &str| -> rusqlite::Result<Timestamp> {
        Ok(Timestamp::parse(&row.get::<_, String>(column)?).unwrap_or(Timestamp::ZERO))
    };
    let rows = query.query_map(params![waiver, limit], |row| {
        Ok(WaiverUse {
            waiver: row.get("waiver")?,
            finding: row.get("finding")?,
            device: row.get("device")?,
            app: row.get("app")?,
            segment: row.get("segment")?,
            verdict: row.get("verdict")?,
            first_seen: time(row, "first_seen")?,
            last_seen: time(row, "last_seen")?,
        })
    })?;
    rows.collect()
}
