//! `ringfence check`: is everything right that people wrote? Configuration, segments, devices, waivers, rules: all errors at once.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use ringfence_core::policy::SegmentClass;

use super::{Exit, Failure, Terminal, problems};
use crate::config::Config;
use crate::rules_store::RulesStore;

/// Check configuration, segments, devices, waivers and rules; tell everything that is wrong at once
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence check -c /etc/ringfence/ringfence.toml
  ringfence check --rules /etc/ringfence/rules

Exit codes: 0 fine, 78 something is wrong")]
pub struct Args {
    /// Configuration
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of your own rules, laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with exit code 78 when something is wrong.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let (rules, config) = problems::both(RulesStore::load(args.rules.as_deref()), Config::load_optional(args.config.as_deref()), terminal)?;
    let mut warnings = rules.warnings.clone();
    warnings.extend(config.warnings.clone());
    eprint!("{}", problems::text(&warnings, terminal));
    println!("rules: {}", rules.version);
    if config.policy.is_configured() {
        let of = |class: SegmentClass| config.policy.segments.all().filter(|s| s.class == class).count();
        let classes: Vec<String> = SegmentClass::WORDS.iter().map(|(word, class)| format!("{} {word}", of(*class))).collect();
        let designated = config.policy.register.devices().filter(|d| d.designated).count();
        println!("segments: {}", classes.join(", "));
        println!("devices: {} in the register, {designated} designated", config.policy.register.devices().count());
        println!("waivers: {}", config.policy.waivers.len());
        println!("policy: {} lines, then the defaults of each class", config.policy.lines.len());
    } else {
        println!("policy: none given (-c ringfence.toml)");
    }
    println!("{}", problems::summary(&warnings));
    Ok(Exit::Fine)
}
