//! A new configuration under load, and a broken one.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::pair::NEAR;
use ringfence_tests::lab::sender::{Pace, Sender};
use ringfence_tests::lab::wait_until;
use ringfence_tests::{root, sensor};

use super::wire::{EASY, Wire, plain, told};

const SOON: Duration = Duration::from_secs(10);

fn reload(daemon: &Daemon) -> (u16, String) {
    daemon.ask("POST", "/api/v1/reload").expect("an answer")
}

fn accepted(daemon: &Daemon) -> u64 {
    daemon.metric("ringfence_reloads_total", &["result=\"accepted\""]) as u64
}

#[test]
fn a_hundred_reloads_under_load_lose_no_frame() {
    let Some(mut wire) = Wire::new() else { return };
    let frames = plain(5_000);
    let daemon = wire.start();
    let done = AtomicBool::new(false);
    let sender = Sender::open(&wire.pair.sender, NEAR).expect("a sender");
    let sent = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut pace = Pace::new(Some(EASY), Some(Duration::from_secs(60)));
            while !done.load(Ordering::Relaxed) && pace.goes_on() {
                sender.send(&frames, &mut pace).expect("the wire takes it");
            }
            pace.sent
        });
        let tables = wire.setup.tables.clone();
        for round in 0..100 {
            // Each is really another one.
            wire.setup.tables = format!("{tables}\n[findings]\nquiet_hours = {}\n", 24 + round % 2);
            wire.setup.write();
            let (status, body) = reload(&daemon);
            assert_eq!(status, 200, "{body}");
        }
        done.store(true, Ordering::Relaxed);
        load.join().expect("the load was sent")
    });
    daemon.has_taken(sent);
    let count = daemon.count();
    assert_eq!((count.frames, count.lost), (sent, 0));
    // Whoever saw the file change may have asked as well.
    let before = wait_until("all are counted", SOON, || {
        let now = accepted(&daemon);
        if now >= 100 { Ok(now) } else { Err(now) }
    });
    daemon.process.signal(Signal::SIGHUP);
    wait_until("SIGHUP reloads", SOON, || if accepted(&daemon) > before { Ok(()) } else { Err(before) });
    daemon.stop();
}

#[test]
fn a_broken_rule_file_leaves_the_old_set_running() {
    let Some(mut wire) = Wire::new() else { return };
    let rules = wire.dir.path().join("rules");
    fs::create_dir_all(&rules).expect("a folder");
    fs::copy(root().join("rules/apps/tiktok.toml"), rules.join("tiktok.toml")).expect("a rule file of the site's own");
    wire.setup.top = "rules_dir = \"rules\"".into();
    let daemon = wire.start();
    let frames = wire.office();
    let (first, second) = frames.split_at(frames.len() / 2);
    wire.send(first, EASY);
    daemon.has_taken(first.len() as u64);
    let known = told(&daemon.findings()).len();
    let file = rules.join("site.toml");
    let broken: [fn(&std::path::Path); 3] = [
        |f| fs::write(f, "app = [").expect("written"),
        |f| fs::write(f, [0xff, 0xfe, 0x00]).expect("written"),
        |f| symlink("/nowhere/at/all", f).expect("linked"),
    ];
    for (round, breaks) in broken.iter().enumerate() {
        breaks(&file);
        let (_, body) = reload(&daemon);
        assert!(body.contains("site.toml"), "{body}");
        wait_until("it is counted", SOON, || {
            let refused = daemon.metric("ringfence_reloads_total", &["result=\"refused\""]) as usize;
            if refused > round { Ok(()) } else { Err(refused) }
        });
        wait_until("an alarm", SOON, || {
            let alarms = daemon.alarms();
            if alarms.iter().any(|a| a.contains("reload")) { Ok(()) } else { Err(alarms) }
        });
        fs::remove_file(&file).expect("removed");
    }
    // The old rules still find.
    wire.send(second, EASY);
    daemon.has_taken(frames.len() as u64);
    wait_until("new findings by the old set", SOON, || {
        let now = daemon.findings().len();
        if now > known { Ok(()) } else { Err(now) }
    });
    let before = accepted(&daemon);
    assert_eq!(reload(&daemon).0, 200);
    wait_until("it is counted", SOON, || if accepted(&daemon) > before { Ok(()) } else { Err(before) });
    wait_until("the alarm ends", SOON, || {
        let alarms = daemon.alarms();
        if alarms.iter().any(|a| a.contains("reload")) { Err(alarms) } else { Ok(()) }
    });
    let log = daemon.stop();
    assert!(log.contains("ALARM reload-failed: ") && log.contains("alarm over: reload-failed"), "{log}");
}

#[test]
fn a_dry_run_tells_which_findings_would_change_and_changes_nothing() {
    let Some(mut wire) = Wire::new() else { return };
    let daemon = wire.start();
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    let waived = |daemon: &Daemon| daemon.findings().iter().filter(|f| f["waiver"] == "W-lab" && f["verdict"] == "waived").count();
    wait_until("a waived finding", SOON, || if waived(&daemon) > 0 { Ok(()) } else { Err(told(&daemon.findings())) });
    let tables = [wire.setup.tables.clone(), wire.setup.tables.replace("[\"laptop-hr-03\"]", "[\"laptop-law-02\"]")];
    let dry = |args: &[&str]| {
        let mut command = wire.pair.sensor.command(sensor::binary());
        let done = command.arg("reload").args(args).output().expect("it runs");
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    // Now and then the sensor sees the changed file first, and there is nothing left to tell.
    let rounds: Vec<String> = (1..=5)
        .map(|round| {
            Setup { tables: tables[round % 2].clone(), ..wire.setup.clone() }.write();
            let (code, out, err) = dry(&["--dry-run"]);
            assert_eq!(code, Some(0), "{out}{err}");
            assert!(out.ends_with("nothing was changed\n"), "{out}");
            out
        })
        .collect();
    let wanted = ["would change: waivers", "1 finding would get another verdict", "waived", "unapproved"];
    assert!(rounds.iter().any(|out| wanted.iter().all(|w| out.contains(w))), "{rounds:#?}");
    wire.setup.tables.clone_from(&tables[1]);
    let path = wire.setup.dir.join("ringfence.toml");
    fs::write(&path, "nonsense = 1").expect("written");
    let (code, out, err) = dry(&["--dry-run"]);
    assert_eq!(code, Some(78), "{out}{err}");
    assert!(err.contains("ringfence.toml") && err.contains("nonsense"), "{err}");
    wire.setup.write();
    let (code, out, err) = dry(&[]);
    assert_eq!(code, Some(0), "{out}{err}");
    wait_until("the waiver is gone", SOON, || if waived(&daemon) == 0 { Ok(()) } else { Err(told(&daemon.findings())) });
    daemon.stop();
}
