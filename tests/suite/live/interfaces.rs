//! Interfaces come, go, rest and change their names; the sensor says so and goes on without a restart.

use std::time::Duration;

use ringfence_tests::lab::daemon::Daemon;
use ringfence_tests::lab::pair::FAR;
use ringfence_tests::lab::wait_until;

use super::wire::{EASY, Wire, plain};

const SOON: Duration = Duration::from_secs(10);

fn state(daemon: &Daemon, interface: &str, wanted: impl Fn(&str) -> bool) {
    wait_until(&format!("{interface} changes its state"), SOON, || {
        let ring = daemon.ring(interface);
        if wanted(ring["state"].as_str().unwrap_or("")) { Ok(()) } else { Err(ring) }
    });
}

fn captures(daemon: &Daemon, interface: &str) {
    state(daemon, interface, |s| s == "capturing");
}

fn rests(daemon: &Daemon, interface: &str) {
    state(daemon, interface, |s| s != "capturing");
    assert!(!daemon.ring(interface)["error"].as_str().unwrap_or("").is_empty(), "it says why");
}

fn blind(daemon: &Daemon) -> f64 {
    daemon.ring(FAR)["blind_secs"].as_f64().expect("seconds")
}

/// What is sent arrives: nothing is lost and nothing comes twice.
fn hears(wire: &Wire, daemon: &Daemon) {
    let before = daemon.count().frames;
    wire.send(&plain(500), EASY);
    daemon.has_taken(before + 500);
    assert_eq!(daemon.count().frames, before + 500);
}

#[test]
fn down_and_up() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    captures(&daemon, FAR);
    hears(&wire, &daemon);
    wire.pair.sensor.ip(&[format!("link set {FAR} down")]).expect("down");
    rests(&daemon, FAR);
    wire.pair.sensor.ip(&[format!("link set {FAR} up")]).expect("up");
    captures(&daemon, FAR);
    hears(&wire, &daemon);
    assert!(blind(&daemon) > 0.0);
    daemon.stop();
}

#[test]
fn renamed_and_named_back() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    captures(&daemon, FAR);
    let rename = |from: &str, to: &str| {
        let lines = [format!("link set {from} down"), format!("link set {from} name {to}"), format!("link set {to} up")];
        wire.pair.sensor.ip(&lines).expect("renamed");
    };
    rename(FAR, "other0");
    rests(&daemon, FAR);
    rename("other0", FAR);
    captures(&daemon, FAR);
    hears(&wire, &daemon);
    assert!(blind(&daemon) > 0.0);
    daemon.stop();
}

#[test]
fn deleted_and_plugged_in_again() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    captures(&daemon, FAR);
    hears(&wire, &daemon);
    wire.pair.sensor.ip(&[format!("link del {FAR}")]).expect("deleted");
    rests(&daemon, FAR);
    let before = blind(&daemon);
    wire.pair.plug().expect("a new wire");
    captures(&daemon, FAR);
    hears(&wire, &daemon);
    assert!(blind(&daemon) > before);
    daemon.stop();
}

#[test]
fn not_there_yet() {
    let Some(mut wire) = Wire::new() else { return };
    wire.setup.interfaces.push("later0".into());
    let daemon = wire.start();
    captures(&daemon, FAR);
    rests(&daemon, "later0");
    hears(&wire, &daemon);
    wire.pair.sensor.ip(&["link add later0 type veth peer name later1", "link set later0 up", "link set later1 up"]).expect("made");
    captures(&daemon, "later0");
    daemon.stop();
}
