//! Judged step by step, with flows let go of, over a restart: the findings are those of one report at the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringfence::capture::{Files, Options, Source, Step};
use ringfence::config::{Config, apps_of};
use ringfence::rules_store::RulesStore;
use ringfence_core::correlate::Correlator;
use ringfence_core::evidence::Evidence;
use ringfence_core::finding::Finding;
use ringfence_core::identity::Identity;
use ringfence_core::ledger::{Event, Ledger, Stage};
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Output, Worker};
use ringfence_tests::{office, root};

const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

struct Inbox(Vec<Evidence>);

impl Output for Inbox {
    fn evidence(&mut self, evidence: Evidence) {
        self.0.push(evidence);
    }
}

/// A worker and a correlator under the example configuration.
struct Pair {
    worker: Worker,
    correlator: Correlator,
}

impl Pair {
    fn new(index: u16) -> Pair {
        let rules = RulesStore::load(None);
        let config = Config::load(&root().join("deploy/config/ringfence.toml"), &apps_of(&rules)).expect("right");
        let mut set = (*rules.expect("right").set).clone();
        set.add_work_services(&config.policy.work_names);
        let set = Arc::new(set);
        let identity = Identity::new(config.register());
        let correlator = Correlator::new(Arc::clone(&set), config.policy, identity, Vec::new());
        Pair { worker: Worker::new(index, set, 0), correlator }
    }

    /// Hands over what there is, as the hub does: watch lists go back to the worker.
    fn exchange(&mut self, inbox: &mut Inbox) {
        loop {
            inbox.0.drain(..).for_each(|e| self.correlator.take(e));
            let Some(watch) = self.correlator.watch_update() else { return };
            self.worker.watch(watch, inbox);
        }
    }
}

/// What two ways of counting must agree on.
fn essence(f: &Finding) -> String {
    let lines: BTreeMap<_, _> = f.evidence.iter().map(|l| ((&l.indicator, l.field, &l.value, l.kind), l.count)).collect();
    format!(
        "{} {} {} {:?} {:?} {:?} flows {} bytes {}/{} instances {} {:?} {:?} {} {} {lines:?}",
        f.id,
        f.device.key,
        f.app,
        f.surface,
        f.level,
        f.verdict,
        f.flows,
        f.bytes_up,
        f.bytes_down,
        f.instances,
        f.classes,
        f.regions,
        f.first_seen,
        f.last_seen
    )
}

fn of_ledger(ledger: &Ledger) -> Vec<String> {
    let mut all: Vec<String> = ledger.iter().filter(|t| t.stage != Stage::Superseded).map(|t| essence(&t.finding)).collect();
    all.sort();
    all
}

fn of_findings(findings: &[Finding]) -> Vec<String> {
    let mut all: Vec<String> = findings.iter().map(essence).collect();
    all.sort();
    all
}

/// Frames of a capture, one call each; `step` is called after every frame with its number and time.
fn play(capture: &Path, pair: &mut Pair, mut step: impl FnMut(&mut Pair, &mut Inbox, u64, Timestamp)) {
    let mut files = Files::new(vec![capture.to_string_lossy().into_owned()], Options::default());
    let mut inbox = Inbox(Vec::new());
    pair.exchange(&mut inbox);
    let mut count = 0;
    loop {
        let at = match files.next().expect("a good capture") {
            Step::Frame(frame) => {
                pair.worker.frame(&frame, &mut inbox);
                frame.ts
            }
            Step::Idle(_) => continue,
            Step::End => break,
        };
        pair.exchange(&mut inbox);
        count += 1;
        step(pair, &mut inbox, count, at);
    }
    pair.worker.finish(&mut inbox);
    pair.exchange(&mut inbox);
}

/// Only what differs, so that a failure can be read.
fn assert_same(found: &[String], expect: &[String], how: &str) {
    let only = |a: &[String], b: &[String]| a.iter().filter(|f| !b.contains(f)).cloned().collect::<Vec<_>>();
    let (more, less) = (only(found, expect), only(expect, found));
    assert!(more.is_empty() && less.is_empty(), "{how}\nfound {more:#?}\nexpected {less:#?}");
}

fn office_capture() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("office.pcap");
    office::write(&path).expect("written");
    (dir, path)
}

fn at_once(capture: &Path) -> Vec<String> {
    let mut pair = Pair::new(0);
    play(capture, &mut pair, |_, _, _, _| {});
    of_findings(&pair.correlator.report().findings)
}

/// Plays with a judgement every `every` frames, letting go of flows that ended more than `window` ago.
fn step_by_step(capture: &Path, every: u64, window: Duration) -> (Ledger, BTreeMap<Event, usize>) {
    let (mut ledger, mut events, mut last) = (Ledger::default(), BTreeMap::<Event, usize>::new(), Timestamp::ZERO);
    let mut pair = Pair::new(0);
    play(capture, &mut pair, |pair, _, count, at| {
        last = last.max(at);
        if count % every == 0 {
            let report = pair.correlator.changes();
            ledger.state(last, report.findings, &report.withdrawn).into_iter().for_each(|(e, _)| *events.entry(e).or_default() += 1);
            pair.correlator.retire(last, window);
        }
    });
    let report = pair.correlator.report();
    ledger.state(last, report.findings, &report.withdrawn).into_iter().for_each(|(e, _)| *events.entry(e).or_default() += 1);
    (ledger, events)
}

#[test]
fn step_by_step_ends_where_one_report_ends() {
    let (_dir, capture) = office_capture();
    let expect = at_once(&capture);
    assert!(expect.len() > 10, "the office has findings");
    for every in [97, 1_000] {
        let (ledger, events) = step_by_step(&capture, every, FOREVER);
        assert_same(&of_ledger(&ledger), &expect, &format!("every {every} frames"));
        assert_eq!(events.get(&Event::Reopened), None);
    }
}

#[test]
fn flows_that_are_let_go_of_leave_their_sums() {
    let (_dir, capture) = office_capture();
    let expect = at_once(&capture);
    for minutes in [90, 40, 20] {
        let (ledger, _) = step_by_step(&capture, 500, Duration::from_secs(minutes * 60));
        assert_same(&of_ledger(&ledger), &expect, &format!("a window of {minutes} minutes"));
    }
}

#[test]
fn a_restart_loses_no_finding_and_makes_none_up() {
    let (_dir, capture) = office_capture();
    let mut whole = Pair::new(0);
    play(&capture, &mut whole, |_, _, _, _| {});
    let expect: BTreeMap<String, Finding> = whole.correlator.report().findings.into_iter().map(|f| (f.id.clone(), f)).collect();
    for cut in [700, 2_500, 5_000] {
        let mut ledger = Ledger::default();
        let mut pair = Pair::new(0);
        play(&capture, &mut pair, |pair, inbox, count, at| {
            if count == cut {
                let report = pair.correlator.changes();
                ledger.state(at, report.findings, &report.withdrawn);
                let kept: Vec<_> = ledger.iter().filter(|t| t.stage == Stage::Open).cloned().collect();
                // What a new process has: findings, and nothing else.
                *pair = Pair::new(1);
                pair.correlator.restore(kept.iter().map(|t| t.finding.clone()));
                ledger = Ledger::restore(kept);
                pair.exchange(inbox);
            }
        });
        let report = pair.correlator.report();
        ledger.state(Timestamp::MAX, report.findings, &report.withdrawn);
        let found: BTreeMap<&str, &Finding> =
            ledger.iter().filter(|t| t.stage == Stage::Open).map(|t| (&*t.finding.id, &t.finding)).collect();
        for (id, whole) in &expect {
            let Some(found) = found.get(&**id) else { panic!("cut at {cut}: lost {}", essence(whole)) };
            assert_eq!(found.first_seen, whole.first_seen, "{}", essence(whole));
            // The tail of a flow whose signs were read before the restart has no sign of its own.
            assert!(found.last_seen <= whole.last_seen, "{}", essence(whole));
            assert!(found.level >= whole.level, "cut at {cut}: {} became {}", essence(whole), essence(found));
        }
    }
}
