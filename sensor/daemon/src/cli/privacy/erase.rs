//! `ringfence privacy erase`: a device is forgotten.

use std::io::{self, Write};

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;

use crate::cli::client::{Sensor, segment};
use crate::cli::{Exit, Failure, written};

/// Have the running sensor forget a device: findings, history and uses of waivers, in memory and on disk
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence privacy erase dev-26e16cf23385 --reason \"request 12\" --token-file jana.token
  ringfence privacy erase mac:02:00:5e:10:00:01 --reason \"request 12\" --token-file jana.token

The audit log keeps that a device was erased, by whom and why, and not which. What the device sends later is seen again.

Exit codes: 0 forgotten, 66 no sensor answers, 69 refused or not known, 77 the token is not of an operator with the right `erase`")]
pub struct Args {
    /// The device: its pseudonym, or its key (`mac:...`, `reg:...`, `addr:...`)
    #[arg(value_name = "DEVICE")]
    device: String,
    /// Why: it goes into the audit log, so it should name nobody
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    sensor: Sensor,
}

/// See `Erased` in docs/openapi.json.
#[derive(Deserialize)]
struct Answer {
    rows: u64,
    clean: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when no sensor answers, or it refuses.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let path = format!("/api/v1/devices/{}/erase", segment(&args.device));
    let answer: Answer = args.sensor.client()?.post_with(&path, &json!({ "reason": args.reason }))?;
    let traces = match answer.clean {
        true => "no byte of them is left in the store's files",
        false => "another program reads the store: their bytes leave the write-ahead log when it has ended",
    };
    written(writeln!(io::stdout().lock(), "forgotten: {} rows deleted; {traces}", answer.rows))?;
    Ok(Exit::Fine)
}
