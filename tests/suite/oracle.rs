//! Recall and precision of what `dissect` sees, against independent implementations: a floor that may not fall.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use ring::digest::{SHA256, digest};
use ringfence_tests::sensor::{Json, dissect};

use crate::shared;

/// A flow and a value that was seen on it.
pub type Pair = (String, String);

/// Expected and found (flow, value) pairs of one transport and field.
#[derive(Debug, Default)]
struct Score {
    expected: usize,
    found: usize,
    extra: Vec<String>,
    missed: Vec<String>,
}

fn end(row: &Json, addr: &str, port: &str) -> String {
    let text = row[addr].as_str().unwrap_or("");
    let addr = text.parse::<IpAddr>().map_or_else(|_| text.to_string(), |a| a.to_string());
    // Some oracles write ports as text.
    let port = row[port].as_str().map_or_else(|| row[port].to_string(), str::to_string);
    format!("{addr}.{port}")
}

fn flow(row: &Json) -> String {
    let mut ends = [end(row, "src", "sport"), end(row, "dst", "dport")];
    ends.sort();
    ends.join("-")
}

fn value(row: &Json, field: &str) -> Option<String> {
    let text = match &row[field] {
        Json::String(s) => s.replace(',', ";"),
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(";"),
        _ => return None,
    };
    let text = text.trim().trim_end_matches('.').to_lowercase();
    (!text.is_empty()).then_some(text)
}

fn transport(row: &Json) -> String {
    let by_ja4 = match row["ja4"].as_str().and_then(|j| j.chars().next()) {
        Some('q') => "quic",
        Some('d') => "dtls",
        Some('t') => "tls",
        _ if row["proto"] == "udp" => "quic",
        _ => "tls",
    };
    row["tr"].as_str().unwrap_or(by_ja4).to_string()
}

/// The (flow, value) pairs of one kind of record, each with its transport.
pub fn pairs(rows: &[Json], kind: &str, field: &str) -> BTreeMap<Pair, String> {
    let of_kind = rows.iter().filter(|r| r["kind"].as_str().unwrap_or("ch") == kind);
    of_kind.filter_map(|r| Some(((flow(r), value(r, field)?), transport(r)))).collect()
}

/// Scores the captures of a list against an oracle.
fn score(captures: &Path, list: &str, oracle: &str, kind: &str, fields: &[&str]) -> BTreeMap<(String, String), Score> {
    let mut scores: BTreeMap<(String, String), Score> = BTreeMap::new();
    for (name, expected) in expectations(captures, list, oracle) {
        let seen = dissect(&captures.join(&name));
        for field in fields {
            compare(&name, field, &pairs(&expected, kind, field), &pairs(&seen, kind, field), &mut scores);
        }
    }
    scores
}

/// The captures of a list, each with the rows that an oracle has of it.
pub fn expectations(captures: &Path, list: &str, oracle: &str) -> Vec<(String, Vec<Json>)> {
    let mut by_hash: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    let oracle = captures.join(format!("oracle/{oracle}"));
    for file in std::fs::read_dir(&oracle).expect("oracle").flatten().filter(|f| f.path().extension().is_some_and(|e| e == "jsonl")) {
        for line in std::fs::read_to_string(file.path()).expect("oracle rows").lines() {
            let row: Json = serde_json::from_str(line).expect("JSON");
            by_hash.entry(row["sha256"].as_str().unwrap_or("").to_string()).or_default().push(row);
        }
    }
    let list = std::fs::read_to_string(captures.join(list)).expect("list");
    let names = list.lines().map(|l| l.split(['\t', ',']).next().unwrap_or("")).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let rows = |name: &str| {
        let bytes = std::fs::read(captures.join(name)).expect("capture");
        let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        (name.to_string(), by_hash.get(&hash).cloned().unwrap_or_default())
    };
    names.map(rows).collect()
}

fn compare(
    name: &str,
    field: &str,
    expected: &BTreeMap<Pair, String>,
    seen: &BTreeMap<Pair, String>,
    scores: &mut BTreeMap<(String, String), Score>,
) {
    for (pair, transport) in expected {
        let score = scores.entry((transport.clone(), field.to_string())).or_default();
        score.expected += 1;
        if seen.contains_key(pair) {
            score.found += 1;
        } else {
            score.missed.push(format!("{name}: {field} {pair:?}"));
        }
    }
    let flows: BTreeSet<&String> = expected.keys().map(|(flow, _)| flow).collect();
    for (pair, transport) in seen.iter().filter(|(p, _)| !expected.contains_key(*p)) {
        let known = if flows.contains(&pair.0) { "other value" } else { "flow without one" };
        scores.entry((transport.clone(), field.to_string())).or_default().extra.push(format!("{name}: {field} {pair:?} ({known})"));
    }
}

fn print(scores: &BTreeMap<(String, String), Score>) {
    for ((transport, field), s) in scores {
        println!("{transport:<5} {field:<5} {:>5} of {:>5} found, {} beside", s.found, s.expected, s.extra.len());
    }
}

#[test]
fn hellos_of_peers() {
    let Some(captures) = shared::captures() else { return };
    let scores = score(&captures, "hellos-peers.txt", "ref", "ch", &["sni", "ja3", "ja4", "alpn"]);
    print(&scores);
    let missed: Vec<_> = scores.values().flat_map(|s| &s.missed).collect();
    let extra: Vec<_> = scores.values().flat_map(|s| &s.extra).collect();
    assert!(scores.len() >= 10 && missed.is_empty() && extra.is_empty(), "missed {missed:#?}\nbeside {extra:#?}");
}

#[test]
fn hellos_in_every_carriage() {
    let Some(captures) = shared::captures() else { return };
    let scores = score(&captures, "hellos-reshaped.txt", "meta_shared", "ch", &["sni"]);
    print(&scores);
    let missed: Vec<_> = scores.values().flat_map(|s| &s.missed).collect();
    let extra: Vec<_> = scores.values().flat_map(|s| &s.extra).collect();
    assert!(scores.len() >= 2 && missed.is_empty() && extra.is_empty(), "missed {missed:#?}\nbeside {extra:#?}");
}
