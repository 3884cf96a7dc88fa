//! The MMTLS record layer: `type u8 | version u16 | length u16 big endian | body`.
//!
//! Seen in Citizen Lab's MMTLS captures (2023) and report (2024). It knows nothing of flows or of what the bodies mean.

/// Bytes of a record header.
pub(crate) const HEADER_BYTES: usize = 5;

/// Bytes that AES-128-GCM adds to a plaintext, which is never empty: an encrypted body is longer than this.
const TAG_BYTES: u16 = 16;

/// Body length of the one clear alert: section length, code, level.
pub(crate) const CLEAR_ALERT_BYTES: u16 = 7;

/// Body length of a heartbeat: a TCP payload of 37 bytes.
const HEARTBEAT_BYTES: u16 = 32;

/// The version in the record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Before about 2022.
    F103,
    /// Current.
    F104,
}

impl Version {
    /// The word in `mmtls.version`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Version::F103 => "f103",
            Version::F104 => "f104",
        }
    }

    /// The low byte, which the hello repeats in little-endian order.
    pub(crate) const fn low(self) -> u8 {
        match self {
            Version::F103 => 3,
            Version::F104 => 4,
        }
    }
}

/// The type byte of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    /// `15`.
    Alert,
    /// `16`.
    Handshake,
    /// `17`.
    Data,
    /// `19`: a hello that is followed by early data.
    Early,
}

/// A record header that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// What the record carries.
    pub(crate) kind: RecordType,
    /// The version.
    pub(crate) version: Version,
    /// Bytes of the body.
    pub(crate) body: u16,
}

impl Header {
    /// Header and body, in bytes.
    pub(crate) fn total(self) -> usize {
        HEADER_BYTES + usize::from(self.body)
    }

    /// Whether the lengths are those of a heartbeat.
    pub(crate) fn is_heartbeat(self) -> bool {
        self.kind == RecordType::Data && self.body == HEARTBEAT_BYTES
    }
}

/// What the first bytes of a record say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A header.
    Header(Header),
    /// Right as far as it goes.
    Short,
    /// No MMTLS record.
    Bad,
}

/// Reads a record header.
pub(crate) fn look(bytes: &[u8]) -> Look {
    let kind = match bytes.first() {
        None => return Look::Short,
        Some(0x15) => RecordType::Alert,
        Some(0x16) => RecordType::Handshake,
        Some(0x17) => RecordType::Data,
        Some(0x19) => RecordType::Early,
        Some(_) => return Look::Bad,
    };
    if bytes.get(1).is_some_and(|b| *b != 0xf1) {
        return Look::Bad;
    }
    let version = match bytes.get(2) {
        None => return Look::Short,
        Some(3) => Version::F103,
        Some(4) => Version::F104,
        Some(_) => return Look::Bad,
    };
    let Some(length) = bytes.get(3..HEADER_BYTES).and_then(|b| b.first_chunk()) else { return Look::Short };
    let body = u16::from_be_bytes(*length);
    if body > TAG_BYTES || (kind == RecordType::Alert && body == CLEAR_ALERT_BYTES) {
        Look::Header(Header { kind, version, body })
    } else {
        Look::Bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_versions_and_lengths() {
        let header = |kind, version, body| Look::Header(Header { kind, version, body });
        for (bytes, want) in [
            (&[0x16, 0xf1, 4, 0, 161][..], header(RecordType::Handshake, Version::F104, 161)),
            (&[0x16, 0xf1, 3, 1, 0x6e], header(RecordType::Handshake, Version::F103, 366)),
            (&[0x19, 0xf1, 4, 0, 36], header(RecordType::Early, Version::F104, 36)),
            (&[0x17, 0xf1, 4, 0xff, 0xff], header(RecordType::Data, Version::F104, 65535)),
            (&[0x15, 0xf1, 4, 0, 7], header(RecordType::Alert, Version::F104, 7)),
            (&[0x15, 0xf1, 4, 0, 23], header(RecordType::Alert, Version::F104, 23)),
            (&[0x17, 0xf1, 4, 0, 16], Look::Bad),
            (&[0x17, 0xf1, 4, 0, 7], Look::Bad),
            (&[0x17, 0xf1, 5, 0, 32], Look::Bad),
            (&[0x17, 0xf1, 2], Look::Bad),
            (&[0x18, 0xf1, 4, 0, 32], Look::Bad),
            (&[0x16, 3, 1, 0, 161], Look::Bad),
            (&[0x16, 3], Look::Bad),
            (&[0x16], Look::Short),
            (&[0x16, 0xf1, 4, 0], Look::Short),
            (&[], Look::Short),
        ] {
            assert_eq!(look(bytes), want, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_heartbeat_is_37_bytes() {
        let Look::Header(beat) = look(&[0x17, 0xf1, 4, 0, 32]) else { panic!("no header") };
        assert!(beat.is_heartbeat());
        assert_eq!(beat.total(), 37);
        let Look::Header(other) = look(&[0x16, 0xf1, 4, 0, 32]) else { panic!("no header") };
        assert!(!other.is_heartbeat());
    }
}
