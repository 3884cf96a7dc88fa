//! What is deleted: by age, class by class, and on request, device by device. Deleted bytes are overwritten, and leave the write-ahead
//! log as well.

use std::collections::BTreeSet;

use ringfence_core::time::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::audit::{self, Tip};
use super::{Audit, Store, StoreError, error_of};
use crate::audit::Signer;
use crate::config::Retention;

/// A class of data with what deletes it; `?1` is the time before which.
struct Class {
    /// What the audit log calls it.
    name: &'static str,
    /// How long it is kept.
    kept: fn(&Retention) -> Option<std::time::Duration>,
    /// Deletes it; told whether only groups are told: then no finding that is stored can end any more.
    sql: fn(bool) -> &'static str,
}

/// The classes; the audit log is one of its own.
#[rustfmt::skip]
const CLASSES: &[Class] = &[
    Class { name: "findings", kept: |r| r.findings, sql: |groups| if groups { "DELETE FROM findings WHERE changed < ?1" } else { "DELETE FROM findings WHERE stage <> 'open' AND changed < ?1" } },
    Class { name: "history", kept: |r| r.history, sql: |_| "DELETE FROM history WHERE at < ?1" },
    Class { name: "sightings", kept: |r| r.sightings, sql: |_| "DELETE FROM sightings WHERE day < unixepoch(?1) / 86400" },
    Class { name: "spans of use", kept: |r| r.sightings, sql: |_| "DELETE FROM uses WHERE last < unixepoch(?1)" },
    Class { name: "devices", kept: |r| r.sightings, sql: |_| "DELETE FROM devices WHERE last_seen < unixepoch(?1) AND id NOT IN (SELECT device FROM findings) AND seq NOT IN (SELECT device FROM sightings) AND seq NOT IN (SELECT device FROM uses)" },
    Class { name: "coverage of segments", kept: |r| r.coverage, sql: |_| "DELETE FROM coverage WHERE hour < unixepoch(?1)" },
    Class { name: "coverage of interfaces", kept: |r| r.coverage, sql: |_| "DELETE FROM watched WHERE hour < unixepoch(?1)" },
    Class { name: "waiver uses", kept: |r| r.history, sql: |_| "DELETE FROM waiver_uses WHERE last_seen < ?1" },
];

/// The classes of data and how long each is kept; the audit log is not among them.
pub fn classes(retention: &Retention) -> impl Iterator<Item = (&'static str, Option<std::time::Duration>)> {
    CLASSES.iter().map(|class| (class.name, (class.kept)(retention)))
}

/// What tells of a finding, `?1` by its id: those from before there was a table of devices.
const OF_FINDING: &[&str] =
    &["DELETE FROM history WHERE finding = ?1", "DELETE FROM waiver_uses WHERE finding = ?1", "DELETE FROM findings WHERE id = ?1"];

/// What tells of a device, `?1` by its key; the device itself is the last.
const OF_DEVICE: &[&str] = &[
    "DELETE FROM history WHERE finding IN (SELECT id FROM findings WHERE device = (SELECT id FROM devices WHERE key = ?1))",
    "DELETE FROM waiver_uses WHERE finding IN (SELECT id FROM findings WHERE device = (SELECT id FROM devices WHERE key = ?1))",
    "DELETE FROM findings WHERE device = (SELECT id FROM devices WHERE key = ?1)",
    "DELETE FROM outbox WHERE json_extract(body, '$.device.key') = ?1",
    "DELETE FROM sightings WHERE device = (SELECT seq FROM devices WHERE key = ?1)",
    "DELETE FROM uses WHERE device = (SELECT seq FROM devices WHERE key = ?1)",
    "DELETE FROM links WHERE a = ?1 OR b = ?1",
    "DELETE FROM devices WHERE key = ?1",
];

/// What was deleted on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Rows.
    pub rows: u64,
    /// Nothing of them is left in the files. Otherwise a reader held them; the next deletion ends it.
    pub clean: bool,
}

impl Store {
    /// Deletes what is older than it may be, and notes in the audit log how much; both or neither.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was deleted.
    pub fn expire(&mut self, at: Timestamp, retention: &Retention, groups: bool) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let (path, signer, tip) = (&self.reader.path, &self.signer, &self.tip);
        let mut delete = || -> rusqlite::Result<(Vec<(&'static str, u64)>, Option<_>)> {
            let transaction = self.reader.connection.transaction()?;
            let mut counts = Vec::new();
            let mut notes = Vec::new();
            for class in CLASSES {
                let Some(kept) = (class.kept)(retention) else { continue };
                let before = midnight(at.before(kept));
                let rows = transaction.execute((class.sql)(groups), params![before.to_string()])? as u64;
                if rows > 0 {
                    counts.push((class.name, rows));
                    notes.push(note(at, "retention", format!("{}: {rows} older than {} deleted", class.name, before.to_minute())));
                }
            }
            if let Some((cut, rows)) =
                retention.audit.map(|kept| cut(&transaction, midnight(at.before(kept)), at, signer)).transpose()?.flatten()
            {
                counts.push(("audit", rows));
                notes.push(cut);
            }
            let head = audit::append(&transaction, tip, &notes, signer)?;
            transaction.commit()?;
            Ok((counts, head))
        };
        let (counts, head) = delete().map_err(|error| error_of(path, &error))?;
        self.reached(head, true);
        if !counts.is_empty() {
            // A reader may hold the log: the next checkpoint that succeeds ends it.
            let _ = checkpoint(&self.reader.connection);
        }
        Ok(counts)
    }

    /// Deletes everything about devices, by their keys, and notes it in the audit log; both or neither. The store is written anew, so that no
    /// byte of them is left in a file.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was deleted.
    pub fn erase(&mut self, keys: &BTreeSet<String>, findings: &[String], audit: impl FnOnce(u64) -> Audit) -> Result<Erased, StoreError> {
        let (path, signer, tip) = (&self.reader.path, &self.signer, &self.tip);
        let delete = || -> rusqlite::Result<(u64, Option<_>)> {
            let transaction = self.reader.connection.transaction()?;
            let mut rows = 0;
            let of_devices = keys.iter().flat_map(|key| OF_DEVICE.iter().map(move |sql| (key, sql)));
            for (name, sql) in of_devices.chain(findings.iter().flat_map(|id| OF_FINDING.iter().map(move |sql| (id, sql)))) {
                rows += transaction.execute(sql, params![name])? as u64;
            }
            let head = audit::append(&transaction, tip, &[audit(rows)], signer)?;
            transaction.commit()?;
            Ok((rows, head))
        };
        let (rows, head) = delete().map_err(|error| error_of(path, &error))?;
        self.reached(head, true);
        let anew = self.reader.connection.execute_batch("VACUUM").is_ok();
        let clean = checkpoint(&self.reader.connection).unwrap_or(false) && anew;
        Ok(Erased { rows, clean })
    }
}

/// Moves the write-ahead log into the file and empties it; `false` when a reader holds it.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}

fn note(at: Timestamp, action: &'static str, detail: String) -> Audit {
    Audit { at, by: "sensor".to_string(), action, detail }
}

/// The beginning of a day: deletion is a daily matter, however often it is looked for.
pub fn midnight(at: Timestamp) -> Timestamp {
    Timestamp::from_secs_nanos(at.secs() / 86_400 * 86_400, 0)
}

/// Cuts the audit log: the entry that says so, and how many are gone. What is left begins behind a head that is signed for the cut, so
/// that it stays verifiable.
fn cut(transaction: &Transaction<'_>, before: Timestamp, at: Timestamp, signer: &Signer) -> rusqlite::Result<Option<(Audit, u64)>> {
    // Up to the first entry that is young enough: a clock that was set back does not tear a hole.
    let sql = "SELECT seq, hash FROM audit WHERE seq < coalesce((SELECT min(seq) FROM audit WHERE at >= ?1), (SELECT max(seq) FROM audit))
               ORDER BY seq DESC LIMIT 1";
    let mut query = transaction.prepare(sql)?;
    let last = query
        .query_map(params![before.to_string()], |row| Ok(Tip { seq: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? }))?
        .next()
        .transpose()?;
    let Some(last) = last else { return Ok(None) };
    audit::write_head(transaction, &signer.sign(last.seq, &last.hash, &at.to_string()))?;
    let rows = transaction.execute("DELETE FROM audit WHERE seq <= ?1", params![last.seq as i64])? as u64;
    transaction.execute("DELETE FROM audit_heads WHERE seq < ?1", params![last.seq as i64])?;
    let detail = format!("entries up to {} are deleted, {rows} older than {}; its hash was {}", last.seq, before.to_minute(), last.hash);
    Ok(Some((note(at, crate::audit::chain::CUT, detail), rows)))
}
