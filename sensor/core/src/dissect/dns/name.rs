//! Domain names with compression (RFC 1035 section 4.1.4): bounded in jumps and length, pointers only backwards.

/// The longest name in text (RFC 1035 section 2.3.4), with room for escapes.
const NAME_MAX: usize = 1_024;

/// Octets of a name on the wire.
const WIRE_MAX: usize = 255;

/// Reads a name at `at`; the name in presentation form without its final dot, and the offset behind it.
///
/// A dot or backslash inside a label is escaped (RFC 1035 section 5.1), so that two different names never read the same.
pub(super) fn read(message: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
    let mut text = Vec::new();
    let mut here = at;
    let mut end = None;
    let mut wire = 0;
    loop {
        let length = usize::from(*message.get(here)?);
        match length {
            0 => return Some((text, end.unwrap_or(here.checked_add(1)?))),
            1..=63 => {
                wire += length + 1;
                let label = message.get(here.checked_add(1)?..here.checked_add(1 + length)?)?;
                if wire > WIRE_MAX || text.len() > NAME_MAX {
                    return None;
                }
                if !text.is_empty() {
                    text.push(b'.');
                }
                for byte in label {
                    if matches!(byte, b'.' | b'\\') {
                        text.push(b'\\');
                    }
                    text.push(*byte);
                }
                here = here.checked_add(1 + length)?;
            }
            192..=255 => {
                let low = usize::from(*message.get(here.checked_add(1)?)?);
                let target = (length & 0x3f) << 8 | low;
                end.get_or_insert(here.checked_add(2)?);
                // Only backwards, so that it must end.
                if target >= here {
                    return None;
                }
                here = target;
                // A pointer costs as much as a label, so that a chain of them is bounded too.
                wire += 2;
                if wire > WIRE_MAX {
                    return None;
                }
            }
            _ => return None,
        }
    }
}
