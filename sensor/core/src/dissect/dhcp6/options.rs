//! DHCPv6 options: code and length of two octets each, then the value (RFC 8415 section 21.1).

use super::super::dns::wire::u16_at;

/// Options read at one level.
const OPTIONS_MAX: usize = 256;

/// Code and value of each option, as far as they are well formed.
pub fn options(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let next = move || {
        let (code, len) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        let (value, tail) = rest.get(4..)?.split_at_checked(len)?;
        rest = tail;
        Some((code, value))
    };
    std::iter::from_fn(next).take(OPTIONS_MAX)
}
