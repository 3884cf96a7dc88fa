//! `ringfence audit`: the audit log verified, listed, exported. Offline: it reads files, and a sensor may write them meanwhile.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use ringfence_core::time::Timestamp;

use super::safe::printable;
use super::{Exit, Failure, Terminal, table, written};
use crate::audit::read::{self, Log, ReadError};
use crate::audit::{Checked, Head, PublicKey, anchor, signer, verify};
use crate::store;

/// Verify, list or export the log of what was done to the sensor
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(VerifyArgs),
    List(ListArgs),
    Export(ExportArgs),
}

#[derive(Debug, ClapArgs)]
struct Place {
    /// The state directory, the store's file, or an export
    #[arg(long, value_name = "DIR|FILE", default_value = "/var/lib/ringfence")]
    store: PathBuf,
}

/// Hold the log against its hashes, its signatures and anchored heads
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence audit verify                                           the log of this machine
  ringfence audit verify --store audit.jsonl --key audit.pub --heads audit.heads

Without --key and --heads the files beside the store are taken. An auditor brings copies that were kept elsewhere: who can write the
state directory can replace all of it at once, and only a copy elsewhere shows that.

Exit codes: 0 whole, 65 broken, 66 a file cannot be opened")]
struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// The public key, PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Anchored heads, one in each line
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
}

/// List what was done, oldest first
#[derive(Debug, ClapArgs)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// Only at this time or later: a date, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// The form of the answer
    #[arg(short, long, value_name = "FORM", default_value = "human")]
    output: Form,
}

/// Write the whole log with its heads, one JSON object in each line; `audit verify --store FILE` takes it
#[derive(Debug, ClapArgs)]
struct ExportArgs {
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A table
    Human,
    /// A JSON object in each line
    Json,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when a file cannot be read, or the log is broken.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    match &args.command {
        Command::Verify(args) => verified(args),
        Command::List(args) => list(args, terminal),
        Command::Export(args) => export(args),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "such as 2026-11-23 or 2026-11-23T11:47:00Z".to_string())
}

impl Place {
    fn file(&self) -> PathBuf {
        if self.store.is_dir() { self.store.join(store::FILE) } else { self.store.clone() }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.file().with_file_name(name)
    }

    fn log(&self) -> Result<Log, Failure> {
        read::read(&self.file()).map_err(unread)
    }
}

fn unread(error: ReadError) -> Failure {
    let (exit, help) = match error.damaged {
        true => (Exit::Data, "name a state directory, a store, or what `ringfence audit export` wrote"),
        false => (Exit::NoInput, "--store says where the log is; the state directory is readable for the sensor's user alone"),
    };
    Failure::new(exit, printable(error.to_string().as_bytes()), help.to_string())
}

fn verified(args: &VerifyArgs) -> Result<Exit, Failure> {
    let key = key(&args.key.clone().unwrap_or_else(|| args.place.beside(signer::PUBLIC)))?;
    // Before the log: a sensor that runs may anchor another head meanwhile, and an anchor is never ahead of the store.
    let anchored = anchored(args)?;
    let log = args.place.log()?;
    let checked = verify(log.entries, &log.heads, anchored.as_deref().unwrap_or_default(), &key);
    let name = printable(args.place.file().display().to_string().as_bytes());
    if let Some(first) = checked.broken.first() {
        let lines = checked.broken.iter().skip(1).map(|b| format!("\n  {}", printable(b.to_string().as_bytes())));
        let message = lines.fold(format!("{name}: the audit log is broken: {}", printable(first.to_string().as_bytes())), |t, l| t + &l);
        let help = "something outside of the sensor changed it; keep all of it, and compare with copies (docs/audit.md)".to_string();
        return Err(Failure::new(Exit::Data, message, help));
    }
    written(io::stdout().lock().write_all(told(&name, &checked, anchored.is_some(), &key).as_bytes()))?;
    Ok(Exit::Fine)
}

fn told(name: &str, checked: &Checked, has_anchors: bool, key: &PublicKey) -> String {
    let mut text = format!("{name}: whole\n");
    match &checked.last {
        None => text += "  no entries\n",
        Some(last) => {
            text += &format!(
                "  entries {} to {}, the last of {}, hash {}\n",
                checked.first,
                last.seq,
                printable(last.at.as_bytes()),
                last.hash
            );
        }
    }
    text += &format!("  signed heads: {}, by key {key}\n", checked.heads);
    text += &match (has_anchors, checked.anchored_to) {
        (false, _) => "  anchored heads: none given; a tail that was cut off together with its heads would not show\n".to_string(),
        (true, to) => format!("  anchored heads: {}, up to entry {to}\n", checked.anchored),
    };
    text
}

fn key(path: &Path) -> Result<PublicKey, Failure> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| Failure::input(&name, &e))?;
    let help = "the sensor writes audit.pub into its state directory; bring a copy that was kept elsewhere".to_string();
    PublicKey::from_pem(&text).ok_or_else(|| Failure::new(Exit::Data, format!("{name}: is no Ed25519 public key in PEM form"), help))
}

/// Anchored heads; `None` where there is no file and none was named.
fn anchored(args: &VerifyArgs) -> Result<Option<Vec<Head>>, Failure> {
    let path = args.heads.clone().unwrap_or_else(|| args.place.beside(anchor::FILE));
    let name = path.display().to_string();
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound && args.heads.is_none() => return Ok(None),
        Err(error) => return Err(Failure::input(&name, &error)),
    };
    let broken =
        |line| Failure::new(Exit::Data, format!("{name}: line {line} is no head"), "bring a copy that was kept elsewhere".to_string());
    anchor::heads(&text).into_iter().map(|(line, head)| head.map_err(|_| broken(line))).collect::<Result<_, _>>().map(Some)
}

fn list(args: &ListArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    let mut log = args.place.log()?;
    let wanted = |at: &str| args.since.is_none_or(|since| Timestamp::parse(at).is_none_or(|at| at >= since));
    log.entries.retain(|e| wanted(&e.at));
    let shown = |text: &str| printable(text.as_bytes());
    let text = match args.output {
        Form::Json => log.entries.into_iter().map(|e| read::entry_line(e) + "\n").collect(),
        Form::Human => {
            let rows = log.entries.iter().map(|e| vec![e.seq.to_string(), shown(&e.at), shown(&e.by), shown(&e.action), shown(&e.detail)]);
            table::text(&table::headed(&["entry", "at", "by", "action", "detail"], rows), terminal)
        }
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}

fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    let log = args.place.log()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut lines = log.entries.into_iter().map(read::entry_line).chain(log.heads.into_iter().map(read::head_line));
    written(lines.try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush()))?;
    Ok(Exit::Fine)
}
