//! What the store knows, for commands that look back: opened beside a running sensor, named by pseudonyms, judged by a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use ringfence_core::policy::Policy;
use ringfence_core::time::Timestamp;

use super::{Exit, Failure, Terminal, problems};
use crate::config::{Config, apps_of};
use crate::keys;
use crate::pseudonym::Pseudonyms;
use crate::rules_store::RulesStore;
use crate::store::{Reader, StoreError};
use crate::waivers::{self, Entry, Held};

/// Where the past is, and by what it is judged.
#[derive(Debug, ClapArgs)]
#[group(id = "past")]
pub struct Args {
    /// Configuration: policy, segments, register and waivers
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The state directory; without it the one of the configuration
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Name devices by what they are instead of pseudonyms
    #[arg(long)]
    pub identities: bool,
}

/// The past.
pub struct Past {
    /// What was written.
    pub reader: Reader,
    /// What devices are called.
    pub names: Pseudonyms,
    /// The configuration that judges.
    pub config: Config,
    /// Apps that its rules know.
    pub apps: Vec<String>,
    /// What commands did to waivers.
    pub entries: BTreeMap<String, Entry>,
}

impl Past {
    /// Opens it.
    ///
    /// # Errors
    /// [`Failure`] when the configuration is wrong, or the store cannot be read.
    pub fn open(args: &Args, terminal: &Terminal) -> Result<Past, Failure> {
        let path = args.config.as_deref().ok_or_else(|| {
            Failure::new(Exit::Usage, "it takes a configuration to judge by", "give it with -c /etc/ringfence/ringfence.toml".to_string())
        })?;
        let rules = RulesStore::load(super::rules_dir(None, Some(path)).as_deref());
        let apps = apps_of(&rules);
        let (_, config) = problems::both(rules, Config::load(path, &apps), terminal)?;
        let dir = args.store.clone().unwrap_or_else(|| config.service.state.dir.clone());
        let reader = Reader::open(&dir).map_err(failure)?;
        let entries = reader.waivers().map_err(failure)?.into_iter().map(|e| (e.id.clone(), e)).collect();
        Ok(Past { reader, names: names(&dir, args.identities)?, config, apps, entries })
    }

    /// The waivers as they stood at a time: what commands did later is left out.
    pub fn waivers_at(&self, at: Timestamp) -> Vec<Held> {
        let entries = self.entries.values().filter_map(|entry| as_of(entry, at)).map(|e| (e.id.clone(), e)).collect();
        waivers::held(&self.config, &entries, &self.apps)
    }

    /// The policy as it stood at a time, as far as commands changed it: its files are those of today.
    pub fn policy_at(&self, at: Timestamp) -> Policy {
        let mut policy = self.config.policy.clone();
        policy.waivers = self.waivers_at(at).into_iter().filter(Held::counts).map(|h| h.waiver).collect();
        policy
    }
}

fn as_of(entry: &Entry, at: Timestamp) -> Option<Entry> {
    if entry.added.as_ref().is_some_and(|(_, when)| *when > at) {
        return None;
    }
    let approved = entry.approved.clone().filter(|(_, when)| *when <= at);
    let revoked = entry.revoked.clone().filter(|((_, when), _)| *when <= at);
    Some(Entry { approved, revoked, ..entry.clone() })
}

fn names(dir: &Path, identities: bool) -> Result<Pseudonyms, Failure> {
    if identities {
        return Ok(Pseudonyms::plain());
    }
    let path = dir.join(keys::SITE);
    let refused = |what: String| {
        Failure::new(Exit::Permission, what, "run it as the sensor's user, or name devices plainly with --identities".to_string())
    };
    let key = keys::read(&path).map_err(|e| refused(e.to_string()))?;
    key.map(Pseudonyms::keyed).ok_or_else(|| refused(format!("{}: is not there, so there are no pseudonyms", path.display())))
}

/// A store that cannot be read, as a failure.
pub fn failure(error: StoreError) -> Failure {
    Failure::new(Exit::NoInput, format!("{}: {}", error.path.display(), error.message), error.help.to_string())
}
