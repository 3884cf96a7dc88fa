//! Starts outputs, replaces those whose settings changed, ends them. On a runtime of its own; the hub calls it and never waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::runner::{Pace, Parts, Runner};
use super::{Board, cursor, kind};
use crate::config::Output as Settings;
use crate::pseudonym::Pseudonyms;
use crate::store::outbox::{Reader, SharedDemand};
use crate::veil::Veil;

/// Threads that speak to far ends.
const WORKERS: usize = 2;
/// How often the store learns what every output has.
const LEVEL_EVERY: Duration = Duration::from_millis(500);

/// An output that runs.
#[derive(Debug)]
struct Running {
    settings: Settings,
    site: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    delivered: watch::Receiver<u64>,
}

type Table = Arc<Mutex<BTreeMap<String, Running>>>;

/// Every output.
#[derive(Debug)]
pub struct Desk {
    state: PathBuf,
    pseudonyms: Pseudonyms,
    demand: SharedDemand,
    board: Board,
    pace: Pace,
    runtime: Runtime,
    running: Table,
}

impl Desk {
    /// No output yet.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(state: &Path, pseudonyms: Pseudonyms, demand: SharedDemand) -> io::Result<Desk> {
        Desk::paced(state, pseudonyms, demand, Pace::default())
    }

    /// The same, whose outputs wait as long as they are told.
    ///
    /// # Errors
    /// As for [`Desk::new`].
    pub fn paced(state: &Path, pseudonyms: Pseudonyms, demand: SharedDemand, pace: Pace) -> io::Result<Desk> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).thread_name("deliver").enable_all().build()?;
        let board = Board::default();
        let desk = Desk { state: state.to_path_buf(), pseudonyms, demand, board, pace, runtime, running: Table::default() };
        let (running, demand) = (Arc::clone(&desk.running), SharedDemand::clone(&desk.demand));
        desk.runtime.spawn(async move {
            loop {
                tokio::time::sleep(LEVEL_EVERY).await;
                level(&lock(&running), &demand);
            }
        });
        Ok(desk)
    }

    /// How the outputs are.
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// These outputs from now on. One whose settings are the same goes on; one that changed goes on where it was.
    pub fn set(&self, outputs: &[Settings], site: &str) {
        let mut running = lock(&self.running);
        let wanted: BTreeSet<&str> = outputs.iter().map(|o| o.name.as_str()).collect();
        let gone: Vec<String> = running.keys().filter(|name| !wanted.contains(name.as_str())).cloned().collect();
        for name in gone {
            if let Some(old) = running.remove(&name) {
                old.stop.send_replace(true);
                self.board.remove(&name);
            }
        }
        self.forget(&wanted);
        for settings in outputs {
            let old = match running.remove(&settings.name) {
                Some(old) if old.settings == *settings && old.site == site => {
                    running.insert(settings.name.clone(), old);
                    continue;
                }
                old => old,
            };
            match self.start(settings, site, old) {
                Ok(fresh) => {
                    running.insert(settings.name.clone(), fresh);
                }
                Err(error) => eprintln!("ringfence: output {}: {error}", settings.name),
            }
        }
        level(&running, &self.demand);
    }

    /// Cursors of outputs that are no more: one that comes back later begins with what happens then.
    fn forget(&self, wanted: &BTreeSet<&str>) {
        let files = fs::read_dir(self.state.join(cursor::DIR)).into_iter().flatten().flatten();
        for path in files.map(|f| f.path()) {
            if !path.file_stem().and_then(|s| s.to_str()).is_some_and(|name| wanted.contains(name)) {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn start(&self, settings: &Settings, site: &str, old: Option<Running>) -> io::Result<Running> {
        let kind = kind(settings.kind).ok_or_else(|| io::Error::other("is of no known kind"))?;
        // As the API does it: whoever may see who it is gets the ids that `scan` prints.
        let names = if settings.identities { Pseudonyms::plain() } else { self.pseudonyms.clone() };
        let veil = Veil::new(names, settings.identities);
        let (state, board, copy, place, pace) = (self.state.clone(), self.board.clone(), settings.clone(), site.to_string(), self.pace);
        board.write(&settings.name, |s| s.kind = kind.name);
        let make = move || {
            let output = (kind.make)(&copy);
            Runner::new(Parts { settings: copy, output, state: &state, veil, site: place, board, pace })
        };
        let ((stop, stopped), before) = (watch::channel(false), old.as_ref().map_or(0, |o| *o.delivered.borrow()));
        // A new one takes its place in the outbox now; one that changed waits until the old one is out.
        let (delivered, task) = match old {
            None => {
                let runner = make()?;
                let (tell, delivered) = watch::channel(runner.delivered());
                (delivered, self.runtime.spawn(runner.run(stopped, tell)))
            }
            Some(old) => {
                old.stop.send_replace(true);
                let (tell, delivered) = watch::channel(before);
                let name = settings.name.clone();
                let next = async move {
                    let _ = old.task.await;
                    match make() {
                        Ok(runner) => runner.run(stopped, tell).await,
                        Err(error) => eprintln!("ringfence: output {name}: {error}"),
                    }
                };
                (delivered, self.runtime.spawn(next))
            }
        };
        Ok(Running { settings: settings.clone(), site: site.to_string(), stop, task, delivered })
    }

    /// Ends: what waits is brought away within `patience` as far as far ends take it, the rest goes out after the next start.
    pub fn end(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let last = Reader::open(&self.state).and_then(|r| r.extent()).map_or(0, |e| e.last);
        let waits = |name: &str, output: &Running| {
            let stuck = self.board.all().get(name).is_some_and(|s| !s.problem.is_empty());
            *output.delivered.borrow() < last && !stuck
        };
        while lock(&self.running).iter().any(|(name, output)| waits(name, output)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let outputs = std::mem::take(&mut *lock(&self.running));
        for output in outputs.values() {
            output.stop.send_replace(true);
        }
        self.runtime.block_on(async {
            for output in outputs.into_values() {
                let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(200));
                let _ = tokio::time::timeout(left, output.task).await;
            }
        });
    }
}

fn lock(table: &Table) -> MutexGuard<'_, BTreeMap<String, Running>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the store what every output has, and how much the longest queue may hold.
fn level(running: &BTreeMap<String, Running>, demand: &SharedDemand) {
    let delivered = running.values().map(|o| *o.delivered.borrow()).min().unwrap_or(0);
    let keep = running.values().map(|o| o.settings.spool_events).max().unwrap_or(0);
    demand.set(!running.is_empty(), delivered, keep);
}
