//! The running sensor, confined, from a packet to its far ends.

use std::net::TcpListener;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_tests::lab::daemon::DRAIN;
use ringfence_tests::lab::wait_until;
use ringfence_tests::receiver::{Manner, Receiver};
use ringfence_tests::sensor::Json;

use super::{SOON, counts, ids};
use crate::live::wire::{EASY, Wire};

#[test]
fn a_confined_sensor_tells_what_it_finds_and_tells_it_again_after_a_kill() {
    let Some(mut wire) = Wire::new() else { return };
    let listener = wire.pair.sensor.run(|| TcpListener::bind("127.0.0.1:9999")).expect("a port");
    let receiver = Receiver::on(listener);
    let logs = wire.dir.path().join("logs");
    std::fs::create_dir(&logs).expect("made");
    std::fs::write(wire.dir.path().join("secret"), "s3cret").expect("written");
    let outputs = format!(
        "\n[[output]]\nname = \"hook\"\nkind = \"webhook\"\nendpoint = \"http://127.0.0.1:9999/in\"\nsecret_file = \"secret\"\n\
         [[output]]\nname = \"eve\"\nkind = \"file\"\nformat = \"eve\"\npath = \"{}/eve.json\"\n",
        logs.display()
    );
    wire.setup.tables.push_str(&outputs);
    receiver.behaves(Manner::Broken);
    let mut daemon = wire.start();
    assert!(daemon.process.words().contains("sandbox: seccomp"), "{}", daemon.process.words());
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    wait_until("findings", SOON, || {
        let waiting = daemon.metric("ringfence_output_queue_events", &["output=\"hook\""]);
        let written = daemon.metric("ringfence_output_sent_total", &["output=\"eve\""]);
        if waiting > 5.0 && written == waiting { Ok(()) } else { Err((waiting, written)) }
    });
    assert_eq!(daemon.metric("ringfence_output_healthy", &["output=\"hook\""]), 0.0);
    let lines = || std::fs::read_to_string(logs.join("eve.json")).unwrap_or_default();
    let told = lines().lines().count();
    // Killed while the far end is down: what it owes is told by the next one.
    daemon.process.signal(Signal::SIGKILL);
    daemon.process.end(DRAIN);
    receiver.behaves(Manner::Good);
    let daemon = wire.start();
    wait_until("every event is there", SOON, || {
        let there = ids(&receiver.events()).len();
        if there >= told { Ok(()) } else { Err(there) }
    });
    let found: Vec<String> = daemon.findings().iter().map(|f| f["device"]["mac"].as_str().unwrap_or_default().to_string()).collect();
    daemon.stop();
    let events = receiver.events();
    assert!(counts(&events).len() > 5);
    for line in lines().lines() {
        let event: Json = serde_json::from_str(line).expect("JSON");
        assert_eq!(event["event_type"], "alert");
    }
    // The lab's API shows hardware addresses; outputs do not.
    let all = lines() + &events.iter().map(ToString::to_string).collect::<String>();
    assert!(found.iter().filter(|mac| !mac.is_empty()).all(|mac| !all.contains(mac.as_str())));
    assert!(receiver.taken().iter().all(|r| r.headers.contains_key("x-ringfence-signature")));
}

/// Many hits on one device: one finding, and its lines are bounded.
#[test]
fn a_storm_on_one_device_is_told_once() {
    let Some(mut wire) = Wire::new() else { return };
    let path = wire.dir.path().join("events.json");
    wire.setup.tables.push_str(&format!("\n[[output]]\nname = \"lines\"\nkind = \"file\"\npath = {path:?}\n"));
    let daemon = wire.start();
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    let events = || -> Vec<Json> {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
    };
    wait_until("events", SOON, || if events().len() > 5 { Ok(()) } else { Err(events().len()) });
    std::thread::sleep(Duration::from_secs(2));
    let (before, findings) = (events().len(), daemon.findings().len());
    // The same morning twenty times over.
    for _ in 0..20 {
        wire.send(&frames, EASY);
    }
    daemon.has_taken(21 * frames.len() as u64);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(daemon.findings().len(), findings, "no further finding");
    assert!(events().len() <= before + 2 * findings, "{before} events, then {}", events().len());
    daemon.stop();
}
