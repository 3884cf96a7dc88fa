//! The picture: from a snapshot and a width to lines. The live screen and `--once` show the same.

use std::time::Duration;

use ringfence_core::policy::Verdict;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::snapshot::{Alarm, Finding, Ring, Segment, Snapshot};
use super::tone::{Pieces, Tone};
use crate::cli::safe::printable;
use crate::cli::word;
use crate::output::human::sure;

/// Narrower screens are cut at the right.
const WIDTH_MIN: usize = 64;
/// From this width, segments and rings stand side by side.
const SIDE_BY_SIDE: usize = 124;

/// A ring without a frame for so long is remarked upon.
const SILENT: Duration = Duration::from_secs(10);

/// A column: its title, its width, whether it stands right.
type Column = (&'static str, usize, bool);

/// Everything, one part below the other.
pub fn whole(snapshot: &Snapshot, width: usize) -> Vec<Pieces> {
    let width = width.max(WIDTH_MIN);
    let mut lines = head(snapshot, width);
    lines.extend(findings_head(width));
    lines.extend(findings(snapshot, width));
    lines.extend(foot(snapshot, width));
    lines.into_iter().map(|line| clip(line, width)).collect()
}

fn clip(line: Pieces, width: usize) -> Pieces {
    let mut left = width;
    let mut kept = Pieces::new();
    for (text, tone) in line {
        let wide = text.width().min(left);
        let fits = text.width() <= left;
        kept.push((if fits { text } else { fit_printable(&text, wide) }, tone));
        left -= wide;
    }
    kept
}

/// What stands above the findings: who, how many, alarms.
pub fn head(snapshot: &Snapshot, width: usize) -> Vec<Pieces> {
    let coverage = &snapshot.coverage;
    let site = if coverage.site.is_empty() { String::new() } else { format!("  {}", printable(coverage.site.as_bytes())) };
    let up = snapshot.ago(&coverage.started).map_or(String::new(), |d| format!("up {}  ", span(d)));
    let clock = coverage.at.get(11..19).unwrap_or("");
    let right = format!("{up}rules {}  {clock} UTC", printable(coverage.rules.as_bytes()));
    let left = ["ringfence".width(), site.width()].iter().sum::<usize>();
    let gap = " ".repeat(width.saturating_sub(left + right.width() + 1).max(2));
    let mut lines = vec![
        vec![(" ringfence".into(), Tone::Strong), (site, Tone::Plain), (gap, Tone::Plain), (right, Tone::Quiet)],
        Vec::new(),
        open(snapshot),
    ];
    let mut troubles: Vec<Pieces> = Vec::new();
    if !coverage.ready {
        troubles.push(vec![(" STARTING ".into(), Tone::Bad), ("its rings are not open yet".into(), Tone::Plain)]);
    }
    if !coverage.store.problem.is_empty() {
        let text = format!("{} findings are not on disk: {}", coverage.store.pending, printable(coverage.store.problem.as_bytes()));
        troubles.push(vec![(" STORE ".into(), Tone::Bad), (fit(&text, width.saturating_sub(8), false), Tone::Plain)]);
    }
    troubles.extend(snapshot.alarms.iter().map(|a| alarm(a, width)));
    if !troubles.is_empty() {
        lines.push(Vec::new());
        lines.append(&mut troubles);
    }
    lines
}

fn open(snapshot: &Snapshot) -> Pieces {
    let open = snapshot.open();
    let total: usize = open.values().sum();
    if total == 0 {
        return vec![(" Nothing open".into(), Tone::Strong)];
    }
    let headline = format!(" {} open on {}", count(total, "finding"), count(snapshot.devices, "device"));
    let mut line = vec![(headline, Tone::Strong)];
    for (verdict, n) in open {
        line.extend([("   ".into(), Tone::Plain), (badge(verdict), Tone::Verdict(verdict)), (format!(" {n}"), Tone::Plain)]);
    }
    line
}

fn alarm(alarm: &Alarm, width: usize) -> Pieces {
    let place = if alarm.interface.is_empty() { String::new() } else { format!("{}: ", alarm.interface) };
    let since = alarm.since.get(11..16).unwrap_or("");
    let kind = format!(" {} ", printable(alarm.kind.to_uppercase().as_bytes()));
    let text = format!("{place}{} (since {since})", alarm.detail);
    let room = width.saturating_sub(kind.width() + 1);
    vec![(kind, Tone::Bad), (fit(&text, room, false), Tone::Plain)]
}

/// The columns of findings: what is left of the width goes to device and segment.
fn finding_columns(width: usize) -> Vec<Column> {
    let mut columns: Vec<Column> =
        vec![("VERDICT", 19, false), ("DEVICE", 16, false), ("APP", 14, false), ("SEGMENT", 12, false), ("SEEN", 6, true)];
    let room = |columns: &[Column]| width.saturating_sub(2 + columns.iter().map(|c| c.1 + 2).sum::<usize>());
    if room(&columns) >= 16 {
        columns.insert(4, ("LEVEL", 14, false));
    }
    if room(&columns) >= 8 {
        columns.push(("FLOWS", 7, true));
    }
    let spare = room(&columns).min(32);
    columns.iter_mut().filter(|c| matches!(c.0, "DEVICE" | "SEGMENT")).for_each(|c| c.1 += spare / 2);
    columns
}

/// The line above the findings.
pub fn findings_head(width: usize) -> Vec<Pieces> {
    vec![Vec::new(), titles(&finding_columns(width))]
}

/// The findings, a line each.
pub fn findings(snapshot: &Snapshot, width: usize) -> Vec<Pieces> {
    if snapshot.findings.is_empty() {
        return vec![vec![("  none".into(), Tone::Quiet)]];
    }
    let columns = finding_columns(width);
    let mut lines: Vec<Pieces> = snapshot.findings.iter().map(|f| finding(snapshot, f, &columns)).collect();
    let more = snapshot.open().values().sum::<usize>().saturating_sub(lines.len());
    if more > 0 {
        lines.push(vec![(format!("  and {more} more: /api/v1/findings has them all"), Tone::Quiet)]);
    }
    lines
}

fn finding(snapshot: &Snapshot, f: &Finding, columns: &[Column]) -> Pieces {
    let who = f.device.register.as_ref().or(f.device.name.as_ref()).unwrap_or(&f.device.id);
    let app = match (f.app.as_str(), f.surface.as_str()) {
        ("none", _) if f.verdict == Verdict::Disguise.name() => "disguise".to_string(),
        ("none", _) => "presence".to_string(),
        (app, "none" | "app") => app.to_string(),
        (app, surface) => format!("{app} ({surface})"),
    };
    let level = if f.level == "none" { "-".to_string() } else { format!("{} {}", f.level, sure(f.confidence)) };
    let cells = columns.iter().map(|(title, ..)| match *title {
        "VERDICT" => verdict(&f.verdict),
        "DEVICE" => (who.clone(), Tone::Strong),
        "APP" => (app.clone(), Tone::Plain),
        "SEGMENT" => (f.segment.clone(), Tone::Plain),
        "LEVEL" => (level.clone(), Tone::Plain),
        "SEEN" => (snapshot.ago(&f.last_seen).map_or("-".into(), span), Tone::Quiet),
        _ => (f.flows.to_string(), Tone::Quiet),
    });
    row(columns, cells)
}

fn verdict(name: &str) -> (String, Tone) {
    word(name, &Verdict::WORDS).map_or((name.to_string(), Tone::Plain), |v| (badge(v), Tone::Verdict(v)))
}

fn badge(verdict: Verdict) -> String {
    format!(" {} ", verdict.name().replace('_', " ").to_uppercase())
}

/// What stands below the findings: segments and rings.
pub fn foot(snapshot: &Snapshot, width: usize) -> Vec<Pieces> {
    let mut lines = vec![Vec::new()];
    if width < SIDE_BY_SIDE {
        lines.extend(segments(snapshot, width));
        lines.push(Vec::new());
        lines.extend(rings(snapshot));
        return lines;
    }
    let left_width = width - rings_width() - 3;
    let (left, right) = (segments(snapshot, left_width), rings(snapshot));
    for i in 0..left.len().max(right.len()) {
        let mut line = left.get(i).cloned().unwrap_or_default();
        let taken: usize = line.iter().map(|(text, _)| text.width()).sum();
        line.push((" ".repeat(left_width.saturating_sub(taken) + 3), Tone::Plain));
        line.extend(right.get(i).cloned().unwrap_or_default());
        lines.push(line);
    }
    lines
}

fn segments(snapshot: &Snapshot, width: usize) -> Vec<Pieces> {
    let columns: &[Column] = &[("SEGMENT", 20, false), ("CLASS", 9, false), ("DEVICES", 7, true)];
    let mut head = titles(columns);
    head.push(("OPEN".into(), Tone::Quiet));
    let mut lines = vec![head];
    for s in &snapshot.segments {
        let name_tone = if s.open.is_empty() { Tone::Quiet } else { Tone::Plain };
        let devices = if s.devices == 0 { "-".to_string() } else { s.devices.to_string() };
        let mut line = row(columns, [(s.name.clone(), name_tone), (s.class.clone(), Tone::Quiet), (devices, name_tone)].into_iter());
        let room = width.saturating_sub(line.iter().map(|(text, _)| text.width()).sum());
        line.extend(tallies(s, room));
        lines.push(line);
    }
    if snapshot.segments.is_empty() {
        lines.push(vec![("  none".into(), Tone::Quiet)]);
    }
    lines
}

/// `8 violation  2 waived`, as many as there is room for.
fn tallies(segment: &Segment, room: usize) -> Pieces {
    let mut pieces = Pieces::new();
    let mut left = room;
    for (verdict, name) in Verdict::WORDS.map(|(name, v)| (v, name)) {
        let Some(n) = segment.open.get(name) else { continue };
        let text = format!("{n} {}", name.replace('_', " "));
        if text.width() + 2 > left {
            pieces.push(("…".into(), Tone::Quiet));
            break;
        }
        left -= text.width() + 2;
        // On a violation's background a number in running text would shout.
        let tone = if verdict == Verdict::Violation { Tone::Bad } else { Tone::Verdict(verdict) };
        pieces.extend([(text, tone), ("  ".into(), Tone::Plain)]);
    }
    pieces
}

const RING_COLUMNS: &[Column] =
    &[("RING", 15, false), ("STATE", 9, false), ("FRAMES/S", 9, true), ("BIT/S", 8, true), ("LOST", 8, true), ("DELAY", 7, true)];

fn rings_width() -> usize {
    2 + RING_COLUMNS.iter().map(|c| c.1 + 2).sum::<usize>()
}

fn rings(snapshot: &Snapshot) -> Vec<Pieces> {
    let mut lines = vec![titles(RING_COLUMNS)];
    for ring in &snapshot.coverage.rings {
        lines.push(row(RING_COLUMNS, ring_cells(snapshot, ring).into_iter()));
        let silent = ring.last_frame.as_ref().and_then(|at| snapshot.ago(at)).filter(|ago| *ago >= SILENT);
        let remark = ring.error.clone().or_else(|| silent.map(|ago| format!("no frame for {}", span(ago))));
        if let Some(remark) = remark {
            lines.push(vec![("    ".into(), Tone::Plain), (fit(&remark, rings_width() - 4, false), Tone::Quiet)]);
        }
    }
    if snapshot.coverage.rings.is_empty() {
        lines.push(vec![("  none".into(), Tone::Bad)]);
    }
    lines
}

fn ring_cells(snapshot: &Snapshot, ring: &Ring) -> [(String, Tone); 6] {
    let lost: u64 = ring.lost.values().sum();
    let share = lost as f64 / (lost + ring.frames).max(1) as f64 * 100.0;
    let rate = snapshot.rates.get(&(ring.interface.clone(), ring.ring));
    let told = |value: Option<f64>| value.map_or("-".to_string(), si);
    let capturing = ring.state == "capturing";
    let state = if capturing && ring.filtered { "filtered" } else { ring.state.as_str() };
    [
        (format!("{}/{}", ring.interface, ring.ring), Tone::Strong),
        (state.to_string(), if capturing { Tone::Good } else { Tone::Bad }),
        (told(rate.map(|r| r.0)), Tone::Plain),
        (told(rate.map(|r| r.1 * 8.0)), Tone::Plain),
        (format!("{share:.2} %"), if lost > 0 { Tone::Bad } else { Tone::Quiet }),
        (format!("{:.0} ms", ring.delay_secs * 1e3), Tone::Quiet),
    ]
}

fn titles(columns: &[Column]) -> Pieces {
    row(columns, columns.iter().map(|(title, ..)| (title.to_string(), Tone::Quiet)))
}

/// A line of cells, two columns in. A badge's own blank counts as part of the margin, so that its word stands under its title.
fn row(columns: &[Column], cells: impl Iterator<Item = (String, Tone)>) -> Pieces {
    let mut line: Pieces = vec![("  ".into(), Tone::Plain)];
    for ((_, width, right), (text, tone)) in columns.iter().zip(cells) {
        if matches!(tone, Tone::Verdict(_)) {
            if let Some((margin, _)) = line.last_mut() {
                margin.pop();
            }
            let blank = " ".repeat((width + 3).saturating_sub(text.width()));
            line.extend([(text, tone), (blank, Tone::Plain)]);
        } else {
            line.extend([(fit(&text, *width, *right), tone), ("  ".into(), Tone::Plain)]);
        }
    }
    line
}

/// Text made printable and exactly so wide.
fn fit(text: &str, width: usize, right: bool) -> String {
    let out = fit_printable(&printable(text.as_bytes()), width);
    let blank = " ".repeat(width.saturating_sub(out.width()));
    if right { blank + &out } else { out + &blank }
}

/// Printable text, cut with an ellipsis where it is wider.
fn fit_printable(text: &str, width: usize) -> String {
    if text.width() <= width || width == 0 {
        return if width == 0 { String::new() } else { text.to_string() };
    }
    let (mut out, mut left) = (String::new(), width - 1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        out.push(c);
    }
    out.push('…');
    out
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `12 s`, `5 min`, `3 h`, `9 d`.
fn span(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// `950`, `12.3 k`, `1.2 M`.
fn si(n: f64) -> String {
    match n {
        n if n < 1e3 => format!("{n:.0}"),
        n if n < 1e6 => format!("{:.1} k", n / 1e3),
        n if n < 1e9 => format!("{:.1} M", n / 1e6),
        n => format!("{:.1} G", n / 1e9),
    }
}
