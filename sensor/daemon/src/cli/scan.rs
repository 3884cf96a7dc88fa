//! `ringfence scan`: capture files in, judged findings out.

mod keep;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args as ClapArgs, ValueEnum};
use ringfence_core::correlate::Correlator;
use ringfence_core::finding::Finding;
use ringfence_core::identity::Identity;
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::worker::Worker;

use self::keep::Keeping;
use super::{Exit, Failure, Terminal, problems, word};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::capture::{Files, Meter, Options};
use crate::config::Config;
use crate::output::{self, ScanResult};
use crate::ring;
use crate::rules_store::RulesStore;

/// Which form the answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// JSON lines.
    Json,
    /// One row per finding.
    Csv,
}

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// A finding with this verdict or a more serious one.
    Verdict(Verdict),
    /// A finding of this level or a surer one.
    Level(Level),
}

/// Scan capture files and print which device used which app, how sure that is, why, and what the policy says
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence scan office.pcap                            who used what; segments derived from VLAN or prefix
  ringfence scan -c ringfence.toml *.pcapng.zst         judged by your policy
  tcpdump -w - -i span0 | ringfence scan -              from a pipe
  ringfence scan -o json --flows x.pcap | jq .          every finding and the flows that it rests on
  ringfence scan -c ringfence.toml --store state x.pcap   and kept, for `judge` and `explain --device`
  ringfence scan -c ringfence.toml --fail-on unapproved x.pcap && echo clean

Exit codes: 0 fine, 1 findings at or above --fail-on, 2 usage, 65 not a capture, 66 cannot be opened, 77 not permitted, 78 configuration")]
pub struct Args {
    /// Capture files (pcap, pcapng; plain, gzip, zstd); `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Also put what is found into the store of this state directory, as a running sensor does; none may be running on it
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Configuration: segments, devices, waivers, policy
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of your own rules, laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "human")]
    output: Format,
    /// Also list every flow that a finding rests on
    #[arg(long)]
    flows: bool,
    /// Exit with 1 when a finding is at or above this verdict or level
    #[arg(long, value_name = "VERDICT|LEVEL", value_parser = parse_bar)]
    fail_on: Option<Bar>,
}

fn parse_bar(text: &str) -> Result<Bar, String> {
    let verdict = word(text, &Verdict::WORDS).map(Bar::Verdict);
    verdict.or_else(|| word(text, &Level::WORDS).map(Bar::Level)).ok_or_else(|| {
        let words = Verdict::WORDS.iter().map(|(w, _)| *w).chain(Level::WORDS.iter().map(|(w, _)| *w));
        let known: Vec<&str> = words.clone().collect();
        match ringfence_core::diagnostic::nearest(text, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", known.join(", ")),
        }
    })
}

impl Bar {
    fn reached(self, finding: &Finding) -> bool {
        match self {
            Bar::Verdict(bar) => finding.verdict <= bar,
            Bar::Level(bar) => finding.level >= bar,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when configuration or rules are wrong, an input cannot be read, or the answer cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    if args.flows && args.output == Format::Csv {
        return Err(Failure::new(
            Exit::Usage,
            "CSV has one row per finding, and no flows",
            "use -o json, or leave out --flows".to_string(),
        ));
    }
    let (rules, config) = load(args, terminal)?;
    let (result, failures) = scan(args, &rules, config)?;
    let mut out = BufWriter::new(io::stdout().lock());
    // What could not be read must not look like traffic in which nothing was found.
    let unread = !failures.is_empty() && result.tally.frames == 0;
    let written = match args.output {
        Format::Human if unread => Ok(()),
        Format::Human => output::human::write(&result, args.flows, terminal, &mut out),
        Format::Json => output::json::write(&result, args.flows, &mut out),
        Format::Csv => output::csv::write(&result, &mut out),
    };
    super::written(written.and_then(|()| out.flush()))?;
    super::first_failure(failures)?;
    let failed = args.fail_on.is_some_and(|bar| result.findings.iter().any(|f| bar.reached(f)));
    Ok(if failed { Exit::Findings } else { Exit::Fine })
}

/// Rules and configuration; all their problems at once.
fn load(args: &Args, terminal: &Terminal) -> Result<(RulesStore, Config), Failure> {
    let rules = RulesStore::load(super::rules_dir(args.rules.as_deref(), args.config.as_deref()).as_deref());
    let config = Config::load_optional(args.config.as_deref(), &crate::config::apps_of(&rules));
    problems::both(rules, config, terminal)
}

/// Is set by the first SIGINT or SIGTERM: what was read by then is judged. The second one ends the process.
fn interrupted() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without a handler the signal simply ends the process.
        let second = signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop));
        let _ = second.and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
    }
    stop
}

/// Reads all inputs and judges what they show. Warnings go to standard error; every input that failed comes back.
fn scan(args: &Args, rules: &RulesStore, config: Config) -> Result<(ScanResult, Vec<Failure>), Failure> {
    let meter = Meter::on_stderr(&args.files);
    let stop = interrupted();
    let mut source = Files::new(args.files.clone(), Options { meter: meter.clone(), stop: Arc::clone(&stop), ..Options::default() });
    let mut set = Arc::clone(&rules.set);
    if !config.policy.work_names.is_empty() {
        Arc::make_mut(&mut set).add_work_services(&config.policy.work_names);
    }
    let policy_given = config.policy.is_configured();
    let identity = Identity::new(config.register());
    let mut correlator = Correlator::new(Arc::clone(&set), config.policy, identity, Vec::new());
    let mut worker = Worker::new(0, set, 0);
    worker.set_grain(correlator.grain());
    let mut keeping = args.store.as_deref().map(|dir| Keeping::open(dir, &mut correlator)).transpose()?;
    let errors = ring::replay_told(&mut source, &mut worker, &mut correlator, keep::stepping(&mut keeping));
    meter.finish();
    let mut unread = Vec::new();
    let failures = super::input_failures(&mut source, errors, &mut unread);
    if stop.load(Ordering::Relaxed) {
        unread.push("stopped by a signal: what came behind was not read".to_string());
    }
    let report = correlator.report();
    let limits = correlator.limits();
    let result = ScanResult {
        inputs: args.files.clone(),
        unread,
        rules: rules.version.clone(),
        policy: policy_given,
        findings: report.findings,
        flows: report.flows,
        tally: worker.tally().clone(),
        segments: output::segments([&worker.tally().places], &mut correlator),
        limits,
    };
    if let Some(keeping) = keeping {
        keeping.finish(&result, &mut correlator)?;
    }
    Ok((result, failures))
}
