//! A real NATS server with JetStream: killed, stopped, restarted; every event is in the stream once, each finding's in order.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::signal::Signal;
use ringfence_core::ledger::Event;
use ringfence_tests::lab::{Process, wait_until};
use ringfence_tests::outage::far::{Stored, listens, stored};
use ringfence_tests::outputs::{HASTY, Source, id, tracked};
use ringfence_tests::peers;
use ringfence_tests::sensor::Json;

use super::{SOON, certificate, ids, port};

/// Starts a server; `None`, after a word, where there is none. `more` are lines of its configuration.
pub fn start(dir: &Path, port: u16, more: &str) -> Option<Process> {
    let config = dir.join("nats.conf");
    std::fs::write(&config, format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: {:?} }}\n{more}\n", dir.join("nats")))
        .expect("written");
    let mut command = peers::command("nats-server")?;
    command.arg("-c").arg(config);
    let process = Process::start(command, &dir.join("nats.log"));
    listens(port);
    Some(process)
}

fn output(port: u16, more: &str) -> String {
    format!("[[output]]\nname = \"bus\"\nkind = \"nats\"\nidentities = true\nendpoint = \"nats://127.0.0.1:{port}\"\n{more}\n")
}

fn has(port: u16, events: usize) -> Vec<Stored> {
    wait_until("every event is in the stream", SOON, || {
        let there = stored(port, "FINDINGS").map_err(|e| (0, e))?;
        if there.len() >= events { Ok(there) } else { Err((there.len(), String::new())) }
    })
}

fn problem(source: &Source, part: &str) {
    wait_until("it is told", SOON, || {
        let standing = source.desk.board().all()["bus"].clone();
        if standing.problem.contains(part) { Ok(()) } else { Err(standing) }
    });
}

#[test]
fn an_event_is_stored_under_its_id_once() {
    let (dir, port) = (tempfile::tempdir().expect("a folder"), port());
    let Some(mut far) = start(dir.path(), port, "") else { return };
    let mut source = Source::open(dir.path(), &output(port, "stream = \"FINDINGS\"\nsubject = \"sec.ringfence\""));
    source.opens(0..200);
    let there = has(port, 200);
    source.end();
    assert_eq!(there.len(), 200);
    for (n, message) in there.iter().enumerate() {
        assert_eq!((message.event["id"].as_str(), message.subject.as_str()), (Some(message.id.as_str()), "sec.ringfence"));
        assert_eq!(message.event["finding"]["id"], id(n as u64));
    }
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}

/// Rounds in which the server works, dies while it is written to, stands still for longer than anybody waits, and dies standing still.
#[test]
fn a_server_that_is_killed_and_stopped_has_every_event_once_and_in_order() {
    let (dir, port) = (tempfile::tempdir().expect("a folder"), port());
    let Some(mut far) = start(dir.path(), port, "") else { return };
    let mut source = Source::paced(dir.path(), &output(port, "stream = \"FINDINGS\""), HASTY);
    let mut written = 0;
    for round in 0..6_usize {
        if round % 3 == 1 {
            far.signal(Signal::SIGSTOP);
        }
        for n in 0..120 {
            let event = [Event::Opened, Event::Acknowledged, Event::Resolved, Event::Reopened][(written / 10) % 4];
            source.happens(event, tracked(n % 10));
            written += 1;
            if n == 60 && round % 3 != 1 {
                far.signal(Signal::SIGKILL);
                far.end(SOON);
            }
        }
        if round % 3 == 1 {
            // It is given up, tried again, and given up again: copies pile up in the kernel.
            problem(&source, "time");
            far.signal(if round == 1 { Signal::SIGCONT } else { Signal::SIGKILL });
        }
        if far.ended().is_some() || round == 4 {
            far.end(SOON);
            far = start(dir.path(), port, "").expect("it was there");
        }
    }
    let there = has(port, written);
    let events: Vec<Json> = there.iter().map(|m| m.event.clone()).collect();
    assert_eq!((there.len(), ids(&events).len()), (written, written), "each once");
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &events {
        let seq = event["seq"].as_u64().expect("a number");
        let before = last.insert(event["finding"]["id"].as_str().expect("an id"), seq);
        assert!(before.is_none_or(|before| before < seq), "{before:?} before {seq}");
    }
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}

#[test]
fn without_a_stream_it_says_what_to_do() {
    let (dir, port) = (tempfile::tempdir().expect("a folder"), port());
    let Some(mut far) = start(dir.path(), port, "") else { return };
    let mut source = Source::open(dir.path(), &output(port, ""));
    source.opens(0..3);
    problem(&source, "no stream takes ringfence.findings: make one, or name one as `stream`");
    source.set(&output(port, "stream = \"FINDINGS\""));
    assert_eq!(has(port, 3).len(), 3, "nothing was lost meanwhile");
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}

#[test]
fn it_is_let_in_by_password_token_and_key_and_over_tls() {
    let key = nkeys::KeyPair::new_user();
    let cases = [
        ("authorization { user: sensor, password: \"s3cret\" }".to_string(), "sensor:s3cret".to_string()),
        ("authorization { token: \"t0ken\" }".to_string(), "t0ken".to_string()),
        (format!("authorization {{ users: [ {{ nkey: {} }} ] }}", key.public_key()), key.seed().expect("a seed")),
    ];
    for (config, secret) in cases {
        let (dir, port) = (tempfile::tempdir().expect("a folder"), port());
        certificate(dir.path());
        let at = dir.path().display();
        let tls = format!("{config}\ntls {{ cert_file: \"{at}/cert.pem\", key_file: \"{at}/key.pem\" }}");
        let Some(mut far) = start(dir.path(), port, &tls) else { return };
        let with = |secret: &str| {
            std::fs::write(dir.path().join("secret"), secret).expect("written");
            let more = format!("stream = \"FINDINGS\"\nsecret_file = \"secret\"\nca = \"{at}/cert.pem\"");
            output(port, &more).replace("nats://", "tls://")
        };
        let mut source = Source::open(dir.path(), &with("wrong"));
        source.opens(0..3);
        problem(&source, "authorization");
        source.set(&with(&secret));
        wait_until("it is let in", SOON, || {
            let standing = source.desk.board().all()["bus"].clone();
            if standing.sent == 3 && standing.problem.is_empty() { Ok(()) } else { Err(standing) }
        });
        source.end();
        far.signal(Signal::SIGTERM);
        far.end(SOON);
    }
}

/// The server's bound on a message is ours for one event: it is refused, counted, and holds nobody up.
#[test]
fn an_event_that_is_too_large_does_not_hold_up_the_others() {
    let (dir, port) = (tempfile::tempdir().expect("a folder"), port());
    let Some(mut far) = start(dir.path(), port, "max_payload: 65536") else { return };
    let mut source = Source::open(dir.path(), &output(port, "stream = \"FINDINGS\""));
    source.opens(0..3);
    has(port, 3);
    let mut large = tracked(3);
    large.finding.policy = "x".repeat(70_000);
    source.happens(Event::Opened, large);
    source.opens(4..10);
    let there = has(port, 9);
    wait_until("it is counted", SOON, || {
        let standing = source.desk.board().all()["bus"].clone();
        if (standing.refused, standing.depth) == (1, 0) { Ok(()) } else { Err(standing) }
    });
    assert!(there.iter().all(|m| m.event["finding"]["id"] != id(3)));
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}
