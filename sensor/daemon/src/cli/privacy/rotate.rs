//! `ringfence privacy rotate-key`: devices get other pseudonyms.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use nix::unistd::{Uid, User};

use crate::cli::{Exit, Failure, written};
use crate::clock::now;
use crate::keys::{self, KeyError};
use crate::lock::StateLock;
use crate::privilege;
use crate::store::{Audit, Changes, Store};

/// Make a new site key: from the next start on devices and findings have other pseudonyms
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  systemctl stop ringfence && ringfence privacy rotate-key && systemctl start ringfence
  ringfence privacy rotate-key --state /var/lib/ringfence --keep-old

The sensor must be stopped. Reports and alerts from before cannot be linked with later ones, and `ringfence resolve` does not know their
pseudonyms any more, unless --keep-old leaves the old key as site.key.1, site.key.2 ...

Exit codes: 0 done, 66 there is no site key, 69 the sensor runs, 77 not permitted")]
pub struct Args {
    /// The state directory
    #[arg(long, value_name = "DIR", default_value = "/var/lib/ringfence")]
    state: PathBuf,
    /// Keep the old key, so that old pseudonyms can still be resolved
    #[arg(long)]
    keep_old: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when the sensor runs, or the key cannot be replaced.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let who = User::from_uid(Uid::current()).ok().flatten().map_or_else(|| Uid::current().to_string(), |u| u.name);
    let dir = args.state.as_path();
    // What root made, the sensor could not read.
    privilege::become_owner(dir).map_err(|e| Failure::new(Exit::Permission, e.message, e.help))?;
    let _lock = alone(dir)?;
    let refuse = |e: KeyError| Failure::new(Exit::Permission, e.to_string(), KeyError::HELP.to_string());
    let old = keys::read(&dir.join(keys::SITE)).map_err(refuse)?.ok_or_else(|| missing(dir))?;
    let next = keys::former(dir).map_err(refuse)?.keys().last().map_or(1, |n| n.saturating_add(1));
    let fresh = keys::fresh(dir).map_err(refuse)?;
    let kept =
        if args.keep_old { format!("the old one is kept as {}", keys::former_name(next)) } else { "the old one is gone".to_string() };
    // In the log first: what is not in it has not been done.
    note(dir, &who, format!("a new site key: {kept}"))?;
    if args.keep_old {
        keys::write(dir, &keys::former_name(next), &old).map_err(refuse)?;
    }
    keys::write(dir, keys::SITE, &fresh).map_err(refuse)?;
    written(writeln!(io::stdout().lock(), "a new site key is in place, {kept}; pseudonyms change when the sensor starts"))?;
    Ok(Exit::Fine)
}

fn alone(dir: &Path) -> Result<StateLock, Failure> {
    let name = dir.display().to_string();
    let lock = StateLock::take(dir).map_err(|e| Failure::input(&name, &e))?;
    let help = "systemctl stop ringfence".to_string();
    lock.ok_or_else(|| Failure::new(Exit::Unavailable, format!("{name}: the sensor works on it"), help))
}

fn missing(dir: &Path) -> Failure {
    let help = "it is made at the sensor's first start; --state says where".to_string();
    Failure::new(Exit::NoInput, format!("{}: there is no {}", dir.display(), keys::SITE), help)
}

fn note(dir: &Path, who: &str, detail: String) -> Result<(), Failure> {
    let audit = vec![Audit { at: now(), by: format!("user {who}"), action: "rotate-key", detail }];
    let written = Store::open(dir).and_then(|mut store| {
        store.write(&Changes { audit, ..Changes::default() })?;
        store.anchor_now();
        Ok(())
    });
    written.map_err(|e| Failure::new(Exit::Unavailable, e.to_string(), e.help.to_string()))
}
