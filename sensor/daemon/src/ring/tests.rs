//! A ring thread under a slow hub, under overload, and at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ringfence_core::decode::Frame;
use ringfence_core::evidence::Evidence;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Grain, Shedding, Worker};

use super::*;
use crate::capture::{CaptureError, Source, Step};
use crate::clock::now;
use crate::rules_store::RulesStore;

/// Asks for a name that a rule knows, over and over, each time from another address. Stamps are as old as `age`.
struct Asking {
    left: u32,
    age: Duration,
    frame: Vec<u8>,
    done: Arc<AtomicBool>,
}

impl Asking {
    fn new(left: u32, age: Duration) -> Asking {
        Asking { left, age, frame: Vec::new(), done: Arc::default() }
    }
}

/// Ethernet, IPv4, UDP to port 53, a question for `long.weixin.qq.com`.
fn question(client: u32) -> Vec<u8> {
    let mut dns = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["long", "weixin", "qq", "com"] {
        dns.push(label.len() as u8);
        dns.extend_from_slice(label.as_bytes());
    }
    dns.extend([0, 0, 1, 0, 1]);
    let udp_len = (8 + dns.len()) as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend((20 + udp_len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10]);
    frame.extend(&client.to_be_bytes()[1..]);
    frame.extend([192, 0, 2, 53, 0xc0, 0, 0, 53]);
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(dns);
    frame
}

impl Source for Asking {
    fn next(&mut self) -> Result<Step<'_>, CaptureError> {
        if self.left == 0 {
            self.done.store(true, Ordering::Release);
            return Ok(Step::End);
        }
        self.left -= 1;
        self.frame = question(self.left);
        let (ts, wire_len) = (now().before(self.age), self.frame.len() as u32);
        Ok(Step::Frame(Frame { ts, link_type: 1, interface: 0, bytes: &self.frame, wire_len, vlan: None }))
    }
}

fn run(source: &mut Asking, capacity: usize) -> (RingView, Vec<Evidence>) {
    let set = RulesStore::load(None).expect("shipped rules").set;
    let orders = Orders::new(Arc::clone(&set), Grain::default());
    let (published, done) = (Published::default(), Arc::clone(&source.done));
    let (hub, batches) = sync_channel(capacity);
    std::thread::scope(|scope| {
        let ring = scope.spawn(|| live(source, Worker::new(0, set, 0), &orders, &published, &hub));
        // A hub that only listens once the ring has nothing else to do.
        while capacity == 1 && !done.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let mut taken = Vec::new();
        while !ring.is_finished() {
            taken.extend(batches.recv_timeout(Duration::from_millis(5)).into_iter().flat_map(|b| b.evidence));
        }
        taken.extend(batches.try_iter().flat_map(|b| b.evidence));
        assert!(ring.join().expect("ends").is_empty());
        (published.view(), taken)
    })
}

fn signs(evidence: &[Evidence]) -> usize {
    evidence.iter().filter(|e| matches!(e, Evidence::Sign(_))).count()
}

#[test]
fn a_slow_hub_loses_no_sign() {
    let (view, taken) = run(&mut Asking::new(5_000, Duration::ZERO), 1);
    assert_eq!((view.tally.frames, view.evidence_lost, signs(&taken)), (5_000, 0, 5_000));
    assert!(view.ended);
}

#[test]
fn beyond_the_backlog_what_is_lost_is_counted() {
    let (view, taken) = run(&mut Asking::new(68_000, Duration::ZERO), 1);
    assert_eq!(view.tally.frames, 68_000);
    assert!(signs(&taken) as u64 + view.evidence_lost >= 68_000, "{} and {}", signs(&taken), view.evidence_lost);
}

#[test]
fn late_frames_make_it_shed_and_names_are_kept() {
    let mut source = Asking::new(12_000, Duration::from_secs(30));
    let (view, taken) = run(&mut source, 4_096);
    assert!(view.shedding > Shedding::Nothing);
    assert_eq!(signs(&taken), 12_000, "questions for names are never given up");
    assert_eq!(view.tally.span().map(|(first, _)| first > Timestamp::ZERO), Some(true));
}
