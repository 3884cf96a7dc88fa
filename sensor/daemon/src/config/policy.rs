//! `[policy]` and its lines.

use std::time::Duration;

use ringfence_core::diagnostic::{Document, Item, Section, choose, nearest};
use ringfence_core::policy::{Level, Line, Policy, SegmentClass, Status};

/// Waivers last a year at most unless the policy says otherwise.
const WAIVER_DAYS_MAX: u64 = 365;

const DAY: u64 = 86_400;

/// Reads `[policy]`.
pub(super) fn read(root: &Section<'_>, policy: &mut Policy) {
    let Some(section) = root.section("policy") else { return };
    let doc = root.document();
    if let Some(days) = days(doc, &section, "exposure_days") {
        policy.exposure = Duration::from_secs(days * DAY);
    }
    if let Some(levels) = section.section("min_level") {
        for (class, level) in &SegmentClass::WORDS.map(|(word, class)| (class, levels.choice(word, &Level::WORDS))) {
            level.as_ref().map(|l| policy.bars.insert(*class, l.value));
        }
        levels.finish();
    }
    policy.work_names = section.texts("work_names").unwrap_or_default().iter().map(|n| n.value.to_lowercase()).collect();
    policy.work_prefixes =
        section.texts("work_prefixes").unwrap_or_default().iter().filter_map(|p| super::segments::prefix(doc, p)).collect();
    policy.local_suffixes = section.texts("local_suffixes").unwrap_or_default().iter().map(|s| s.value.to_lowercase()).collect();
    policy.lines.extend(section.sections("line").into_iter().filter_map(|s| line(doc, s)));
    section.node("waiver_days_max");
    section.finish();
}

fn line(doc: &Document<'_>, section: Section<'_>) -> Option<Line> {
    let name = section.required_text("name");
    let status = section.choice("status", &Status::WORDS);
    if status.is_none() && section.node("status").is_none() {
        section.missing("status");
    }
    let texts = |key| section.texts(key).unwrap_or_default().iter().map(|t| t.value.to_string()).collect();
    let (apps, segments) = (texts("apps"), texts("segments"));
    let classes = section.texts("classes").unwrap_or_default();
    let classes = classes.iter().filter_map(|c| choose(doc, c, &SegmentClass::WORDS)).map(|c| c.value).collect();
    section.finish();
    Some(Line { name: name?.value.to_string(), apps, classes, segments, status: status?.value })
}

fn days(doc: &Document<'_>, section: &Section<'_>, key: &str) -> Option<u64> {
    let item = section.number(key)?;
    if (1..=36_500).contains(&item.value) {
        return Some(item.value);
    }
    doc.error(&item, format!("{} is no sensible number of days", item.value), Some("1 to 36500".into()));
    None
}

/// The longest that a waiver may last, in days.
pub(super) fn waiver_days_max(root: &Section<'_>) -> u64 {
    let section = root.section("policy");
    section.and_then(|s| days(root.document(), &s, "waiver_days_max")).unwrap_or(WAIVER_DAYS_MAX)
}

/// Names of segments in policy lines are checked when all segments are known.
pub(super) fn check_references(root: &Section<'_>, policy: &Policy) {
    let Some(section) = root.section("policy") else { return };
    for line in section.sections("line") {
        line.texts("segments").unwrap_or_default().iter().for_each(|s| known_segment(root.document(), s, policy));
    }
}

/// Reports a segment that nobody defined.
pub(super) fn known_segment(doc: &Document<'_>, item: &Item<&str>, policy: &Policy) {
    if policy.segments.by_name(item.value).is_none() {
        let near = nearest(item.value, policy.segments.names());
        let help = near.map_or_else(|| "define it as [segments.NAME]".to_string(), |n| format!("did you mean `{n}`?"));
        doc.error(item, format!("there is no segment `{}`", item.value.escape_debug()), Some(help));
    }
}
