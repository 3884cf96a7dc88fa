//! The exposition, checked by promtool, and against what may not be in it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use ringfence_core::time::Timestamp;

use super::scrape::{FINDING_SERIES_MAX, SEGMENTS_MAX};
use super::*;
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
    status.reloads.last = Some(Timestamp::from_secs_nanos(1_795_434_420, 500_000_000));
    state.set_status(status);
    let text = metrics.render(&state);
    for family in FAMILIES {
        assert_eq!(series(&text, family.name).is_empty(), family.name == GROUP, "{}", family.name);
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
