//! What the built-in filter `handshakes` costs: the same captures scanned whole and filtered.

use std::collections::BTreeSet;
use std::path::Path;

use ringfence::capture::Filter;
use ringfence_tests::sensor::{self, Json};

use crate::shared;

/// A capture with what the filter lets through of another one; gives frames and bytes before and after.
fn filtered(from: &Path, to: &Path) -> [(u64, u64); 2] {
    let mut source = pcap::Capture::from_file(from).expect("a capture");
    let program = source.compile(&Filter::Handshakes.expression().expect("a filter"), true).expect("a filter");
    let mut file = source.savefile(to).expect("a new file");
    let mut counts = [(0, 0); 2];
    while let Ok(packet) = source.next_packet() {
        let passes = program.filter(packet.data);
        counts.iter_mut().take(if passes { 2 } else { 1 }).for_each(|(frames, bytes)| {
            *frames += 1;
            *bytes += u64::from(packet.header.len);
        });
        if passes {
            file.write(&packet);
        }
    }
    counts
}

/// What was found, and by which signs: `device app level`, then `device app indicator field value`.
fn found(lines: &[Json]) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = |value: &Json| value.as_str().unwrap_or("").to_string();
    let (mut findings, mut signs) = (BTreeSet::new(), BTreeSet::new());
    for finding in lines.iter().filter(|line| line["type"] == "finding") {
        let who = format!("{} {}", text(&finding["device"]["id"]), text(&finding["app"]));
        findings.insert(format!("{who} {}", text(&finding["level"])));
        let evidence = finding["evidence"].as_array().cloned().unwrap_or_default();
        signs.extend(evidence.iter().map(|e| format!("{who} {} {} {}", text(&e["indicator"]), text(&e["field"]), text(&e["value"]))));
    }
    (findings, signs)
}

/// Flows that a dissector recognised, of all.
fn dissected(lines: &[Json]) -> (u64, u64) {
    let whole = lines.iter().find(|line| line["type"] == "coverage").expect("a coverage line");
    (whole["flows_dissected"].as_u64().expect("a count"), whole["flows"].as_u64().expect("a count"))
}

/// Scans a capture whole and filtered, and says what the filter costs; gives the signs that were lost.
fn cost(capture: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let part = dir.path().join("part.pcap");
    let [(frames, bytes), (kept_frames, kept_bytes)] = filtered(capture, &part);
    let (whole, part) = (sensor::scan(&[], capture), sensor::scan(&[], &part));
    let ((findings, signs), (part_findings, part_signs)) = (found(&whole), found(&part));
    let share = |kept: u64, all: u64| 100.0 * kept as f64 / all.max(1) as f64;
    let name = capture.file_name().unwrap_or_default().to_string_lossy();
    let ((dissected, flows), (part_dissected, part_flows)) = (dissected(&whole), dissected(&part));
    eprintln!(
        "{name}: frames kept {:.1} %, bytes kept {:.1} %; flows {flows} -> {part_flows}, dissected {dissected} -> {part_dissected}; \
         findings {} -> {}, signs {} -> {}",
        share(kept_frames, frames),
        share(kept_bytes, bytes),
        findings.len(),
        part_findings.len(),
        signs.len(),
        part_signs.len(),
    );
    (findings.symmetric_difference(&part_findings).cloned().collect(), signs.symmetric_difference(&part_signs).cloned().collect())
}

#[test]
fn handshakes_keep_every_finding_of_the_real_captures() {
    let Some(captures) = shared::captures() else { return };
    for name in ["web-wechat", "synthetic-mmtls", "negative-oicq", "negative-1kxun", "negative-tencent_games"] {
        let (findings, signs) = cost(&captures.join(format!("wechat/{name}.pcap")));
        assert!(findings.is_empty(), "{name}: {findings:#?}");
        assert!(signs.is_empty(), "{name}: {signs:#?}");
    }
}

#[test]
fn handshakes_keep_every_finding_of_an_office() {
    let dir = tempfile::tempdir().expect("a folder");
    let office = dir.path().join("office.pcap");
    ringfence_tests::office::write(&office).expect("written");
    let (findings, signs) = cost(&office);
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(signs.is_empty(), "{signs:#?}");
}
