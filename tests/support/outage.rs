//! Far ends that get into trouble, and what has to be with them afterwards: a [`gate`] stands before each [`far`] end.

pub mod far;
pub mod gate;
#[cfg(feature = "kafka")]
pub mod kafka;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use crate::lab::wait_until;
use crate::outputs::{Source, id};
use far::FarEnd;
use gate::Trouble;

/// How long a program may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that nobody listens on now.
///
/// # Panics
/// When this machine has none.
pub fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// What a far end has when all is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Events that were written.
    pub written: usize,
    /// Events that came, copies included; alerts that are there, for Alertmanager.
    pub came: usize,
    /// Attempts that failed.
    pub failed: u64,
}

/// A far end goes through troubles; into each, out of each and between them events are written. Afterwards everything is there.
///
/// # Panics
/// When an event is missing, or is there twice where the far end drops copies.
pub fn survive(far: &mut dyn FarEnd, source: &mut Source, troubles: &[(Trouble, Duration)], soon: Duration) -> Outcome {
    let mut next = 0;
    let mut write = |source: &mut Source, events: u64| {
        source.opens(next..next + events);
        next += events;
        next
    };
    for (trouble, span) in troubles {
        write(source, 10);
        far.falls_into(*trouble);
        write(source, 10);
        // Some come while it lasts.
        for _ in 0..5 {
            std::thread::sleep(*span / 5);
            write(source, 2);
        }
        far.recovers();
        write(source, 10);
    }
    let written = write(source, 10);
    wait_until("nothing waits", soon, || {
        let standing = source.desk.board().all()[far.name()].clone();
        if standing.depth == 0 && standing.problem.is_empty() { Ok(()) } else { Err(standing) }
    });
    let seen = wait_until(&format!("everything is at {}", far.name()), soon, || {
        let seen = far.seen().map_err(|e| (e, Vec::new()))?;
        let there: BTreeSet<&str> = seen.iter().map(|s| s.finding.as_str()).collect();
        let missing: Vec<u64> = (0..written).filter(|n| !there.contains(id(*n).as_str())).collect();
        if missing.is_empty() { Ok(seen) } else { Err((String::new(), missing)) }
    });
    let ids: BTreeSet<&str> = seen.iter().map(|s| s.event.as_str()).collect();
    if far.has_ids() {
        assert_eq!(ids.len() as u64, written, "{}: one id for each event, however often it came", far.name());
    }
    if far.drops_copies() {
        assert_eq!(seen.len() as u64, written, "{} has none twice", far.name());
    }
    let failed = source.desk.board().all()[far.name()].failed;
    Outcome { written: written as usize, came: seen.len(), failed }
}
