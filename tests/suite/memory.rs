//! A store that captures have filled: what it holds is what was found, it can be judged and explained, and nobody works on it twice.

use std::collections::BTreeSet;
use std::path::Path;

use ringfence_tests::sensor::{Json, run};
use ringfence_tests::{office, root};

fn config() -> String {
    root().join("deploy/config/ringfence.toml").to_string_lossy().into_owned()
}

/// Scans a capture into a store; the lines that it prints.
fn kept(capture: &Path, state: &Path) -> Vec<Json> {
    let done = run(&["scan", "-o", "json", "-c", &config(), "--store", &state.to_string_lossy(), &capture.to_string_lossy()]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    done.stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

fn number(store: &rusqlite::Connection, query: &str) -> i64 {
    store.query_row(query, [], |row| row.get(0)).expect("a number")
}

#[test]
fn a_scanned_capture_is_kept_judged_and_explained() {
    let dir = tempfile::tempdir().expect("a folder");
    let (capture, state) = (dir.path().join("office.pcap"), dir.path().join("state"));
    office::write(&capture).expect("written");
    let lines = kept(&capture, &state);
    let found: BTreeSet<&str> = lines.iter().filter(|l| l["type"] == "finding").filter_map(|l| l["id"].as_str()).collect();
    let coverage = lines.iter().find(|l| l["type"] == "coverage" && l["segment"].is_null()).expect("coverage");

    let store = rusqlite::Connection::open(state.join("ringfence.sqlite")).expect("the store");
    let mut query = store.prepare("SELECT id FROM findings").expect("a query");
    let ids: BTreeSet<String> = query.query_map([], |row| row.get(0)).expect("rows").map(|id| id.expect("an id")).collect();
    assert_eq!(ids.iter().map(String::as_str).collect::<BTreeSet<_>>(), found);
    assert_eq!(number(&store, "SELECT sum(frames) FROM watched"), coverage["frames"].as_i64().expect("frames"));
    let seconds: f64 = store.query_row("SELECT sum(seconds) FROM watched", [], |row| row.get(0)).expect("seconds");
    assert!((seconds - coverage["seconds_watched"].as_f64().expect("seconds")).abs() < 0.001, "{seconds}");
    let devices = lines.iter().filter(|l| l["type"] == "finding").filter_map(|l| l["device"]["id"].as_str()).collect::<BTreeSet<_>>().len();
    assert_eq!(number(&store, "SELECT count(*) FROM devices WHERE seq IN (SELECT device FROM sightings)"), devices as i64);
    // Every use lies within a sighting of its device.
    let outside =
        "SELECT count(*) FROM uses u WHERE NOT EXISTS (SELECT 1 FROM sightings s WHERE s.device = u.device AND s.first <= u.first)";
    assert_eq!(number(&store, outside), 0);

    let state_dir = state.to_string_lossy().into_owned();
    let judged = run(&["judge", "-c", &config(), "--store", &state_dir]);
    assert_eq!((judged.status, judged.stdout.contains(" 0 would be others")), (Some(0), true), "{}{}", judged.stdout, judged.stderr);
    let told = run(&["explain", "--device", "laptop-it-11", "-c", &config(), "--store", &state_dir]);
    assert_eq!(told.status, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("waiver_expired") && told.stdout.contains("W-2026-009 is expired"), "{}", told.stdout);

    // What is heard again is the same device, and opens nothing a second time.
    let before = number(&store, "SELECT count(*) FROM history WHERE event = 'opened'");
    kept(&capture, &state);
    assert_eq!(number(&store, "SELECT count(*) FROM history WHERE event = 'opened'"), before);
    let verified = run(&["audit", "verify", "--store", &state_dir]);
    assert_eq!(verified.status, Some(0), "{}{}", verified.stdout, verified.stderr);
}
