//! What others may ask of the hub. Reloads are here: other rules and policy, for real or as a trial; deeds of operators are in `deeds/`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use ringfence_core::correlate::DeviceStory;
use ringfence_core::finding::Finding;
use ringfence_core::identity::Link;
use ringfence_core::ledger::Tracked;
use ringfence_core::rules::Surface;

use super::Hub;
use crate::clock::now;
use crate::control::{Asked, Control, Erasure, Refusal, Rejudged, ReloadReport, Resolution};
use crate::reload;
use crate::waivers::WaiverView;
use crate::waivers::{self, Held, Request};

/// How long a caller waits for the hub.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something that the hub is to do between two batches.
pub struct Command(Box<dyn FnOnce(&mut Hub) + Send>);

/// The hub from afar.
#[derive(Clone, Debug)]
pub struct Remote(Sender<Command>);

impl Remote {
    /// The other end of a command channel.
    pub fn new(commands: Sender<Command>) -> Self {
        Remote(commands)
    }

    /// Asks for a reload and does not wait for it.
    pub fn request_reload(&self, by: &'static str) {
        let _ = self.0.send(Command(Box::new(move |hub| drop(hub.reload(false, by)))));
    }

    fn ask<T: Send + 'static>(&self, deed: impl FnOnce(&mut Hub) -> T + Send + 'static) -> Result<T, String> {
        let (reply, answer) = channel();
        // Nobody may wait any more when it is done.
        let command = Command(Box::new(move |hub| drop(reply.send(deed(hub)))));
        self.0.send(command).map_err(|_| "the sensor is ending".to_string())?;
        answer.recv_timeout(PATIENCE).map_err(|_| format!("no answer within {} seconds", PATIENCE.as_secs()))
    }

    /// Asks for a deed that the hub may refuse.
    fn try_ask<T: Send + 'static>(&self, deed: impl FnOnce(&mut Hub) -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
        self.ask(deed).map_err(Refusal::Unavailable)?
    }
}

impl Control for Remote {
    fn reload(&self, by: &str) -> Result<ReloadReport, String> {
        let by = by.to_string();
        self.ask(move |hub| hub.reload(false, &by))
    }

    fn dry_run(&self) -> Result<ReloadReport, String> {
        self.ask(|hub| hub.reload(true, ""))
    }

    fn waiver(&self, id: &str) -> Result<WaiverView, Refusal> {
        let id = id.to_string();
        self.try_ask(move |hub| hub.waiver(&id))
    }

    fn add_waiver(&self, by: &str, request: Request) -> Result<WaiverView, Refusal> {
        let by = by.to_string();
        self.try_ask(move |hub| hub.add_waiver(&by, request, None))
    }

    fn renew_waiver(&self, by: &str, id: &str, request: Request) -> Result<WaiverView, Refusal> {
        let (by, id) = (by.to_string(), id.to_string());
        self.try_ask(move |hub| hub.renew_waiver(&by, &id, request))
    }

    fn approve_waiver(&self, by: &str, id: &str) -> Result<WaiverView, Refusal> {
        let (by, id) = (by.to_string(), id.to_string());
        self.try_ask(move |hub| hub.approve_waiver(&by, &id))
    }

    fn revoke_waiver(&self, by: &str, id: &str, reason: &str) -> Result<WaiverView, Refusal> {
        let (by, id, reason) = (by.to_string(), id.to_string(), reason.to_string());
        self.try_ask(move |hub| hub.revoke_waiver(&by, &id, &reason))
    }

    fn device(&self, key: &str, asked: Option<Asked>) -> Result<DeviceStory, Refusal> {
        let key = key.to_string();
        self.try_ask(move |hub| hub.device(&key, asked))
    }

    fn link(&self, link: Link, told: String) -> Result<Link, Refusal> {
        self.try_ask(move |hub| hub.link(link, told))
    }

    fn acknowledge(&self, by: &str, finding: &str, note: &str) -> Result<Arc<Tracked>, Refusal> {
        let (by, finding, note) = (by.to_string(), finding.to_string(), note.to_string());
        self.try_ask(move |hub| hub.acknowledge(&by, &finding, &note))
    }

    fn resolve(&self, by: &str, pseudonym: &str, reason: &str) -> Result<Resolution, Refusal> {
        let (by, pseudonym, reason) = (by.to_string(), pseudonym.to_string(), reason.to_string());
        self.try_ask(move |hub| hub.resolve(&by, &pseudonym, &reason))
    }

    fn erase(&self, by: &str, device: &str, reason: &str) -> Result<Erasure, Refusal> {
        let (by, device, reason) = (by.to_string(), device.to_string(), reason.to_string());
        let erased = self.try_ask(move |hub| hub.erase(&by, &device, &reason))?;
        Ok(Erasure { rows: erased.rows, clean: erased.clean })
    }

    fn confirm_resolve(&self, by: &str, id: &str) -> Result<Resolution, Refusal> {
        let (by, id) = (by.to_string(), id.to_string());
        self.try_ask(move |hub| hub.confirm_resolve(&by, &id))
    }
}

impl Hub {
    pub(super) fn obey(&mut self, command: Command) {
        (command.0)(self);
    }

    fn reload(&mut self, dry_run: bool, by: &str) -> ReloadReport {
        let mut report = ReloadReport { generation: self.status.generation(), ..ReloadReport::default() };
        match self.loaded.again() {
            Err(problems) => {
                report.problems = problems.problems().iter().map(ToString::to_string).collect();
                if !dry_run {
                    self.refuse(by, &report.problems);
                }
            }
            Ok(loaded) => {
                let difference = reload::difference(&self.loaded, &loaded);
                (report.changes, report.needs_restart) = (difference.changes, difference.needs_restart);
                if dry_run {
                    report.findings = self.trial(&loaded);
                } else {
                    self.accept(loaded, by, &mut report);
                }
            }
        }
        report
    }

    fn refuse(&mut self, by: &str, problems: &[String]) {
        let first = problems.first().cloned().unwrap_or_default();
        let what = match problems.len() {
            1 => first.clone(),
            n => format!("{n} problems, the first: {first}"),
        };
        eprintln!("ringfence: reload ({by}) refused, the old set goes on: {what}");
        self.audit_of(by, "reload-refused", what);
        self.status.refused(now(), &first);
        self.settle();
    }

    fn accept(&mut self, loaded: reload::Loaded, by: &str, report: &mut ReloadReport) {
        let before = self.verdicts();
        self.correlator.set_rules(Arc::clone(&loaded.set));
        self.correlator.set_policy(loaded.config.policy.clone(), loaded.config.register());
        self.orders.rules(Arc::clone(&loaded.set), self.correlator.grain());
        if let Some(watch) = self.correlator.watch_update() {
            self.orders.watch(watch);
        }
        self.findings = loaded.config.service.findings;
        self.status.set_alarms(loaded.config.service.alarms);
        // Before anything is booked: a new output is told of what this reload changes.
        self.desk.set(loaded.config.service.outputs_with(self.privacy.aggregate_only), &loaded.config.site);
        self.loaded = loaded;
        self.apps = self.loaded.apps();
        self.apply_waivers();
        self.status.accepted(now());
        report.generation = self.status.generation();
        let stated = self.correlator.report();
        self.book(now(), stated);
        report.findings = rejudged(&before, &self.verdicts());
        let summary = if report.changes.is_empty() { "nothing changed".to_string() } else { report.changes.join("; ") };
        eprintln!("ringfence: reload ({by}) accepted: {summary}");
        report.needs_restart.iter().for_each(|what| eprintln!("ringfence: {what} takes effect at the next start"));
        self.audit_of(by, "reload", summary);
        self.settle();
        self.show_status(true);
    }

    /// What would change, on a copy.
    fn trial(&self, loaded: &reload::Loaded) -> Vec<Rejudged> {
        let mut copy = self.correlator.clone();
        copy.set_rules(Arc::clone(&loaded.set));
        copy.set_policy(loaded.config.policy.clone(), loaded.config.register());
        let held = waivers::held(&loaded.config, &self.waivers, &loaded.apps());
        copy.set_waivers(held.into_iter().filter(Held::counts).map(|h| h.waiver).collect());
        let after = copy.report().findings.iter().map(about).collect();
        rejudged(&self.verdicts(), &after)
    }

    fn verdicts(&self) -> Verdicts {
        self.ledger.iter().filter(|t| t.stage == ringfence_core::ledger::Stage::Open).map(|t| about(&t.finding)).collect()
    }
}

/// Who, what, on which surface, where: a finding's id depends on the policy line, so these tell which one it is.
type About = (String, String, Option<Surface>, String);

/// Ids and verdicts.
type Verdicts = BTreeMap<About, (String, &'static str)>;

fn about(f: &Finding) -> (About, (String, &'static str)) {
    ((f.device.key.clone(), f.app.clone(), f.surface, f.segment.clone()), (f.id.clone(), f.verdict.name()))
}

fn rejudged(before: &Verdicts, after: &Verdicts) -> Vec<Rejudged> {
    let one = |about: &About, id: &str, before, after| {
        let (device, app, _, segment) = about.clone();
        Rejudged { id: id.to_string(), device, app, segment, before, after }
    };
    let changed = before.iter().filter_map(|(about, (id, was))| {
        let now = after.get(about).map_or("none", |(_, verdict)| *verdict);
        (now != *was).then(|| one(about, id, was, now))
    });
    let new = after.iter().filter(|(about, _)| !before.contains_key(about));
    changed.chain(new.map(|(about, (id, verdict))| one(about, id, "none", verdict))).collect()
}
