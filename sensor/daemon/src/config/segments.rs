//! `[segments.NAME]`: what makes a packet belong to a segment.

use std::path::Path;

use ringfence_core::diagnostic::{Diagnostics, Document, Item, Section};
use ringfence_core::net::Prefix;
use ringfence_core::policy::{Policy, SegmentClass, SegmentRule};

/// A claim on a VLAN, tunnel, interface or prefix, with where it stands.
struct Claim {
    what: String,
    prefix: Option<Prefix>,
    segment: String,
    line: usize,
}

/// Reads the segments of a document.
pub(super) fn read(root: &Section<'_>, policy: &mut Policy) {
    let Some(section) = root.section("segments") else { return };
    let doc = root.document();
    let mut claims: Vec<Claim> = Vec::new();
    for (name, body) in section.named_sections() {
        let class = body.choice("class", &SegmentClass::WORDS);
        if class.is_none() && body.node("class").is_none() {
            body.missing("class");
        }
        if policy.segments.by_name(name.value).is_some() {
            doc.error(&name, "the segment is defined twice", Some("names are unique over all files".into()));
        }
        let rule = rule(doc, &body, name.value, &mut claims);
        if rule == SegmentRule::default() {
            doc.error(&name, "nothing belongs to it", Some("give vlans, prefixes, tunnels or interfaces".into()));
        }
        body.finish();
        policy.segments.add(name.value, class.map_or(SegmentClass::Unknown, |c| c.value), &rule);
    }
}

/// Reads a file of segments.
pub(super) fn read_file(path: &Path, policy: &mut Policy, diagnostics: &mut Diagnostics) {
    let Some(text) = super::read(path, diagnostics) else { return };
    let name = path.display().to_string();
    let doc = Document::new(&name, &text);
    let table = doc.parse();
    let root = doc.root(&table);
    read(&root, policy);
    root.finish();
    diagnostics.extend(doc.finish());
}

fn rule(doc: &Document<'_>, body: &Section<'_>, segment: &str, claims: &mut Vec<Claim>) -> SegmentRule {
    let mut rule = SegmentRule::default();
    for item in body.numbers("vlans").unwrap_or_default() {
        match u16::try_from(item.value).ok().filter(|v| (1..=4094).contains(v)) {
            Some(vlan) => {
                claim(doc, &item, format!("VLAN {vlan}"), None, segment, claims);
                rule.vlans.push(vlan);
            }
            None => doc.error(&item, format!("{} is no VLAN id", item.value), Some("VLAN ids go from 1 to 4094".into())),
        }
    }
    for item in body.numbers("tunnels").unwrap_or_default() {
        if let Ok(id) = u32::try_from(item.value) {
            claim(doc, &item, format!("tunnel {id}"), None, segment, claims);
            rule.tunnels.push(id);
        } else {
            doc.error(&item, format!("{} is no tunnel id", item.value), Some("ids have 32 bits".into()));
        }
    }
    for item in body.texts("interfaces").unwrap_or_default() {
        claim(doc, &item, format!("interface {}", item.value), None, segment, claims);
        rule.interfaces.push(item.value.to_string());
    }
    for item in body.texts("prefixes").unwrap_or_default() {
        if let Some(prefix) = prefix(doc, &item) {
            claim(doc, &item, prefix.to_string(), Some(prefix), segment, claims);
            rule.prefixes.push(prefix);
        }
    }
    rule
}

/// Reads a prefix; one with host bits is told what it should have been.
pub(super) fn prefix(doc: &Document<'_>, item: &Item<&str>) -> Option<Prefix> {
    if let Ok(prefix) = item.value.parse() {
        return Some(prefix);
    }
    let nearly = item.value.split_once('/').and_then(|(addr, len)| Prefix::new(addr.parse().ok()?, len.parse().ok()?));
    let help = nearly.map_or_else(|| "write 10.1.0.0/16 or 2001:db8::/32".to_string(), |p| format!("did you mean `{p}`?"));
    doc.error(item, format!("`{}` is no address prefix", item.value.escape_debug()), Some(help));
    None
}

/// Two segments may not claim the same thing; a prefix inside another one is fine, because the longest wins.
fn claim<T>(doc: &Document<'_>, item: &Item<T>, what: String, prefix: Option<Prefix>, segment: &str, claims: &mut Vec<Claim>) {
    if let Some(old) = claims.iter().find(|c| c.what == what) {
        doc.error(
            item,
            format!("{what} belongs to `{}` already (line {})", old.segment, old.line),
            Some("each belongs to one segment".into()),
        );
    } else if let (Some(prefix), true) = (prefix, claims.iter().any(|c| c.segment != segment)) {
        let inside = claims.iter().find(|c| c.segment != segment && c.prefix.is_some_and(|p| p.covers(&prefix) || prefix.covers(&p)));
        if let Some(other) = inside {
            doc.warn(
                item,
                format!("{what} overlaps {} of `{}` (line {})", other.what, other.segment, other.line),
                Some("the longer prefix wins".into()),
            );
        }
    }
    claims.push(Claim { what, prefix, segment: segment.to_string(), line: doc.line_of(item.span.start) });
}
