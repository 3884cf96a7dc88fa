//! What a packet costs, in instructions: the same on a busy machine. A guard against accidents, and against whoever wants to be dear.

use std::path::{Path, PathBuf};
use std::process::Command;

use ringfence_tests::corpus::attacks::{self, Attack};
use ringfence_tests::corpus::{Corpus, write, write_flows};
use ringfence_tests::sensor::binary;

/// No packet of an attack may cost more, in ordinary ones.
const ATTACK_MAX: u64 = 50;

/// Instructions of a debug build for a segment of a stream that nobody reads; far below what a look at its bytes would cost. Measured 6,300.
const SEGMENT_MAX: u64 = 15_000;

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

/// What flows may cost that were chosen to meet under some keys, in hundredths of such that were chosen for others. With the keys of
/// the one lot an index has seven hundred steps for each of its packets.
const MEETING_MAX: u64 = 130;

/// Instructions of a scan.
fn instructions(path: &Path, rules: Option<&Path>) -> u64 {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary())
        .args(["scan", "-o", "json"])
        .args(rules.into_iter().flat_map(|dir| [Path::new("--rules"), dir]))
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
    rules: Option<PathBuf>,
    start: u64,
}

impl Scale {
    fn new() -> Self {
        Scale::with_rules("")
    }

    /// With a site's rule file, unless that is empty.
    fn with_rules(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let rules = dir.path().join("rules");
        std::fs::create_dir(&rules).expect("a folder");
        std::fs::write(rules.join("site.toml"), text).expect("written");
        let mut scale = Scale { rules: (!text.is_empty()).then_some(rules), dir, start: 0 };
        let mut one = Vec::new();
        write(Corpus::Flood, 1, &mut one).expect("memory");
        scale.start = scale.all(&one);
        scale
    }

    fn all(&self, capture: &[u8]) -> u64 {
        let path = self.dir.path().join("input.pcap");
        std::fs::write(&path, capture).expect("written");
        instructions(&path, self.rules.as_deref())
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
    let cost = |attack: &Attack| match &attack.rules[..] {
        "" => scale.packet(&attack.capture),
        rules => Scale::with_rules(rules).packet(&attack.capture),
    };
    let costs: Vec<_> = attacks::all().iter().map(|attack| (attack.name, cost(attack))).collect();
    let times: Vec<String> = costs.iter().map(|(name, cost)| format!("{name}: {:.1}", *cost as f64 / ordinary as f64)).collect();
    eprintln!("ordinary: {ordinary} instructions; in ordinary packets: {}", times.join("; "));
    let dear: Vec<_> = costs.iter().filter(|(_, cost)| *cost > ATTACK_MAX * ordinary).collect();
    assert!(dear.is_empty(), "instructions per packet, where an ordinary one has {ordinary}: {dear:?}");
}

/// Flows that were chosen for keys that somebody guessed meet nowhere under the keys of this run.
#[test]
fn flows_chosen_to_meet_cost_as_much_as_others() {
    let scale = Scale::new();
    let [one, other] = attacks::guessed_keys().map(|capture| scale.packet(&capture));
    eprintln!("flows chosen to meet: {one}, {other}");
    assert!(one.max(other) * 100 <= one.min(other) * MEETING_MAX, "instructions for a packet: {one} and {other}");
}

#[test]
fn a_segment_that_nobody_reads_costs_little() {
    let mut streams = Vec::new();
    write_flows(40, 4_000, &mut streams).expect("memory");
    let cost = Scale::new().packet(&streams);
    eprintln!("segment: {cost}");
    assert!(cost < SEGMENT_MAX, "{cost} instructions for a segment in mid-stream");
}
