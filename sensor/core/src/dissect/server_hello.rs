//! The server's side of a TLS handshake: ServerHello, and the names in its certificate where they are in the clear (TLS 1.2 and below).

use std::sync::LazyLock;

use memchr::memmem::Finder;
use tls_parser::parse_tls_handshake_server_hello;

use crate::field::{Family, Field, FieldKind, Value};
use crate::record::{Detail, Record, Role};

use super::ja;

/// The version chosen.
pub static CHOSEN_VERSION: Field = Field {
    name: "tls.server_version",
    key: "version",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Version that the server chose, hexadecimal: 0304 is TLS 1.3.",
    source: "RFC 8446 section 4.1.3",
};

/// The suite chosen.
pub static CIPHER: Field = Field {
    name: "tls.cipher",
    key: "cipher",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Cipher suite that the server chose, hexadecimal.",
    source: "RFC 8446 section 4.1.3",
};

/// JA3S fingerprint.
pub static JA3S: Field = Field {
    name: "tls.ja3s",
    key: "ja3s",
    kind: FieldKind::Hash,
    family: Some(Family::Tls),
    signal: None,
    personal: false,
    meaning: "JA3S fingerprint of the ServerHello.",
    source: "github.com/salesforce/ja3",
};

/// Names in the certificate.
pub static CERT_NAME: Field = Field {
    name: "tls.cert_name",
    key: "name",
    kind: FieldKind::List,
    family: Some(Family::Tls),
    signal: Some("tls-name"),
    personal: false,
    meaning: "A DNS name in the server's certificate, TLS 1.2 and below. Shared certificates name sites that nobody asked for, so only rules that name this field use it.",
    source: "RFC 5280 section 4.2.1.6",
};

/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
    0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a ServerHello says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerHello<'a> {
    legacy_version: u16,
    version: u16,
    cipher: u16,
    /// As they lie on the wire, types and lengths included.
    extensions: &'a [u8],
    retry: bool,
}

/// Types and contents of extensions, as far as their lengths hold.
fn extensions(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let ([k1, k0, l1, l0], after) = rest.split_first_chunk::<4>()?;
        let (data, next) = after.split_at_checked(usize::from(u16::from_be_bytes([*l1, *l0])))?;
        rest = next;
        Some((u16::from_be_bytes([*k1, *k0]), data))
    })
}

impl<'a> ServerHello<'a> {
    /// Reads the body of a ServerHello handshake message.
    pub(super) fn parse(body: &'a [u8]) -> Option<ServerHello<'a>> {
        let (_, contents) = parse_tls_handshake_server_hello(body).ok()?;
        let mut hello = ServerHello {
            legacy_version: contents.version.0,
            version: contents.version.0,
            cipher: contents.cipher.0,
            extensions: contents.ext.unwrap_or(&[]),
            retry: contents.random == RETRY,
        };
        for chosen in extensions(hello.extensions) {
            if let (0x002b, [high, low]) = chosen {
                hello.version = u16::from_be_bytes([*high, *low]);
            }
        }
        Some(hello)
    }

    /// Another ClientHello will come.
    pub(super) fn is_retry(&self) -> bool {
        self.retry
    }

    /// Everything behind it is encrypted.
    pub(super) fn is_tls13(&self) -> bool {
        self.version == 0x0304 || self.version >> 8 == 0x7f
    }
}

impl Record for ServerHello<'_> {
    fn dissector(&self) -> &'static str {
        "tls"
    }

    fn kind(&self) -> &'static str {
        "sh"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Server)
    }

    fn is_only_fields(&self) -> bool {
        true
    }

    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        if detail == Detail::Full {
            see(&CHOSEN_VERSION, Value::Text(format!("{:04x}", self.version).as_bytes()));
            see(&CIPHER, Value::Text(format!("{:04x}", self.cipher).as_bytes()));
            see(
                &JA3S,
                Value::Text(ja::ja3s(self.legacy_version, self.cipher, extensions(self.extensions).map(|(kind, _)| kind)).as_bytes()),
            );
        }
    }
}

/// The DNS names of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CertificateNames<'a> {
    names: Vec<&'a [u8]>,
}

/// Names read of one certificate.
const NAMES_MAX: usize = 100;

/// The DER of the subjectAltName OID 2.5.29.17.
const SAN_OID: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];

/// Finds it: a certificate has thousands of octets before.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(SAN_OID));

impl<'a> CertificateNames<'a> {
    /// Reads the first certificate of a Certificate message (RFC 5246 section 7.4.2). Only the dNSName entries of subjectAltName
    /// (context tag 2) are looked for, right behind its OID; the rest of X.509 is of no use here.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let first = body.get(3..)?;
        let (length, rest) = first.split_first_chunk::<3>()?;
        let length = usize::try_from(u32::from_be_bytes([0, length[0], length[1], length[2]])).ok()?;
        let der = rest.get(..length)?;
        let at = FINDER.find(der)?;
        let mut rest = der.get(at + SAN_OID.len()..)?;
        // An optional BOOLEAN (critical), the OCTET STRING, the SEQUENCE.
        rest = rest.strip_prefix(&[1, 1, 0xff]).unwrap_or(rest);
        for tag in [0x04, 0x30] {
            rest = element(rest).filter(|(t, ..)| *t == tag)?.1;
        }
        let mut names = Vec::new();
        while let Some((tag, data, next)) = element(rest) {
            if tag == 0x82 && names.len() < NAMES_MAX {
                names.push(data);
            }
            rest = next;
        }
        (!names.is_empty()).then_some(CertificateNames { names })
    }
}

/// Tag, content and rest of a DER element with a length of at most 16 bits.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => rest.split_first().map(|(n, rest)| (usize::from(*n), rest))?,
        0x82 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_be_bytes(*n)), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

impl Record for CertificateNames<'_> {
    fn dissector(&self) -> &'static str {
        "tls"
    }

    fn kind(&self) -> &'static str {
        "cert"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Server)
    }

    fn is_only_fields(&self) -> bool {
        true
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&CERT_NAME, Value::List(&self.names));
    }
}
