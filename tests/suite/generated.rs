//! Documents that are made from the code's own declarations are current. `UPDATE_EXPECT=1` rewrites them.

use std::fs;

use ringfence_tests::root;

fn current(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, text).expect("written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{} is not current: UPDATE_EXPECT=1 cargo test generated", path.display());
}

#[test]
fn generated_fields() {
    current("docs/fields.md", &ringfence::cli::fields::markdown());
}

#[test]
fn generated_config() {
    current("docs/config.md", &ringfence::config::markdown());
}

#[test]
fn generated_metrics() {
    current("docs/metrics.md", &ringfence::metrics::markdown());
}

#[test]
fn generated_openapi() {
    current("docs/openapi.json", &ringfence::http::document());
}
