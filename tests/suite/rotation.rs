//! A capture that was cut into files is one capture, in whatever order the files are named.

use std::fs;
use std::path::Path;

use ringfence_tests::sensor::{Json, run};
use ringfence_tests::{office, root};

/// Cuts a pcap file (little endian, as our generator writes it) into so many.
fn cut(whole: &Path, dir: &Path, count: usize) -> Vec<String> {
    let bytes = fs::read(whole).expect("a capture");
    let (header, mut rest) = bytes.split_at(24);
    let mut records = Vec::new();
    while rest.len() > 16 {
        let length = u32::from_le_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize;
        let (record, after) = rest.split_at(16 + length);
        records.push(record);
        rest = after;
    }
    let parts = records.chunks(records.len().div_ceil(count)).enumerate().map(|(n, part)| {
        let path = dir.join(format!("part{n}"));
        fs::write(&path, [header, &part.concat()].concat()).expect("written");
        path.to_string_lossy().into_owned()
    });
    parts.collect()
}

fn findings(files: &[String]) -> Vec<Json> {
    let config = root().join("deploy/config/ringfence.toml").to_string_lossy().into_owned();
    let args: Vec<&str> = ["scan", "-o", "json", "--flows", "-c", &config].into_iter().chain(files.iter().map(String::as_str)).collect();
    let done = run(&args);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let lines = done.stdout.lines().map(|l| serde_json::from_str::<Json>(l).expect("JSON"));
    lines.filter(|l| l["type"] != "summary").collect()
}

#[test]
fn parts_in_any_order_say_what_the_whole_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = dir.path().join("whole.pcap");
    office::write(&whole).expect("written");
    let expected = findings(&[whole.to_string_lossy().into_owned()]);
    for count in [2, 12] {
        let mut parts = cut(&whole, dir.path(), count);
        assert_eq!(findings(&parts), expected, "{count} parts");
        // As a shell sorts them, and backwards.
        parts.sort();
        assert_eq!(findings(&parts), expected, "{count} parts, sorted by name");
        parts.reverse();
        assert_eq!(findings(&parts), expected, "{count} parts, backwards");
    }
}

#[test]
fn what_was_not_read_is_in_the_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = dir.path().join("whole.pcap");
    office::write(&whole).expect("written");
    let bytes = fs::read(&whole).expect("read");
    let short = dir.path().join("short.pcap").to_string_lossy().into_owned();
    fs::write(&short, &bytes[..bytes.len() / 2]).expect("written");
    let human = run(&["scan", &short]);
    assert!(human.stdout.contains("not read  ") && human.stdout.contains("short.pcap"), "{}", human.stdout);
    let missing = dir.path().join("missing").to_string_lossy().into_owned();
    for file in [short, missing] {
        let lines = run(&["scan", "-o", "json", &file]).stdout;
        let summary: Json = serde_json::from_str(lines.lines().last().expect("a summary")).expect("JSON");
        assert_eq!(summary["unread"].as_array().map(Vec::len), Some(1), "{summary}");
    }
}
