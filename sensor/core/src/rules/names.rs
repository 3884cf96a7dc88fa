//! Which name pattern a host name matches: the longest of all, found by a walk over its labels from the right.
//!
//! The cost of a look-up depends on the length of the name, not on the number of patterns, and nothing is allocated. Names
//! come off the wire: they may be any bytes. Must not know what the ids mean.

use std::collections::HashMap;

use super::indicator::IndicatorId;
use super::pattern::NamePattern;

/// Suffixes that resolvers append to names on local networks (`webpush.web.wechat.com.lan`).
pub const LOCAL_SUFFIXES: [&str; 9] = ["lan", "local", "home", "home.arpa", "internal", "intranet", "localdomain", "corp", "fritz.box"];

/// Local suffixes that may be added at run time: they come from DHCP, which anyone on the network can send.
pub const RUNTIME_SUFFIXES_MAX: usize = 64;

/// Wildcard patterns below one parent; more would make a look-up slow.
pub const GLOBS_MAX: usize = 32;

/// Bytes of one label at most (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;

/// A set of fields, one bit each.
pub type FieldBits = u64;

/// One pattern with the fields it stands on.
#[derive(Clone, Debug)]
pub struct NameEntry {
    /// The pattern.
    pub pattern: NamePattern,
    /// The fields.
    pub fields: FieldBits,
    /// The indicator that it belongs to.
    pub id: IndicatorId,
}

/// What a slot of the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    /// The name itself; `value` is the indicator.
    Exact,
    /// The name and all below; `value` is the indicator.
    Suffix,
    /// Wildcards stand in the label before this name; `value` is the index of their list.
    Parent,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The upper half of the hash.
    tag: u32,
    /// Where the text begins in the arena.
    at: u32,
    value: u32,
    /// The index of the field set.
    fields: u16,
    len: u8,
    kind: Kind,
}

const EMPTY: Slot = Slot { tag: 0, at: 0, value: 0, fields: 0, len: 0, kind: Kind::Empty };

/// A label with one `*`: before, behind.
#[derive(Clone, Debug)]
struct Glob {
    before: Box<str>,
    behind: Box<str>,
    below: bool,
    fields: FieldBits,
    id: IndicatorId,
}

/// All name patterns of a rule set. About 52 bytes for each: two 16-byte slots and its text.
#[derive(Clone, Debug)]
pub struct NameTable {
    slots: Box<[Slot]>,
    text: Box<[u8]>,
    sets: Box<[FieldBits]>,
    globs: Box<[Vec<Glob>]>,
    /// Bytes of the longest pattern.
    longest: usize,
}

/// A match, and how it compares with others: more labels first, then exact before suffix before wildcard, then the
/// wildcard with more letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// Labels of the pattern.
    pub labels: usize,
    rank: u8,
    letters: usize,
    /// The indicator.
    pub id: IndicatorId,
}

impl NameTable {
    /// Builds from patterns of which none stands twice on the same field.
    pub fn build(entries: &[NameEntry]) -> NameTable {
        let mut table = Builder::with_capacity(entries.len());
        for entry in entries {
            let labels = entry.pattern.labels();
            match entry.pattern.wildcard() {
                None => {
                    let kind = if entry.pattern.below() { Kind::Suffix } else { Kind::Exact };
                    table.insert(labels, kind, entry.id.0, entry.fields);
                }
                Some((before, behind, parent)) => {
                    let list = table.parent(parent);
                    let glob = Glob {
                        before: before.into(),
                        behind: behind.into(),
                        below: entry.pattern.below(),
                        fields: entry.fields,
                        id: entry.id,
                    };
                    table.globs[list].push(glob);
                }
            }
        }
        table.finish()
    }

    /// The longest match of `name` on a field.
    pub fn find(&self, name: &[u8], field: FieldBits) -> Option<Match> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut best: Option<Match> = None;
        let mut hash = HASH_START;
        let mut labels = 0;
        for (i, byte) in name.iter().enumerate().rev().take(self.longest) {
            hash = hash_step(hash, *byte);
            let starts_label = i == 0 || name[i - 1] == b'.';
            if starts_label && *byte != b'.' {
                labels += 1;
                self.at_boundary(name, i, labels, hash, field, &mut best);
            }
        }
        best
    }

    /// Looks at the name from byte `i` on, which is a whole number of labels.
    fn at_boundary(&self, name: &[u8], i: usize, labels: usize, hash: u64, field: FieldBits, best: &mut Option<Match>) {
        let (own, before) = (&name[i..], &name[..i]);
        let mut at = hash as usize & (self.slots.len() - 1);
        while self.slots[at].kind != Kind::Empty {
            let slot = &self.slots[at];
            at = (at + 1) & (self.slots.len() - 1);
            if slot.tag != (hash >> 32) as u32 || !self.text_of(slot).eq_ignore_ascii_case(own) {
                continue;
            }
            let on_field = self.sets[usize::from(slot.fields)] & field != 0;
            let id = IndicatorId(slot.value);
            match slot.kind {
                Kind::Exact if on_field && i == 0 => consider(best, Match { labels, rank: 2, letters: 0, id }),
                Kind::Suffix if on_field => consider(best, Match { labels, rank: 1, letters: 0, id }),
                Kind::Parent => self.globs_of(slot.value, before, labels + 1, field, best),
                _ => {}
            }
        }
    }

    fn text_of(&self, slot: &Slot) -> &[u8] {
        &self.text[slot.at as usize..][..usize::from(slot.len)]
    }

    /// Tries the wildcards of one parent on the label that ends `before` (which ends in a dot).
    fn globs_of(&self, list: u32, before: &[u8], labels: usize, field: FieldBits, best: &mut Option<Match>) {
        let Some(before) = before.strip_suffix(b".") else { return };
        let reach = &before[before.len().saturating_sub(LABEL_MAX + 1)..];
        let label = reach.rsplit(|b| *b == b'.').next().unwrap_or(reach);
        if label.is_empty() || label.len() > LABEL_MAX {
            return;
        }
        for glob in &self.globs[list as usize] {
            let letters = glob.before.len() + glob.behind.len();
            let fits = glob.fields & field != 0 && (glob.below || label.len() == before.len()) && letters <= label.len();
            if fits
                && label[..glob.before.len()].eq_ignore_ascii_case(glob.before.as_bytes())
                && label[label.len() - glob.behind.len()..].eq_ignore_ascii_case(glob.behind.as_bytes())
            {
                consider(best, Match { labels, rank: 0, letters, id: glob.id });
            }
        }
    }
}

fn consider(best: &mut Option<Match>, found: Match) {
    let key = |m: &Match| (m.labels, m.rank, m.letters);
    if best.as_ref().is_none_or(|b| key(&found) > key(b)) {
        *best = Some(found);
    }
}

const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with a final rotation, so that both halves depend on every byte. Which names share a slot is fixed by the rules,
/// so whoever chooses the names that are looked up cannot make the table slow.
fn hash_step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29)
}

fn hash_of(text: &[u8]) -> u64 {
    text.iter().rev().fold(HASH_START, |hash, byte| hash_step(hash, *byte))
}

struct Builder {
    slots: Vec<Slot>,
    text: Vec<u8>,
    sets: Vec<FieldBits>,
    globs: Vec<Vec<Glob>>,
    parents: HashMap<Box<str>, usize>,
    longest: usize,
}

impl Builder {
    fn with_capacity(entries: usize) -> Builder {
        let slots = vec![EMPTY; (entries * 2).next_power_of_two().max(2)];
        Builder { slots, text: Vec::new(), sets: Vec::new(), globs: Vec::new(), parents: HashMap::new(), longest: 0 }
    }

    /// The list of wildcards below a parent.
    fn parent(&mut self, parent: &str) -> usize {
        if let Some(list) = self.parents.get(parent) {
            return *list;
        }
        self.globs.push(Vec::new());
        let list = self.globs.len() - 1;
        self.parents.insert(parent.into(), list);
        self.insert(parent, Kind::Parent, list as u32, FieldBits::MAX);
        list
    }

    fn insert(&mut self, text: &str, kind: Kind, value: u32, fields: FieldBits) {
        let set = self.sets.iter().position(|s| *s == fields).unwrap_or_else(|| {
            self.sets.push(fields);
            self.sets.len() - 1
        });
        let hash = hash_of(text.as_bytes());
        let slot = Slot { tag: (hash >> 32) as u32, at: self.text.len() as u32, value, fields: set as u16, len: text.len() as u8, kind };
        self.text.extend_from_slice(text.as_bytes());
        self.longest = self.longest.max(text.len());
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].kind != Kind::Empty {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn finish(self) -> NameTable {
        NameTable {
            slots: self.slots.into(),
            text: self.text.into(),
            sets: self.sets.into(),
            globs: self.globs.into(),
            longest: self.longest,
        }
    }
}

/// The local suffixes in force.
#[derive(Clone, Debug)]
pub struct Suffixes(Vec<Box<str>>);

impl Default for Suffixes {
    fn default() -> Self {
        Suffixes(LOCAL_SUFFIXES.iter().map(|s| (*s).into()).collect())
    }
}

impl Suffixes {
    /// Adds a suffix that the network announces (DHCP options 15 and 119) or that the operator configures; `false` when it is
    /// no name, known already, or one too many.
    pub fn add(&mut self, suffix: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(suffix) else { return false };
        let text = text.trim_matches('.').to_ascii_lowercase();
        let valid = NamePattern::parse(&text).is_ok_and(|p| p.wildcard().is_none());
        if !valid || self.0.len() >= LOCAL_SUFFIXES.len() + RUNTIME_SUFFIXES_MAX || self.0.iter().any(|s| **s == *text) {
            return false;
        }
        self.0.push(text.into());
        true
    }

    /// `name` without the longest local suffix, and that suffix; `None` when it has none.
    pub fn strip<'n>(&self, name: &'n [u8]) -> Option<(&'n [u8], &str)> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        let longest = self.0.iter().filter(|suffix| ends_in(name, suffix.as_bytes())).max_by_key(|suffix| suffix.len())?;
        Some((&name[..name.len() - longest.len() - 1], longest))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|s| &**s)
    }
}

/// Whether `name` has `suffix` as its last whole labels, and something before it.
fn ends_in(name: &[u8], suffix: &[u8]) -> bool {
    name.len() > suffix.len() + 1
        && name[name.len() - suffix.len() - 1] == b'.'
        && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

/// The longest match, with and without the local suffix. Both are tried: a local suffix may be the organisation's own
/// domain, with rules below it, or be announced by someone who wants `qq.com` to disappear. Of equals the stripped one wins.
pub fn find_local(table: &NameTable, suffixes: &Suffixes, name: &[u8], field: FieldBits) -> Option<Match> {
    let whole = table.find(name, field);
    let stripped = suffixes.strip(name).and_then(|(rest, _)| table.find(rest, field));
    match (whole, stripped) {
        (Some(whole), Some(stripped)) if whole.labels > stripped.labels => Some(whole),
        (whole, stripped) => stripped.or(whole),
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
