//! A webhook whose far end misbehaves in every way: afterwards every event is there, and by id once.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use ringfence_core::ledger::Event;
use ringfence_tests::lab::wait_until;
use ringfence_tests::outputs::{Source, id, tracked};
use ringfence_tests::receiver::{Manner, Receiver};

use super::{SOON, counts, ids};

fn outputs(receiver: &Receiver, more: &str) -> String {
    format!("[[output]]\nname = \"hook\"\nkind = \"webhook\"\nidentities = true\nendpoint = \"http://{}/in\"\n{more}\n", receiver.addr)
}

fn has(receiver: &Receiver, findings: usize) {
    wait_until("every event is there", SOON, || {
        let there = counts(&receiver.events()).len();
        if there >= findings { Ok(()) } else { Err(there) }
    });
}

#[test]
fn nothing_is_lost_at_a_far_end_that_breaks_hangs_forgets_and_is_slow() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let mut source = Source::open(dir.path(), &outputs(&receiver, ""));
    let mut next = 0;
    for manner in [Manner::Good, Manner::Broken, Manner::Slow, Manner::Forgets, Manner::Broken, Manner::Good] {
        receiver.behaves(manner);
        source.opens(next..next + 50);
        next += 50;
        std::thread::sleep(Duration::from_millis(600));
    }
    receiver.behaves(Manner::Good);
    has(&receiver, 300);
    let standing = source.desk.board().all()["hook"].clone();
    source.end();
    let events = receiver.events();
    assert_eq!((counts(&events).len(), ids(&events).len()), (300, 300), "one id for each event");
    assert!(standing.failed > 0, "{standing:?}");
    assert!(events.len() > 300, "who forgets to answer gets it again, under the same id");
}

#[test]
fn one_that_hangs_is_given_up_and_asked_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    receiver.behaves(Manner::Hangs);
    let mut source = Source::open(dir.path(), &outputs(&receiver, ""));
    source.opens(0..10);
    wait_until("it is given up", SOON, || {
        let standing = source.desk.board().all()["hook"].clone();
        if standing.problem == "no answer in time" { Ok(()) } else { Err(standing) }
    });
    receiver.behaves(Manner::Good);
    has(&receiver, 10);
    wait_until("it is told to work", SOON, || {
        let standing = source.desk.board().all()["hook"].clone();
        if standing.problem.is_empty() && standing.depth == 0 && standing.waiting_since.is_none() { Ok(()) } else { Err(standing) }
    });
    source.end();
}

#[test]
fn an_event_that_is_refused_for_good_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    receiver.behaves(Manner::Broken);
    let mut source = Source::open(dir.path(), &outputs(&receiver, ""));
    source.opens(0..20);
    let mut poison = tracked(20);
    poison.finding.policy = "poison".into();
    source.happens(Event::Opened, poison);
    source.opens(21..40);
    receiver.behaves(Manner::Picky);
    has(&receiver, 39);
    wait_until("it is counted", SOON, || {
        let standing = source.desk.board().all()["hook"].clone();
        if standing.refused == 1 && standing.depth == 0 { Ok(()) } else { Err(standing) }
    });
    source.end();
    let there = counts(&receiver.events());
    assert!(there.len() == 39 && !there.contains_key(&id(20)));
}

#[test]
fn order_is_kept_for_each_finding() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let mut source = Source::open(dir.path(), &outputs(&receiver, ""));
    for round in 0..10 {
        receiver.behaves(if round % 3 == 1 { Manner::Broken } else { Manner::Good });
        for n in 0..5 {
            let event = [Event::Opened, Event::Acknowledged, Event::Resolved, Event::Reopened, Event::Escalated][round % 5];
            source.happens(event, tracked(n));
        }
    }
    receiver.behaves(Manner::Good);
    wait_until("all are there", SOON, || if ids(&receiver.events()).len() == 50 { Ok(()) } else { Err(receiver.events().len()) });
    source.end();
    for n in 0..5 {
        let events = receiver.events();
        let of: Vec<u64> = events.iter().filter(|e| e["finding"]["id"] == id(n)).map(|e| e["seq"].as_u64().expect("seq")).collect();
        let mut first: Vec<u64> = Vec::new();
        of.iter().for_each(|seq| {
            if !first.contains(seq) {
                first.push(*seq)
            }
        });
        assert!(first.is_sorted() && first.len() == 10, "{of:?}");
    }
}

/// `openssl` makes the same signature.
#[test]
fn the_signature_is_that_of_openssl() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("secret"), "correct horse battery staple\n").expect("written");
    let receiver = Receiver::start();
    let mut source = Source::open(dir.path(), &outputs(&receiver, "secret_file = \"secret\""));
    source.opens([1]);
    has(&receiver, 1);
    source.end();
    let request = receiver.taken().remove(0);
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "correct horse battery staple", "-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    let mut input = openssl.stdin.take().expect("piped");
    write!(input, "{}.", request.headers["x-ringfence-timestamp"]).and_then(|()| input.write_all(&request.body)).expect("written");
    drop(input);
    let said = String::from_utf8(openssl.wait_with_output().expect("it ends").stdout).expect("text");
    let digest = said.split(' ').next().expect("a digest");
    assert_eq!(request.headers["x-ringfence-signature"], format!("v1={digest}"));
}

/// A million hits on one device are one finding for the hub: it tells `Updated` for each, which does not leave. What does leave is
/// judged otherwise again and again.
#[test]
fn a_storm_of_one_finding_is_one_line_with_a_count() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    receiver.behaves(Manner::Broken);
    let mut source = Source::open(dir.path(), &outputs(&receiver, ""));
    source.happens(Event::Opened, tracked(1));
    (0..2_000).for_each(|_| source.happens(Event::Rejudged, tracked(1)));
    receiver.behaves(Manner::Good);
    wait_until("all is said", SOON, || {
        let folded: usize = receiver.events().iter().map(|e| e["folded"].as_array().map_or(0, Vec::len)).sum();
        if folded + receiver.events().len() >= 2_001 { Ok(()) } else { Err(folded) }
    });
    source.end();
    let events = receiver.events();
    assert!(events.len() <= 20, "{} lines for 2,001 events", events.len());
    assert_eq!(counts(&events).len(), 1);
}
