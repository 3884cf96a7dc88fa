//! MMTLS, as Citizen Lab's captures and report (2024) show it: installations with their tickets, long and short links, the
//! older clear framing, and what only looks like it.
//!
//! Nothing is encrypted: sealed parts are random bytes of the lengths that were measured.

use std::net::SocketAddr;
use std::time::Duration;

use ringfence_core::time::Timestamp;

use crate::http;
use crate::prng::Prng;
use crate::tcp::Conversation;
use crate::wire::Side;

/// Record types.
pub mod kind {
    /// Alert.
    pub const ALERT: u8 = 0x15;
    /// Handshake.
    pub const HANDSHAKE: u8 = 0x16;
    /// Data.
    pub const DATA: u8 = 0x17;
    /// Handshake of 0-RTT.
    pub const EARLY: u8 = 0x19;
}

/// The version in the record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// f1 03: before about 2022.
    F103,
    /// f1 04.
    F104,
}

impl Version {
    const fn low(self) -> u8 {
        match self {
            Version::F103 => 3,
            Version::F104 => 4,
        }
    }
}

/// How a client starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With a session ticket alone: a hello of 161 bytes.
    Resume,
    /// With a key exchange and the refresh ticket: 366 bytes.
    Refresh,
    /// With a key exchange and no ticket: 221 bytes, a new installation.
    New,
}

/// One installation of the app on one device.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Record version.
    pub version: Version,
    /// Account number; personal data in real life.
    pub account: u32,
    /// `clientversion` of NewDNS.
    pub client_version: u32,
    /// `devicetype` of NewDNS.
    pub device_type: &'static str,
    session: ([u8; 12], [u8; 72]),
    refresh: ([u8; 12], [u8; 105]),
}

const ECDHE: [u8; 2] = [0xc0, 0x2b];
const PSK: [u8; 2] = [0x00, 0xa8];

impl Installation {
    /// A current one.
    pub fn new(device_type: &'static str, rng: &mut Prng) -> Self {
        Installation {
            version: Version::F104,
            account: 1_000_000_000 + rng.below(1_000_000) as u32,
            client_version: 0x2800_3057,
            device_type,
            session: (rng.array(), rng.array()),
            refresh: (rng.array(), rng.array()),
        }
    }

    /// The same with another `clientversion`.
    pub const fn with_client_version(mut self, client_version: u32) -> Self {
        self.client_version = client_version;
        self
    }

    /// The body of a hello at a time.
    pub fn hello(&self, start: Start, at: Timestamp, rng: &mut Prng) -> Vec<u8> {
        let (suites, extensions): (&[[u8; 2]], _) = match start {
            Start::Resume => (&[PSK], vec![self.session_ticket()]),
            Start::Refresh => (&[ECDHE, PSK], vec![self.refresh_ticket(), key_shares(rng)]),
            Start::New => (&[ECDHE], vec![key_shares(rng)]),
        };
        let mut section = self.opening(1);
        section.push(suites.len() as u8);
        section.extend(suites.concat());
        section.extend(rng.array::<32>());
        section.extend((at.secs() as u32).to_be_bytes());
        section.extend(extension_list(&extensions));
        sized32(&section)
    }

    /// The body of the server's hello: 46 bytes without key exchange, 137 with.
    pub fn server_hello(&self, start: Start, rng: &mut Prng) -> Vec<u8> {
        let mut section = self.opening(2);
        section.extend(if start == Start::Resume { PSK } else { ECDHE });
        section.extend(rng.array::<32>());
        let share = || [&[0, 0x11][..], &5_u32.to_be_bytes(), &[0, 65]].concat();
        let extensions = match start {
            Start::Resume => vec![],
            _ => vec![[share(), point(rng)].concat(), vec![0, 0x13, 0, 0, 0, 1, 0, 0, 0, 3]],
        };
        section.extend(extension_list(&extensions));
        sized32(&section)
    }

    fn opening(&self, message: u8) -> Vec<u8> {
        // The version is little endian here, and only here.
        vec![message, self.version.low(), 0xf1]
    }

    fn session_ticket(&self) -> Vec<u8> {
        ticket(1, 604_800, 0x3d, &self.session.0, &self.session.1)
    }

    fn refresh_ticket(&self) -> Vec<u8> {
        ticket(2, 2_592_000, 0x48, &self.refresh.0, &self.refresh.1)
    }

    /// A record of this installation's version.
    pub fn record(&self, kind: u8, body: &[u8]) -> Vec<u8> {
        record(kind, self.version, body)
    }

    /// A record of `len` sealed bytes.
    pub fn sealed(&self, kind: u8, len: usize, rng: &mut Prng) -> Vec<u8> {
        self.record(kind, &rng.bytes(len))
    }

    /// A data record of some length in `low..=high`.
    pub fn data(&self, low: usize, high: usize, rng: &mut Prng) -> Vec<u8> {
        let len = rng.between(low, high);
        self.sealed(kind::DATA, len, rng)
    }

    /// What the server says first: its hello and the rest of its handshake.
    pub fn server_flight(&self, start: Start, rng: &mut Prng) -> Vec<u8> {
        let mut flight = self.record(kind::HANDSHAKE, &self.server_hello(start, rng));
        if start != Start::Resume {
            flight.extend(self.sealed(kind::HANDSHAKE, 95, rng));
            flight.extend(self.sealed(kind::HANDSHAKE, 293, rng));
        }
        flight.extend(self.sealed(kind::HANDSHAKE, 55, rng));
        flight
    }

    /// The clear alert of a server that does not know the ticket.
    pub fn unknown_ticket(&self) -> Vec<u8> {
        self.record(kind::ALERT, &[0, 0, 0, 3, 0, 0x73, 2])
    }

    /// A long link: hello, finish, a few messages, then a heartbeat every `beat` for `beats` times.
    pub fn long_link(&self, talk: &mut Conversation, start: Start, at: Timestamp, beats: usize, beat: Duration, rng: &mut Prng) {
        let finish = [self.sealed(kind::HANDSHAKE, 55, rng), self.data(200, 600, rng)].concat();
        talk.client(self.record(kind::HANDSHAKE, &self.hello(start, at, rng)));
        talk.server(self.server_flight(start, rng)).client(finish);
        talk.server(self.data(60, 400, rng));
        for _ in 0..beats {
            talk.wait(beat).client(self.heartbeat(rng)).server(self.heartbeat(rng));
            if rng.chance(40) {
                talk.wait(Duration::from_secs(rng.between(2, 90) as u64));
                talk.server(self.data(50, 700, rng));
                talk.client(self.data(40, 300, rng));
            }
        }
    }

    /// A heartbeat: 37 bytes.
    pub fn heartbeat(&self, rng: &mut Prng) -> Vec<u8> {
        self.sealed(kind::DATA, 32, rng)
    }

    /// The body of a short link's request with `len` sealed bytes; on first contact the hello stands alone.
    pub fn short_body(&self, start: Start, at: Timestamp, len: usize, rng: &mut Prng) -> Vec<u8> {
        let hello = self.hello(start, at, rng);
        if start != Start::Resume {
            return self.record(kind::HANDSHAKE, &hello);
        }
        let mut body = self.record(kind::EARLY, &hello);
        body.extend(self.sealed(kind::EARLY, 36, rng));
        body.extend(self.sealed(kind::DATA, len, rng));
        body.extend(self.sealed(kind::ALERT, 23, rng));
        body
    }

    /// A short link's reply with `len` sealed bytes.
    pub fn short_reply(&self, start: Start, len: usize, rng: &mut Prng) -> Vec<u8> {
        let mut body = self.server_flight(start, rng);
        if start == Start::Resume {
            body.extend(self.sealed(kind::DATA, len, rng));
            body.extend(self.sealed(kind::ALERT, 23, rng));
        }
        http::reply("200 OK", &[("Connection", "close"), ("Content-Type", "application/octet-stream")], &body)
    }
}

/// Sealed bytes in the request that opens the account's session.
pub const AUTOAUTH: usize = 5464;

/// The time between heartbeats that was seen most.
pub const BEAT: Duration = Duration::from_secs(270);

/// A record.
pub fn record(kind: u8, version: Version, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 0xf1, version.low()];
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

/// A short link's request: alphabetical headers, eight hexadecimal digits in the path.
pub fn short_request(host: &str, body: &[u8], rng: &mut Prng) -> Vec<u8> {
    let length = body.len().to_string();
    let headers = [
        ("Accept", "*/*"),
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
        ("Content-Length", &length),
        ("Content-Type", "application/octet-stream"),
        ("Host", host),
        ("Upgrade", "mmtls"),
        ("User-Agent", "MicroMessenger Client"),
    ];
    http::request(&format!("POST /mmtls/{:08x} HTTP/1.1", rng.u32()), &headers, body)
}

/// The same headers around something else, as tunnels send them.
pub fn disguise_request(host: &str, len: usize, rng: &mut Prng) -> Vec<u8> {
    let mut body = rng.bytes(len);
    // Chance must never make it a record.
    if let Some(first) = body.first_mut() {
        *first &= 0x0f;
    }
    short_request(host, &body, rng)
}

/// The reply of such a tunnel: no length, until the connection closes.
pub fn disguise_reply(len: usize, rng: &mut Prng) -> Vec<u8> {
    http::request("HTTP/1.1 200 OK", &[("Content-Type", "application/octet-stream")], &rng.bytes(len))
}

/// The older clear short link: the header decodes exactly, `len` sealed bytes follow, padded to 16.
pub fn legacy_request(host: &str, name: &str, cgi: u32, account: u32, len: usize, rng: &mut Prng) -> Vec<u8> {
    let sealed = len.next_multiple_of(16).max(16);
    let mut header = vec![0, 0x5f, 0x26, 1, 0, 0x41];
    header.extend(account.to_be_bytes());
    header.extend(rng.array::<15>());
    for number in [cgi, len as u32 * 2, len as u32, 28_356, 2] {
        header.extend(varint(number));
    }
    header[0] = (header.len() as u8) << 2 | 1;
    let body = [header, rng.bytes(sealed)].concat();
    let length = body.len().to_string();
    let headers = [
        ("Accept", "*/*"),
        ("Cache-Control", "no-cache"),
        ("Connection", "close"),
        ("Content-Length", &length),
        ("Content-Type", "application/octet-stream"),
        ("Host", host),
        ("User-Agent", "MicroMessenger Client"),
    ];
    http::request(&format!("POST http://{host}/cgi-bin/micromsg-bin/{name} HTTP/1.1"), &headers, &body)
}

/// A TCP conversation with one request and its reply, closed by the server.
pub fn exchange(client: SocketAddr, server: SocketAddr, request: Vec<u8>, reply: Vec<u8>, rng: &mut Prng) -> Conversation {
    let mut talk = Conversation::new(client, server, rng);
    talk.client(request).server(reply).close(Side::Server);
    talk
}

/// Base 128, least significant group first.
fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn ticket(index: u8, lifetime_secs: u32, key_version: u32, iv: &[u8; 12], ticket: &[u8]) -> Vec<u8> {
    let mut psk = vec![index];
    psk.extend(lifetime_secs.to_be_bytes());
    psk.extend([0, 0]);
    psk.extend(key_version.to_be_bytes());
    psk.extend(12_u16.to_be_bytes());
    psk.extend(iv);
    psk.extend((ticket.len() as u16).to_be_bytes());
    psk.extend(ticket);
    [vec![0, 0x0f, 1], sized32(&psk)].concat()
}

fn key_shares(rng: &mut Prng) -> Vec<u8> {
    let mut extension = vec![0, 0x10, 2];
    for index in [5_u32, 6] {
        extension.extend(sized32(&[&index.to_be_bytes()[..], &[0, 65], &point(rng)].concat()));
    }
    extension.extend([0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    extension
}

/// An uncompressed point of P-256, as far as anyone can tell from outside.
fn point(rng: &mut Prng) -> Vec<u8> {
    [vec![4], rng.bytes(64)].concat()
}

fn extension_list(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut list = vec![extensions.len() as u8];
    list.extend(extensions.iter().flat_map(|e| sized32(e)));
    sized32(&list)
}

fn sized32(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests;
