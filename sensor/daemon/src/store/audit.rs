//! The audit log's tables: entries in a chain, and signed heads of it.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Audit;
use crate::audit::chain::GENESIS;
use crate::audit::{Entry, Head, Signer};

/// What the second version adds. `by` would be a word of SQL.
pub(super) const TABLES: &str = "
ALTER TABLE audit ADD COLUMN who TEXT NOT NULL DEFAULT 'sensor';
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE TABLE audit_heads (
  seq       INTEGER NOT NULL,
  hash      TEXT NOT NULL,
  at        TEXT NOT NULL,
  signature TEXT NOT NULL
) STRICT;
CREATE INDEX audit_heads_by_seq ON audit_heads (seq);
";

/// Where the chain stands: the last entry's number and hash.
#[derive(Clone, Debug)]
pub(super) struct Tip {
    pub(super) seq: u64,
    pub(super) hash: String,
}

/// The tip of what is stored.
pub(super) fn tip(connection: &Connection) -> rusqlite::Result<Tip> {
    let last = connection.query_row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
        Ok(Tip { seq: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? })
    });
    Ok(last.optional()?.unwrap_or(Tip { seq: 0, hash: GENESIS.to_string() }))
}

/// Chains entries from before there was a chain. Once a head was signed there are none: then a missing hash is a fault to be found.
pub(super) fn adopt(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let signed: bool = transaction.query_row("SELECT EXISTS (SELECT 1 FROM audit_heads)", [], |row| row.get(0))?;
    if signed {
        return Ok(());
    }
    let mut before = GENESIS.to_string();
    let entries: Vec<Entry> = transaction
        .prepare("SELECT seq, at, who, action, detail FROM audit ORDER BY seq")?
        .query_map([], |row| {
            let seq = row.get::<_, i64>(0)?.unsigned_abs();
            Ok(Entry { seq, at: row.get(1)?, by: row.get(2)?, action: row.get(3)?, detail: row.get(4)?, hash: String::new() })
        })?
        .collect::<Result<_, _>>()?;
    for entry in entries {
        before = entry.hash_after(&before);
        transaction.execute("UPDATE audit SET hash = ?1 WHERE seq = ?2", params![before, entry.seq as i64])?;
    }
    transaction.commit()
}

/// Appends entries and signs the last one: a log never has an entry on disk that nobody signed.
pub(super) fn append(transaction: &Transaction<'_>, tip: &Tip, all: &[Audit], signer: &Signer) -> rusqlite::Result<Option<(Tip, Head)>> {
    let Some(latest) = all.last() else { return Ok(None) };
    let mut tip = tip.clone();
    let mut insert =
        transaction.prepare_cached("INSERT INTO audit (seq, at, who, action, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for audit in all {
        let (at, by, action) = (audit.at.to_string(), audit.by.clone(), audit.action.to_string());
        let entry = Entry { seq: tip.seq + 1, at, by, action, detail: audit.detail.clone(), hash: String::new() };
        tip = Tip { seq: entry.seq, hash: entry.hash_after(&tip.hash) };
        insert.execute(params![entry.seq as i64, entry.at, entry.by, entry.action, entry.detail, tip.hash])?;
    }
    let head = signer.sign(tip.seq, &tip.hash, &latest.at.to_string());
    write_head(transaction, &head)?;
    Ok(Some((tip, head)))
}

pub(super) fn write_head(transaction: &Transaction<'_>, head: &Head) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO audit_heads (seq, hash, at, signature) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![head.seq as i64, head.hash, head.at, head.signature])?;
    Ok(())
}
