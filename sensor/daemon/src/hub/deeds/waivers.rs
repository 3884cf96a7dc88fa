//! Waivers by command: added, approved by somebody else, renewed, revoked.

use std::sync::Arc;

use ringfence_core::time::Timestamp;

use super::{Hub, text};
use crate::clock::now;
use crate::control::Refusal;
use crate::waivers::WaiverView;
use crate::waivers::{self, Entry, Held, Request, Standing};

/// Uses that are shown of one waiver.
const USES_MAX: u32 = 100;

impl Hub {
    /// Reads what earlier runs were told, and lets it count.
    pub(in crate::hub) fn take_up_waivers(&mut self, entries: Vec<Entry>) {
        self.waivers = entries.into_iter().map(|e| (e.id.clone(), e)).collect();
        self.apply_waivers();
    }

    /// Lets the waivers count that are in force: those of the configuration and those of commands.
    pub(in crate::hub) fn apply_waivers(&mut self) {
        let held = self.held();
        let counting = held.iter().filter(|h| h.counts()).map(|h| h.waiver.clone()).collect();
        self.correlator.set_waivers(counting);
        for held in held.iter().filter(|h| !h.problems.is_empty()) {
            eprintln!(
                "ringfence: waiver {} does not fit the configuration and covers nothing: {}",
                held.waiver.id,
                held.problems.join("; ")
            );
        }
        self.standings.clear();
        self.show_waivers(now());
    }

    fn held(&self) -> Vec<Held> {
        waivers::held(&self.loaded.config, &self.waivers, &self.loaded.apps())
    }

    /// Shows how waivers stand, and tells which are about to end, or have ended.
    pub(in crate::hub) fn show_waivers(&mut self, at: Timestamp) {
        let rules = self.loaded.config.waiver_rules;
        let rows: Vec<(Held, Standing)> = self.held().into_iter().map(|h| (h.standing(at, rules), h)).map(|(s, h)| (h, s)).collect();
        let first = self.standings.is_empty();
        for (held, standing) in &rows {
            let before = self.standings.insert(held.waiver.id.clone(), *standing);
            if first || before == Some(*standing) || !matches!(standing, Standing::Expiring | Standing::Expired) {
                continue;
            }
            let told = match standing {
                Standing::Expiring => format!("{} ends {}", held.waiver.id, held.waiver.last_moment()),
                _ => format!("{} {}", held.waiver.id, held.waiver.ended()),
            };
            eprintln!("ringfence: waiver {told}");
            self.audit(if *standing == Standing::Expiring { "waiver-expiring" } else { "waiver-expired" }, told);
        }
        self.status.waivers = rows.into_iter().map(|(held, standing)| Arc::new(WaiverView { held, standing, uses: Vec::new() })).collect();
    }

    pub(in crate::hub) fn waiver(&self, id: &str) -> Result<WaiverView, Refusal> {
        let held = self.held().into_iter().find(|h| h.waiver.id == id).ok_or(Refusal::Unknown)?;
        let uses = self.store.read().waiver_uses(id, USES_MAX).map_err(|e| Refusal::Unavailable(e.message))?;
        Ok(WaiverView { standing: held.standing(now(), self.loaded.config.waiver_rules), held, uses })
    }

    pub(in crate::hub) fn add_waiver(&mut self, by: &str, request: Request, renews: Option<String>) -> Result<WaiverView, Refusal> {
        let request = Request { start: if request.start.is_empty() { now().to_string() } else { request.start }, ..request };
        for (what, given) in [("reason", &request.reason), ("approver", &request.approver)] {
            text(what, given)?;
        }
        if self.held().iter().any(|h| h.waiver.id == request.id) {
            return Err(Refusal::Conflict(
                format!("the waiver `{}` is there already", request.id),
                "ids are unique; a renewal has its own".into(),
            ));
        }
        waivers::check(&request, &self.loaded.config, &self.loaded.apps()).map_err(Refusal::Invalid)?;
        let renewal = renews.as_ref().map_or(String::new(), |id| format!(", renews {id}"));
        let detail = format!("{} until {}{renewal}", request.id, request.end);
        let entry =
            Entry { id: request.id.clone(), body: Some(request.body()), added: Some((by.into(), now())), renews, ..Entry::default() };
        self.keep_waiver(by, "waiver-add", detail, entry)
    }

    pub(in crate::hub) fn renew_waiver(&mut self, by: &str, id: &str, request: Request) -> Result<WaiverView, Refusal> {
        let old = self.waiver(id)?.held.waiver;
        // A renewal leaves no gap as long as the old one holds.
        let start = if request.start.is_empty() { old.until().max(now()).to_string() } else { request.start };
        let request = Request { holders: old.holders, apps: old.apps, segments: old.segments, start, ..request };
        self.add_waiver(by, request, Some(id.to_string()))
    }

    pub(in crate::hub) fn approve_waiver(&mut self, by: &str, id: &str) -> Result<WaiverView, Refusal> {
        let held = self.waiver(id)?.held;
        let conflict = |what: String, help: &str| Err(Refusal::Conflict(what, help.to_string()));
        if !held.pending {
            return conflict(format!("{id} does not wait for approval"), "`ringfence waiver list` shows those that do: `pending`");
        }
        if held.entry.added.as_ref().is_some_and(|(who, _)| who == by) {
            return conflict(format!("{by} added {id}"), "somebody else must approve it");
        }
        self.keep_waiver(by, "waiver-approve", id.to_string(), Entry { approved: Some((by.into(), now())), ..held.entry })
    }

    pub(in crate::hub) fn revoke_waiver(&mut self, by: &str, id: &str, reason: &str) -> Result<WaiverView, Refusal> {
        let reason = text("reason", reason)?;
        if reason.is_empty() {
            return Err(Refusal::Invalid(vec!["a waiver is not revoked without a reason".into()]));
        }
        let held = self.waiver(id)?.held;
        if held.waiver.until() <= now() {
            return Err(Refusal::Conflict(format!("{id} {}", held.waiver.ended()), "there is nothing left to revoke".into()));
        }
        let entry = Entry { id: id.to_string(), revoked: Some(((by.into(), now()), reason)), ..held.entry };
        self.keep_waiver(by, "waiver-revoke", id.to_string(), entry)
    }

    fn keep_waiver(&mut self, by: &str, action: &'static str, detail: String, entry: Entry) -> Result<WaiverView, Refusal> {
        let id = entry.id.clone();
        self.changes.waivers.push(entry.clone());
        self.waivers.insert(id.clone(), entry);
        self.audit_of(by, action, detail);
        self.apply_waivers();
        self.tick(now(), true);
        self.commit()?;
        self.show_status(true);
        self.waiver(&id)
    }
}
