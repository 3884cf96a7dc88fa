//! `ringfence run`: the daemon.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Exit, Failure, Terminal, problems};
use crate::daemon::{self, StartError};
use crate::reload::{Loaded, Paths};

/// Watch interfaces until stopped: findings to the store, metrics and API over HTTP
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence run -c /etc/ringfence/ringfence.toml
  ringfence run -c ringfence.toml -i span0            instead of [capture] interfaces
  kill -HUP $(pidof ringfence)                        reload; a bad set leaves the old one running
  curl -s http://127.0.0.1:9477/api/v1/findings

Started as root it becomes [state] user and keeps CAP_NET_RAW only. It says on standard error what it does.

Exit codes: 0 stopped by SIGTERM or SIGINT, 69 an address or the store cannot be used, 77 not permitted, 78 configuration")]
pub struct Args {
    /// Configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// A folder of your own rules, laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Listen on this interface instead of those of the configuration; may be given several times
    #[arg(short, long, value_name = "NAME")]
    interface: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when it cannot start.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let paths = Paths { config: args.config.clone(), rules: args.rules.clone() };
    let (rules, config) = Loaded::parts(&paths);
    let (rules, mut config) = problems::both(rules, config, terminal)?;
    let mut warnings = rules.warnings.clone();
    warnings.extend(config.warnings.clone());
    eprint!("{}", problems::text(&warnings, terminal));
    if !args.interface.is_empty() {
        config.service.capture.interfaces.clone_from(&args.interface);
    }
    daemon::run(Loaded::new(paths, rules, config)).map_err(failure)?;
    Ok(Exit::Fine)
}

fn failure(error: StartError) -> Failure {
    Failure::new(error.exit, error.message, Some(error.help))
}
