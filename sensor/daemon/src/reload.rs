//! Configuration and rules: loaded together, held against the ones before, and watched for changes on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use ringfence_core::diagnostic::Diagnostics;
use ringfence_core::policy::Policy;
use ringfence_core::rules::RuleSet;

use crate::config::{Config, apps_of};
use crate::hub::Remote;
use crate::rules_store::{self, RulesStore};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where things are loaded from.
#[derive(Clone, Debug)]
pub struct Paths {
    /// `ringfence.toml`.
    pub config: PathBuf,
    /// `--rules`; else the configuration says.
    pub rules: Option<PathBuf>,
}

impl Paths {
    /// The folder of the site's own rules.
    pub fn rules_dir(&self) -> Option<PathBuf> {
        self.rules.clone().or_else(|| Config::rules_dir(&self.config))
    }
}

/// A configuration and rules that were accepted together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where they came from.
    pub paths: Paths,
    /// The configuration.
    pub config: Config,
    /// The rules, as files.
    pub rules: RulesStore,
    /// The rules, compiled, with the organisation's work services.
    pub set: Arc<RuleSet>,
}

impl Loaded {
    /// Loads for the first time; what each refused is told apart, so that both can be shown.
    pub fn parts(paths: &Paths) -> (Result<RulesStore, Diagnostics>, Result<Config, Diagnostics>) {
        let rules = RulesStore::load(paths.rules_dir().as_deref());
        let config = Config::load(&paths.config, &apps_of(&rules));
        (rules, config)
    }

    /// Puts the two together.
    pub fn new(paths: Paths, rules: RulesStore, config: Config) -> Loaded {
        let set = compiled((*rules.set).clone(), &config);
        Loaded { paths, config, rules, set }
    }

    /// The apps that its rules know.
    pub fn apps(&self) -> Vec<String> {
        apps_of(&Ok(self.rules.clone()))
    }

    /// Loads again, over what holds now.
    ///
    /// # Errors
    /// Every problem of every file; then what held goes on.
    pub fn again(&self) -> Result<Loaded, Diagnostics> {
        match Loaded::parts(&self.paths) {
            (Ok(rules), Ok(config)) => {
                let set = compiled((*rules.set).clone().over(&self.set, &rules_store::fields()), &config);
                Ok(Loaded { paths: self.paths.clone(), config, rules, set })
            }
            (rules, config) => {
                let mut problems = rules.err().unwrap_or_default();
                problems.extend(config.err().unwrap_or_default());
                Err(problems)
            }
        }
    }
}

fn compiled(mut set: RuleSet, config: &Config) -> Arc<RuleSet> {
    if !config.policy.work_names.is_empty() {
        set.add_work_services(&config.policy.work_names);
    }
    Arc::new(set)
}

/// What is different between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What takes effect at once.
    pub changes: Vec<String>,
    /// What needs a restart.
    pub needs_restart: Vec<String>,
}

/// Tells two configurations apart, in words for operators. No name of a device or a person is in them.
pub fn difference(old: &Loaded, new: &Loaded) -> Difference {
    let mut changes = Vec::new();
    let (a, b) = (&old.config.policy, &new.config.policy);
    if old.rules.version != new.rules.version {
        changes.push(format!("rules {} to {}", old.rules.version, new.rules.version));
    }
    changes.extend(rows("segments", &segments(a), &segments(b)));
    changes.extend(rows("devices", &keyed(a.register.devices(), |d| d.id.clone()), &keyed(b.register.devices(), |d| d.id.clone())));
    changes.extend(rows("waivers", &keyed(a.waivers.iter(), |w| w.id.clone()), &keyed(b.waivers.iter(), |w| w.id.clone())));
    changes.extend(rows("policy lines", &lines(a), &lines(b)));
    let rest = |p: &Policy| format!("{:?}", (&p.bars, p.exposure, &p.work_names, &p.work_prefixes, &p.local_suffixes));
    if rest(a) != rest(b) {
        changes.push("[policy] settings".into());
    }
    let (was, is) = (&old.config.service, &new.config.service);
    if (was.findings, was.alarms, was.retention) != (is.findings, is.alarms, is.retention) {
        changes.push("[findings], [alarms] or [retention]".into());
    }
    if was.outputs != is.outputs {
        changes.push("outputs".into());
    }
    let tables = [
        ("[capture]", was.capture != is.capture),
        ("[http] or [operators]", was.http != is.http),
        ("[state]", was.state != is.state),
        ("[privacy]", was.privacy != is.privacy),
    ];
    let site = ("site", old.config.site != new.config.site);
    let needs_restart = tables.into_iter().chain([site]).filter(|(_, differs)| *differs).map(|(name, _)| name.to_string()).collect();
    Difference { changes, needs_restart }
}

fn keyed<T: Debug>(all: impl Iterator<Item = T>, key: impl Fn(&T) -> String) -> BTreeMap<String, String> {
    all.map(|item| (key(&item), format!("{item:?}"))).collect()
}

fn segments(policy: &Policy) -> BTreeMap<String, String> {
    keyed(policy.segments.all().filter(|s| !s.selectors.is_empty()), |s| s.name.to_string())
}

/// The order of lines matters, so their place is part of them.
fn lines(policy: &Policy) -> BTreeMap<String, String> {
    policy.lines.iter().enumerate().map(|(at, line)| (line.name.to_string(), format!("{at} {line:?}"))).collect()
}

fn rows(what: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Option<String> {
    let added = new.keys().filter(|k| !old.contains_key(*k)).count();
    let removed = old.keys().filter(|k| !new.contains_key(*k)).count();
    let changed = old.iter().filter(|(k, v)| new.get(*k).is_some_and(|n| n != *v)).count();
    let parts = [(added, "added"), (removed, "removed"), (changed, "changed")];
    let told: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    (!told.is_empty()).then(|| format!("{what}: {}", told.join(", ")))
}

/// Asks for a reload when a file changes. Files are looked at every two seconds, for that works on every file system and through
/// every kind of link; a change counts once it has stood for one round.
pub fn watch_files(paths: Paths, files: Vec<String>, stop: Arc<AtomicBool>, remote: Remote) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("files".into()).spawn(move || {
        let (mut told, mut last) = (fingerprint(&paths, &files), fingerprint(&paths, &files));
        while !stop.load(Ordering::Relaxed) {
            thread::park_timeout(LOOK_EVERY);
            let now = fingerprint(&paths, &files);
            if now == last && now != told {
                told.clone_from(&now);
                remote.request_reload("file change");
            }
            last = now;
        }
    })
}

type Fingerprint = BTreeSet<(PathBuf, Option<(SystemTime, u64)>)>;

fn fingerprint(paths: &Paths, files: &[String]) -> Fingerprint {
    let about = |path: PathBuf| {
        let facts = fs::metadata(&path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
        (path, facts)
    };
    let beside = ["segments.toml", "devices.toml", "devices.csv", "waivers.toml"];
    let folder = paths.config.parent().unwrap_or(Path::new(""));
    let rules = paths.rules_dir().and_then(|dir| fs::read_dir(dir).ok());
    let rules = rules.into_iter().flatten().flatten().map(|entry| entry.path());
    let named = files.iter().map(PathBuf::from).chain(beside.map(|name| folder.join(name)));
    named.chain([paths.config.clone()]).chain(rules).map(about).collect()
}
