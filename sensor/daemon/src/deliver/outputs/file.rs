//! Lines in a file. They are on disk before they count as taken. Another program may rotate it: the file is opened by its name again
//! when another one, or none, has the name. Or it rotates by itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::clock::now;
use crate::config::Output as Settings;
use crate::deliver::format::{self, Format};
use crate::deliver::{Event, Failure, Kind, Output, Sending};

/// The row of the table.
pub const KIND: Kind = Kind {
    name: "file",
    about: "lines in a file",
    formats: &["json", "eve", "ecs", "ocsf", "cef", "text"],
    schemes: &[],
    port: 0,
    make: |settings| Box::new(Lines::new(settings)),
};

/// How much of a file's end is looked through for the end of its last line.
const TAIL: u64 = 1 << 20;

struct Lines {
    path: PathBuf,
    format: Format,
    rotate_bytes: u64,
    rotate_after: Duration,
    keep: usize,
    open: Option<File>,
}

impl Lines {
    fn new(settings: &Settings) -> Self {
        Lines {
            path: settings.path.clone(),
            format: settings.format.unwrap_or(format::FORMATS[0]),
            rotate_bytes: settings.rotate_bytes,
            rotate_after: settings.rotate_after,
            keep: settings.keep_files,
            open: None,
        }
    }

    fn write(&mut self, events: &[Event]) -> io::Result<()> {
        self.rotate()?;
        let text: String = events.iter().map(|e| (self.format.render)(e) + "\n").collect();
        let file = self.current()?;
        let before = file.metadata()?.len();
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        if written.is_err() {
            // A part of a line must not stay: it will be written again.
            file.set_len(before)?;
        }
        written
    }

    fn current(&mut self) -> io::Result<&mut File> {
        let named = fs::metadata(&self.path).ok().map(|m| (m.dev(), m.ino()));
        let ours = self.open.as_ref().and_then(|f| f.metadata().ok()).map(|m| (m.dev(), m.ino()));
        if named.is_none() || named != ours {
            self.open = Some(opened(&self.path)?);
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("is not open"))
    }

    fn rotate(&mut self) -> io::Result<()> {
        let Ok(about) = fs::metadata(&self.path) else { return Ok(()) };
        let age = about.created().ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        let large = self.rotate_bytes > 0 && about.len() >= self.rotate_bytes;
        let old = !self.rotate_after.is_zero() && age >= self.rotate_after && about.len() > 0;
        if !large && !old {
            return Ok(());
        }
        let stamp = now().to_string().replace(':', "-");
        fs::rename(&self.path, format!("{}.{stamp}", self.path.display()))?;
        self.open = None;
        self.thin_out()
    }

    /// The oldest rotated files go.
    fn thin_out(&self) -> io::Result<()> {
        let (Some(dir), Some(name)) = (self.path.parent(), self.path.file_name().and_then(|n| n.to_str())) else { return Ok(()) };
        let stamped = |path: &PathBuf| {
            let rest = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_prefix(name)?.strip_prefix('.'));
            rest.is_some_and(|stamp| stamp.len() == 27 && stamp.ends_with('Z') && stamp.starts_with("20"))
        };
        let mut rotated: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|e| e.path()).filter(stamped).collect();
        rotated.sort();
        let surplus = rotated.len().saturating_sub(self.keep);
        rotated.iter().take(surplus).try_for_each(fs::remove_file)
    }
}

/// Opened for appending, without what a power cut left of a line.
fn opened(path: &Path) -> io::Result<File> {
    let told = |e: io::Error| io::Error::other(format!("{}: {e}", path.display()));
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(told)?;
    let len = file.metadata()?.len();
    let from = len.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    Read::by_ref(&mut file).take(TAIL).read_to_end(&mut tail)?;
    if let Some(at) = tail.iter().rposition(|b| *b == b'\n').map(|at| at as u64 + 1).or((from == 0).then_some(0)) {
        file.set_len(from + at)?;
    }
    Ok(file)
}

impl Output for Lines {
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a> {
        Box::pin(async move { tokio::task::block_in_place(|| self.write(events)).map_err(|e| Failure::later(0, e)) })
    }

    fn at_once(&self) -> usize {
        256
    }
}
