//! `ringfence privacy dossier`: what the sensor does with personal data, for whoever has to assess it and for whom it concerns.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::{Exit, Failure, Terminal, problems, rules_dir, written};
use crate::config::{Config, apps_of};
use crate::privacy;
use crate::rules_store::RulesStore;

/// Write the annex to a data protection impact assessment, or the notice to staff, from the configuration
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence privacy dossier -c /etc/ringfence/ringfence.toml -o html > annex.html
  ringfence privacy dossier -c ringfence.toml --document notice --lang cs

It says what the configuration and the code say. Lines with ____ are for the controller.

Exit codes: 0 written, 78 the configuration is wrong")]
pub struct Args {
    /// Configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// A folder of your own rules, laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Which document
    #[arg(long, value_enum, default_value = "annex")]
    document: Document,
    /// In which language
    #[arg(long, value_enum, default_value = "en")]
    lang: Language,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value = "md")]
    output: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Document {
    /// For the data protection officer
    Annex,
    /// For those whom it concerns
    Notice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// English
    En,
    /// Czech
    Cs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Markdown
    Md,
    /// A page that needs nothing else
    Html,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the configuration is wrong.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let rules = RulesStore::load(rules_dir(args.rules.as_deref(), Some(&args.config)).as_deref());
    let apps = apps_of(&rules);
    let (_, config) = problems::both(rules, Config::load(&args.config, &apps), terminal)?;
    let document = match args.document {
        Document::Annex => "annex",
        Document::Notice => "notice",
    };
    let language = match args.lang {
        Language::En => "en",
        Language::Cs => "cs",
    };
    let text = privacy::markdown(document, language, &config, &apps).map_err(|e| Failure::new(Exit::Software, e, None))?;
    let text = match args.output {
        Form::Md => text,
        Form::Html => privacy::page(&text, language),
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}
