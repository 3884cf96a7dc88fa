//! The short way of common packets says and counts what the general way does. An IP option of no meaning sends a packet the general way.

use std::sync::Arc;

use ringfence::capture::{FileSource, Options, Source, Step};
use ringfence::config::Config;
use ringfence::rules_store::RulesStore;
use ringfence_core::correlate::Correlator;
use ringfence_core::decode::{Frame, glance};
use ringfence_core::evidence::Evidence;
use ringfence_core::identity::Identity;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Output, Tally, Worker};
use ringfence_tests::corpus::{self, Corpus};
use ringfence_tests::scenarios::SCENARIOS;
use ringfence_tests::{office, root};

use crate::shared;

#[derive(Default)]
struct Inbox(Vec<Evidence>);

impl Output for Inbox {
    fn evidence(&mut self, evidence: Evidence) {
        self.0.push(evidence);
    }
}

/// What a worker and its correlator made of frames.
struct Answer {
    told: Vec<String>,
    tally: Tally,
    /// Frames that had a short way.
    short: u64,
}

/// The frame with an option of four octets that do nothing (RFC 791 section 3.1); `wire_len` stays.
fn with_option(bytes: &[u8]) -> Vec<u8> {
    let ip = if bytes[12..14] == [0x81, 0] { 18 } else { 14 };
    let (head, rest) = bytes.split_at(ip + 20);
    let mut longer = [head, &[1; 4], rest].concat();
    longer[ip] = 0x46;
    let total = u16::from_be_bytes([bytes[ip + 2], bytes[ip + 3]]);
    if total > 0 {
        longer[ip + 2..ip + 4].copy_from_slice(&total.saturating_add(4).to_be_bytes());
    }
    longer
}

/// Plays a capture; `general`: no packet goes the short way.
fn play(capture: Vec<u8>, general: bool) -> Answer {
    let rules = RulesStore::load(None).expect("shipped rules");
    let config = Config::load(&root().join("deploy/config/ringfence.toml"), &[]).unwrap_or_else(|e| panic!("{:?}", e.problems()));
    let register = config.register();
    let mut correlator = Correlator::new(Arc::clone(&rules.set), config.policy, Identity::new(register), Vec::new());
    let mut worker = Worker::new(0, Arc::clone(&rules.set), 0);
    worker.set_grain(correlator.grain());
    let (mut inbox, mut told, mut short) = (Inbox::default(), Vec::new(), 0);
    let mut source = FileSource::from_bytes("memory", capture, &Options::default()).expect("a capture");
    while let Ok(Step::Frame(frame)) = source.next() {
        let (length, wire_len) = (frame.bytes.len(), frame.wire_len as usize);
        // What the snap length cut is to stay cut, and a length has 16 bits.
        let fits = !(length + 1..=length + 4).contains(&wire_len) && frame.bytes.len() < 60_000;
        let simple = fits && glance(&frame).is_some();
        short += u64::from(simple);
        if general && simple {
            let bytes = with_option(frame.bytes);
            let frame = Frame { bytes: &bytes, ..frame };
            assert!(glance(&frame).is_none());
            worker.frame(&frame, &mut inbox);
        } else {
            worker.frame(&frame, &mut inbox);
        }
        exchange(&mut worker, &mut correlator, &mut inbox, &mut told);
    }
    worker.idle(Timestamp::ZERO, &mut inbox);
    worker.finish(&mut inbox);
    exchange(&mut worker, &mut correlator, &mut inbox, &mut told);
    Answer { told, tally: worker.tally().clone(), short }
}

fn exchange(worker: &mut Worker, correlator: &mut Correlator, inbox: &mut Inbox, told: &mut Vec<String>) {
    loop {
        for evidence in inbox.0.drain(..) {
            told.push(format!("{evidence:?}"));
            correlator.take(evidence);
        }
        let Some(watch) = correlator.watch_update() else { return };
        worker.watch(watch, inbox);
    }
}

/// Both ways; the number of packets that had a short way.
fn same(name: &str, capture: Vec<u8>) -> u64 {
    let [short, general] = [false, true].map(|general| play(capture.clone(), general));
    assert_eq!(short.told, general.told, "{name}");
    assert_eq!(short.tally, general.tally, "{name}");
    short.short
}

#[test]
fn made_traffic() {
    assert!(same("office", office::capture()) > 1_000);
    for scenario in SCENARIOS {
        same(scenario.name, scenario.capture());
    }
    for (name, corpus) in Corpus::WORDS {
        let mut capture = Vec::new();
        corpus::write(corpus, if corpus == Corpus::Flood { 60_000 } else { 2_000 }, &mut capture).expect("memory");
        same(name, capture);
    }
}

#[test]
fn real_captures() {
    let Some(dir) = shared::captures() else { return };
    let list = std::fs::read_to_string(dir.join("all.txt")).expect("a list");
    let mut short = 0;
    for name in list.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let bytes = std::fs::read(dir.join(name)).expect("readable");
        if bytes.len() < 4_000_000 && FileSource::from_bytes("memory", bytes.clone(), &Options::default()).is_ok() {
            short += same(name, bytes);
        }
    }
    assert!(short > 10_000, "{short}");
}
