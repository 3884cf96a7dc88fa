//! `[segments.NAME]`: what makes a packet belong to a segment.

use ringfence_core::diagnostic::Section;
use ringfence_core::net::Prefix;
use ringfence_core::policy::{Overlap, SegmentClass, Segments, Selector, overlaps, parse_tunnel};

use super::place::{Place, required_choice, texts};

/// A segment as it was written.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    name: String,
    place: Place<'d>,
    class: Option<SegmentClass>,
    claims: Vec<(Selector, Place<'d>)>,
}

/// Names that outputs use for segments that nobody configured.
const RESERVED: [&str; 2] = ["elsewhere", "unknown"];

/// Reads the segments of a document.
pub(super) fn read<'d>(root: &Section<'d>, drafts: &mut Vec<Draft<'d>>) {
    let Some(section) = root.section("segments") else { return };
    for (name, body) in section.named_sections() {
        let place = Place::of(root.document(), &name);
        let class = required_choice(&body, "class", &SegmentClass::WORDS);
        let claimable = ["vlans", "tunnels", "interfaces", "prefixes"].iter().any(|key| body.node(key).is_some());
        let claims = claims(&body);
        if !claimable {
            place.error("nothing belongs to it", "give vlans, tunnels, interfaces or prefixes");
        }
        body.finish();
        drafts.push(Draft { name: name.value.to_string(), place, class, claims });
    }
    section.finish();
}

fn claims<'d>(body: &Section<'d>) -> Vec<(Selector, Place<'d>)> {
    let doc = body.document();
    let mut claims = Vec::new();
    for item in body.words("vlans").unwrap_or_default() {
        let place = Place::of(doc, &item);
        claims.extend(vlans(&item.value, &place).map(|selector| (selector, place)));
    }
    for (text, place) in texts(body, "tunnels") {
        match parse_tunnel(&text) {
            Ok(hop) => claims.push((Selector::Tunnel(hop), place)),
            Err(help) => place.error(format!("`{}` is no tunnel id", text.escape_debug()), help),
        }
    }
    for (text, place) in texts(body, "interfaces") {
        if text.is_empty() {
            place.error("is empty", "the name of an interface: span0");
        } else {
            claims.push((Selector::Interface(text), place));
        }
    }
    for (text, place) in texts(body, "prefixes") {
        claims.extend(prefix(&text, &place).map(|p| (Selector::Prefix(p), place)));
    }
    claims
}

/// Reads `20` or `200-209`.
fn vlans(text: &str, place: &Place<'_>) -> Option<Selector> {
    let id = |text: &str| text.trim().parse::<u64>().ok();
    let ids = match text.split_once('-') {
        Some((first, last)) => id(first).zip(id(last)),
        None => id(text).map(|id| (id, id)),
    };
    let Some((first, last)) = ids else {
        place.error(format!("`{}` is neither a VLAN id nor a range", text.escape_debug()), "write 20 or \"200-209\"");
        return None;
    };
    if first > last {
        place.error(format!("the range {first}-{last} runs backwards"), format!("did you mean \"{last}-{first}\"?"));
        return None;
    }
    let vlan = |id: u64| u16::try_from(id).ok().filter(|id| (1..=4094).contains(id));
    match (vlan(first), vlan(last)) {
        (Some(first), Some(last)) => Some(Selector::Vlans(first, last)),
        _ => {
            let wrong = if vlan(first).is_none() { first } else { last };
            place.error(format!("{wrong} is no VLAN id"), "VLAN ids go from 1 to 4094");
            None
        }
    }
}

/// Reads a prefix; one with host bits is told what it should have been.
pub(super) fn prefix(text: &str, place: &Place<'_>) -> Option<Prefix> {
    if let Ok(prefix) = text.parse() {
        return Some(prefix);
    }
    let quoted = text.escape_debug();
    let (addr, len) = text.split_once('/').unwrap_or((text, ""));
    match (addr.parse::<std::net::IpAddr>(), len.parse::<u8>()) {
        (Ok(addr), Ok(len)) => match Prefix::new(addr, len) {
            Some(net) => place.error(format!("`{quoted}` has host bits"), format!("did you mean `{net}`?")),
            None if addr.is_ipv4() => place.error(format!("`{quoted}` is too long"), "an IPv4 prefix has at most 32 bits"),
            None => place.error(format!("`{quoted}` is too long"), "an IPv6 prefix has at most 128 bits"),
        },
        _ => place.error(format!("`{quoted}` is no address prefix"), "write 10.1.0.0/16 or 2001:db8::/32"),
    }
    None
}

/// Holds all segments against each other.
pub(super) fn resolve(drafts: Vec<Draft<'_>>) -> Segments {
    let mut segments = Segments::default();
    let claims: Vec<(usize, Selector)> =
        drafts.iter().enumerate().flat_map(|(i, d)| d.claims.iter().map(move |(s, _)| (i, s.clone()))).collect();
    let places: Vec<&Place<'_>> = drafts.iter().flat_map(|d| d.claims.iter().map(|(_, place)| place)).collect();
    for (at, overlap) in overlaps(&claims) {
        tell(at, &overlap, |i| (&drafts[claims[i].0].name, &claims[i].1, places[i]));
    }
    for (i, draft) in drafts.iter().enumerate() {
        check_name(draft, &drafts[..i]);
    }
    for draft in drafts {
        let selectors = draft.claims.into_iter().map(|(s, _)| s).collect();
        segments.add(&draft.name, draft.class.unwrap_or(SegmentClass::Unknown), selectors);
    }
    segments
}

fn check_name(draft: &Draft<'_>, before: &[Draft<'_>]) {
    let (name, place) = (draft.name.as_str(), &draft.place);
    place.is_name(name);
    if let Some(other) = before.iter().find(|d| d.name == name) {
        place.error(format!("the segment `{name}` is there already ({})", other.place.seen_from(place)), "names are unique over all files");
    }
    let derived = name.strip_prefix("vlan-").and_then(|id| id.parse::<u16>().ok());
    let claimed = |id: u16| draft.claims.iter().any(|(s, _)| matches!(s, Selector::Vlans(a, b) if (*a..=*b).contains(&id)));
    if RESERVED.contains(&name) || derived.is_some_and(|id| !claimed(id)) {
        place.error(format!("`{name}` is what outputs call a segment that is not configured"), "choose another name");
    }
}

fn tell<'t, 'd: 't>(at: usize, overlap: &Overlap, claim: impl Fn(usize) -> (&'t String, &'t Selector, &'t Place<'d>)) {
    let (_, selector, place) = claim(at);
    match overlap {
        Overlap::Taken(other) => {
            let (name, taken, there) = claim(*other);
            let message = if taken == selector {
                format!("{selector} belongs to `{name}` already ({})", there.seen_from(place))
            } else {
                format!("{selector} overlap {taken} of `{name}` ({})", there.seen_from(place))
            };
            place.error(message, "each belongs to one segment");
        }
        Overlap::Repeated(other) => {
            let (_, wider, there) = claim(*other);
            place.warn(format!("{selector} is superfluous: {wider} ({}) says it already", there.seen_from(place)), "remove it");
        }
        Overlap::Shadowed(others) => {
            let list: Vec<String> =
                others.iter().map(|i| claim(*i)).map(|(n, s, p)| format!("{s} of `{n}` ({})", p.seen_from(place))).collect();
            place.error(format!("{selector} never matches: longer prefixes cover all of it: {}", list.join(", ")), "remove it");
        }
    }
}
