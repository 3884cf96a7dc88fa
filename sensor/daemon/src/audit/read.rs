//! A log from where it is kept: the store, read beside a running sensor, or an export, one JSON object in each line.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use serde::{Deserialize, Serialize};

use super::chain::{Entry, Head};

/// How an SQLite file begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// A log as it was found.
#[derive(Debug, Default)]
pub struct Log {
    /// Entries, by number; of an export, in its order.
    pub entries: Vec<Entry>,
    /// Signed heads.
    pub heads: Vec<Head>,
}

/// Why a log cannot be read.
#[derive(Debug)]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
    /// It is there, and not what it should be.
    pub damaged: bool,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for ReadError {}

/// Reads a log: a store or an export.
///
/// # Errors
/// [`ReadError`] when the file cannot be opened, or holds something else.
pub fn read(path: &Path) -> Result<Log, ReadError> {
    let unopened = |e: std::io::Error| ReadError { path: path.to_path_buf(), message: e.to_string(), damaged: false };
    let mut file = File::open(path).map_err(unopened)?;
    let mut begin = Vec::new();
    file.by_ref().take(SQLITE.len() as u64).read_to_end(&mut begin).map_err(unopened)?;
    let damaged = |message: String| ReadError { path: path.to_path_buf(), message, damaged: true };
    if begin == SQLITE {
        store(path).map_err(|e| damaged(e.to_string()))
    } else {
        export(BufReader::new(begin.chain(file))).map_err(damaged)
    }
}

/// Reads the log of a store that this process writes. Only SQLite may open the file here: when another descriptor of it is closed, POSIX
/// takes the writer's locks away.
///
/// # Errors
/// [`ReadError`] when it cannot be read.
pub fn beside(path: &Path) -> Result<Log, ReadError> {
    store(path).map_err(|e| ReadError { path: path.to_path_buf(), message: e.to_string(), damaged: true })
}

/// Opens a store to read. Beside a running sensor its write-ahead log is read as well; a copy in a folder that cannot be written is
/// read as it is.
///
/// # Errors
/// What SQLite says.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let usable = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    match usable {
        Err(_) if !fs::metadata(wal).is_ok_and(|m| m.len() > 0) => {
            let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            Connection::open_with_flags(format!("file:{name}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(connection),
    }
}

fn store(path: &Path) -> rusqlite::Result<Log> {
    let mut connection = open(path)?;
    // One view of both tables, whatever is written meanwhile.
    let view = connection.transaction()?;
    let entries = view
        .prepare("SELECT seq, at, who, action, detail, hash FROM audit ORDER BY seq")?
        .query_map([], |row| {
            Ok(Entry {
                seq: seq(row)?,
                at: text(row, 1)?,
                by: text(row, 2)?,
                action: text(row, 3)?,
                detail: text(row, 4)?,
                hash: text(row, 5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let heads = view
        .prepare("SELECT seq, hash, at, signature FROM audit_heads ORDER BY seq, at")?
        .query_map([], |row| Ok(Head { seq: seq(row)?, hash: text(row, 1)?, at: text(row, 2)?, signature: text(row, 3)? }))?
        .collect::<Result<_, _>>()?;
    Ok(Log { entries, heads })
}

fn seq(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0).map(|n| u64::try_from(n).unwrap_or(0))
}

/// A text that is none any more shall break the chain, not the reader.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).unwrap_or_else(|e| format!("not UTF-8: {:02x?}", e.as_bytes())),
        other => format!("not text: {:?}", other.data_type()),
    })
}

/// A line of an export.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    AuditEntry { seq: u64, at: String, by: String, action: String, detail: String, hash: String },
    AuditHead { seq: u64, hash: String, at: String, signature: String },
}

/// An entry as a line of an export, and of `audit list -o json`.
pub fn entry_line(e: Entry) -> String {
    written(&Line::AuditEntry { seq: e.seq, at: e.at, by: e.by, action: e.action, detail: e.detail, hash: e.hash })
}

/// A head as a line of an export.
pub fn head_line(h: Head) -> String {
    written(&Line::AuditHead { seq: h.seq, hash: h.hash, at: h.at, signature: h.signature })
}

fn written(line: &Line) -> String {
    // Structs of text and numbers are always JSON.
    serde_json::to_string(line).unwrap_or_default()
}

fn export(lines: impl BufRead) -> Result<Log, String> {
    let mut log = Log::default();
    for (at, line) in lines.split(b'\n').enumerate() {
        let bytes = line.map_err(|e| e.to_string())?;
        let parsed = std::str::from_utf8(&bytes).ok().and_then(|text| Some((text, serde_json::from_str::<Line>(text).ok()?)));
        // Each line has one form only, so that a byte that was changed is found wherever it stands.
        match parsed.filter(|(text, line)| written(line) == *text) {
            Some((_, Line::AuditEntry { seq, at, by, action, detail, hash })) => {
                log.entries.push(Entry { seq, at, by, action, detail, hash })
            }
            Some((_, Line::AuditHead { seq, hash, at, signature })) => log.heads.push(Head { seq, hash, at, signature }),
            None => return Err(format!("line {} is no line of an audit export", at + 1)),
        }
    }
    Ok(log)
}
