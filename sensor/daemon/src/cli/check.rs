//! `ringfence check`: is everything right that people wrote? Configuration, segments, devices, waivers, rules: all errors at once.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args as ClapArgs;
use ringfence_core::policy::{Policy, Segment};

use super::safe::printable;
use super::{Exit, Failure, Terminal, problems, table};
use crate::config::{Config, apps_of};
use crate::rules_store::RulesStore;

/// Check configuration, segments, devices, waivers and rules; tell everything that is wrong at once
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence check -c /etc/ringfence/ringfence.toml
  ringfence check --rules /etc/ringfence/rules

When everything is right it shows what holds where: each segment, each app's status in it, each waiver.

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
    let rules = RulesStore::load(super::rules_dir(args.rules.as_deref(), args.config.as_deref()).as_deref());
    let apps = apps_of(&rules);
    let config = Config::load_optional(args.config.as_deref(), &apps);
    let (rules, config) = problems::both(rules, config, terminal).map_err(|failure| Failure { help: None, ..failure })?;
    let mut warnings = rules.warnings.clone();
    warnings.extend(config.warnings.clone());
    eprint!("{}", problems::text(&warnings, terminal));
    let mut out = io::stdout().lock();
    let told = writeln!(out, "rules: {}", rules.version)
        .and_then(|()| overview(&config, &apps, terminal, &mut out))
        .and_then(|()| writeln!(out, "{}", problems::summary(&warnings)));
    super::written(told.and_then(|()| out.flush()))?;
    Ok(Exit::Fine)
}

/// What holds where.
fn overview(config: &Config, apps: &[String], terminal: &Terminal, out: &mut dyn Write) -> io::Result<()> {
    let policy = &config.policy;
    if !policy.is_configured() {
        return writeln!(out, "policy: none given (-c ringfence.toml): everything is observed, segments are derived");
    }
    let files: Vec<String> = config.files.iter().map(|f| printable(f.as_bytes())).collect();
    writeln!(out, "configuration: {}", files.join(", "))?;
    let designated = policy.register.devices().filter(|d| d.designated).count();
    let (devices, lines) = (policy.register.devices().count(), policy.lines.len());
    writeln!(out, "{devices} devices in the register, {designated} designated; {lines} policy lines, then the defaults of each class")?;
    for rows in [segments(policy), statuses(policy, apps), waivers(policy)] {
        write!(out, "{}", table::text(&rows, terminal))?;
    }
    writeln!(out)
}

fn segments(policy: &Policy) -> Vec<Vec<String>> {
    let row = |s: &Segment| {
        let selectors: Vec<String> = s.selectors.iter().map(|s| printable(s.to_string().as_bytes())).collect();
        vec![s.name.to_string(), s.class.name().to_string(), selectors.join(", ")]
    };
    table::headed(&["segment", "class", "what belongs to it"], policy.segments.all().map(row))
}

fn statuses(policy: &Policy, apps: &[String]) -> Vec<Vec<String>> {
    let status = |app: &str, segment: &Segment| {
        let standing = policy.standing(app, segment);
        let note = if standing.waivable && standing.status == ringfence_core::policy::Status::Banned { " unless waived" } else { "" };
        format!("{}{note}", standing.status.name())
    };
    let row = |s: &Segment| std::iter::once(s.name.to_string()).chain(apps.iter().map(|app| status(app, s))).collect();
    let header: Vec<&str> = std::iter::once("segment").chain(apps.iter().map(String::as_str)).collect();
    table::headed(&header, policy.segments.all().map(row))
}

fn waivers(policy: &Policy) -> Vec<Vec<String>> {
    let rows = policy.waivers.iter().map(|w| {
        let (start, end) = (w.start.to_minute(), w.last_moment());
        let span = format!("{} to {}", start.trim_end_matches(" UTC"), end);
        vec![w.id.clone(), w.holders.join(", "), w.apps.join(", "), w.segments.join(", "), span, printable(w.approver.as_bytes())]
    });
    table::headed(&["waiver", "holders", "apps", "segments", "valid", "approved by"], rows)
}
