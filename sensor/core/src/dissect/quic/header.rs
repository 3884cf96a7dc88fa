//! Long headers (RFC 9000 section 17.2, RFC 9369 section 3.2, RFC 8999).

use super::version::Version;

/// What a long-header packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

/// A long header as far as it is in the clear.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongHeader<'a> {
    pub(super) version: u32,
    pub(super) kind: Kind,
    pub(super) dcid: &'a [u8],
    pub(super) scid: &'a [u8],
    /// Where the protected packet number begins.
    pub(super) number_at: usize,
    /// One past the packet's last byte.
    pub(super) end: usize,
}

/// A variable-length integer (RFC 9000 section 16) and the rest.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let more = (1usize << (first >> 6)) - 1;
    let (tail, rest) = rest.split_at_checked(more)?;
    let value = tail.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, rest))
}

impl<'a> LongHeader<'a> {
    /// Reads a long header. The fixed bit is not asked for: it may be greased (RFC 9287).
    pub(super) fn parse(bytes: &'a [u8]) -> Option<LongHeader<'a>> {
        let (first, rest) = bytes.split_first()?;
        if first & 0x80 == 0 {
            return None;
        }
        let (version, rest) = rest.split_first_chunk()?;
        let version = u32::from_be_bytes(*version);
        let (dcid, rest) = counted(rest)?;
        let (scid, rest) = counted(rest)?;
        let kind = kind(version, first >> 4 & 3);
        let at = |rest: &[u8]| bytes.len() - rest.len();
        if kind == Kind::Retry {
            return Some(LongHeader { version, kind, dcid, scid, number_at: at(rest), end: bytes.len() });
        }
        let rest = if kind == Kind::Initial {
            let (length, rest) = varint(rest)?;
            rest.get(usize::try_from(length).ok()?..)?
        } else {
            rest
        };
        let (length, rest) = varint(rest)?;
        let number_at = at(rest);
        let end = number_at.checked_add(usize::try_from(length).ok()?).filter(|end| *end <= bytes.len())?;
        Some(LongHeader { version, kind, dcid, scid, number_at, end })
    }
}

/// Bytes behind a one-byte count.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*count))
}

/// Version 2 turned the type codes (RFC 9369 section 3.2).
fn kind(version: u32, code: u8) -> Kind {
    let code = if Version::of(version) == Some(Version::V2) { (code + 3) % 4 } else { code };
    match code {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        _ => Kind::Retry,
    }
}
