//! Initial keys and packet protection (RFC 9001 section 5, RFC 9369 section 3.3).

use std::ops::Range;
use std::sync::LazyLock;

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::header::LongHeader;
use super::version::Version;

/// The keys that protect a client's Initial packets, as they were derived. What a cipher makes of them has a kilobyte: it is made for
/// each packet, which costs less than a tenth of opening it, and not kept with the connection.
pub(super) struct Keys {
    pub(super) version: Version,
    packet: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
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

/// What extracts a secret with the salt of a version: made once, as the same is wanted for every connection.
fn salt(version: Version) -> &'static Salt {
    static SALTS: [LazyLock<Salt>; 4] = [
        LazyLock::new(|| Salt::new(HKDF_SHA256, Version::V1.salt())),
        LazyLock::new(|| Salt::new(HKDF_SHA256, Version::V2.salt())),
        LazyLock::new(|| Salt::new(HKDF_SHA256, Version::Draft29.salt())),
        LazyLock::new(|| Salt::new(HKDF_SHA256, Version::Draft23.salt())),
    ];
    let [v1, v2, draft29, draft23] = &SALTS;
    match version {
        Version::V1 => v1,
        Version::V2 => v2,
        Version::Draft29 => draft29,
        Version::Draft23 => draft23,
    }
}

/// Client secret, packet key, IV, and header protection key.
type Secrets = ([u8; 32], [u8; 16], [u8; 12], [u8; 16]);

/// The client's secrets for a first Destination Connection ID.
pub(super) fn secrets(version: Version, dcid: &[u8]) -> Option<Secrets> {
    let initial = salt(version).extract(dcid);
    let secret: [u8; 32] = expand(&initial, b"tls13 client in")?;
    let client = Prk::new_less_safe(HKDF_SHA256, &secret);
    let [key, iv, hp] = version.labels();
    Some((secret, expand(&client, key)?, expand(&client, iv)?, expand(&client, hp)?))
}

impl Keys {
    /// The client's keys for a first Destination Connection ID.
    pub(super) fn derive(version: Version, dcid: &[u8]) -> Option<Keys> {
        let (_, packet, iv, header) = secrets(version, dcid)?;
        Some(Keys { version, packet, iv, header })
    }

    /// Takes the protection off a packet; where in `room`, which is as long, its frames lie, or `None` when the keys do not fit.
    pub(super) fn open(&self, header: &LongHeader<'_>, packet: &[u8], room: &mut [u8]) -> Option<Range<usize>> {
        let sample_at = header.number_at.checked_add(4)?;
        let sample = packet.get(sample_at..sample_at.checked_add(16)?)?;
        let [first_mask, number_mask @ ..] = HeaderProtectionKey::new(&AES_128, &self.header).ok()?.new_mask(sample).ok()?;
        let first = packet.first()? ^ (first_mask & 0x0f);
        let number_length = usize::from(first & 3) + 1;
        let body_at = header.number_at.checked_add(number_length)?;
        let room = room.get_mut(..packet.len())?;
        room.copy_from_slice(packet);
        // The header in the clear is the associated data.
        let (clear, body) = room.split_at_mut_checked(body_at)?;
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
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.packet).ok()?);
        let length = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(&*clear), body).ok()?.len();
        Some(body_at..body_at.checked_add(length)?)
    }
}
