//! IEEE 802.11 data frames in the clear, with the headers that capture programs put before them.

use crate::net::Mac;

use super::bytes::{be32, skip, u8};
use super::packet::{Body, MacPair};
use super::{Gathered, Layer};

/// A little-endian 16-bit number at an offset.
fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    skip(bytes, at)?.first_chunk().map(|b| u16::from_le_bytes(*b))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    skip(bytes, at)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

/// Radiotap (radiotap.org): version, pad, length, presence bits. Flag 0x10 in the flags field says that an FCS follows the frame;
/// it needs no care, because IP has its own length.
pub(super) fn radiotap<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let length = usize::from(le16(bytes, 2)?);
    if length < 8 {
        return None;
    }
    // Flag 0x20: the header is padded to 4 bytes.
    let present = le32(bytes, 4)?;
    let flags_at = 8 + if present & 1 == 1 { 8 } else { 0 };
    let plain = present & 0x8000_0002 == 2;
    let padded = plain && bytes.get(flags_at).is_some_and(|f| f & 0x20 != 0);
    data(skip(bytes, length)?, padded, gathered)
}

/// The Prism header has a fixed length of 144 bytes, or is an AVS header by its magic.
pub(super) fn prism<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (magic, _) = be32(bytes)?;
    if magic & 0xffff_f000 == 0x8021_1000 {
        return avs(bytes, gathered);
    }
    let length = usize::try_from(le32(bytes, 4)?).ok()?;
    frame(skip(bytes, length)?, gathered)
}

/// The AVS header: magic, length, both big endian.
pub(super) fn avs<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (length, _) = be32(skip(bytes, 4)?)?;
    frame(skip(bytes, usize::try_from(length).ok()?)?, gathered)
}

/// An 802.11 frame without a header before it.
pub(super) fn frame<'a>(bytes: &'a [u8], gathered: &mut Gathered) -> Option<Layer<'a>> {
    data(bytes, false, gathered)
}

/// An 802.11 frame (IEEE 802.11-2020 section 9.2.3, 9.3.2): only data frames with a payload in the clear go on.
fn data<'a>(bytes: &'a [u8], padded: bool, gathered: &mut Gathered) -> Option<Layer<'a>> {
    let (control, rest) = u8(bytes)?;
    let (flags, _) = u8(rest)?;
    let (version, kind, subtype) = (control & 3, control >> 2 & 3, control >> 4);
    let (to_ds, from_ds, protected) = (flags & 1 != 0, flags & 2 != 0, flags & 0x40 != 0);
    if version != 0 || kind != 2 || subtype & 4 != 0 || protected {
        return Some(Layer::Done(Body::Other));
    }
    let address = |at: usize| skip(bytes, at).and_then(|b| b.first_chunk()).map(|b| Mac(*b));
    let (a1, a2, a3) = (address(4)?, address(10)?, address(16)?);
    let mut length = 24;
    let (dst, src) = match (to_ds, from_ds) {
        (false, false) => (a1, a2),
        (false, true) => (a1, a3),
        (true, false) => (a3, a2),
        (true, true) => {
            length += 6;
            (a3, address(24)?)
        }
    };
    let qos = subtype & 8 != 0;
    let aggregated = qos && bytes.get(length).is_some_and(|b| b & 0x80 != 0);
    if qos {
        length += 2;
        if flags & 0x80 != 0 {
            length += 4;
        }
    }
    if padded {
        length = length.next_multiple_of(4);
    }
    gathered.macs = Some(MacPair { src, dst: Some(dst) });
    let body = skip(bytes, length)?;
    if aggregated {
        // The first subframe of an A-MSDU: destination, source, length, then LLC.
        return Some(Layer::Llc(skip(body, 14)?));
    }
    Some(Layer::Llc(body))
}
