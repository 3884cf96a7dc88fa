//! DHCP options: type, length, value; continued in the `file` and `sname` fields when option 52 says so.

use super::super::dns::wire::u8_at;

/// Octets of one option after joining its parts (RFC 3396).
const JOINED_MAX: usize = 2048;

/// Options read of one message. A whole datagram of empty options has 32,768; real messages have about 30.
const OPTIONS_MAX: usize = 512;

/// Codes that are asked for one by one.
const CODES: [u8; 10] = [12, 15, 50, 51, 52, 53, 55, 60, 61, 81];

/// Where each code stands in [`CODES`], and a number beyond for all others.
static SLOTS: [u8; 256] = {
    let (mut slots, mut at) = ([u8::MAX; 256], 0u8);
    let mut codes: &[u8] = &CODES;
    while let [code, rest @ ..] = codes {
        // Evaluated by the compiler, which is told of a wrong index.
        #[allow(clippy::indexing_slicing)]
        {
            slots[*code as usize] = at;
        }
        (at, codes) = (at + 1, rest);
    }
    slots
};

fn slot(code: u8) -> usize {
    SLOTS.get(usize::from(code)).copied().map_or(usize::MAX, usize::from)
}

/// The option fields of a message, in the order in which RFC 3396 section 5 joins them.
pub struct Options<'a> {
    fields: [&'a [u8]; 3],
    /// The first option of each of [`CODES`].
    first: [Option<&'a [u8]>; CODES.len()],
}

impl<'a> Options<'a> {
    /// Options behind the cookie, and the two fields that option 52 (RFC 2132 section 9.3) may add to them.
    pub fn new(options: &'a [u8], file: &'a [u8], sname: &'a [u8]) -> Self {
        let mut read = Options { fields: [options, &[], &[]], first: [None; CODES.len()] };
        let left = read.note(options, OPTIONS_MAX);
        let overload = read.get(52).and_then(|value| u8_at(value, 0)).filter(|overload| *overload <= 3).unwrap_or(0);
        if overload != 0 {
            let chosen = |bit: u8, bytes: &'a [u8]| if overload & bit != 0 { bytes } else { &[] };
            read.fields = [options, chosen(1, file), chosen(2, sname)];
            let left = read.note(chosen(1, file), left);
            read.note(chosen(2, sname), left);
        }
        read
    }

    /// Notes the first options of a field, `left` at most; how many more may follow.
    fn note(&mut self, bytes: &'a [u8], left: usize) -> usize {
        let mut count = 0;
        for (code, value) in field(bytes).take(left) {
            count += 1;
            if let Some(first) = self.first.get_mut(slot(code)) {
                first.get_or_insert(value);
            }
        }
        left.saturating_sub(count)
    }

    fn all(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        self.fields.into_iter().flat_map(field).take(OPTIONS_MAX)
    }

    /// The first option of this code, which is one of [`CODES`].
    pub fn get(&self, code: u8) -> Option<&'a [u8]> {
        debug_assert!(CODES.contains(&code), "{code} is not noted");
        self.first.get(slot(code)).copied().flatten()
    }

    /// All options of this code joined.
    pub fn joined(&self, code: u8) -> Vec<u8> {
        let mut joined = Vec::new();
        for (_, value) in self.all().filter(|(c, _)| *c == code) {
            if joined.len().saturating_add(value.len()) <= JOINED_MAX {
                joined.extend(value);
            }
        }
        joined
    }
}

/// The options of one field: 0 pads, 255 ends (RFC 2132 sections 3.1 and 3.2).
fn field(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let (code, tail) = rest.split_first()?;
            rest = tail;
            match *code {
                0 => {}
                255 => return None,
                code => {
                    let (len, tail) = rest.split_first()?;
                    let (value, tail) = tail.split_at_checked(usize::from(*len))?;
                    rest = tail;
                    return Some((code, value));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(most: usize) -> impl Strategy<Value = Vec<u8>> {
        let value = proptest::collection::vec(0u8..5, 0..3);
        let option = (prop_oneof![proptest::sample::select(CODES.to_vec()), Just(52), Just(0), Just(255), any::<u8>()], value);
        let bytes = |(code, value): (u8, Vec<u8>)| [&[code, value.len() as u8][..], &value].concat();
        proptest::collection::vec(option.prop_map(bytes), 0..most).prop_map(|options| options.concat())
    }

    proptest! {
        /// The first of a code is what a look at all options finds first.
        #[test]
        fn the_first_is_the_first((bytes, file, sname) in (options(700), options(20), options(20))) {
            let read = Options::new(&bytes, &file, &sname);
            let overload = field(&bytes).find(|(code, _)| *code == 52).and_then(|(_, value)| value.first().copied()).unwrap_or(0);
            let chosen = |bit: u8, bytes: &[u8]| if overload <= 3 && overload & bit != 0 { bytes.to_vec() } else { Vec::new() };
            let (file, sname) = (chosen(1, &file), chosen(2, &sname));
            let all: Vec<_> = [&bytes, &file, &sname].into_iter().flat_map(|bytes| field(bytes)).take(OPTIONS_MAX).collect();
            prop_assert_eq!(&read.all().collect::<Vec<_>>(), &all);
            for code in CODES {
                prop_assert_eq!(read.get(code), all.iter().find(|(c, _)| *c == code).map(|(_, value)| *value));
            }
        }
    }
}
