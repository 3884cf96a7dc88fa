//! How devices are called where their names and addresses are nobody's business.

use ring::hmac;

/// Pseudonyms, or none.
#[derive(Debug)]
pub struct Pseudonyms(Option<hmac::Key>);

impl Pseudonyms {
    /// Plain identities.
    pub fn plain() -> Self {
        Pseudonyms(None)
    }

    /// Pseudonyms made with the site key.
    pub fn keyed(key: [u8; 32]) -> Self {
        Pseudonyms(Some(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The pseudonym of a device key; `None` where identities are plain.
    pub fn device(&self, key: &str) -> Option<String> {
        let tag = hmac::sign(self.0.as_ref()?, key.as_bytes());
        Some(tag.as_ref().iter().take(6).fold("dev-".to_string(), |text, byte| text + &format!("{byte:02x}")))
    }
}
