//! How far an output is: the number of the last event that the far end has. A file of its own for each output, replaced as a whole, so
//! a power cut leaves the old one or the new one. An older number means that events are sent twice, never that one is not.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder below the state directory.
pub const DIR: &str = "outputs";

/// How far an output is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which outbox it counts in.
    pub outbox: String,
    /// The last event that the far end has.
    pub seq: u64,
}

/// The file.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    /// What stands in it.
    place: Option<Place>,
}

impl Cursor {
    /// Reads the cursor of an output; none when there is no file, or none that can be read.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(state: &Path, output: &str) -> io::Result<Cursor> {
        let dir = state.join(DIR);
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{output}.json"));
        let place = fs::read(&path).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap_or_default());
        Ok(Cursor { path, place })
    }

    /// How far it is; `None` when it has never been anywhere.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Moves; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses; then the old place stands.
    pub fn set(&mut self, place: Place) -> io::Result<()> {
        if self.place.as_ref() == Some(&place) {
            return Ok(());
        }
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(&place)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        self.place = Some(place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_and_a_damaged_one_is_the_beginning() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut cursor = Cursor::open(dir.path(), "siem").expect("opens");
        assert_eq!(cursor.place(), None);
        let place = Place { outbox: "o".into(), seq: 7 };
        cursor.set(place.clone()).expect("written");
        assert_eq!(Cursor::open(dir.path(), "siem").expect("opens").place(), Some(&place));
        let path = dir.path().join(DIR).join("siem.json");
        let whole = fs::read(&path).expect("there");
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).expect("cut");
            assert_eq!(Cursor::open(dir.path(), "siem").expect("opens").place(), Some(&Place::default()), "{len}");
        }
    }
}
