//! Case folders: a capture (made by the generator when there is no `input.pcap`), a configuration, and what must be said. A finding that
//! is not expected is a failure, and so is a device that is expected to be silent and is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ringfence_tests::scenarios::{SCENARIOS, Scenario};
use ringfence_tests::sensor::{Json, run};
use ringfence_tests::{office, root};

/// What an expected line and a finding are compared by. `mac`, `addresses`, `confidence` and `behind_router` are the device's.
const KEYS: [&str; 14] = [
    "device",
    "segment",
    "app",
    "surface",
    "level",
    "verdict",
    "instances",
    "others",
    "flows",
    "waiver",
    "mac",
    "addresses",
    "confidence",
    "behind_router",
];

fn shown(finding: &Json, keys: &BTreeSet<&str>) -> String {
    let device = &finding["device"];
    let name = if device.is_object() {
        ["register", "name", "mac"].iter().find_map(|k| device[*k].as_str()).or(device["addresses"][0].as_str())
    } else {
        device.as_str()
    };
    let value = |key: &str| match key {
        "device" => Json::from(name),
        // Of the device, not of the finding.
        "mac" | "addresses" | "confidence" | "behind_router" if device.is_object() => device[key].clone(),
        other => finding[other].clone(),
    };
    KEYS.iter().filter(|k| keys.contains(**k)).map(|k| format!("{k}={}", value(k))).collect::<Vec<_>>().join(" ")
}

fn play(dir: &Path) {
    let case: toml::Table = fs::read_to_string(dir.join("case.toml")).expect("case.toml").parse().expect("TOML");
    let made = tempfile::tempdir().expect("temporary folder");
    let capture = match case["input"].as_str() {
        Some("office") => {
            let path = made.path().join("office.pcap");
            office::write(&path).expect("written");
            path
        }
        Some(name) if Scenario::of(name).is_some() => {
            let path = made.path().join(format!("{name}.pcap"));
            fs::write(&path, Scenario::of(name).expect("known").capture()).expect("written");
            path
        }
        Some(file) => dir.join(file),
        None => panic!("{}: input is missing", dir.display()),
    };
    let config = case["config"].as_str().expect("config");
    let own = dir.join(config);
    let config = if own.is_file() { own } else { root().join(config) };
    let done = run(&["scan", "-o", "json", "-c", &config.to_string_lossy(), &capture.to_string_lossy()]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let found: Vec<Json> =
        done.stdout.lines().map(|l| serde_json::from_str::<Json>(l).expect("JSON")).filter(|l| l["type"] == "finding").collect();
    let expected: Vec<Json> = fs::read_to_string(dir.join("expected.jsonl"))
        .expect("expected.jsonl")
        .lines()
        .filter(|l| !l.trim().is_empty())
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert!(!expected.is_empty());
    let mut left: Vec<Json> = found.clone();
    let mut missing = Vec::new();
    for line in &expected {
        let keys: BTreeSet<&str> = line.as_object().expect("an object").keys().map(String::as_str).collect();
        let want = shown(line, &keys);
        match left.iter().position(|f| shown(f, &keys) == want) {
            Some(at) => {
                left.remove(at);
            }
            None => missing.push(want),
        }
    }
    let all: BTreeSet<&str> = KEYS.into_iter().collect();
    let beside: Vec<String> = left.iter().map(|f| shown(f, &all)).collect();
    assert!(missing.is_empty() && beside.is_empty(), "{}\nmissing {missing:#?}\nbeside {beside:#?}", dir.display());
}

#[test]
fn every_case() {
    let mut cases: Vec<_> =
        fs::read_dir(root().join("tests/cases")).expect("cases").flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        assert!(case.join("README.md").is_file(), "{} says what it is about", case.display());
        play(&case);
    }
}

#[test]
fn every_scenario_has_its_case() {
    for scenario in &SCENARIOS {
        let case = root().join(format!("tests/cases/{}/case.toml", scenario.name));
        let text = fs::read_to_string(&case).expect("a case folder of the same name");
        assert!(text.contains(&format!("input = \"{}\"", scenario.name)), "{}", case.display());
    }
}
