//! The files: stable ids, variables, panels that explain themselves, queries that ask for what there is.

use std::collections::BTreeSet;
use std::process::Command;

use ringfence_tests::dashboards::{Dashboard, Spans, all, filled, targets};
use ringfence_tests::root;
use ringfence_tests::sensor::Json;

use super::{metrics, wrong};

/// Dashboards, by uid: links and alerts hold on to these.
const UIDS: [&str; 4] = ["ringfence-coverage", "ringfence-health", "ringfence-segment", "ringfence-soc"];

/// Panels that these dashboards are made of; all of them are there in Grafana 10 to 12.
const KINDS: [&str; 5] = ["stat", "bargauge", "timeseries", "table", "row"];

/// The version of the schema of Grafana 10.0: later ones bring a dashboard forward, none brings it back.
const SCHEMA: u64 = 38;

const SOURCE: &str = "${datasource}";

fn rows_left_out(dashboard: &Dashboard) -> impl Iterator<Item = &Json> {
    dashboard.panels().iter().filter(|p| p["type"] != "row")
}

fn name(dashboard: &Dashboard, panel: &Json) -> String {
    format!("{}: {}", dashboard.stem, panel["title"].as_str().unwrap_or("?"))
}

#[test]
fn ids_are_stable_and_the_schema_is_the_oldest_that_is_supported() {
    let all = all();
    assert_eq!(all.iter().map(|d| d.stem.as_str()).collect::<Vec<_>>(), UIDS);
    for Dashboard { stem, json } in &all {
        assert_eq!((json["uid"].as_str(), json["schemaVersion"].as_u64(), json.get("id")), (Some(stem.as_str()), Some(SCHEMA), None));
        assert!(json["title"].as_str().is_some_and(|t| t.starts_with("Ringfence / ")), "{stem}");
        assert!(
            json["description"].as_str().is_some_and(|d| d.ends_with('?') || d.ends_with('.')),
            "{stem}: which question does it answer?"
        );
        assert_eq!(json["tags"], serde_json::json!(["ringfence"]), "{stem}: links find it by its tag");
    }
}

#[test]
fn every_panel_explains_itself() {
    for dashboard in &all() {
        let mut ids = BTreeSet::new();
        for panel in dashboard.panels() {
            let name = name(dashboard, panel);
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{name}: its id is taken");
            assert!(panel["type"].as_str().is_some_and(|kind| KINDS.contains(&kind)), "{name}: {}", panel["type"]);
            assert!(panel["title"].as_str().is_some_and(|t| !t.is_empty()), "{name}");
        }
        for panel in rows_left_out(dashboard) {
            let name = name(dashboard, panel);
            assert!(panel["description"].as_str().is_some_and(|d| d.len() > 20 && d.ends_with(['.', '?'])), "{name}: what does it show?");
            assert!(panel["fieldConfig"]["defaults"]["unit"].as_str().is_some_and(|u| !u.is_empty()), "{name}: no unit");
            assert!(!targets(panel).is_empty(), "{name}: no query");
        }
    }
}

/// Panels lie on a grid of 24 columns, beside each other and not upon each other.
#[test]
fn panels_do_not_overlap() {
    for dashboard in &all() {
        let mut taken = BTreeSet::new();
        for panel in dashboard.panels() {
            let side = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
            let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
            assert!(w > 0 && h > 0 && x + w <= 24, "{}", name(dashboard, panel));
            let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
            assert!(cells.into_iter().all(|cell| taken.insert(cell)), "{} lies on another", name(dashboard, panel));
        }
    }
}

/// Every `datasource` in a JSON document.
fn sources<'j>(json: &'j Json, found: &mut Vec<&'j Json>) {
    match json {
        Json::Object(map) => {
            found.extend(map.get("datasource").filter(|d| !d.is_string() || d != &"prometheus"));
            map.values().for_each(|value| sources(value, found));
        }
        Json::Array(list) => list.iter().for_each(|value| sources(value, found)),
        _ => {}
    }
}

#[test]
fn the_datasource_is_a_variable_everywhere() {
    for dashboard in &all() {
        let mut found = Vec::new();
        sources(&dashboard.json, &mut found);
        assert!(found.len() > 20, "{}", dashboard.stem);
        assert!(found.iter().all(|d| d["uid"] == SOURCE && d["type"] == "prometheus"), "{}: {found:?}", dashboard.stem);
        for needed in ["datasource", "site", "sensor"] {
            assert!(dashboard.variables().contains(needed), "{} has no variable {needed}", dashboard.stem);
        }
    }
}

#[test]
fn queries_ask_for_what_is_measured_by_labels_that_it_has() {
    let metrics = metrics();
    let spans = Spans { range: "1h".into(), interval: "1m".into(), rate: "1m".into() };
    for dashboard in &all() {
        let queries = rows_left_out(dashboard).flat_map(|p| targets(p).into_iter().map(|t| (name(dashboard, p), t.expr)));
        let annotations = dashboard.annotations().into_iter().map(|expr| (format!("{}: an annotation", dashboard.stem), expr));
        let variables = dashboard.json["templating"]["list"].as_array().into_iter().flatten();
        let variables = variables.filter_map(|v| Some((name(dashboard, v), v["query"]["query"].as_str()?.to_string())));
        let variables =
            variables.map(|(name, query)| (name, query.replace("label_values(", "").replace(')', "").replace(", ", " by (") + ")"));
        for (name, expr) in queries.chain(annotations).chain(variables) {
            assert_eq!(wrong(&expr, &metrics), Vec::<String>::new(), "{name}: {expr}");
            let unknown: Vec<&str> = filled(&expr, &spans).split('$').skip(1).map(|_| "a variable that nobody fills in").collect();
            assert!(unknown.is_empty(), "{name}: {expr}");
            for variable in ["site", "sensor", "segment", "app"] {
                let used = expr.contains(&format!("${variable}"));
                assert!(!used || dashboard.variables().contains(variable), "{name} uses ${variable}, which the dashboard has not");
            }
        }
    }
}

/// Grafana's own schema, where its SDK for Python is installed: `make dashboards-check` brings it.
#[test]
fn grafanas_schema_knows_every_key() {
    let script = root().join("dashboards/tests/schema.py");
    let venv = root().join("target/dashboards/bin/python");
    let python = if venv.is_file() { venv } else { "python3".into() };
    let done = Command::new(python).arg(&script).args(UIDS.map(|uid| root().join(format!("dashboards/grafana/{uid}.json")))).output();
    let Ok(done) = done else { return eprintln!("skipped: python3 is not installed") };
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if done.status.code() == Some(77) {
        return eprintln!("skipped: {}", said.trim());
    }
    assert!(done.status.success(), "{said}");
}
