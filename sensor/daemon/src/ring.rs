//! The one loop: a source, a worker and, in replay, the correlator behind a function call. A file and a wire give the same verdicts.

use ringfence_core::correlate::Correlator;
use ringfence_core::evidence::Evidence;
use ringfence_core::worker::{Output, Worker};

use crate::capture::{CaptureError, Source, Step};

/// Drives a source to its end. `between` runs after each step with the worker, so that the caller can carry evidence on.
///
/// Errors of single inputs do not end the loop while the source has others: they come back, in order.
pub fn drive<O: Output>(
    source: &mut dyn Source,
    worker: &mut Worker,
    output: &mut O,
    mut between: impl FnMut(&mut Worker, &mut O),
) -> Vec<CaptureError> {
    let mut errors = Vec::new();
    loop {
        match source.next() {
            Ok(Step::Frame(frame)) => worker.frame(&frame, output),
            Ok(Step::Idle(now)) => worker.idle(now, output),
            Ok(Step::End) => break,
            Err(error) => {
                errors.push(error);
                continue;
            }
        }
        between(worker, output);
    }
    worker.finish(output);
    between(worker, output);
    errors
}

/// Replay: evidence goes straight to the correlator, and what it learns straight back to the worker.
pub fn replay(source: &mut dyn Source, worker: &mut Worker, correlator: &mut Correlator) -> Vec<CaptureError> {
    let mut inbox = Inbox::default();
    hand_over(worker, correlator, &mut inbox);
    drive(source, worker, &mut inbox, |worker, inbox| {
        if !inbox.evidence.is_empty() {
            hand_over(worker, correlator, inbox);
        }
    })
}

fn hand_over(worker: &mut Worker, correlator: &mut Correlator, inbox: &mut Inbox) {
    loop {
        inbox.evidence.drain(..).for_each(|e| correlator.take(e));
        let Some(watch) = correlator.watch_update() else { return };
        worker.watch(watch, inbox);
    }
}

/// Evidence on its way.
#[derive(Debug, Default)]
struct Inbox {
    evidence: Vec<Evidence>,
}

impl Output for Inbox {
    fn evidence(&mut self, evidence: Evidence) {
        self.evidence.push(evidence);
    }
}
