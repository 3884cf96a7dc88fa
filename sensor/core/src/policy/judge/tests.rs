//! Every row of the verdict table, and what must hold for all of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Line, Register, Segments, Selector, Waiver};
use super::*;
use crate::net::Mac;

use Level::{Confirmed, Possible, Probable};
use SegmentClass::{Guest, Sensitive, Separate, Standard, Unknown};
use Verdict::{Compliant, Disguise, Observed, SeparationBreach, Unapproved, Violation, Waived, WaiverExpired};

/// The segment of each class has the class's name; the id is the position. The last one is not configured.
const CLASSES: [SegmentClass; 5] = [Sensitive, Standard, Guest, Separate, Unknown];

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("valid")
}

fn segment(class: SegmentClass) -> SegmentId {
    SegmentId(CLASSES.iter().position(|c| *c == class).and_then(|i| u32::try_from(i).ok()).expect("known"))
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| w.to_string()).collect()
}

fn device(id: &str, designated: bool, allowed: &[&str]) -> Device {
    Device { id: id.into(), designated, allowed_segments: texts(allowed), ..Device::default() }
}

fn waiver(id: &str, holder: &str, start: &str, end: &str) -> Waiver {
    Waiver {
        id: id.into(),
        holders: texts(&[holder]),
        apps: texts(&["wechat", "tiktok"]),
        segments: texts(&["standard", "sensitive", "separate"]),
        approver: "CISO".into(),
        reason: "press work".into(),
        start: at(start),
        end: at(end),
        revoked: None,
    }
}

fn line(name: &str, app: &str, classes: &[SegmentClass], status: Status) -> Line {
    Line { name: name.into(), apps: texts(&[app]), classes: classes.to_vec(), segments: Vec::new(), status }
}

/// wechat has the defaults; every other app shows one status everywhere.
fn policy() -> Policy {
    let mut segments = Segments::default();
    for (class, vlan) in CLASSES.iter().zip(1..) {
        segments.add(class.name(), *class, vec![Selector::Vlans(vlan, vlan)]);
    }
    let with_mac = Device { macs: vec![Mac([2, 0, 0, 0, 0, 7])], ..device("by-mac", false, &[]) };
    Policy {
        segments,
        register: Register::new(vec![
            device("phone", true, &[]),
            device("tablet", true, &["guest"]),
            device("laptop", false, &[]),
            device("waived", false, &[]),
            device("late", false, &[]),
            with_mac,
        ]),
        waivers: vec![
            waiver("W-1", "waived", "2026-01-01", "2026-02-01"),
            waiver("W-2", "waived", "2026-02-01", "2026-07-01"),
            waiver("W-3", "late", "2026-01-01", "2026-03-01"),
            waiver("W-4", "mac:02:00:00:00:00:07", "2026-01-01", "2026-07-01"),
        ],
        lines: vec![
            line("no tiktok", "tiktok", &[], Status::Banned),
            line("weibo apart", "weibo", &[], Status::SeparateDevice),
            line("wecom audit", "wecom", &[], Status::UnderAudit),
            line("qq tolerated", "qq", &[], Status::Tolerated),
            line("line allowed", "line", &[], Status::Allowed),
        ],
        bars: BTreeMap::from([(Guest, Confirmed)]),
        ..Policy::default()
    }
    .configured()
}

/// Confirmed use on 2026-03-03 from 08:00 to 09:00.
fn case<'a>(app: &'a str, class: SegmentClass, device: &'a str) -> Case<'a> {
    Case {
        app,
        surface: Some(Surface::App),
        level: Confirmed,
        segment: segment(class),
        device: Some(device).filter(|d| !d.is_empty()),
        device_keys: &[],
        first_seen: at("2026-03-03T08:00:00Z"),
        last_seen: at("2026-03-03T09:00:00Z"),
        exposure: None,
        work_service: None,
        disguise: false,
        presence_only: false,
    }
}

fn all(case: Case<'_>) -> Vec<Verdict> {
    let judged = policy().judge(&case);
    judged.verdict.into_iter().chain(judged.others).collect()
}

#[test]
fn defaults_of_each_class() {
    for (device, class, expect) in [
        ("laptop", Sensitive, &[Violation][..]),
        ("waived", Sensitive, &[Waived]),
        ("late", Sensitive, &[Violation, WaiverExpired]),
        ("phone", Sensitive, &[Violation, SeparationBreach]),
        ("laptop", Standard, &[Unapproved]),
        ("waived", Standard, &[Waived]),
        ("late", Standard, &[WaiverExpired]),
        ("phone", Standard, &[SeparationBreach, Unapproved]),
        ("laptop", Separate, &[Unapproved]),
        ("waived", Separate, &[Waived]),
        ("late", Separate, &[WaiverExpired]),
        ("phone", Separate, &[Compliant]),
        ("tablet", Separate, &[Unapproved]),
        ("laptop", Guest, &[Observed]),
        ("late", Guest, &[Observed]),
        ("phone", Guest, &[Observed, Compliant]),
        ("tablet", Guest, &[Observed, Compliant]),
        ("laptop", Unknown, &[Observed]),
        ("phone", Unknown, &[Observed]),
        ("", Standard, &[Unapproved]),
        ("nobody-knows", Standard, &[Unapproved]),
    ] {
        assert_eq!(all(case("wechat", class, device)), expect, "{device} in {class:?}");
    }
}

#[test]
fn explicit_statuses_in_each_class() {
    for (app, device, expect) in [
        // sensitive, standard, guest, separate, unknown
        ("tiktok", "laptop", [&[Violation][..], &[Violation], &[Violation], &[Violation], &[Violation]]),
        ("tiktok", "waived", [&[Violation], &[Violation], &[Violation], &[Violation], &[Violation]]),
        ("tiktok", "phone", [&[Violation, SeparationBreach], &[Violation, SeparationBreach], &[Violation], &[Violation], &[Violation]]),
        ("weibo", "laptop", [&[Violation], &[Unapproved], &[Unapproved], &[Unapproved], &[Unapproved]]),
        ("weibo", "phone", [&[Violation, SeparationBreach], &[SeparationBreach, Unapproved], &[Compliant], &[Compliant], &[Unapproved]]),
        ("wecom", "laptop", [&[Observed], &[Observed], &[Observed], &[Observed], &[Observed]]),
        ("qq", "laptop", [&[Observed], &[Observed], &[Observed], &[Observed], &[Observed]]),
        (
            "qq",
            "phone",
            [&[SeparationBreach, Observed], &[SeparationBreach, Observed], &[Observed, Compliant], &[Observed, Compliant], &[Observed]],
        ),
        ("line", "laptop", [&[], &[], &[], &[], &[]]),
        ("line", "phone", [&[SeparationBreach], &[SeparationBreach], &[], &[], &[]]),
    ] {
        for (class, expect) in CLASSES.iter().zip(expect) {
            assert_eq!(all(case(app, *class, device)), expect, "{app} on {device} in {class:?}");
        }
    }
}

#[test]
fn separation_by_presence_alone() {
    let silent = |class, device| Case { presence_only: true, surface: None, level: Level::None, ..case("none", class, device) };
    for (case, expect) in [
        (silent(Sensitive, "phone"), &[SeparationBreach][..]),
        (silent(Standard, "phone"), &[SeparationBreach]),
        (silent(Guest, "phone"), &[]),
        (silent(Separate, "phone"), &[]),
        (silent(Separate, "tablet"), &[]),
        (silent(Unknown, "phone"), &[]),
        (silent(Sensitive, "laptop"), &[]),
        (silent(Sensitive, ""), &[]),
    ] {
        assert_eq!(all(case), expect, "{case:?}");
        assert_eq!(policy().judge(&case).line, "separation");
    }
}

#[test]
fn separation_by_exposure() {
    let silent = Case { presence_only: true, surface: None, level: Level::None, ..case("wechat", Sensitive, "laptop") };
    for (exposure, expect) in [
        ("2026-03-03T08:30:00Z", true),
        ("2026-03-03T09:00:00Z", true),
        ("2026-03-03T09:00:01Z", false),
        ("2026-02-20", true),
        ("2026-02-01T08:00:00Z", true),
        ("2026-02-01T07:59:59Z", false),
    ] {
        let exposed = Case { exposure: Some(at(exposure)), ..silent };
        assert_eq!(all(exposed).contains(&SeparationBreach), expect, "{exposure}");
    }
    let exposed = Case { exposure: Some(at("2026-03-01")), ..silent };
    for class in [Standard, Guest, Separate, Unknown] {
        assert_eq!(all(Case { segment: segment(class), ..exposed }), [], "only sensitive segments: {class:?}");
    }
    for (app, expect) in [("tiktok", true), ("qq", true), ("wecom", false), ("line", false)] {
        assert_eq!(!all(Case { app, ..exposed }).is_empty(), expect, "{app}");
    }
    let weak = Case { level: Possible, presence_only: false, ..exposed };
    assert_eq!(all(weak), [SeparationBreach, Observed], "it is the place that breaches, not the weak sign");
}

#[test]
fn separation_by_work_services() {
    let working = |app, class| Case { work_service: Some(at("2026-03-03T08:30:00Z")), ..case(app, class, "laptop") };
    for (case, expect) in [
        (working("wechat", Guest), &[SeparationBreach, Observed][..]),
        (working("wechat", Standard), &[SeparationBreach, Unapproved]),
        (working("wechat", Sensitive), &[Violation, SeparationBreach]),
        (working("wechat", Unknown), &[SeparationBreach, Observed]),
        (Case { device: Some("phone"), ..working("wechat", Separate) }, &[SeparationBreach, Compliant]),
        (Case { device: Some("waived"), ..working("wechat", Standard) }, &[SeparationBreach, Waived]),
        (working("qq", Guest), &[SeparationBreach, Observed]),
        (working("wecom", Standard), &[Observed]),
        (working("line", Standard), &[]),
        (Case { level: Probable, ..working("wechat", Guest) }, &[Observed]),
        (Case { work_service: Some(at("2026-02-01")), ..working("wechat", Guest) }, &[Observed]),
        (Case { work_service: Some(at("2026-04-03")), ..working("wechat", Guest) }, &[Observed]),
        (Case { work_service: Some(at("2026-03-20")), ..working("wechat", Guest) }, &[SeparationBreach, Observed]),
    ] {
        assert_eq!(all(case), expect, "{case:?}");
    }
}

#[test]
fn waivers_over_time() {
    let span = |device, first, last| Case { first_seen: at(first), last_seen: at(last), ..case("wechat", Standard, device) };
    for (case, expect, waiver) in [
        (span("waived", "2026-01-15", "2026-01-16"), &[Waived][..], Some("W-1")),
        (span("waived", "2026-01-15", "2026-02-15"), &[Waived], Some("W-2")),
        (span("waived", "2025-12-31", "2026-01-15"), &[Unapproved], None),
        (span("waived", "2026-06-30", "2026-07-01"), &[WaiverExpired], Some("W-2")),
        (span("waived", "2025-12-31", "2026-07-01"), &[WaiverExpired, Unapproved], Some("W-2")),
        (span("waived", "2026-08-01", "2026-08-02"), &[WaiverExpired], Some("W-2")),
        (span("late", "2026-02-28", "2026-02-28T23:59:59Z"), &[Waived], Some("W-3")),
        (span("late", "2026-02-28", "2026-03-01"), &[WaiverExpired], Some("W-3")),
        (span("by-mac", "2026-02-28", "2026-03-01"), &[Waived], Some("W-4")),
    ] {
        let judged = policy().judge(&case);
        assert_eq!(all(case), expect, "{case:?}");
        assert_eq!(judged.waiver.as_deref(), waiver, "{case:?}");
    }
    let keys = texts(&["mac:02:00:00:00:00:07"]);
    assert_eq!(all(Case { device_keys: &keys, ..span("", "2026-02-28", "2026-03-01") }), [Waived], "an unregistered device by its MAC");
    assert_eq!(all(case("wechat", Guest, "waived")), [Observed], "what needs no waiver uses none");
}

#[test]
fn the_bar_of_each_class() {
    for (app, class, level, expect) in [
        ("wechat", Sensitive, Possible, &[Observed][..]),
        ("wechat", Sensitive, Probable, &[Violation]),
        ("tiktok", Standard, Possible, &[Observed]),
        ("tiktok", Guest, Probable, &[Observed]),
        ("tiktok", Guest, Confirmed, &[Violation]),
        ("wechat", Standard, Level::None, &[]),
        ("line", Standard, Possible, &[]),
    ] {
        assert_eq!(all(Case { level, ..case(app, class, "laptop") }), expect, "{app} {class:?} {level:?}");
    }
    assert_eq!(all(Case { level: Possible, ..case("wechat", Standard, "late") }), [Observed]);
    assert_eq!(all(Case { level: Possible, ..case("wechat", Separate, "phone") }), [Compliant]);
}

#[test]
fn disguise_stands_beside_everything() {
    let pure = |class| Case { disguise: true, surface: None, level: Level::None, ..case("none", class, "laptop") };
    for class in CLASSES {
        assert_eq!(all(pure(class)), [Disguise]);
        assert_eq!(policy().judge(&pure(class)).line, "disguise");
    }
    assert_eq!(all(Case { disguise: true, ..case("wechat", Sensitive, "laptop") }), [Violation, Disguise]);
    assert_eq!(all(Case { disguise: true, ..case("wechat", Standard, "waived") }), [Disguise, Waived]);
    assert_eq!(all(Case { disguise: true, ..case("line", Standard, "laptop") }), [Disguise]);
    assert_eq!(all(Case { device: Some("phone"), ..pure(Standard) }), [SeparationBreach, Disguise]);
}

#[test]
fn without_a_policy_everything_is_observed() {
    let none = Policy { segments: policy().segments, ..Policy::none() };
    for class in CLASSES {
        let judged = none.judge(&Case { work_service: Some(at("2026-03-03")), ..case("wechat", class, "phone") });
        assert_eq!((judged.verdict, judged.others, judged.line), (Some(Observed), vec![], "none".to_string()));
        let silent = Case { presence_only: true, level: Level::None, ..case("none", class, "phone") };
        assert_eq!(none.judge(&silent).verdict, None);
    }
    let disguise = Case { disguise: true, level: Level::None, ..case("none", Standard, "") };
    assert_eq!(none.judge(&disguise).verdict, Some(Disguise));
}

#[test]
fn a_judgement_explains_itself() {
    let judged = |case: Case<'_>| policy().judge(&case);
    let waived = judged(case("wechat", Standard, "waived"));
    assert_eq!(waived.line, "default for standard (separate_device)");
    assert_eq!(waived.reasons, ["waiver W-2 (press work) until 2026-06-30, approved by CISO"]);
    let late = judged(case("wechat", Sensitive, "late"));
    assert_eq!(late.line, "default for sensitive (banned unless waived)");
    assert_eq!(
        late.reasons,
        [
            "wechat on the sensitive segment sensitive without a valid waiver",
            "waiver W-3 ended 2026-02-28, use went on until 2026-03-03 09:00 UTC"
        ]
    );
    let banned = judged(case("tiktok", Guest, "waived"));
    assert_eq!((banned.line.as_str(), banned.waiver), ("no tiktok (banned)", None));
    assert_eq!(banned.reasons, ["tiktok is banned in guest; no waiver is possible"]);
    let weak = judged(Case { level: Possible, ..case("wechat", Standard, "laptop") });
    assert_eq!(weak.reasons, ["possible is below the bar (probable) for a verdict in standard segments"]);
    assert_eq!(weak.line, judged(case("wechat", Standard, "laptop")).line, "the line stays when evidence grows");
}

#[test]
fn the_first_line_that_matches_decides() {
    let mut policy = policy();
    policy.lines.insert(0, Line { segments: texts(&["guest"]), ..line("tiktok for guests", "tiktok", &[], Status::Tolerated) });
    policy.lines.push(line("too late", "tiktok", &[], Status::Allowed));
    assert_eq!(policy.judge(&case("tiktok", Guest, "laptop")).line, "tiktok for guests (tolerated)");
    assert_eq!(policy.judge(&case("tiktok", Standard, "laptop")).line, "no tiktok (banned)");
}

/// Any case: the choices are independent of each other.
fn any_case() -> impl Strategy<Value = Case<'static>> {
    let apps = proptest::sample::select(vec!["wechat", "tiktok", "weibo", "wecom", "qq", "line"]);
    let devices = proptest::sample::select(vec!["", "phone", "tablet", "laptop", "waived", "late", "by-mac"]);
    let levels = proptest::sample::select(vec![Level::None, Possible, Probable, Confirmed]);
    let day = || (0u64..300).prop_map(|d| at("2025-11-01").after(std::time::Duration::from_secs(d * 86_400)));
    let facts = (proptest::option::of(day()), proptest::option::of(day()), any::<bool>(), any::<bool>());
    (apps, devices, levels, proptest::sample::select(CLASSES.to_vec()), day(), day(), facts).prop_map(
        |(app, device, level, class, one, other, (exposure, work_service, disguise, presence_only))| Case {
            level,
            first_seen: one.min(other),
            last_seen: one.max(other),
            exposure,
            work_service,
            disguise,
            presence_only,
            ..case(app, class, device)
        },
    )
}

/// Larger is more serious; nothing recorded is the least.
fn seriousness(policy: &Policy, case: &Case<'_>) -> u8 {
    policy.judge(case).verdict.map_or(0, |v| u8::MAX - v as u8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_most_serious_decides(case in any_case()) {
        let judged = policy().judge(&case);
        prop_assert!(judged.verdict.is_some() || judged.others.is_empty());
        prop_assert!(judged.others.iter().all(|v| Some(*v) > judged.verdict), "{judged:?}");
        prop_assert!(judged.others.windows(2).all(|w| w[0] < w[1]), "{judged:?}");
        prop_assert_eq!(judged.reasons.is_empty(), judged.verdict.is_none());
        prop_assert!(!judged.line.is_empty());
    }

    #[test]
    fn more_evidence_never_lowers(case in any_case(), later in 0u64..90) {
        let policy = policy();
        let mut more: Vec<Case<'_>> = [Possible, Probable, Confirmed].into_iter().map(|l| Case { level: l.max(case.level), ..case }).collect();
        more.push(Case { disguise: true, ..case });
        more.push(Case { last_seen: case.last_seen.after(std::time::Duration::from_secs(later * 86_400)), ..case });
        more.push(Case { work_service: case.work_service.or(Some(case.first_seen)), ..case });
        more.push(Case { exposure: case.exposure.or(Some(case.last_seen)), ..case });
        more.push(Case { presence_only: false, ..case });
        for more in more {
            prop_assert!(seriousness(&policy, &more) >= seriousness(&policy, &case), "{more:?} {case:?}");
        }
    }

    #[test]
    fn a_waiver_never_makes_a_ban_better(case in any_case(), start in 0u64..300, length in 1u64..300) {
        let day = |d: u64| at("2025-11-01").after(std::time::Duration::from_secs(d * 86_400));
        let holder = case.device.unwrap_or("mac:02:00:00:00:00:09");
        let wide = Waiver { start: day(start), end: day(start + length), segments: texts(&CLASSES.map(SegmentClass::name)), ..waiver("W-9", holder, "2026-01-01", "2026-01-02") };
        let mut with = policy();
        with.waivers.push(wide);
        let banned = Case { app: "tiktok", ..case };
        prop_assert_eq!(with.judge(&banned), policy().judge(&banned));
        // elsewhere one more waiver never makes things worse than having none
        let mut without = policy();
        without.waivers.clear();
        let (some, none) = (seriousness(&with, &case), seriousness(&without, &case));
        prop_assert!(some <= none || with.judge(&case).verdict == Some(WaiverExpired), "{case:?}");
    }

    #[test]
    fn weak_signs_never_raise_more_than_observed(case in any_case()) {
        let policy = policy();
        let class = policy.segment(case.segment).class;
        let weak = Case { level: case.level.min(Possible), disguise: false, exposure: None, ..case };
        prop_assume!(weak.level < policy.bar(class) && !matches!(case.device, Some("phone" | "tablet")));
        prop_assert!(policy.judge(&weak).verdict.is_none_or(|v| v >= Observed), "{weak:?}");
    }

    #[test]
    fn no_policy_no_judgement(case in any_case()) {
        let none = Policy { segments: policy().segments, ..Policy::none() };
        let verdict = none.judge(&case).verdict;
        let expect = if case.disguise { Some(Disguise) } else { Some(Observed).filter(|_| case.level > Level::None && !case.presence_only) };
        prop_assert_eq!(verdict, expect);
    }
}
