//! TLS: ClientHellos built extension by extension, ServerHellos, records, and sessions that look real from outside.
//!
//! Nothing here is encrypted: what would be sealed is random bytes of the right length.

use crate::prng::Prng;

/// Record and handshake types (RFC 8446 section 5.1, section 4).
pub mod kind {
    /// ChangeCipherSpec record.
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    /// Alert record.
    pub const ALERT: u8 = 21;
    /// Handshake record.
    pub const HANDSHAKE: u8 = 22;
    /// Application data record.
    pub const APPLICATION_DATA: u8 = 23;
    /// ClientHello message.
    pub const CLIENT_HELLO: u8 = 1;
    /// ServerHello message.
    pub const SERVER_HELLO: u8 = 2;
}

/// Extension numbers (IANA).
pub mod ext {
    /// server_name.
    pub const SNI: u16 = 0;
    /// supported_groups.
    pub const GROUPS: u16 = 10;
    /// ec_point_formats.
    pub const POINT_FORMATS: u16 = 11;
    /// signature_algorithms.
    pub const SIGNATURES: u16 = 13;
    /// application_layer_protocol_negotiation.
    pub const ALPN: u16 = 16;
    /// padding.
    pub const PADDING: u16 = 21;
    /// supported_versions.
    pub const VERSIONS: u16 = 43;
    /// key_share.
    pub const KEY_SHARE: u16 = 51;
    /// quic_transport_parameters.
    pub const QUIC_PARAMETERS: u16 = 57;
    /// encrypted_client_hello.
    pub const ECH: u16 = 0xfe0d;
}

/// X25519.
pub const X25519: u16 = 0x001d;
/// X25519 with ML-KEM-768: its share of 1,216 bytes makes a hello longer than one segment.
pub const X25519_MLKEM768: u16 = 0x11ec;

/// A ClientHello in the making (RFC 8446 section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// legacy_version.
    pub version: u16,
    /// Random.
    pub random: [u8; 32],
    /// Session id.
    pub session_id: Vec<u8>,
    /// Cipher suites.
    pub suites: Vec<u16>,
    /// Extensions in wire order.
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl ClientHello {
    /// A TLS 1.2 hello without suites and extensions.
    pub fn bare(rng: &mut Prng) -> Self {
        ClientHello { version: 0x0303, random: rng.array(), session_id: rng.bytes(32), suites: Vec::new(), extensions: Vec::new() }
    }

    /// What a current browser sends: GREASE, ECH GREASE, a post-quantum share, extensions in random order. With ALPN `h2` and
    /// `http/1.1` its JA4 is that of Chrome since 133 (public lists): `t13d1516h2_8daaf6152771_d8a2da3f94cd`.
    pub fn browser(name: &str, alpn: &[&str], rng: &mut Prng) -> Self {
        let mut grease = [(); 5].map(|()| grease(rng));
        if grease[3] == grease[4] {
            grease[4] ^= 0x1010;
        }
        let mut hello = ClientHello { suites: vec![grease[0], 0x1301, 0x1302, 0x1303], ..Self::bare(rng) };
        hello.suites.extend([0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035]);
        hello = hello
            .sni(name)
            .with(23, [])
            .with(0xff01, [0])
            .groups(&[grease[1], X25519_MLKEM768, X25519, 0x0017, 0x0018])
            .with(ext::POINT_FORMATS, [1, 0])
            .with(35, [])
            .alpn(alpn)
            .with(5, [1, 0, 0, 0, 0])
            .signatures(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601])
            .with(18, [])
            .key_shares(&[(grease[1], 1), (X25519_MLKEM768, 1216), (X25519, 32)], rng)
            .with(45, [1, 1])
            .versions(&[grease[2], 0x0304, 0x0303])
            .with(27, [2, 0, 2])
            .with(0x44cd, *b"\x00\x03\x02h2")
            .with(ext::ECH, ech_grease(rng));
        rng.shuffle(&mut hello.extensions);
        hello.extensions.insert(0, (grease[3], Vec::new()));
        hello.with(grease[4], [0])
    }

    /// What an app with its own TLS library sends: TLS 1.3, no GREASE, fixed order, one small share.
    pub fn library(name: &str, alpn: &[&str], rng: &mut Prng) -> Self {
        let mut hello = Self::bare(rng);
        hello.suites = vec![0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d];
        hello
            .sni(name)
            .with(23, [])
            .with(0xff01, [0])
            .groups(&[X25519, 0x0017, 0x0018])
            .with(ext::POINT_FORMATS, [1, 0])
            .with(35, [])
            .alpn(alpn)
            .signatures(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201])
            .with(45, [1, 1])
            .versions(&[0x0304, 0x0303])
            .key_shares(&[(X25519, 32)], rng)
    }

    /// What an old library sends: TLS 1.2 at most.
    pub fn old(name: &str, rng: &mut Prng) -> Self {
        let mut hello = Self::bare(rng);
        hello.suites = vec![0xc02b, 0xc02f, 0xc00a, 0xc009, 0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035, 0x00ff];
        hello
            .sni(name)
            .with(23, [])
            .groups(&[X25519, 0x0017, 0x0018])
            .with(ext::POINT_FORMATS, [1, 0])
            .signatures(&[0x0403, 0x0503, 0x0603, 0x0804, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201])
    }

    /// What a browser sends inside QUIC: no session id, TLS 1.3 suites only, transport parameters (RFC 9001 section 8).
    pub fn quic(name: &str, scid: &[u8], big: bool, rng: &mut Prng) -> Self {
        let mut hello = ClientHello { session_id: Vec::new(), suites: vec![0x1301, 0x1302, 0x1303], ..Self::bare(rng) };
        let shares: &[(u16, usize)] = if big { &[(X25519_MLKEM768, 1216), (X25519, 32)] } else { &[(X25519, 32)] };
        let groups: Vec<u16> = shares.iter().map(|(g, _)| *g).chain([0x0017, 0x0018]).collect();
        hello = hello
            .sni(name)
            .groups(&groups)
            .alpn(&["h3"])
            .signatures(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201])
            .key_shares(shares, rng)
            .with(45, [1, 1])
            .versions(&[0x0304])
            .with(27, [2, 0, 2])
            .with(ext::QUIC_PARAMETERS, transport_parameters(scid));
        rng.shuffle(&mut hello.extensions);
        hello
    }

    /// Adds an extension.
    pub fn with(mut self, kind: u16, body: impl Into<Vec<u8>>) -> Self {
        self.extensions.push((kind, body.into()));
        self
    }

    /// Adds server_name (RFC 6066 section 3).
    pub fn sni(self, name: &str) -> Self {
        let entry = [&[0], sized16(name.as_bytes()).as_slice()].concat();
        self.with(ext::SNI, sized16(&entry))
    }

    /// Adds ALPN (RFC 7301 section 3.1); nothing when there are no names.
    pub fn alpn(self, names: &[&str]) -> Self {
        let list: Vec<u8> = names.iter().flat_map(|n| sized8(n.as_bytes())).collect();
        if names.is_empty() { self } else { self.with(ext::ALPN, sized16(&list)) }
    }

    /// Adds supported_groups.
    pub fn groups(self, groups: &[u16]) -> Self {
        self.with(ext::GROUPS, sized16(&words(groups)))
    }

    /// Adds signature_algorithms.
    pub fn signatures(self, algorithms: &[u16]) -> Self {
        self.with(ext::SIGNATURES, sized16(&words(algorithms)))
    }

    /// Adds supported_versions.
    pub fn versions(self, versions: &[u16]) -> Self {
        self.with(ext::VERSIONS, sized8(&words(versions)))
    }

    /// Adds key_share: each group with a random share of that many bytes.
    pub fn key_shares(self, shares: &[(u16, usize)], rng: &mut Prng) -> Self {
        let list: Vec<u8> = shares.iter().flat_map(|(group, len)| key_share(*group, *len, rng)).collect();
        self.with(ext::KEY_SHARE, sized16(&list))
    }

    /// The handshake message.
    pub fn message(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend(self.random);
        body.extend(sized8(&self.session_id));
        body.extend(sized16(&words(&self.suites)));
        body.extend([1, 0]);
        body.extend(sized16(&extensions(&self.extensions)));
        message(kind::CLIENT_HELLO, &body)
    }

    /// Whether TLS 1.3 is among the supported versions.
    pub fn offers_tls13(&self) -> bool {
        self.extensions.iter().any(|(k, body)| *k == ext::VERSIONS && body.get(1..).is_some_and(|v| v.chunks(2).any(|v| v == [3, 4])))
    }
}

/// The ServerHello to a hello: TLS 1.3 where that is offered, else the resumption of a TLS 1.2 session.
pub fn server_hello(hello: &ClientHello, rng: &mut Prng) -> Vec<u8> {
    let tls13 = hello.offers_tls13();
    let suite: u16 = if tls13 { 0x1301 } else { 0xc02f };
    let list = if tls13 {
        let group = if hello.message().len() > 1200 { X25519_MLKEM768 } else { X25519 };
        let len = if group == X25519 { 32 } else { 1120 };
        vec![(ext::VERSIONS, vec![3, 4]), (ext::KEY_SHARE, key_share(group, len, rng))]
    } else {
        vec![(23, Vec::new()), (0xff01, vec![0])]
    };
    let mut body = vec![3, 3];
    body.extend(rng.array::<32>());
    body.extend(sized8(&hello.session_id));
    body.extend(suite.to_be_bytes());
    body.push(0);
    body.extend(sized16(&extensions(&list)));
    message(kind::SERVER_HELLO, &body)
}

/// A record of one content type.
pub fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind];
    record.extend(version.to_be_bytes());
    record.extend(sized16(body));
    record
}

/// A message cut into handshake records of at most `size` bytes each.
pub fn records(message: &[u8], version: u16, size: usize) -> Vec<u8> {
    message.chunks(size.clamp(1, 0x4000)).flat_map(|part| record(kind::HANDSHAKE, version, part)).collect()
}

/// Sealed application data: one record of `len` bytes.
pub fn application_data(len: usize, rng: &mut Prng) -> Vec<u8> {
    record(kind::APPLICATION_DATA, 0x0303, &rng.bytes(len))
}

/// What both ends say until application data flows.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The ClientHello in one record.
    pub hello: Vec<u8>,
    /// The server's answer.
    pub answer: Vec<u8>,
    /// The client's last words.
    pub finish: Vec<u8>,
}

/// A handshake around a hello; the server's certificate is `sealed` random bytes.
pub fn handshake(hello: &ClientHello, sealed: usize, rng: &mut Prng) -> Handshake {
    let ccs = record(kind::CHANGE_CIPHER_SPEC, 0x0303, &[1]);
    let mut answer = record(kind::HANDSHAKE, 0x0303, &server_hello(hello, rng));
    answer.extend(&ccs);
    let mut finish = ccs;
    if hello.offers_tls13() {
        answer.extend(application_data(sealed, rng));
        finish.extend(application_data(53, rng));
    } else {
        answer.extend(record(kind::HANDSHAKE, 0x0303, &rng.bytes(40)));
        finish.extend(record(kind::HANDSHAKE, 0x0303, &rng.bytes(40)));
    }
    Handshake { hello: record(kind::HANDSHAKE, 0x0301, &hello.message()), answer, finish }
}

/// One of the sixteen reserved values (RFC 8701).
pub fn grease(rng: &mut Prng) -> u16 {
    0x0a0a + 0x1010 * rng.below(16) as u16
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    message
}

fn extensions(list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    list.iter().flat_map(|(kind, body)| [kind.to_be_bytes().to_vec(), sized16(body)].concat()).collect()
}

fn key_share(group: u16, len: usize, rng: &mut Prng) -> Vec<u8> {
    [group.to_be_bytes().to_vec(), sized16(&rng.bytes(len))].concat()
}

/// An offer that nobody can open (RFC 9849, GREASE): outer, HKDF-SHA256, AES-128-GCM.
fn ech_grease(rng: &mut Prng) -> Vec<u8> {
    let mut body = vec![0, 0, 1, 0, 1, rng.u16() as u8];
    body.extend(sized16(&rng.bytes(32)));
    body.extend(sized16(&rng.bytes(144)));
    body
}

/// Idle timeout, datagram size, flow-control limits, the connection id (RFC 9000 section 18.2).
fn transport_parameters(scid: &[u8]) -> Vec<u8> {
    let mut body =
        crate::hex("01 04 80007530  03 02 45c0  04 04 80f00000  05 04 80600000  06 04 80600000  07 04 80600000  08 02 4064  09 02 4067");
    body.push(0x0f);
    body.extend(sized8(scid));
    body
}

fn words(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_be_bytes()).collect()
}

fn sized8(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}

fn sized16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_hello_spans_two_segments_and_varies() {
        let mut rng = Prng::new(4);
        let [a, b] = [(); 2].map(|()| ClientHello::browser("www.kestrel.example", &["h2", "http/1.1"], &mut rng));
        assert!(a.message().len() > 1460);
        let order = |h: &ClientHello| h.extensions.iter().map(|(k, _)| *k).collect::<Vec<_>>();
        assert_ne!(order(&a), order(&b));
        let mut kinds = order(&a);
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), a.extensions.len(), "an extension twice");
        assert!(a.message().windows(19).any(|w| w == b"www.kestrel.example"));
    }

    #[test]
    fn lengths_agree() {
        let mut rng = Prng::new(5);
        let hello = ClientHello::library("a.example", &["h2"], &mut rng);
        let message = hello.message();
        assert_eq!(u32::from_be_bytes([0, message[1], message[2], message[3]]) as usize, message.len() - 4);
        assert_eq!(records(&message, 0x0301, 100).len(), message.len() + 5 * message.len().div_ceil(100));
        assert!(hello.offers_tls13() && !ClientHello::old("a.example", &mut rng).offers_tls13());
    }
}
