//! `ringfence judge`: what a policy would have said about the stored past.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args as ClapArgs, ValueEnum};
use ringfence_core::correlate::{Rejudged, rejudge};
use ringfence_core::finding::Finding;
use ringfence_core::policy::Verdict;
use ringfence_core::time::Timestamp;
use serde_json::json;

use super::past::{self, Past};
use super::safe::printable;
use super::{Exit, Failure, Terminal, table, written};
use crate::clock::now;
use crate::store::Which;

/// Judge the stored past by another policy: which findings would have been others
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence judge -c new.toml                       everything that is stored, by the new policy
  ringfence judge -c new.toml --since 2026-11-01    what was seen since then
  ringfence judge -c new.toml -o json               a line for each finding that would be another one

Nothing is changed. A running sensor judges its open findings by the same code when it gets another policy (`ringfence reload`);
findings that were resolved keep the verdict that they had.

Exit codes: 0 done, 66 the store cannot be read, 77 the site key cannot be read, 78 configuration")]
pub struct Args {
    #[command(flatten)]
    past: past::Args,
    /// Only findings with a sign at this time or later: a date, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value = "human")]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Human,
    /// A JSON object in each line
    Json,
}

/// Reads a time of the command line.
///
/// # Errors
/// What is wrong with it.
pub fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write 2026-11-01 or 2026-11-01T08:00:00Z".to_string())
}

/// A finding before and after.
struct Change {
    before: Finding,
    now: Option<Finding>,
}

impl Change {
    fn verdicts(&self) -> (&'static str, &'static str) {
        (self.before.verdict.name(), self.now.as_ref().map_or("none", |f| f.verdict.name()))
    }

    fn differs(&self) -> bool {
        let (before, now) = self.verdicts();
        before != now || self.now.as_ref().is_some_and(|f| f.segment != self.before.segment)
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the configuration is wrong, or the store cannot be read.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let past = Past::open(&args.past, terminal)?;
    let which = Which::Since(args.since.unwrap_or(Timestamp::ZERO));
    let (kept, unreadable) = past.reader.findings(which).map_err(past::failure)?;
    let changes = judged(&past, kept.into_iter().map(|t| t.finding).collect());
    let text = match args.output {
        Form::Human => human(&past, &changes, unreadable, terminal),
        Form::Json => changes.iter().filter(|c| c.differs()).map(|c| line(&past, c)).collect(),
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}

fn judged(past: &Past, findings: Vec<Finding>) -> Vec<Change> {
    let mut policy = past.policy_at(now());
    let before: BTreeMap<String, Finding> = findings.iter().map(|f| (f.id.clone(), f.clone())).collect();
    let judged = rejudge(&mut policy, findings);
    judged.into_iter().filter_map(|Rejudged { before: id, now }| Some(Change { before: before.get(&id)?.clone(), now })).collect()
}

fn human(past: &Past, changes: &[Change], unreadable: u64, terminal: &Terminal) -> String {
    let different: Vec<&Change> = changes.iter().filter(|c| c.differs()).collect();
    let mut text = format!("{} findings in the store, {} would be others\n", changes.len(), different.len());
    if unreadable > 0 {
        text += &format!("{unreadable} cannot be read by this version and were left out\n");
    }
    let row = |c: &&Change| {
        let (before, now) = c.verdicts();
        let segment = c.now.as_ref().map_or(&c.before.segment, |f| &f.segment);
        let moved = if *segment == c.before.segment { segment.clone() } else { format!("{} (was {})", segment, c.before.segment) };
        let id = past.names.finding(&c.before.id);
        [before, now, &device(past, &c.before), &c.before.app, &moved, &id].map(|cell| printable(cell.as_bytes())).to_vec()
    };
    text += &table::text(&table::headed(&["was", "would be", "device", "app", "segment", "finding"], different.iter().map(row)), terminal);
    text + &totals(changes, terminal)
}

/// Findings by verdict, before and after.
fn totals(changes: &[Change], terminal: &Terminal) -> String {
    let count = |pick: &dyn Fn(&Change) -> &'static str| {
        changes.iter().fold(BTreeMap::<&str, usize>::new(), |mut sum, change| {
            *sum.entry(pick(change)).or_default() += 1;
            sum
        })
    };
    let (before, after) = (count(&|c| c.verdicts().0), count(&|c| c.verdicts().1));
    let words = Verdict::WORDS.iter().map(|(word, _)| *word).chain(["none"]);
    let rows = words.filter(|w| before.contains_key(w) || after.contains_key(w)).map(|word| {
        let cell = |sum: &BTreeMap<&str, usize>| sum.get(word).copied().unwrap_or(0).to_string();
        vec![word.to_string(), cell(&before), cell(&after)]
    });
    table::text(&table::headed(&["verdict", "was", "would be"], rows), terminal)
}

fn device(past: &Past, finding: &Finding) -> String {
    if past.names.is_keyed() { past.names.device(&finding.device.key) } else { finding.device.key.clone() }
}

fn line(past: &Past, change: &Change) -> String {
    let (before, now) = change.verdicts();
    let after = change.now.as_ref();
    let value = json!({
        "type": "rejudged", "finding": past.names.finding(&change.before.id), "device": device(past, &change.before),
        "app": change.before.app, "segment_before": change.before.segment, "segment": after.map(|f| &f.segment),
        "before": before, "after": now, "policy": after.map(|f| &f.policy), "waiver": after.and_then(|f| f.waiver.as_ref()),
    });
    format!("{value}\n")
}
