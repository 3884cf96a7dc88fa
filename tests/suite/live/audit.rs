//! The audit log of a running sensor, verified beside it, after a crash and after its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use ringfence::audit::chain::unhex;
use ringfence::audit::{anchor, read};
use ringfence_tests::lab::daemon::DRAIN;
use ringfence_tests::sensor::{Done, run};

use super::wire::Wire;

fn verify(state: &Path) -> Done {
    run(&["audit", "verify", "--store", &state.to_string_lossy()])
}

fn actions(state: &Path) -> Vec<(String, String)> {
    let log = read::read(&state.join("ringfence.sqlite")).expect("readable");
    log.entries.into_iter().map(|e| (e.by, e.action)).collect()
}

#[test]
fn the_audit_log_goes_on_through_a_crash_and_is_verified_beside_the_sensor() {
    let Some(wire) = Wire::new() else { return };
    let state = &wire.setup.state;
    let mut daemon = wire.start();
    assert_eq!(daemon.ask("POST", "/api/v1/reload").expect("an answer").0, 200);
    let beside = verify(state);
    assert_eq!(beside.status, Some(0), "{}", beside.stderr);
    assert!(beside.stdout.contains("whole") && beside.stdout.contains("anchored heads: 1, up to entry 1"), "{}", beside.stdout);
    daemon.process.signal(Signal::SIGKILL);
    daemon.process.end(DRAIN);
    assert_eq!(verify(state).status, Some(0));
    wire.start().stop();
    let whole = verify(state);
    assert_eq!(whole.status, Some(0), "{}", whole.stderr);
    let done = actions(state);
    let word = |by: &str, action: &str| (by.to_string(), action.to_string());
    assert_eq!(done.first(), Some(&word("sensor", "start")));
    assert!(done.contains(&word("API", "reload")), "{done:?}");
    assert_eq!(done.iter().filter(|d| **d == word("sensor", "start")).count(), 2);
    assert_eq!(done.last(), Some(&word("sensor", "stop")));
    let last = format!("up to entry {}", done.len());
    assert!(whole.stdout.contains(&last), "the end is anchored: {}", whole.stdout);
}

#[test]
fn what_was_changed_is_told_by_number_and_exit_code() {
    let Some(wire) = Wire::new() else { return };
    wire.start().stop();
    wire.start().stop();
    let state = &wire.setup.state;
    let name = |file: &str| state.join(file).to_string_lossy().into_owned();
    let exported = run(&["audit", "export", "--store", &state.to_string_lossy()]);
    let list = run(&["audit", "list", "--store", &state.to_string_lossy(), "-o", "json"]);
    assert!(exported.stdout.starts_with(&list.stdout) && list.stdout.lines().count() >= 4, "{}", list.stdout);
    let export = wire.dir.path().join("audit.jsonl").to_string_lossy().into_owned();
    fs::write(&export, &exported.stdout).expect("written");
    let offline = ["audit", "verify", "--store", &export, "--key", &name("audit.pub"), "--heads", &name("audit.heads")];
    assert_eq!(run(&offline).status, Some(0), "{}", run(&offline).stderr);
    // An export that ends early contradicts no hash; the anchored heads know better.
    let (kept, _) = list.stdout.split_at(list.stdout.match_indices('\n').nth(1).expect("two entries").0 + 1);
    let heads: String =
        exported.stdout.lines().filter(|l| l.contains("\"audit_head\"") && l.contains("\"seq\":1,")).map(|l| format!("{l}\n")).collect();
    fs::write(&export, format!("{kept}{heads}")).expect("written");
    let cut = run(&offline);
    assert_eq!(cut.status, Some(65));
    assert!(cut.stderr.contains("was there when its anchored head was made; the log ends at entry 2"), "{}", cut.stderr);
    assert_eq!(run(&["audit", "verify", "--store", "/nowhere"]).status, Some(66));
}

/// Nothing of ours is needed to check a signature.
#[test]
fn another_program_verifies_the_head() {
    let Some(wire) = Wire::new() else { return };
    wire.start().stop();
    let state = &wire.setup.state;
    let text = fs::read_to_string(state.join("audit.heads")).expect("heads");
    let head = anchor::head(text.lines().last().expect("a line")).expect("a head");
    let (message, signature) = (wire.dir.path().join("message"), wire.dir.path().join("signature"));
    fs::write(&message, head.message()).expect("written");
    fs::write(&signature, unhex(&head.signature).expect("digits")).expect("written");
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(state.join("audit.pub"));
    let done = openssl.arg("-in").arg(&message).arg("-sigfile").arg(&signature).output().expect("openssl is here");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
