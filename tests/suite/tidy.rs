//! The house rules, kept by a test: who may enter which room, how long a file may get, what no source may say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringfence_tests::root;

/// Modules of the core, and what they must not import.
const WALLS: &[(&str, &[&str])] = &[
    ("time.rs", &["crate::"]),
    ("limits.rs", &["crate::"]),
    ("assembler.rs", &["crate::"]),
    ("net.rs", &["crate::"]),
    ("field.rs", &["crate::"]),
    ("fold.rs", &["crate::"]),
    ("expiring_map.rs", &["crate::net", "crate::decode", "crate::flow", "crate::dissect", "crate::rules", "crate::policy"]),
    ("decode", &["crate::flow", "crate::dissect", "crate::rules", "crate::policy", "crate::identity", "crate::worker", "crate::correlate"]),
    ("flow", &["crate::dissect", "crate::rules", "crate::policy", "crate::identity", "crate::worker", "crate::correlate"]),
    ("dissect", &["crate::flow", "crate::decode", "crate::rules", "crate::policy", "crate::identity", "crate::worker", "crate::correlate"]),
    ("rules", &["crate::dissect", "crate::flow", "crate::decode", "crate::policy", "crate::identity", "crate::worker", "crate::correlate"]),
    ("identity", &["crate::decode", "crate::flow", "crate::dissect", "crate::worker", "crate::correlate"]),
    ("policy", &["crate::decode", "crate::flow", "crate::dissect", "crate::worker", "crate::correlate"]),
    ("worker", &["crate::policy", "crate::identity", "crate::correlate", "crate::finding"]),
    ("correlate", &["crate::decode", "crate::flow::", "crate::dissect"]),
];

/// Rooms of the shell, and what they must not import.
const SHELL_WALLS: &[(&str, &[&str])] = &[
    ("capture", &["crate::state", "crate::output", "crate::hub", "crate::http", "crate::store", "crate::metrics", "crate::ring"]),
    ("ring", &["crate::state", "crate::output", "crate::hub", "crate::http", "crate::store", "crate::metrics"]),
    ("output", &["crate::state", "crate::hub", "crate::http", "crate::store", "crate::metrics", "crate::capture", "crate::ring"]),
    ("http", &["crate::hub", "crate::store", "crate::capture", "crate::ring"]),
    ("deliver", &["crate::state", "crate::hub", "crate::http", "crate::metrics", "crate::capture", "crate::ring"]),
    ("metrics", &["crate::hub", "crate::http", "crate::store", "crate::capture", "crate::ring"]),
    ("state.rs", &["crate::hub", "crate::http", "crate::store", "crate::capture", "crate::ring", "crate::output", "crate::config"]),
    ("waivers.rs", &["crate::hub", "crate::http", "crate::store", "crate::state", "crate::clock"]),
    ("audit", &["crate::state", "crate::hub", "crate::http", "crate::store", "crate::capture", "crate::ring", "crate::output"]),
    ("store", &["crate::state", "crate::hub", "crate::http", "crate::capture", "crate::ring", "crate::output", "crate::deliver"]),
];

/// The one file that may hold `unsafe`.
const UNSAFE: &str = "sensor/daemon/src/capture/live/socket.rs";

/// What the pure core must never touch.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    "TcpStream",
    "UdpSocket",
    "tokio",
    "println!",
    "eprintln!",
    "pcap::",
];

/// What the packet path must not do outside tests.
const PANICS: &[&str] = &[".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Files that are compiled for tests only: their `mod` line stands behind `#[cfg(test)]`.
fn test_files(all: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for path in all {
        let text = fs::read_to_string(path).expect("readable source");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|w| w[0] == "#[cfg(test)]") {
            let Some(name) = pair[1].strip_suffix(';').and_then(|l| l.rsplit("mod ").next()) else { continue };
            let stem = path.file_stem().unwrap_or_default();
            let dir = if stem == "mod" || stem == "lib" { path.with_file_name("") } else { path.with_extension("") };
            found.insert(dir.join(format!("{name}.rs")));
        }
    }
    found
}

/// The code of each file without its tests and comments.
fn product_code(dir: &Path) -> Vec<(PathBuf, String)> {
    let all = sources(dir);
    let tests = test_files(&all);
    let code = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("readable source");
        let lines: Vec<&str> = text.lines().collect();
        let end = lines.windows(2).position(|w| w[0].trim() == "#[cfg(test)]" && w[1].trim_end().ends_with('{')).unwrap_or(lines.len());
        let code = lines[..end].iter().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
        (path, code)
    };
    let below_tests = |p: &PathBuf| p.parent().is_some_and(|d| tests.contains(&d.with_extension("rs")));
    all.into_iter().filter(|p| !tests.contains(p) && !below_tests(p)).map(code).collect()
}

fn belongs(path: &Path, core: &Path, module: &str) -> bool {
    let inside = path.strip_prefix(core).expect("below the core");
    let stem = module.trim_end_matches(".rs");
    inside.starts_with(stem) || inside == Path::new(&format!("{stem}.rs"))
}

#[test]
fn nobody_enters_a_room_that_is_not_theirs() {
    let mut broken = Vec::new();
    for (house, walls) in [("sensor/core/src", WALLS), ("sensor/daemon/src", SHELL_WALLS)] {
        let house = root().join(house);
        for (path, code) in product_code(&house) {
            for (_, forbidden) in walls.iter().filter(|(module, _)| belongs(&path, &house, module)) {
                let crossed = forbidden.iter().filter(|f| code.contains(**f));
                broken.extend(crossed.map(|f| format!("{} imports {f}", path.display())));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn unsafe_code_has_one_place() {
    let root = root();
    let allows: Vec<PathBuf> =
        product_code(&root.join("sensor")).into_iter().filter(|(_, code)| code.contains("unsafe")).map(|(path, _)| path).collect();
    let known = [root.join(UNSAFE), root.join("sensor/core/src/lib.rs")];
    assert!(allows.iter().all(|p| known.contains(p)), "{allows:#?}");
    let core = fs::read_to_string(root.join("sensor/core/src/lib.rs")).expect("readable");
    assert!(core.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn the_core_stays_pure() {
    let mut broken = Vec::new();
    for (path, code) in product_code(&root().join("sensor/core/src")) {
        broken.extend(OUTSIDE.iter().filter(|f| code.contains(**f)).map(|f| format!("{} touches {f}", path.display())));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_packet_path_has_no_panics() {
    let core = root().join("sensor/core/src");
    let mut broken = Vec::new();
    for room in ["decode", "flow", "dissect", "worker"] {
        for (path, code) in product_code(&core.join(room)) {
            broken.extend(PANICS.iter().filter(|f| code.contains(**f)).map(|f| format!("{} has {f}", path.display())));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn files_stay_short() {
    let root = root();
    let all = ["sensor", "tests"].iter().flat_map(|d| sources(&root.join(d)));
    let long: Vec<String> = all
        .map(|p| (fs::read_to_string(&p).expect("readable").lines().count(), p))
        .filter(|(n, _)| *n > 1_000)
        .map(|(n, p)| format!("{n} lines: {}", p.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<PathBuf> =
        sources(&root().join("sensor")).into_iter().filter(|p| !fs::read_to_string(p).expect("readable").starts_with("//!")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// An app is a rule file: no product code knows the name of the last one that was added.
#[test]
fn an_app_is_a_rule_file() {
    let names = ["tiktok", "douyin", "bytedance"];
    for (path, code) in product_code(&root().join("sensor")) {
        let lower = code.to_lowercase();
        assert!(names.iter().all(|n| !lower.contains(n)), "{}", path.display());
    }
}

/// What tells that a bound was hit: a limit, a blind spot, or why nothing is lost.
const COUNTERS: &[(&str, &str)] = &[
    ("DECODE_DEPTH_MAX", "Limit::DecodeDepth"),
    ("STREAM_BYTES_MAX", "Limit::StreamBytes"),
    ("STREAM_RANGES_MAX", "Limit::StreamRanges"),
    ("STREAMS_BYTES_MAX", "Limit::StreamsTotal"),
    ("FLOWS_MAX", "Limit::Flows"),
    ("LONE_FLOWS_MAX", "a lone packet is counted as a flow"),
    ("SETTLED_FLOWS_MAX", "a flow that goes on is another flow"),
    ("FLOW_IDLE", "a flow that goes on is another flow"),
    ("UNDECIDED_IDLE", "bytes that nobody recognised"),
    ("PROBE_SEGMENTS_MAX", "bytes that nobody recognised"),
    ("PREAMBLE_BYTES_MAX", "Limit::Preamble"),
    ("TLS_HELLO_MAX", "Limit::TlsHello"),
    ("QUIC_CRYPTO_MAX", "Limit::QuicCrypto"),
    ("QUIC_RANGES_MAX", "Limit::QuicCrypto"),
    ("QUIC_INITIALS_MAX", "Limit::QuicInitials"),
    ("DNS_RECORDS_MAX", "Limit::DnsRecords"),
    ("INFLATE_MAX", "Limit::Inflate"),
    ("HTTP_HEAD_MAX", "Limit::HttpHead"),
    ("FRAGMENTS_MAX", "Limit::Fragments"),
    ("FRAGMENTS_BYTES_MAX", "Limit::Fragments"),
    ("FRAGMENT_IDLE", "Blind::FragmentLost"),
    ("LEARNED_MAX", "Limit::Learned"),
    ("SEGMENTS_DERIVED_MAX", "Limit::Segments"),
    ("PLACES_MAX", "Limit::Places"),
    ("DEVICES_MAX", "Limit::Devices"),
    ("SIGHTINGS_MAX", "Limit::Devices"),
    ("FLOWS_KEPT_MAX", "Limit::FlowsKept"),
    ("FINDINGS_MAX", "Limit::Findings"),
];

/// Every bound has its reason beside it, is used, and is counted under a name that the outputs print.
#[test]
fn every_limit_has_a_reason_a_counter_and_a_place() {
    let core = root().join("sensor/core/src");
    let text = fs::read_to_string(core.join("limits.rs")).expect("limits");
    let code = product_code(&core);
    let used = |word: &str| code.iter().any(|(path, code)| !path.ends_with("limits.rs") && code.contains(word));
    let lines: Vec<&str> = text.lines().collect();
    let mut bounds = 0;
    for (i, line) in lines.iter().enumerate() {
        let Some(name) = line.strip_prefix("pub const ").and_then(|l| l.split(':').next()) else { continue };
        let reason: String = lines[..i].iter().rev().take_while(|l| l.starts_with("///")).copied().collect();
        assert!(reason.len() > 70, "{name} has no reason");
        let counter = COUNTERS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} has no counter")).1;
        assert!(used(name), "{name} is used nowhere");
        assert!(!counter.contains("::") || used(counter), "{counter} is counted nowhere");
        bounds += 1;
    }
    assert_eq!(bounds, COUNTERS.len(), "a counter without a bound");
    for limit in ringfence_core::limits::Limit::ALL {
        assert!(used(&format!("Limit::{limit:?}")) && limit.about().len() > 20, "{limit:?} is counted nowhere");
    }
    let output = fs::read_to_string(root().join("sensor/daemon/src/output/json.rs")).expect("output");
    assert!(output.contains("Limit::ALL.iter()") && output.contains("Blind::ALL.iter()"), "the outputs print every one");
}
