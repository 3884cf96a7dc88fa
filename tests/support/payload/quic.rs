//! QUIC version 1 Initial packets, really encrypted (RFC 9001 section 5).

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

const SALT: [u8; 20] =
    [0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a];

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(secret: &Prk, label: &str, length: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let info = [&(length as u16).to_be_bytes()[..], &[label.len() as u8], label.as_bytes(), &[0]];
    let mut out = vec![0; length];
    secret.expand(&info, Length(length)).and_then(|okm| okm.fill(&mut out)).expect("short enough");
    out
}

/// A varint of two bytes.
fn two(value: usize) -> [u8; 2] {
    (0x4000 | value as u16).to_be_bytes()
}

/// CRYPTO frames: each (offset, bytes).
pub fn crypto_frames(pieces: &[(usize, &[u8])]) -> Vec<u8> {
    pieces.iter().flat_map(|(offset, bytes)| [&[6][..], &two(*offset), &two(bytes.len()), bytes].concat()).collect()
}

/// A client's Initial packet with these frames, padded so that the datagram has 1,200 bytes.
pub fn client_initial(dcid: &[u8], scid: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
    let initial = Salt::new(HKDF_SHA256, &SALT).extract(dcid);
    let secret = Prk::new_less_safe(HKDF_SHA256, &expand(&initial, "client in", 32));
    let (key, iv, hp) = (expand(&secret, "quic key", 16), expand(&secret, "quic iv", 12), expand(&secret, "quic hp", 16));
    let mut header = vec![0xc0, 0, 0, 0, 1, dcid.len() as u8];
    header.extend_from_slice(dcid);
    header.push(scid.len() as u8);
    header.extend_from_slice(scid);
    header.push(0);
    let mut body = frames.to_vec();
    body.resize((1_200 - header.len() - 3 - 16).max(frames.len()), 0);
    header.extend(two(1 + body.len() + 16));
    header.push(number);
    let mut nonce: [u8; 12] = iv.try_into().expect("12 bytes");
    nonce[11] ^= number;
    let sealer = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("16 bytes"));
    sealer.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&header), &mut body).expect("sealed");
    let protector = HeaderProtectionKey::new(&AES_128, &hp).expect("16 bytes");
    // The number has one byte, so the sample begins three bytes into the body (RFC 9001 section 5.4.2).
    let mask = protector.new_mask(&body[3..19]).expect("16 bytes");
    header[0] ^= mask[0] & 0x0f;
    let last = header.len() - 1;
    header[last] ^= mask[1];
    [header, body].concat()
}
