//! `[policy]` and its lines.

use std::collections::BTreeMap;
use std::time::Duration;

use ringfence_core::diagnostic::{Section, choose};
use ringfence_core::net::Prefix;
use ringfence_core::policy::{EXPOSURE_DEFAULT, Level, Line, SegmentClass, Segments, Status};

use super::place::{Place, Text, required, required_choice, texts};
use super::waivers::WaiverRules;

const DAY_SECS: u64 = 86_400;

/// `[policy]` without its lines.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) bars: BTreeMap<SegmentClass, Level>,
    pub(super) exposure: Duration,
    pub(super) waivers: WaiverRules,
    pub(super) work_names: Vec<String>,
    pub(super) work_prefixes: Vec<Prefix>,
    pub(super) local_suffixes: Vec<String>,
    pub(super) radius_accounting: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            bars: BTreeMap::new(),
            exposure: EXPOSURE_DEFAULT,
            waivers: WaiverRules::default(),
            work_names: Vec::new(),
            work_prefixes: Vec::new(),
            local_suffixes: Vec::new(),
            radius_accounting: false,
        }
    }
}

/// A policy line as it was written.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    name: Option<Text<'d>>,
    place: Place<'d>,
    apps: Vec<Text<'d>>,
    classes: Vec<SegmentClass>,
    segments: Vec<Text<'d>>,
    status: Option<Status>,
}

/// Reads `[policy]`.
pub(super) fn read<'d>(root: &Section<'d>, lines: &mut Vec<Draft<'d>>) -> Settings {
    let mut settings = Settings { radius_accounting: identity(root), ..Settings::default() };
    let Some(section) = root.section("policy") else { return settings };
    if let Some(days) = days(&section, "exposure_days") {
        settings.exposure = Duration::from_secs(days * DAY_SECS);
    }
    if let Some(days) = days(&section, "waiver_days_max") {
        settings.waivers.days_max = days;
    }
    if let Some(days) = days(&section, "waiver_warn_days") {
        settings.waivers.warn_days = days;
    }
    settings.waivers.four_eyes = section.flag("waiver_four_eyes").is_some_and(|f| f.value);
    if let Some(levels) = section.section("min_level") {
        for (word, class) in SegmentClass::WORDS {
            if let Some(level) = levels.choice(word, &Level::WORDS) {
                settings.bars.insert(class, level.value);
            }
        }
        levels.finish();
    }
    settings.work_names = texts(&section, "work_names").iter().filter_map(|(t, place)| host_name(t, place)).collect();
    settings.work_prefixes = texts(&section, "work_prefixes").iter().filter_map(|(t, place)| super::segments::prefix(t, place)).collect();
    let suffixes = texts(&section, "local_suffixes");
    settings.local_suffixes = suffixes.iter().filter_map(|(t, p)| host_name(t.trim_start_matches('.'), p)).collect();
    lines.extend(section.sections("line").into_iter().map(line));
    section.finish();
    settings
}

/// `[identity]`: where devices are learned from.
fn identity(root: &Section<'_>) -> bool {
    let Some(section) = root.section("identity") else { return false };
    let radius = section.flag("radius_accounting").is_some_and(|f| f.value);
    section.finish();
    radius
}

fn line(section: Section<'_>) -> Draft<'_> {
    let classes = section.texts("classes").unwrap_or_default();
    let draft = Draft {
        name: required(&section, "name"),
        place: Place::of(section.document(), &section.here()),
        apps: texts(&section, "apps"),
        classes: classes.iter().filter_map(|c| choose(section.document(), c, &SegmentClass::WORDS)).map(|c| c.value).collect(),
        segments: texts(&section, "segments"),
        status: required_choice(&section, "status", &Status::WORDS),
    };
    section.finish();
    draft
}

fn days(section: &Section<'_>, key: &str) -> Option<u64> {
    let item = section.number(key)?;
    if (1..=3_650).contains(&item.value) {
        return Some(item.value);
    }
    Place::of(section.document(), &item).error(format!("{} is no sensible number of days", item.value), "1 to 3650");
    None
}

/// A host name or a pattern on host names, as in rules: `vpn.example.org`, `.example.org`, `vpn*.example.org`.
fn host_name(text: &str, place: &Place<'_>) -> Option<String> {
    let label = |l: &str| (1..=63).contains(&l.len()) && l.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*'));
    let name = text.strip_prefix('.').unwrap_or(text);
    if name.split('.').all(label) && name.len() <= 253 {
        return Some(text.to_ascii_lowercase());
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest).split(['/', ':']).next().unwrap_or("");
    let help = if bare != text && bare.split('.').all(label) {
        format!("did you mean `{bare}`?")
    } else {
        "write vpn.example.org, or .example.org for it and everything below".to_string()
    };
    place.error(format!("`{}` is no host name", text.escape_debug()), help);
    None
}

/// Holds the lines against the segments, the apps and each other.
pub(super) fn resolve(drafts: Vec<Draft<'_>>, segments: &Segments, apps: &[String]) -> Vec<Line> {
    let class_of = |name: &str| segments.by_name(name).map(|id| segments.get(id).class);
    let mut lines: Vec<(Line, Place<'_>)> = Vec::new();
    for draft in drafts {
        draft.apps.iter().for_each(|app| known_app(app, apps));
        draft.segments.iter().for_each(|segment| known_segment(segment, segments));
        let Some((name, status)) = draft.name.zip(draft.status) else { continue };
        if let Some((_, place)) = lines.iter().find(|(l, _)| l.name == name.0) {
            name.1.error(format!("the line `{}` is there already ({})", name.0, place.seen_from(&name.1)), "names of lines are unique");
        }
        let misfit = |(s, _): &&Text<'_>| class_of(s).is_some_and(|c| !draft.classes.is_empty() && !draft.classes.contains(&c));
        if let Some((segment, place)) = draft.segments.iter().find(misfit) {
            let class = class_of(segment).map_or("", SegmentClass::name);
            place.error(format!("`{segment}` is a {class} segment, which `classes` leaves out"), "give classes or segments");
        }
        let plain = |texts: &[Text<'_>]| texts.iter().map(|(t, _)| t.clone()).collect::<Vec<_>>();
        let line = Line { name: name.0, apps: plain(&draft.apps), classes: draft.classes, segments: plain(&draft.segments), status };
        if let Some((first, place)) = lines.iter().find(|(l, _)| l.hides(&line, class_of)) {
            let message = format!("never decides: `{}` ({}) matches wherever it does", first.name, place.seen_from(&draft.place));
            draft.place.warn(message, "the first line that matches decides: put the narrower line first");
        }
        lines.push((line, draft.place));
    }
    lines.into_iter().map(|(line, _)| line).collect()
}

/// Reports a segment that nobody defined.
pub(super) fn known_segment((name, place): &Text<'_>, segments: &Segments) {
    if segments.by_name(name).is_none() {
        place.unknown("segment", name, segments.names(), "define it as [segments.NAME]");
    }
}

/// Reports an app that no rule knows. Without rules nothing is known, and nothing is said.
pub(super) fn known_app((name, place): &Text<'_>, apps: &[String]) {
    if !apps.is_empty() && !apps.contains(name) {
        place.unknown("app", name, apps.iter().map(String::as_str), &format!("the rules know: {}", apps.join(", ")));
    }
}
