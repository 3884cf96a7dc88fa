//! Who signs, and who checks: an Ed25519 key whose seed stays in the state directory, and its public half in PEM form.

use std::fmt;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::chain::{Head, hex, unhex};
use crate::keys::{self, KeyError};

/// The file with the public key.
pub const PUBLIC: &str = "audit.pub";

/// SubjectPublicKeyInfo of Ed25519 up to the key itself (RFC 8410 section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// Signs heads.
#[derive(Debug)]
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// The signer of a state directory; its key is made where there is none, and its public key is laid beside.
    ///
    /// # Errors
    /// [`KeyError`] when the key cannot be used or made.
    pub fn open(dir: &Path) -> Result<Signer, KeyError> {
        let refuse = |message: String| KeyError { path: dir.join(keys::AUDIT), message };
        let seed = keys::open(dir, keys::AUDIT)?;
        let signer = Signer(Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|e| refuse(e.to_string()))?);
        let (path, pem) = (dir.join(PUBLIC), signer.public().to_pem());
        if fs::read_to_string(&path).is_ok_and(|there| there == pem) {
            return Ok(signer);
        }
        fs::write(&path, pem).map_err(|e| KeyError { path: path.clone(), message: e.to_string() })?;
        Ok(signer)
    }

    /// Signs that the log has reached an entry.
    pub fn sign(&self, seq: u64, hash: &str, at: &str) -> Head {
        let mut head = Head { seq, hash: hash.to_string(), at: at.to_string(), signature: String::new() };
        head.signature = hex(self.0.sign(&head.message()).as_ref());
        head
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.iter_mut().zip(self.0.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        PublicKey(key)
    }
}

/// Checks heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads PEM, as `openssl pkey -pubin` does.
    pub fn from_pem(text: &str) -> Option<PublicKey> {
        let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        der.strip_prefix(&SPKI)?.try_into().ok().map(PublicKey)
    }

    /// PEM.
    pub fn to_pem(self) -> String {
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode([&SPKI[..], &self.0].concat()))
    }

    /// Whether a head was signed by this key.
    pub fn holds(&self, head: &Head) -> bool {
        unhex(&head.signature).is_some_and(|s| UnparsedPublicKey::new(&ED25519, &self.0).verify(&head.message(), &s).is_ok())
    }
}

/// Its fingerprint, by which people compare keys: the first 16 bytes of SHA-256 over it.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(digest(&SHA256, &self.0).as_ref().get(..16).unwrap_or_default()))
    }
}
