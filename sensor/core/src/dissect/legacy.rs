//! The app's clear short link before MMTLS: an HTTP request body whose header must decode to the last bit.
//!
//! Layout from published analyses of the old protocol, measured on 6 of 6 bodies. The account number in it is read over.

use crate::field::{Family, Field, FieldKind, Value};
use crate::record::{Detail, Record, Role};

const SOURCE: &str = "duo/gommtls and captures of old clients (nDPI)";

/// `legacy.shortlink`: a clear short link that decodes exactly.
pub static SHORTLINK: Field = Field {
    name: "legacy.shortlink",
    key: "shortlink",
    kind: FieldKind::Token(&["valid"]),
    family: Some(Family::Structure),
    signal: Some("legacy-shortlink"),
    personal: false,
    meaning: "HTTP request to the app's CGI path whose binary header, lengths and padding fit each other exactly.",
    source: SOURCE,
};

/// `legacy.cgi`: the number of the function that was called.
pub static CGI: Field = Field {
    name: "legacy.cgi",
    key: "cgi",
    kind: FieldKind::Number,
    family: Some(Family::Structure),
    signal: None,
    personal: false,
    meaning: "Number of the function that a clear short link calls (716: statistics).",
    source: SOURCE,
};

/// The longest header (6 bits) and the optional marker before it, in bytes.
pub(crate) const PREFIX_BYTES: usize = 1 + 63;

/// Where the functions of the app live.
const PATH: &[u8] = b"/cgi-bin/micromsg-bin/";

const MARKER: u8 = 0xbf;
const AES_BLOCK_BYTES: u64 = 16;
const CGI_MAX: u64 = 0xffff;
const VARINTS_MIN: usize = 3;
const VARINTS_MAX: usize = 6;

/// Whether a request path is that of a function of the app.
pub(crate) fn is_path(path: &[u8]) -> bool {
    path.strip_prefix(PATH).is_some_and(|name| !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_'))
}

/// Reads the begin of a body of `length` bytes, [`PREFIX_BYTES`] of it or all; the function number if it decodes exactly.
pub(crate) fn decode(prefix: &[u8], length: u64) -> Option<u64> {
    let (body, length) = match prefix.split_first() {
        Some((&MARKER, rest)) => (rest, length.checked_sub(1)?),
        _ => (prefix, length),
    };
    let [first, second] = *body.first_chunk()?;
    let header_bytes = usize::from(first >> 2);
    let (cipher, cookie_bytes) = (second >> 4, usize::from(second & 0x0f));
    // Two bytes of flags, version, account number, cookie, then the numbers.
    let mut numbers = body.get(..header_bytes)?.get(10_usize.checked_add(cookie_bytes)?..)?;
    let mut values = [0; VARINTS_MAX];
    let mut count = 0;
    while !numbers.is_empty() {
        let (value, rest) = varint(numbers)?;
        *values.get_mut(count)? = value;
        count = count.checked_add(1)?;
        numbers = rest;
    }
    let [cgi, _plain, packed, ..] = values;
    let rest = length.checked_sub(u64::try_from(header_bytes).ok()?)?;
    let fits = rest == packed || (cipher != 0 && is_padded(packed, rest));
    (count >= VARINTS_MIN && (1..=CGI_MAX).contains(&cgi) && packed > 0 && fits).then_some(cgi)
}

/// Whether `rest` is `packed` padded to whole blocks, with a block more where it was whole (PKCS #7, RFC 5652 section 6.3).
fn is_padded(packed: u64, rest: u64) -> bool {
    rest.is_multiple_of(AES_BLOCK_BYTES) && rest.checked_sub(packed).is_some_and(|pad| pad <= AES_BLOCK_BYTES)
}

/// A base-128 number, low groups first, at most 32 bits (as in Protocol Buffers).
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    let mut rest = bytes;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, tail) = rest.split_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        rest = tail;
        if byte & 0x80 == 0 {
            return u32::try_from(value).is_ok().then_some((value, rest));
        }
    }
    None
}

/// A clear short link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legacy {
    /// The function number.
    pub(crate) cgi: u64,
}

impl Record for Legacy {
    fn dissector(&self) -> &'static str {
        "http"
    }

    fn kind(&self) -> &'static str {
        "legacy"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Client)
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&SHORTLINK, Value::Token("valid"));
        see(&CGI, Value::Number(self.cgi));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a body of 355 bytes: 716, 602, 312, 28356, 2, then 320 bytes.
    const HEADER: [u8; 35] = [
        0x8d, 0x5f, 0x26, 0x01, 0x00, 0x41, 0x3b, 0x9a, 0xca, 0x02, 0x0d, 0xe8, 0xf4, 0xda, 0xb0, 0xb9, 0xdd, 0xce, 0xa3, 0x2c, 0x09, 0x29,
        0x4c, 0x49, 0x22, 0xcc, 0x05, 0xda, 0x04, 0xb8, 0x02, 0xc4, 0xdd, 0x01, 0x02,
    ];

    fn body(header: &[u8]) -> Vec<u8> {
        [header, &[0xa5; 320]].concat()
    }

    #[test]
    fn decodes_exactly_or_is_not_it() {
        let whole = body(&HEADER);
        assert_eq!(decode(&whole[..PREFIX_BYTES], 355), Some(716));
        let marked = [&[MARKER][..], &whole].concat();
        assert_eq!(decode(&marked[..PREFIX_BYTES], 356), Some(716));
        for wrong in [354, 356, 339, 371, 347 - 1, 35, 0] {
            assert_eq!(decode(&whole, wrong), None, "{wrong}");
        }
        assert_eq!(decode(&whole, 35 + 312), Some(716), "not padded");
    }

    #[test]
    fn a_changed_length_or_number_is_not_it() {
        // Header length, cookie length and the third number each move something that must fit; the others are free.
        for (at, byte) in [(0, 0x89), (0, 0x91), (0, 0x00), (1, 0x5e), (1, 0x50), (29, 0xaf), (30, 0x03), (34, 0x82), (25, 0x4c)] {
            let mut header = HEADER;
            header[at] = byte;
            assert_eq!(decode(&body(&header), 355), None, "{at}");
        }
    }

    #[test]
    fn truncated_at_every_byte() {
        for cut in 0..HEADER.len() {
            assert_eq!(decode(&HEADER[..cut], 355), None, "{cut}");
        }
    }

    #[test]
    fn paths() {
        assert!(is_path(b"/cgi-bin/micromsg-bin/rtkvreport"));
        for bad in ["/cgi-bin/micromsg-bin/", "/cgi-bin/micromsg-bin/a/b", "/cgi-bin/other/rtkvreport", "", "/x/cgi-bin/micromsg-bin/a"] {
            assert!(!is_path(bad.as_bytes()), "{bad}");
        }
    }
}
