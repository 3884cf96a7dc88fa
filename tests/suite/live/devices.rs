//! Devices joined and parted by command at the running sensor: findings follow, and it holds after a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use ringfence_tests::lab::daemon::Daemon;
use ringfence_tests::lab::wait_until;
use ringfence_tests::sensor::{self, Json};

use super::wire::{EASY, Wire, told};

const SOON: Duration = Duration::from_secs(10);

const OPERATORS: &str = "
[operators.jana]
token_file = \"jana.token\"
may = [\"devices\", \"resolve\"]
[operators.petr]
token_file = \"petr.token\"
may = [\"waivers\"]
";

fn ringfence(wire: &Wire, who: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = wire.pair.sensor.command(sensor::binary());
    let token = wire.setup.dir.join(format!("{who}.token"));
    let done = command.args(args).arg("--token-file").arg(token).output().expect("it runs");
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Ids of the devices with open findings of WeChat.
fn devices(daemon: &Daemon) -> BTreeSet<String> {
    let open = |f: &&Json| f["stage"] == "open" && f["app"] == "wechat";
    daemon.findings().iter().filter(open).filter_map(|f| f["device"]["id"].as_str().map(String::from)).collect()
}

#[test]
fn devices_are_joined_and_parted_by_command_and_stay_so() {
    let Some(mut wire) = Wire::new() else { return };
    for who in ["jana", "petr"] {
        std::fs::write(wire.setup.dir.join(format!("{who}.token")), format!("the-token-of-{who}-alone")).expect("written");
    }
    wire.setup.tables = wire.setup.tables.clone() + OPERATORS;
    let daemon = wire.start();
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    wait_until("devices", SOON, || if devices(&daemon).len() >= 2 { Ok(()) } else { Err(told(&daemon.findings())) });
    let before = devices(&daemon);
    let [a, b] = [0, 1].map(|n| before.iter().nth(n).expect("two devices").clone());

    assert_eq!(ringfence(&wire, "petr", &["device", "merge", &a, &b, "--reason", "x"]).0, Some(77));
    assert_eq!(ringfence(&wire, "jana", &["device", "merge", &a, &b, "--reason", " "]).0, Some(78));
    let (code, out, err) = ringfence(&wire, "jana", &["device", "merge", &a, &b, "--reason", "its dock"]);
    assert_eq!((code, out.contains("are one device from now on")), (Some(0), true), "{out}{err}");
    let joined = |daemon: &Daemon| if devices(daemon).len() == before.len() - 1 { Ok(()) } else { Err(told(&daemon.findings())) };
    wait_until("one device", SOON, || joined(&daemon));
    let head = devices(&daemon).into_iter().find(|id| *id == a || *id == b).expect("one of the two");
    let (_, out, err) = ringfence(&wire, "jana", &["device", "show", &head]);
    assert!(out.contains("joined with another by an operator") && out.contains("its dock") && out.contains("known by"), "{out}{err}");
    let (code, list, err) = ringfence(&wire, "petr", &["device", "list"]);
    assert!(code == Some(0) && list.contains(&head) && list.contains("merge"), "{list}{err}");
    daemon.stop();

    let daemon = wire.start();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    wait_until("still one device", SOON, || joined(&daemon));
    let (code, out, err) = ringfence(&wire, "jana", &["device", "split", &a, &b, "--reason", "two people after all"]);
    assert_eq!((code, out.contains("are two devices from now on")), (Some(0), true), "{out}{err}");
    wait_until("two devices", SOON, || if devices(&daemon) == before { Ok(()) } else { Err(told(&daemon.findings())) });
    let (code, out, err) = ringfence(&wire, "jana", &["device", "show", &a, "--reason", "incident 7"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("key  "), "{out}");
    daemon.stop();
    let store = rusqlite::Connection::open(wire.setup.state.join("ringfence.sqlite")).expect("the store");
    let mut query = store.prepare("SELECT action FROM audit ORDER BY seq").expect("a query");
    let actions: Vec<String> = query.query_map([], |row| row.get(0)).expect("rows").map(|a| a.expect("a text")).collect();
    let deeds: Vec<&str> = actions.iter().map(String::as_str).filter(|a| a.starts_with("device-")).collect();
    assert_eq!(deeds, ["device-merge", "device-split", "device-show"]);
}
