//! `/api/v1/devices`: devices that have findings. Others are not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringfence_core::finding::Finding;
use ringfence_core::ledger::{Stage, Tracked};

use super::findings::entry;
use super::{page, text};
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{DeviceDetail, DeviceEntry, DevicePage, Erase, Erased};
use crate::output::json;

/// Findings that a device is shown with.
const FINDINGS_MAX: usize = 1_000;

type Findings = Vec<Arc<Tracked>>;

/// A page of devices.
pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let mut by_key: BTreeMap<String, Findings> = BTreeMap::new();
    for tracked in app.context.state.findings() {
        by_key.entry(tracked.finding.device.key.clone()).or_default().push(tracked);
    }
    let total = by_key.len();
    let placed = by_key.into_iter().map(|(key, findings)| ((0, app.veil.device_id(&key)), findings)).collect();
    let (cut, next) = page::cut(placed, &call.query)?;
    let shown: Vec<Option<Finding>> = cut.iter().map(|findings| latest(app, findings)).collect();
    let devices = cut.iter().zip(&shown).filter_map(|(findings, shown)| Some(summary(findings, shown.as_ref()?))).collect();
    Ok(Answer::json(&DevicePage { devices, total, next }))
}

/// One device with its findings.
pub(super) fn one(app: &App, call: &Call) -> Result<Answer, Problem> {
    let mut findings = app.context.state.findings();
    findings.retain(|t| app.veil.device_id(&t.finding.device.key) == call.id);
    let unknown = || Problem::no_such("device with findings", &call.id, "/api/v1/devices");
    let device = latest(app, &findings).ok_or_else(unknown)?;
    findings.sort_by(|a, b| (a.finding.verdict, a.opened, &a.finding.id).cmp(&(b.finding.verdict, b.opened, &b.finding.id)));
    let entry_of_device = summary(&findings, &device);
    let shown: Vec<Finding> = findings.iter().take(FINDINGS_MAX).map(|t| app.veil.finding(&t.finding)).collect();
    let list = findings.iter().zip(&shown).map(|(t, f)| entry(t, f)).collect();
    Ok(Answer::json(&DeviceDetail { entry: entry_of_device, list }))
}

/// Forgets a device, by pseudonym or key.
pub(super) fn erase(app: &App, call: &Call) -> Result<Answer, Problem> {
    let asked: Erase = call.body()?;
    let done = app.context.control.erase(call.operator(), &call.id, &asked.reason);
    let done = done.map_err(|refusal| Problem::of(refusal, "device with findings", &call.id, "/api/v1/devices"))?;
    Ok(Answer::json(&Erased { rows: done.rows, clean: done.clean }))
}

/// The finding with the latest sign: what is known of the device now.
fn latest(app: &App, findings: &Findings) -> Option<Finding> {
    let tracked = findings.iter().max_by(|a, b| (a.finding.last_seen, &a.finding.id).cmp(&(b.finding.last_seen, &b.finding.id)))?;
    Some(app.veil.finding(&tracked.finding))
}

fn summary<'f>(findings: &'f Findings, shown: &'f Finding) -> DeviceEntry<'f> {
    let open = || findings.iter().filter(|t| t.stage == Stage::Open);
    let worst = open().map(|t| t.finding.verdict).min().or_else(|| findings.iter().map(|t| t.finding.verdict).min());
    let each = |pick: fn(&Finding) -> &str| findings.iter().map(|t| pick(&t.finding)).collect::<BTreeSet<_>>().into_iter().collect();
    DeviceEntry {
        device: json::device(&shown.device),
        findings: findings.len(),
        open: open().count(),
        verdict: worst.map_or("", |v| v.name()),
        apps: each(|f| &f.app),
        segments: each(|f| &f.segment),
        first_seen: findings.iter().map(|t| t.finding.first_seen).min().as_ref().map(text).unwrap_or_default(),
        last_seen: findings.iter().map(|t| t.finding.last_seen).max().as_ref().map(text).unwrap_or_default(),
    }
}
