//! Holds a log against itself, its signatures and heads that were anchored elsewhere. What it finds it names by entry.

use std::collections::BTreeMap;
use std::fmt;

use super::chain::{CUT, Entry, GENESIS, Head, cut_at};
use super::signer::PublicKey;

/// Faults that are told: where one is, the chain behind it often is another.
const FAULTS_MAX: usize = 20;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The entry; 0 for the log as a whole.
    pub seq: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seq == 0 { f.write_str(&self.what) } else { write!(f, "entry {}: {}", self.seq, self.what) }
    }
}

/// What was held together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Entries.
    pub entries: u64,
    /// The first one: above 1 where older ones were removed by age.
    pub first: u64,
    /// The last one, and its hash.
    pub last: Option<Entry>,
    /// Signed heads in the log.
    pub heads: u64,
    /// Anchored heads from elsewhere.
    pub anchored: u64,
    /// The latest entry that an anchored head vouches for.
    pub anchored_to: u64,
    /// What is wrong; empty when all is well.
    pub broken: Vec<Broken>,
}

impl Checked {
    fn fault(&mut self, seq: u64, what: impl Into<String>) {
        if self.broken.len() < FAULTS_MAX {
            self.broken.push(Broken { seq, what: what.into() });
        }
    }
}

/// Verifies entries in the order of the log, the log's own heads and anchored ones.
pub fn verify(entries: impl IntoIterator<Item = Entry>, heads: &[Head], anchored: &[Head], key: &PublicKey) -> Checked {
    let mut checked = Checked { heads: heads.len() as u64, anchored: anchored.len() as u64, ..Checked::default() };
    let signed = signatures(&mut checked, heads, anchored, key);
    let (mut before, mut cut) = (None, 0);
    for entry in entries {
        let previous = before.take().or_else(|| beginning(&mut checked, &entry, &signed));
        follows(&mut checked, &entry, previous.as_deref());
        vouched(&mut checked, &entry, &signed);
        if entry.action == CUT {
            cut = cut_at(&entry.detail).unwrap_or(0).max(cut);
        }
        before = Some(entry.hash.clone());
        checked.entries += 1;
        checked.last = Some(entry);
    }
    ends(&mut checked, heads, anchored, cut);
    checked
}

/// Heads that hold, by entry. Two that contradict each other are both kept.
type Signed<'h> = BTreeMap<u64, Vec<(&'h Head, &'static str)>>;

fn signatures<'h>(checked: &mut Checked, heads: &'h [Head], anchored: &'h [Head], key: &PublicKey) -> Signed<'h> {
    let mut signed = Signed::new();
    let all = heads.iter().map(|h| (h, "signed")).chain(anchored.iter().map(|h| (h, "anchored")));
    for (head, which) in all {
        if key.holds(head) {
            signed.entry(head.seq).or_default().push((head, which));
        } else {
            checked.fault(head.seq, format!("the signature of its {which} head does not hold"));
        }
    }
    checked.anchored_to = anchored.iter().filter(|h| key.holds(h)).map(|h| h.seq).max().unwrap_or(0);
    signed
}

/// The hash before the first entry: of nothing, or of the last entry that was removed, which a head vouches for.
fn beginning(checked: &mut Checked, first: &Entry, signed: &Signed<'_>) -> Option<String> {
    if checked.entries > 0 {
        return None;
    }
    checked.first = first.seq;
    match first.seq {
        0 | 1 => Some(GENESIS.to_string()),
        seq => {
            let head = signed.get(&(seq - 1)).and_then(|heads| heads.first()).map(|(head, _)| head.hash.clone());
            if head.is_none() {
                checked.fault(seq, "is the first one, and no signed head says what was before it");
            }
            head
        }
    }
}

fn follows(checked: &mut Checked, entry: &Entry, previous: Option<&str>) {
    let expected = checked.first + checked.entries;
    if entry.seq != expected || entry.seq == 0 {
        checked.fault(entry.seq, format!("stands where entry {expected} should be"));
    }
    if previous.is_some_and(|before| entry.hash_after(before) != entry.hash) {
        checked.fault(entry.seq, "its hash does not follow from what it says and from the entry before it");
    }
}

fn vouched(checked: &mut Checked, entry: &Entry, signed: &Signed<'_>) {
    for (_, which) in signed.get(&entry.seq).into_iter().flatten().filter(|(head, _)| head.hash != entry.hash) {
        checked.fault(entry.seq, format!("is not the one that its {which} head was made for"));
    }
}

/// What only the whole shows: a tail that was cut or added, a beginning that nobody has said was removed.
fn ends(checked: &mut Checked, heads: &[Head], anchored: &[Head], cut: u64) {
    let last = checked.last.as_ref().map_or(0, |e| e.seq);
    for (all, which) in [(heads, "signed"), (anchored, "anchored")] {
        if let Some(furthest) = all.iter().map(|h| h.seq).max().filter(|seq| *seq > last) {
            checked.fault(furthest, format!("was there when its {which} head was made; the log ends at entry {last}"));
        }
    }
    let signed_to = heads.iter().map(|h| h.seq).max().unwrap_or(0);
    if last > signed_to {
        checked.fault(signed_to + 1, format!("and all after it, up to {last}, are signed by nobody"));
    }
    if checked.entries > 0 && checked.first.max(1) != cut + 1 {
        let what = match cut {
            0 => "is the first one, and no entry says that older ones were removed".to_string(),
            cut => format!("is the first one, but the log says that it was cut behind entry {cut}"),
        };
        checked.fault(checked.first, what);
    }
}
