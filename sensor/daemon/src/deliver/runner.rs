//! One output at work: events from the outbox, through its filter, to the far end, at its pace; again until they are taken.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use ringfence_core::ledger::Event as Happening;
use tokio::sync::watch;
use tokio::time::timeout;

use super::cursor::{Cursor, Place};
use super::event::{self, About, Event};
use super::{Board, Output};
use crate::clock::now;
use crate::config::Output as Settings;
use crate::store::outbox::{Reader, Row};
use crate::veil::Veil;

/// Events that are read ahead.
const AHEAD: usize = 256;

/// How long an output waits for what. Tests are in a hurry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks into the outbox.
    pub look: Duration,
    /// A far end that has not answered after so long hangs.
    pub patience: Duration,
    /// The first pause after something failed; each further one is twice as long.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// Between two summaries of what is held.
    pub held: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            look: Duration::from_millis(250),
            patience: Duration::from_secs(20),
            pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(60),
            held: Duration::from_secs(60),
        }
    }
}

/// One output at work.
pub struct Runner {
    settings: Settings,
    output: Box<dyn Output>,
    reader: Reader,
    cursor: Cursor,
    veil: Veil,
    site: String,
    board: Board,
    /// Read, and not taken yet.
    waiting: Vec<Event>,
    /// Up to where the outbox was read.
    read: Place,
    /// When events were sent in the last minute: the budget.
    budget: Budget,
    pace: Pace,
    held_told: Option<Instant>,
    begun: bool,
}

/// What an output is made of.
pub struct Parts<'p> {
    pub settings: Settings,
    pub output: Box<dyn Output>,
    pub state: &'p Path,
    pub veil: Veil,
    pub site: String,
    pub board: Board,
    pub pace: Pace,
}

impl Runner {
    /// An output that goes on where it was; a new one begins with what happens from now on.
    ///
    /// # Errors
    /// When the outbox cannot be read or the cursor not be written.
    pub fn new(parts: Parts<'_>) -> io::Result<Runner> {
        let reader = Reader::open(parts.state).map_err(io::Error::other)?;
        let mut cursor = Cursor::open(parts.state, &parts.settings.name)?;
        let extent = reader.extent().map_err(io::Error::other)?;
        match cursor.place() {
            Some(place) if place.outbox == extent.id => {}
            // Another store than the cursor was made in, or a cursor that was damaged: all that is there.
            Some(_) => cursor.set(Place { outbox: extent.id, seq: 0 })?,
            None => cursor.set(Place { outbox: extent.id, seq: extent.last })?,
        }
        let read = cursor.place().cloned().unwrap_or_default();
        let budget = Budget::new(parts.settings.per_minute);
        let Parts { settings, output, veil, site, board, pace, .. } = parts;
        let (waiting, held_told, begun) = (Vec::new(), None, false);
        Ok(Runner { settings, output, reader, cursor, veil, site, board, waiting, read, budget, pace, held_told, begun })
    }

    /// Up to where everything is delivered.
    pub fn delivered(&self) -> u64 {
        self.cursor.place().map_or(0, |p| p.seq)
    }

    /// Runs until it is stopped. What waits then waits on disk.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>, delivered: watch::Sender<u64>) {
        let (mut pause, look) = (Pause::default(), self.pace.look);
        loop {
            if *stop.borrow() {
                return;
            }
            let next = match self.step().await {
                Ok(more) => {
                    pause = Pause::default();
                    if more { Duration::ZERO } else { look }
                }
                Err(what) => {
                    self.failed(&what);
                    pause.next(&self.pace)
                }
            };
            delivered.send_replace(self.delivered());
            if !next.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(next) => {}
                    _ = stop.changed() => {}
                }
            }
        }
    }

    /// One attempt; whether there may be more to do at once.
    async fn step(&mut self) -> Result<bool, String> {
        self.begin()?;
        self.fill()?;
        self.measure();
        if self.waiting.is_empty() {
            self.remember()?;
            self.idle().await?;
            self.works(0);
            return Ok(false);
        }
        let allowed = self.budget.allowed().min(self.output.at_once()).min(self.waiting.len());
        if allowed == 0 {
            self.idle().await?;
            self.tell_held().await?;
            return Ok(false);
        }
        let outcome = timeout(self.pace.patience, self.output.send(&self.waiting[..allowed])).await;
        let (taken, problem) = match outcome {
            Ok(Ok(())) => (allowed, None),
            Ok(Err(failure)) => (failure.taken.min(allowed), Some((failure.what, failure.refused))),
            Err(_) => {
                self.output.reset();
                (0, Some(("no answer in time".to_string(), false)))
            }
        };
        self.took(taken);
        let refused = problem.as_ref().is_some_and(|(_, refused)| *refused) && taken < allowed;
        if refused {
            self.waiting.remove(0);
            self.board.write(&self.settings.name, |s| s.refused += 1);
        }
        self.remember()?;
        match problem {
            Some((what, false)) => Err(what),
            Some((what, true)) => {
                self.failed(&format!("refused: {what}"));
                Ok(true)
            }
            None => Ok(true),
        }
    }

    async fn idle(&mut self) -> Result<(), String> {
        let done = timeout(self.pace.patience, self.output.idle()).await.map_err(|_| "no answer in time".to_string())?;
        done.map_err(|f| f.what)
    }

    fn begin(&mut self) -> Result<(), String> {
        if self.begun {
            return Ok(());
        }
        if self.output.keeps_state() {
            let open = self.reader.open_findings().map_err(|e| e.to_string())?;
            let row = |tracked| Row { seq: 0, id: String::new(), at: now(), event: Happening::Updated, tracked };
            let open = open.into_iter().map(|t| Event::new(row(t), &self.veil, &self.site, &self.settings));
            self.output.begin(open.filter(|e| e.fits).collect());
        }
        self.begun = true;
        Ok(())
    }

    /// Reads ahead. What the queue's bound has cut off is counted.
    fn fill(&mut self) -> Result<(), String> {
        let extent = self.reader.extent().map_err(|e| e.to_string())?;
        if self.read.outbox != extent.id {
            // Another store: its numbers begin anew.
            self.read = Place { outbox: extent.id.clone(), seq: 0 };
            self.waiting.clear();
        }
        let floor = (extent.first - 1).max(extent.last.saturating_sub(self.settings.spool_events));
        if self.lowest() < floor {
            let kept = self.waiting.len();
            self.waiting.retain(|e| e.lowest > floor);
            let dropped = floor.saturating_sub(self.read.seq) + (kept - self.waiting.len()) as u64;
            self.read.seq = self.read.seq.max(floor);
            self.board.write(&self.settings.name, |s| s.dropped += dropped);
        }
        while self.waiting.len() < AHEAD {
            let (rows, reached) = self.reader.after(self.read.seq, AHEAD as u32).map_err(|e| e.to_string())?;
            if reached == self.read.seq {
                break;
            }
            self.read.seq = reached;
            rows.into_iter().try_for_each(|row| self.admit(row))?;
        }
        Ok(())
    }

    fn admit(&mut self, row: Row) -> Result<(), String> {
        let left = self.leaves(&row)?;
        let mut event = Event::new(row, &self.veil, &self.site, &self.settings);
        event.left = left;
        if event.fits || event.left || self.output.keeps_state() {
            let before = self.waiting.len();
            event::fold(&mut self.waiting, event);
            if self.waiting.len() == before {
                self.board.write(&self.settings.name, |s| s.folded += 1);
            }
        }
        Ok(())
    }

    /// Whether this output told of a finding until this event of it.
    fn leaves(&self, row: &Row) -> Result<bool, String> {
        let finding = &row.tracked.finding;
        let here = event::told_segment(&self.settings, &finding.segment);
        if self.output.keeps_state() || !here || event::told(&self.settings, finding.verdict, finding.level) {
            return Ok(false);
        }
        let before = self.reader.judged_before(row).map_err(|e| e.to_string())?;
        Ok(before.is_some_and(|(verdict, level)| event::told(&self.settings, verdict, level)))
    }

    /// Everything up to here is delivered, or left out.
    fn lowest(&self) -> u64 {
        self.waiting.iter().map(|e| e.lowest - 1).min().unwrap_or(self.read.seq)
    }

    fn remember(&mut self) -> Result<(), String> {
        let place = Place { outbox: self.read.outbox.clone(), seq: self.lowest() };
        self.cursor.set(place).map_err(|e| format!("the cursor cannot be written: {e}"))
    }

    fn took(&mut self, taken: usize) {
        if taken > 0 {
            self.waiting.drain(..taken);
            self.budget.spend(taken);
            self.works(taken as u64);
        }
    }

    /// One line instead of many: how many wait.
    async fn tell_held(&mut self) -> Result<(), String> {
        if self.held_told.is_some_and(|at| at.elapsed() < self.pace.held) || self.output.keeps_state() {
            return Ok(());
        }
        let count = self.board.all().get(&self.settings.name).map_or(0, |s| s.depth);
        let (since, lowest) = self.waiting.first().map_or((now(), 0), |e| (e.at, e.lowest));
        // The same summary told twice has the same id.
        let id = format!("held-{}-{}", self.read.outbox, lowest);
        let seq = lowest.saturating_sub(1);
        let event =
            Event { id, seq, at: now(), site: self.site.clone(), about: About::Held { count, since }, lowest, fits: true, left: false };
        let sent = timeout(self.pace.patience, self.output.send(std::slice::from_ref(&event))).await;
        sent.map_err(|_| "no answer in time".to_string())?.map_err(|f| f.what)?;
        self.held_told = Some(Instant::now());
        Ok(())
    }

    fn measure(&self) {
        let lowest = self.lowest();
        let last = self.reader.extent().map_or(lowest, |e| e.last);
        let since = self.reader.waiting_since(lowest).unwrap_or(None);
        self.board.write(&self.settings.name, |s| (s.depth, s.waiting_since) = (last.saturating_sub(lowest), since));
    }

    fn works(&self, taken: u64) {
        let name = &self.settings.name;
        self.board.write(name, |s| {
            s.sent += taken;
            if taken > 0 {
                s.last_success = Some(now());
            }
            if !std::mem::take(&mut s.problem).is_empty() {
                eprintln!("ringfence: output {name}: works again");
            }
        });
    }

    fn failed(&self, what: &str) {
        let name = &self.settings.name;
        self.board.write(name, |s| {
            s.failed += 1;
            if s.problem.is_empty() {
                eprintln!("ringfence: output {name}: {what}; events wait until it works again");
            }
            s.problem = what.to_string();
        });
    }
}

/// How many events may still be sent: as many as in a minute at once, then at that rate.
struct Budget {
    per_minute: f64,
    left: f64,
    at: Instant,
}

impl Budget {
    fn new(per_minute: u32) -> Self {
        Budget { per_minute: f64::from(per_minute), left: f64::from(per_minute), at: Instant::now() }
    }

    fn allowed(&mut self) -> usize {
        let gained = self.at.elapsed().as_secs_f64() * self.per_minute / 60.0;
        self.at = Instant::now();
        self.left = (self.left + gained).min(self.per_minute);
        self.left as usize
    }

    fn spend(&mut self, events: usize) {
        self.left -= events as f64;
    }
}

/// Pauses that double, each shortened by chance so that sensors do not come back all at once.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    fn next(&mut self, pace: &Pace) -> Duration {
        let full = pace.pause.saturating_mul(1 << self.0.min(16)).min(pace.pause_max);
        self.0 += 1;
        let mut byte = [0];
        // Without a random number the pause is merely a full one.
        let _ = SystemRandom::new().fill(&mut byte);
        full.mul_f64(1.0 - f64::from(byte[0]) / 512.0)
    }
}
