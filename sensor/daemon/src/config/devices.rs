//! The device register: `[[device]]` tables, or the rows of a CSV file.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;

use ringfence_core::diagnostic::Section;
use ringfence_core::net::Mac;
use ringfence_core::policy::{Device, Register, SegmentClass, Segments};

use super::place::{Place, Text, required, text, texts};
use super::policy::known_segment;

/// A device as it was written.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    pub(super) place: Place<'d>,
    pub(super) id: Option<Text<'d>>,
    pub(super) macs: Vec<Text<'d>>,
    pub(super) names: Vec<Text<'d>>,
    pub(super) addresses: Vec<Text<'d>>,
    pub(super) owner: Option<Text<'d>>,
    pub(super) kind: Option<Text<'d>>,
    pub(super) designated: bool,
    pub(super) allowed_segments: Vec<Text<'d>>,
}

/// Reads the devices of a document.
pub(super) fn read<'d>(root: &Section<'d>, drafts: &mut Vec<Draft<'d>>) {
    for section in root.sections("device") {
        drafts.push(Draft {
            place: Place::of(root.document(), &section.here()),
            id: required(&section, "id"),
            macs: texts(&section, "macs"),
            names: texts(&section, "names"),
            addresses: texts(&section, "addresses"),
            owner: text(&section, "owner"),
            kind: text(&section, "kind"),
            designated: section.flag("designated").is_some_and(|d| d.value),
            allowed_segments: texts(&section, "allowed_segments"),
        });
        section.finish();
    }
}

/// Things that belong to one device only, and to which.
struct Owners<'d, K> {
    what: &'static str,
    by: HashMap<K, (String, Place<'d>)>,
}

impl<'d, K: Eq + Hash + Display> Owners<'d, K> {
    fn new(what: &'static str) -> Self {
        Owners { what, by: HashMap::new() }
    }

    fn claim(&mut self, key: K, device: &str, place: &Place<'d>) {
        if let Some((other, there)) = self.by.get(&key) {
            place.error(
                format!("{key} belongs to `{other}` already ({})", there.seen_from(place)),
                format!("{} belongs to one device", self.what),
            );
        } else {
            self.by.insert(key, (device.to_string(), place.clone()));
        }
    }
}

/// Holds all devices against each other and against the segments.
pub(super) fn resolve(drafts: Vec<Draft<'_>>, segments: &Segments) -> Register {
    let mut ids: HashMap<String, Place<'_>> = HashMap::new();
    let mut macs = Owners::new("a hardware address");
    let mut names = Owners::new("a host name");
    let mut addrs = Owners::new("a fixed address");
    let mut devices = Vec::new();
    for draft in drafts {
        let id = draft.id.as_ref().map_or(String::new(), |(id, _)| id.clone());
        if let Some((id, place)) = &draft.id
            && place.is_name(id)
        {
            if let Some(there) = ids.get(id) {
                place.error(format!("`{id}` is in the register twice ({})", there.seen_from(place)), "ids are unique over all files");
            }
            ids.insert(id.clone(), place.clone());
        }
        if draft.macs.is_empty() && draft.names.is_empty() && draft.addresses.is_empty() {
            draft.place.error("nothing identifies it", "give macs, names or addresses");
        }
        check_places(&draft, segments);
        check_owner(draft.owner.as_ref());
        let device = Device {
            macs: draft.macs.iter().filter_map(|(t, p)| mac(t, p).inspect(|mac| macs.claim(*mac, &id, p))).collect(),
            addrs: draft.addresses.iter().filter_map(|(t, p)| addr(t, p).inspect(|addr| addrs.claim(*addr, &id, p))).collect(),
            names: draft
                .names
                .iter()
                .map(|(t, p)| (t.trim_end_matches('.').to_lowercase(), p))
                .map(|(n, p)| {
                    names.claim(n.clone(), &id, p);
                    n
                })
                .collect(),
            id,
            owner: draft.owner.map(|(o, _)| o),
            kind: draft.kind.map(|(k, _)| k),
            designated: draft.designated,
            allowed_segments: draft.allowed_segments.into_iter().map(|(s, _)| s).collect(),
        };
        devices.push(device);
    }
    Register::new(devices)
}

/// Reads a hardware address of one station.
pub(super) fn mac(text: &str, place: &Place<'_>) -> Option<Mac> {
    match text.parse::<Mac>() {
        Ok(mac) if mac.is_unicast() => return Some(mac),
        Ok(mac) => {
            let what = if mac.0[0] & 1 == 1 { "is a group address" } else { "is nobody's address" };
            place.error(format!("{mac} {what}"), "a device has an address of its own");
        }
        Err(()) => place.error(format!("`{}` is no hardware address", text.escape_debug()), "write 02:00:5e:10:00:01"),
    }
    None
}

fn addr(text: &str, place: &Place<'_>) -> Option<IpAddr> {
    match text.parse() {
        Ok(addr) => Some(addr),
        Err(_) => {
            place.error(format!("`{}` is no address", text.escape_debug()), "write 192.0.2.7 or 2001:db8::7");
            None
        }
    }
}

/// Separate devices may be in separate and guest segments, nowhere else.
fn check_places(draft: &Draft<'_>, segments: &Segments) {
    for named in &draft.allowed_segments {
        known_segment(named, segments);
        let (name, place) = named;
        let class = segments.by_name(name).map(|id| segments.get(id).class);
        if let Some(class @ (SegmentClass::Sensitive | SegmentClass::Standard)) = class {
            let message = format!("`{name}` is a {} segment: a designated device there is a breach of separation", class.name());
            place.error(message, "name segments of class separate or guest");
        }
    }
    if let (false, Some((_, place))) = (draft.designated, draft.allowed_segments.first()) {
        place.error("only designated devices are bound to segments", "add designated = true, or remove it");
    }
}

/// The register is read by many: names of people do not belong into it.
fn check_owner(owner: Option<&Text<'_>>) {
    if let Some((owner, place)) = owner.filter(|(o, _)| o.contains(['@', ' '])) {
        place.warn(format!("`{}` looks like a person", owner.escape_debug()), "give a pseudonym that your own records resolve");
    }
}
