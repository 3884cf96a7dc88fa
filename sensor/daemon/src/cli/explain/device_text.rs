//! The account of a device, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ringfence_core::finding::EvidenceLine;
use ringfence_core::rules::Surface;

use super::super::safe::printable;
use super::super::{Terminal, table};
use super::device::{Account, Told};
use crate::store::{Counts, Piece};
use crate::veil::without_addresses;

/// Lines of evidence, days and spans that are shown.
const LINES_MAX: usize = 12;

pub(super) fn human(account: &Account, terminal: &Terminal) -> String {
    let mut text = format!("{} at {}\n", printable(account.name.as_bytes()), account.at.to_minute());
    if let Some(first) = account.findings.first() {
        let device = &first.finding.device;
        let _ = writeln!(text, "  known with confidence {:.2}: {}", device.confidence.min(0.99), safe(account, &device.reasons.join("; ")));
    }
    if account.findings.is_empty() {
        text += "  nothing was found about it by then\n";
    }
    account.findings.iter().for_each(|told| text += &finding(account, told));
    if !account.apps.is_empty() {
        text += "\nAs long as necessary?\n";
    }
    for (app, last, days, necessity) in &account.apps {
        let _ = writeln!(text, "  {app}: used on {}, last {}; {}", counted(*days, "day"), last.to_minute(), necessity.sentence());
    }
    text += &days(account, terminal);
    text
}

fn finding(account: &Account, told: &Told) -> String {
    let f = &told.finding;
    let what = f.surface.map_or("no app", Surface::name);
    let mut text = format!(
        "\n{}  {} ({what}) in {} ({}): {}, {} {:.2}\n",
        told.name,
        f.app,
        safe(account, &f.segment),
        f.segment_class,
        f.verdict.name(),
        f.level.name(),
        f.confidence.min(0.99)
    );
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "  {what:<10} {value}");
    };
    line("policy", safe(account, &f.policy));
    f.reasons.iter().for_each(|reason| line("because", safe(account, reason)));
    f.others.iter().for_each(|other| line("also", other.name().to_string()));
    line(
        "seen",
        format!(
            "{} to {}, {}, {}",
            f.first_seen.to_minute(),
            f.last_seen.to_minute(),
            counted(f.flows as usize, "flow"),
            counted(f.presence.days().len(), "day")
        ),
    );
    if let Some(at) = f.basis.work_service {
        line("work", format!("the organisation's work services were used until {}", at.to_minute()));
    }
    f.evidence.iter().take(LINES_MAX).for_each(|e| line("evidence", evidence(account, e)));
    let more = f.evidence.len().saturating_sub(LINES_MAX);
    if more > 0 {
        line("", format!("and {more} more"));
    }
    for (held, standing) in &told.waivers {
        let w = &held.waiver;
        line(
            "waiver",
            format!("{} is {} ({} to {})", printable(w.id.as_bytes()), standing.name(), w.start.to_minute(), w.until().to_minute()),
        );
    }
    if told.waivers.is_empty() {
        line("waiver", "none concerns it".into());
    }
    line("coverage", coverage(&told.coverage));
    told.history
        .iter()
        .rev()
        .take(LINES_MAX)
        .rev()
        .for_each(|row| line("history", format!("{} {} {}", row.at.to_minute(), row.event, row.verdict)));
    text
}

fn evidence(account: &Account, e: &EvidenceLine) -> String {
    format!(
        "{} {} = {}  family {}, weight {:.2}, {} times, {}",
        printable(e.indicator.as_bytes()),
        e.field,
        safe(account, &e.value),
        e.family,
        e.weight,
        e.count,
        e.kind.name()
    )
}

/// What was watched and lost in the hour of the last sign.
fn coverage(piece: &Piece) -> String {
    if piece.watched.is_empty() {
        return "not kept for the hour of the last sign".into();
    }
    let interfaces = piece.watched.iter().map(|w| {
        let share = if w.seconds > 0.0 { 100.0 * (1.0 - (w.blind_seconds / w.seconds).min(1.0)) } else { 0.0 };
        format!("{} watched {:.0} s, capturing {share:.0} %, lost {}", printable(w.interface.as_bytes()), w.seconds, sum(&w.lost))
    });
    let segment = piece
        .covered
        .iter()
        .map(|c| format!("{} flows of the segment, {} not judgeable{}", c.flows, sum(&c.unjudgeable), kinds(&c.unjudgeable)));
    interfaces.chain(segment).collect::<Vec<_>>().join("; ")
}

fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}

fn kinds(counts: &Counts) -> String {
    if counts.is_empty() {
        return String::new();
    }
    format!(" ({})", counts.iter().map(|(kind, n)| format!("{kind} {n}")).collect::<Vec<_>>().join(", "))
}

fn days(account: &Account, terminal: &Terminal) -> String {
    let row = |d: &crate::store::DaySeen| {
        let addr = if account.identities { d.addr.to_string() } else { String::from("[hidden]") };
        vec![
            d.span.0.to_string().get(..10).unwrap_or_default().to_string(),
            safe(account, &d.segment),
            addr,
            minute(d.span.0),
            minute(d.span.1),
        ]
    };
    let mut by_segment: BTreeMap<&str, usize> = BTreeMap::new();
    account.days.iter().for_each(|d| *by_segment.entry(&d.segment).or_default() += 1);
    let mut text =
        table::text(&table::headed(&["day", "segment", "address", "from", "to"], account.days.iter().take(LINES_MAX).map(row)), terminal);
    if account.days.len() > LINES_MAX {
        let told = by_segment.iter().map(|(segment, n)| format!("{} {n}", safe(account, segment))).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "  the latest of {} days: {told}", account.days.len());
    }
    text
}

/// `1 day`, `2 days`.
fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn minute(at: ringfence_core::time::Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_string()
}

fn safe(account: &Account, text: &str) -> String {
    let shown = if account.identities { text.into() } else { without_addresses(text) };
    printable(shown.as_bytes())
}
