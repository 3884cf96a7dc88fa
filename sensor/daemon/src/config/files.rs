//! The files of one configuration: `ringfence.toml`, and those that it names or that lie beside it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ringfence_core::diagnostic::Section;

use super::place::Place;

/// A configuration file above this is refused: a register of 100,000 devices has about 10 MiB.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file and its text.
#[derive(Debug)]
pub(super) struct Source {
    /// The name that messages use.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
    /// Rows of devices, not TOML.
    pub(super) is_csv: bool,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong, and the remedy.
    pub(super) fn read(path: &Path) -> Result<Source, (String, &'static str)> {
        let name = path.display().to_string();
        let refuse = |error: std::io::Error| {
            let help = match error.kind() {
                ErrorKind::NotFound => "check the path; an example is in deploy/config/ringfence.toml",
                ErrorKind::PermissionDenied => "make it readable for this user",
                _ => "name a file, not a folder",
            };
            (format!("cannot be read: {error}"), help)
        };
        let about = fs::metadata(path).map_err(refuse)?;
        if about.len() > FILE_BYTES_MAX {
            return Err((format!("has {} bytes, at most {FILE_BYTES_MAX} are read", about.len()), "name a configuration file"));
        }
        let text = String::from_utf8(fs::read(path).map_err(refuse)?).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(good).filter(|b| **b == b'\n').count() + 1;
            (format!("is not UTF-8 in line {line}"), "save it as UTF-8")
        })?;
        let is_csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        Ok(Source { name, text, is_csv })
    }
}

/// Which key names a file, and what it is called where it lies beside `ringfence.toml`.
const ROLES: [(&str, &[&str]); 3] =
    [("segments_file", &["segments.toml"]), ("devices_file", &["devices.toml", "devices.csv"]), ("waivers_file", &["waivers.toml"])];

/// Reads the other files; problems are told where the file is named.
pub(super) fn others(path: &Path, root: &Section<'_>) -> Vec<Source> {
    let dir = path.parent().unwrap_or(Path::new(""));
    ROLES.iter().flat_map(|(key, names)| role(dir, root, key, names)).collect()
}

fn role(dir: &Path, root: &Section<'_>, key: &str, names: &[&str]) -> Vec<Source> {
    let Some(item) = root.text(key) else {
        // A key of the wrong type was meant to name something else than what lies there.
        let beside = |name: &&&str| root.node(key).is_none() && dir.join(name).is_file();
        let place = || Place::new(root.document(), 0..0, key);
        return names.iter().filter(beside).filter_map(|name| source(dir.join(name), &place())).collect();
    };
    source(dir.join(item.value), &Place::of(root.document(), &item)).into_iter().collect()
}

fn source(path: PathBuf, place: &Place<'_>) -> Option<Source> {
    Source::read(&path).map_err(|(what, help)| place.error(format!("{} {what}", path.display()), help)).ok()
}
