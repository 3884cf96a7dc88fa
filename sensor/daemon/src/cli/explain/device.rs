//! `ringfence explain --device`: why a device is judged as it is, now or at an earlier time, with every input of the judgement.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_core::correlate::{as_of, rejudge};
use ringfence_core::finding::Finding;
use ringfence_core::ledger::Tracked;
use ringfence_core::policy::{Level, Necessity};
use ringfence_core::time::Timestamp;

use super::super::past::{self, Past};
use super::super::{Exit, Failure, Terminal, word};
use super::device_text;
use crate::clock::now;
use crate::store::{DaySeen, HistoryRow, Piece, Which};
use crate::waivers::{Held, Standing};

/// Days with sightings that are looked at.
const SIGHTINGS_MAX: u32 = 2_000;

/// Everything that the judgement of a device rests on.
pub(super) struct Account {
    /// What it is called.
    pub name: String,
    /// Plain names are shown.
    pub identities: bool,
    /// The time that is asked about.
    pub at: Timestamp,
    /// Its findings, the most serious first.
    pub findings: Vec<Told>,
    /// Where it was, the latest first.
    pub days: Vec<DaySeen>,
    /// How the use of each app stands: app, last sign, days of use.
    pub apps: Vec<(String, Timestamp, usize, Necessity)>,
}

/// A finding with what belongs to it.
pub(super) struct Told {
    /// As it was judged, or would have been at the time.
    pub finding: Finding,
    /// What it is called.
    pub name: String,
    /// What happened to it until then.
    pub history: Vec<HistoryRow>,
    /// Waivers that concern the device, the app and the segment, with how they stood.
    pub waivers: Vec<(Held, Standing)>,
    /// What was watched in the hour of the last sign.
    pub coverage: Piece,
}

/// Answers.
///
/// # Errors
/// [`Failure`] when the store cannot be read, or there is no such device.
pub(super) fn run(device: &str, at: Option<Timestamp>, args: &past::Args, terminal: &Terminal) -> Result<String, Failure> {
    let past = Past::open(args, terminal)?;
    let key = find(&past, device)?;
    let account = account(&past, &key, at, args.identities).map_err(past::failure)?;
    Ok(device_text::human(&account, terminal))
}

/// The key of a device: by pseudonym, key or hardware address.
fn find(past: &Past, device: &str) -> Result<String, Failure> {
    let known: Vec<String> = past.reader.known().map_err(past::failure)?.into_iter().map(|d| d.key).collect();
    let mac = format!("mac:{}", device.to_ascii_lowercase().replace('-', ":"));
    let is = |key: &&String| **key == device || past.names.device(key) == device || **key == mac || **key == format!("reg:{device}");
    known.iter().find(is).cloned().ok_or_else(|| {
        let help = "`ringfence device list` names them; devices that show no sign of an app are not kept".to_string();
        Failure::new(Exit::Usage, format!("there is no device `{}` in the store", device.escape_debug()), help)
    })
}

fn account(past: &Past, key: &str, at: Option<Timestamp>, identities: bool) -> Result<Account, crate::store::StoreError> {
    let asked = at.unwrap_or_else(now);
    let (kept, _) = past.reader.findings(Which::Of(key))?;
    let mut days = past.reader.sightings(key, SIGHTINGS_MAX)?;
    days.retain(|d| d.span.0 <= asked);
    let mut findings = Vec::new();
    for (before, finding) in judged(past, &kept, at, asked)? {
        findings.push(told(past, &before, finding, asked)?);
    }
    findings.sort_by(|a, b| (a.finding.verdict, &a.finding.segment).cmp(&(b.finding.verdict, &b.finding.segment)));
    let apps = apps(&kept, &days, asked);
    let name = if past.names.is_keyed() { past.names.device(key) } else { key.to_string() };
    Ok(Account { name, identities, at: asked, findings, days, apps })
}

/// Findings with their ids in the store. Of now as they are kept; of an earlier time as they would have been judged then.
fn judged(
    past: &Past,
    kept: &[Tracked],
    at: Option<Timestamp>,
    asked: Timestamp,
) -> Result<Vec<(String, Finding)>, crate::store::StoreError> {
    if at.is_none() {
        return Ok(kept.iter().map(|t| (t.finding.id.clone(), t.finding.clone())).collect());
    }
    let mut then = as_of(kept.iter().map(|t| t.finding.clone()), asked);
    for finding in &mut then {
        // The level that was known then: it never falls, so the last row before tells it.
        let rows = past.reader.history(&finding.id)?;
        let level = rows.iter().rev().find(|row| row.at <= asked).and_then(|row| word(&row.level, &Level::WORDS));
        finding.level = level.unwrap_or(finding.level);
    }
    let judged = rejudge(&mut past.policy_at(asked), then);
    Ok(judged.into_iter().filter_map(|r| Some((r.before, r.now?))).collect())
}

fn told(past: &Past, id: &str, finding: Finding, asked: Timestamp) -> Result<Told, crate::store::StoreError> {
    let mut history = past.reader.history(id)?;
    history.retain(|row| row.at <= asked);
    let coverage = past.reader.coverage_of(finding.last_seen, &finding.segment)?;
    let rules = past.config.waiver_rules;
    let register = finding.device.register.iter().cloned();
    let holders: Vec<String> = register.chain([finding.device.key.clone()]).chain(finding.device.mac.map(|m| format!("mac:{m}"))).collect();
    let concerned = past.waivers_at(asked).into_iter().filter(|h| h.waiver.concerns(&holders, &finding.app, &finding.segment));
    let waivers = concerned.map(|h| (h.standing(asked, rules), h)).map(|(s, h)| (h, s)).collect();
    Ok(Told { name: past.names.finding(id), history, waivers, coverage, finding })
}

fn apps(kept: &[Tracked], days: &[DaySeen], asked: Timestamp) -> Vec<(String, Timestamp, usize, Necessity)> {
    let mut uses: BTreeMap<&str, (Timestamp, BTreeSet<u32>)> = BTreeMap::new();
    for finding in kept.iter().map(|t| &t.finding).filter(|f| f.surface.is_some() && f.first_seen <= asked) {
        let presence = finding.presence.until(asked);
        let last = presence.iter().next_back().map_or(finding.last_seen.min(asked), |(_, last)| last);
        let known = uses.entry(&finding.app).or_default();
        known.0 = known.0.max(last);
        known.1.extend(presence.days());
    }
    let seen = || days.iter().map(|d| d.span.0.secs() / 86_400);
    uses.into_iter().map(|(app, (last, of_use))| (app.to_string(), last, of_use.len(), Necessity::of(last, seen(), asked))).collect()
}
