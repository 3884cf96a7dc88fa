//! One ClientHello for TLS, QUIC and DTLS: read where it lies, bounded by its own length, fingerprints only when somebody asks.
//!
//! The walk is our own, because every hello passes here and nearly none matches; tests hold it to tls-parser's.

pub(super) mod ech;
#[cfg(test)]
mod tests;

use crate::field::{Family, Field, FieldKind, Value};
use crate::record::{Detail, Record, Role};

use super::ja;
use ech::Offer;

/// What carries a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tls,
    Quic,
    Dtls,
}

const RFC: &str = "RFC 8446 section 4.1.2";

const fn field(name: &'static str, key: &'static str, kind: FieldKind, meaning: &'static str, source: &'static str) -> Field {
    Field { name, key, kind, family: Some(Family::Tls), signal: None, personal: false, meaning, source }
}

const ECH_WORDS: FieldKind = FieldKind::Token(Offer::WORDS);

/// The fields of a hello on one transport.
#[derive(Debug)]
pub(super) struct HelloFields {
    pub(super) dissector: &'static str,
    sni: &'static Field,
    alpn: &'static Field,
    version: &'static Field,
    ech: &'static Field,
    ech_config: &'static Field,
    ja3: &'static Field,
    ja4: &'static Field,
}

macro_rules! hello_fields {
    ($all:ident, $dissector:literal, $signal:expr, $sni:ident, $alpn:ident, $version:ident, $ech:ident, $ech_config:ident, $ja3:ident, $ja4:ident) => {
        /// The server's name in the clear.
        pub static $sni: Field = Field {
            signal: $signal,
            ..field(concat!($dissector, ".sni"), "sni", FieldKind::Name, "Server name in the ClientHello.", "RFC 6066 section 3")
        };
        /// Protocols offered.
        pub static $alpn: Field =
            field(concat!($dissector, ".alpn"), "alpn", FieldKind::List, "Protocols offered, in order.", "RFC 7301 section 3.1");
        /// The highest version offered.
        pub static $version: Field = field(
            concat!($dissector, ".version"),
            "version",
            FieldKind::Text,
            "Highest version offered, GREASE aside, hexadecimal: 0304 is TLS 1.3.",
            RFC,
        );
        /// Encrypted ClientHello.
        pub static $ech: Field = field(
            concat!($dissector, ".ech"),
            "ech",
            ECH_WORDS,
            "Encrypted ClientHello: an offer (the name seen is an outer one), GREASE, or present and not to be told apart.",
            "RFC 9849 section 6.2",
        );
        /// Configuration of the encrypted hello.
        pub static $ech_config: Field = field(
            concat!($dissector, ".ech_config"),
            "ech_config",
            FieldKind::Number,
            "Configuration id of an Encrypted ClientHello; a random one under GREASE.",
            "RFC 9849 section 5",
        );
        /// JA3 fingerprint.
        pub static $ja3: Field =
            field(concat!($dissector, ".ja3"), "ja3", FieldKind::Hash, "JA3 fingerprint, GREASE dropped.", "github.com/salesforce/ja3");
        /// JA4 fingerprint.
        pub static $ja4: Field =
            field(concat!($dissector, ".ja4"), "ja4", FieldKind::Hash, "JA4 fingerprint.", "FoxIO JA4 technical details");

        pub(super) static $all: HelloFields = HelloFields {
            dissector: $dissector,
            sni: &$sni,
            alpn: &$alpn,
            version: &$version,
            ech: &$ech,
            ech_config: &$ech_config,
            ja3: &$ja3,
            ja4: &$ja4,
        };
    };
}

hello_fields!(TLS_FIELDS, "tls", Some("tls-name"), TLS_SNI, TLS_ALPN, TLS_VERSION, TLS_ECH, TLS_ECH_CONFIG, TLS_JA3, TLS_JA4);
hello_fields!(QUIC_FIELDS, "quic", Some("quic-name"), QUIC_SNI, QUIC_ALPN, QUIC_VERSION, QUIC_ECH, QUIC_ECH_CONFIG, QUIC_JA3, QUIC_JA4);
hello_fields!(DTLS_FIELDS, "dtls", Some("tls-name"), DTLS_SNI, DTLS_ALPN, DTLS_VERSION, DTLS_ECH, DTLS_ECH_CONFIG, DTLS_JA3, DTLS_JA4);

/// Extensions read of one hello; real ones have about 20.
const EXTENSIONS_MAX: usize = 512;

/// Protocols read of one hello; real ones offer two.
const PROTOCOLS_MAX: usize = 64;

/// 16-bit values as they lie on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = u16> + 'a {
        self.0.as_chunks::<2>().0.iter().map(|v| u16::from_be_bytes(*v))
    }

    /// Values behind a 16-bit length; as many as are really there.
    fn behind_length(bytes: &'a [u8]) -> Self {
        be16(bytes).map_or(Values::default(), |(length, rest)| Values(rest.get(..usize::from(length)).unwrap_or(rest)))
    }
}

/// What a ClientHello says, as slices of it: nothing is copied, and what only a fingerprint needs is looked for when somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientHello<'a> {
    pub(super) transport: Transport,
    pub(super) legacy_version: u16,
    pub(super) ciphers: Values<'a>,
    /// The extensions that were read, types and lengths included.
    pub(super) extensions: &'a [u8],
    /// The protocol list of the ALPN extension, behind its length.
    pub(super) alpn: &'a [u8],
    pub(super) sni: Option<&'a [u8]>,
    /// An extension that encrypts the name: what it is, and its body.
    pub(super) ech: Option<(Offer, &'a [u8])>,
    /// No fingerprint: an SSLv2 hello, or extensions whose lengths lie.
    pub(super) bare: bool,
}

fn be16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (u16::from_be_bytes(*head), rest))
}

/// Bytes behind an 8-bit length; as many as are really there.
fn behind_byte(bytes: &[u8]) -> &[u8] {
    bytes.split_first().map_or(&[], |(n, rest)| rest.get(..usize::from(*n)).unwrap_or(rest))
}

/// An extension and what follows it. One that runs over the end is a lie: what it claims to hold is not read.
fn extension(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, after) = bytes.split_first_chunk::<4>()?;
    let head = u32::from_be_bytes(*head);
    let (data, next) = after.split_at_checked((head & 0xffff) as usize)?;
    Some(((head >> 16) as u16, data, next))
}

/// The parts of a hello's body before its extensions: version, suites, and what stands behind the compression methods.
fn fixed(body: &[u8]) -> Option<(u16, Values<'_>, &[u8])> {
    let (version, rest) = be16(body)?;
    let (session, rest) = rest.get(32..)?.split_first()?;
    let rest = rest.get(usize::from(*session)..).filter(|_| *session <= 32)?;
    let (length, rest) = be16(rest)?;
    let (ciphers, rest) = rest.split_at_checked(usize::from(length)).filter(|_| length.is_multiple_of(2))?;
    let (methods, rest) = rest.split_first()?;
    Some((version, Values(ciphers), rest.get(usize::from(*methods)..)?))
}

impl<'a> ClientHello<'a> {
    /// A hello that says nothing.
    pub(super) const fn empty(transport: Transport) -> Self {
        ClientHello { transport, legacy_version: 0, ciphers: Values(&[]), extensions: &[], alpn: &[], sni: None, ech: None, bare: false }
    }

    /// Reads the body of a ClientHello handshake message (behind type and length; RFC 8446 section 4.1.2).
    pub(super) fn parse(transport: Transport, body: &'a [u8]) -> Option<ClientHello<'a>> {
        let (legacy_version, ciphers, behind) = fixed(body)?;
        let mut hello = ClientHello { legacy_version, ciphers, ..ClientHello::empty(transport) };
        let extensions = be16(behind).and_then(|(length, rest)| rest.get(..usize::from(length)));
        hello.bare = extensions.is_none() && !behind.is_empty();
        let all = extensions.unwrap_or(&[]);
        let (mut rest, mut wanted) = (all, TELLING);
        for _ in 0..EXTENSIONS_MAX {
            let Some((kind, data, next)) = extension(rest) else {
                hello.bare |= !rest.is_empty();
                break;
            };
            // Of an extension that stands there twice the first one counts (RFC 8446 section 4.2 forbids it).
            if wanted & mark(kind) != 0 {
                wanted &= !hello.take(kind, data);
            }
            rest = next;
        }
        hello.extensions = all.get(..all.len() - rest.len()).unwrap_or(all);
        if let Some((offer, body)) = hello.ech.as_mut().filter(|(offer, _)| *offer == Offer::Unknown) {
            *offer = ech::judge(body, hello.sni);
        }
        Some(hello)
    }

    /// A DTLS body without the cookie that stands before its suites (RFC 6347 section 4.2.1): one of TLS.
    pub(super) fn without_cookie(body: &[u8]) -> Option<Vec<u8>> {
        let (fixed, rest) = body.split_at_checked(34)?;
        let (session_length, _) = rest.split_first()?;
        let (session, rest) = rest.split_at_checked(usize::from(*session_length) + 1)?;
        let (cookie_length, rest) = rest.split_first()?;
        let rest = rest.get(usize::from(*cookie_length)..)?;
        Some([fixed, session, rest].concat())
    }

    /// An SSLv2 hello (RFC 5246 appendix E.2): suites of three bytes, no extensions, no fingerprint.
    pub(super) fn sslv2(version: u16) -> ClientHello<'static> {
        ClientHello { legacy_version: version, bare: true, ..ClientHello::empty(Transport::Tls) }
    }

    /// Takes what every hello is asked for, and tells which of it that was.
    fn take(&mut self, kind: u16, data: &'a [u8]) -> u64 {
        match kind {
            SERVER_NAME => {
                self.sni = server_name(data);
                mark(SERVER_NAME)
            }
            ALPN => {
                self.alpn = Values::behind_length(data).0;
                mark(ALPN)
            }
            ech::ECH => {
                // The inner form is not for others to see.
                if data.first() == Some(&0) {
                    self.ech = Some((Offer::Unknown, data));
                }
                mark(ech::ECH)
            }
            ech::ESNI => {
                self.ech = Some((Offer::Real, data));
                mark(ech::ESNI)
            }
            _ => 0,
        }
    }

    /// Types and contents of its extensions, in order.
    fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.extensions;
        std::iter::from_fn(move || {
            let (kind, data, next) = extension(rest)?;
            rest = next;
            Some((kind, data))
        })
    }

    /// The types of its extensions, in order.
    pub(super) fn extension_types(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.extensions().map(|(kind, _)| kind)
    }

    /// What the first extension of a type holds; nothing where there is none.
    fn first(&self, wanted: u16) -> &'a [u8] {
        self.extensions().find(|(kind, _)| *kind == wanted).map_or(&[], |(_, data)| data)
    }

    /// Groups (RFC 8446 section 4.2.7).
    pub(super) fn groups(&self) -> Values<'a> {
        Values::behind_length(self.first(GROUPS))
    }

    /// Point formats (RFC 8422 section 5.1.2).
    pub(super) fn point_formats(&self) -> &'a [u8] {
        behind_byte(self.first(POINT_FORMATS))
    }

    /// Signature algorithms (RFC 8446 section 4.2.3).
    pub(super) fn signature_algorithms(&self) -> Values<'a> {
        Values::behind_length(self.first(SIGNATURE_ALGORITHMS))
    }

    /// Protocol names (RFC 7301 section 3.1), as many as are really there.
    pub(super) fn protocols(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        let mut list = self.alpn;
        let next = std::iter::from_fn(move || {
            let (length, after) = list.split_first()?;
            let (name, next) = after.split_at_checked(usize::from(*length))?;
            list = next;
            Some(name)
        });
        next.take(PROTOCOLS_MAX)
    }

    /// The highest version that is offered. DTLS counts downwards.
    pub(super) fn version(&self) -> u16 {
        let supported = Values(behind_byte(self.first(SUPPORTED_VERSIONS)));
        let offered = supported.iter().filter(|v| !ja::is_grease(*v));
        let best = if self.transport == Transport::Dtls { offered.filter(|v| *v >= 0xfe00).min() } else { offered.max() };
        best.unwrap_or(self.legacy_version)
    }

    /// This is a second hello behind a HelloRetryRequest, and that was in the first one.
    pub(super) fn follows(&mut self, before: &[u8]) {
        if let Some((offer, body)) = &mut self.ech {
            *offer = ech::judge_repeated(before, body).unwrap_or(*offer);
        }
    }

    /// Shows its protocols: nearly every hello has one or two.
    fn visit_protocols(&self, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let (mut protocols, field) = (self.protocols(), self.fields().alpn);
        let Some(first) = protocols.next() else { return };
        match (protocols.next(), protocols.next()) {
            (None, _) => see(field, Value::List(&[first])),
            (Some(second), None) => see(field, Value::List(&[first, second])),
            _ => see(field, Value::List(&self.protocols().collect::<Vec<_>>())),
        }
    }

    fn fields(&self) -> &'static HelloFields {
        match self.transport {
            Transport::Tls => &TLS_FIELDS,
            Transport::Quic => &QUIC_FIELDS,
            Transport::Dtls => &DTLS_FIELDS,
        }
    }
}

// Extension types (IANA registry).
const SERVER_NAME: u16 = 0x0000;
const GROUPS: u16 = 0x000a;
const POINT_FORMATS: u16 = 0x000b;
const SIGNATURE_ALGORITHMS: u16 = 0x000d;
const ALPN: u16 = 0x0010;
const SUPPORTED_VERSIONS: u16 = 0x002b;

/// A bit for a type of extension: one of its own for each of those that every hello is asked for, and for nearly all others one that
/// none of these has.
const fn mark(kind: u16) -> u64 {
    1 << (kind % 64)
}

/// The extensions that every hello is asked for.
const TELLING: u64 = mark(SERVER_NAME) | mark(ALPN) | mark(ech::ECH) | mark(ech::ESNI);

const _: () = assert!(TELLING.count_ones() == 4);

/// The first host name (RFC 6066 section 3). Lengths that lie give nothing.
fn server_name(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = be16(data)?;
    let mut list = rest.get(..usize::from(length))?;
    for _ in 0..16 {
        let (kind, after) = list.split_first()?;
        let (length, after) = be16(after)?;
        let (name, next) = after.split_at_checked(usize::from(length))?;
        if *kind == 0 {
            return Some(name).filter(|name| !name.is_empty());
        }
        list = next;
    }
    None
}

impl Record for ClientHello<'_> {
    fn dissector(&self) -> &'static str {
        self.fields().dissector
    }

    fn kind(&self) -> &'static str {
        "ch"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Client)
    }

    fn is_only_fields(&self) -> bool {
        true
    }

    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let fields = self.fields();
        if let Some(sni) = &self.sni {
            see(fields.sni, Value::Text(sni));
        }
        self.visit_protocols(see);
        if let Some((offer, body)) = &self.ech {
            see(fields.ech, Value::Token(offer.word()));
            if let Some(id) = ech::config_id(body) {
                see(fields.ech_config, Value::Number(id.into()));
            }
        }
        if detail == Detail::Full {
            see(fields.version, Value::Text(format!("{:04x}", self.version()).as_bytes()));
            if !self.bare {
                see(fields.ja3, Value::Text(ja::ja3(self).as_bytes()));
                see(fields.ja4, Value::Text(ja::ja4(self).as_bytes()));
            }
        }
    }
}
