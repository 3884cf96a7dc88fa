//! The unit that ships for systemd: accepted by systemd itself, and as closed as docs/operations.md says.

use std::process::Command;

use ringfence_tests::root;

const UNIT: &str = "deploy/systemd/ringfence.service";

/// The exposure that docs/operations.md tells, in tenths; more is a change for the worse.
const EXPOSURE_MAX: u32 = 17;

fn analyze(args: &[&str]) -> Option<(bool, String)> {
    let Ok(done) = Command::new("systemd-analyze").args(args).arg(root().join(UNIT)).output() else {
        eprintln!("skipped: systemd-analyze is not installed");
        return None;
    };
    Some((done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn systemd_understands_every_line() {
    let Some((_, said)) = analyze(&["verify", "--man=no"]) else { return };
    // The binary is not installed where tests run.
    let ours: Vec<&str> = said.lines().filter(|l| l.contains("ringfence.service") && !l.contains("is not executable")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn the_unit_stays_closed() {
    let Some((fine, said)) = analyze(&["security", "--offline=true", "--no-pager"]) else { return };
    assert!(fine, "{said}");
    let level = said.lines().find_map(|l| l.split("Overall exposure level for ringfence.service: ").nth(1)).expect("a level");
    let tenths: u32 = level.split(' ').next().unwrap_or("").replace('.', "").parse().unwrap_or_else(|_| panic!("{level}"));
    assert!(tenths <= EXPOSURE_MAX, "{level}");
}
