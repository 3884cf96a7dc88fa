//! The tables, and how older ones become the present ones. `docs/store.md` explains them to people who read them with `sqlite3`.

use rusqlite::Connection;

/// Each step takes the tables from one version to the next; what was shipped never changes. A room of the store names its own tables.
const STEPS: &[&[&str]] = &[
    &[FIRST],
    &[
        HISTORY_WITH_VERDICTS,
        super::waivers::TABLES,
        super::audit::TABLES,
        super::devices::TABLES,
        super::coverage::TABLES,
        super::links::TABLES,
        super::outbox::TABLES,
    ],
];

pub(crate) const FIRST: &str = "
CREATE TABLE findings (
  id         TEXT PRIMARY KEY,
  device     TEXT NOT NULL,
  segment    TEXT NOT NULL,
  app        TEXT NOT NULL,
  surface    TEXT NOT NULL,
  verdict    TEXT NOT NULL,
  level      TEXT NOT NULL,
  stage      TEXT NOT NULL,
  opened     TEXT NOT NULL,
  changed    TEXT NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen  TEXT NOT NULL,
  reopened   INTEGER NOT NULL,
  body       TEXT NOT NULL
) STRICT;
CREATE TABLE history (
  seq     INTEGER PRIMARY KEY,
  at      TEXT NOT NULL,
  finding TEXT NOT NULL,
  event   TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_finding ON history (finding);
CREATE TABLE audit (
  seq    INTEGER PRIMARY KEY,
  at     TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
";

const HISTORY_WITH_VERDICTS: &str = "
ALTER TABLE history ADD COLUMN verdict TEXT;
ALTER TABLE history ADD COLUMN level TEXT;
";

/// The version that this program makes.
pub const VERSION: usize = STEPS.len();

/// Why tables cannot be used.
pub enum Problem {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// They are of a version that is not known here.
    Later(usize),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Problem::Sqlite(error)
    }
}

/// Brings the tables to [`VERSION`], one transaction for each step.
pub fn upgrade(connection: &mut Connection) -> Result<(), Problem> {
    let found: usize = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))?.try_into().unwrap_or(usize::MAX);
    if found > VERSION {
        return Err(Problem::Later(found));
    }
    for (version, step) in STEPS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        step.iter().try_for_each(|tables| transaction.execute_batch(tables))?;
        transaction.pragma_update(None, "user_version", u32::try_from(version + 1).unwrap_or(u32::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}
