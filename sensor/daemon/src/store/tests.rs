//! Written, read back, replaced; and what cannot be used is told.

use ringfence_core::finding::{Basis, DeviceFacts, EvidenceLine, Finding, Kind, Place};
use ringfence_core::identity::LinkKind;
use ringfence_core::ledger::{Acknowledgement, Stage, Urgency};
use ringfence_core::net::{Hop, Path};
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
    let mut path = Path::default();
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

fn changes(findings: &[Tracked]) -> Changes {
    let events = findings.iter().map(|t| (t.changed, Event::Opened, t.finding.id.clone())).collect();
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
    let (found, unreadable) = store.findings().expect("read");
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
    assert_eq!(store.findings().expect("read").0, [one]);
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
    store.connection.pragma_update(None, "user_version", 99).expect("set");
    drop(store);
    let error = Store::open(later.path()).expect_err("made by a later version");
    assert!(error.to_string().contains("later version"), "{error}");
}

#[test]
fn a_row_of_another_version_is_counted_and_skipped() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut store = Store::open(dir.path()).expect("opens");
    store.write(&changes(&[tracked("rf-1", Stage::Open), tracked("rf-2", Stage::Open)])).expect("written");
    store.connection.execute("UPDATE findings SET stage = 'dreaming' WHERE id = 'rf-1'", []).expect("updated");
    let (found, unreadable) = store.findings().expect("read");
    assert_eq!((found.len(), unreadable), (1, 1));
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
    assert_eq!(Store::open(dir.path()).expect("opened again").links().expect("read"), said);
}
