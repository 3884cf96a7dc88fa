//! The exposition, checked by promtool, and against what may not be in it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use ringfence_core::finding::{DeviceFacts, Finding};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::rules::Surface;
use ringfence_core::time::Timestamp;

use super::scrape::{FINDING_SERIES_MAX, SEGMENTS_MAX, SERIES_MAX};
use super::*;
use crate::audit::Standing;
use crate::http::fixture::{filled, tracked};
use crate::state::{Ring, Segment, Status};

fn series<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    text.lines().filter(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))).collect()
}

fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|l| l.strip_prefix(line)).unwrap_or_else(|| panic!("{line} is not in\n{text}"));
    found.trim().parse().expect("a number")
}

#[test]
fn the_table_keeps_the_conventions() {
    let names: BTreeSet<&str> = FAMILIES.iter().map(|f| f.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    for family in FAMILIES {
        let name = family.name;
        assert!(name.starts_with("ringfence_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains('|'), "{name}");
        let personal = ["mac", "address", "ip", "device", "name", "sni", "host"];
        assert!(family.labels.iter().all(|l| !personal.contains(l)), "{name}");
    }
}

#[test]
fn every_metric_has_a_value_and_the_right_one() {
    let outputs = Board::default();
    outputs.write("siem", |o| (o.kind, o.depth, o.last_success) = ("syslog", 3, Some(Timestamp::from_secs_nanos(1, 0))));
    let metrics = Metrics::new(Pseudonyms::keyed([7; 32]), None).with_outputs(outputs);
    metrics.count_request("/metrics", 200);
    let state = filled();
    let mut status = Status::clone(&state.status());
    (status.blind, status.limits) = (BTreeMap::from([("one-way", 4)]), BTreeMap::from([("flows", 5)]));
    status.audit = Standing { at: Some(Timestamp::from_secs_nanos(1_795_434_400, 0)), entries: 12, broken: None };
    status.held = BTreeMap::from([("flows", 6)]);
    status.opened = BTreeMap::from([(("lab".to_string(), "wechat".to_string(), Verdict::Violation), 9)]);
    let mut cared = Durations::default();
    cared.add(std::time::Duration::from_secs(1_000));
    status.cared = BTreeMap::from([(Verdict::Violation, cared)]);
    status.reloads.last = Some(Timestamp::from_secs_nanos(1_795_434_420, 500_000_000));
    state.set_status(status);
    let mut fresh = tracked(1);
    fresh.opened = crate::clock::now();
    state.put(fresh);
    let text = metrics.render(&state);
    for family in FAMILIES {
        let name = if family.kind == Kind::Histogram { format!("{}_count", family.name) } else { family.name.to_string() };
        assert_eq!(series(&text, &name).is_empty(), family.name == GROUP, "{name}");
    }
    assert_eq!(value(&text, "ringfence_frames_lost_total{interface=\"mirror0\",reason=\"kernel\"}"), 10.0);
    assert_eq!(value(&text, "ringfence_frames_total{interface=\"mirror0\",ring=\"1\"}"), 12_345.0);
    assert_eq!(value(&text, "ringfence_output_queue_events{output=\"siem\",kind=\"syslog\"}"), 3.0);
    assert_eq!(value(&text, "ringfence_findings{stage=\"open\"}"), 24.0);
    let lab = "app=\"wechat\",surface=\"app\",segment=\"lab\",verdict=\"violation\",level=\"confirmed\"";
    assert_eq!(value(&text, &format!("ringfence_findings_open{{{lab}}}")), 8.0);
    assert_eq!(value(&text, "ringfence_devices_with_open_findings"), 8.0);
    assert_eq!(value(&text, "ringfence_last_reload_timestamp_seconds"), 1_795_434_420.5);
    assert_eq!(value(&text, "ringfence_last_reload_successful"), 0.0);
    assert_eq!(value(&text, "ringfence_site_info{site=\"office\"}"), 1.0);
    assert_eq!(value(&text, "ringfence_findings_opened_total{segment=\"lab\",app=\"wechat\",verdict=\"violation\"}"), 9.0);
    assert_eq!(value(&text, "ringfence_finding_events_total{event=\"escalated\"}"), 0.0, "there before the first one");
    assert_eq!(value(&text, "ringfence_findings_unacknowledged{verdict=\"violation\"}"), 8.0);
    assert_eq!(value(&text, "ringfence_finding_oldest_unacknowledged_timestamp_seconds{verdict=\"violation\"}"), 1_795_434_423.0);
    assert_eq!(value(&text, "ringfence_finding_acknowledge_seconds_bucket{verdict=\"violation\",le=\"900\"}"), 0.0);
    assert_eq!(value(&text, "ringfence_finding_acknowledge_seconds_bucket{verdict=\"violation\",le=\"3600\"}"), 1.0);
    assert_eq!(value(&text, "ringfence_finding_acknowledge_seconds_sum{verdict=\"violation\"}"), 1_000.0);
    assert_eq!(value(&text, "ringfence_audit_chain_intact"), 1.0);
    assert_eq!(value(&text, "ringfence_unjudgeable_total{kind=\"one-way\"}"), 4.0);
    assert_eq!(value(&text, "ringfence_waivers_by_segment{segment=\"lab\",standing=\"valid\"}"), 1.0);
    assert_eq!(value(&text, "ringfence_http_requests_total{route=\"/metrics\",code=\"200\"}"), 1.0);
    assert_eq!(value(&text, "ringfence_series"), text.lines().filter(|l| !l.starts_with('#')).count() as f64);
}

#[test]
fn labels_stay_bounded() {
    let state = filled();
    let mut status = Status::clone(&state.status());
    status.segments = (0..1_000).map(|n| Segment { name: format!("s{n}"), ..Segment::default() }).collect();
    state.set_status(status);
    for n in 0..2_000 {
        let mut one = tracked(n);
        (one.finding.segment, one.stage) = (format!("s{}", n % 1_000), Stage::Open);
        state.put(one);
    }
    let metrics = Metrics::new(Pseudonyms::keyed([7; 32]), None);
    let text = metrics.render(&state);
    let shown = series(&text, "ringfence_open_finding_last_seen_timestamp_seconds");
    assert_eq!(shown.len(), FINDING_SERIES_MAX);
    assert!(shown.iter().all(|l| l.contains("verdict=\"violation\"")), "the most serious");
    assert_eq!(value(&text, "ringfence_open_findings_left_out"), 1_500.0);
    assert!(series(&text, "ringfence_findings_open").len() <= 2 * (SEGMENTS_MAX + 1));
    assert_eq!(metrics.render(&state), text, "the same series each time");
}

#[test]
fn hostile_names_do_not_break_the_format() {
    let state = State::default();
    let ring = Ring { interface: "e\"\n\\{}0".into(), ..Ring::default() };
    state.set_status(Status { rings: vec![ring], ..Status::default() });
    let text = Metrics::new(Pseudonyms::plain(), None).render(&state);
    assert!(text.contains(r#"ringfence_frames_total{interface="e\"\n\\{}0",ring="0"} 0"#), "{text}");
}

#[test]
fn promtool_finds_nothing() {
    let Ok(mut promtool) =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        eprintln!("skipped: promtool is not installed (Debian package prometheus)");
        return;
    };
    let metrics = Metrics::new(Pseudonyms::keyed([7; 32]), None);
    metrics.count_request("/metrics", 200);
    let text = metrics.render(&filled());
    promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let done = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.trim().is_empty(), "{said}\n{text}");
}

#[test]
fn groups_take_the_place_of_findings() {
    let text = Metrics::new(Pseudonyms::keyed([7; 32]), Some(5)).render(&filled());
    for family in FAMILIES.iter().filter(|f| OF_FINDINGS.iter().any(|begin| f.name.starts_with(begin))) {
        assert!(series(&text, family.name).is_empty(), "{}", family.name);
    }
    // 8 devices in each segment have open findings, 8 with one verdict each.
    let groups = series(&text, GROUP);
    assert!(
        !groups.is_empty() && groups.iter().all(|l| l.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<f64>().is_ok_and(|n| n >= 5.0))),
        "{groups:?}"
    );
    assert!(series(&Metrics::new(Pseudonyms::keyed([7; 32]), Some(9)).render(&filled()), GROUP).is_empty(), "too small");
}

/// What is open and confirmed now is new, and exposes; what was long ago is and does neither.
#[test]
fn new_and_exposed_have_their_windows() {
    let state = filled();
    let mut status = Status::clone(&state.status());
    status.exposure = std::time::Duration::from_secs(30 * 86_400);
    status.apps = vec!["wechat".into()];
    state.set_status(status);
    let now = crate::clock::now();
    let at = |days: u32| now.before(std::time::Duration::from_secs(86_400) * days);
    for (n, days, stage) in [(100, 0, Stage::Open), (101, 2, Stage::Open), (102, 29, Stage::Resolved), (103, 31, Stage::Resolved)] {
        let mut one = tracked(n);
        (one.finding.segment, one.finding.device.key) = ("lab".into(), format!("reg:{n}"));
        (one.finding.first_seen, one.finding.last_seen, one.opened, one.stage) = (at(days), at(days), at(days), stage);
        state.put(one);
    }
    // The office of the fixture lies in the past, or in what is now the future: whatever it adds is taken away.
    let value = |text: &str, name: &str| value(text, name);
    let text = Metrics::new(Pseudonyms::keyed([7; 32]), None).render(&state);
    let others = (0..30).map(tracked).filter(|t| t.finding.segment == "lab");
    let fresh = others.clone().filter(|t| t.stage == Stage::Open && t.opened >= at(1)).count();
    let exposed: BTreeSet<String> = others.filter(|t| t.finding.last_seen >= at(30)).map(|t| t.finding.device.key).collect();
    let new: f64 = series(&text, "ringfence_findings_new")
        .iter()
        .filter(|l| l.contains("\"lab\""))
        .map(|l| value(l, l.rsplit_once(' ').expect("a value").0))
        .sum();
    assert_eq!(new, 1.0 + fresh as f64);
    assert_eq!(value(&text, "ringfence_devices_exposed{segment=\"lab\"}"), 3.0 + exposed.len() as f64);
    assert_eq!(value(&text, "ringfence_findings_opened_total{segment=\"lab\",app=\"wechat\",verdict=\"compliant\"}"), 0.0);
}

/// A million devices, each with a name, an address and a finding of its own, in more segments and of more apps than anybody has.
#[test]
fn a_million_devices_stay_below_the_stated_bound() {
    const DEVICES: u64 = 1_000_000;
    // Three in 24, from the first on.
    const VIOLATIONS: u64 = DEVICES / 24 * 3 + 3;
    let (segments, apps) = (1_000, 50);
    let surfaces = [Some(Surface::App), Some(Surface::Web), Some(Surface::Work), None];
    let (state, office) = (State::default(), filled());
    let mut status = Status::clone(&office.status());
    let ring = |n: u16| Ring { interface: format!("span{}", n / 4), ring: n % 4, ..status.rings[0].clone() };
    status.rings = (0..32).map(ring).collect();
    status.segments =
        (0..segments).map(|n| Segment { name: format!("s{n}"), class: "standard", configured: true, ..Segment::default() }).collect();
    status.apps = (0..apps).map(|n| format!("app{n}")).collect();
    status.exposure = std::time::Duration::MAX;
    let words = Verdict::WORDS.map(|(_, verdict)| verdict);
    let blank = Finding::blank("", DeviceFacts::default());
    let opened = crate::clock::now();
    for n in 0..DEVICES {
        let mut f = Finding { id: format!("rf-{n:016x}"), ..blank.clone() };
        f.device.key = format!("mac:{n}");
        f.device.name = Some(format!("canary-{n}"));
        (f.segment, f.app) = (format!("s{}", n % segments), format!("app{}", n / 7 % apps));
        (f.verdict, f.surface, f.level) = (words[(n / 3 % 8) as usize], surfaces[(n / 11 % 4) as usize], Level::ALL[(n / 13 % 4) as usize]);
        *status.opened.entry((f.segment.clone(), f.app.clone(), f.verdict)).or_default() += 1;
        state.put(Tracked {
            finding: f,
            stage: Stage::Open,
            opened,
            changed: opened,
            reopened: 0,
            reopened_at: None,
            acknowledged: None,
            escalated: None,
        });
    }
    state.set_status(status);
    let outputs = Board::default();
    (0..32).for_each(|n| outputs.write(&format!("out{n}"), |o| o.kind = "syslog"));
    let metrics = Metrics::new(Pseudonyms::keyed([7; 32]), None).with_outputs(outputs);
    let text = metrics.render(&state);
    let lines = text.lines().filter(|l| !l.starts_with('#')).count();
    eprintln!("{DEVICES} devices: {lines} series, {} bytes", text.len());
    assert!(lines > 5_000 && lines <= SERIES_MAX, "{lines}");
    assert_eq!(value(&text, "ringfence_series"), lines as f64);
    assert!(!text.contains("canary"), "no name in a label");
    // What is added up is not lost, and a violation stays one.
    for name in ["ringfence_findings_open", "ringfence_findings_new", "ringfence_findings_opened_total"] {
        let lines = series(&text, name);
        let sum =
            |what: &str| lines.iter().filter(|l| l.contains(what)).filter_map(|l| l.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>();
        assert_eq!(sum("segment="), DEVICES as f64, "{name}");
        assert_eq!(sum("verdict=\"violation\""), VIOLATIONS as f64, "{name}");
    }
}
