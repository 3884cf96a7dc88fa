//! The privacy dossier, word for word: two documents, two languages, an open and a strict configuration. `UPDATE_EXPECT=1` rewrites them.

use std::fs;
use std::path::Path;

use ringfence_tests::root;
use ringfence_tests::sensor::run;

/// Few people may do little, and only groups are told.
const STRICT: &str = r#"
site = "Ústav"
[capture]
interfaces = ["span0", "span1"]
filter = "handshakes"
[segments.office]
class = "standard"
vlans = [20]
[operators.jana]
token_file = "jana"
may = ["resolve", "erase"]
[operators.petr]
token_file = "petr"
may = ["resolve"]
[privacy]
resolve_two_persons = true
aggregate_only = AGGREGATE
group_min = 8
[retention]
findings_days = 90
sightings_days = 1
coverage_days = 3
audit_days = 0
"#;

fn current(name: &str, text: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, text).expect("written");
    }
    assert!(fs::read_to_string(&path).unwrap_or_default() == text, "{} is not current: UPDATE_EXPECT=1 cargo test dossier", path.display());
}

fn dossier(config: &Path, document: &str, language: &str, form: &str) -> String {
    let done = run(&["privacy", "dossier", "-c", &config.to_string_lossy(), "--document", document, "--lang", language, "-o", form]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    done.stdout
}

#[test]
fn every_document_in_both_languages() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let strict = dir.path().join("strict.toml");
    fs::write(&strict, STRICT.replace("AGGREGATE", "true")).expect("written");
    let two = dir.path().join("two.toml");
    fs::write(&two, STRICT.replace("AGGREGATE", "false")).expect("written");
    let shipped = root().join("deploy/config/ringfence.toml");
    for (name, config) in [("shipped", &shipped), ("two-persons", &two), ("groups", &strict)] {
        for document in ["annex", "notice"] {
            for language in ["en", "cs"] {
                current(&format!("dossier-{name}-{document}.{language}.md"), &dossier(config, document, language, "md"));
            }
        }
    }
}

#[test]
fn the_page_needs_nothing_else() {
    let page = dossier(&root().join("deploy/config/ringfence.toml"), "annex", "cs", "html");
    assert!(page.starts_with("<!doctype html>") && page.contains("<html lang=\"cs\">") && page.contains("<table>"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "{page}");
}
