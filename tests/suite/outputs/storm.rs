//! A storm of hits on one device, through the whole sensor: one finding, one alert, a handful of lines. A hundred thousand here; with
//! `STORM_HITS=1000000` in the environment a million, which takes minutes with a sensor that is not optimised.

use std::path::Path;
use std::time::Duration;

use ringfence_tests::lab::wait_until;
use ringfence_tests::peers;
use ringfence_tests::receiver::Receiver;
use ringfence_tests::sensor::Json;

use super::traffic::Device;
use super::{SOON, alertmanager, port};
use crate::live::wire::Wire;

/// Questions for a name of the app, each a flow of its own.
const HITS: u32 = 100_000;
/// Hits that are sent before it is looked whether they are counted.
const PART: u32 = 25_000;
/// Frames in a second: what a sensor that was built for tests keeps up with, with room.
const RATE: u64 = 20_000;
/// Lines that a finding may have: it is opened, and judged otherwise a few times as signs add up.
const LINES_MAX: usize = 6;

fn lines(path: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

#[test]
fn a_storm_of_hits_is_one_finding_one_alert_and_a_handful_of_lines() {
    let Some(mut wire) = Wire::new() else { return };
    if peers::command("prometheus-alertmanager").is_none() {
        return;
    }
    let (path, port) = (wire.dir.path().join("events.json"), port());
    let receiver = Receiver::on(wire.pair.sensor.run(|| std::net::TcpListener::bind("127.0.0.1:9999")).expect("a port"));
    wire.setup.tables.push_str(&format!(
        "\n[[output]]\nname = \"lines\"\nkind = \"file\"\npath = {path:?}\n\
         [[output]]\nname = \"hook\"\nkind = \"webhook\"\nendpoint = \"http://127.0.0.1:9999\"\n\
         [[output]]\nname = \"am\"\nkind = \"alertmanager\"\nendpoint = \"http://127.0.0.1:{port}\"\n"
    ));
    let dir = wire.dir.path().to_path_buf();
    let _far = wire.pair.sensor.run(|| alertmanager::start(&dir, port));
    let daemon = wire.start();
    let device = Device(77);
    let hits = std::env::var("STORM_HITS").map_or(HITS, |n| n.parse().expect("STORM_HITS is a number"));
    // Not faster than it is judged: what is lost in an overload would be no hit.
    for part in 0..hits / PART {
        let frames: Vec<Vec<u8>> = (0..PART).map(|n| device.asks(part * PART + n, "szshort.weixin.qq.com")).collect();
        wire.send(&frames, RATE);
        wait_until("all are counted", SOON, || {
            let found = daemon.findings();
            let flows: u64 = found.iter().map(|f| f["flows"].as_u64().unwrap_or(0)).sum();
            if flows == u64::from((part + 1) * PART) && found.len() == 1 { Ok(()) } else { Err((found.len(), flows)) }
        });
    }
    // Longer than the sensor looks away between two judgements of everything.
    std::thread::sleep(Duration::from_secs(3));
    let (written, posted) = (lines(&path), receiver.events());
    assert!(!written.is_empty() && written.len() <= LINES_MAX, "{} lines", written.len());
    assert!(!posted.is_empty() && posted.len() <= LINES_MAX, "{} events by the webhook", posted.len());
    wait_until("one alert", SOON, || {
        let firing = wire.pair.sensor.run(|| alertmanager::firing(port));
        if firing.as_ref().is_ok_and(|f| f.len() == 1) { Ok(()) } else { Err(firing) }
    });
    eprintln!("{hits} hits: {} lines in the file, {} events by the webhook, 1 alert", written.len(), posted.len());
    daemon.stop();
}
