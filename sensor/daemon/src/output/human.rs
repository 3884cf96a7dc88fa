//! For people at a terminal: the answer first, then each device with what speaks for it, then what could not be seen.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use owo_colors::Style;
use ringfence_core::coverage::Blind;
use ringfence_core::field::Family;
use ringfence_core::finding::{EvidenceLine, Finding, FlowRow};
use ringfence_core::limits::Limit;
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::{ScanResult, SegmentCoverage};
use crate::cli::Terminal;
use crate::vendor;

/// Evidence lines shown per finding; JSON has them all.
const EVIDENCE_SHOWN: usize = 5;

/// Segments shown in the coverage, those with the most packets.
const SEGMENTS_SHOWN: usize = 6;
/// The colour of a verdict.
pub fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Violation => Style::new().white().on_red().bold(),
        Verdict::SeparationBreach => Style::new().red().bold(),
        Verdict::WaiverExpired | Verdict::Unapproved => Style::new().yellow().bold(),
        Verdict::Disguise => Style::new().magenta().bold(),
        Verdict::Waived | Verdict::Observed => Style::new().cyan(),
        Verdict::Compliant => Style::new().green(),
    }
}

/// Writes a scan for people.
///
/// # Errors
/// Whatever the writer fails with.
pub fn write(result: &ScanResult, flows: bool, terminal: &Terminal, out: &mut dyn Write) -> io::Result<()> {
    let page = Page { terminal };
    page.headline(result, out)?;
    for verdict in Verdict::WORDS.iter().map(|(_, v)| *v) {
        for finding in result.findings.iter().filter(|f| f.verdict == verdict) {
            writeln!(out)?;
            page.finding(finding, out)?;
            if flows {
                page.flows(result.flows.iter().filter(|f| f.finding == finding.id), out)?;
            }
        }
    }
    writeln!(out)?;
    page.coverage(result, out)
}

struct Page<'t> {
    terminal: &'t Terminal,
}

impl Page<'_> {
    fn bold(&self, text: &str) -> String {
        self.terminal.paint(text, Style::new().bold())
    }

    fn dim(&self, text: &str) -> String {
        self.terminal.paint(text, Style::new().dimmed())
    }

    fn verdict(&self, verdict: Verdict) -> String {
        let word = verdict.name().replace('_', " ").to_uppercase();
        self.terminal.paint(&format!(" {word} "), verdict_style(verdict))
    }

    fn headline(&self, result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
        let devices: std::collections::BTreeSet<&str> = result.findings.iter().map(|f| f.device.id.as_str()).collect();
        let (findings, devices) = (count(result.findings.len(), "finding"), count(devices.len(), "device"));
        let headline = match (result.findings.is_empty(), result.unread.is_empty()) {
            (true, true) => "No finding".to_string(),
            (true, false) => "No finding in what could be read".to_string(),
            (false, _) => format!("{findings} on {devices}"),
        };
        writeln!(out, "{}  {}", self.bold(&headline), self.dim(&span_of(result.tally.span())))?;
        let mut tally: BTreeMap<Verdict, usize> = BTreeMap::new();
        result.findings.iter().for_each(|f| *tally.entry(f.verdict).or_default() += 1);
        if !tally.is_empty() {
            let mut used = 0;
            for (verdict, n) in &tally {
                let width = verdict.name().len() + n.to_string().len() + 3;
                let gap = if used == 0 {
                    ""
                } else if used + 2 + width > self.terminal.width {
                    "\n"
                } else {
                    "  "
                };
                used = if gap == "  " { used + 2 + width } else { width };
                write!(out, "{gap}{} {n}", self.verdict(*verdict))?;
            }
            writeln!(out)?;
        }
        if !result.policy {
            writeln!(
                out,
                "{}",
                self.dim("No policy was given (-c ringfence.toml): everything is reported as observed, segments are derived.")
            )?;
        }
        Ok(())
    }

    fn finding(&self, f: &Finding, out: &mut dyn Write) -> io::Result<()> {
        let what = match (f.surface, f.app.as_str()) {
            (Some(surface), app) => format!("{app} ({})", surface.name()),
            (None, "none") if f.verdict == Verdict::Disguise => "WeChat's headers around something else".to_string(),
            (None, "none") => "designated device out of its place".to_string(),
            (None, app) => format!("seen here after {app} use elsewhere"),
        };
        let sure = if f.level == Level::None { String::new() } else { format!(", {} {}", f.level.name(), sure(f.confidence)) };
        writeln!(out, "{} {} {}{}", self.verdict(f.verdict), self.bold(&who(f)), what, self.dim(&sure))?;
        for (i, reason) in f.reasons.iter().enumerate() {
            self.row(if i == 0 { "why" } else { "" }, reason, out)?;
        }
        self.row("policy", &f.policy, out)?;
        self.row("device", &identity(f), out)?;
        self.row("where", &format!("{} ({}), {}", f.segment, f.segment_class, span_of(Some((f.first_seen, f.last_seen)))), out)?;
        if f.flows > 0 {
            let traffic = format!("{}, {} up, {} down", count(f.flows as usize, "flow"), bytes(f.bytes_up), bytes(f.bytes_down));
            let regions = if f.regions.is_empty() { String::new() } else { format!("  [{}]", f.regions.join(", ")) };
            let instances = if f.instances > 1 { format!(", at least {} installations", f.instances) } else { String::new() };
            self.row("use", &format!("{}{regions}; {traffic}{instances}", f.classes.join(", ")), out)?;
        }
        for (i, line) in f.evidence.iter().take(EVIDENCE_SHOWN).enumerate() {
            self.row(if i == 0 { "signs" } else { "" }, &sign(line), out)?;
        }
        if f.evidence.len() > EVIDENCE_SHOWN {
            self.row("", &self.dim(&format!("and {} more (-o json)", f.evidence.len() - EVIDENCE_SHOWN)), out)?;
        }
        if !f.others.is_empty() {
            let others: Vec<&str> = f.others.iter().map(|v| v.name()).collect();
            self.row("also", &others.join(", "), out)?;
        }
        Ok(())
    }

    fn row(&self, label: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
        let label = format!("{label:>9}");
        for (i, line) in wrap(text, self.terminal.width.saturating_sub(12).max(40)).iter().enumerate() {
            let label = if i == 0 { self.dim(&label) } else { " ".repeat(9) };
            writeln!(out, "{label}  {line}")?;
        }
        Ok(())
    }

    fn flows<'f>(&self, rows: impl Iterator<Item = &'f FlowRow>, out: &mut dyn Write) -> io::Result<()> {
        for row in rows {
            let line = format!("{} {} > {}  {}  {}", row.transport.name(), row.client, row.server, row.level.name(), row.signals.join(" "));
            self.row("flow", &line, out)?;
        }
        Ok(())
    }

    fn coverage(&self, result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
        let tally = &result.tally;
        let watched = Duration::from_nanos(tally.watched_nanos);
        writeln!(out, "{}", self.bold("What this answer rests on"))?;
        let (frames, flows) = (count(tally.frames as usize, "frame"), count(tally.flows as usize, "flow"));
        let seen = format!("{frames}, {}, {flows}, {} watched", bytes(tally.bytes), duration(watched));
        self.row("seen", &seen, out)?;
        for (i, problem) in result.unread.iter().enumerate() {
            self.row(if i == 0 { "not read" } else { "" }, problem, out)?;
        }
        let of = |kind: Blind| tally.blind.get(&kind).copied().unwrap_or(0);
        let lost = Blind::ALL.iter().filter(|b| **b != Blind::EchPresent).map(|b| (b.name(), of(*b)));
        let lost: Vec<String> = lost.filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {n}")).collect();
        let nothing = if result.unread.is_empty() {
            "nothing was lost or unjudgeable that can be counted"
        } else {
            "nothing else that can be counted"
        };
        self.row("not seen", &if lost.is_empty() { nothing.to_string() } else { lost.join(", ") }, out)?;
        if of(Blind::EchPresent) > 0 {
            let text =
                format!("{} with an ECH extension that may be GREASE: the names that were read may be outer ones", of(Blind::EchPresent));
            self.row("hellos", &text, out)?;
        }
        for (i, segment) in result.segments.iter().take(SEGMENTS_SHOWN).enumerate() {
            self.row(if i == 0 { "segments" } else { "" }, &segment_text(segment), out)?;
        }
        if result.segments.len() > SEGMENTS_SHOWN {
            self.row("", &self.dim(&format!("and {} more (-o json)", result.segments.len() - SEGMENTS_SHOWN)), out)?;
        }
        let mut limits = tally.limits.clone();
        limits.merge(&result.limits);
        let hit: Vec<String> =
            Limit::ALL.iter().filter(|l| limits.of(**l) > 0).map(|l| format!("{} {}", l.name(), limits.of(*l))).collect();
        if !hit.is_empty() {
            self.row("limits", &hit.join(", "), out)?;
        }
        if tally.clock_steps > 0 {
            self.row("clock", &format!("{} (a pause of more than an hour, or a step)", count(tally.clock_steps as usize, "step")), out)?;
        }
        if !result.findings.is_empty() {
            let letters = Family::ALL.iter().map(|f| format!("{} {}", f.letter(), f.about()));
            self.row("signs", &letters.collect::<Vec<_>>().join(", "), out)?;
        }
        self.row("rules", &result.rules, out)?;
        self.row("blind to", "VPNs and relays, mobile data, encrypted DNS, names behind ECH, devices that are switched off", out)
    }
}

/// `office (standard): 12 flows, 345 frames; ech-present 2, one-way 1`.
fn segment_text(segment: &SegmentCoverage) -> String {
    let tally = &segment.tally;
    let blind = Blind::ALL.iter().filter(|b| **b != Blind::EchPresent).map(|b| (b.name(), tally.blind(*b)));
    let cut = std::iter::once(("truncated", tally.truncated));
    let limits = tally.limits.hit().map(|(limit, n)| (limit.name(), n));
    let lost: Vec<String> = blind.chain(cut).chain(limits).filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {n}")).collect();
    let lost = if lost.is_empty() { String::new() } else { format!("; {}", lost.join(", ")) };
    let (flows, frames) = (count(tally.flows as usize, "flow"), count(tally.frames as usize, "frame"));
    format!("{} ({}): {flows}, {frames}{lost}", segment.name, segment.class)
}

fn who(f: &Finding) -> String {
    let device = &f.device;
    let name = device.register.as_deref().or(device.name.as_deref());
    let fallback = || device.mac.map(|m| m.to_string()).or_else(|| device.addresses.first().map(ToString::to_string));
    name.map(short).or_else(fallback).unwrap_or_else(|| device.id.clone())
}

/// A name that a device gave itself may have 255 characters; JSON has them all.
fn short(name: &str) -> String {
    const SHOWN: usize = 40;
    if name.chars().count() <= SHOWN { name.to_string() } else { name.chars().take(SHOWN - 1).chain(['…']).collect() }
}

fn identity(f: &Finding) -> String {
    let device = &f.device;
    let mut parts = Vec::new();
    if let Some(mac) = device.mac {
        let about = if device.randomised_mac { Some("randomised") } else { vendor::of(mac) };
        let about = about.filter(|_| device.register.is_none());
        parts.push(about.map_or_else(|| mac.to_string(), |about| format!("{mac} ({about})")));
    }
    let on_link = |a: &&IpAddr| match a {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    };
    // Link-local addresses tell nobody where a device is; JSON has them.
    let routed: Vec<&IpAddr> = device.addresses.iter().filter(|a| !on_link(a)).collect();
    let shown: Vec<String> = routed.iter().take(2).map(ToString::to_string).collect();
    let more = routed.len().saturating_sub(2);
    if !shown.is_empty() {
        parts.push(if more > 0 { format!("{} and {more} more", shown.join(" ")) } else { shown.join(" ") });
    }
    if let Some(name) = device.name.as_deref().filter(|n| Some(*n) != device.register.as_deref()) {
        parts.push(short(name));
    }
    if device.behind_router {
        parts.push("behind a router".to_string());
    }
    if device.shared_nic {
        parts.push("shared NIC".to_string());
    }
    parts.push(format!("identity {:.2}", device.confidence));
    parts.join(", ")
}

/// A confidence for people: two digits; never 1.00, because nothing is certain.
pub fn sure(confidence: f64) -> String {
    format!("{:.2}", confidence.min(0.99))
}

fn sign(line: &EvidenceLine) -> String {
    let times = if line.count > 1 { format!(" x{}", line.count) } else { String::new() };
    let kind = if line.kind.name() == "observed" { String::new() } else { format!(" ({})", line.kind.name()) };
    let weight = if line.weight > 0.0 { format!("{:.2}", line.weight) } else { "   -".into() };
    format!("{} {weight}  {} = {}{times}{kind}", line.family, line.field, line.value)
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

fn duration(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..120 => format!("{:.1} s", span.as_secs_f64()),
        120..7_200 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
    }
}

/// `2026-03-03 08:00:12 - 09:41:07 UTC`.
fn span_of(span: Option<(Timestamp, Timestamp)>) -> String {
    let Some((first, last)) = span else { return "no frames".to_string() };
    let text = |ts: Timestamp| ts.to_string().replace('T', " ").chars().take(19).collect::<String>();
    let (first, last) = (text(first), text(last));
    match (first == last, first.get(..10) == last.get(..10)) {
        (true, _) => format!("{first} UTC"),
        (false, true) => format!("{first} - {} UTC", last.get(11..).unwrap_or(&last)),
        (false, false) => format!("{first} - {last} UTC"),
    }
}

/// Breaks a text at spaces so that no line is wider than `width` columns; a longer word stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes() {
        let at = |text| Timestamp::parse(text).expect("valid");
        let morning = (at("2026-03-03T08:00:12Z"), at("2026-03-03T09:41:07Z"));
        assert_eq!(span_of(Some(morning)), "2026-03-03 08:00:12 - 09:41:07 UTC");
        assert_eq!(span_of(None), "no frames");
        assert_eq!([bytes(999), bytes(12_345), bytes(1_704_600)], ["999 B", "12.3 kB", "1.7 MB"]);
        assert_eq!([sure(0.5), sure(0.999_91)], ["0.50", "0.99"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }
}
