//! Every dependency may be shipped under Apache-2.0 OR MIT.

use std::collections::BTreeSet;
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
    // What is built, with everything that can be turned on: the lock file also names what nobody asks for.
    let args = ["tree", "--workspace", "--all-features", "--locked", "--offline", "--prefix", "none", "--format", "{p}|{l}"];
    let output = Command::new(env!("CARGO")).args(args).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout).into_owned();
    let packages: BTreeSet<(&str, &str)> = tree.lines().filter_map(|l| l.trim_end_matches(" (*)").split_once('|')).collect();
    assert!(packages.len() > 200 && packages.iter().any(|(name, _)| name.starts_with("rdkafka-sys ")), "the graph was read");
    let bad: Vec<_> = packages.iter().filter(|(_, licence)| !acceptable(licence)).collect();
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
