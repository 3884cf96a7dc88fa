//! Pseudonyms of a running sensor: who may learn who it is, what a new key changes, what is forgotten.

use std::fs;
use std::path::Path;

use ringfence::audit::read;
use ringfence_tests::lab::daemon::Daemon;
use ringfence_tests::sensor::{Json, run};

use super::lived::pages;
use super::wire::{EASY, Wire};

/// A sensor that names nobody, with two operators who may resolve and erase and one who may not.
fn operated(tables: &str) -> Option<Wire> {
    let mut wire = Wire::new()?;
    wire.setup.identities = false;
    for (name, may) in [("jana", "\"resolve\", \"erase\""), ("petr", "\"resolve\""), ("olga", "\"acknowledge\"")] {
        fs::write(wire.setup.dir.join(name), token(name)).expect("written");
        wire.setup.tables += &format!("\n[operators.{name}]\ntoken_file = \"{name}\"\nmay = [{may}]\n");
    }
    wire.setup.tables += tables;
    Some(wire)
}

fn token(name: &str) -> String {
    format!("token-of-{name}-here")
}

/// Starts it and shows it the morning of the demonstration.
fn filled(wire: &Wire) -> Daemon {
    let daemon = wire.start();
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    ringfence_tests::lab::wait_until("findings are there", std::time::Duration::from_secs(10), || {
        let found = daemon.findings().len();
        if found > 5 { Ok(()) } else { Err(found) }
    });
    daemon
}

fn devices(daemon: &Daemon) -> Vec<String> {
    let page = daemon.json("/api/v1/devices");
    page["devices"].as_array().into_iter().flatten().filter_map(|d| d["device"]["id"].as_str().map(String::from)).collect()
}

fn post(daemon: &Daemon, who: &str, path: &str, body: &str) -> (u16, Json) {
    let (status, body) = daemon.ask_as(&token(who), path, body).expect("an answer");
    (status, serde_json::from_str(&body).expect("JSON"))
}

fn asked(pseudonym: &str, reason: &str) -> String {
    serde_json::json!({ "pseudonym": pseudonym, "reason": reason }).to_string()
}

fn audit(state: &Path) -> Vec<(String, String, String)> {
    let log = read::read(&state.join("ringfence.sqlite")).expect("readable");
    log.entries.into_iter().map(|e| (e.by, e.action, e.detail)).collect()
}

fn has(log: &[(String, String, String)], by: &str, action: &str, detail: &str) -> bool {
    log.iter().any(|(b, a, d)| b == by && a == action && d.contains(detail))
}

#[test]
fn who_it_is_is_in_the_audit_log_before_it_is_told() {
    let Some(wire) = operated("") else { return };
    let daemon = filled(&wire);
    let pseudonym = devices(&daemon).swap_remove(0);
    let (status, body) = post(&daemon, "jana", "/api/v1/resolve", &asked(&pseudonym, "incident 4711"));
    assert_eq!(status, 200, "{body}");
    assert!(body["device"]["mac"].is_string() || !body["device"]["addresses"].as_array().expect("a list").is_empty(), "{body}");
    // Told means written: nothing waits for a tick.
    let log = audit(&wire.setup.state);
    assert!(has(&log, "jana", "resolve", &format!("{pseudonym}: incident 4711")), "{log:?}");
    for (who, body, expect) in [
        ("olga", asked(&pseudonym, "curious"), 403),
        ("jana", asked(&pseudonym, " "), 422),
        ("jana", asked("dev-*", "all of them"), 422),
        ("jana", asked("dev-000000000000", "try"), 404),
    ] {
        assert_eq!(post(&daemon, who, "/api/v1/resolve", &body).0, expect, "{who} {body}");
    }
    assert!(has(&audit(&wire.setup.state), "jana", "resolve-unknown", "dev-000000000000"));
    let statuses: Vec<u16> = (0..10).map(|_| post(&daemon, "petr", "/api/v1/resolve", &asked(&pseudonym, "again")).0).collect();
    assert_eq!(statuses, [200; 10]);
    assert_eq!(post(&daemon, "petr", "/api/v1/resolve", &asked(&pseudonym, "again")).0, 429);
    daemon.stop();
}

#[test]
fn it_takes_two_where_that_is_wanted() {
    let Some(wire) = operated("\n[privacy]\nresolve_two_persons = true\n") else { return };
    let daemon = filled(&wire);
    let pseudonym = devices(&daemon).swap_remove(0);
    let (status, body) = post(&daemon, "jana", "/api/v1/resolve", &asked(&pseudonym, "incident 4711"));
    assert_eq!((status, &body["device"]), (200, &Json::Null), "{body}");
    let path = format!("/api/v1/resolve/{}/confirm", body["pending"]["id"].as_str().expect("an id"));
    assert_eq!(post(&daemon, "jana", &path, "").0, 409, "not by oneself");
    assert_eq!(post(&daemon, "olga", &path, "").0, 403);
    let (status, body) = post(&daemon, "petr", &path, "");
    assert!(status == 200 && body["device"]["id"] == pseudonym.as_str(), "{body}");
    assert_eq!(post(&daemon, "petr", &path, "").0, 404, "once");
    let log = audit(&wire.setup.state);
    assert!(has(&log, "jana", "resolve-request", &pseudonym) && has(&log, "petr", "resolve", "asked by jana: incident 4711"), "{log:?}");
    daemon.stop();
}

#[test]
fn a_new_key_gives_new_pseudonyms_and_the_old_one_may_be_kept() {
    let Some(wire) = operated("") else { return };
    let state = wire.setup.state.to_string_lossy().into_owned();
    let daemon = filled(&wire);
    let old = devices(&daemon);
    let refused = run(&["privacy", "rotate-key", "--state", &state]);
    assert_eq!(refused.status, Some(69), "it runs: {}", refused.stderr);
    daemon.stop();
    assert_eq!(run(&["privacy", "rotate-key", "--state", &state, "--keep-old"]).status, Some(0));
    let daemon = wire.start();
    let new = devices(&daemon);
    assert!(new.len() == old.len() && new.iter().all(|name| !old.contains(name)), "{old:?} {new:?}");
    assert_eq!(post(&daemon, "jana", "/api/v1/resolve", &asked(&old[0], "from the last report")).0, 200);
    daemon.stop();
    let done = run(&["privacy", "rotate-key", "--state", &state]);
    assert!(done.stdout.contains("the old one is gone"), "{}{}", done.stdout, done.stderr);
    let daemon = wire.start();
    assert_eq!(post(&daemon, "jana", "/api/v1/resolve", &asked(&old[0], "two keys ago")).0, 200, "site.key.1 is still there");
    assert_eq!(post(&daemon, "jana", "/api/v1/resolve", &asked(&new[0], "one key ago")).0, 404);
    let log = audit(&wire.setup.state);
    assert_eq!(log.iter().filter(|(by, action, _)| by.starts_with("user ") && action == "rotate-key").count(), 2);
    daemon.stop();
    assert_eq!(run(&["audit", "verify", "--store", &state]).status, Some(0));
}

#[test]
fn a_device_that_is_erased_is_nowhere() {
    let Some(wire) = operated("") else { return };
    let state = &wire.setup.state;
    let daemon = filled(&wire);
    ringfence_tests::lab::wait_until("everything is written", std::time::Duration::from_secs(20), || {
        let pending = daemon.json("/api/v1/coverage")["store"]["pending"].as_u64();
        if pending == Some(0) { Ok(()) } else { Err(pending) }
    });
    let all = devices(&daemon);
    let (status, body) = post(&daemon, "jana", "/api/v1/resolve", &asked(&all[0], "request 12"));
    assert_eq!(status, 200, "{body}");
    let device = &body["device"];
    let mut words: Vec<String> = ["mac", "name"].iter().filter_map(|k| device[*k].as_str().map(String::from)).collect();
    words.extend(device["addresses"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(|a| format!("\"{a}\""))));
    let found = |words: &[String]| -> Vec<String> {
        let files: Vec<_> =
            fs::read_dir(state).expect("the state folder").flatten().map(|e| fs::read(e.path()).expect("readable")).collect();
        let has = |w: &&String| files.iter().any(|f| f.windows(w.len()).any(|part| part == w.as_bytes()));
        words.iter().filter(has).cloned().collect()
    };
    assert!(!words.is_empty());
    assert_eq!(found(&words), words, "they are stored in the clear");
    let path = format!("/api/v1/devices/{}/erase", all[0]);
    assert_eq!(post(&daemon, "petr", &path, "{\"reason\": \"request 12\"}").0, 403);
    assert_eq!(post(&daemon, "jana", &path, "{\"reason\": \"\"}").0, 422);
    let (status, body) = post(&daemon, "jana", &path, "{\"reason\": \"request 12\"}");
    assert!(status == 200 && body["clean"] == true && body["rows"].as_u64() > Some(0), "{body}");
    assert_eq!(found(&words), Vec::<String>::new());
    assert!(!devices(&daemon).contains(&all[0]));
    assert_eq!(post(&daemon, "jana", &path, "{\"reason\": \"request 12\"}").0, 404);
    let log = audit(state);
    assert!(has(&log, "jana", "erase", "a device, "), "{log:?}");
    assert!(!log.iter().any(|(_, action, detail)| action == "erase" && detail.contains("dev-")), "not even the pseudonym: {log:?}");
    let log = daemon.stop();
    assert_eq!(found(&words), Vec::<String>::new(), "nor is it written at the end: {log}");
    let daemon = wire.start();
    assert!(!devices(&daemon).contains(&all[0]));
    daemon.stop();
}

#[test]
fn a_device_with_findings_is_named_in_no_page_log_or_audit_entry() {
    let Some(wire) = operated("") else { return };
    let daemon = filled(&wire);
    let state = wire.setup.state.clone();
    let store = ringfence::store::Reader::open(&state).expect("opens");
    let kept = store.findings(ringfence::store::Which::Since(ringfence_core::time::Timestamp::ZERO)).expect("readable").0;
    let mut words: Vec<String> = Vec::new();
    for device in kept.iter().map(|t| &t.finding.device) {
        words.extend(device.mac.map(|m| m.to_string()));
        words.extend(device.addresses.iter().map(ToString::to_string).filter(|a| a.len() > 8));
        words.extend([&device.name, &device.register].into_iter().flatten().cloned());
        // The core's own ids are found by whoever tries every hardware address.
        words.push(device.id.clone());
    }
    words.extend(kept.iter().map(|t| t.finding.id.clone()));
    words.sort();
    words.dedup();
    assert!(words.len() > 20, "{words:?}");
    let mut said = pages(&daemon);
    assert_eq!(daemon.ask("POST", "/api/v1/reload").expect("an answer").0, 200);
    said.push(("the log".into(), daemon.stop()));
    said.push(("the audit log".into(), run(&["audit", "export", "--store", &state.to_string_lossy()]).stdout));
    said.push(("the heads".into(), fs::read_to_string(state.join("audit.heads")).expect("readable")));
    // A whole word: `10.10.20.2` is no part of `10.10.20.21`, and `10.10.20.0/24` is a network.
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
    let shown: Vec<String> = said
        .iter()
        .flat_map(|(what, text)| {
            let has = |w: &&String| {
                text.match_indices(w.as_str())
                    .any(|(at, _)| !text[..at].ends_with(part) && !text[at + w.len()..].starts_with(|c| part(c) || c == '/'))
            };
            words.iter().filter(has).map(|w| format!("{w} in {what}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(shown, Vec::<String>::new());
}

#[test]
fn only_groups_leave_the_sensor_and_nothing_about_a_device_its_memory() {
    let Some(wire) = operated("\n[privacy]\naggregate_only = true\ngroup_min = 2\n") else { return };
    let daemon = wire.start();
    let frames = wire.office();
    wire.send(&frames, EASY);
    daemon.has_taken(frames.len() as u64);
    ringfence_tests::lab::wait_until("a group is told", std::time::Duration::from_secs(20), || {
        let table = daemon.json("/api/v1/aggregates");
        if table["groups"].as_array().is_some_and(|g| !g.is_empty()) { Ok(()) } else { Err(table) }
    });
    assert!(daemon.get("/metrics").contains("ringfence_group_devices{") && !daemon.get("/metrics").contains("ringfence_findings"));
    for path in ["/api/v1/findings", "/api/v1/devices", "/api/v1/segments", "/api/v1/waivers"] {
        let (status, body) = daemon.ask("GET", path).expect("an answer");
        assert!(status == 403 && body.contains("aggregate_only"), "{path}: {body}");
    }
    assert_eq!(post(&daemon, "jana", "/api/v1/resolve", &asked("dev-000000000000", "x")).0, 403);
    daemon.stop();
    let store = ringfence::store::Reader::open(&wire.setup.state).expect("opens");
    assert_eq!(store.findings(ringfence::store::Which::Since(ringfence_core::time::Timestamp::ZERO)).expect("readable").0, []);
    assert_eq!(store.known().expect("readable"), []);
    let files = fs::read_dir(&wire.setup.state).expect("the state folder").flatten().map(|e| fs::read(e.path()).expect("readable"));
    let bytes: Vec<u8> = files.flatten().collect();
    for word in ["00:00:5e:00:53:", "laptop-fin-07", "\"dev-"] {
        assert!(!bytes.windows(word.len()).any(|w| w == word.as_bytes()), "{word}");
    }
}

#[test]
fn no_output_runs_where_only_groups_may_be_told() {
    let Some(mut wire) = operated("") else { return };
    let output = format!("[[output]]\nname = \"siem\"\nkind = \"file\"\npath = {:?}\n", wire.setup.dir.join("events.json"));
    let tables = wire.setup.tables.clone();
    for (groups, runs) in [(false, true), (true, false)] {
        wire.setup.tables = format!("{tables}\n[privacy]\naggregate_only = {groups}\n{output}");
        let daemon = wire.start();
        let told = || daemon.get("/metrics").contains("ringfence_output_healthy{output=\"siem\"");
        assert_eq!(told(), runs, "aggregate_only = {groups}");
        // Neither does a reload bring it up.
        assert_eq!(daemon.ask("POST", "/api/v1/reload").expect("an answer").0, 200);
        assert_eq!(told(), runs, "aggregate_only = {groups}, after a reload");
        daemon.stop();
    }
}
