//! DHCP options: type, length, value; continued in the `file` and `sname` fields when option 52 says so.

use super::super::dns::wire::u8_at;

/// Octets of one option after joining its parts (RFC 3396).
const JOINED_MAX: usize = 2048;

/// Options read of one message. A whole datagram of empty options has 32,768; real messages have about 30.
const OPTIONS_MAX: usize = 512;

/// The option fields of a message, in the order in which RFC 3396 section 5 joins them.
pub struct Options<'a> {
    fields: [&'a [u8]; 3],
}

impl<'a> Options<'a> {
    /// Options behind the cookie, and the two fields that option 52 (RFC 2132 section 9.3) may add to them.
    pub fn new(options: &'a [u8], file: &'a [u8], sname: &'a [u8]) -> Self {
        let overload = field(options).find(|(code, _)| *code == 52).and_then(|(_, value)| u8_at(value, 0)).unwrap_or(0);
        let chosen = |bit: u8, bytes: &'a [u8]| if overload <= 3 && overload & bit != 0 { bytes } else { &[] };
        Options { fields: [options, chosen(1, file), chosen(2, sname)] }
    }

    fn all(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        self.fields.into_iter().flat_map(field).take(OPTIONS_MAX)
    }

    /// The first option of this code.
    pub fn get(&self, code: u8) -> Option<&'a [u8]> {
        self.all().find(|(c, _)| *c == code).map(|(_, value)| value)
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
