//! What hashes and signatures are made of. No file, no clock, no key.

use ring::digest::{Context, SHA256};

/// What stands for the hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The action of an entry that says up to where older entries were removed.
pub const CUT: &str = "audit-cut";

/// Something that was done, as the log keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its number: 1, then each the next.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who: `sensor`, a signal, an operator.
    pub by: String,
    /// What.
    pub action: String,
    /// More about it.
    pub detail: String,
    /// SHA-256 over the hash before and all of the above: 64 hexadecimal digits.
    pub hash: String,
}

/// A signed statement that the log had reached an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The entry.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// When it was signed, RFC 3339.
    pub at: String,
    /// Ed25519 over the three above: 128 hexadecimal digits.
    pub signature: String,
}

impl Entry {
    /// The hash that it must have behind `before`.
    pub fn hash_after(&self, before: &str) -> String {
        let seq = self.seq.to_string();
        let mut context = Context::new(&SHA256);
        context.update(&columns(&["ringfence audit entry", before, &seq, &self.at, &self.by, &self.action, &self.detail]));
        hex(context.finish().as_ref())
    }
}

impl Head {
    /// What its signature is over.
    pub fn message(&self) -> Vec<u8> {
        columns(&["ringfence audit head", &self.seq.to_string(), &self.hash, &self.at])
    }
}

/// Up to which entry a log was cut, by the detail of a [`CUT`] entry.
pub fn cut_at(detail: &str) -> Option<u64> {
    detail.strip_prefix("entries up to ")?.split(' ').next()?.parse().ok()
}

/// Each column with its length in bytes before it (64 bits, big endian): no two rows give the same bytes.
fn columns(columns: &[&str]) -> Vec<u8> {
    columns.iter().flat_map(|c| (c.len() as u64).to_be_bytes().into_iter().chain(c.bytes())).collect()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}

/// The bytes of lower-case hexadecimal digits; upper-case ones are others, so that a text has one form only.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| if b.is_ascii_uppercase() { None } else { char::from(b).to_digit(16) };
    let pair = |p: &[u8]| Some((digit(*p.first()?)? * 16 + digit(*p.get(1)?)?) as u8);
    text.as_bytes().chunks(2).map(pair).collect()
}
