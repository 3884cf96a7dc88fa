//! The command line: one file per subcommand, and the table of them.

pub mod acknowledge;
pub mod audit;
pub mod check;
pub mod client;
pub mod device;
pub mod dissect;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod fields;
pub mod generate;
pub mod judge;
pub mod past;
pub mod privacy;
pub mod problems;
pub mod reload;
pub mod resolve;
pub mod rules;
pub mod run;
pub mod safe;
pub mod scan;
pub mod table;
pub mod terminal;
pub mod top;
pub mod waiver;

use std::io;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};

use crate::capture::{CaptureError, Source};

pub use exit::{Exit, Failure};
pub use terminal::Terminal;

/// Recognises WeChat and its kin in network captures, ties it to devices, and judges it by your separation policy
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  ringfence scan capture.pcap                     which device used what
  ringfence scan -c ringfence.toml capture.pcap   and whether it was allowed
  ringfence explain web.wechat.com                what the rules say about a name
  ringfence run -c ringfence.toml                 the same, live, until stopped
  ringfence check -c ringfence.toml               is my configuration right
  ringfence doctor -c ringfence.toml              can this machine do it")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::Args),
    Run(run::Args),
    Dissect(dissect::Args),
    Explain(explain::Args),
    Judge(judge::Args),
    Check(check::Args),
    Reload(reload::Args),
    Acknowledge(acknowledge::Args),
    Waiver(waiver::Args),
    Device(device::Args),
    Top(top::Args),
    Doctor(doctor::Args),
    Audit(audit::Args),
    Resolve(resolve::Args),
    Privacy(privacy::Args),
    Rules(rules::Args),
    Fields(fields::Args),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`] with the exit code.
    pub fn run(&self) -> Result<Exit, Failure> {
        let terminal = Terminal::stdout();
        match &self.command {
            Command::Scan(args) => scan::run(args, &terminal),
            Command::Run(args) => run::run(args, &terminal),
            Command::Dissect(args) => dissect::run(args, &terminal),
            Command::Explain(args) => explain::run(args, &terminal),
            Command::Judge(args) => judge::run(args, &terminal),
            Command::Check(args) => check::run(args, &terminal),
            Command::Reload(args) => reload::run(args, &terminal),
            Command::Acknowledge(args) => acknowledge::run(args),
            Command::Waiver(args) => waiver::run(args, &terminal),
            Command::Device(args) => device::run(args, &terminal),
            Command::Top(args) => top::run(args, &terminal),
            Command::Doctor(args) => doctor::run(args, &terminal),
            Command::Audit(args) => audit::run(args, &terminal),
            Command::Resolve(args) => resolve::run(args),
            Command::Privacy(args) => privacy::run(args, &terminal),
            Command::Rules(args) => rules::run(args, &terminal),
            Command::Fields(args) => fields::run(args, &terminal),
            Command::Completions(args) => generate::completions(args, Cli::command()),
            Command::Man(args) => generate::man(args, Cli::command()),
        }
    }
}

/// What a word stands for, where it is one of `words`.
pub fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(w, _)| *w == text).map(|(_, value)| *value)
}

/// The folder of the site's own rules: what `--rules` says, else what the configuration says.
pub fn rules_dir(given: Option<&Path>, config: Option<&Path>) -> Option<PathBuf> {
    given.map(Path::to_path_buf).or_else(|| config.and_then(crate::config::Config::rules_dir))
}

/// Tells what inputs lost, and gives what failed: errors, and damage that hides traffic. Everything that was not read is added to
/// `unread`.
pub fn input_failures(source: &mut dyn Source, errors: Vec<CaptureError>, unread: &mut Vec<String>) -> Vec<Failure> {
    unread.extend(errors.iter().map(ToString::to_string));
    let mut failures: Vec<Failure> = errors.into_iter().map(Failure::from).collect();
    for warning in source.warnings() {
        unread.push(warning.to_string());
        if warning.exit() == Exit::Fine {
            eprintln!("ringfence: {warning}");
        } else {
            failures.push(Failure { exit: warning.exit(), message: warning.to_string(), help: warning.broken.help });
        }
    }
    failures
}

/// Tells all failures; the first one decides the exit code.
///
/// # Errors
/// The first failure.
pub fn first_failure(failures: Vec<Failure>) -> Result<(), Failure> {
    let mut failures = failures.into_iter();
    let first = failures.next();
    failures.for_each(|f| eprintln!("{f}"));
    first.map_or(Ok(()), Err)
}

/// Whether the answer got out. A reader that went away (`| head`) is no failure.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(Exit::Output, format!("standard output: {error}"), Some("is the disk full?".to_string()))),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_put_together_rightly() {
        Cli::command().debug_assert();
    }
}
