//! Public services that hide what is asked or where it goes, by the names under which they are reached. A name that is found here
//! is counted and forgotten.

use super::Blind;

/// Names and everything below them, sorted, lower case.
///
/// Resolvers: the providers' own documentation; relays: Apple, "Prepare your network for iCloud Private Relay"; Cloudflare, "WARP
/// with firewall".
const SERVICES: &[(&str, Blind)] = &[
    ("api.cloudflareclient.com", Blind::Relay),
    ("cloudflare-dns.com", Blind::EncryptedDns),
    ("common.dot.dns.yandex.net", Blind::EncryptedDns),
    ("connectivity.cloudflareclient.com", Blind::Relay),
    ("consumer-masque.cloudflareclient.com", Blind::Relay),
    ("dns-family.adguard.com", Blind::EncryptedDns),
    ("dns.adguard-dns.com", Blind::EncryptedDns),
    ("dns.adguard.com", Blind::EncryptedDns),
    ("dns.alidns.com", Blind::EncryptedDns),
    ("dns.cloudflare.com", Blind::EncryptedDns),
    ("dns.controld.com", Blind::EncryptedDns),
    ("dns.google", Blind::EncryptedDns),
    ("dns.mullvad.net", Blind::EncryptedDns),
    ("dns.nextdns.io", Blind::EncryptedDns),
    ("dns.quad9.net", Blind::EncryptedDns),
    ("dns.sb", Blind::EncryptedDns),
    ("dns10.quad9.net", Blind::EncryptedDns),
    ("dns11.quad9.net", Blind::EncryptedDns),
    ("dns9.quad9.net", Blind::EncryptedDns),
    ("doh.360.cn", Blind::EncryptedDns),
    ("doh.cleanbrowsing.org", Blind::EncryptedDns),
    ("doh.dns.apple.com", Blind::EncryptedDns),
    ("doh.dns.sb", Blind::EncryptedDns),
    ("doh.familyshield.opendns.com", Blind::EncryptedDns),
    ("doh.mullvad.net", Blind::EncryptedDns),
    ("doh.opendns.com", Blind::EncryptedDns),
    ("doh.pub", Blind::EncryptedDns),
    ("doh.xfinity.com", Blind::EncryptedDns),
    ("dot.pub", Blind::EncryptedDns),
    ("engage.cloudflareclient.com", Blind::Relay),
    ("mask-api.icloud.com", Blind::Relay),
    ("mask-h2.icloud.com", Blind::Relay),
    ("mask.icloud.com", Blind::Relay),
    ("one.one.one.one", Blind::EncryptedDns),
    ("unfiltered.adguard-dns.com", Blind::EncryptedDns),
    ("zero-trust-client.cloudflareclient.com", Blind::Relay),
];

/// The longest name that is looked up, in bytes.
const NAME_MAX: usize = 64;

/// The last octets by which nearly every name is told to be none of these: the length of the shortest.
const END: usize = 6;

/// How each of the names ends.
static ENDS: [u64; SERVICES.len()] = {
    let mut ends = [0; SERVICES.len()];
    let mut at = 0;
    while at < ends.len() {
        ends[at] = end_of(SERVICES[at].0.as_bytes());
        at += 1;
    }
    ends
};

/// The last [`END`] octets as a number. Letters in lower case; what else is changed on the way is in no name of a host.
const fn end_of(name: &[u8]) -> u64 {
    let (Some((_, end)), mut sum) = (name.split_last_chunk::<END>(), 0) else { return 0 };
    let mut at = 0;
    while at < END {
        sum = sum << 8 | (end[at] | 0x20) as u64;
        at += 1;
    }
    sum
}

/// What a server name hides, if it is that of a known service.
pub fn of_name(name: &[u8]) -> Option<Blind> {
    let plain = name.strip_suffix(b".").unwrap_or(name);
    if name.len() > NAME_MAX || !(ENDS.contains(&end_of(plain)) || plain.ends_with(b".")) {
        return None;
    }
    looked_up(name)
}

fn looked_up(name: &[u8]) -> Option<Blind> {
    let name = std::str::from_utf8(name).ok()?.trim_end_matches('.').to_ascii_lowercase();
    let starts = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
    starts.filter_map(|at| name.get(at..)).find_map(|tail| {
        let at = SERVICES.binary_search_by_key(&tail, |(known, _)| known).ok()?;
        SERVICES.get(at).map(|(_, kind)| *kind)
    })
}

/// The port of DNS over TLS (RFC 7858 section 3.1) and over QUIC (RFC 9250 section 4.1.1).
pub const ENCRYPTED_DNS_PORT: u16 = 853;

/// ALPN of DNS over TLS (IANA registry) and over QUIC (RFC 9250 section 4.1.1).
pub const ENCRYPTED_DNS_ALPN: [&[u8]; 2] = [b"dot", b"doq"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_below_them() {
        assert!(SERVICES.is_sorted_by_key(|(name, _)| name));
        for (name, kind) in [
            ("dns.google", Some(Blind::EncryptedDns)),
            ("DNS.Google.", Some(Blind::EncryptedDns)),
            ("abc123.dns.nextdns.io", Some(Blind::EncryptedDns)),
            ("mask.icloud.com", Some(Blind::Relay)),
            ("mydns.google", None),
            ("www.icloud.com", None),
            ("", None),
        ] {
            assert_eq!(of_name(name.as_bytes()), kind, "{name}");
        }
        for (name, kind) in SERVICES {
            assert!(name.len() >= END);
            let spelled = [name.to_string(), name.to_uppercase(), format!("x.{name}"), format!("{name}."), format!("{name}...")];
            spelled.iter().for_each(|name| assert_eq!(of_name(name.as_bytes()), Some(*kind), "{name}"));
        }
        assert_eq!(of_name(&[0xff; 20]), None);
        assert_eq!(of_name(&[b'a'; 4_000]), None);
    }
}
