//! The sensor itself is killed with -9 at random points while traffic makes findings: afterwards every event that its store knows is at
//! every far end, by its id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_tests::lab::daemon::DRAIN;
use ringfence_tests::lab::wait_until;
use ringfence_tests::outage::far::{FarEnd, Nats, Rsyslog, certificate};
use ringfence_tests::prng::Prng;
use ringfence_tests::receiver::{Manner, Receiver};
use ringfence_tests::sensor::Json;

use super::SOON;
use super::traffic::Device;
use crate::live::wire::{EASY, Wire};

const ROUNDS: u64 = 8;

/// Events by finding, word and time.
type Counts = BTreeMap<(String, String, String), usize>;

/// What the store says has happened, but for what is told only to those who ask.
fn known(state: &Path) -> Counts {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = rusqlite::Connection::open_with_flags(state.join("ringfence.sqlite"), flags).expect("the store");
    let mut query = store.prepare("SELECT finding, event, at FROM history").expect("a table");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    let mut counts = Counts::new();
    for (finding, event, at) in rows.map(|row| row.expect("a row")) {
        let event: String = event;
        *counts.entry((finding, if event == "rejudged" { "updated".into() } else { event }, at)).or_default() += 1;
    }
    counts
}

/// The same of what came, once for each id. An event stands for those that it was folded with, whose times only the store has.
fn told(events: &[Json]) -> (Counts, usize) {
    let text = |v: &Json| v.as_str().unwrap_or_default().to_string();
    let (mut counts, mut ids, mut folded) = (Counts::new(), BTreeSet::new(), BTreeSet::new());
    for event in events.iter().filter(|e| ids.insert(text(&e["id"]))) {
        *counts.entry((text(&event["finding"]["id"]), text(&event["event"]), text(&event["time"]))).or_default() += 1;
        folded.extend(event["folded"].as_array().into_iter().flatten().map(text));
    }
    (counts, folded.len())
}

#[test]
fn a_sensor_that_is_killed_at_any_moment_owes_nothing_in_the_end() {
    let Some(mut wire) = Wire::new() else { return };
    let dir = wire.dir.path().to_path_buf();
    certificate(&dir);
    let receiver = Receiver::on(wire.pair.sensor.run(|| std::net::TcpListener::bind("127.0.0.1:9999")).expect("a port"));
    let far = wire.pair.sensor.run(|| Some((Nats::start(&dir)?, Rsyslog::start(&dir, true)?)));
    let Some((nats, syslog)) = far else { return };
    let path = dir.join("events.json");
    wire.setup.tables.push_str(&format!(
        "\n[[output]]\nname = \"hook\"\nkind = \"webhook\"\nidentities = true\nendpoint = \"http://127.0.0.1:9999\"\n\
         [[output]]\nname = \"lines\"\nkind = \"file\"\nidentities = true\npath = {path:?}\n{}{}",
        nats.output(),
        syslog.output()
    ));
    let mut random = Prng::new(1947);
    let mut device = 100;
    for round in 0..ROUNDS {
        receiver.behaves([Manner::Good, Manner::Broken, Manner::Forgets, Manner::Slow][round as usize % 4]);
        let mut daemon = wire.start();
        let before = daemon.metric("ringfence_finding_events_total", &["event=\"opened\""]);
        for n in 0..6 {
            wire.send(&Device(device).hello(20_000 + n, b"szshort.weixin.qq.com"), EASY);
            device += 1;
        }
        if round % 2 == 0 {
            // In every other round it is known that there is something to lose.
            wait_until("a finding", SOON, || {
                let now = daemon.metric("ringfence_finding_events_total", &["event=\"opened\""]);
                if now > before { Ok(()) } else { Err(now) }
            });
        }
        std::thread::sleep(Duration::from_millis(random.below(900) as u64));
        daemon.process.signal(Signal::SIGKILL);
        daemon.process.end(DRAIN);
    }
    receiver.behaves(Manner::Good);
    let daemon = wire.start();
    for name in ["hook", "lines", "nats", "syslog-tls"] {
        let label = format!("output=\"{name}\"");
        wait_until("it has everything", SOON, || {
            let left = daemon.metric("ringfence_output_queue_events", &[&label]);
            let well = daemon.metric("ringfence_output_healthy", &[&label]);
            if left == 0.0 && well == 1.0 { Ok(()) } else { Err((name, left, well)) }
        });
    }
    daemon.stop();
    let known = known(&wire.setup.state);
    assert!(known.keys().filter(|(_, event, _)| event == "opened").count() as u64 >= ROUNDS, "{known:?}");
    let parsed = |path: &Path| -> Vec<Json> {
        let text = std::fs::read_to_string(path).expect("written");
        text.lines().filter_map(|l| serde_json::from_str(l.trim_start()).ok()).collect()
    };
    let stored: Vec<Json> = wire.pair.sensor.run(|| nats.stored()).expect("a stream");
    let ids: BTreeSet<String> = stored.iter().map(|e| e["id"].to_string()).collect();
    assert_eq!(ids.len(), stored.len(), "the stream has none twice");
    let ends = [("hook", receiver.events()), ("lines", parsed(&path)), ("syslog", parsed(&dir.join("got.json"))), ("nats", stored)];
    for (name, events) in ends {
        let (told, folded) = told(&events);
        let owed: Vec<_> = known.iter().filter(|(key, n)| told.get(key).is_none_or(|there| there < n)).collect();
        let owed_count: usize = owed.iter().map(|(key, n)| **n - told.get(key).copied().unwrap_or(0)).sum();
        assert!(owed.iter().all(|((_, event, _), _)| event == "updated") && owed_count <= folded, "{name} was not told: {owed:?}");
    }
}
