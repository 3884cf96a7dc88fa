//! TLS: hellos of a browser with and without post-quantum keys, a ServerHello, records.

use crate::prng::Prng;

/// How a ClientHello is made.
#[derive(Clone, Debug)]
pub struct Hello<'a> {
    /// The server's name.
    pub sni: &'a str,
    /// Protocols.
    pub alpn: &'a [&'a str],
    /// With a post-quantum key share: more than one segment.
    pub post_quantum: bool,
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

fn list16(values: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
    [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
}

/// A ClientHello handshake message; `quic` leaves out the session id.
pub fn client_hello(hello: &Hello<'_>, quic: bool, prng: &mut Prng) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(prng.bytes(32));
    let session = if quic { Vec::new() } else { prng.bytes(32) };
    body.push(session.len() as u8);
    body.extend(session);
    body.extend(list16(&[0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8]));
    body.extend([1, 0]);
    let name = hello.sni.as_bytes();
    let sni = [&((name.len() + 3) as u16).to_be_bytes()[..], &[0], &(name.len() as u16).to_be_bytes(), name].concat();
    let alpn: Vec<u8> = hello.alpn.iter().flat_map(|p| [&[p.len() as u8][..], p.as_bytes()].concat()).collect();
    let mut shares = [&0x001du16.to_be_bytes()[..], &32u16.to_be_bytes(), &prng.bytes(32)].concat();
    if hello.post_quantum {
        shares = [&0x11ecu16.to_be_bytes()[..], &1216u16.to_be_bytes(), &prng.bytes(1216), &shares].concat();
    }
    let mut extensions = extension(0x2a2a, &[]);
    extensions.extend(extension(0, &sni));
    extensions.extend(extension(0x0017, &[]));
    extensions.extend(extension(10, &list16(&[0x3a3a, 0x11ec, 0x001d, 0x0017])));
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(16, &[&(alpn.len() as u16).to_be_bytes()[..], &alpn].concat()));
    extensions.extend(extension(13, &list16(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805])));
    extensions.extend(extension(43, &[6, 0x4a, 0x4a, 3, 4, 3, 3]));
    extensions.extend(extension(51, &[&(shares.len() as u16).to_be_bytes()[..], &shares].concat()));
    if quic {
        extensions.extend(extension(57, &[1, 4, 0x80, 0, 0x75, 0x30]));
    }
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    handshake(1, &body)
}

/// A ServerHello handshake message of TLS 1.3.
pub fn server_hello(prng: &mut Prng) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(prng.bytes(32));
    body.extend([0, 0x13, 0x01, 0]);
    let share = [&0x001du16.to_be_bytes()[..], &32u16.to_be_bytes(), &prng.bytes(32)].concat();
    let extensions = [extension(43, &[3, 4]), extension(51, &share)].concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    [&[kind, a, b, c][..], body].concat()
}

/// A record: 22 handshake, 23 application data.
pub fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}
