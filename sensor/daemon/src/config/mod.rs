//! The configuration: `ringfence.toml`, and beside it `segments.toml`, `devices.toml` or `devices.csv`, and `waivers.toml`.
//!
//! Everything that is wrong in any of them is told at once, with file, line, key and remedy.

mod devices;
mod keys;
mod policy;
mod segments;
mod waivers;

use std::fs;
use std::path::{Path, PathBuf};

use ringfence_core::diagnostic::{Diagnostics, Document};
use ringfence_core::identity::RegisterEntry;
use ringfence_core::policy::Policy;

pub use keys::{KEYS, Key, markdown};

/// A configuration that was accepted.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the organisation allows where.
    pub policy: Policy,
    /// What it calls this place; empty when not set.
    pub site: String,
    /// Problems that are no errors.
    pub warnings: Diagnostics,
}

/// The files of one configuration, by role.
#[derive(Clone, Debug, Default)]
struct Files {
    segments: Option<PathBuf>,
    devices: Option<PathBuf>,
    waivers: Option<PathBuf>,
}

impl Config {
    /// Without a configuration: no policy, segments are derived.
    pub fn none() -> Config {
        Config { policy: Policy::none(), site: String::new(), warnings: Diagnostics::default() }
    }

    /// The configuration of a file, or none.
    ///
    /// # Errors
    /// Every problem of every file, when one of them is an error.
    pub fn load_optional(path: Option<&Path>) -> Result<Config, Diagnostics> {
        path.map_or_else(|| Ok(Config::none()), Config::load)
    }

    /// The configuration of a file and of those beside it.
    ///
    /// # Errors
    /// Every problem of every file, when one of them is an error.
    pub fn load(path: &Path) -> Result<Config, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let mut policy = Policy::none().configured();
        let mut site = String::new();
        let mut files = Files::default();
        if let Some(text) = read(path, &mut diagnostics) {
            let name = path.display().to_string();
            let doc = Document::new(&name, &text);
            let table = doc.parse();
            let root = doc.root(&table);
            site = root.text("site").map_or(String::new(), |s| s.value.to_string());
            files = beside(path, &root);
            segments::read(&root, &mut policy);
            policy::read(&root, &mut policy);
            let max = policy::waiver_days_max(&root);
            let inline = (root.node("device").is_some(), root.node("waiver").is_some());
            if inline.0 {
                devices::read_toml(&root, &mut policy);
            }
            if let Some(file) = &files.segments {
                segments::read_file(file, &mut policy, &mut diagnostics);
            }
            if let Some(file) = &files.devices {
                devices::read_file(file, &mut policy, &mut diagnostics);
            }
            if inline.1 {
                waivers::read(&root, max, &mut policy);
            }
            if let Some(file) = &files.waivers {
                waivers::read_file(file, max, &mut policy, &mut diagnostics);
            }
            policy::check_references(&root, &policy);
            root.finish();
            diagnostics.extend(doc.finish());
        }
        let _ = files;
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok(Config { policy, site, warnings: diagnostics }) }
    }

    /// The register in the form that identity wants.
    pub fn register(&self) -> Vec<RegisterEntry> {
        let entry = |d: &ringfence_core::policy::Device| RegisterEntry {
            id: d.id.as_str().into(),
            macs: d.macs.clone(),
            names: d.names.iter().map(|n| n.as_str().into()).collect(),
            addrs: d.addrs.clone(),
            designated: d.designated,
            owner: d.owner.as_deref().map(Into::into),
            kind: d.kind.as_deref().map(Into::into),
        };
        self.policy.register.devices().map(entry).collect()
    }
}

/// A file's text, or a problem.
fn read(path: &Path, diagnostics: &mut Diagnostics) -> Option<String> {
    let shown = path.display().to_string();
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Some(text),
        Ok(Err(error)) => {
            let at = error.utf8_error().valid_up_to();
            diagnostics.file_error(&shown, format!("is not UTF-8 at byte {at}"), Some("save it as UTF-8".into()));
            None
        }
        Err(error) => {
            let help = match error.kind() {
                std::io::ErrorKind::NotFound => "check the path; an example is in deploy/config/ringfence.toml",
                std::io::ErrorKind::PermissionDenied => "make it readable for this user",
                _ => "name a file, not a folder",
            };
            diagnostics.file_error(&shown, format!("cannot be read: {error}"), Some(help.into()));
            None
        }
    }
}

/// The other files: named in the configuration, relative to it.
fn beside(path: &Path, root: &ringfence_core::diagnostic::Section<'_>) -> Files {
    let dir = path.parent().unwrap_or(Path::new("."));
    let named = |key| root.text(key).map(|t| dir.join(t.value));
    Files { segments: named("segments_file"), devices: named("devices_file"), waivers: named("waivers_file") }
}
