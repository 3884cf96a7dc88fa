//! `ringfence resolve`: who is behind a pseudonym.

use std::io::{self, Write};

use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;

use super::client::{Sensor, segment};
use super::safe::printable;
use super::{Exit, Failure, written};

/// Learn who is behind one pseudonym; the audit log keeps who asked and why
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence resolve dev-26e16cf23385 --reason \"incident 4711\" --token-file jana.token
  ringfence resolve --confirm 5f0c1a2b3c4d5e6f --token-file petr.token

With [privacy] resolve_two_persons the first question is answered with an id; another operator confirms it within 15 minutes and gets the
answer. An operator may ask 10 times in an hour. There is no way to list who is behind all of them.

Exit codes: 0 told or waiting, 66 no sensor answers, 69 refused, 77 the token is not of an operator with the right `resolve`")]
pub struct Args {
    /// The device, as the API and alerts call it
    #[arg(value_name = "PSEUDONYM", required_unless_present = "confirm")]
    pseudonym: Option<String>,
    /// Why: it goes into the audit log
    #[arg(long, required_unless_present = "confirm")]
    reason: Option<String>,
    /// Confirm what another operator has asked
    #[arg(long, value_name = "ID", conflicts_with_all = ["pseudonym", "reason"])]
    confirm: Option<String>,
    #[command(flatten)]
    sensor: Sensor,
}

/// See `Resolved` in docs/openapi.json.
#[derive(Deserialize)]
struct Answer {
    device: Option<Device>,
    pending: Option<Pending>,
}

#[derive(Deserialize)]
struct Device {
    id: String,
    mac: Option<String>,
    addresses: Vec<String>,
    name: Option<String>,
    register: Option<String>,
}

#[derive(Deserialize)]
struct Pending {
    id: String,
    until: String,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when no sensor answers, or it refuses.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let client = args.sensor.client()?;
    let answer: Answer = match &args.confirm {
        Some(id) => client.post(&format!("/api/v1/resolve/{}/confirm", segment(id)))?,
        None => client.post_with("/api/v1/resolve", &json!({ "pseudonym": args.pseudonym, "reason": args.reason }))?,
    };
    written(io::stdout().lock().write_all(told(&answer).as_bytes()))?;
    Ok(Exit::Fine)
}

fn told(answer: &Answer) -> String {
    let mut lines = Vec::new();
    if let Some(pending) = &answer.pending {
        lines.push(format!("waits for another operator until {}: ringfence resolve --confirm {}", pending.until, pending.id));
    }
    if let Some(device) = &answer.device {
        lines.push(device.id.clone());
        let rows = [("register", &device.register), ("name", &device.name), ("mac", &device.mac)];
        lines.extend(rows.iter().filter_map(|(what, value)| value.as_ref().map(|value| format!("  {what:<10}{value}"))));
        lines.extend(device.addresses.iter().map(|address| format!("  {:<10}{address}", "address")));
    }
    lines.iter().map(|line| printable(line.as_bytes()) + "\n").collect()
}
