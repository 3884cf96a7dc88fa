//! Every dependency may be shipped under Apache-2.0 OR MIT.

use std::process::Command;

use ringfence_tests::root;

/// Licences that ask for nothing but a notice.
const PERMISSIVE: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "0BSD",
    "CC0-1.0",
    "BSL-1.0",
    "MIT-0",
    "MPL-2.0",
];

#[test]
fn all_dependencies_are_permissive() {
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let host = String::from_utf8_lossy(&rustc.stdout).lines().find_map(|l| l.strip_prefix("host: ").map(str::to_string)).expect("a host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 20, "the graph was read");
    let bad: Vec<String> = packages
        .iter()
        .filter(|p| !acceptable(p["license"].as_str().unwrap_or("")))
        .map(|p| format!("{} {}: {}", p["name"], p["version"], p["license"]))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// One alternative of every conjunct is permissive.
fn acceptable(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    !flat.trim().is_empty()
        && flat.split(" AND ").all(|part| part.split(" OR ").any(|l| PERMISSIVE.contains(&l.split(" WITH ").next().unwrap_or("").trim())))
}

#[test]
fn the_check_can_fail() {
    assert!(acceptable("MIT OR Apache-2.0") && acceptable("Apache-2.0 AND ISC") && acceptable("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(!acceptable("GPL-3.0-only") && !acceptable("") && !acceptable("MIT AND GPL-2.0"));
}
