//! `[[waiver]]`: approved exceptions. Blanket ones are refused.

use std::time::Duration;

use ringfence_core::diagnostic::Section;
use ringfence_core::net::Mac;
use ringfence_core::policy::{Policy, Revoked, Status, Waiver};
use ringfence_core::time::Timestamp;

use super::place::{Place, Text, required, text, texts};
use super::policy::{known_app, known_segment};

/// Words that mean everybody or everything.
const BLANKET: [&str; 8] = ["*", "all", "any", "everyone", "everybody", "all devices", "all apps", "all segments"];

const DAY: Duration = Duration::from_secs(86_400);

/// A waiver as it was written.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    place: Place<'d>,
    id: Option<Text<'d>>,
    holders: Vec<Text<'d>>,
    apps: Vec<Text<'d>>,
    segments: Vec<Text<'d>>,
    approver: Option<Text<'d>>,
    reason: Option<Text<'d>>,
    start: Option<(Timestamp, Place<'d>)>,
    end: Option<(Timestamp, Place<'d>)>,
    second_approver: Option<Text<'d>>,
    revoked: Option<(Timestamp, Place<'d>)>,
    revoked_reason: Option<Text<'d>>,
}

/// What the policy demands of every waiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaiverRules {
    /// Days that one may last.
    pub days_max: u64,
    /// Two people must have approved it.
    pub four_eyes: bool,
    /// Days before its end in which it is about to end.
    pub warn_days: u64,
}

impl Default for WaiverRules {
    fn default() -> Self {
        // A year: what is needed for longer is a decision to be taken again.
        WaiverRules { days_max: 365, four_eyes: false, warn_days: 14 }
    }
}

/// Reads the waivers of a document.
pub(super) fn read<'d>(root: &Section<'d>, drafts: &mut Vec<Draft<'d>>) {
    for section in root.sections("waiver") {
        drafts.push(Draft {
            place: Place::of(root.document(), &section.here()),
            id: required(&section, "id"),
            holders: list(&section, "holders"),
            apps: list(&section, "apps"),
            segments: list(&section, "segments"),
            approver: required(&section, "approver"),
            reason: required(&section, "reason"),
            start: moment(&section, "start", Duration::ZERO),
            end: moment(&section, "end", DAY),
            second_approver: text(&section, "second_approver"),
            revoked: section.node("revoked").and_then(|_| moment(&section, "revoked", Duration::ZERO)),
            revoked_reason: text(&section, "revoked_reason"),
        });
        section.finish();
    }
}

/// Names that must be there, one by one.
fn list<'d>(section: &Section<'d>, key: &str) -> Vec<Text<'d>> {
    let items = texts(section, key);
    match section.node(key) {
        None => section.missing(key),
        Some(node) if items.is_empty() => Place::of(section.document(), &node).error("names nothing", format!("name the {key} one by one")),
        Some(_) => {}
    }
    let (blanket, named): (Vec<_>, Vec<_>) = items.into_iter().partition(|(t, _)| BLANKET.contains(&t.trim().to_lowercase().as_str()));
    for (text, place) in blanket {
        place.error(format!("`{text}`: a blanket waiver is refused"), format!("name the {key} one by one"));
    }
    named
}

/// A point in time. A plain date is a day in UTC; `of_day` is how far into it the moment lies.
fn moment<'d>(section: &Section<'d>, key: &str, of_day: Duration) -> Option<(Timestamp, Place<'d>)> {
    if section.node(key).is_none() {
        let help = if key == "end" { "a waiver without an end is refused: write 2026-06-30" } else { "write 2026-03-01" };
        Place::new(section.document(), section.span.clone(), format!("{}.{key}", section.key)).error("is missing", help);
    }
    let item = section.moment(key)?;
    let place = Place::of(section.document(), &item);
    let text = item.value.as_str();
    match Timestamp::parse(text) {
        Some(day) if text.len() == 10 => return Some((day.after(of_day), place)),
        Some(at) => return Some((at, place)),
        None if Timestamp::parse(&format!("{text}Z")).is_some() => {
            place.error(
                format!("`{text}` does not say in which zone"),
                format!("a time needs its offset: {text}Z for UTC, or {text}+01:00"),
            );
        }
        None => place.error(format!("`{}` is no date", text.escape_debug()), "write 2026-06-30 or 2026-06-30T18:00:00+02:00"),
    }
    None
}

/// Holds all waivers against the register, the segments and the policy.
pub(super) fn resolve(drafts: Vec<Draft<'_>>, policy: &Policy, apps: &[String], rules: WaiverRules) -> Vec<Waiver> {
    let mut waivers: Vec<(Waiver, Place<'_>)> = Vec::new();
    for draft in drafts {
        if let Some((id, place)) = draft.id.as_ref().filter(|(id, place)| place.is_name(id))
            && let Some((_, there)) = waivers.iter().find(|(w, _)| w.id == *id)
        {
            place
                .error(format!("the waiver `{id}` is there already ({})", there.seen_from(place)), "ids are unique; a renewal has its own");
        }
        draft.apps.iter().for_each(|app| known_app(app, apps));
        draft.segments.iter().for_each(|segment| known_segment(segment, &policy.segments));
        check_length(&draft, rules.days_max);
        check_eyes(&draft, rules);
        let revoked = revoked(&draft);
        check_sense(&draft, policy);
        let holders: Vec<String> = draft.holders.iter().filter_map(|h| holder(h, policy)).collect();
        let plain = |texts: Vec<Text<'_>>| texts.into_iter().map(|(t, _)| t).collect::<Vec<_>>();
        let whole = draft.id.zip(draft.approver).zip(draft.reason).zip(draft.start).zip(draft.end);
        if let Some(((((id, approver), reason), start), end)) = whole {
            let (apps, segments) = (plain(draft.apps), plain(draft.segments));
            let waiver =
                Waiver { id: id.0, holders, apps, segments, approver: approver.0, reason: reason.0, start: start.0, end: end.0, revoked };
            waivers.push((waiver, draft.place));
        }
    }
    waivers.into_iter().map(|(waiver, _)| waiver).collect()
}

/// A device of the register, or `mac:` and an address.
fn holder((text, place): &Text<'_>, policy: &Policy) -> Option<String> {
    if policy.register.get(text).is_some() {
        return Some(text.clone());
    }
    if let Some(mac) = text.strip_prefix("mac:") {
        return super::devices::mac(mac, place).map(|mac| format!("mac:{mac}"));
    }
    match text.parse::<Mac>() {
        Ok(mac) => place.error(format!("there is no device `{text}`"), format!("did you mean `mac:{mac}`?")),
        Err(()) => {
            let ids = policy.register.devices().map(|d| d.id.as_str());
            place.unknown("device", text, ids, "name a device of the register, or mac:02:00:5e:10:00:01");
        }
    }
    None
}

/// When and why it was revoked; the one is nothing without the other.
fn revoked(draft: &Draft<'_>) -> Option<Revoked> {
    match (&draft.revoked, &draft.revoked_reason) {
        (Some((at, _)), Some((reason, _))) if !reason.trim().is_empty() => return Some(Revoked { at: *at, reason: reason.clone() }),
        (Some((_, place)), _) => place.error("is revoked without a reason", "add revoked_reason = \"...\""),
        (None, Some((_, place))) => place.error("says why it was revoked, but not when", "add revoked = 2026-05-31"),
        (None, None) => {}
    }
    None
}

/// Where two people must approve, they are two.
fn check_eyes(draft: &Draft<'_>, rules: WaiverRules) {
    let Some((approver, place)) = draft.approver.as_ref().filter(|_| rules.four_eyes) else { return };
    match &draft.second_approver {
        None => place.error("was approved by one person only", "add second_approver, as policy.waiver_four_eyes asks for two"),
        Some((second, place)) if second.trim().eq_ignore_ascii_case(approver.trim()) => {
            place.error(format!("`{}` approved it twice", second.escape_debug()), "two people must have approved it");
        }
        Some(_) => {}
    }
}

fn check_length(draft: &Draft<'_>, days_max: u64) {
    let (Some((start, _)), Some((end, place))) = (&draft.start, &draft.end) else { return };
    let length = end.since(*start);
    if length.is_zero() {
        place.error("ends before it starts", "the end lies after the start");
    } else if length > DAY.saturating_mul(u32::try_from(days_max).unwrap_or(u32::MAX)) {
        let days = length.as_secs().div_ceil(DAY.as_secs());
        let help = "shorten it, and renew it when the time comes (policy.waiver_days_max)";
        place.error(format!("lasts {days} days, the policy allows {days_max}"), help);
    }
}

/// A waiver where none is possible is void; where none is needed it says nothing.
fn check_sense(draft: &Draft<'_>, policy: &Policy) {
    for (segment, place) in &draft.segments {
        let Some(id) = policy.segments.by_name(segment) else { continue };
        for (app, _) in &draft.apps {
            let standing = policy.standing(app, policy.segment(id));
            if standing.status == Status::Banned && !standing.waivable {
                let message = format!("{app} is banned in `{segment}` by the line {}: no waiver is possible", standing.line);
                place.error(message, "remove the waiver, or change the line to separate_device");
            } else if !standing.waivable {
                place.warn(format!("{app} needs no waiver in `{segment}`: {}", standing.line), "remove the segment");
            }
        }
    }
}
