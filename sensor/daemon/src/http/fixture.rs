//! A state to test with: findings of a small office whose every identity is a canary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ringfence_core::correlate::DeviceStory;
use ringfence_core::finding::{Basis, DeviceFacts, EvidenceLine, Finding, Kind, Place};
use ringfence_core::identity::{Link, LinkKind, NameGiven, SegmentKey, Stay};
use ringfence_core::ledger::{Event, Stage, Tracked};
use ringfence_core::net::{Mac, Path};
use ringfence_core::policy::{Level, Revoked, Verdict, Waiver};
use ringfence_core::record::BindingSource;
use ringfence_core::rules::Surface;
use ringfence_core::spans::Spans;
use ringfence_core::time::Timestamp;

use crate::state::{Alarm, Ring, Segment, State, Status};
use crate::waivers::WaiverView;
use crate::waivers::{Entry, Held, Standing, WaiverUse};

/// What must not be served without `identities`.
pub const IDENTITIES: &[&str] = &[
    "canary-name",
    "canary-register",
    "canary-approver",
    "canary-trip",
    "00:00:5e:00:53:99",
    "10.10.20.99",
    "2001:db8::99",
    "192.0.2.201",
];

pub fn now() -> Timestamp {
    Timestamp::from_secs_nanos(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs(), 0)
}

/// The state of a small office: 30 findings on 10 devices.
pub fn filled() -> State {
    let state = State::default();
    (0..30).for_each(|n| state.put(tracked(n)));
    let ring = Ring {
        interface: "mirror0".into(),
        state: "capturing",
        error: Some("not at 10.10.20.99".into()),
        frames: 12_345,
        bytes: 9_876_543,
        lost: BTreeMap::from([("kernel", 7)]),
        malformed: BTreeMap::from([("cut", 2)]),
        last_frame: Some(now()),
        ..Ring::default()
    };
    let second = Ring { ring: 1, lost: BTreeMap::from([("kernel", 3)]), ..ring.clone() };
    let alarm = Alarm { kind: "loss", interface: "mirror0".into(), since: now(), detail: "frames for 10.10.20.99 are lost".into() };
    state.set_status(Status {
        at: now(),
        started: now(),
        ready: true,
        site: "office".into(),
        rules: "2026.11".into(),
        generation: 1,
        rings: vec![ring, second],
        segments: vec![Segment { name: "lab".into(), class: "sensitive", configured: true, ..Segment::default() }],
        alarms: vec![alarm],
        events: BTreeMap::from([(Event::Opened, 30)]),
        waivers: waivers().into_iter().map(Arc::new).collect(),
        links: links(),
        ..Status::default()
    });
    state
}

/// A waiver whose holder, approver and reason are canaries, with a use.
pub fn waivers() -> Vec<WaiverView> {
    let (start, end) = (Timestamp::from_secs_nanos(1_790_000_000, 0), Timestamp::from_secs_nanos(1_800_000_000, 0));
    let waiver = Waiver {
        id: "W-1".into(),
        holders: vec!["canary-register".into(), "mac:00:00:5e:00:53:99".into()],
        apps: vec!["wechat".into()],
        segments: vec!["lab".into()],
        approver: "canary-approver".into(),
        reason: "canary-trip".into(),
        start,
        end,
        revoked: Some(Revoked { at: end, reason: "canary-trip is over".into() }),
    };
    let entry = Entry { id: "W-1".into(), added: Some(("canary-approver".into(), start)), ..Entry::default() };
    let finding = tracked(0).finding;
    let used = WaiverUse {
        waiver: "W-1".into(),
        finding: finding.id,
        device: finding.device.key,
        app: "wechat".into(),
        segment: "lab".into(),
        verdict: "waived".into(),
        first_seen: start,
        last_seen: start,
    };
    let holds = Held {
        waiver: Waiver { id: "W-3".into(), revoked: None, ..waiver.clone() },
        entry: entry.clone(),
        pending: false,
        problems: vec![],
    };
    let void = Held { waiver, entry, pending: false, problems: vec!["holders: 00:00:5e:00:53:99 is unknown".into()] };
    vec![
        WaiverView { held: void, standing: Standing::Void, uses: vec![used] },
        WaiverView { held: holds, standing: Standing::Valid, uses: vec![] },
    ]
}

/// The devices of the findings, each with a stay, a name and a link.
pub fn stories() -> Vec<DeviceStory> {
    let story = |n| {
        let finding = tracked(n).finding;
        let addr = "10.10.20.99".parse().expect("an address");
        let (first, last) = (finding.first_seen, finding.last_seen);
        let stay = Stay { addr, segment: SegmentKey(1), first, last, sources: vec![BindingSource::Dhcp] };
        let name = NameGiven { source: BindingSource::Dhcp, name: "canary-name".into() };
        DeviceStory {
            keys: vec![finding.device.key.clone()],
            device: finding.device,
            stays: vec![(Some("lab".into()), stay)],
            names: vec![name],
        }
    };
    (0..10).map(story).collect()
}

/// What an operator, whose name and reason are canaries, said about two devices of the findings.
pub fn links() -> Vec<Link> {
    let key = |n| tracked(n).finding.device.key;
    let at = Timestamp::from_secs_nanos(1_790_000_000, 0);
    let link = |kind, a, b| Link { kind, a: key(a), b: key(b), reason: "canary-trip".into(), at, by: "canary-approver".into() };
    vec![link(LinkKind::Merge, 0, 1), link(LinkKind::Split, 2, 3)]
}

/// The `n`th finding; findings with the same `n % 10` are of one device.
pub fn tracked(n: u64) -> Tracked {
    let at = Timestamp::from_secs_nanos(1_795_434_420 + n, 0);
    let device = DeviceFacts {
        id: format!("dev-{:012x}", n % 10),
        key: format!("mac:00:00:5e:00:53:{:02x}", 0x90 + n % 10),
        mac: Some(Mac([0, 0, 0x5e, 0, 0x53, 0x99])),
        addresses: vec!["10.10.20.99".parse().expect("an address"), "2001:db8::99".parse().expect("an address")],
        name: Some("canary-name".into()),
        register: Some("canary-register".into()),
        randomised_mac: false,
        behind_router: false,
        shared_nic: false,
        confidence: 0.9,
        reasons: vec!["bound to 10.10.20.99 at the time".into()],
    };
    let sign = |field, value: &str| EvidenceLine {
        indicator: "wechat.names".into(),
        family: "S",
        field,
        value: value.into(),
        weight: 0.95,
        count: 3,
        kind: Kind::Observed,
    };
    let finding = Finding {
        id: format!("rf-{n:016x}"),
        device,
        segment: if n.is_multiple_of(3) { "lab".into() } else { "10.10.20.0/24".into() },
        segment_class: if n.is_multiple_of(3) { "sensitive" } else { "unknown" },
        app: "wechat".into(),
        surface: Some(Surface::App),
        level: Level::Confirmed,
        confidence: 0.99,
        verdict: if n.is_multiple_of(3) { Verdict::Violation } else { Verdict::Waived },
        others: vec![],
        policy: "default".into(),
        waiver: Some("W-1".into()),
        reasons: vec![
            "waiver W-1 (canary-trip) until 2026-11-30, approved by canary-approver".into(),
            "10.10.20.0/24 is not configured as a segment".into(),
        ],
        first_seen: at,
        last_seen: at,
        flows: 4,
        bytes_up: 1_000,
        bytes_down: 2_000,
        instances: 1,
        classes: vec!["messaging".into()],
        regions: vec![],
        evidence: vec![sign("tls.sni", "szshort.weixin.qq.com"), sign("ip.dst", "192.0.2.201"), sign("x.name", "Canary-Name")],
        fingerprints: vec![("tls.ja4", "t13d1516h2_8daaf6152771_e5627efa2ab1".into())],
        presence: Spans::of(at, at),
        basis: Basis {
            work_service: None,
            place: Some(Place { interface: "mirror0".into(), path: Path::default(), addr: "10.10.20.99".parse().expect("an address") }),
        },
    };
    let stage = if n.is_multiple_of(5) { Stage::Resolved } else { Stage::Open };
    Tracked { finding, stage, opened: at, changed: at, reopened: 0, reopened_at: None, acknowledged: None, escalated: None }
}
