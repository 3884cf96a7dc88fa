//! DNS messages.

use std::net::IpAddr;

fn name(name: &str) -> Vec<u8> {
    let mut wire: Vec<u8> = name.split('.').filter(|l| !l.is_empty()).flat_map(|l| [&[l.len() as u8][..], l.as_bytes()].concat()).collect();
    wire.push(0);
    wire
}

/// A question for a type: 1 A, 28 AAAA.
pub fn query(id: u16, host: &str, kind: u16) -> Vec<u8> {
    let head = [id, 0x0100, 1, 0, 0, 0];
    [head.iter().flat_map(|n| n.to_be_bytes()).collect(), name(host), kind.to_be_bytes().to_vec(), vec![0, 1]].concat()
}

/// Its answer, over an alias where one is given.
pub fn answer(id: u16, host: &str, kind: u16, alias: Option<&str>, addrs: &[IpAddr], ttl: u32) -> Vec<u8> {
    let count = addrs.len() as u16 + u16::from(alias.is_some());
    let head = [id, 0x8180, 1, count, 0, 0];
    let mut message = [head.iter().flat_map(|n| n.to_be_bytes()).collect(), name(host), kind.to_be_bytes().to_vec(), vec![0, 1]].concat();
    let mut record = |owner: &str, kind: u16, data: &[u8]| {
        message.extend(name(owner));
        message.extend([kind.to_be_bytes(), [0, 1]].concat());
        message.extend(ttl.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend_from_slice(data);
    };
    if let Some(alias) = alias {
        record(host, 5, &name(alias));
    }
    for addr in addrs {
        match addr {
            IpAddr::V4(a) => record(alias.unwrap_or(host), 1, &a.octets()),
            IpAddr::V6(a) => record(alias.unwrap_or(host), 28, &a.octets()),
        }
    }
    message
}

/// A multicast announcement of a host's own address.
pub fn announcement(host: &str, addr: IpAddr) -> Vec<u8> {
    let IpAddr::V4(a) = addr else { return Vec::new() };
    let head = [0u16, 0x8400, 0, 1, 0, 0];
    let record = [name(host), vec![0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4], a.octets().to_vec()].concat();
    [head.iter().flat_map(|n| n.to_be_bytes()).collect(), record].concat()
}
