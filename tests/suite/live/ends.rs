//! However the sensor ends, what it knew it knows again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_tests::lab::daemon::{DRAIN, Daemon};
use ringfence_tests::lab::wait_until;
use ringfence_tests::prng::Prng;
use ringfence_tests::sensor;

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
    let mut unique = ids_of(&back);
    unique.dedup();
    assert_eq!(unique, ids_of(&back), "nothing twice");
    let gone: Vec<_> = ids_of(&known).into_iter().filter(|id| !unique.contains(id)).collect();
    assert!(gone.is_empty(), "known before the end and not after: {gone:?}");
    // Heard again, everything is as if nothing had happened.
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    let all = settled(&daemon);
    daemon.stop();
    assert_eq!(ids_of(&all), ids_of(&undisturbed(&frames).expect("namespaces are permitted")));
}

#[test]
fn killed_again_and_again_at_any_moment_it_loses_nothing_that_it_told() {
    let Some(wire) = Wire::new() else { return };
    let frames = wire.office();
    let mut prng = Prng::new(u64::from(std::process::id()));
    let mut known: Vec<String> = Vec::new();
    for round in 0..6 {
        let mut daemon = wire.start();
        let missing: Vec<_> = known.iter().filter(|k| !ids_of(&told(&daemon.findings())).contains(k)).cloned().collect();
        assert!(missing.is_empty(), "round {round}: told before the kill and not after: {missing:?}");
        let from = prng.below(frames.len() / 2);
        wire.send(&frames[from..frames.len() / 2 + from], EASY);
        std::thread::sleep(Duration::from_millis(prng.below(1_500) as u64));
        // What it tells is on disk already.
        known.extend(ids_of(&told(&daemon.findings())));
        daemon.process.signal(Signal::SIGKILL);
        daemon.process.end(DRAIN);
    }
    assert!(!known.is_empty());
    let store = rusqlite::Connection::open(wire.setup.state.join("ringfence.sqlite")).expect("the store");
    let opened_twice = "SELECT count(*) FROM (SELECT 1 FROM history WHERE event = 'opened' GROUP BY finding HAVING count(*) > 1)";
    assert_eq!(store.query_row(opened_twice, [], |row| row.get::<_, i64>(0)).expect("a number"), 0, "nothing is opened twice");
    let whole: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a word");
    assert_eq!(whole, "ok");
    let state = wire.setup.state.to_string_lossy().into_owned();
    let verified = sensor::run(&["audit", "verify", "--store", &state]);
    assert_eq!(verified.status, Some(0), "{}{}", verified.stdout, verified.stderr);
}

fn ids_of(lines: &[String]) -> Vec<String> {
    lines.iter().map(|l| l.split(' ').next().unwrap_or_default().to_string()).collect()
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
