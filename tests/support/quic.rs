//! QUIC Initial packets, really encrypted (RFC 9000, RFC 9001, RFC 9369), and connections that look real from outside.

use std::time::Duration;

use ring::aead::quic::HeaderProtectionKey;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::prng::Prng;
use crate::tls::{self, ClientHello};
use crate::wire::Side;

/// A version of QUIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 9001.
    V1,
    /// RFC 9369.
    V2,
    /// draft-ietf-quic-tls-29.
    Draft29,
    /// Another number with the keys of version 1.
    Other(u32),
}

impl Version {
    /// Its number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Version::V1 => 1,
            Version::V2 => 0x6b33_43cf,
            Version::Draft29 => 0xff00_001d,
            Version::Other(number) => number,
        }
    }

    fn salt(self) -> Vec<u8> {
        crate::hex(match self {
            Version::V1 | Version::Other(_) => "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
            Version::V2 => "0dede3def700a6db819381be6e269dcbf9bd2ed9",
            Version::Draft29 => "afbfec289993d24c9e9786f19c6111e04390a899",
        })
    }

    const fn label(self, what: usize) -> &'static str {
        let labels = match self {
            Version::V2 => ["quicv2 key", "quicv2 iv", "quicv2 hp"],
            _ => ["quic key", "quic iv", "quic hp"],
        };
        labels[what]
    }

    /// The first byte of an Initial (`kind` 0) or Handshake (`kind` 2) packet, before protection.
    const fn first_byte(self, kind: u8, number_len: usize) -> u8 {
        let kind = match self {
            Version::V2 => (kind + 1) % 4,
            _ => kind,
        };
        0xc0 | kind << 4 | (number_len as u8 - 1)
    }
}

/// A variable-length integer in the fewest bytes (RFC 9000 section 16).
pub fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

/// Initial keys of one direction (RFC 9001 section 5.2).
pub struct Keys {
    seal: LessSafeKey,
    iv: [u8; 12],
    header: HeaderProtectionKey,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label (RFC 8446 section 7.1) with an empty context.
fn expand(secret: &Prk, label: &str, len: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let info: [&[u8]; 4] = [&(len as u16).to_be_bytes(), &[label.len() as u8], label.as_bytes(), &[0]];
    let mut out = vec![0; len];
    secret.expand(&info, Length(len)).and_then(|okm| okm.fill(&mut out)).expect("short output");
    out
}

impl Keys {
    /// The keys with which `from` seals; `dcid` is the first destination id of the client.
    pub fn new(version: Version, dcid: &[u8], from: Side) -> Self {
        let [key, iv, header] = Self::material(version, dcid, from);
        Keys {
            seal: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("16 bytes")),
            iv: iv.try_into().expect("12 bytes"),
            header: HeaderProtectionKey::new(&quic::AES_128, &header).expect("16 bytes"),
        }
    }

    fn material(version: Version, dcid: &[u8], from: Side) -> [Vec<u8>; 3] {
        let initial = Salt::new(HKDF_SHA256, &version.salt()).extract(dcid);
        let side = if from == Side::Client { "client in" } else { "server in" };
        let secret = Prk::new_less_safe(HKDF_SHA256, &expand(&initial, side, 32));
        [expand(&secret, version.label(0), 16), expand(&secret, version.label(1), 12), expand(&secret, version.label(2), 16)]
    }

    /// Seals a packet: `header` ends with the packet number, `number_len` bytes of it (RFC 9001 sections 5.3 and 5.4).
    pub fn protect(&self, header: &[u8], number: u64, number_len: usize, payload: &[u8]) -> Vec<u8> {
        let mut nonce = self.iv;
        for (byte, n) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= n;
        }
        let mut sealed = payload.to_vec();
        let aad = Aad::from(header);
        self.seal.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).expect("short payload");
        let mut packet = [header, &sealed].concat();
        let number_at = header.len() - number_len;
        let mask = self.header.new_mask(&packet[number_at + 4..number_at + 20]).expect("16 bytes");
        packet[0] ^= mask[0] & if packet[0] & 0x80 != 0 { 0x0f } else { 0x1f };
        for (byte, mask) in packet[number_at..number_at + number_len].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
        }
        packet
    }
}

/// A long-header packet in the making.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Version.
    pub version: Version,
    /// 0 Initial, 2 Handshake (as in version 1, whatever the version).
    pub kind: u8,
    /// Destination connection id.
    pub dcid: Vec<u8>,
    /// Source connection id.
    pub scid: Vec<u8>,
    /// Token of an Initial.
    pub token: Vec<u8>,
    /// Packet number.
    pub number: u64,
    /// Bytes of it that are sent, 1 to 4.
    pub number_len: usize,
    /// Frames.
    pub frames: Vec<u8>,
}

impl Packet {
    /// An Initial without token, number 0.
    pub fn initial(version: Version, dcid: &[u8], scid: &[u8]) -> Self {
        Packet {
            version,
            kind: 0,
            dcid: dcid.to_vec(),
            scid: scid.to_vec(),
            token: Vec::new(),
            number: 0,
            number_len: 1,
            frames: Vec::new(),
        }
    }

    /// The unprotected header for a payload of that many bytes (RFC 9000 section 17.2); the length always takes two bytes.
    fn header(&self, payload: usize) -> Vec<u8> {
        let mut header = vec![self.version.first_byte(self.kind, self.number_len)];
        header.extend(self.version.number().to_be_bytes());
        for id in [&self.dcid, &self.scid] {
            header.push(id.len() as u8);
            header.extend(id);
        }
        if self.kind == 0 {
            header.extend(varint(self.token.len() as u64));
            header.extend(&self.token);
        }
        header.extend(((self.number_len + payload + 16) as u16 | 0x4000).to_be_bytes());
        header.extend(&self.number.to_be_bytes()[8 - self.number_len..]);
        header
    }

    /// How many bytes of frames fit into a packet of `size` bytes.
    pub fn room(&self, size: usize) -> usize {
        size.saturating_sub(self.header(0).len() + 16)
    }

    /// The packet, padded with PADDING frames to at least `size` bytes.
    pub fn seal(&self, keys: &Keys, size: usize) -> Vec<u8> {
        let mut payload = self.frames.clone();
        // Header protection samples 16 bytes from four behind the start of the number on.
        payload.resize(payload.len().max(self.room(size)).max(4), 0);
        keys.protect(&self.header(payload.len()), self.number, self.number_len, &payload)
    }
}

/// A CRYPTO frame (RFC 9000 section 19.6).
pub fn crypto(offset: u64, data: &[u8]) -> Vec<u8> {
    [vec![6], varint(offset), varint(data.len() as u64), data.to_vec()].concat()
}

/// A PING frame.
pub const PING: [u8; 1] = [1];

/// An ACK frame of packet 0 alone (RFC 9000 section 19.3).
pub const ACK_0: [u8; 5] = [2, 0, 0, 0, 0];

/// How a client spreads its hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes per CRYPTO frame at most.
    pub chunk: usize,
    /// CRYPTO frames in random order, with PING and PADDING between them.
    pub shuffled: bool,
    /// Datagram size.
    pub datagram: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { chunk: usize::MAX, shuffled: false, datagram: 1200 }
    }
}

/// The client's first datagrams: a hello in as many Initials as it needs, each padded to the datagram size.
pub fn initials(first: &Packet, hello: &[u8], shape: Shape, rng: &mut Prng) -> Vec<Vec<u8>> {
    let keys = Keys::new(first.version, &first.dcid, Side::Client);
    let room = first.room(shape.datagram);
    let chunk = shape.chunk.clamp(1, room - 16);
    let mut frames: Vec<_> = hello.chunks(chunk).enumerate().map(|(i, part)| crypto((i * chunk) as u64, part)).collect();
    if shape.shuffled {
        rng.shuffle(&mut frames);
        for frame in &mut frames {
            let filler: &[u8] = if rng.chance(50) { &PING } else { &[0, 0, 0] };
            frame.extend(filler);
        }
    }
    let mut packets = vec![Packet { frames: Vec::new(), ..first.clone() }];
    for frame in frames {
        let last = packets.last().expect("one packet");
        if last.frames.len() + frame.len() > room {
            packets.push(Packet { number: last.number + 1, frames: Vec::new(), ..first.clone() });
        }
        packets.last_mut().expect("one packet").frames.extend(frame);
    }
    packets.iter().map(|p| p.seal(&keys, shape.datagram)).collect()
}

/// Sizes of what both ends send once they understand each other.
pub type Talk<'a> = &'a [(Side, usize)];

/// The datagrams of a connection: hello, answer, then short-header packets of random bytes.
pub fn connection(version: Version, name: &str, shape: Shape, talk: Talk<'_>, rng: &mut Prng) -> Vec<(Side, Duration, Vec<u8>)> {
    let client_id_len = if rng.chance(50) { 0 } else { 8 };
    let (dcid, client, server) = (rng.bytes(8), rng.bytes(client_id_len), rng.bytes(8));
    let hello = ClientHello::quic(name, &client, shape.shuffled, rng);
    let first = Packet::initial(version, &dcid, &client);
    let near = Duration::from_micros(180);
    let far = Duration::from_micros(rng.between(9_000, 30_000) as u64);
    let mut datagrams: Vec<_> = initials(&first, &hello.message(), shape, rng).into_iter().map(|d| (Side::Client, near, d)).collect();
    datagrams.push((Side::Server, far, answer(version, &dcid, &client, &server, &hello, rng)));
    let ack = Packet { number: datagrams.len() as u64, frames: ACK_0.to_vec(), ..Packet::initial(version, &server, &client) };
    let mut reply = ack.seal(&Keys::new(version, &dcid, Side::Client), 0);
    reply.extend(handshake(version, &server, &client, 80, rng));
    reply.extend(short(&server, 1200usize.saturating_sub(reply.len() + 17), rng));
    datagrams.push((Side::Client, near, reply));
    for (from, len) in talk {
        let to = if *from == Side::Client { &server } else { &client };
        datagrams.push((*from, if *from == Side::Client { near } else { far }, short(to, *len, rng)));
    }
    datagrams
}

/// The server's first datagram: an Initial with its hello, as far as it fits, and a Handshake packet.
fn answer(version: Version, dcid: &[u8], client: &[u8], server: &[u8], hello: &ClientHello, rng: &mut Prng) -> Vec<u8> {
    let keys = Keys::new(version, dcid, Side::Server);
    let message = tls::server_hello(hello, rng);
    let fits = message.len().min(900);
    let frames = [ACK_0.to_vec(), crypto(0, &message[..fits])].concat();
    let mut datagram = Packet { frames, ..Packet::initial(version, client, server) }.seal(&keys, 0);
    let packet = handshake(version, client, server, 0, rng).len();
    let rest = 1200usize.saturating_sub(datagram.len() + packet);
    datagram.extend(handshake(version, client, server, rest, rng));
    datagram
}

/// A Handshake packet of random bytes: nobody outside has its keys.
fn handshake(version: Version, dcid: &[u8], scid: &[u8], len: usize, rng: &mut Prng) -> Vec<u8> {
    let packet = Packet { kind: 2, ..Packet::initial(version, dcid, scid) };
    [packet.header(len), rng.bytes(len + 16)].concat()
}

/// A short-header packet of random bytes (RFC 9000 section 17.3.1).
fn short(dcid: &[u8], len: usize, rng: &mut Prng) -> Vec<u8> {
    [&[0x40 | rng.u16() as u8 & 0x3f], dcid, &rng.bytes(len.max(20))].concat()
}

#[cfg(test)]
mod tests;
