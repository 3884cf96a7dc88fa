//! MMTLS, the transport of the WeChat app, after Citizen Lab's report (2024): long link, short link, and what only looks like it.

use crate::prng::Prng;

/// What a hello is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session goes on.
    Resume,
    /// New keys for a known installation.
    Refresh,
    /// No ticket yet.
    NewInstallation,
}

fn section(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// A record of version f104.
pub fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0xf1, 0x04][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// A record whose body nobody on the path can read.
pub fn sealed(kind: u8, length: usize, prng: &mut Prng) -> Vec<u8> {
    record(kind, &prng.bytes(length))
}

fn ticket(index: u8, lifetime: u32, bytes: &[u8], prng: &mut Prng) -> Vec<u8> {
    let mut t = vec![index];
    t.extend(lifetime.to_be_bytes());
    t.extend([0, 0, 0, 0, 0, 3, 0, 12]);
    t.extend(prng.bytes(12));
    t.extend((bytes.len() as u16).to_be_bytes());
    t.extend_from_slice(bytes);
    section(&[&[0, 0x0f, 1][..], &section(&t)].concat())
}

fn shares(prng: &mut Prng) -> Vec<u8> {
    let mut s = vec![0, 0x10, 2];
    for key in [5, 6] {
        s.extend([0, 0, 0, 0x47, 0, 0, 0, key, 0, 0x41, 4]);
        s.extend(prng.bytes(64));
    }
    s.extend([0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
    section(&s)
}

/// A ClientHello record; type 16h on a first contact and on long links, 19h with early data. `installation` makes the ticket.
pub fn client_hello(kind: Kind, record_type: u8, unix_secs: u32, installation: u64, prng: &mut Prng) -> Vec<u8> {
    let mut stable = Prng::new(installation);
    let (psk, ecdhe) = (kind != Kind::NewInstallation, kind != Kind::Resume);
    let count = u8::from(psk) + u8::from(ecdhe);
    let mut m = vec![1, 0x04, 0xf1, count];
    let mut extensions = vec![count];
    if ecdhe {
        m.extend([0xc0, 0x2b]);
    }
    if psk {
        m.extend([0x00, 0xa8]);
        extensions.extend(match kind {
            Kind::Resume => ticket(1, 604_800, &stable.bytes(72), prng),
            _ => ticket(2, 2_592_000, &stable.bytes(105), prng),
        });
    }
    if ecdhe {
        extensions.extend(shares(prng));
    }
    m.extend(prng.bytes(32));
    m.extend(unix_secs.to_be_bytes());
    m.extend(section(&extensions));
    record(record_type, &section(&m))
}

/// A ServerHello record.
pub fn server_hello(kind: Kind, prng: &mut Prng) -> Vec<u8> {
    let mut m = vec![2, 0x04, 0xf1];
    if kind == Kind::Resume {
        m.extend([0x00, 0xa8]);
        m.extend(prng.bytes(32));
        m.extend(section(&[0]));
    } else {
        m.extend([0xc0, 0x2b]);
        m.extend(prng.bytes(32));
        let mut e = vec![2, 0, 0, 0, 0x49, 0, 0x11, 0, 0, 0, 5, 0, 0x41, 4];
        e.extend(prng.bytes(64));
        e.extend([0, 0, 0, 10, 0, 0x13, 0, 0, 0, 1, 0, 0, 0, 3]);
        m.extend(section(&e));
    }
    record(0x16, &section(&m))
}

/// A heartbeat: 37 bytes.
pub fn heartbeat(prng: &mut Prng) -> Vec<u8> {
    sealed(0x17, 32, prng)
}

/// The request of a short link with any body.
pub fn short_request(host: &str, body: &[u8], prng: &mut Prng) -> Vec<u8> {
    let path: String = prng.bytes(4).iter().map(|b| format!("{b:02x}")).collect();
    let head = format!(
        "POST /mmtls/{path} HTTP/1.1\r\nAccept: */*\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/octet-stream\r\nHost: {host}\r\nUpgrade: mmtls\r\nUser-Agent: MicroMessenger Client\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The body of a short link: early hello, early handshake, data, alert.
pub fn short_body(unix_secs: u32, installation: u64, data: usize, prng: &mut Prng) -> Vec<u8> {
    let hello = client_hello(Kind::Resume, 0x19, unix_secs, installation, prng);
    [hello, sealed(0x19, 36, prng), sealed(0x17, data, prng), sealed(0x15, 23, prng)].concat()
}

/// The reply of a short link.
pub fn short_reply(data: usize, prng: &mut Prng) -> Vec<u8> {
    let body = [server_hello(Kind::Resume, prng), sealed(0x16, 55, prng), sealed(0x17, data, prng), sealed(0x15, 23, prng)].concat();
    let head =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

/// A NewDNS request. The account number is made up.
pub fn newgetdns_request() -> Vec<u8> {
    b"GET /cgi-bin/micromsg-bin/newgetdns?uin=1000000001&clientversion=671105584&devicetype=android-33 HTTP/1.0\r\n\
      Host: dns.weixin.qq.com\r\nAccept: */*\r\n\r\n"
        .to_vec()
}

/// A NewDNS reply: raw deflate over XML.
pub fn newgetdns_reply(names: &[(&str, &str)]) -> Vec<u8> {
    let mut xml = String::from("<dns><retcode>0</retcode><domainlist>");
    for (name, addr) in names {
        xml.push_str(&format!("<domain name=\"{name}\" timeout=\"1860\"><ip>{addr}</ip></domain>"));
    }
    xml.push_str("</domainlist><clientip>198.51.100.250</clientip></dns>");
    let body = miniz_oxide::deflate::compress_to_vec(xml.as_bytes(), 6);
    let head = format!("HTTP/1.0 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}
