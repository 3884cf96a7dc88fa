//! Names for devices and findings that say nothing to whoever has not got the site key.
//!
//! The core's own ids are plain hashes: stable, but a hash of a hardware address is found by trying all of them. What the daemon
//! serves goes through here first.

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::hmac;

/// Hexadecimal digits of a device's name.
const DEVICE_DIGITS: usize = 12;
/// Hexadecimal digits of a finding's name.
const FINDING_DIGITS: usize = 16;

/// Makes names; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms {
    key: Option<Arc<hmac::Key>>,
}

impl Pseudonyms {
    /// The names of `ringfence scan`: for those who see plain identities anyway.
    pub fn plain() -> Self {
        Pseudonyms { key: None }
    }

    /// Names under a site's key: HMAC-SHA256, so that nobody without the key can find a device by trying.
    pub fn keyed(key: [u8; 32]) -> Self {
        Pseudonyms { key: Some(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &key))) }
    }

    /// The name of a device by its key (`mac:...`, `reg:...`, `addr:...`): `dev-` and 12 hexadecimal digits.
    pub fn device(&self, key: &str) -> String {
        match &self.key {
            Some(site) => format!("dev-{}", hex(sign(site, "device", key).as_ref(), DEVICE_DIGITS)),
            None => format!("dev-{}", hex(digest(&SHA256, key.as_bytes()).as_ref(), DEVICE_DIGITS)),
        }
    }

    /// The name of a finding by its id: `rf-` and 16 hexadecimal digits.
    pub fn finding(&self, id: &str) -> String {
        match &self.key {
            Some(site) => format!("rf-{}", hex(sign(site, "finding", id).as_ref(), FINDING_DIGITS)),
            None => id.to_string(),
        }
    }

    /// Whether names are under a key.
    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }
}

fn sign(site: &hmac::Key, what: &str, text: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(site);
    context.update(what.as_bytes());
    context.update(&[0]);
    context.update(text.as_bytes());
    context.sign()
}

fn hex(bytes: &[u8], digits: usize) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).take(digits).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_key_and_kind_and_nothing_else() {
        let (one, two) = (Pseudonyms::keyed([1; 32]), Pseudonyms::keyed([2; 32]));
        let key = "mac:02:00:5e:10:00:01";
        assert_eq!(one.device(key), Pseudonyms::keyed([1; 32]).device(key));
        assert_ne!(one.device(key), two.device(key));
        assert_ne!(one.device(key), Pseudonyms::plain().device(key));
        assert_ne!(one.device(key), one.device("mac:02:00:5e:10:00:02"));
        assert_ne!(one.device("x")[4..], one.finding("x")[3..15]);
        assert_eq!((one.device(key).len(), one.finding("rf-0011223344556677").len()), (16, 19));
    }

    #[test]
    fn a_known_answer() {
        // printf 'mac:02:00:5e:10:00:01' | sha256sum; printf 'device\0mac:02:00:5e:10:00:01' | openssl dgst -sha256 -mac hmac -macopt hexkey:0707..07
        assert_eq!(Pseudonyms::plain().device("mac:02:00:5e:10:00:01"), "dev-26e16cf23385");
        assert_eq!(Pseudonyms::keyed([7; 32]).device("mac:02:00:5e:10:00:01"), "dev-a983c7f4141e");
        assert_eq!(Pseudonyms::plain().finding("rf-0011223344556677"), "rf-0011223344556677");
    }
}
