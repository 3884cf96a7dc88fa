//! JA3, JA3S and JA4 (TLS client): fingerprints of a hello, by their specifications.
//!
//! JA3: github.com/salesforce/ja3. JA4: FoxIO technical details, `JA4: TLS Client Fingerprinting`. GREASE (RFC 8701) is dropped everywhere,
//! also inside the signature algorithms and in QUIC hellos.

mod md5;

use ring::digest::{SHA256, digest};

use crate::net::text::{push_hex, push_number};

use super::client_hello::{ClientHello, Transport};

/// What stands for an empty list in JA4.
const EMPTY: &str = "000000000000";

/// Whether a code point is one of GREASE (RFC 8701 section 2).
pub(super) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|b| push_hex(&mut text, *b));
    text
}

/// Appends values in decimal, with a dash between two.
fn push_decimals(text: &mut String, values: impl Iterator<Item = u16>) {
    for (i, value) in values.enumerate() {
        if i > 0 {
            text.push('-');
        }
        push_number(text, value.into());
    }
}

/// JA3: 32 hexadecimal digits.
pub(super) fn ja3(hello: &ClientHello<'_>) -> String {
    let mut text = String::with_capacity(512);
    push_decimals(&mut text, std::iter::once(hello.legacy_version));
    for values in [&mut hello.ciphers.iter() as &mut dyn Iterator<Item = u16>, &mut hello.extension_types(), &mut hello.groups().iter()] {
        text.push(',');
        push_decimals(&mut text, values.filter(|v| !is_grease(*v)));
    }
    text.push(',');
    push_decimals(&mut text, hello.point_formats().iter().map(|format| u16::from(*format)));
    hex(&md5::md5(text.as_bytes()))
}

/// JA3S: 32 hexadecimal digits.
pub(super) fn ja3s(version: u16, cipher: u16, extensions: impl Iterator<Item = u16>) -> String {
    let mut text = format!("{version},{cipher},");
    push_decimals(&mut text, extensions);
    hex(&md5::md5(text.as_bytes()))
}

/// JA4: 36 characters.
pub(super) fn ja4(hello: &ClientHello<'_>) -> String {
    let (ciphers, extensions) = (plain(hello.ciphers.iter()), plain(hello.extension_types()));
    let transport = match hello.transport {
        Transport::Tls => 't',
        Transport::Quic => 'q',
        Transport::Dtls => 'd',
    };
    let sni = if extensions.contains(&0) { 'd' } else { 'i' };
    let a = format!("{transport}{}{sni}{:02}{:02}{}", version(hello), ciphers.len().min(99), extensions.len().min(99), alpn(hello));
    let b = hashed(&sorted(&ciphers));
    let hashed_extensions: Vec<u16> = extensions.into_iter().filter(|e| !matches!(e, 0x0000 | 0x0010)).collect();
    let algorithms = list(&plain(hello.signature_algorithms().iter()));
    let c = match (sorted(&hashed_extensions), algorithms) {
        (extensions, _) if extensions.is_empty() => EMPTY.to_string(),
        (extensions, algorithms) if algorithms.is_empty() => hashed(&extensions),
        (extensions, algorithms) => hashed(&format!("{extensions}_{algorithms}")),
    };
    format!("{a}_{b}_{c}")
}

/// Values without GREASE.
fn plain(values: impl Iterator<Item = u16>) -> Vec<u16> {
    values.filter(|v| !is_grease(*v)).collect()
}

fn list(values: &[u16]) -> String {
    let mut text = String::with_capacity(values.len() * 5);
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        value.to_be_bytes().into_iter().for_each(|byte| push_hex(&mut text, byte));
    }
    text
}

fn sorted(values: &[u16]) -> String {
    let mut values = values.to_vec();
    values.sort_unstable();
    list(&values)
}

fn hashed(text: &str) -> String {
    if text.is_empty() {
        return EMPTY.to_string();
    }
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().first_chunk::<6>().map_or_else(String::new, |start| hex(start))
}

/// The highest version that is offered, in two characters.
fn version(hello: &ClientHello<'_>) -> &'static str {
    match hello.version() {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfefc => "d3",
        0xfefd => "d2",
        0xfeff => "d1",
        _ => "00",
    }
}

/// First and last character of the first ALPN value; of its hexadecimal form when one of them is not alphanumeric.
fn alpn(hello: &ClientHello<'_>) -> String {
    let Some(value) = hello.protocols().next() else { return "00".into() };
    let (Some(first), Some(last)) = (value.first(), value.last()) else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [*first, *last].map(char::from).iter().collect();
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::client_hello::Values;

    fn wire(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_be_bytes()).collect()
    }

    /// Extensions of these types, empty but for those that hold something.
    fn extensions(kinds: &[u16], holding: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let body = |kind: u16| holding.iter().find(|(k, _)| *k == kind).map_or(&[][..], |(_, body)| body);
        let one = |kind: &u16| [&kind.to_be_bytes()[..], &(body(*kind).len() as u16).to_be_bytes(), body(*kind)].concat();
        kinds.iter().flat_map(one).collect()
    }

    /// 16-bit values behind a 16-bit length.
    fn listed(values: &[u16]) -> Vec<u8> {
        [&(values.len() as u16 * 2).to_be_bytes()[..], &wire(values)].concat()
    }

    #[test]
    fn grease() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && is_grease(0x5a5a));
        assert!(!is_grease(0x0a1a) && !is_grease(0x0b0b) && !is_grease(0x1301));
    }

    /// The example of the JA3 documentation, as a hello.
    #[test]
    fn ja3_of_the_documentation() {
        let ciphers = wire(&[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]);
        let hello = ClientHello {
            legacy_version: 769,
            ciphers: Values(&ciphers),
            extensions: &extensions(&[0, 10, 11], &[(10, listed(&[23, 24, 25])), (11, vec![1, 0])]),
            ..ClientHello::empty(Transport::Tls)
        };
        assert_eq!(ja3(&hello), "ada70206e40642a3e4461f35503241d5");
    }

    /// The worked example of the JA4 technical details.
    #[test]
    fn ja4_of_the_technical_details() {
        let ciphers = wire(&[
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ]);
        let kinds = [
            0x4a4a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a,
            0x0015, 0x1a1a,
        ];
        let algorithms = listed(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        let versions = [&[6][..], &wire(&[0x7a7a, 0x0304, 0x0303])].concat();
        let hello = ClientHello {
            legacy_version: 0x0303,
            ciphers: Values(&ciphers),
            extensions: &extensions(&kinds, &[(0x000d, algorithms), (0x002b, versions)]),
            alpn: b"\x02h2\x08http/1.1",
            ..ClientHello::empty(Transport::Tls)
        };
        assert_eq!(ja4(&hello), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for value in (0..=u16::MAX).step_by(7).chain([1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, u16::MAX]) {
            let mut decimal = String::new();
            push_decimals(&mut decimal, [value, value].into_iter());
            assert_eq!((decimal, list(&[value])), (format!("{value}-{value}"), format!("{value:04x}")));
        }
    }

    #[test]
    fn odd_alpn_and_empty_lists() {
        let with = |value: &[u8]| {
            let list = [&[value.len() as u8], value].concat();
            alpn(&ClientHello { alpn: &list, ..ClientHello::empty(Transport::Tls) })
        };
        let seen = [with(b""), with(b"h"), with(&[0xab]), with(&[0xab, 0xcd]), with(&[0x30, 0xab]), with(b"http/1.1"), with(b"h3")];
        assert_eq!(seen, ["00", "hh", "ab", "ad", "3b", "h1", "h3"]);
        assert_eq!(ja4(&ClientHello::empty(Transport::Dtls)), "d00i000000_000000000000_000000000000");
    }
}
