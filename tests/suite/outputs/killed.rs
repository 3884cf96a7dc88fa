//! The writer is killed with -9 at random points, again and again: what it said was on disk is at the far end in the end.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringfence_tests::lab::wait_until;
use ringfence_tests::outputs::{Source, id};
use ringfence_tests::prng::Prng;
use ringfence_tests::receiver::{Manner, Receiver};

use super::{SOON, counts, ids};

/// Runs until it is killed; the numbers that it said.
fn run(dir: &std::path::Path, first: u64, life: Duration) -> Vec<u64> {
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_source")).arg(dir).arg(first.to_string()).stdout(Stdio::piped()).spawn().expect("starts");
    let out = child.stdout.take().expect("piped");
    let said = Arc::<Mutex<Vec<u64>>>::default();
    let into = Arc::clone(&said);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            into.lock().expect("numbers").extend(line.parse::<u64>());
        }
    });
    wait_until("it writes", SOON, || if said.lock().expect("numbers").is_empty() { Err(()) } else { Ok(()) });
    std::thread::sleep(life);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).expect("killed");
    child.wait().expect("ended");
    reader.join().expect("read");
    said.lock().expect("numbers").clone()
}

#[test]
fn nothing_that_was_on_disk_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let outputs = format!(
        "[[output]]\nname = \"hook\"\nkind = \"webhook\"\nidentities = true\nendpoint = \"http://{}\"\n\
         [[output]]\nname = \"lines\"\nkind = \"file\"\nidentities = true\npath = \"events.json\"\n",
        receiver.addr
    );
    std::fs::write(dir.path().join("outputs.toml"), &outputs).expect("written");
    let mut random = Prng::new(2026);
    let mut said = BTreeSet::new();
    for round in 0..12 {
        receiver.behaves([Manner::Good, Manner::Broken, Manner::Forgets, Manner::Good][round % 4]);
        let life = Duration::from_millis(random.below(400) as u64);
        said.extend(run(dir.path(), round as u64 * 1_000_000, life));
    }
    receiver.behaves(Manner::Good);
    let source = Source::open(dir.path(), &outputs);
    let path = dir.path().join("events.json");
    let lines = || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().map(|l| serde_json::from_str(l).expect("every line is whole")).collect::<Vec<_>>()
    };
    wait_until("everything is brought away", SOON, || {
        let all = source.desk.board().all();
        if all.values().all(|s| s.depth == 0 && s.problem.is_empty()) { Ok(()) } else { Err(all) }
    });
    let missing = |there: &[serde_json::Value]| {
        let counts = counts(there);
        said.iter().filter(|n| !counts.contains_key(&id(**n))).copied().collect::<Vec<u64>>()
    };
    wait_until("nothing is missing", SOON, || {
        let missing = (missing(&receiver.events()), missing(&lines()));
        if missing.0.is_empty() && missing.1.is_empty() { Ok(()) } else { Err(missing) }
    });
    source.end();
    assert!(said.len() > 100, "{} events were written", said.len());
    for there in [receiver.events(), lines()] {
        // At most one event more in each round than was said: written, and killed before it could be said.
        assert!(ids(&there).len() >= said.len() && ids(&there).len() <= said.len() + 12);
        assert_eq!(ids(&there).len(), counts(&there).len(), "one id for each event, however often it came");
    }
}
