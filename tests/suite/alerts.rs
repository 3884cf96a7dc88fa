//! Alerts: what they ask for is measured, each has its section in the runbook, and Prometheus's own tool says that they fire when they should.

use std::collections::BTreeSet;
use std::fs;

use ringfence_tests::{peers, root};

fn text(path: &str) -> String {
    fs::read_to_string(root().join("dashboards").join(path)).expect("readable")
}

fn alerts() -> Vec<String> {
    text("alerts/ringfence.yaml").lines().filter_map(|l| l.trim().strip_prefix("- alert: ").map(str::to_string)).collect()
}

/// Words of a text that begin like a metric of ours; recorded ones begin otherwise.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
    words.filter(|w| w.starts_with("ringfence_")).map(str::to_string).collect()
}

#[test]
fn every_metric_that_is_asked_for_is_there() {
    // Generated from the table of metrics, which a test of its own keeps.
    let table = fs::read_to_string(root().join("docs/metrics.md")).expect("readable");
    let declared: BTreeSet<&str> = table.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    assert!(declared.len() > 40);
    for path in ["alerts/ringfence.yaml", "recording/ringfence.yaml", "tests/ringfence.yaml", "runbook.md"] {
        let unknown: Vec<String> = metrics(&text(path)).into_iter().filter(|m| !declared.contains(m.as_str())).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn every_alert_has_its_section_and_its_tests() {
    let (runbook, tests, rules) = (text("runbook.md"), text("tests/ringfence.yaml"), text("alerts/ringfence.yaml"));
    assert!(alerts().len() >= 24);
    for alert in alerts() {
        assert!(runbook.contains(&format!("\n## {alert}\n")), "{alert} has no section");
        assert!(rules.contains(&format!("runbook.md#{}\n", alert.to_lowercase())), "{alert} does not say where its section is");
        for what in ["fires", "does not fire"] {
            assert!(tests.contains(&format!("name: {alert} {what}\n")), "{alert} {what}: no test");
        }
    }
}

/// Runs a tool among the dashboards.
fn takes(tool: &str, args: &[&str]) {
    let Some(mut tool) = peers::command(tool) else { return };
    let done = tool.args(args).current_dir(root().join("dashboards")).output().expect("it runs");
    assert!(done.status.success(), "{args:?}: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
}

#[test]
fn prometheus_takes_the_rules_and_they_fire() {
    takes("promtool", &["check", "rules", "alerts/ringfence.yaml", "recording/ringfence.yaml"]);
    takes("promtool", &["test", "rules", "tests/ringfence.yaml"]);
    takes("promtool", &["check", "config", "--syntax-only", "../deploy/prometheus/prometheus.yml"]);
}

#[test]
fn alertmanager_takes_the_example_and_sends_each_alert_to_somebody() {
    takes("amtool", &["check-config", "alertmanager.example.yaml"]);
    for (group, alert) in grouped() {
        let receiver = match group.as_str() {
            _ if alert.starts_with("RingfenceWaiver") || alert.starts_with("RingfenceAudit") => "compliance",
            "ringfence-findings" => "soc",
            _ => "network",
        };
        let (alertname, verify) = (format!("alertname={alert}"), format!("--verify.receivers={receiver}"));
        let args = ["config", "routes", "test", "--config.file=alertmanager.example.yaml", &verify, &alertname];
        takes("amtool", &args);
    }
}

/// Alerts with the group that they stand in.
fn grouped() -> Vec<(String, String)> {
    let mut group = String::new();
    let mut all = Vec::new();
    for line in text("alerts/ringfence.yaml").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- name: ") {
            group = name.to_string();
        } else if let Some(alert) = line.strip_prefix("- alert: ") {
            all.push((group.clone(), alert.to_string()));
        }
    }
    all
}
