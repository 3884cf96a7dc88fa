//! Encrypted ClientHello: what an observer can and cannot tell (RFC 9849 sections 5 and 6.2).
//!
//! Browsers send GREASE in every hello for which they have no ECH configuration, made to look like a real offer. One hello alone
//! does not tell them apart, except by its outer name: a real offer carries the public name of its configuration. The second
//! hello after a HelloRetryRequest does tell: GREASE is copied unchanged (section 6.2.1), a real offer is repeated with an empty
//! `enc` and a new payload (section 6.1.5).

/// `encrypted_client_hello` (RFC 9849 section 11.1).
pub(in crate::dissect) const ECH: u16 = 0xfe0d;

/// `encrypted_server_name` (draft-ietf-tls-esni-02), which was never greased; in use from 2018 to 2021.
pub(in crate::dissect) const ESNI: u16 = 0xffce;

/// Public names of providers that are known to run ECH: behind one of these an offer is real.
const FRONTS: &[&[u8]] = &[b"cloudflare-ech.com", b"crypto.cloudflare.com", b"public.tls-ech.dev", b"cover.defo.ie"];

/// What is known of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dissect) enum Offer {
    /// The name seen is the outer one.
    Real,
    /// The name seen is the true one.
    Grease,
    /// Not to be told apart.
    Unknown,
}

impl Offer {
    /// The words of the field.
    pub(in crate::dissect) const WORDS: &[&str] = &["present", "offer", "grease"];

    pub(in crate::dissect) const fn word(self) -> &'static str {
        match self {
            Offer::Real => "offer",
            Offer::Grease => "grease",
            Offer::Unknown => "present",
        }
    }
}

/// The outer form of the extension: type, HPKE suite, configuration id, `enc`, payload.
struct Outer<'a> {
    config_id: u8,
    enc: &'a [u8],
}

impl<'a> Outer<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let [0, _, _, _, _, config_id, rest @ ..] = body else { return None };
        let (enc, rest) = vector(rest)?;
        let (_payload, rest) = vector(rest)?;
        rest.is_empty().then_some(Outer { config_id: *config_id, enc })
    }
}

/// Bytes behind a 16-bit length, and what follows.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*head)))
}

/// The configuration id of an outer extension; random under GREASE.
pub(in crate::dissect) fn config_id(body: &[u8]) -> Option<u8> {
    Outer::parse(body).map(|outer| outer.config_id)
}

/// Judges an extension by the outer name beside it.
pub(in crate::dissect) fn judge(body: &[u8], name: Option<&[u8]>) -> Offer {
    let front = name.is_some_and(|name| FRONTS.iter().any(|front| front.eq_ignore_ascii_case(name)));
    if front && Outer::parse(body).is_some() { Offer::Real } else { Offer::Unknown }
}

/// Judges the extension of a second hello by that of the first: `None` when that does not help.
pub(in crate::dissect) fn judge_repeated(before: &[u8], body: &[u8]) -> Option<Offer> {
    match Outer::parse(body) {
        _ if before == body => Some(Offer::Grease),
        Some(Outer { enc: [], .. }) => Some(Offer::Real),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = &[0, 0, 1, 0, 1, 0x4a, 0, 2, 7, 7, 0, 3, 1, 2, 3];
    const SECOND: &[u8] = &[0, 0, 1, 0, 1, 0x4a, 0, 0, 0, 3, 9, 9, 9];

    #[test]
    fn one_hello_tells_by_its_outer_name_only() {
        assert_eq!(judge(FIRST, Some(b"example.org")), Offer::Unknown);
        assert_eq!(judge(FIRST, None), Offer::Unknown);
        assert_eq!(judge(FIRST, Some(b"Cloudflare-ECH.com")), Offer::Real);
        assert_eq!(config_id(FIRST), Some(0x4a));
    }

    #[test]
    fn the_second_hello_tells() {
        assert_eq!(judge_repeated(FIRST, FIRST), Some(Offer::Grease));
        assert_eq!(judge_repeated(FIRST, SECOND), Some(Offer::Real));
        assert_eq!(judge_repeated(SECOND, FIRST), None);
    }

    #[test]
    fn a_broken_extension_is_no_offer() {
        for cut in 0..FIRST.len() {
            assert_eq!(judge(&FIRST[..cut], Some(b"cloudflare-ech.com")), Offer::Unknown);
            assert_eq!(config_id(&FIRST[..cut]), None);
        }
    }
}
