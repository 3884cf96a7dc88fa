//! Programs of others that tests speak with: those that `make test` has unpacked below `target/peers`, else those of this machine.
//!
//! Where one is missing a test may be left out, and says so; with `PEERS=required` in the environment, as `make test` sets it, it fails.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::unistd::Uid;

/// Folders below `/usr`, unpacked or of this machine, in which programs are.
const PLACES: [&str; 2] = ["usr/bin", "usr/sbin"];

/// Lays what was unpacked over `/usr`, for one program alone (mount_namespaces(7)), so that it finds its libraries, modules and templates
/// where it was built to look for them. By relative paths: overlayfs would take a colon in them for its own.
const LAY_OVER: &str = r#"(cd "$0" && mount -t overlay overlay -o lowerdir=usr:/usr /usr) && exec "$@""#;

/// Where `make test` unpacks programs.
pub fn unpacked() -> PathBuf {
    crate::root().join("target/peers")
}

/// What starts a program, and its first arguments; `None`, after a word about it, when it is not there.
///
/// # Panics
/// When it is not there although peers are required.
pub fn words(program: &str) -> Option<Vec<OsString>> {
    let below = |root: &Path| PLACES.map(|place| root.join(place).join(program)).into_iter().find(|file| file.is_file());
    if let Some(file) = below(&unpacked())
        && laid_over()
    {
        let file = Path::new("/").join(file.strip_prefix(unpacked()).expect("it is below"));
        return Some(lay_over().into_iter().chain([file.into()]).collect());
    }
    let here = below(Path::new("/"));
    if here.is_none() {
        missing(program, package(program));
    }
    here.map(|file| vec![file.into()])
}

/// A program that is ready to be given arguments.
///
/// # Panics
/// When it is not there although peers are required.
pub fn command(program: &str) -> Option<Command> {
    let words = words(program)?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    Some(command)
}

/// The Debian package that brings a program, where its name is another.
fn package(program: &str) -> &str {
    match program {
        "amtool" => "prometheus-alertmanager",
        "promtool" => "prometheus",
        "rsyslogd" => "rsyslog",
        name => name,
    }
}

/// What a program's own words follow when it is to see the unpacked files. It becomes the program, which keeps its process number.
fn lay_over() -> Vec<OsString> {
    let mut words = vec!["unshare".into(), "--mount".into()];
    if !Uid::effective().is_root() {
        words.push("--map-root-user".into());
    }
    words.extend(["sh".into(), "-c".into(), LAY_OVER.into(), unpacked().into()]);
    words
}

/// Whether the kernel lets us lay files over others; said once when not.
fn laid_over() -> bool {
    static PERMITTED: OnceLock<bool> = OnceLock::new();
    *PERMITTED.get_or_init(|| {
        let words = lay_over();
        let tried = Command::new(&words[0]).args(&words[1..]).arg("true").output();
        let refused = match tried {
            Ok(done) if done.status.success() => return true,
            Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_string(),
            Err(e) => e.to_string(),
        };
        eprintln!("what lies in {} cannot be laid over /usr, only installed programs are used: {refused}", unpacked().display());
        false
    })
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

fn missing(what: &str, package: &str) {
    assert!(
        std::env::var("PEERS").as_deref() != Ok("required"),
        "{what} is missing (Debian package {package}): tests/peers.sh fetches it into {}",
        unpacked().display()
    );
    eprintln!("skipped: {what} is not here (Debian package {package})");
}
