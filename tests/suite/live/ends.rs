//! However the sensor ends, what it knew it knows again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_tests::lab::daemon::{DRAIN, Daemon};
use ringfence_tests::lab::wait_until;

use super::wire::{EASY, Wire, told};

/// Findings when they have stopped changing: what a run without any accident says of these frames.
fn undisturbed(frames: &[Vec<u8>]) -> Option<Vec<String>> {
    let wire = Wire::new()?;
    let daemon = wire.start();
    wire.send(frames, EASY);
    daemon.has_taken(frames.len() as u64);
    let found = settled(&daemon);
    daemon.stop();
    Some(found)
}

/// The findings, when all statements have reached them and the store.
fn settled(daemon: &Daemon) -> Vec<String> {
    let mut last = Vec::new();
    wait_until("findings settle", Duration::from_secs(20), || {
        let now = told(&daemon.findings());
        let quiet = now == last && !now.is_empty() && daemon.json("/api/v1/coverage")["store"]["pending"] == 0;
        last.clone_from(&now);
        // The sensor writes once in a second: two looks a second and a half apart see every write.
        std::thread::sleep(Duration::from_millis(1_500));
        if quiet { Ok(()) } else { Err(now.len()) }
    });
    last
}

#[test]
fn killed_in_the_middle_nothing_is_lost_and_nothing_doubled() {
    let Some(wire) = Wire::new() else { return };
    let frames = wire.office();
    let (first, second) = frames.split_at(frames.len() / 2);
    let mut daemon = wire.start();
    wire.send(first, EASY);
    daemon.has_taken(first.len() as u64);
    let known = settled(&daemon);
    wire.send(&second[..second.len() / 2], EASY);
    daemon.process.signal(Signal::SIGKILL);
    daemon.process.end(DRAIN);
    let daemon = wire.start();
    let back = told(&daemon.findings());
    let ids = |lines: &[String]| lines.iter().map(|l| l.split(' ').next().unwrap_or_default().to_string()).collect::<Vec<_>>();
    let mut unique = ids(&back);
    unique.dedup();
    assert_eq!(unique, ids(&back), "nothing twice");
    let gone: Vec<_> = ids(&known).into_iter().filter(|id| !unique.contains(id)).collect();
    assert!(gone.is_empty(), "known before the end and not after: {gone:?}");
    // Heard again, everything is as if nothing had happened.
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    let all = settled(&daemon);
    daemon.stop();
    assert_eq!(ids(&all), ids(&undisturbed(&frames).expect("namespaces are permitted")));
}

#[test]
fn what_it_remembers_is_for_its_owner_alone() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    let files: Vec<_> = fs::read_dir(&wire.setup.state).expect("the state folder").flatten().collect();
    assert!(files.iter().any(|f| f.file_name() == "site.key") && files.len() > 1, "{files:?}");
    for file in files {
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.path().display());
    }
    daemon.stop();
}

#[test]
fn the_service_manager_hears_that_frames_are_looked_for() {
    let Some(mut wire) = Wire::new() else { return };
    wire.setup.wrapper = ["env", "WATCHDOG_USEC=900000"].map(str::to_string).to_vec();
    let daemon = wire.start();
    // The lab's own ear is closed once the sensor is ready; this one takes its place.
    let path = wire.setup.dir.join("notify");
    fs::remove_file(&path).expect("it was there");
    let ear = UnixDatagram::bind(&path).expect("a socket");
    ear.set_read_timeout(Some(Duration::from_secs(5))).expect("it can wait");
    for _ in 0..3 {
        let mut message = [0; 64];
        let len = ear.recv(&mut message).expect("a beat within five seconds");
        assert_eq!(&message[..len], b"WATCHDOG=1\n");
    }
    daemon.stop();
}

#[test]
fn asked_to_end_under_load_it_ends_in_time_and_keeps_what_it_took() {
    let Some(wire) = Wire::new() else { return };
    let frames = wire.office();
    let daemon = wire.start();
    wire.send(&frames[..frames.len() / 2], EASY);
    daemon.has_taken(frames.len() as u64 / 2);
    let known = told(&daemon.findings());
    assert!(!known.is_empty());
    let log = std::thread::scope(|scope| {
        let load = scope.spawn(|| wire.send(&frames, EASY));
        daemon.has_taken(frames.len() as u64 / 2 + 100);
        let log = daemon.stop();
        load.join().expect("the load was sent");
        log
    });
    assert!(log.contains("everything that was taken is written"), "{log}");
    let daemon = wire.start();
    let back = told(&daemon.findings());
    let ids: Vec<&str> = back.iter().filter_map(|l| l.split(' ').next()).collect();
    let gone: Vec<_> = known.iter().filter(|l| !ids.contains(&l.split(' ').next().unwrap_or_default())).collect();
    assert!(gone.is_empty(), "{gone:?}");
    daemon.stop();
}
