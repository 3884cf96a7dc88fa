//! `ringfence rules`: what is looked for, and whether the rules do what they say.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use ringfence_core::rules::{Effect, IndicatorId, Pattern, Rule};
use serde_json::json;

use super::{Exit, Failure, Terminal, problems, written};
use crate::rules_store::{self, RulesStore};

/// Which form a list takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// JSON lines.
    Json,
}

/// List, show and test the rules
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence rules list --app wechat
  ringfence rules show wechat.mmtls.hello-mutual
  ringfence rules test --rules ./my-rules")]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// A folder of your own rules, laid over the shipped ones
    #[arg(long, value_name = "DIR", global = true)]
    rules: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every indicator, a line each
    List {
        /// Of one app only
        #[arg(long)]
        app: Option<String>,
        /// Form of the list
        #[arg(short, long, value_enum, default_value = "human")]
        output: Format,
    },
    /// One indicator with its patterns and tests
    Show {
        /// Its id
        id: String,
    },
    /// Run the tests that stand in the rule files
    Test,
    /// Tell indicators without a positive or a negative test
    Coverage,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when rules are wrong, an id is not known, or the answer cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let (store, ()) = problems::both(RulesStore::load(args.rules.as_deref()), Ok(()), terminal)?;
    let (text, exit) = match &args.what {
        What::List { app, output } => (list(&store, app.as_deref(), *output)?, Exit::Fine),
        What::Show { id } => (show(&store, id)?, Exit::Fine),
        What::Test => test(&store),
        What::Coverage => coverage(&store),
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(exit)
}

fn list(store: &RulesStore, app: Option<&str>, format: Format) -> Result<String, Failure> {
    let rules: Vec<(IndicatorId, &Rule)> = store.set.rules().filter(|(_, r)| app.is_none_or(|a| *r.indicator.app == *a)).collect();
    if rules.is_empty() {
        let apps: std::collections::BTreeSet<&str> = store.set.rules().map(|(_, r)| &*r.indicator.app).collect();
        let known = apps.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Failure::new(Exit::Usage, format!("there is no rule for `{}`", app.unwrap_or("")), Some(format!("apps: {known}"))));
    }
    let line = |rule: &Rule| match format {
        Format::Json => format!("{}\n", as_json(rule)),
        Format::Human => {
            let i = &rule.indicator;
            let weight = if i.effect == Effect::Evidence { format!("{:.2}/{:.2}", i.weight, i.dns_weight) } else { "-".into() };
            format!(
                "{:<40} {:<8} {:<7} {:<18} {weight:<10} {:>8}  {}\n",
                i.id,
                i.app,
                i.surface.name(),
                i.class,
                rule.names.len() + rule.patterns.len(),
                i.maturity.name()
            )
        }
    };
    let header = match format {
        Format::Human => {
            format!("{:<40} {:<8} {:<7} {:<18} {:<10} {:>8}  {}\n", "id", "app", "surface", "class", "weight/DNS", "patterns", "maturity")
        }
        Format::Json => String::new(),
    };
    Ok(std::iter::once(header).chain(rules.iter().map(|(_, r)| line(r))).collect())
}

fn as_json(rule: &Rule) -> serde_json::Value {
    let i = &rule.indicator;
    json!({
        "id": *i.id, "app": *i.app, "surface": i.surface.name(), "class": *i.class, "region": *i.region,
        "weight": i.weight, "dns_weight": i.dns_weight, "starts": i.starts, "low": i.low,
        "effect": format!("{:?}", i.effect).to_lowercase(), "teaches": format!("{:?}", i.teaches).to_lowercase(),
        "maturity": i.maturity.name(), "source": *i.source, "false_alarms": *i.false_alarms,
        "file": *i.file, "line": i.line, "fields": rule.fields.iter().map(|f| f.name).collect::<Vec<_>>(),
        "patterns": patterns(rule),
    })
}

/// All patterns of a rule in words.
fn patterns(rule: &Rule) -> Vec<String> {
    rule.names.iter().map(name_pattern).chain(rule.patterns.iter().map(pattern)).collect()
}

/// A host name pattern in words.
pub(super) fn name_pattern(name: &str) -> String {
    name.strip_prefix('.').map_or_else(|| name.to_string(), |suffix| format!("{suffix} and below"))
}

fn pattern(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Is(text) => format!("is {text}"),
        Pattern::Prefix(text) => format!("begins with {text}"),
        Pattern::Contains(text, without) if without.is_empty() => format!("contains {text}"),
        Pattern::Contains(text, without) => format!("contains {text}, without {}", without.join(" or ")),
        Pattern::Cidr(prefix) => prefix.to_string(),
    }
}

fn show(store: &RulesStore, id: &str) -> Result<String, Failure> {
    let Some((_, rule)) = store.set.rules().find(|(_, r)| *r.indicator.id == *id) else {
        let near = ringfence_core::diagnostic::nearest(id, store.set.rules().map(|(_, r)| &*r.indicator.id));
        let help = near.map_or_else(|| "see `ringfence rules list`".to_string(), |n| format!("did you mean `{n}`?"));
        return Err(Failure::new(Exit::Usage, format!("there is no indicator `{id}`"), Some(help)));
    };
    let i = &rule.indicator;
    let mut text = String::new();
    let mut row = |label: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{label:>13}  {value}");
        }
    };
    row("id", &i.id);
    row("app", &format!("{} ({})", i.app, i.surface.name()));
    row("class", &i.class);
    row("region", &i.region);
    let fields: Vec<&str> = rule.fields.iter().map(|f| f.name).collect();
    row("looks at", if fields.is_empty() { "every host name" } else { "" });
    row("looks at", &fields.join(", "));
    match i.effect {
        Effect::Evidence => row("weight", &format!("{:.2}, in DNS {:.2}{}", i.weight, i.dns_weight, if i.low { " (low)" } else { "" })),
        Effect::Disguise => row("effect", "a disguise: voids the HTTP signs of its flow"),
        Effect::Context => row("effect", "context: never evidence; keeps a shorter name from matching"),
        Effect::WorkService => row("effect", "a work service of the organisation"),
    }
    row("may start", if i.starts { "a detection" } else { "nothing: it only extends one" });
    row("teaches", &format!("{:?}", i.teaches).to_lowercase());
    row("source", &i.source);
    row("false alarms", &i.false_alarms);
    row("maturity", i.maturity.name());
    row("file", &format!("{}:{}", i.file, i.line));
    row("patterns", &patterns(rule).join("\n               "));
    row("must hit", &rule.hits.join("\n               "));
    row("must not", &rule.misses.join("\n               "));
    Ok(text)
}

fn test(store: &RulesStore) -> (String, Exit) {
    let failures = store.set.run_tests(&rules_store::fields());
    let mut text = String::new();
    for f in &failures {
        let _ = writeln!(text, "{}:{}: {}: `{}` {}", f.file, f.line, f.indicator, f.value, f.what);
    }
    let _ =
        writeln!(text, "{} tests of {} indicators, {} failed", store.set.coverage().tests, store.set.coverage().indicators, failures.len());
    (text, if failures.is_empty() { Exit::Fine } else { Exit::Findings })
}

fn coverage(store: &RulesStore) -> (String, Exit) {
    let coverage = store.set.coverage();
    let mut text = String::new();
    for (ids, what) in [(&coverage.without_hits, "no value that must hit it"), (&coverage.without_misses, "no value that must not hit it")]
    {
        for id in ids {
            let _ = writeln!(text, "{id}: {what}");
        }
    }
    let bare = coverage.without_hits.len() + coverage.without_misses.len();
    let _ = writeln!(text, "{} indicators, {} test values, {bare} gaps", coverage.indicators, coverage.tests);
    (text, if bare == 0 { Exit::Fine } else { Exit::Findings })
}
