//! `[operators.NAME]`: people who may do something to the running sensor, each with a token of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfence_core::diagnostic::{Section, choose};

use super::place::{Place, required};
use crate::control::Right;

/// Somebody with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// What the audit log calls them.
    pub name: String,
    /// The file that holds their token.
    pub token_file: PathBuf,
    /// What they may do.
    pub may: Vec<Right>,
}

/// Reads `[operators]`. Paths are relative to `dir`.
pub(super) fn read(root: &Section<'_>, dir: &Path) -> Vec<Operator> {
    let Some(section) = root.section("operators") else { return Vec::new() };
    let mut operators = Vec::new();
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (name, operator) in section.named_sections() {
        let place = Place::of(section.document(), &name);
        let fit = place.is_name(name.value);
        let token_file = required(&operator, "token_file").map(|(path, place)| {
            let path = dir.join(path);
            if let Some(other) = files.insert(path.clone(), name.value.to_string()) {
                place.error(format!("`{other}` has the same token"), "everybody has a token of their own, in a file of its own");
            }
            path
        });
        let words = operator.texts("may").unwrap_or_default();
        let may: Vec<Right> = words.iter().filter_map(|w| choose(operator.document(), w, &Right::WORDS)).map(|r| r.value).collect();
        if words.is_empty() {
            place.error(format!("`{}` may do nothing", name.value.escape_debug()), "say what: may = [\"acknowledge\"]");
        }
        operator.finish();
        if let (true, Some(token_file)) = (fit, token_file) {
            operators.push(Operator { name: name.value.to_string(), token_file, may });
        }
    }
    section.finish();
    operators
}
