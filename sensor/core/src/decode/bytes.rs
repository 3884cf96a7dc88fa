//! Reading numbers off the front of a slice without ever reading past its end.

/// The first byte and the rest.
pub(super) fn u8(bytes: &[u8]) -> Option<(u8, &[u8])> {
    bytes.split_first().map(|(first, rest)| (*first, rest))
}

/// A big-endian 16-bit number and the rest.
pub(super) fn be16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (u16::from_be_bytes(*head), rest))
}

/// A big-endian 32-bit number and the rest.
pub(super) fn be32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (u32::from_be_bytes(*head), rest))
}

/// What follows the first `count` bytes.
pub(super) fn skip(bytes: &[u8], count: usize) -> Option<&[u8]> {
    bytes.get(count..)
}
