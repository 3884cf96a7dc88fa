//! Links lead somewhere: between dashboards, into the API, into the runbook; and alerts lead to all three.

use std::collections::BTreeSet;
use std::fs;

use ringfence_tests::dashboards::all;
use ringfence_tests::root;
use ringfence_tests::sensor::Json;

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Whether the API answers a path: `/api/v1/findings/ID?stage=open`.
fn is_served(path: &str) -> Result<(), String> {
    let document: Json = serde_json::from_str(&text("docs/openapi.json")).expect("JSON");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let same = |route: &str| {
        let (a, b): (Vec<&str>, Vec<&str>) = (route.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || *a == "{id}")
    };
    let paths = document["paths"].as_object().expect("paths");
    let route = paths.iter().find(|(route, methods)| same(route) && methods.get("get").is_some());
    let (_, methods) = route.ok_or_else(|| format!("nothing is served at {path}"))?;
    let keys: BTreeSet<&str> = methods["get"]["parameters"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
    let unknown: Vec<&str> =
        query.split('&').filter_map(|pair| pair.split('=').next()).filter(|k| !k.is_empty() && !keys.contains(k)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(format!("{path} takes no {unknown:?}")) }
}

/// A heading of the runbook as a page makes a link of it.
fn anchors() -> BTreeSet<String> {
    text("dashboards/runbook.md").lines().filter_map(|l| l.strip_prefix("## ")).map(str::to_lowercase).collect()
}

fn leads_somewhere(url: &str) -> Result<(), String> {
    let uids: BTreeSet<String> = all().into_iter().map(|d| d.stem).collect();
    if let Some(rest) = url.split_once("/d/").map(|(_, rest)| rest) {
        let uid = rest.split('?').next().unwrap_or_default();
        return if uids.contains(uid) { Ok(()) } else { Err(format!("there is no dashboard {uid}")) };
    }
    if let Some(at) = url.find("/api/v1/") {
        return is_served(&url[at..]);
    }
    match url.split_once("runbook.md") {
        Some((_, "")) => Ok(()),
        Some((_, anchor)) if anchors().contains(anchor.trim_start_matches('#')) => Ok(()),
        _ => Err("it leads to nothing that is known".to_string()),
    }
}

/// Every `url` in a document that is not empty.
fn urls(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            found.extend(map.get("url").and_then(Json::as_str).filter(|u| !u.is_empty()).map(str::to_string));
            map.values().for_each(|value| urls(value, found));
        }
        Json::Array(list) => list.iter().for_each(|value| urls(value, found)),
        _ => {}
    }
}

#[test]
fn links_of_dashboards_lead_somewhere() {
    let mut found = Vec::new();
    all().iter().for_each(|d| urls(&d.json, &mut found));
    assert!(found.len() > 12, "{found:?}");
    assert!(found.iter().any(|u| u.contains("/api/v1/findings/")), "from a row to its evidence");
    for url in found {
        assert_eq!(leads_somewhere(&url), Ok(()), "{url}");
    }
    assert!(leads_somewhere("/d/ringfence-sco").is_err() && leads_somewhere("x/api/v1/findings?sgement=a").is_err());
}

#[test]
fn every_alert_leads_to_its_section_its_dashboard_and_its_evidence() {
    let rules = text("dashboards/alerts/ringfence.yaml");
    let alerts = rules.lines().filter(|l| l.trim().starts_with("- alert: ")).count();
    for key in ["runbook_url: ", "dashboard_url: ", "evidence_url: "] {
        let links: Vec<&str> = rules.lines().filter_map(|l| l.trim().strip_prefix(key)).collect();
        assert_eq!(links.len(), alerts, "{key}");
        for url in links {
            assert_eq!(leads_somewhere(url.trim_matches('\'')), Ok(()), "{url}");
        }
    }
}

/// What the compose file mounts is there, and its provider looks where the dashboards are mounted.
#[test]
fn the_demonstration_mounts_what_there_is() {
    let compose = text("deploy/demo/compose.yaml");
    let mounts: Vec<(&str, &str)> =
        compose.lines().filter_map(|l| l.trim().strip_prefix("- .")?.strip_suffix(":ro")?.split_once(':')).collect();
    assert!(mounts.len() >= 6, "{mounts:?}");
    for (from, _) in &mounts {
        let path = root().join("deploy/demo").join(format!(".{from}"));
        assert!(path.exists(), "{}", path.display());
    }
    let provider = text("deploy/demo/grafana/dashboards/ringfence.yaml");
    assert!(mounts.contains(&("./../dashboards/grafana", "/dashboards")) && provider.contains("path: /dashboards\n"), "{mounts:?}");
    assert!(compose.contains("/dashboards/ringfence-soc.json"), "the first page");
}

#[test]
fn every_dashboard_is_in_the_list_and_in_its_picture() {
    let page = text("dashboards/README.md");
    for dashboard in all() {
        let (file, picture) = (format!("grafana/{}.json", dashboard.stem), format!("docs/images/dashboard-{}.png", dashboard.stem));
        assert!(page.contains(&file), "{file}");
        assert!(page.contains(&format!("../{picture}")), "{picture}");
        let size = fs::metadata(root().join(&picture)).unwrap_or_else(|e| panic!("{picture}: {e}")).len();
        assert!((10_000..400_000).contains(&size), "{picture}: {size} bytes");
    }
}
