//! What the families say that count findings, and devices with findings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringfence_core::ledger::{Stage, Tracked};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;

use super::families::secs;
use super::members;
use super::scrape::{FAMILY_SERIES_MAX, Samples, Scrape};
use crate::aggregate;
use crate::clock::now;

/// What is newer is new.
const DAY: Duration = Duration::from_secs(86_400);

pub fn open(scrape: &Scrape<'_>, out: &mut Samples) {
    for finding in scrape.open().map(|t| &t.finding) {
        let surface = finding.surface.map_or("none", |s| s.name());
        out.add(&[&finding.app, surface, scrape.segment(&finding.segment), finding.verdict.name(), finding.level.name()], 1.0);
    }
}

pub fn by_stage(scrape: &Scrape<'_>, out: &mut Samples) {
    Stage::WORDS.iter().for_each(|(word, _)| out.add(&[word], 0.0));
    scrape.findings.iter().for_each(|t| out.add(&[t.stage.name()], 1.0));
}

/// What a rate is to begin with has to be there before it happens: each app and verdict in each configured segment, where these are few.
pub fn opened(scrape: &Scrape<'_>, out: &mut Samples) {
    let segments: Vec<&str> = scrape.segments().filter(|s| s.configured).map(|s| s.name.as_str()).collect();
    let apps = &scrape.status.apps;
    if segments.len() * apps.len() * Verdict::WORDS.len() <= FAMILY_SERIES_MAX / 2 {
        for (segment, app) in segments.iter().flat_map(|s| apps.iter().map(move |a| (s, a))) {
            Verdict::WORDS.iter().for_each(|(verdict, _)| out.add(&[segment, app, verdict], 0.0));
        }
    }
    for ((segment, app, verdict), n) in &scrape.status.opened {
        out.add(&[scrape.segment(segment), app, verdict.name()], *n as f64);
    }
}

pub fn new(scrape: &Scrape<'_>, out: &mut Samples) {
    let since = now().before(DAY);
    for tracked in scrape.open().filter(|t| t.open_since() >= since) {
        let finding = &tracked.finding;
        out.add(&[scrape.segment(&finding.segment), &finding.app, finding.verdict.name()], 1.0);
    }
}

/// For each verdict that asks for somebody: since when the findings are open that wait.
pub fn waiting(scrape: &Scrape<'_>, mut tell: impl FnMut(&str, &[Timestamp])) {
    let mut all: BTreeMap<Verdict, Vec<Timestamp>> = acts().map(|verdict| (verdict, Vec::new())).collect();
    for tracked in scrape.findings.iter().filter(|t| t.is_waiting()) {
        all.entry(tracked.finding.verdict).or_default().push(tracked.open_since());
    }
    all.iter().for_each(|(verdict, since)| tell(verdict.name(), since));
}

fn acts() -> impl Iterator<Item = Verdict> {
    Verdict::WORDS.iter().map(|(_, verdict)| *verdict).filter(|verdict| *verdict <= Verdict::Unapproved)
}

pub fn cared(scrape: &Scrape<'_>, out: &mut Samples) {
    acts().for_each(|verdict| out.add_spans(&[verdict.name()], scrape.status.cared.get(&verdict).copied().unwrap_or_default()));
}

/// Use that a policy looks back upon: confirmed, in the window, and not where a designated device may be.
pub fn exposed(scrape: &Scrape<'_>, out: &mut Samples) {
    let since = now().before(scrape.status.exposure);
    let counts = |t: &&std::sync::Arc<Tracked>| {
        let finding = &t.finding;
        finding.level == Level::Confirmed && finding.last_seen >= since && t.stage != Stage::Superseded
    };
    let devices: BTreeSet<(&str, &str)> =
        scrape.findings.iter().filter(counts).map(|t| (scrape.segment(&t.finding.segment), t.finding.device.key.as_str())).collect();
    scrape.segments().for_each(|s| out.add(&[&s.name], 0.0));
    devices.into_iter().for_each(|(segment, _)| out.add(&[segment], 1.0));
}

pub fn groups(scrape: &Scrape<'_>, out: &mut Samples) {
    for (&(segment, app, verdict), devices) in &aggregate::table(members(&scrape.findings), scrape.group_min).groups {
        // Segments without a label of their own would be added up under one name.
        if scrape.segment(segment) == segment {
            out.add(&[segment, app, verdict], *devices as f64);
        }
    }
}

pub fn devices(scrape: &Scrape<'_>, out: &mut Samples) {
    let devices: BTreeSet<&str> = scrape.open().map(|t| t.finding.device.key.as_str()).collect();
    out.add(&[], devices.len() as f64);
}

pub fn shown(scrape: &Scrape<'_>, out: &mut Samples) {
    for tracked in scrape.shown() {
        let (finding, id) = (&tracked.finding, scrape.pseudonyms.finding(&tracked.finding.id));
        out.add(&[&id, &finding.app, scrape.segment(&finding.segment), finding.verdict.name()], secs(finding.last_seen));
    }
}
