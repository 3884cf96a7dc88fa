//! A full disk: the sensor goes on, says so, and writes what it owes when there is room again.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_tests::lab::daemon::{DRAIN, Daemon};
use ringfence_tests::lab::wait_until;

use super::wire::{EASY, Wire, told};

const SOON: Duration = Duration::from_secs(20);

/// What the store says of itself: failed writes, and findings that are not written yet.
fn store(daemon: &Daemon) -> (u64, u64) {
    let coverage = daemon.json("/api/v1/coverage");
    let number = |key: &str| coverage["store"][key].as_u64().unwrap_or_else(|| panic!("{key} in {coverage}"));
    (number("failed"), number("pending"))
}

fn alarmed(daemon: &Daemon) -> bool {
    daemon.alarms().iter().any(|a| a.contains("store"))
}

#[test]
fn a_full_disk_stops_neither_capture_nor_findings() {
    let Some(mut wire) = Wire::new() else { return };
    let folder = wire.setup.state.to_string_lossy().into_owned();
    let mount = format!("mount -t tmpfs -o size=4m,mode=700 lab {folder} && exec \"$0\" \"$@\"");
    wire.setup.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &mount].map(str::to_string).to_vec();
    let mut daemon = wire.start();
    let inside = File::open(format!("/proc/{}/ns/mnt", daemon.process.id())).expect("its view of the disk");
    let filler = format!("/proc/{}/root{folder}/filler", daemon.process.id());
    fill(&filler);
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    wait_until("the alarm", SOON, || if alarmed(&daemon) && store(&daemon).0 > 0 { Ok(()) } else { Err(store(&daemon)) });
    let found = told(&daemon.findings());
    assert!(found.len() > 5, "findings are served although they cannot be stored: {found:#?}");
    fs::remove_file(&filler).expect("room again");
    wait_until("everything is written", SOON, || if store(&daemon).1 == 0 && !alarmed(&daemon) { Ok(()) } else { Err(store(&daemon)) });
    let found = told(&daemon.findings());
    daemon.process.signal(Signal::SIGKILL);
    daemon.process.end(DRAIN);
    let view = format!("--mount=/proc/{}/fd/{}", std::process::id(), inside.as_raw_fd());
    wire.setup.wrapper = ["nsenter".to_string(), view].to_vec();
    let daemon = wire.start();
    let ids = |lines: &[String]| lines.iter().map(|l| l.split(' ').next().unwrap_or_default().to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&told(&daemon.findings())), ids(&found));
    daemon.stop();
}

/// Leaves no room, not even for one page.
fn fill(path: &str) {
    let mut file = File::create(path).expect("a file");
    for size in [65_536, 4_096, 1] {
        let bytes = vec![0; size];
        while file.write_all(&bytes).is_ok() {}
    }
}
