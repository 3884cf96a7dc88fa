//! `ringfence acknowledge`: somebody takes care of a finding.

use std::io::{self, Write};

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;

use super::client::{Sensor, segment};
use super::safe::printable;
use super::{Exit, Failure, written};

/// Take care of a finding of the running sensor: it escalates no more
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  ringfence acknowledge rf-0c6ee9f4d9aa1b7e --note \"phone is being collected\" --token-file jana.token

A finding that gets worse, or is opened again, is nobody's care any more.

Exit codes: 0 noted, 66 no sensor answers, 69 refused, 77 the token is not of an operator with the right `acknowledge`")]
pub struct Args {
    /// The finding, as the API and alerts call it
    #[arg(value_name = "FINDING")]
    finding: String,
    /// What will be done, or why nothing need be
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    sensor: Sensor,
}

/// The finding; see `FindingEntry` in docs/openapi.json.
#[derive(Deserialize)]
struct Answer {
    id: String,
    app: String,
    segment: String,
    verdict: String,
    acknowledged: Option<Acknowledged>,
}

#[derive(Deserialize)]
struct Acknowledged {
    at: String,
    by: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when no sensor answers, or it refuses.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let path = format!("/api/v1/findings/{}/acknowledge", segment(&args.finding));
    let answer: Answer = args.sensor.client()?.post_with(&path, &json!({ "note": args.note }))?;
    let noted = answer.acknowledged.map_or(String::new(), |a| format!(": {} at {}", a.by, a.at));
    let line = format!("{} ({} of {} in {}) acknowledged{noted}", answer.id, answer.verdict, answer.app, answer.segment);
    written(writeln!(io::stdout().lock(), "{}", printable(line.as_bytes())))?;
    Ok(Exit::Fine)
}
