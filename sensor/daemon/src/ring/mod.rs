//! The one loop: a source, a worker and, in replay, the correlator behind a function call. A file and a wire give the same verdicts.

mod live;

#[cfg(test)]
mod tests;

use ringfence_core::correlate::Correlator;
use ringfence_core::evidence::Evidence;
use ringfence_core::worker::{Output, Worker};

use crate::capture::{CaptureError, Records, Source, Step};

pub use live::{Batch, Orders, Published, RingView, live};

/// Drives a source to its end. `between` runs after each step with the worker, so that the caller can carry evidence on.
///
/// Errors of single inputs do not end the loop while the source has others: they come back, in order.
pub fn drive<S: Source + ?Sized, O: Output>(
    source: &mut S,
    worker: &mut Worker,
    output: &mut O,
    mut between: impl FnMut(&mut Worker, &mut O, Phase),
) -> Vec<CaptureError> {
    let mut errors = Vec::new();
    let mut ends = 0;
    let mut records = Records::default();
    // `worker` and `between` are called in one place, so that they become a part of the loop.
    while ends < 2 {
        let step = match records.next() {
            Some(frame) => Ok(Step::Frame(frame)),
            None => {
                records = source.records();
                match records.next() {
                    Some(frame) => Ok(Step::Frame(frame)),
                    None => {
                        records = Records::default();
                        source.next()
                    }
                }
            }
        };
        let phase = match step {
            Ok(Step::Frame(frame)) => {
                worker.frame(&frame, output);
                Phase::Frame
            }
            Ok(Step::Idle(now)) => {
                worker.idle(now, output);
                Phase::Idle
            }
            Ok(Step::End) => {
                // What was found until here is carried on before the worker tells the rest.
                ends += 1;
                if ends == 2 {
                    worker.finish(output);
                }
                Phase::Ending
            }
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        between(worker, output, phase);
    }
    errors
}

/// Where a drive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A frame was taken; more may come.
    Frame,
    /// Nothing arrived for a moment (live sources only).
    Idle,
    /// The source has ended.
    Ending,
}

/// Watch updates that are passed on at once; later ones wait for [`WATCH_EVERY`] frames, because each looks at every flow.
const WATCH_EAGER: u32 = 256;

/// Frames between two later watch updates: well within the time for which a proof explains earlier flows.
const WATCH_EVERY: u32 = 4_096;

/// Replay: evidence goes straight to the correlator, and what it learns straight back to the worker.
pub fn replay<S: Source + ?Sized>(source: &mut S, worker: &mut Worker, correlator: &mut Correlator) -> Vec<CaptureError> {
    replay_told(source, worker, correlator, |_, _| {})
}

/// The same; `each` is called after every step.
pub fn replay_told<S: Source + ?Sized>(
    source: &mut S,
    worker: &mut Worker,
    correlator: &mut Correlator,
    mut each: impl FnMut(&Worker, &mut Correlator),
) -> Vec<CaptureError> {
    let mut inbox = Inbox::default();
    let (mut updates, mut frames) = (0u32, 0u32);
    pass_on(worker, correlator, &mut inbox);
    drive(source, worker, &mut inbox, |worker, inbox, phase| {
        frames = frames.saturating_add(1);
        if !inbox.evidence.is_empty() {
            inbox.evidence.drain(..).for_each(|e| correlator.take(e));
        }
        if correlator.has_watch_update() && (phase == Phase::Ending || updates < WATCH_EAGER || frames >= WATCH_EVERY) {
            updates = updates.saturating_add(1);
            frames = 0;
            pass_on(worker, correlator, inbox);
        }
        each(worker, correlator);
    })
}

/// Hands evidence to the correlator and its watch to the worker, until neither has anything new.
fn pass_on(worker: &mut Worker, correlator: &mut Correlator, inbox: &mut Inbox) {
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
