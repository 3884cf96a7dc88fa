//! Initial keys and packet protection (RFC 9001 section 5, RFC 9369 section 3.3).

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::header::LongHeader;

/// Versions by their salts and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
    Draft29,
    Draft23,
}

impl Version {
    /// By version number.
    pub(super) fn of(number: u32) -> Option<Version> {
        match number {
            // 0xd4000400 is seen in the wild with the salt of version 1 (cisco/mercury).
            0x0000_0001 | 0xd400_0400 | 0xff00_0021 | 0xff00_0022 => Some(Version::V1),
            0x6b33_43cf | 0x709a_50c4 => Some(Version::V2),
            0xff00_001d..=0xff00_0020 => Some(Version::Draft29),
            // Drafts 23 to 28, and mvfst's numbers.
            0xff00_0017..=0xff00_001c | 0xface_b001 | 0xface_b002 | 0xface_b00e => Some(Version::Draft23),
            _ => None,
        }
    }

    fn salt(self) -> &'static [u8; 20] {
        match self {
            Version::V1 => {
                &[0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a]
            }
            Version::V2 => {
                &[0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9]
            }
            Version::Draft29 => {
                &[0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99]
            }
            Version::Draft23 => {
                &[0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02]
            }
        }
    }

    fn labels(self) -> [&'static [u8]; 3] {
        match self {
            Version::V2 => [b"tls13 quicv2 key", b"tls13 quicv2 iv", b"tls13 quicv2 hp"],
            _ => [b"tls13 quic key", b"tls13 quic iv", b"tls13 quic hp"],
        }
    }
}

/// The keys that protect a client's Initial packets.
pub(super) struct Keys {
    pub(super) version: Version,
    packet: LessSafeKey,
    iv: [u8; 12],
    header: HeaderProtectionKey,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label without context (RFC 8446 section 7.1); the label comes with its "tls13 " prefix.
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    let [_, _, _, _, _, _, high, low] = u64::try_from(N).ok()?.to_be_bytes();
    let label_length = [u8::try_from(label.len()).ok()?];
    let info: [&[u8]; 4] = [&[high, low], &label_length, label, &[0]];
    let mut out = [0; N];
    secret.expand(&info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

impl Keys {
    /// The client's keys for a first Destination Connection ID.
    pub(super) fn derive(version: Version, dcid: &[u8]) -> Option<Keys> {
        let initial = Salt::new(HKDF_SHA256, version.salt()).extract(dcid);
        let client: [u8; 32] = expand(&initial, b"tls13 client in")?;
        let client = Prk::new_less_safe(HKDF_SHA256, &client);
        let [key, iv, hp] = version.labels();
        let packet = UnboundKey::new(&AES_128_GCM, &expand::<16>(&client, key)?).ok()?;
        let header = HeaderProtectionKey::new(&AES_128, &expand::<16>(&client, hp)?).ok()?;
        Some(Keys { version, packet: LessSafeKey::new(packet), iv: expand(&client, iv)?, header })
    }

    /// Takes the protection off a packet; its frames, or `None` when the keys do not fit.
    pub(super) fn open(&self, header: &LongHeader<'_>, packet: &[u8]) -> Option<Vec<u8>> {
        let sample_at = header.number_at.checked_add(4)?;
        let sample = packet.get(sample_at..sample_at.checked_add(16)?)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;
        let first = packet.first()? ^ (first_mask & 0x0f);
        let number_length = usize::from(first & 3) + 1;
        let body_at = header.number_at.checked_add(number_length)?;
        // The header in the clear is the associated data.
        let mut clear = packet.get(..body_at)?.to_vec();
        *clear.first_mut()? = first;
        let mut number = 0u64;
        for (byte, mask) in clear.get_mut(header.number_at..)?.iter_mut().zip(number_mask) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }
        let mut nonce = self.iv;
        let (_, tail) = nonce.split_last_chunk_mut::<8>()?;
        for (byte, n) in tail.iter_mut().zip(number.to_be_bytes()) {
            *byte ^= n;
        }
        let mut body = packet.get(body_at..)?.to_vec();
        let length = self.packet.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(&clear), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}
