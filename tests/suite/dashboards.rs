//! Dashboards: what a person needs on each panel is there, what queries ask for is measured, and every query has an answer when a real
//! Prometheus has scraped a real sensor.

mod live;
mod promises;
mod structure;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ringfence_tests::root;

/// Labels that Prometheus puts on everything that it scrapes.
const OF_TARGETS: [&str; 2] = ["instance", "job"];

/// Metrics of the sensor with their labels, from the table that a test of its own keeps; and those of recording rules.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("readable");
    let mut all = BTreeMap::from([("up".to_string(), BTreeSet::new())]);
    for line in page.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, labels) = (cells[1].trim_matches('`'), cells[3].split('`').skip(1).step_by(2).map(str::to_string));
        let labels: BTreeSet<String> = labels.collect();
        if cells[2] == "histogram" {
            let with_le = labels.iter().cloned().chain(["le".to_string()]).collect();
            all.insert(format!("{name}_bucket"), with_le);
            all.extend(["sum", "count"].map(|end| (format!("{name}_{end}"), labels.clone())));
        } else {
            all.insert(name.to_string(), labels);
        }
    }
    let recording = fs::read_to_string(root().join("dashboards/recording/ringfence.yaml")).expect("readable");
    for name in recording.lines().filter_map(|l| l.trim().strip_prefix("- record: ")) {
        // A recorded name says by what it is grouped: instance_segment:metric:operation.
        let level = name.split(':').next().unwrap_or_default();
        all.insert(name.to_string(), level.split('_').map(str::to_string).collect());
    }
    assert!(all.len() > 60, "{all:?}");
    all
}

/// What is wrong with a query: a metric that nobody exports, a label that it has not.
fn wrong(expr: &str, metrics: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let asked = ringfence_tests::dashboards::asked(expr);
    let mut wrong = Vec::new();
    let mut any: BTreeSet<String> = OF_TARGETS.map(str::to_string).into();
    for (name, labels) in asked.iter().filter(|(name, _)| !name.is_empty()) {
        let Some(has) = metrics.get(name) else {
            wrong.push(format!("there is no {name}"));
            continue;
        };
        let lacks = |l: &&String| !has.contains(*l) && !OF_TARGETS.contains(&l.as_str());
        wrong.extend(labels.iter().filter(lacks).map(|l| format!("{name} has no label {l}")));
        any.extend(has.iter().cloned());
    }
    let grouped = asked.get("").into_iter().flatten();
    wrong.extend(grouped.filter(|l| !any.contains(*l)).map(|l| format!("nothing in it has the label {l}")));
    wrong
}

#[test]
fn a_wrong_query_is_told() {
    let metrics = metrics();
    assert_eq!(wrong("sum by (segment) (ringfence_findings_open{verdict=\"waived\",instance=~\"a\"})", &metrics), Vec::<String>::new());
    assert_eq!(wrong("ringfence_findings_opne", &metrics), ["there is no ringfence_findings_opne"]);
    assert_eq!(wrong("ringfence_ready{segment=\"a\"}", &metrics), ["ringfence_ready has no label segment"]);
    assert_eq!(wrong("sum by (verdict) (ringfence_ready)", &metrics), ["nothing in it has the label verdict"]);
    assert_eq!(wrong("ringfence_finding_acknowledge_seconds_bucket{le=\"900\"}", &metrics), Vec::<String>::new());
}
