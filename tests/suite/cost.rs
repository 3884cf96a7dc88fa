//! What a packet costs, in instructions: the same on a busy machine. A guard against accidents, and against whoever wants to be dear.

use std::path::Path;
use std::process::Command;

use ringfence_tests::corpus::{Corpus, attacks, write, write_flows};
use ringfence_tests::sensor::binary;

/// No packet of an attack may cost more, in ordinary ones.
const ATTACK_MAX: u64 = 50;

/// Instructions of a debug build for a segment of a stream that nobody reads; far below what a look at its bytes would cost.
const SEGMENT_MAX: u64 = 40_000;

/// Instructions of a debug build for one packet of handshakes, hellos and the answer included; measured 58,000.
const ORDINARY_MAX: u64 = 120_000;

/// Frames of a capture: every record has a header of 16 bytes with its length.
fn frames(capture: &[u8]) -> u64 {
    let (mut at, mut count) = (24, 0);
    while let Some(length) = capture.get(at + 8..at + 12) {
        at += 16 + u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
        count += 1;
    }
    count
}

/// Instructions of a scan.
fn instructions(path: &Path) -> u64 {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary())
        .args(["scan", "-o", "json"])
        .arg(path)
        .output()
        .expect("valgrind is installed");
    let words = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words}");
    let count = words.lines().find_map(|l| l.split_once("Collected :")).map(|(_, n)| n.trim().parse());
    count.and_then(Result::ok).unwrap_or_else(|| panic!("callgrind counted nothing: {words}"))
}

/// What starting costs, and a way to measure the packets of captures beside it.
struct Scale {
    dir: tempfile::TempDir,
    start: u64,
}

impl Scale {
    fn new() -> Self {
        let mut scale = Scale { dir: tempfile::tempdir().expect("a folder"), start: 0 };
        let mut one = Vec::new();
        write(Corpus::Flood, 1, &mut one).expect("memory");
        scale.start = scale.all(&one);
        scale
    }

    fn all(&self, capture: &[u8]) -> u64 {
        let path = self.dir.path().join("input.pcap");
        std::fs::write(&path, capture).expect("written");
        instructions(&path)
    }

    /// Instructions for each packet.
    fn packet(&self, capture: &[u8]) -> u64 {
        self.all(capture).saturating_sub(self.start) / frames(capture)
    }
}

#[test]
fn no_attack_makes_a_packet_dear() {
    let scale = Scale::new();
    let ordinary = scale.packet(&attacks::ordinary());
    assert!(ordinary < ORDINARY_MAX, "{ordinary} instructions for an ordinary packet");
    let costs: Vec<_> = attacks::all().into_iter().map(|(name, capture)| (name, scale.packet(&capture))).collect();
    eprintln!("ordinary: {ordinary}; {costs:?}");
    let dear: Vec<_> = costs.iter().filter(|(_, cost)| *cost > ATTACK_MAX * ordinary).collect();
    assert!(dear.is_empty(), "instructions per packet, where an ordinary one has {ordinary}: {dear:?}");
}

#[test]
fn a_segment_that_nobody_reads_costs_little() {
    let mut streams = Vec::new();
    write_flows(40, 4_000, &mut streams).expect("memory");
    let cost = Scale::new().packet(&streams);
    eprintln!("segment: {cost}");
    assert!(cost < SEGMENT_MAX, "{cost} instructions for a segment in mid-stream");
}
