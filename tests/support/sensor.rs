//! The sensor as its users run it: the real binary, its output parsed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::root;

/// A parsed line of output.
pub type Json = serde_json::Value;

/// What a run of the command left behind.
#[derive(Clone, Debug)]
pub struct Done {
    /// Exit code; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output, lossily as text.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The binary, built once by the first test that asks.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        // With the features of the whole workspace, or everything would be compiled a second time.
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "--workspace", "--bin", "ringfence"]).current_dir(root());
        if cfg!(feature = "kafka") {
            build.args(["--features", "ringfence-tests/kafka"]);
        }
        let built = build.status();
        assert!(built.is_ok_and(|s| s.success()), "the sensor does not build");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        target.join("debug/ringfence")
    })
}

/// Runs the command with arguments.
///
/// # Panics
/// When it cannot be started.
pub fn run(args: &[&str]) -> Done {
    let output = Command::new(binary()).args(args).env_remove("RUST_BACKTRACE").output().expect("the sensor starts");
    Done {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn lines(done: &Done) -> Vec<Json> {
    done.stdout.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// `ringfence scan -o json ARGS FILE`, parsed.
///
/// # Panics
/// When a line is no JSON, or the sensor crashes.
pub fn scan(args: &[&str], capture: &Path) -> Vec<Json> {
    let path = capture.to_string_lossy();
    let done = run(&[&["scan", "-o", "json"], args, &[&*path]].concat());
    assert!(done.status.is_some_and(|s| s != 101), "{}: {}", capture.display(), done.stderr);
    lines(&done)
}

/// `ringfence dissect -o json FILE`, parsed.
///
/// # Panics
/// When a line is no JSON, or the sensor crashes.
pub fn dissect(capture: &Path) -> Vec<Json> {
    let done = run(&["dissect", "-o", "json", &capture.to_string_lossy()]);
    assert!(done.status.is_some_and(|s| s != 101), "{}: {}", capture.display(), done.stderr);
    lines(&done)
}
