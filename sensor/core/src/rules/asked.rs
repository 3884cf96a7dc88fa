//! What the rules ask of each field. Most fields are nobody's, and one bit tells.

use std::collections::HashMap;

use crate::field::{Field, Value};
use crate::fold::Folded;

use super::indicator::IndicatorId;
use super::names::Names;
use super::prefixes::Prefixes;
use super::texts::Texts;

/// Where a field is declared: there is one of each, and a number is found faster than a name.
pub(super) type FieldAt = usize;

#[inline]
pub(super) fn address(field: &'static Field) -> FieldAt {
    std::ptr::from_ref(field).addr()
}

/// The patterns of the rules that name a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) names: Option<Names>,
    pub(super) texts: Texts,
    pub(super) prefixes: Prefixes,
}

impl Asked {
    /// Shows every indicator that fires on a value which is no host name.
    pub(super) fn show(&self, value: Value<'_>, hit: &mut dyn FnMut(IndicatorId)) {
        match value {
            Value::Text(bytes) => self.texts.find(bytes, hit),
            Value::Token(word) => self.texts.find(word.as_bytes(), hit),
            Value::Number(n) => self.texts.find(n.to_string().as_bytes(), hit),
            Value::Address(addr) => self.prefixes.find(addr).into_iter().for_each(hit),
            Value::List(items) => items.iter().for_each(|item| self.texts.find(item, hit)),
        }
    }
}

/// The fields that rules name.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    /// One for each of them, and by chance for a few others.
    bits: u64,
    asked: HashMap<FieldAt, Asked, Folded>,
}

impl Fields {
    fn bit(field: FieldAt) -> u32 {
        // Declarations stand one behind the other: the upper bits of the product differ for neighbours.
        ((field as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as u32
    }

    /// What is asked of a field, to add to it.
    pub(super) fn entry(&mut self, field: FieldAt) -> &mut Asked {
        self.bits |= 1 << Self::bit(field);
        self.asked.entry(field).or_default()
    }

    /// What is asked of a field.
    #[inline]
    pub(super) fn of(&self, field: FieldAt) -> Option<&Asked> {
        if self.bits >> Self::bit(field) & 1 == 0 { None } else { self.asked.get(&field) }
    }

    /// The same, to change it.
    pub(super) fn of_mut(&mut self, field: FieldAt) -> Option<&mut Asked> {
        self.asked.get_mut(&field)
    }

    /// Host names that are asked for in some fields alone.
    pub(super) fn names(&self) -> impl Iterator<Item = &Names> {
        self.asked.values().filter_map(|asked| asked.names.as_ref())
    }

    /// The same, to change them.
    pub(super) fn names_mut(&mut self) -> impl Iterator<Item = &mut Names> {
        self.asked.values_mut().filter_map(|asked| asked.names.as_mut())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn those_that_were_entered_and_no_others(
            entered in proptest::collection::btree_set(0usize..400, 0..40),
            first in any::<u32>(),
        ) {
            let at = |n: usize| first as usize + n * size_of::<Field>();
            let mut fields = Fields::default();
            entered.iter().for_each(|n| { fields.entry(at(*n)).names = Some(Names::new()); });
            for n in 0..400 {
                prop_assert_eq!(fields.of(at(n)).is_some(), entered.contains(&n));
                prop_assert_eq!(fields.of_mut(at(n)).is_some(), entered.contains(&n));
            }
            prop_assert_eq!((fields.names().count(), fields.names_mut().count()), (entered.len(), entered.len()));
        }
    }
}
