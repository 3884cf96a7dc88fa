//! The configuration: `ringfence.toml`, and beside it `segments.toml`, `devices.toml` or `devices.csv`, and `waivers.toml`.
//!
//! Everything that is wrong in any of them is told at once, with file, line, key and remedy.

mod devices;
mod files;
mod keys;
mod operators;
mod outputs;
mod place;
mod policy;
mod privacy;
mod register_csv;
mod segments;
mod service;
mod waivers;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ringfence_core::diagnostic::{Diagnostics, Document, Problem, Section, Severity};
use ringfence_core::identity::RegisterEntry;
use ringfence_core::policy::{Policy, Waiver};
use ringfence_core::rules::Effect;

use crate::rules_store::RulesStore;

pub use keys::{KEYS, Key, markdown};
pub use operators::Operator;
pub use outputs::{Endpoint, Output, OutputTls};
pub use privacy::{Privacy, Retention};
pub use service::{Alarms, Capture, Findings, Http, Service, State};
pub use waivers::WaiverRules;

/// A configuration that was accepted.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the organisation allows where.
    pub policy: Policy,
    /// What it calls this place; empty when not set.
    pub site: String,
    /// What the policy demands of every waiver.
    pub waiver_rules: WaiverRules,
    /// How the running daemon works.
    pub service: Service,
    /// The files that were read, as messages name them.
    pub files: Vec<String>,
    /// Problems that are no errors.
    pub warnings: Diagnostics,
}

/// What was written, before it is held together.
#[derive(Debug, Default)]
struct Draft<'d> {
    segments: Vec<segments::Draft<'d>>,
    devices: Vec<devices::Draft<'d>>,
    waivers: Vec<waivers::Draft<'d>>,
    lines: Vec<policy::Draft<'d>>,
    outputs: Vec<outputs::Draft<'d>>,
    settings: policy::Settings,
}

/// The apps that policy and waivers may name: those that some rule can detect. Empty when the rules were refused, so that their
/// problems do not show up a second time as unknown apps.
pub fn apps_of(rules: &Result<RulesStore, Diagnostics>) -> Vec<String> {
    let detects = |store: &RulesStore| {
        let rules = store.set.rules().map(|(_, rule)| &rule.indicator);
        rules.filter(|i| i.effect == Effect::Evidence).map(|i| i.app.to_string()).collect::<BTreeSet<_>>()
    };
    rules.as_ref().map(detects).unwrap_or_default().into_iter().collect()
}

impl Config {
    /// Without a configuration: no policy, segments are derived.
    pub fn none() -> Config {
        Config {
            policy: Policy::none(),
            site: String::new(),
            waiver_rules: WaiverRules::default(),
            service: Service::default(),
            files: Vec::new(),
            warnings: Diagnostics::default(),
        }
    }

    /// The configuration of a file, or none.
    ///
    /// # Errors
    /// Every problem of every file, when one of them is an error.
    pub fn load_optional(path: Option<&Path>, apps: &[String]) -> Result<Config, Diagnostics> {
        path.map_or_else(|| Ok(Config::none()), |path| Config::load(path, apps))
    }

    /// The configuration of a file and of those beside it. `apps` are the apps that rules know ([`apps_of`]); when it is empty, names
    /// of apps are not checked.
    ///
    /// # Errors
    /// Every problem of every file, when one of them is an error.
    pub fn load(path: &Path, apps: &[String]) -> Result<Config, Diagnostics> {
        let mut found = Diagnostics::default();
        let main = match files::Source::read(path) {
            Ok(main) => main,
            Err((what, help)) => {
                found.file_error(&path.display().to_string(), what, Some(help.into()));
                return Err(found);
            }
        };
        Config::of(&main, path.parent().unwrap_or(Path::new("")), |root| files::others(path, root), apps)
    }

    /// The configuration that stands in these texts: a `ringfence.toml`, and a `devices.csv` beside it.
    ///
    /// # Errors
    /// Every problem, when one of them is an error.
    pub fn parse(main: &str, devices: &str, apps: &[String]) -> Result<Config, Diagnostics> {
        let source = |name: &str, text: &str, is_csv| files::Source { name: name.into(), text: text.into(), is_csv };
        Config::of(&source("ringfence.toml", main, false), Path::new(""), |_| vec![source("devices.csv", devices, true)], apps)
    }

    /// What the main file says, and those that `beside` finds once it is parsed. Relative paths begin at `dir`.
    fn of(
        main: &files::Source,
        dir: &Path,
        beside: impl FnOnce(&Section<'_>) -> Vec<files::Source>,
        apps: &[String],
    ) -> Result<Config, Diagnostics> {
        let mut found = Diagnostics::default();
        let doc = Document::new(&main.name, &main.text);
        let table = doc.parse();
        let root = doc.root(&table);
        let others = beside(&root);
        let docs: Vec<Document<'_>> = others.iter().map(|o| Document::new(&o.name, &o.text)).collect();
        let tables: Vec<_> = others.iter().zip(&docs).map(|(o, doc)| (!o.is_csv).then(|| doc.parse())).collect();
        let mut draft = Draft::default();
        let site = root.text("site").map_or(String::new(), |s| s.value.to_string());
        let mut service = service::read(&root, dir);
        // Rules were loaded before: see `rules_dir`.
        root.text("rules_dir");
        draft.settings = policy::read(&root, &mut draft.lines);
        outputs::read(&root, dir, &mut draft.outputs);
        draft.read(root);
        for ((other, doc), table) in others.iter().zip(&docs).zip(&tables) {
            match table {
                Some(table) => draft.read(doc.root(table)),
                None => register_csv::read(doc, &other.text, &mut draft.devices),
            }
        }
        let waiver_rules = draft.settings.waivers;
        let outputs = std::mem::take(&mut draft.outputs);
        let policy = draft.resolve(apps);
        service.outputs = outputs::resolve(outputs, &policy.segments);
        std::iter::once(doc).chain(docs).for_each(|doc| found.extend(doc.finish()));
        let files = std::iter::once(main).chain(&others).map(|s| s.name.clone()).collect();
        if found.has_errors() { Err(found) } else { Ok(Config { policy, site, waiver_rules, service, files, warnings: found }) }
    }

    /// A waiver that stands alone in a text, held against this configuration.
    ///
    /// # Errors
    /// Every problem: its key, what is wrong, and the remedy.
    pub fn waiver(&self, text: &str, apps: &[String]) -> Result<Waiver, Vec<String>> {
        let doc = Document::new("waiver", text);
        let table = doc.parse();
        let mut drafts = Vec::new();
        waivers::read(&doc.root(&table), &mut drafts);
        // Who approves it besides is asked for by whoever takes it.
        let rules = WaiverRules { four_eyes: false, ..self.waiver_rules };
        let waiver = waivers::resolve(drafts, &self.policy, apps, rules).pop();
        let told = |p: &Problem| {
            let key = p.key.trim_start_matches("waiver[0].");
            p.help.as_ref().map_or_else(|| format!("{key}: {}", p.message), |help| format!("{key}: {} ({help})", p.message))
        };
        let problems: Vec<String> = doc.finish().problems().iter().filter(|p| p.severity == Severity::Error).map(told).collect();
        waiver.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// The rule folder that a configuration file names. Whatever is wrong with the file is told when it is loaded.
    pub fn rules_dir(path: &Path) -> Option<PathBuf> {
        let main = files::Source::read(path).ok()?;
        let doc = Document::new(&main.name, &main.text);
        let table = doc.parse();
        let dir = doc.root(&table).text("rules_dir")?.value;
        Some(path.parent().unwrap_or(Path::new("")).join(dir))
    }

    /// The register in the form that identity wants.
    pub fn register(&self) -> Vec<RegisterEntry> {
        let entry = |d: &ringfence_core::policy::Device| RegisterEntry {
            id: d.id.as_str().into(),
            macs: d.macs.clone(),
            names: d.names.iter().map(|n| n.as_str().into()).collect(),
            addrs: d.addrs.clone(),
            designated: d.designated,
            owner: d.owner.as_deref().map(Into::into),
            kind: d.kind.as_deref().map(Into::into),
        };
        self.policy.register.devices().map(entry).collect()
    }
}

impl<'d> Draft<'d> {
    /// Reads what any of the files may hold.
    fn read(&mut self, root: Section<'d>) {
        segments::read(&root, &mut self.segments);
        devices::read(&root, &mut self.devices);
        waivers::read(&root, &mut self.waivers);
        root.finish();
    }

    /// Holds everything together: what is said twice, what contradicts, what names something that is not there.
    fn resolve(self, apps: &[String]) -> Policy {
        let settings = self.settings;
        let mut policy = Policy::none().configured();
        policy.bars = settings.bars;
        policy.exposure = settings.exposure;
        policy.work_names = settings.work_names;
        policy.work_prefixes = settings.work_prefixes;
        policy.local_suffixes = settings.local_suffixes;
        policy.radius_accounting = settings.radius_accounting;
        policy.segments = segments::resolve(self.segments);
        policy.register = devices::resolve(self.devices, &policy.segments);
        policy.lines = policy::resolve(self.lines, &policy.segments, apps);
        policy.waivers = waivers::resolve(self.waivers, &policy, apps, settings.waivers);
        policy
    }
}
