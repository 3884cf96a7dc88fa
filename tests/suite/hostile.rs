//! Broken files and hostile streams: what must hold for each, and that nothing crashes, hangs or grows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ringfence_tests::sensor::{binary, dissect};

use crate::shared;

/// Address space for one run, in KiB: the binary, its thread stacks and libraries take about 40 MiB; 64 MiB are for the capture.
const ADDRESS_SPACE_KIB: u64 = 110 * 1024;

/// No capture here has more than 2.5 MiB; a debug build reads them in well under a second.
const TIME: Duration = Duration::from_secs(20);

/// Runs a command under the memory cap; panics, signals and hangs are failures.
fn survives(command: &str, path: &Path) -> i32 {
    let started = Instant::now();
    let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec timeout {} \"$@\"", TIME.as_secs());
    let done = Command::new("bash")
        .args(["-c", &script, "bash"])
        .arg(binary())
        .args([command, "-o", "json"])
        .arg(path)
        .output()
        .expect("bash runs");
    let status = done.status.code();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(matches!(status, Some(0 | 65 | 66)), "{command} {}: {status:?} {stderr}", path.display());
    assert!(started.elapsed() < TIME && !stderr.contains("panicked"), "{}: {stderr}", path.display());
    for line in String::from_utf8(done.stdout).expect("UTF-8").lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{}: {e}: {line}", path.display()));
    }
    status.unwrap_or(-1)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir).expect("readable folder").flatten().map(|e| e.path()).filter(|p| p.is_file()).collect();
    found.sort();
    found
}

fn names(path: &Path) -> Vec<String> {
    dissect(path).iter().filter_map(|r| r["sni"].as_str().or(r["name"].as_str()).map(str::to_string)).collect()
}

#[test]
fn made_captures_hold_what_their_list_says() {
    let Some(captures) = shared::captures() else { return };
    let dir = captures.join("hostile/made");
    let list = fs::read_to_string(dir.join("LIST.tsv")).expect("list");
    let mut wrong = Vec::new();
    for row in list.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let path = dir.join(cells[0]);
        survives("dissect", &path);
        survives("scan", &path);
        let wants = ["good.example", "weixin.qq.com"].into_iter().find(|n| cells[2].contains(n));
        if let Some(name) = wants.filter(|n| !names(&path).iter().any(|found| found == n)) {
            wrong.push(format!("{}: {name} is not reported", cells[0]));
        }
    }
    assert!(list.lines().count() > 70 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn grease_does_not_change_a_fingerprint() {
    let Some(captures) = shared::captures() else { return };
    let rows = dissect(&captures.join("hostile/made/t12_grease_everywhere.pcap"));
    let prints: std::collections::BTreeSet<&str> = rows.iter().filter_map(|r| r["ja4"].as_str()).collect();
    assert_eq!((rows.len(), prints.len()), (16, 1));
}

#[test]
fn what_once_crashed_others() {
    let Some(captures) = shared::captures() else { return };
    let all = files(&captures.join("hostile/tcpdump"));
    assert!(all.len() > 500);
    all.iter().for_each(|path| {
        survives("scan", path);
    });
}

/// Every capture that there is, as it is and damaged in seeded ways (cut, flipped, blocks swapped, runs repeated, lengths that lie), and
/// offices with damaged frames: under the memory cap, and with a cap on the bytes that dissectors are shown.
#[test]
fn damaged_in_every_way() {
    let Some(captures) = shared::captures() else { return };
    let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec timeout 500 \"$@\"");
    let dirs = ["hostile", "reshaped", "wechat", "peers"].map(|d| captures.join(d));
    let done =
        Command::new("bash").args(["-c", &script, "bash", env!("CARGO_BIN_EXE_hostile"), "2"]).args(dirs).output().expect("bash runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    println!("{text}");
    let runs: u64 = text.split(' ').nth(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    assert!(done.status.success() && runs > 2_000, "{:?}: {text}", done.status);
}
