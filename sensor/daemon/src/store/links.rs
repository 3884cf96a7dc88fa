//! What operators said about who is who: every word, as it was said.

use ringfence_core::identity::{Link, LinkKind};
use ringfence_core::time::Timestamp;
use rusqlite::{Connection, Transaction, params};

pub(super) const TABLES: &str = "
CREATE TABLE links (
  seq    INTEGER PRIMARY KEY,
  at     TEXT NOT NULL,
  kind   TEXT NOT NULL,
  a      TEXT NOT NULL,
  b      TEXT NOT NULL,
  reason TEXT NOT NULL,
  by     TEXT NOT NULL
) STRICT;
";

/// Adds a word.
pub(super) fn write(transaction: &Transaction<'_>, link: &Link) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO links (at, kind, a, b, reason, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    insert.execute(params![link.at.to_string(), link.kind.name(), link.a, link.b, link.reason, link.by])?;
    Ok(())
}

/// Every word. One of a kind that is not known here changes nothing.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Vec<Link>> {
    let mut query = connection.prepare("SELECT kind, at, a, b, reason, by FROM links ORDER BY seq")?;
    let rows = query.query_map([], |row| {
        let (kind, at): (String, String) = (row.get(0)?, row.get(1)?);
        let kind = [LinkKind::Merge, LinkKind::Split].into_iter().find(|k| k.name() == kind);
        let at = Timestamp::parse(&at).unwrap_or(Timestamp::ZERO);
        let (a, b, reason, by) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        Ok(kind.map(|kind| Link { kind, a, b, reason, at, by }))
    })?;
    rows.filter_map(Result::transpose).collect()
}
