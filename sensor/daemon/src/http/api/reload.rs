//! `POST /api/v1/reload`.

use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::veil::Veil;
use crate::http::{ReloadReport, wire};

/// Findings that an answer lists.
const FINDINGS_MAX: usize = 1_000;

/// Loads anew, or says what that would change.
pub(super) fn reload(app: &App, call: &Call) -> Result<Answer, Problem> {
    let _one = app.reloading.try_acquire().map_err(|_| Problem::busy())?;
    let dry_run = call.query.flag("dry_run");
    let control = &app.context.control;
    let report = if dry_run { control.dry_run() } else { control.reload(if call.by.is_some() { call.operator() } else { "API" }) };
    let mut report = report.map_err(|e| Problem::unavailable(app.veil.text(&e)))?;
    if app.context.group_min.is_some() {
        report.findings.clear();
    }
    if !report.problems.is_empty() {
        return Err(Problem::refused(report.problems.iter().map(|p| app.veil.text(p).into_owned()).collect()));
    }
    if !dry_run {
        report.changes.extend(app.gate.refresh().err().map(|e| format!("{e}; the old token goes on: {}", e.help())));
    }
    Ok(Answer::json(&shown(report, dry_run, &app.veil)))
}

fn shown(report: ReloadReport, dry_run: bool, veil: &Veil) -> wire::Reload {
    let texts = |texts: Vec<String>| texts.iter().map(|t| veil.text(t).into_owned()).collect();
    let rejudged = |f: &crate::http::Rejudged| wire::Rejudged {
        id: veil.finding_id(&f.id),
        device: veil.device_id(&f.device),
        app: f.app.clone(),
        segment: veil.text(&f.segment).into_owned(),
        before: f.before,
        after: f.after,
    };
    wire::Reload {
        dry_run,
        generation: report.generation,
        changes: texts(report.changes),
        needs_restart: texts(report.needs_restart),
        findings_total: report.findings.len(),
        findings: report.findings.iter().take(FINDINGS_MAX).map(rejudged).collect(),
    }
}
