//! Which text patterns a value matches: whole values by hash, beginnings and parts one by one (there are few of them).
//! Must not know what the ids mean.

use std::collections::HashMap;

use super::indicator::IndicatorId;
use super::pattern::{Pattern, TextHow};

/// The text and number patterns of one field.
#[derive(Clone, Debug, Default)]
pub struct TextTable {
    equals: HashMap<Box<[u8]>, Vec<(IndicatorId, ButNot)>>,
    parts: Vec<(TextHow, Box<[u8]>, IndicatorId, ButNot)>,
    numbers: HashMap<u64, Vec<IndicatorId>>,
}

type ButNot = Box<[Box<str>]>;

impl TextTable {
    /// Adds a pattern; names and networks have tables of their own.
    pub fn add(&mut self, pattern: &Pattern, id: IndicatorId) {
        match pattern {
            Pattern::Text { how: TextHow::Equals, text, but_not } => {
                self.equals.entry(text.as_bytes().into()).or_default().push((id, but_not.clone()));
            }
            Pattern::Text { how, text, but_not } => self.parts.push((*how, text.as_bytes().into(), id, but_not.clone())),
            Pattern::Number(number) => self.numbers.entry(*number).or_default().push(id),
            Pattern::Name(_) | Pattern::Network(_) => {}
        }
    }

    /// Every indicator that `value` matches.
    pub fn text(&self, value: &[u8], hit: &mut dyn FnMut(IndicatorId)) {
        let allowed = |but_not: &ButNot| but_not.iter().all(|part| !contains(value, part.as_bytes()));
        for (id, but_not) in self.equals.get(value).into_iter().flatten() {
            if allowed(but_not) {
                hit(*id);
            }
        }
        for (how, text, id, but_not) in &self.parts {
            let found = if *how == TextHow::Prefix { value.starts_with(text) } else { contains(value, text) };
            if found && allowed(but_not) {
                hit(*id);
            }
        }
    }

    /// Every indicator that `number` matches.
    pub fn number(&self, number: u64, hit: &mut dyn FnMut(IndicatorId)) {
        self.numbers.get(&number).into_iter().flatten().for_each(|id| hit(*id));
    }
}

/// Whether `part` occurs in `value`. Values are bounded by the dissectors (16 KiB of HTTP header), parts by [`super::file`].
fn contains(value: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else { return true };
    let mut rest = value;
    while let Some(at) = rest.iter().position(|b| b == first) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(how: TextHow, text: &str, but_not: &[&str]) -> Pattern {
        Pattern::Text { how, text: text.into(), but_not: but_not.iter().map(|t| (*t).into()).collect() }
    }

    #[test]
    fn every_match_but_the_excluded() {
        let mut table = TextTable::default();
        table.add(&text(TextHow::Contains, "MicroMessenger/", &["wxwork/"]), IndicatorId(0));
        table.add(&text(TextHow::Contains, "wxwork/", &[]), IndicatorId(1));
        table.add(&text(TextHow::Prefix, "Mozilla/", &[]), IndicatorId(2));
        table.add(&text(TextHow::Equals, "exactly", &[]), IndicatorId(3));
        table.add(&Pattern::Number(7), IndicatorId(4));
        let cases: [(&[u8], &[u32]); 7] = [
            (b"Mozilla/5.0 MicroMessenger/8.0", &[0, 2]),
            (b"Mozilla/5.0 wxwork/4.1 MicroMessenger/7.0", &[1, 2]),
            (b"MicroMessenger Client", &[]),
            (b"MMicroMessenger/", &[0]),
            (b"exactly", &[3]),
            (b"exactly!", &[]),
            (b"\xff\x00MicroMessenger/\xff", &[0]),
        ];
        for (value, expect) in cases {
            let mut hits = Vec::new();
            table.text(value, &mut |id| hits.push(id.0));
            hits.sort_unstable();
            assert_eq!(hits, expect, "{}", String::from_utf8_lossy(value));
        }
        let mut hits = Vec::new();
        table.number(7, &mut |id| hits.push(id.0));
        table.number(8, &mut |id| hits.push(id.0));
        assert_eq!(hits, [4]);
    }
}
