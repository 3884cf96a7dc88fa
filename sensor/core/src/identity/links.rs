//! What the operator says about who is who: these keys are one device, those are two.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::register::Register;
use super::resolve::Key;
use super::tenant::Tenant;
use super::{DeviceId, Place, SegmentKey};
use crate::net::Mac;
use crate::time::Timestamp;

/// Links that are heeded, the latest.
pub const LINKS_MAX: usize = 4_096;

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// Both keys are one device.
    Merge,
    /// Nothing but a later merge may make the two one device.
    Split,
}

impl LinkKind {
    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            LinkKind::Merge => "merge",
            LinkKind::Split => "split",
        }
    }
}

/// An operator's word about two device keys. The latest about a pair counts; at the same moment, the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One device or two.
    pub kind: LinkKind,
    /// A device key: `mac:02:00:00:00:00:07`, `mac:02:00:00:00:00:07#laptop-7`, `reg:LAPTOP-7`, `addr:10.0.0.7@3`.
    pub a: String,
    /// Another one.
    pub b: String,
    /// Why; it may name people, so it is never part of a device's reasons.
    pub reason: String,
    /// When it was said.
    pub at: Timestamp,
    /// Who said it.
    pub by: String,
}

/// Whether a text is a device key that a link can name.
pub fn is_device_key(text: &str) -> bool {
    text.strip_prefix("reg:").is_some_and(|id| !id.is_empty()) || parse(text, &Register::new(Vec::new())).is_some()
}

/// The links, as far as their keys can be read.
#[derive(Clone, Debug, Default)]
pub struct Links {
    all: Vec<Link>,
    merges: BTreeSet<(Key, Key)>,
    splits: BTreeSet<(Key, Key)>,
    /// Handles of devices that are known by a link; they need not have been heard of.
    pub seats: HashMap<Key, DeviceId>,
    labels: HashMap<Key, Box<str>>,
}

impl Links {
    /// Reads the links. Those whose keys cannot be read, or name nobody in the register, wait for another register.
    pub fn new(mut all: Vec<Link>, register: &Register) -> Links {
        all.sort_by(|a, b| (Reverse(a.at), &a.a, &a.b).cmp(&(Reverse(b.at), &b.a, &b.b)));
        all.truncate(LINKS_MAX);
        let mut links = Links { all, ..Links::default() };
        let mut latest: BTreeMap<(Key, Key), (Timestamp, LinkKind)> = BTreeMap::new();
        for link in &links.all {
            let (Some(a), Some(b)) = (parse(&link.a, register), parse(&link.b, register)) else { continue };
            for (key, text) in [(a, &link.a), (b, &link.b)] {
                if let Some((_, label)) = text.split_once('#') {
                    links.labels.insert(key, label.into());
                }
            }
            let said = latest.entry(pair(a, b)).or_insert((link.at, link.kind));
            *said = (*said).max((link.at, link.kind));
        }
        for (keys, (_, kind)) in latest.into_iter().filter(|((a, b), _)| a != b) {
            let set = if kind == LinkKind::Merge { &mut links.merges } else { &mut links.splits };
            set.insert(keys);
        }
        links
    }

    /// Every link, the latest first.
    pub fn all(&self) -> &[Link] {
        &self.all
    }

    /// Takes the links themselves, to be read again.
    pub fn take(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.all)
    }

    /// Keys that are joined by a link.
    pub fn merged_keys(&self) -> BTreeSet<Key> {
        self.merges.iter().flat_map(|(a, b)| [*a, *b]).collect()
    }

    pub fn is_split(&self, a: Key, b: Key) -> bool {
        !self.splits.is_empty() && self.splits.contains(&pair(a, b))
    }

    /// The label of a tenant that only a link knows.
    pub fn label_of(&self, key: Key) -> Option<&str> {
        self.labels.get(&key).map(|label| &**label)
    }

    /// The devices that merges make, over what each key stands for by itself.
    pub fn joins(&self, stands_for: &dyn Fn(Key) -> Key, text: &dyn Fn(Key) -> String) -> Joins {
        let mut groups: Vec<BTreeSet<Key>> = Vec::new();
        for (a, b) in &self.merges {
            let joined = BTreeSet::from([stands_for(*a), stands_for(*b)]);
            let (touching, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|g| !g.is_disjoint(&joined));
            apart.push(touching.into_iter().flatten().chain(joined).collect());
            groups = apart;
        }
        let mut joins = Joins::default();
        for group in groups {
            let register = |key: &Key| !matches!(key, Key::Register(_));
            let Some(head) = group.iter().copied().min_by_key(|key| (register(key), text(*key))) else { continue };
            joins.head.extend(group.iter().map(|key| (*key, head)));
            joins.group.insert(head, group);
        }
        joins
    }
}

/// Devices that are one by the operator's word.
#[derive(Clone, Debug, Default)]
pub struct Joins {
    head: HashMap<Key, Key>,
    group: HashMap<Key, BTreeSet<Key>>,
}

impl Joins {
    /// The key that stands for a device: the register's, else the smallest.
    pub fn head(&self, key: Key) -> Key {
        self.head.get(&key).copied().unwrap_or(key)
    }

    /// All keys of a device, in order: itself, and those that are joined with it.
    pub fn group(&self, head: Key) -> impl Iterator<Item = Key> + '_ {
        let joined = self.group.get(&head);
        let alone = joined.is_none().then_some(head);
        joined.into_iter().flatten().copied().chain(alone)
    }
}

fn pair(a: Key, b: Key) -> (Key, Key) {
    (a.min(b), a.max(b))
}

pub fn parse(text: &str, register: &Register) -> Option<Key> {
    let (kind, rest) = text.split_once(':')?;
    match kind {
        "reg" => register.by_id(rest).map(Key::Register),
        "mac" => match rest.split_once('#') {
            Some((mac, label)) => mac.parse::<Mac>().ok().filter(|_| !label.is_empty()).map(|mac| Key::Tenant(mac, Tenant::of(label))),
            None => rest.parse::<Mac>().ok().map(Key::Mac),
        },
        "addr" => {
            let (addr, segment) = rest.split_once('@').map_or((rest, None), |(addr, segment)| (addr, Some(segment)));
            let segment = segment.map(|s| s.parse().map(SegmentKey)).transpose().ok()?;
            addr.parse::<IpAddr>().ok().map(|addr| Key::Addr(Place { segment, addr }))
        }
        _ => None,
    }
}
