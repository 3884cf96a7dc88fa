//! Many host name patterns in one piece of memory: for each a byte with its length, then its text.

use std::fmt;
use std::sync::Arc;

/// Host name patterns in the order in which they were written; a part of a text that others may share.
#[derive(Clone)]
pub struct NameList {
    bytes: Arc<[u8]>,
    from: usize,
    to: usize,
}

impl NameList {
    /// The part of a packed text that lies between two places.
    pub(super) fn part(bytes: &Arc<[u8]>, from: usize, to: usize) -> Self {
        NameList { bytes: Arc::clone(bytes), from, to }
    }

    /// The packed text.
    pub(super) fn packed(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    /// Every pattern.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.placed().map(|(_, name)| name)
    }

    /// Every pattern, and where in the whole text it stands.
    pub(super) fn placed(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut at = self.from;
        std::iter::from_fn(move || {
            let here = at;
            let name = name_at(&self.bytes, here).filter(|_| here < self.to)?;
            at = here + 1 + name.len();
            Some((here, name))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }
}

/// The pattern that stands at a place of a packed text.
pub(super) fn name_at(bytes: &[u8], at: usize) -> Option<&str> {
    let (length, rest) = bytes.get(at..)?.split_first()?;
    std::str::from_utf8(rest.get(..usize::from(*length))?).ok()
}

impl Default for NameList {
    fn default() -> Self {
        NameList { bytes: Arc::new([]), from: 0, to: 0 }
    }
}

impl<'n> FromIterator<&'n str> for NameList {
    /// Packs names; what is longer than any host name is left out.
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        let mut bytes = Vec::new();
        for name in names {
            if let Ok(length) = u8::try_from(name.len()) {
                bytes.push(length);
                bytes.extend_from_slice(name.as_bytes());
            }
        }
        NameList { to: bytes.len(), bytes: bytes.into(), from: 0 }
    }
}

impl fmt::Debug for NameList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let long = "a".repeat(255);
        let list: NameList = [".qq.com", "", &long, &"b".repeat(256), "*x.qq.com"].into_iter().collect();
        assert_eq!(list.iter().collect::<Vec<_>>(), [".qq.com", "", &long, "*x.qq.com"], "longer than a name can be is left out");
        assert_eq!((list.len(), list.is_empty(), NameList::default().is_empty()), (4, false, true));
        let bytes: Arc<[u8]> = [&[9; 5][..], list.packed()].concat().into();
        let part = NameList::part(&bytes, 5, bytes.len());
        assert_eq!(part.placed().map(|(at, _)| at).collect::<Vec<_>>(), [5, 13, 14, 270]);
        assert_eq!(format!("{part:?}"), format!("{list:?}"));
        assert_eq!(name_at(&bytes, 1_000), None);
    }
}
