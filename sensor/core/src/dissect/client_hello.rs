//! One ClientHello for TLS, QUIC and DTLS: parsed once, bounded by its own length, fingerprints only when somebody asks.

pub(super) mod ech;

use tls_parser::parse_tls_handshake_client_hello;

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

/// What a ClientHello says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) transport: Transport,
    pub(super) legacy_version: u16,
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: Vec<u8>,
    pub(super) signature_algorithms: Vec<u16>,
    pub(super) supported_versions: Vec<u16>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) sni: Option<Vec<u8>>,
    /// An extension that encrypts the name: what it is, and its body.
    pub(super) ech: Option<(Offer, Vec<u8>)>,
    /// No fingerprint: an SSLv2 hello, or extensions whose lengths lie.
    pub(super) bare: bool,
}

fn be16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (u16::from_be_bytes(*head), rest))
}

/// 16-bit values behind a 16-bit length; as many as are really there.
fn list16(bytes: &[u8]) -> Vec<u16> {
    let Some((length, rest)) = be16(bytes) else { return Vec::new() };
    values(rest.get(..usize::from(length)).unwrap_or(rest))
}

fn values(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|v| u16::from_be_bytes(*v)).collect()
}

impl ClientHello {
    /// A hello that says nothing.
    pub(super) fn empty(transport: Transport) -> Self {
        ClientHello {
            transport,
            legacy_version: 0,
            ciphers: Vec::new(),
            extensions: Vec::new(),
            groups: Vec::new(),
            point_formats: Vec::new(),
            signature_algorithms: Vec::new(),
            supported_versions: Vec::new(),
            alpn: Vec::new(),
            sni: None,
            ech: None,
            bare: false,
        }
    }

    /// Reads the body of a ClientHello handshake message (behind type and length).
    pub(super) fn parse(transport: Transport, body: &[u8]) -> Option<ClientHello> {
        let (behind, contents) = parse_tls_handshake_client_hello(body).ok()?;
        let mut hello = ClientHello {
            legacy_version: contents.version.0,
            ciphers: contents.ciphers.iter().map(|c| c.0).collect(),
            ..ClientHello::empty(transport)
        };
        let mut rest = contents.ext.unwrap_or(&[]);
        hello.bare = contents.ext.is_none() && !behind.is_empty();
        while let Some((kind, after)) = be16(rest) {
            let Some((length, after)) = be16(after) else { break };
            // An extension that runs over the end is a lie: what it claims to hold is not read.
            let Some((data, next)) = after.split_at_checked(usize::from(length)) else { break };
            if hello.extensions.len() >= EXTENSIONS_MAX {
                break;
            }
            hello.extension(kind, data);
            hello.extensions.push(kind);
            rest = next;
        }
        hello.bare |= !rest.is_empty() && hello.extensions.len() < EXTENSIONS_MAX;
        if let Some((offer, body)) = hello.ech.as_mut().filter(|(offer, _)| *offer == Offer::Unknown) {
            *offer = ech::judge(body, hello.sni.as_deref());
        }
        Some(hello)
    }

    /// A DTLS body has a cookie before the suites (RFC 6347 section 4.2.1).
    pub(super) fn parse_dtls(body: &[u8]) -> Option<ClientHello> {
        let (fixed, rest) = body.split_at_checked(34)?;
        let (session_length, _) = rest.split_first()?;
        let (session, rest) = rest.split_at_checked(usize::from(*session_length) + 1)?;
        let (cookie_length, rest) = rest.split_first()?;
        let rest = rest.get(usize::from(*cookie_length)..)?;
        ClientHello::parse(Transport::Dtls, &[fixed, session, rest].concat())
    }

    /// An SSLv2 hello (RFC 5246 appendix E.2): suites of three bytes, no extensions.
    pub(super) fn sslv2(version: u16, suites: &[u8]) -> ClientHello {
        let ciphers =
            suites.as_chunks::<3>().0.iter().filter(|[kind, ..]| *kind == 0).map(|[_, high, low]| u16::from_be_bytes([*high, *low]));
        ClientHello { legacy_version: version, ciphers: ciphers.collect(), bare: true, ..ClientHello::empty(Transport::Tls) }
    }

    fn extension(&mut self, kind: u16, data: &[u8]) {
        // Of an extension that stands there twice the first one counts (RFC 8446 section 4.2 forbids it).
        if self.extensions.contains(&kind) {
            return;
        }
        match kind {
            0x0000 => self.sni = server_name(data),
            0x000a => self.groups = list16(data),
            0x000b => {
                self.point_formats =
                    data.split_first().map(|(n, rest)| rest.get(..usize::from(*n)).unwrap_or(rest).to_vec()).unwrap_or_default()
            }
            0x000d => self.signature_algorithms = list16(data),
            0x0010 => self.alpn = protocols(data),
            0x002b => {
                self.supported_versions =
                    data.split_first().map(|(n, rest)| values(rest.get(..usize::from(*n)).unwrap_or(rest))).unwrap_or_default()
            }
            ech::ECH if data.first() == Some(&0) => self.ech = Some((Offer::Unknown, data.to_vec())),
            ech::ESNI => self.ech = Some((Offer::Real, data.to_vec())),
            _ => {}
        }
    }

    /// The highest version that is offered. DTLS counts downwards.
    pub(super) fn version(&self) -> u16 {
        let offered = self.supported_versions.iter().copied().filter(|v| !ja::is_grease(*v));
        let best = if self.transport == Transport::Dtls { offered.filter(|v| *v >= 0xfe00).min() } else { offered.max() };
        best.unwrap_or(self.legacy_version)
    }

    /// This is a second hello behind a HelloRetryRequest, and that was in the first one.
    pub(super) fn follows(&mut self, before: &[u8]) {
        if let Some((offer, body)) = &mut self.ech {
            *offer = ech::judge_repeated(before, body).unwrap_or(*offer);
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

/// The first host name (RFC 6066 section 3). Lengths that lie give nothing.
fn server_name(data: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = be16(data)?;
    let mut list = rest.get(..usize::from(length))?;
    for _ in 0..16 {
        let (kind, after) = list.split_first()?;
        let (length, after) = be16(after)?;
        let (name, next) = after.split_at_checked(usize::from(length))?;
        if *kind == 0 {
            return (!name.is_empty()).then(|| name.to_vec());
        }
        list = next;
    }
    None
}

/// Protocol names (RFC 7301 section 3.1), as many as are really there.
fn protocols(data: &[u8]) -> Vec<Vec<u8>> {
    let Some((length, rest)) = be16(data) else { return Vec::new() };
    let mut list = rest.get(..usize::from(length)).unwrap_or(rest);
    let mut found = Vec::new();
    while let Some((length, after)) = list.split_first() {
        let Some((name, next)) = after.split_at_checked(usize::from(*length)) else { break };
        if found.len() >= 64 {
            break;
        }
        found.push(name.to_vec());
        list = next;
    }
    found
}

impl Record for ClientHello {
    fn dissector(&self) -> &'static str {
        self.fields().dissector
    }

    fn kind(&self) -> &'static str {
        "ch"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Client)
    }

    fn visit(&self, detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        let fields = self.fields();
        if let Some(sni) = &self.sni {
            see(fields.sni, Value::Text(sni));
        }
        if !self.alpn.is_empty() {
            let alpn: Vec<&[u8]> = self.alpn.iter().map(Vec::as_slice).collect();
            see(fields.alpn, Value::List(&alpn));
        }
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
