//! `[[waiver]]`: approved exceptions. Blanket ones are refused.

use std::path::Path;

use ringfence_core::diagnostic::{Diagnostics, Document, Section};
use ringfence_core::net::Mac;
use ringfence_core::policy::{Policy, Waiver};
use ringfence_core::time::Timestamp;

/// Words that mean everybody or everything.
const BLANKET: [&str; 5] = ["*", "all", "any", "everyone", "everybody"];

/// Reads the waivers of a document. `days_max` is the longest that the policy allows.
pub(super) fn read(root: &Section<'_>, days_max: u64, policy: &mut Policy) {
    let doc = root.document();
    for section in root.sections("waiver") {
        if let Some(waiver) = waiver(doc, &section, days_max, policy) {
            if policy.waivers.iter().any(|w| w.id == waiver.id) {
                doc.error(
                    &section.here(),
                    format!("waiver `{}` is there twice", waiver.id),
                    Some("ids are unique; a renewal has its own id".into()),
                );
            }
            policy.waivers.push(waiver);
        }
        section.finish();
    }
}

/// Reads a file of waivers.
pub(super) fn read_file(path: &Path, days_max: u64, policy: &mut Policy, diagnostics: &mut Diagnostics) {
    let Some(text) = super::read(path, diagnostics) else { return };
    let name = path.display().to_string();
    let doc = Document::new(&name, &text);
    let table = doc.parse();
    let root = doc.root(&table);
    read(&root, days_max, policy);
    root.finish();
    diagnostics.extend(doc.finish());
}

fn waiver(doc: &Document<'_>, section: &Section<'_>, days_max: u64, policy: &Policy) -> Option<Waiver> {
    let id = section.required_text("id");
    let approver = section.required_text("approver");
    let reason = section.required_text("reason");
    let holders = list(doc, section, "holders");
    for holder in &holders {
        let known =
            policy.register.get(holder.value).is_some() || holder.value.strip_prefix("mac:").is_some_and(|m| m.parse::<Mac>().is_ok());
        if !known && !BLANKET.contains(&holder.value) {
            let near = ringfence_core::diagnostic::nearest(holder.value, policy.register.devices().map(|d| d.id.as_str()));
            let help = near.map_or_else(|| "name a device of the register, or mac:ADDRESS".to_string(), |n| format!("did you mean `{n}`?"));
            doc.error(holder, format!("there is no device `{}`", holder.value.escape_debug()), Some(help));
        }
    }
    let apps = list(doc, section, "apps");
    let segments = list(doc, section, "segments");
    for segment in segments.iter().filter(|s| !BLANKET.contains(&s.value)) {
        super::policy::known_segment(doc, segment, policy);
    }
    let (start, end) = (moment(doc, section, "start"), moment(doc, section, "end"));
    if let (Some(start), Some(end)) = (start, end) {
        let days = end.since(start).as_secs() / 86_400;
        if end <= start {
            doc.error(&section.here(), format!("ends ({end}) before it starts ({start})"), None);
        } else if days > days_max {
            doc.error(
                &section.here(),
                format!("lasts {days} days, the policy allows {days_max}"),
                Some("shorten it, and renew it when the time comes".into()),
            );
        }
    }
    let texts = |items: &[ringfence_core::diagnostic::Item<&str>]| items.iter().map(|i| i.value.to_string()).collect();
    Some(Waiver {
        id: id?.value.to_string(),
        holders: texts(&holders),
        apps: texts(&apps),
        segments: texts(&segments),
        approver: approver?.value.to_string(),
        reason: reason?.value.to_string(),
        start: start?,
        end: end?,
    })
}

fn list<'d>(doc: &Document<'_>, section: &Section<'d>, key: &str) -> Vec<ringfence_core::diagnostic::Item<&'d str>> {
    let items = section.texts(key);
    if items.as_ref().is_none_or(Vec::is_empty) {
        section.missing(key);
    }
    let items = items.unwrap_or_default();
    for item in items.iter().filter(|i| BLANKET.contains(&i.value)) {
        doc.error(item, "a blanket waiver is refused", Some(format!("name the {key} one by one")));
    }
    items
}

fn moment(doc: &Document<'_>, section: &Section<'_>, key: &str) -> Option<Timestamp> {
    let item = section.moment(key);
    if item.is_none() && section.node(key).is_none() {
        section.missing(key);
    }
    let item = item?;
    let parsed = Timestamp::parse(&item.value);
    if parsed.is_none() {
        let help = "write 2026-06-30 or 2026-06-30T18:00:00+02:00; a time needs its offset";
        doc.error(&item, format!("`{}` is no date", item.value.escape_debug()), Some(help.into()));
    }
    parsed
}
