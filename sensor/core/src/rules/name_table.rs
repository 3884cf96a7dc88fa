//! A compact table of host name patterns: eight bytes for a slot, half of the slots taken, and texts that are stored once.
//!
//! A slot says where the text of a pattern stands and has half of the hash of the name that the pattern is filed under. So nearly
//! every look-up that finds nothing reads the slots only; what is found is compared with its text, and a hash that is the same by
//! chance changes nothing.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use crate::fold::{FoldHasher, Folded};

use super::ends::{Ending, Ends};
use super::indicator::IndicatorId;
use super::name_list::{NameList, name_at};

/// A slot that no pattern has: no text stands there.
const FREE: u64 = u64::MAX;

/// What a pattern asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape<'p> {
    /// This name itself.
    Exact(&'p str),
    /// This name and everything below.
    Below(&'p str),
    /// One label before this name: what comes before the star and after it.
    Star(&'p str, &'p str, &'p str),
}

impl<'p> Shape<'p> {
    fn of(pattern: &'p str) -> Self {
        if let Some((label, rest)) = pattern.split_once('.')
            && let Some((before, after)) = label.split_once('*')
        {
            return Shape::Star(before, after, rest);
        }
        pattern.strip_prefix('.').map_or(Shape::Exact(pattern), Shape::Below)
    }

    /// The name that it is filed under.
    fn place(self) -> &'p str {
        match self {
            Shape::Exact(place) | Shape::Below(place) | Shape::Star(_, _, place) => place,
        }
    }

    /// How exactly it says the name whose end `rest` is; `None` when it does not match. Of wildcards the longer counts.
    fn fit(self, name: &str, rest: &str) -> Option<(u8, usize)> {
        let head = name.strip_suffix(rest)?;
        match self {
            Shape::Exact(place) => (head.is_empty() && place == rest).then_some((2, 0)),
            Shape::Below(place) => (place == rest).then_some((0, 0)),
            Shape::Star(before, after, place) => {
                let label = head.strip_suffix('.').filter(|label| !label.contains('.'))?;
                let fixed = before.len() + after.len();
                let fits = place == rest && label.len() > fixed && label.starts_with(before) && label.ends_with(after);
                fits.then_some((1, fixed))
            }
        }
    }

    /// Labels of the pattern.
    fn labels(self) -> usize {
        self.place().matches('.').count() + if matches!(self, Shape::Star(..)) { 2 } else { 1 }
    }
}

/// The name patterns of all indicators of a rule set: one text, and whose patterns stand in which part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct NameTexts {
    pub(super) bytes: Arc<[u8]>,
    /// Where an indicator's patterns begin, in order.
    pub(super) owners: Box<[(u32, IndicatorId)]>,
}

impl NameTexts {
    /// Packs the lists of indicators in their order, and gives them back as parts of one text.
    pub(super) fn pack<'l>(lists: impl Iterator<Item = (IndicatorId, &'l NameList)> + Clone) -> (NameTexts, Vec<(IndicatorId, NameList)>) {
        let mut bytes = Vec::with_capacity(lists.clone().map(|(_, list)| list.packed().len()).sum());
        let mut ends = Vec::new();
        for (id, list) in lists {
            // A slot has 32 bits for a place: what lies beyond four gigabytes of names is not kept.
            let Ok(from) = u32::try_from(bytes.len()) else { break };
            bytes.extend_from_slice(list.packed());
            ends.push((id, from, bytes.len()));
        }
        let bytes: Arc<[u8]> = bytes.into();
        let parts = ends.iter().map(|(id, from, to)| (*id, NameList::part(&bytes, *from as usize, *to))).collect();
        (NameTexts { owners: ends.iter().map(|(id, from, _)| (*from, *id)).collect(), bytes }, parts)
    }

    /// Whose pattern stands at a place.
    pub(super) fn owner(&self, at: u32) -> Option<IndicatorId> {
        let behind = self.owners.partition_point(|(from, _)| *from <= at);
        self.owners.get(behind.checked_sub(1)?).map(|(_, id)| *id)
    }

    /// The pattern that stands at a place.
    pub(super) fn name(&self, at: u32) -> Option<&str> {
        name_at(&self.bytes, at as usize)
    }
}

/// Patterns by the names that they are filed under.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    texts: Arc<NameTexts>,
    slots: Box<[u64]>,
    hash: Folded,
    /// How the names end that patterns are filed under.
    ends: Ends,
}

impl Table {
    /// Files lists that are parts of `texts`. Of two that are the same the later counts; both places are told.
    pub(super) fn build<'l>(texts: &Arc<NameTexts>, lists: impl Iterator<Item = &'l NameList> + Clone) -> (Table, Vec<(u32, u32)>) {
        let count: usize = lists.clone().map(NameList::len).sum();
        // A free slot ends every search, so there is always one.
        let slots = vec![FREE; if count == 0 { 0 } else { count * 2 + 1 }].into_boxed_slice();
        let mut table = Table { texts: Arc::clone(texts), slots, hash: Folded::default(), ends: Ends::with_room(count) };
        let mut displaced = Vec::new();
        for (at, _) in lists.flat_map(NameList::placed) {
            if let Ok(at) = u32::try_from(at)
                && let Some(before) = table.file(at)
            {
                displaced.push((before, at));
            }
        }
        (table, displaced)
    }

    /// Bytes of memory that the slots take.
    pub(super) fn held(&self) -> usize {
        size_of_val(&*self.slots) + self.ends.held()
    }

    /// Whether a name with this ending may match.
    #[inline]
    pub(super) fn may_have(&self, ending: Ending) -> bool {
        self.ends.may_have(ending)
    }

    /// Files the pattern at a place; the place of the same pattern before it.
    fn file(&mut self, at: u32) -> Option<u32> {
        let texts = Arc::clone(&self.texts);
        let name = texts.name(at)?;
        let shape = Shape::of(name);
        self.ends.add(shape.place());
        let mut state = self.hash.build_hasher();
        labels(shape.place().as_bytes()).for_each(|(label, _)| state.write(label));
        let hash = if matches!(shape, Shape::Star(..)) { one_label_before(state) } else { state.finish() };
        let mut index = self.start(hash);
        // A slot is always free: there is an end.
        loop {
            let slot = self.slots.get_mut(index)?;
            let known = (*slot != FREE).then_some((*slot >> 32) as u32);
            let alike = *slot & 0xffff_ffff == hash & 0xffff_ffff;
            if known.is_none_or(|known| alike && texts.name(known) == Some(name)) {
                *slot = u64::from(at) << 32 | hash & 0xffff_ffff;
                return known;
            }
            index = if index + 1 < self.slots.len() { index + 1 } else { 0 };
        }
    }

    /// The indicator with the longest pattern that a name matches, and how many labels that pattern has. Of patterns that are filed
    /// under the same name: exact before wildcard before suffix; of wildcards the longest, and of those the one that was there first.
    pub(super) fn longest(&self, name: &str) -> Option<(IndicatorId, usize)> {
        if self.slots.is_empty() {
            return None;
        }
        let mut best: Option<u32> = None;
        let mut state: FoldHasher = self.hash.build_hasher();
        let parent = name.bytes().position(|b| b == b'.').map(|dot| dot + 1);
        // From the shortest end to the longest: every label is hashed once, and the last that matches is the longest.
        for (label, start) in labels(name.as_bytes()) {
            state.write(label);
            let mut here = None;
            let mut see = |at: u32| {
                let fit = self.texts.name(at).and_then(|pattern| Shape::of(pattern).fit(name, name.get(start..)?));
                here = here.max(fit.map(|fit| (fit, std::cmp::Reverse(at))));
            };
            self.alike(state.finish(), &mut see);
            if parent == Some(start) {
                self.alike(one_label_before(state), &mut see);
            }
            best = here.map(|(_, at)| at.0).or(best);
        }
        let at = best?;
        Some((self.texts.owner(at)?, Shape::of(self.texts.name(at)?).labels()))
    }

    /// Shows the places of the patterns whose hash is alike.
    #[inline(always)]
    fn alike(&self, hash: u64, see: &mut impl FnMut(u32)) {
        let mut index = self.start(hash);
        while let Some(slot) = self.slots.get(index).copied().filter(|slot| *slot != FREE) {
            if slot & 0xffff_ffff == hash & 0xffff_ffff {
                see((slot >> 32) as u32);
            }
            index = if index + 1 < self.slots.len() { index + 1 } else { 0 };
        }
    }

    /// The slot that a hash is looked for first.
    #[inline(always)]
    fn start(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize
    }
}

/// Where wildcards before a name are filed: not under the name itself, so that of a name with many labels they are tried once only.
fn one_label_before(mut state: FoldHasher) -> u64 {
    state.write_u8(b'*');
    state.finish()
}

/// The labels of a name from the right, each with the place where it begins.
#[inline(always)]
fn labels(name: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut end = Some(name.len());
    std::iter::from_fn(move || {
        let here = name.get(..end?)?;
        let dot = here.iter().rposition(|b| *b == b'.');
        let start = dot.map_or(0, |dot| dot + 1);
        end = dot;
        Some((here.get(start..)?, start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_name() {
        assert_eq!(labels(b"a.bc.d").collect::<Vec<_>>(), [(&b"d"[..], 5), (b"bc", 2), (b"a", 0)]);
        assert_eq!(labels(b"a..b").map(|(_, start)| start).collect::<Vec<_>>(), [3, 2, 0]);
        assert_eq!(labels(b"").collect::<Vec<_>>(), [(&b""[..], 0)]);
    }

    fn table(patterns: &[&str]) -> (Table, Vec<(u32, u32)>) {
        let list: NameList = patterns.iter().copied().collect();
        let (texts, parts) = NameTexts::pack([(IndicatorId(7), &list)].into_iter());
        Table::build(&Arc::new(texts), parts.iter().map(|(_, part)| part))
    }

    /// With a table whose hash is the same for all names, nothing but the texts tells them apart.
    #[test]
    fn a_hash_that_is_the_same_by_chance_changes_nothing() {
        let (mut table, _) = table(&["a.test", ".b.test", "*c.d.test", "e.test"]);
        let all: Vec<u64> = table.slots.iter().copied().filter(|s| *s != FREE).map(|s| s >> 32).collect();
        let mut state = table.hash.build_hasher();
        labels(b"x.test").for_each(|(label, _)| state.write(label));
        let hash = state.finish();
        table.slots.fill(FREE);
        let length = table.slots.len();
        let start = ((u128::from(hash) * length as u128) >> 64) as usize;
        for (i, at) in all.iter().enumerate() {
            table.slots[(start + i) % length] = at << 32 | hash & 0xffff_ffff;
        }
        let mut seen = 0;
        table.alike(hash, &mut |_| seen += 1);
        assert_eq!(seen, 4, "all of them seem to be it");
        assert_eq!(table.longest("x.test"), None);
    }

    #[test]
    fn the_same_pattern_twice() {
        let (table, displaced) = table(&["a.test", ".a.test", "a.test", "*a.test", "b*.a.test"]);
        assert_eq!(displaced, [(0, 15)]);
        assert_eq!(table.longest("a.test"), Some((IndicatorId(7), 2)));
        assert_eq!(table.longest("bx.a.test"), Some((IndicatorId(7), 3)));
        assert!(table.slots.len() > 2 * 4 && table.held() == table.slots.len() * 8 + table.ends.held());
    }
}
