//! Text patterns of one field. What a look-up costs grows with the text that is looked at, not with the number of patterns.

use std::collections::{BTreeSet, HashMap};

use aho_corasick::AhoCorasick;

use crate::fold::Folded;

use super::indicator::IndicatorId;

/// A text that must be there, those that must not, and whose sign it is.
type Needle = (Box<str>, Vec<Box<str>>, IndicatorId);

/// Whole texts, beginnings, and parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    is: HashMap<Box<[u8]>, Vec<IndicatorId>, Folded>,
    prefix: HashMap<Box<[u8]>, Vec<IndicatorId>, Folded>,
    /// Lengths of the beginnings.
    lengths: Vec<usize>,
    contains: Vec<Needle>,
    /// Finds all of `contains` in one pass.
    finder: Option<AhoCorasick>,
}

impl Texts {
    /// Files a whole text.
    pub(super) fn is(&mut self, text: &str, id: IndicatorId) {
        self.is.entry(text.as_bytes().into()).or_default().push(id);
    }

    /// Files a beginning.
    pub(super) fn prefix(&mut self, text: &str, id: IndicatorId) {
        self.prefix.entry(text.as_bytes().into()).or_default().push(id);
        if !self.lengths.contains(&text.len()) {
            self.lengths.push(text.len());
            self.lengths.sort_unstable();
        }
    }

    /// Files a part. Nothing contains an empty one. [`Texts::settle`] comes after the last of them.
    pub(super) fn contains(&mut self, text: &str, without: &[Box<str>], id: IndicatorId) {
        if !text.is_empty() {
            self.contains.push((text.into(), without.to_vec(), id));
        }
    }

    /// Makes ready to look; `false` when there are too many parts.
    pub(super) fn settle(&mut self) -> bool {
        if self.contains.is_empty() {
            return true;
        }
        self.finder = AhoCorasick::new(self.contains.iter().map(|(text, ..)| text.as_bytes())).ok();
        self.finder.is_some()
    }

    /// Shows whose patterns a text matches.
    pub(super) fn find(&self, bytes: &[u8], hit: &mut dyn FnMut(IndicatorId)) {
        self.is.get(bytes).into_iter().flatten().for_each(|id| hit(*id));
        for length in &self.lengths {
            let Some(start) = bytes.get(..*length) else { break };
            self.prefix.get(start).into_iter().flatten().for_each(|id| hit(*id));
        }
        let Some(finder) = &self.finder else { return };
        // In the order of the rules, not in that of the text.
        let found: BTreeSet<usize> = finder.find_overlapping_iter(bytes).map(|m| m.pattern().as_usize()).collect();
        for (_, without, id) in found.into_iter().filter_map(|at| self.contains.get(at)) {
            if !without.iter().any(|part| holds(bytes, part.as_bytes())) {
                hit(*id);
            }
        }
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_trying_every_pattern(
            patterns in proptest::collection::vec((0u8..3, "[ab]{1,3}", "[abc]{0,2}"), 0..10),
            text in "[abcé]{0,12}",
        ) {
            let mut texts = Texts::default();
            for (i, (kind, pattern, without)) in patterns.iter().enumerate() {
                let id = IndicatorId(i as u32);
                match kind {
                    0 => texts.is(pattern, id),
                    1 => texts.prefix(pattern, id),
                    _ => texts.contains(pattern, &[without.as_str().into()], id),
                }
            }
            prop_assert!(texts.settle());
            let fires = |(kind, pattern, without): &(u8, String, String)| match kind {
                0 => text == *pattern,
                1 => text.starts_with(pattern),
                _ => text.contains(pattern) && (without.is_empty() || !text.contains(without)),
            };
            let expected: Vec<u32> = patterns.iter().enumerate().filter(|(_, p)| fires(p)).map(|(i, _)| i as u32).collect();
            let mut found = Vec::new();
            texts.find(text.as_bytes(), &mut |id| found.push(id.0));
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_no_text_may_contain_one() {
        let mut texts = Texts::default();
        texts.contains("Chat/", &["work/".into()], IndicatorId(3));
        texts.prefix("\u{fe}", IndicatorId(4));
        assert!(texts.settle());
        let found = |bytes: &[u8]| {
            let mut found = Vec::new();
            texts.find(bytes, &mut |id| found.push(id.0));
            found
        };
        assert_eq!(found(b"\xff Chat/8 Chat/9"), [3], "once");
        assert_eq!(found(b"\xff Chat/8 work/1"), Vec::<u32>::new());
        assert_eq!(found("\u{fe}x".as_bytes()), [4]);
    }
}
