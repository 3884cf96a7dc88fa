//! How the names that somebody looks for end. Nearly every name on a network ends otherwise, and is told so by its last three labels:
//! with a few numbers in registers, without a walk over it.

use crate::fold::Keys;

/// Octets of an ending: what stands before is not looked at.
const END: usize = 16;

/// An octet in each place of an ending.
const fn each(octet: u8) -> u128 {
    u128::from_le_bytes([octet; END])
}

/// Equal endings have equal hashes. It need not be secret: whoever makes others meet gets his name looked up.
static KEYS: Keys = Keys::of(0);

/// The end of a name: its last label, its last two and its last three, as hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending([u64; LABELS]);

/// Labels that are told apart: those of an organisation's own names are more than two.
const LABELS: usize = 3;

impl Ending {
    /// Of a name without a final dot, in any case.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        let end = match name.last_chunk::<END>() {
            Some(end) => *end,
            // A short name begins behind dots.
            None => {
                let mut end = [b'.'; END];
                if let Some(room) = end.get_mut(END - name.len()..) {
                    room.copy_from_slice(name);
                }
                end
            }
        };
        // The last octet of the name is the lowest one of the number, and a dot is told by the lowest bit of its octet.
        let end = u128::from_be_bytes(end);
        let differs = end ^ each(b'.');
        let mut dots = !(((differs & each(0x7f)) + each(0x7f)) | differs) >> 7 & each(1);
        // Letters in lower case; what else is changed on the way is alike on both sides.
        let lower = end | each(0x20);
        Ending([(); LABELS].map(|()| {
            let behind = dots.wrapping_sub(1) & !dots;
            dots &= dots.wrapping_sub(1);
            let labels = lower & behind;
            KEYS.pair(labels as u64, (labels >> 64) as u64)
        }))
    }
}

/// Two bits of a word for each of some endings.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// As many as a power of two, or none.
    words: Box<[u64]>,
}

/// The word of a hash among `count`, and its bits.
#[inline]
fn bits_of(hash: u64, count: usize) -> (usize, u64) {
    ((hash as usize) & count.wrapping_sub(1), 1 << (hash >> 52 & 63) | 1 << (hash >> 58))
}

impl Ends {
    /// None yet, and room for `count`: a byte for each.
    pub fn with_room(count: usize) -> Self {
        let words = if count == 0 { 0 } else { count.div_ceil(8).next_power_of_two().max(8) };
        Ends { words: vec![0; words].into() }
    }

    /// Names that end in this one are looked for: in its last three labels, or in all of it where it has fewer.
    pub fn add(&mut self, place: &str) {
        let labels = place.matches('.').count();
        let hash = Ending::of(place.as_bytes()).0.into_iter().take(labels + 1).next_back().unwrap_or(0);
        let (word, bits) = bits_of(hash, self.words.len());
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    /// Bytes of memory that it takes.
    pub fn held(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// Whether somebody may look for a name with this ending. Nobody who does is missed.
    #[inline]
    pub fn may_have(&self, ending: Ending) -> bool {
        ending.0.iter().any(|hash| {
            let (word, bits) = bits_of(*hash, self.words.len());
            self.words.get(word).is_some_and(|word| word & bits == bits)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The last labels behind dots, in lower case.
    fn last(count: usize, name: &str) -> String {
        let name = format!("..{name}");
        let labels: Vec<&str> = name.rsplitn(count + 1, '.').collect();
        labels.iter().take(count).rev().copied().collect::<Vec<_>>().join(".").to_ascii_lowercase()
    }

    proptest! {
        #[test]
        fn whoever_is_below_is_not_missed(place in "[a-z0-9-]{1,20}(\\.[a-z0-9-]{1,20}){0,3}", below in "([A-Za-z0-9_-]{1,20}\\.){0,3}", loud: bool) {
            let mut ends = Ends::with_room(1);
            ends.add(&place);
            let name = format!("{below}{}", if loud { place.to_ascii_uppercase() } else { place.clone() });
            prop_assert!(ends.may_have(Ending::of(name.as_bytes())), "{name} below {place}");
        }

        #[test]
        fn endings_are_the_last_labels(a in "[a-c.]{0,20}", b in "[a-cA-C.]{0,20}") {
            let (ours, theirs) = (Ending::of(a.as_bytes()), Ending::of(b.as_bytes()));
            let end = |text: String| text.bytes().rev().take(END).collect::<Vec<_>>();
            for (count, (our, their)) in (1..).zip(ours.0.into_iter().zip(theirs.0)) {
                prop_assert_eq!(our == their, end(last(count, &a)) == end(last(count, &b)), "{} of {} and {}", count, a, b);
            }
        }
    }

    #[test]
    fn few_others_are_mistaken() {
        let mut ends = Ends::with_room(1_000);
        (0..1_000).for_each(|n| ends.add(&format!("name{n}.test")));
        let mistaken = (0..10_000).filter(|n| ends.may_have(Ending::of(format!("www.other{n}.example").as_bytes()))).count();
        assert!(mistaken < 1_500, "{mistaken} of 10,000");
        ends.add("mail.example.org");
        assert!(!ends.may_have(Ending::of(b"host1.example.org")), "what is below the same name");
        assert!(!Ends::default().may_have(Ending::of(b"qq.com")), "nobody looks for anything");
        assert!(!Ends::with_room(1).may_have(Ending::of(b"")));
    }
}
