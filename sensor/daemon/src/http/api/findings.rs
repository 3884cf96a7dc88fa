//! `/api/v1/findings`.

use std::sync::Arc;

use ringfence_core::finding::Finding;
use ringfence_core::ledger::Tracked;

use super::{page, text};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{Acknowledge, Acknowledged, FindingEntry, FindingPage};
use crate::output::json;

/// A page of findings.
pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let mut found = app.context.state.findings();
    found.retain(|t| admits(app, &call.query, t));
    let total = found.len();
    let placed = found.into_iter().map(|t| ((t.opened.nanos(), app.veil.finding_id(&t.finding.id)), t)).collect();
    let (cut, next) = page::cut(placed, &call.query)?;
    let shown: Vec<Finding> = cut.iter().map(|t| app.veil.finding(&t.finding)).collect();
    let findings = cut.iter().zip(&shown).map(|(t, f)| entry(t, f)).collect();
    Ok(Answer::json(&FindingPage { findings, total, next }))
}

/// One finding, by the name that the API gives it.
pub(super) fn one(app: &App, call: &Call) -> Result<Answer, Problem> {
    let tracked = find(app, &call.id).ok_or_else(|| Problem::no_such("finding", &call.id, "/api/v1/findings"))?;
    let shown = app.veil.finding(&tracked.finding);
    Ok(Answer::json(&entry(&tracked, &shown)))
}

/// Takes care of a finding, in an operator's name.
pub(super) fn acknowledge(app: &App, call: &Call) -> Result<Answer, Problem> {
    let asked: Acknowledge = call.body()?;
    let id = find(app, &call.id).map_or_else(String::new, |t| t.finding.id.clone());
    let done = app.context.control.acknowledge(call.operator(), &id, &asked.note);
    let tracked = done.map_err(|refusal| Problem::of(refusal, "finding", &call.id, "/api/v1/findings"))?;
    let shown = app.veil.finding(&tracked.finding);
    Ok(Answer::json(&entry(&tracked, &shown)))
}

fn find(app: &App, id: &str) -> Option<Arc<Tracked>> {
    if !app.context.pseudonyms.is_keyed() {
        return app.context.state.finding(id);
    }
    app.context.state.findings().into_iter().find(|t| app.veil.finding_id(&t.finding.id) == id)
}

/// The wire form of a finding; `shown` is what the veil let through of it.
pub(super) fn entry<'f>(tracked: &Tracked, shown: &'f Finding) -> FindingEntry<'f> {
    FindingEntry {
        finding: json::finding_line(shown),
        stage: tracked.stage.name(),
        opened: text(&tracked.opened),
        changed: text(&tracked.changed),
        reopened: tracked.reopened,
        acknowledged: tracked.acknowledged.as_ref().map(|a| Acknowledged { at: text(&a.at), by: a.by.clone(), note: a.note.clone() }),
        escalated: tracked.escalated.map(|(_, why)| why.name()),
    }
}

fn admits(app: &App, query: &Query, tracked: &Tracked) -> bool {
    let finding = &tracked.finding;
    query.admits("verdict", finding.verdict.name())
        && query.admits("level", finding.level.name())
        && query.admits("stage", tracked.stage.name())
        && query.text("app").is_none_or(|app| app == finding.app)
        && query.text("segment").is_none_or(|segment| segment == finding.segment)
        && query.time("since").is_none_or(|since| tracked.changed >= since)
        && query.text("device").is_none_or(|device| device == app.veil.device_id(&finding.device.key))
}
