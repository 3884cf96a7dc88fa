//! Where rules come from: the shipped files are part of the binary, a site's own lie in a folder over them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use ring::digest::{Context, SHA256};
use ringfence_core::diagnostic::Diagnostics;
use ringfence_core::dissect;
use ringfence_core::field::Field;
use ringfence_core::rules::{RuleFile, RuleSet, SERVER};

static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");

/// A rule file above this is refused: the largest shipped one has 40 KiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Files in a site folder beyond this are refused.
const FILES_MAX: usize = 1_000;

/// A rule set and what it was made of.
#[derive(Clone, Debug)]
pub struct RulesStore {
    /// The compiled rules.
    pub set: Arc<RuleSet>,
    /// Names the content: the same text gives the same version.
    pub version: String,
    /// Problems that are no errors.
    pub warnings: Diagnostics,
}

/// Every field that rules may match.
pub fn fields() -> Vec<&'static Field> {
    dissect::fields().chain([&SERVER]).collect()
}

impl RulesStore {
    /// The shipped rules, and those of a site folder over them.
    ///
    /// # Errors
    /// Every problem of every file, when one of them is an error.
    pub fn load(site: Option<&Path>) -> Result<RulesStore, Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        let mut texts = shipped();
        let shipped_count = texts.len();
        if let Some(dir) = site {
            texts.extend(folder(dir, &mut diagnostics));
        }
        let fields = fields();
        let mut hash = Context::new(&SHA256);
        let mut layers = [Vec::new(), Vec::new()];
        for (i, (name, text)) in texts.iter().enumerate() {
            hash.update(name.as_bytes());
            hash.update(&[0]);
            hash.update(text.as_bytes());
            layers[usize::from(i >= shipped_count)].push(RuleFile::parse(name, text, &fields, &mut diagnostics));
        }
        let set = RuleSet::build(&layers, &fields, &mut diagnostics);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let digest: String = hash.finish().as_ref().iter().take(6).map(|b| format!("{b:02x}")).collect();
        let count = set.rules().count();
        let version = format!("{digest} ({count} indicators in {} files)", texts.len());
        Ok(RulesStore { set: Arc::new(set), version, warnings: diagnostics })
    }
}

/// The shipped files, by name.
fn shipped() -> Vec<(String, String)> {
    fn gather(dir: &'static Dir<'static>, found: &mut Vec<(String, String)>) {
        for file in dir.files().filter(|f| f.path().extension().is_some_and(|e| e == "toml")) {
            let text = file.contents_utf8().unwrap_or_default();
            found.push((format!("rules/{}", file.path().display()), text.to_string()));
        }
        dir.dirs().for_each(|d| gather(d, found));
    }
    let mut found = Vec::new();
    gather(&SHIPPED, &mut found);
    found.sort();
    found
}

/// The `*.toml` files of a folder, not of folders below it. Links are refused: a rule folder holds files.
fn folder(dir: &Path, diagnostics: &mut Diagnostics) -> Vec<(String, String)> {
    let shown = dir.display().to_string();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            diagnostics.file_error(
                &shown,
                format!("the rule folder cannot be read: {error}"),
                Some("--rules names a folder with *.toml files".into()),
            );
            return Vec::new();
        }
    };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    paths.sort();
    if paths.is_empty() {
        diagnostics.file_error(&shown, "the rule folder holds no *.toml file", Some("--rules names a folder with rule files".into()));
    }
    if paths.len() > FILES_MAX {
        diagnostics.file_error(&shown, format!("the rule folder holds {} files, at most {FILES_MAX} are read", paths.len()), None);
        paths.truncate(FILES_MAX);
    }
    paths.iter().filter_map(|path| file(path, diagnostics)).collect()
}

fn file(path: &Path, diagnostics: &mut Diagnostics) -> Option<(String, String)> {
    let shown = path.display().to_string();
    let mut refuse = |what: String, help: &str| {
        diagnostics.file_error(&shown, what, Some(help.to_string()));
        None
    };
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) => return refuse(format!("cannot be read: {error}"), "make it readable for this user"),
    };
    if !about.is_file() {
        return refuse("is no plain file".into(), "links and folders are not followed: copy the file here");
    }
    if about.len() > FILE_BYTES_MAX {
        return refuse(format!("has {} bytes, at most {FILE_BYTES_MAX} are read", about.len()), "split it");
    }
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Some((shown, text)),
        Ok(Err(error)) => refuse(format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to()), "save it as UTF-8"),
        Err(error) => refuse(format!("cannot be read: {error}"), "make it readable for this user"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_rules_are_right_and_tested() {
        let store = RulesStore::load(None).expect("no errors");
        assert!(store.warnings.problems().is_empty(), "{:?}", store.warnings.problems());
        let failures = store.set.run_tests(&fields());
        assert!(failures.is_empty(), "{failures:#?}");
        let coverage = store.set.coverage();
        assert!(coverage.without_hits.is_empty() && coverage.without_misses.is_empty(), "{coverage:?}");
        assert_eq!(store.version, RulesStore::load(None).expect("again").version);
    }

    /// What the rule author's page shows is what works.
    #[test]
    fn examples_of_the_handbook() {
        let page = include_str!("../../../rules/README.md");
        let dir = tempfile::tempdir().expect("temporary folder");
        let examples: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(examples.len() >= 3);
        for (i, example) in examples.iter().enumerate() {
            fs::write(dir.path().join(format!("{i}.toml")), example).expect("written");
        }
        let store = RulesStore::load(Some(dir.path())).expect("no errors");
        let failures = store.set.run_tests(&fields());
        assert!(store.warnings.problems().is_empty() && failures.is_empty(), "{failures:#?}");
        let coverage = store.set.coverage();
        assert!(coverage.without_hits.is_empty() && coverage.without_misses.is_empty(), "{coverage:?}");
        assert!(store.set.rules().all(|(_, r)| &*r.indicator.id != "wechat.user-agent"), "switched off");
        assert_ne!(store.version, RulesStore::load(None).expect("shipped").version);
    }

    #[test]
    fn a_site_folder_may_be_called_rules() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let rules = dir.path().join("rules");
        fs::create_dir(&rules).expect("created");
        let own = "app = \"wechat\"\nsource = \"us\"\n[[names]]\nid = \"wechat.site.web\"\nclass = \"web-client\"\nsurface = \"web\"\nconfidence = \"low\"\nnames = [\"web.wechat.com\"]\n";
        fs::write(rules.join("own.toml"), own).expect("written");
        let store = RulesStore::load(Some(&rules)).expect("the site's word is last");
        assert!(store.set.run_tests(&fields()).is_empty(), "the shipped test of that name is no failure");
    }
}
