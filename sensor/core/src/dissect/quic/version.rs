//! QUIC versions by their salts and labels (RFC 9001 section 5.2, RFC 9369 section 3.3, the drafts).

/// Versions by their salts and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
    Draft29,
    Draft23,
}

impl Version {
    /// By version number.
    pub(super) fn of(number: u32) -> Option<Version> {
        match number {
            // 0xd4000400 is seen in the wild with the salt of version 1 (cisco/mercury).
            0x0000_0001 | 0xd400_0400 | 0xff00_0021 | 0xff00_0022 => Some(Version::V1),
            0x6b33_43cf | 0x709a_50c4 => Some(Version::V2),
            0xff00_001d..=0xff00_0020 => Some(Version::Draft29),
            // Drafts 23 to 28, and mvfst's numbers.
            0xff00_0017..=0xff00_001c | 0xface_b001 | 0xface_b002 | 0xface_b00e => Some(Version::Draft23),
            _ => None,
        }
    }

    /// The salt of the Initial secret.
    pub(super) fn salt(self) -> &'static [u8; 20] {
        match self {
            Version::V1 => {
                &[0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a]
            }
            Version::V2 => {
                &[0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9]
            }
            Version::Draft29 => {
                &[0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99]
            }
            Version::Draft23 => {
                &[0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02]
            }
        }
    }

    /// Labels of packet key, IV and header protection key.
    pub(super) fn labels(self) -> [&'static [u8]; 3] {
        match self {
            Version::V2 => [b"tls13 quicv2 key", b"tls13 quicv2 iv", b"tls13 quicv2 hp"],
            _ => [b"tls13 quic key", b"tls13 quic iv", b"tls13 quic hp"],
        }
    }
}
