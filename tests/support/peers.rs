//! Programs of others that tests speak with: those that `make test` has unpacked below `target/peers`, else those of this machine.
//!
//! Where one is missing a test may be left out, and says so; with `PEERS=required` in the environment, as `make test` sets it, it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders below the unpacked ones, and of this machine beside `PATH`, in which programs are.
const PLACES: [&str; 4] = ["usr/bin", "usr/sbin", "bin", "sbin"];

/// Where `make test` unpacks programs.
pub fn unpacked() -> PathBuf {
    crate::root().join("target/peers")
}

/// Where a program is; `None`, after a word about it, when it is not there.
///
/// # Panics
/// When it is not there although peers are required.
pub fn peer(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let ours = PLACES.map(|place| unpacked().join(place));
    let places = ours.into_iter().chain(std::env::split_paths(&path)).chain(PLACES.map(|place| Path::new("/").join(place)));
    let found = places.map(|dir| dir.join(program)).find(|file| file.is_file());
    if found.is_none() {
        missing(program, package);
    }
    found
}

/// A program that is ready to be given arguments; it finds the libraries that were unpacked with it.
///
/// # Panics
/// When it is not there although peers are required.
pub fn command(program: &str, package: &str) -> Option<Command> {
    let path = peer(program, package)?;
    let mut command = Command::new(&path);
    if path.starts_with(unpacked()) {
        let libraries = libraries("").into_iter().chain(std::env::var_os("LD_LIBRARY_PATH").map(PathBuf::from));
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap_or_default());
    }
    Some(command)
}

/// rsyslog, which looks for its modules where it was built for.
///
/// # Panics
/// When it is not there although peers are required.
pub fn rsyslogd() -> Option<Command> {
    let mut command = command("rsyslogd", "rsyslog")?;
    if let Some(modules) = libraries("rsyslog").first().filter(|_| Path::new(command.get_program()).starts_with(unpacked())) {
        command.arg("-M").arg(modules);
    }
    Some(command)
}

/// A Python that has some modules, unpacked ones included; says so when there is none.
///
/// # Panics
/// When there is none although peers are required.
pub fn python(modules: &[&str], package: &str) -> Option<Command> {
    let found = ["python3", "/usr/bin/python3"].into_iter().find_map(|program| {
        let python = || {
            let mut command = Command::new(program);
            command.env("PYTHONPATH", unpacked().join("python"));
            command
        };
        let has = python().args(["-c", &format!("import {}", modules.join(", "))]).output().is_ok_and(|o| o.status.success());
        has.then(python)
    });
    if found.is_none() {
        missing(&format!("a python3 with {}", modules.join(", ")), package);
    }
    found
}

/// Folders of unpacked libraries, for this machine's architecture.
fn libraries(below: &str) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(unpacked().join("usr/lib")).into_iter().flatten().flatten().map(|f| f.path());
    folders.filter(|f| f.to_string_lossy().contains("-linux-gnu")).map(|f| f.join(below)).filter(|f| f.is_dir()).collect()
}

fn missing(what: &str, package: &str) {
    assert!(
        std::env::var("PEERS").as_deref() != Ok("required"),
        "{what} is missing (Debian package {package}): tests/peers.sh fetches it into {}",
        unpacked().display()
    );
    eprintln!("skipped: {what} is not here (Debian package {package})");
}
