//! The fuzzer's corpora, replayed: every seed and every input that once broke something, through the same functions; and each
//! seed again, damaged.

use std::collections::BTreeSet;
use std::fs;

use ringfence_tests::prng::Prng;
use ringfence_tests::{mutate, root, seeds};

type Target = fn(&[u8]);

/// Every entry point of both crates.
fn targets() -> Vec<(&'static str, Target)> {
    ringfence_core::fuzz::TARGETS.iter().chain(ringfence::fuzz::TARGETS).copied().collect()
}

/// The inputs of a target: seeds (`made-...`) and found ones.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = root().join("fuzz/corpus").join(target);
    let mut found: Vec<_> = fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("readable input")))
        .collect();
    found.sort();
    found
}

#[test]
fn every_input_of_every_corpus() {
    for (name, target) in targets() {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        inputs.iter().for_each(|(_, bytes)| target(bytes));
    }
}

#[test]
fn seeds_damaged() {
    let mut prng = Prng::new(13);
    for (name, target) in targets() {
        for (_, bytes) in corpus(name) {
            for _ in 0..12 {
                target(&mutate::bytes(&bytes, &mut prng));
            }
        }
    }
}

/// The committed seeds are those that the generators make now.
#[test]
fn seeds_are_current() {
    let made: BTreeSet<(String, String)> = seeds::all()
        .into_iter()
        .map(|seed| {
            let path = root().join(format!("fuzz/corpus/{}/made-{}", seed.target, seed.name));
            let same = fs::read(&path).is_ok_and(|bytes| bytes == seed.bytes);
            assert!(same, "{} is stale: cargo run -p ringfence-tests --bin seeds -- fuzz/corpus", path.display());
            (seed.target.to_string(), format!("made-{}", seed.name))
        })
        .collect();
    for (name, _) in targets() {
        for (file, _) in corpus(name).into_iter().filter(|(file, _)| file.starts_with("made-")) {
            assert!(made.contains(&(name.to_string(), file.clone())), "{name}/{file} is made by nobody");
        }
    }
}

/// Each entry point has its door, its line in the manifest, and its place in the script.
#[test]
fn every_target_can_be_run() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("manifest");
    let script = fs::read_to_string(root().join("fuzz/run")).expect("script");
    for (name, _) in targets() {
        let door = fs::read_to_string(root().join(format!("fuzz/targets/{name}.rs"))).expect("a door");
        assert!(door.contains(&format!("fuzz::{name}(data)")) && manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(script.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name), "{name} is not in fuzz/run");
    }
}
