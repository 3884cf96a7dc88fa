//! `make bench-live`: how many frames per second the sensor takes from a wire without losing one, beside a bare libpcap receiver.
//!
//!     rate SENSOR            the table of rates and the cost at fixed rates
//!     rate SENSOR --storm    the rates of one load only (--small, --mixed, --storm)
//!     rate SENSOR --storm --at=100000    what one load costs at one rate
//!     rate SENSOR --long     two hundred million frames through one process
//!     rate --bare            the machine alone

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::load::{Frames, Load, renew};
use ringfence_tests::lab::pair::{FAR, NEAR, Pair};
use ringfence_tests::lab::receiver::{Bare, Count};
use ringfence_tests::lab::sender::{Pace, Sender};
use ringfence_tests::lab::{namespace, story};

/// Of one measurement.
const SPAN: Duration = Duration::from_secs(2);

/// Halvings between a rate that loses and one that does not.
const STEPS: u32 = 6;

/// Of each ring, and of the bare receiver.
const BUFFER_MIB: u16 = 64;

/// Frames of `--long`.
const LONG: u64 = 200_000_000;

/// Rates whose cost is told.
const FIXED: [u64; 2] = [100_000, 1_000_000];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !namespace::permitted() {
        return ExitCode::FAILURE;
    }
    let has = |flag: &str| words.iter().any(|w| w == flag);
    let binary = words.iter().find(|w| !w.starts_with("--")).map(PathBuf::from);
    if binary.is_none() && !has("--bare") {
        eprintln!("usage: rate SENSOR [--long] | rate --bare");
        return ExitCode::FAILURE;
    }
    let dir = tempfile::tempdir().expect("a folder");
    if let (Some(binary), true) = (&binary, has("--long")) {
        return if long(binary, dir.path()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let all = &Load::WORDS[..3];
    let only: Vec<_> = all.iter().copied().filter(|(word, _)| has(&format!("--{word}"))).collect();
    let loads = if only.is_empty() { all } else { &only };
    let at: Vec<u64> = words.iter().filter_map(|w| w.strip_prefix("--at=")?.parse().ok()).collect();
    if at.is_empty() {
        table(binary.as_deref(), loads, dir.path());
    }
    match (binary, only.is_empty(), at.is_empty()) {
        (Some(binary), true, true) => costs(&binary, &[("mixed", Load::Mixed)], &FIXED, dir.path()),
        (Some(binary), _, false) => costs(&binary, loads, &at, dir.path()),
        _ => {}
    }
    ExitCode::SUCCESS
}

/// Whoever is measured.
enum Receiver {
    Bare(Bare),
    Sensor(Daemon),
}

impl Receiver {
    fn count(&self) -> Count {
        match self {
            Receiver::Bare(bare) => bare.count(),
            Receiver::Sensor(daemon) => daemon.count(),
        }
    }

    /// The count when nothing more comes: the same frames twice, more than a second apart.
    fn settled(&self) -> Count {
        let mut last = self.count();
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(1_200));
            let now = self.count();
            if now.frames == last.frames {
                return now;
            }
            last = now;
        }
        last
    }
}

/// A wire with a receiver at its end.
struct Bench {
    pair: Pair,
    sender: Sender,
    receiver: Receiver,
}

/// What came of sending at a rate.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// Frames per second that were sent.
    rate: f64,
    /// Frames that came out of the wire and were not taken.
    lost: u64,
    /// Share of one core.
    core: f64,
}

impl Bench {
    fn new(binary: Option<&Path>, rings: u16, dir: &Path) -> Self {
        let pair = Pair::new().expect("a wire");
        let sender = Sender::open(&pair.sender, NEAR).expect("a sender");
        let receiver = match binary {
            None => Receiver::Bare(Bare::start(&pair.sensor, FAR, i32::from(BUFFER_MIB) << 20)),
            Some(binary) => {
                let dir = tempfile::tempdir_in(dir).expect("a folder").keep();
                let mut setup = Setup::new(&dir, FAR, &story::policy());
                (setup.rings, setup.binary) = (rings, Some(binary.to_path_buf()));
                setup.capture = format!("buffer_mib = {BUFFER_MIB}");
                Receiver::Sensor(Daemon::start(&pair.sensor, &setup))
            }
        };
        Bench { pair, sender, receiver }
    }

    fn trial(&self, frames: &mut Frames, storm: bool, rate: Option<u64>, span: Duration, pass: &mut u8) -> Trial {
        let (before, arrived) = (self.receiver.settled(), self.pair.arrived());
        let mut pace = Pace::new(rate, Some(span));
        while pace.goes_on() {
            if storm {
                *pass = pass.wrapping_add(1);
                renew(frames, *pass);
            }
            self.sender.send(frames, &mut pace).expect("the wire takes it");
        }
        let took = pace.elapsed().as_secs_f64();
        let after = self.receiver.settled();
        let missing = (self.pair.arrived() - arrived).saturating_sub(after.frames - before.frames);
        let core = (after.ticks - before.ticks) as f64 / 100.0 / took;
        Trial { rate: pace.sent as f64 / took, lost: missing.max(after.lost - before.lost), core }
    }

    /// The highest rate at which nothing is lost, `ceiling` at most, and whether nothing but the sender or that was in the way.
    fn drop_free(&self, frames: &mut Frames, storm: bool, ceiling: Option<f64>) -> (Trial, bool) {
        let mut pass = 0;
        // Memory is touched, flows are known: the first round is not measured.
        self.trial(frames, storm, None, SPAN / 2, &mut pass);
        let top = self.trial(frames, storm, ceiling.map(|c| c as u64), SPAN, &mut pass);
        if top.lost == 0 {
            return (top, true);
        }
        let (mut low, mut high) = (0.0, top.rate);
        let mut best = Trial { rate: 0.0, lost: 0, core: 0.0 };
        for _ in 0..STEPS {
            let rate = (low + high) / 2.0;
            let trial = self.trial(frames, storm, Some(rate as u64), SPAN, &mut pass);
            if trial.lost == 0 {
                (low, best) = (trial.rate, trial);
            } else {
                high = rate;
            }
        }
        (best, false)
    }
}

/// Rows: what is received by; columns: what is sent.
fn table(binary: Option<&Path>, loads: &[(&str, Load)], dir: &Path) {
    println!("{:<8} {:<20} {:>14} {:>8} {:>10}", "load", "receiver", "frames/s", "ratio", "of a core");
    for (word, load) in loads {
        let mut frames = load.frames(dir).expect("frames");
        let storm = *load == Load::Storm;
        let (bare, limit) = Bench::new(None, 1, dir).drop_free(&mut frames, storm, None);
        row(word, "libpcap alone", bare, limit, 1.0);
        for rings in [1, 2] {
            let Some(binary) = binary else { break };
            let (trial, limit) = Bench::new(Some(binary), rings, dir).drop_free(&mut frames, storm, Some(bare.rate));
            row(word, &format!("sensor, {rings} ring{}", if rings == 1 { "" } else { "s" }), trial, limit, trial.rate / bare.rate);
        }
    }
    println!("* nothing was lost at the highest rate that was tried: the sender's best for libpcap, libpcap's for the sensor");
}

/// What rates cost.
fn costs(binary: &Path, loads: &[(&str, Load)], rates: &[u64], dir: &Path) {
    println!("\n{:<8} {:>14} {:>14} {:>10} {:>10}", "load", "asked for", "frames/s", "lost", "of a core");
    for (word, load) in loads {
        let mut frames = load.frames(dir).expect("frames");
        for rate in rates {
            let trial = Bench::new(Some(binary), 1, dir).trial(&mut frames, *load == Load::Storm, Some(*rate), 3 * SPAN, &mut 0);
            println!("{word:<8} {rate:>14} {:>14.0} {:>10} {:>9.0}%", trial.rate, trial.lost, trial.core * 100.0);
        }
    }
}

fn row(load: &str, receiver: &str, trial: Trial, limit: bool, ratio: f64) {
    let mark = if limit { "*" } else { " " };
    println!("{load:<8} {receiver:<20} {:>13.0}{mark} {ratio:>8.2} {:>9.0}%", trial.rate, trial.core * 100.0);
}

/// A day compressed: the same process, memory sampled, findings compared.
fn long(binary: &Path, dir: &Path) -> bool {
    let bench = Bench::new(Some(binary), 1, dir);
    let Receiver::Sensor(daemon) = &bench.receiver else { return false };
    let frames = Load::Day.frames(dir).expect("frames");
    let rate = 600_000;
    let mut round = Pace::new(Some(rate), None);
    bench.sender.send(&frames, &mut round).expect("the wire takes it");
    bench.receiver.settled();
    let ids = || {
        let mut ids: Vec<String> = daemon.findings().iter().map(|f| format!("{} {} {}", f["id"], f["level"], f["verdict"])).collect();
        ids.sort();
        ids
    };
    let (known, before, arrived) = (ids(), bench.receiver.count(), bench.pair.arrived());
    println!("{:>12} {:>14} {:>12} {:>10}", "seconds", "frames", "memory MiB", "findings");
    let mut pace = Pace::new(Some(rate), None);
    let (mut told, mut memory) = (Instant::now(), Vec::new());
    while pace.sent < LONG {
        bench.sender.send(&frames, &mut pace).expect("the wire takes it");
        if told.elapsed() > Duration::from_secs(10) || pace.sent >= LONG {
            told = Instant::now();
            memory.push(daemon.resident_kib());
            let mib = daemon.resident_kib() as f64 / 1024.0;
            println!("{:>12.0} {:>14} {mib:>12.1} {:>10}", pace.elapsed().as_secs_f64(), pace.sent, daemon.findings().len());
        }
    }
    let after = bench.receiver.settled();
    let lost = (bench.pair.arrived() - arrived).saturating_sub(after.frames - before.frames).max(after.lost - before.lost);
    let gone = known.iter().filter(|k| !ids().contains(k)).count();
    let half = memory.len() / 2;
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or(0) as f64 / 1024.0;
    let (early, late) = (most(&memory[..half]), most(&memory[half..]));
    println!(
        "{} frames, {lost} lost, {} findings, {gone} of them gone, memory at most {early:.1} MiB in the first half, {late:.1} MiB in the second",
        pace.sent,
        known.len()
    );
    gone == 0 && late <= early * 1.05
}
