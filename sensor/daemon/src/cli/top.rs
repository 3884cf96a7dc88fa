//! `ringfence top`: what the running sensor sees, live, over its API. It knows nothing but what the API tells.

mod live;
mod screen;
mod snapshot;
mod tone;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args as ClapArgs;

use super::client::Sensor;
use super::{Exit, Failure, Terminal, written};
use snapshot::Snapshot;

/// Show what the running sensor sees, live: findings, segments, rings, alarms
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence top                                   the sensor on this machine
  ringfence top --once                            one screen, for scripts and mails
  ringfence top --url https://sensor.example.org:9477 --token-file token --ca ca.pem")]
pub struct Args {
    #[command(flatten)]
    sensor: Sensor,
    /// Print one screen and end; also when standard output is no terminal
    #[arg(long)]
    once: bool,
    /// Seconds between looks
    #[arg(long, value_name = "SECS", default_value = "2", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the sensor does not answer or the terminal cannot be used.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let client = args.sensor.client()?;
    let first = Snapshot::fetch(&client, snapshot::FINDINGS_MAX)?;
    if !args.once && io::stdout().is_terminal() && io::stdin().is_terminal() {
        return live::run(client, first, Duration::from_secs(args.every), terminal).map(|()| Exit::Fine);
    }
    let mut text = String::new();
    for line in screen::whole(&first, terminal.width) {
        text.push_str(tone::ansi(&line, terminal).trim_end());
        text.push('\n');
    }
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}
