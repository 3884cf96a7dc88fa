//! Written, read back, replaced; and what cannot be used is told.

use ringfence_core::correlate::Sighting;
use ringfence_core::finding::{Basis, DeviceFacts, EvidenceLine, Finding, Kind, Place};
use ringfence_core::identity::{Fact, LinkKind, SegmentKey};
use ringfence_core::ledger::{Acknowledgement, Stage, Urgency};
use ringfence_core::net::{Hop, Mac, Path as FramePath};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::rules::Surface;
use ringfence_core::spans::Spans;

use super::*;

fn tracked(id: &str, stage: Stage) -> Tracked {
    let at = Timestamp::from_secs_nanos(1_700_000_000, 123_456_789);
    let device = DeviceFacts {
        id: "dev-0123456789ab".into(),
        key: "mac:02:00:5e:10:00:01".into(),
        mac: "02:00:5e:10:00:01".parse().ok(),
        addresses: vec!["10.0.0.7".parse().expect("address"), "2001:db8::7".parse().expect("address")],
        name: Some("na\u{0}me\n\"\u{1b}[31m".into()),
        register: None,
        randomised_mac: true,
        behind_router: false,
        shared_nic: false,
        confidence: 0.95,
        reasons: vec!["because".into()],
    };
    let mut path = FramePath::default();
    assert!(path.push(Hop::Vlan(20)) && path.push(Hop::Gre(None)));
    let line = |kind| EvidenceLine {
        indicator: "wechat.x".into(),
        family: "T",
        field: "tls.sni",
        value: "long.weixin.qq.com".into(),
        weight: 0.9,
        count: 3,
        kind,
    };
    Tracked {
        finding: Finding {
            id: id.into(),
            device,
            segment: "office".into(),
            segment_class: "unknown",
            app: "wechat".into(),
            surface: Some(Surface::App),
            level: Level::None,
            confidence: 0.123_456_789,
            verdict: Verdict::SeparationBreach,
            others: vec![Verdict::Observed],
            policy: "line".into(),
            waiver: None,
            reasons: vec!["r".into()],
            first_seen: at,
            last_seen: Timestamp::from_nanos(u64::from(u32::MAX) * 1_000_000_007),
            flows: 7,
            bytes_up: 1 << 53,
            bytes_down: 2,
            instances: 1,
            classes: vec!["messaging".into()],
            regions: vec!["mainland".into()],
            evidence: vec![line(Kind::Observed), line(Kind::Associated), line(Kind::Inferred)],
            fingerprints: vec![("tls.ja4", "t13d".into())],
            presence: Spans::restore([(at, at.after(Duration::from_secs(90)))], [19_000]),
            basis: Basis {
                work_service: Some(at),
                place: Some(Place { interface: "span0".into(), path, addr: "10.0.0.7".parse().expect("address") }),
            },
        },
        stage,
        opened: at,
        changed: at,
        reopened: 2,
        reopened_at: Some(at),
        acknowledged: Some(Acknowledgement { at, by: "jana".into(), note: "being looked at".into() }),
        escalated: Some((at, Urgency::Recurring)),
    }
}

fn happened(t: &Tracked) -> Happened {
    let finding = &t.finding;
    Happened { at: t.changed, event: Event::Opened, finding: finding.id.clone(), verdict: finding.verdict, level: finding.level }
}

fn changes(findings: &[Tracked]) -> Changes {
    let events = findings.iter().map(happened).collect();
    let audit = Audit { at: Timestamp::ZERO, by: "sensor".into(), action: "start", detail: "x".into() };
    Changes { findings: findings.to_vec(), events, audit: vec![audit], ..Changes::default() }
}

#[test]
fn what_was_written_is_read_back_exactly() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let kept = [tracked("rf-1", Stage::Open), tracked("rf-2", Stage::Resolved), tracked("rf-3", Stage::Superseded)];
    let mut store = Store::open(dir.path()).expect("opens");
    store.write(&changes(&kept)).expect("written");
    drop(store);
    let store = Store::open(dir.path()).expect("opens again");
    let (found, unreadable) = store.read().findings(Which::OpenOrSince(Timestamp::ZERO)).expect("read");
    assert_eq!((&found[..], unreadable), (&kept[..], 0));
    assert!(store.bytes() > 0);
}

#[test]
fn a_later_state_replaces_the_earlier_one() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let mut one = tracked("rf-1", Stage::Open);
    store.write(&changes(&[one.clone()])).expect("written");
    one.stage = Stage::Resolved;
    store.write(&changes(&[one.clone()])).expect("written");
    assert_eq!(store.read().findings(Which::OpenOrSince(Timestamp::ZERO)).expect("read").0, [one]);
}

#[test]
fn what_cannot_be_used_is_told_with_the_remedy() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let gone = Store::open(&dir.path().join("nowhere")).expect_err("no folder");
    assert!(gone.to_string().contains("must exist and be writable"), "{gone}");
    std::fs::write(dir.path().join(FILE), "this is no database, whatever its name says. ".repeat(40)).expect("written");
    let garbage = Store::open(dir.path()).expect_err("garbage");
    assert!(garbage.to_string().contains("move the file away"), "{garbage}");
    let later = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(later.path()).expect("opens");
    store.reader.connection.pragma_update(None, "user_version", 99).expect("set");
    drop(store);
    let error = Store::open(later.path()).expect_err("made by a later version");
    assert!(error.to_string().contains("later version"), "{error}");
}

#[test]
fn a_row_of_another_version_is_counted_and_skipped() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opens");
    store.write(&changes(&[tracked("rf-1", Stage::Open), tracked("rf-2", Stage::Open)])).expect("written");
    store.reader.connection.execute("UPDATE findings SET stage = 'dreaming' WHERE id = 'rf-1'", []).expect("updated");
    let (found, unreadable) = store.read().findings(Which::OpenOrSince(Timestamp::ZERO)).expect("read");
    assert_eq!((found.len(), unreadable), (1, 1));
}

fn read_only(dir: &Path) -> Connection {
    Connection::open_with_flags(dir.join(FILE), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opened")
}

fn table(connection: &Connection, query: &str) -> Vec<Vec<String>> {
    let mut query = connection.prepare(query).expect("a query");
    let columns = query.column_count();
    let cell = |row: &rusqlite::Row<'_>, at| match row.get_ref(at).expect("a value") {
        rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    let rows = query.query_map([], |row| Ok((0..columns).map(|at| cell(row, at)).collect())).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn spans_that_become_one_are_one_row() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opened");
    let at = |secs: u64| Timestamp::from_secs_nanos(1_800_000_000 + secs, 0);
    let mut one = tracked("rf-1", Stage::Open);
    for (spans, rows) in [
        (vec![(at(0), at(60))], vec!["2027-01-15 08:00:00 2027-01-15 08:01:00"]),
        (
            vec![(at(0), at(90)), (at(3_600), at(3_700))],
            vec!["2027-01-15 08:00:00 2027-01-15 08:01:30", "2027-01-15 09:00:00 2027-01-15 09:01:40"],
        ),
        (vec![(at(0), at(3_800))], vec!["2027-01-15 08:00:00 2027-01-15 09:03:20"]),
    ] {
        one.finding.presence = Spans::restore(spans, []);
        store.write(&Changes { findings: vec![one.clone()], ..Changes::default() }).expect("written");
        let found = table(&read_only(dir.path()), "SELECT first || ' ' || last FROM device_uses ORDER BY first");
        assert_eq!(found, rows.iter().map(|r| vec![(*r).to_string()]).collect::<Vec<_>>());
    }
}

#[test]
fn a_device_is_recalled_with_what_makes_it_the_same() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opened");
    let at = |secs: u64| Timestamp::from_secs_nanos(1_800_000_000 + secs, 0);
    let facts = vec![
        Fact {
            name: Some("anna's \u{1b} phone".into()),
            parameters: Some(u64::MAX >> 1),
            router: true,
            ..Fact::blank(at(1), Mac([2, 0, 0, 0, 0, 7]))
        },
        Fact {
            addr: "10.0.0.7".parse().ok(),
            v6: true,
            client_id: Some(9),
            segment: SegmentKey(77),
            ..Fact::blank(at(2), Mac([2, 0, 0, 0, 0, 7]))
        },
    ];
    let device = tracked("rf-1", Stage::Open).finding.device;
    // From one day into the next.
    let sighting = Sighting { segment: "lab".into(), addr: "10.0.0.7".parse().expect("address"), span: (at(57_590), at(57_610)) };
    let seen = Seen { device: device.clone(), designated: false, facts: facts.clone(), sightings: vec![sighting.clone()] };
    let mut finding = tracked("rf-1", Stage::Resolved);
    finding.finding.last_seen = at(57_610);
    let findings = vec![finding];
    store.write(&Changes { findings, ..Changes::default() }).expect("written");
    for _ in 0..2 {
        store.write(&Changes { seen: vec![seen.clone()], ..Changes::default() }).expect("written");
    }
    assert_eq!(store.read().facts_since(at(0)).expect("read"), facts);
    assert_eq!(store.read().facts_since(at(60_000)).expect("read"), []);
    let days: Vec<_> =
        store.read().sightings(&device.key, 10).expect("read").into_iter().map(|d| (d.span.0.secs(), d.span.1.secs())).collect();
    assert_eq!(days, [(1_800_057_600, 1_800_057_610), (1_800_057_590, 1_800_057_599)], "cut at midnight, nothing twice");
}

#[test]
fn pieces_of_an_hour_add_up() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opened");
    let at = |secs: u64| Timestamp::from_secs_nanos(1_800_000_000 + secs, 0);
    let counts = |n| Counts::from([("kernel".to_string(), n)]);
    let piece = |secs, n| Piece {
        at: at(secs),
        watched: vec![Watched { interface: "span0".into(), seconds: 60.0, frames: n, lost: counts(n), ..Watched::default() }],
        covered: vec![Covered { segment: "lab".into(), flows: n, unjudgeable: counts(1), ..Covered::default() }],
    };
    store.write(&Changes { coverage: vec![piece(60, 5), piece(120, 7)], ..Changes::default() }).expect("written");
    store.write(&Changes { coverage: vec![piece(180, 1), piece(3_700, 2)], ..Changes::default() }).expect("written");
    let hour = store.read().coverage_of(at(1_000), "lab").expect("read");
    assert_eq!((hour.watched[0].seconds, hour.watched[0].frames, &hour.watched[0].lost), (180.0, 13, &counts(13)));
    assert_eq!((hour.covered[0].flows, &hour.covered[0].unjudgeable), (13, &counts(3)));
    assert_eq!(store.read().coverage_of(at(1_000), "office").expect("read").covered, []);
}

#[test]
fn every_word_of_operators_about_devices_is_kept() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let link = |kind, reason: &str| Link {
        kind,
        a: "mac:00:00:5e:00:53:01".into(),
        b: "reg:laptop-7".into(),
        reason: reason.into(),
        at: Timestamp::from_secs_nanos(1_790_000_000, 5_000),
        by: "jana".into(),
    };
    let said = vec![link(LinkKind::Merge, "its dock"), link(LinkKind::Split, "\u{0}'; DROP TABLE links; --")];
    let mut store = Store::open(dir.path()).expect("opened");
    store.write(&Changes { links: said.clone(), ..Changes::default() }).expect("written");
    drop(store);
    assert_eq!(Store::open(dir.path()).expect("opened again").read().links().expect("read"), said);
}

fn files(dir: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(dir).expect("a folder").flatten();
    entries.flat_map(|e| std::fs::read(e.path()).expect("readable")).collect()
}

fn holds(dir: &Path, text: &str) -> bool {
    files(dir).windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn what_is_erased_leaves_no_byte_in_any_file() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let mut other = tracked("rf-2", Stage::Open);
    (other.finding.device.id, other.finding.device.mac) = ("dev-00000000000b".into(), "02:00:5e:10:00:02".parse().ok());
    (other.finding.device.key, other.finding.device.name) = ("mac:02:00:5e:10:00:02".into(), Some("printer".into()));
    other.finding.device.addresses = vec!["10.0.0.8".parse().expect("an address")];
    other.finding.basis.place = None;
    for round in 0..50 {
        let mut one = tracked("rf-1", Stage::Open);
        (one.finding.flows, one.finding.waiver, one.finding.device.name) = (round, Some("W-1".into()), Some("canary-laptop".into()));
        one.finding.reasons = vec!["a long story ".repeat(500)];
        store.write(&changes(&[one, other.clone()])).expect("written");
    }
    let words = ["02:00:5e:10:00:01", "10.0.0.7", "canary-laptop", "2001:db8::7"];
    // Part of it is in the file, part in the write-ahead log.
    store.reader.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("moved");
    assert!(words.iter().all(|w| holds(dir.path(), w)));
    let note = |rows| Audit { at: Timestamp::ZERO, by: "jana".into(), action: "erase", detail: format!("{rows} rows") };
    let place = Sighting { segment: "lab".into(), addr: "10.0.0.7".parse().expect("an address"), span: (Timestamp::ZERO, Timestamp::ZERO) };
    let fact = Fact { name: Some("canary-laptop".into()), ..Fact::blank(Timestamp::ZERO, Mac([2, 0, 0x5e, 0x10, 0, 1])) };
    let seen = Seen { device: tracked("rf-1", Stage::Open).finding.device, designated: false, facts: vec![fact], sightings: vec![place] };
    store.write(&Changes { seen: vec![seen], ..Changes::default() }).expect("written");
    let known: Vec<String> = store.read().known().expect("read").into_iter().map(|k| k.key).collect();
    assert_eq!(known, ["mac:02:00:5e:10:00:01", "mac:02:00:5e:10:00:02"]);
    let erased = store.erase(&["mac:02:00:5e:10:00:01".into()].into(), &[], note).expect("erased");
    assert!(erased.clean && erased.rows >= 51, "{erased:?}");
    for word in words {
        assert!(!holds(dir.path(), word), "{word} is still there");
    }
    assert!(holds(dir.path(), "printer"), "others stay");
    drop(store);
    let store = Store::open(dir.path()).expect("opens");
    assert_eq!(store.read().findings(Which::Since(Timestamp::ZERO)).expect("read").0, [other]);
}

#[test]
fn what_is_too_old_goes_and_the_audit_log_says_how_much() {
    use crate::audit::{anchor, read, signer, verify};
    use crate::config::Retention;

    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opens");
    let day = |n: u64| Timestamp::from_secs_nanos(1_700_000_000 + n * 86_400, 0);
    for (n, stage) in [(0, Stage::Resolved), (0, Stage::Open), (5, Stage::Resolved)] {
        let mut one = tracked(&format!("rf-{n}-{}", stage.name()), stage);
        one.changed = day(n);
        let audit = Audit { at: day(n), by: "sensor".into(), action: "start", detail: "x".into() };
        let event = happened(&one);
        store.write(&Changes { findings: vec![one], events: vec![event], audit: vec![audit], ..Changes::default() }).expect("written");
    }
    let days = |n: u64| Some(Duration::from_secs(n * 86_400));
    let none = Retention { findings: None, history: None, sightings: None, coverage: None, audit: None };
    assert_eq!(store.expire(day(9_000), &none, false).expect("nothing to do"), []);
    let four = Retention { findings: days(4), history: days(4), audit: days(4), ..none };
    assert_eq!(store.expire(day(6), &four, false).expect("deleted"), [("findings", 1), ("history", 2), ("audit", 2)]);
    assert_eq!(store.expire(day(6), &four, false).expect("nothing is left to delete"), []);
    let ids: Vec<String> =
        store.read().findings(Which::Since(Timestamp::ZERO)).expect("read").0.into_iter().map(|t| t.finding.id).collect();
    assert_eq!(ids, ["rf-0-open", "rf-5-resolved"], "what is open stays");
    assert_eq!(store.expire(day(6), &four, true).expect("deleted")[0], ("findings", 1), "unless nothing stored can end any more");
    // The log begins behind the cut, says so, and is whole.
    let log = read::read(&dir.path().join(FILE)).expect("readable");
    let details: Vec<&str> = log.entries.iter().map(|e| e.detail.as_str()).collect();
    assert_eq!(details[1], "findings: 1 older than 2023-11-16 00:00 UTC deleted");
    assert!(details.iter().any(|d| d.starts_with("entries up to 2 are deleted, 2 older than")), "{details:?}");
    let key = PublicKey::from_pem(&std::fs::read_to_string(dir.path().join(signer::PUBLIC)).expect("there")).expect("a key");
    let anchored = std::fs::read_to_string(dir.path().join(anchor::FILE)).expect("there");
    let anchored: Vec<Head> = anchor::heads(&anchored).into_iter().map(|(_, h)| h.expect("a head")).collect();
    let checked = verify(log.entries.clone(), &log.heads, &anchored, &key);
    assert_eq!((checked.broken, checked.first), (vec![], 3));
    // Who cuts more off the beginning is found, even at an entry that was signed.
    let more = verify(log.entries.into_iter().skip(1), &log.heads, &anchored, &key);
    assert!(more.broken.iter().any(|b| b.to_string().contains("the log says that it was cut behind entry 2")), "{:?}", more.broken);
}

#[test]
fn events_that_wait_are_bounded_and_what_is_left_out_is_said() {
    let mut changes = Changes::default();
    let event = |n: usize| Happened {
        at: Timestamp::from_secs_nanos(n as u64, 0),
        event: Event::Opened,
        finding: format!("rf-{n}"),
        verdict: Verdict::Violation,
        level: Level::Confirmed,
    };
    let noted = (0..EVENTS_WAITING_MAX + 10).filter(|n| changes.note(event(*n))).count();
    assert_eq!((noted, changes.events.len()), (EVENTS_WAITING_MAX, EVENTS_WAITING_MAX));
}
