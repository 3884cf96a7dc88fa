//! Events through the outbox to a file: filtered, folded, bounded, and none lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringfence_core::ledger::{Event as Happening, Stage, Tracked};
use ringfence_core::policy::{Level, Verdict};
use serde_json::Value;

use super::event::fold;
use super::*;
use crate::config::{Config, Output as Settings};
use crate::http::fixture::{IDENTITIES, now, tracked};
use crate::pseudonym::Pseudonyms;
use crate::store::outbox::{Reader, Row};
use crate::store::{Changes, Store};
use crate::veil::Veil;

/// Outputs as a configuration says.
pub(crate) fn settings(dir: &Path, toml: &str) -> Vec<Settings> {
    let path = dir.join("ringfence.toml");
    std::fs::write(&path, toml).expect("written");
    Config::load(&path, &[]).unwrap_or_else(|e| panic!("{:#?}", e.problems())).service.outputs
}

fn file(dir: &Path, more: &str) -> Vec<Settings> {
    settings(dir, &format!("[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"events.json\"\n{more}\n"))
}

fn row(seq: u64, event: Happening, tracked: Tracked) -> Row {
    Row { seq, id: format!("{seq:032x}"), at: now(), event, tracked }
}

fn write(store: &mut Store, events: &[(u64, Happening)]) {
    let findings: Vec<Tracked> = events.iter().map(|(n, _)| tracked(*n)).collect();
    let happened = |(t, (_, event)): (&Tracked, &(u64, Happening))| crate::store::Happened {
        at: t.changed,
        event: *event,
        finding: t.finding.id.clone(),
        verdict: t.finding.verdict,
        level: t.finding.level,
    };
    let events = findings.iter().zip(events).map(happened).collect();
    store.write(&Changes { findings, events, ..Changes::default() }).expect("written");
}

fn desk(dir: &Path, store: &Store) -> Desk {
    Desk::new(dir, Pseudonyms::keyed([7; 32]), store.demand()).expect("threads")
}

/// What is in a file, once it has so many lines.
fn lines(path: &Path, wanted: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= wanted || Instant::now() > deadline {
            assert!(text.lines().count() >= wanted, "{} of {wanted} lines", text.lines().count());
            return text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the far end has so many.
fn sent(desk: &Desk, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while desk.board().all()["siem"].sent < wanted {
        assert!(Instant::now() < deadline, "{:?}", desk.board().all());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ids(lines: &[Value]) -> BTreeSet<String> {
    let of = |l: &Value| {
        let folded = l["folded"].as_array().cloned().unwrap_or_default();
        std::iter::once(l["id"].clone()).chain(folded).map(|id| id.as_str().expect("an id").to_string()).collect::<Vec<_>>()
    };
    lines.iter().flat_map(of).collect()
}

#[test]
fn events_arrive_in_order_once_and_without_names() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    desk.set(&file(dir.path(), ""), "office");
    for n in 0..50 {
        write(&mut store, &[(n, Happening::Opened), (n + 100, Happening::Resolved)]);
    }
    let found = lines(&dir.path().join("events.json"), 100);
    desk.end(Duration::from_secs(5));
    assert_eq!(found.len(), 100);
    let seqs: Vec<u64> = found.iter().map(|l| l["seq"].as_u64().expect("a number")).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    assert_eq!(ids(&found).len(), 100);
    let text = std::fs::read_to_string(dir.path().join("events.json")).expect("there").to_lowercase();
    assert!(IDENTITIES.iter().all(|name| !text.contains(name)), "{text}");
    assert_eq!((found[0]["site"].as_str(), found[0]["event"].as_str()), (Some("office"), Some("opened")));
}

#[test]
fn identities_are_plain_only_where_they_were_asked_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    desk.set(&file(dir.path(), "identities = true"), "");
    write(&mut store, &[(1, Happening::Opened)]);
    let found = lines(&dir.path().join("events.json"), 1);
    assert_eq!(found[0]["finding"]["device"]["name"], "canary-name");
    assert_eq!(found[0]["finding"]["id"], "rf-0000000000000001");
}

#[test]
fn a_filter_leaves_out_what_it_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    desk.set(&file(dir.path(), "verdicts = [\"violation\"]\nmin_level = \"probable\""), "");
    // Every third one is a violation.
    write(&mut store, &[(1, Happening::Opened), (2, Happening::Opened), (3, Happening::Opened), (6, Happening::Opened)]);
    let found = lines(&dir.path().join("events.json"), 2);
    desk.end(Duration::from_secs(5));
    assert!(found.len() == 2 && found.iter().all(|l| l["finding"]["verdict"] == "violation"), "{found:#?}");
    assert_eq!(desk.board().all()["siem"].sent, 2);
}

/// Of a finding that was told and is judged out of the filter, the far end hears once that it left; of one that never was in it, nothing.
#[test]
fn what_leaves_the_filter_is_told_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    desk.set(&file(dir.path(), "verdicts = [\"violation\"]\nmin_level = \"probable\""), "");
    let story = [
        (Happening::Opened, Verdict::Observed, Level::Confirmed),
        (Happening::Rejudged, Verdict::Violation, Level::Confirmed),
        (Happening::Rejudged, Verdict::Waived, Level::Confirmed),
        (Happening::Acknowledged, Verdict::Waived, Level::Confirmed),
        (Happening::Rejudged, Verdict::Violation, Level::Confirmed),
        (Happening::Rejudged, Verdict::Violation, Level::Possible),
        (Happening::Resolved, Verdict::Violation, Level::Possible),
        (Happening::Reopened, Verdict::Violation, Level::Probable),
        (Happening::Resolved, Verdict::Violation, Level::Probable),
    ];
    for (n, (event, verdict, level)) in story.into_iter().enumerate() {
        let mut tracked = tracked(1);
        (tracked.finding.verdict, tracked.finding.level) = (verdict, level);
        let happened = crate::store::Happened {
            at: now().after(Duration::from_secs(n as u64)),
            event,
            finding: tracked.finding.id.clone(),
            verdict,
            level,
        };
        store.write(&Changes { findings: vec![tracked], events: vec![happened], ..Changes::default() }).expect("written");
        // One by one: what waits together would be folded.
        let told = [0, 1, 2, 2, 3, 4, 4, 5, 6][n];
        sent(&desk, told);
        assert_eq!(desk.board().all()["siem"].sent, told);
    }
    let found = lines(&dir.path().join("events.json"), 6);
    desk.end(Duration::from_secs(5));
    let words: Vec<&str> = found.iter().map(|l| l["event"].as_str().expect("a word")).collect();
    assert_eq!(words, ["updated", "left", "updated", "left", "reopened", "resolved"]);
}

#[test]
fn what_waits_survives_a_restart_and_a_change_of_settings() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let gone = dir.path().join("gone");
    std::fs::create_dir(&gone).expect("made");
    let blocked = settings(dir.path(), "[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"gone/x\"\n");
    std::fs::remove_dir(&gone).expect("removed");
    {
        let desk = desk(dir.path(), &store);
        desk.set(&blocked, "");
        (0..200).for_each(|n| write(&mut store, &[(n, Happening::Opened)]));
        desk.end(Duration::from_millis(300));
        let standing = desk.board().all()["siem"].clone();
        assert!(standing.failed > 0 && standing.sent == 0 && !standing.problem.is_empty(), "{standing:?}");
    }
    drop(store);
    let mut store = Store::open(dir.path()).expect("opens again");
    let desk = desk(dir.path(), &store);
    desk.set(&blocked, "");
    (200..300).for_each(|n| write(&mut store, &[(n, Happening::Opened)]));
    // The same name, another file: what waits goes there.
    desk.set(&file(dir.path(), ""), "");
    let found = lines(&dir.path().join("events.json"), 300);
    desk.end(Duration::from_secs(5));
    assert_eq!((found.len(), ids(&found).len()), (300, 300));
}

#[test]
fn a_full_queue_loses_its_oldest_and_counts_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    std::fs::create_dir(dir.path().join("gone")).expect("made");
    let blocked = settings(dir.path(), "[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"gone/x\"\nspool_events = 100\n");
    std::fs::remove_dir(dir.path().join("gone")).expect("removed");
    let desk = desk(dir.path(), &store);
    desk.set(&blocked, "");
    (0..1_000).for_each(|n| write(&mut store, &[(n, Happening::Opened)]));
    let reader = Reader::open(dir.path()).expect("opens");
    let extent = reader.extent().expect("read");
    assert!(extent.last == 1_000 && extent.last - extent.first < 200, "the store is bounded as well: {extent:?}");
    desk.set(&file(dir.path(), "spool_events = 100"), "");
    let found = lines(&dir.path().join("events.json"), 100);
    desk.end(Duration::from_secs(5));
    let dropped = desk.board().all()["siem"].dropped;
    assert_eq!((found.len() as u64 + dropped, found.len()), (1_000, 100));
    assert_eq!(found.last().expect("one")["seq"], 1_000);
}

/// A far end that is away is not pestered: pauses double up to the longest, and begin anew once it works.
#[test]
fn pauses_grow_while_nothing_works() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let gone = dir.path().join("gone");
    std::fs::create_dir(&gone).expect("made");
    let pace = Pace {
        look: Duration::from_millis(20),
        pause: Duration::from_millis(20),
        pause_max: Duration::from_millis(320),
        ..Pace::default()
    };
    let blocked = settings(dir.path(), "[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"gone/x\"\n");
    std::fs::remove_dir(&gone).expect("removed");
    let desk = Desk::paced(dir.path(), Pseudonyms::keyed([7; 32]), store.demand(), pace).expect("threads");
    desk.set(&blocked, "");
    write(&mut store, &[(1, Happening::Opened)]);
    // Undisturbed: 20, 40, 80, 160, 320, 320 ... ms, each shortened by up to a half. Without growth there would be a hundred and more.
    std::thread::sleep(Duration::from_secs(3));
    let failed = desk.board().all()["siem"].failed;
    assert!((8..=28).contains(&failed), "{failed} attempts in three seconds");
    std::fs::create_dir(&gone).expect("made");
    sent(&desk, 1);
    std::fs::remove_dir_all(&gone).expect("removed");
    write(&mut store, &[(2, Happening::Opened)]);
    let before = Instant::now();
    while desk.board().all()["siem"].failed < failed + 3 {
        assert!(before.elapsed() < Duration::from_secs(20), "{:?}", desk.board().all());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(before.elapsed() < Duration::from_millis(1_500), "the first pauses are short again: {:?}", before.elapsed());
    desk.end(Duration::ZERO);
}

#[test]
fn more_than_a_minute_may_bring_waits_and_one_line_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    desk.set(&file(dir.path(), "per_minute = 5"), "");
    let all: Vec<_> = (0..500).map(|n| (n, Happening::Opened)).collect();
    write(&mut store, &all);
    let found = lines(&dir.path().join("events.json"), 6);
    desk.end(Duration::ZERO);
    let held: Vec<&Value> = found.iter().filter(|l| l["event"] == "held").collect();
    assert_eq!((found.len(), held.len(), &held[0]["held"]["count"]), (6, 1, &Value::from(495)));
}

#[test]
fn a_new_output_begins_with_what_happens_then() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    let nobody: Vec<Settings> = Vec::new();
    desk.set(&nobody, "");
    write(&mut store, &[(1, Happening::Opened)]);
    let first = settings(dir.path(), "[[output]]\nname = \"first\"\nkind = \"file\"\npath = \"first.json\"\n");
    desk.set(&first, "");
    write(&mut store, &[(2, Happening::Opened)]);
    lines(&dir.path().join("first.json"), 1);
    let both = settings(
        dir.path(),
        "[[output]]\nname = \"first\"\nkind = \"file\"\npath = \"first.json\"\n[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"events.json\"\n",
    );
    desk.set(&both, "");
    write(&mut store, &[(3, Happening::Opened)]);
    let (one, two) = (lines(&dir.path().join("first.json"), 2), lines(&dir.path().join("events.json"), 1));
    assert_eq!((one.len(), two.len()), (2, 1));
    assert_eq!(one[1]["id"], two[0]["id"], "an event has one id, wherever it goes");
}

#[test]
fn a_store_that_was_replaced_is_told_from_the_beginning() {
    let dir = tempfile::tempdir().expect("a folder");
    for round in 1..3 {
        let mut store = Store::open(dir.path()).expect("opens");
        let desk = desk(dir.path(), &store);
        desk.set(&file(dir.path(), ""), "");
        (0..70).for_each(|n| write(&mut store, &[(n, Happening::Opened)]));
        lines(&dir.path().join("events.json"), 70 * round);
        desk.end(Duration::from_secs(5));
        drop(store);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("{}{suffix}", crate::store::FILE)));
        }
    }
}

#[test]
fn only_what_says_no_more_is_folded() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = file(dir.path(), "").remove(0);
    let veil = Veil::new(Pseudonyms::plain(), true);
    let mut waiting = Vec::new();
    let story = [
        (1, Happening::Opened, 1),
        (2, Happening::Rejudged, 1),
        (3, Happening::Rejudged, 2),
        (4, Happening::Rejudged, 1),
        (5, Happening::Resolved, 1),
        (6, Happening::Rejudged, 2),
    ];
    for (seq, event, finding) in story {
        fold(&mut waiting, Event::new(row(seq, event, tracked(finding)), &veil, "", &settings));
    }
    let told: Vec<(u64, usize)> = waiting.iter().map(|e| (e.seq, e.happened().map_or(0, |h| h.folded.len()))).collect();
    assert_eq!(told, [(1, 0), (5, 2), (6, 1)]);
    assert_eq!(waiting[1].lowest, 2, "until it is taken, the cursor stays before what it stands for");
}

#[test]
fn a_file_is_rotated_and_reopened_by_its_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let desk = desk(dir.path(), &store);
    let logs = dir.path().join("logs");
    std::fs::create_dir(&logs).expect("made");
    let toml = "[[output]]\nname = \"siem\"\nkind = \"file\"\npath = \"logs/events.json\"\nrotate_mib = 1\nkeep_files = 2\n";
    desk.set(&settings(dir.path(), toml), "");
    let path = logs.join("events.json");
    write(&mut store, &[(1, Happening::Opened)]);
    sent(&desk, 1);
    std::fs::rename(&path, logs.join("moved-away")).expect("renamed");
    write(&mut store, &[(2, Happening::Opened)]);
    sent(&desk, 2);
    assert_eq!(lines(&path, 1).len(), 1);
    // What a power cut leaves: a line without its end.
    std::fs::rename(&path, logs.join("moved-away")).expect("renamed");
    std::fs::write(&path, "{\"whole\":1}\n{\"torn\":").expect("written");
    write(&mut store, &[(3, Happening::Opened)]);
    sent(&desk, 3);
    assert_eq!(lines(&path, 2)[0]["whole"], 1);
    for round in 0..5 {
        std::fs::write(&path, format!("{}\n", "1".repeat(1 << 20))).expect("filled");
        write(&mut store, &[(10 + round, Happening::Opened)]);
        sent(&desk, 4 + round);
        assert_eq!(lines(&path, 1).len(), 1);
    }
    desk.end(Duration::from_secs(5));
    let rotated: Vec<PathBuf> = std::fs::read_dir(&logs).expect("read").flatten().map(|e| e.path()).collect();
    assert_eq!(rotated.len(), 4, "two rotated ones, the present one, the one that was moved away: {rotated:?}");
}

#[test]
fn the_tables_are_whole() {
    for kind in OUTPUTS {
        assert!(kind.formats.iter().all(|f| format::named(f).is_some()), "{}", kind.name);
        assert_eq!(kind.schemes.is_empty(), kind.name == "file");
    }
    assert_eq!(format::FORMATS[0].name, "json");
    assert_eq!(format::FORMATS[5].name, "text");
    assert!(tracked(5).stage == Stage::Resolved && tracked(1).finding.level == Level::Confirmed, "the fixture is as these tests think");
}
