//! DNS messages (RFC 1035), compressed as servers do: every owner name points at an earlier one.

use std::net::IpAddr;

/// Query types.
pub mod kind {
    /// IPv4 address.
    pub const A: u16 = 1;
    /// Canonical name.
    pub const CNAME: u16 = 5;
    /// IPv6 address.
    pub const AAAA: u16 = 28;
    /// Service binding (RFC 9460).
    pub const HTTPS: u16 = 65;
}

/// A name as labels, uncompressed; the empty name is the root.
pub fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|l| !l.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A question with recursion desired.
pub fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x0100, name, kind, 0, &[])
}

/// An answer: first the CNAME chain from `name`, then the addresses of its end. Nothing at all: an empty answer.
pub fn answer(id: u16, name: &str, kind: u16, chain: &[&str], addresses: &[IpAddr], ttl_secs: u32) -> Vec<u8> {
    let mut records = Vec::new();
    let mut owner = 12_u16;
    let question = self::name(name).len() + 16;
    for alias in chain {
        let target = self::name(alias);
        record(&mut records, owner, kind::CNAME, ttl_secs, &target);
        owner = (question + records.len() - target.len()) as u16;
    }
    for address in addresses {
        match address {
            IpAddr::V4(a) => record(&mut records, owner, kind::A, ttl_secs, &a.octets()),
            IpAddr::V6(a) => record(&mut records, owner, kind::AAAA, ttl_secs, &a.octets()),
        }
    }
    message(id, 0x8180, name, kind, (chain.len() + addresses.len()) as u16, &records)
}

/// A multicast announcement of one address (RFC 6762 section 8.3): authoritative, no question, the cache-flush bit set.
pub fn announcement(name: &str, address: IpAddr) -> Vec<u8> {
    let mut bytes: Vec<u8> = [0, 0x8400, 0, 1, 0, 0].iter().flat_map(|n: &u16| n.to_be_bytes()).collect();
    let (kind, data) = match address {
        IpAddr::V4(a) => (kind::A, a.octets().to_vec()),
        IpAddr::V6(a) => (kind::AAAA, a.octets().to_vec()),
    };
    bytes.extend(self::name(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0x80, 1]);
    bytes.extend(120_u32.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// The same message as TCP carries it, behind its length (RFC 1035 section 4.2.2).
pub fn over_tcp(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn message(id: u16, flags: u16, question: &str, kind: u16, answers: u16, records: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [id, flags, 1, answers, 0, 0].iter().flat_map(|n| n.to_be_bytes()).collect();
    bytes.extend(name(question));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(records);
    bytes
}

fn record(records: &mut Vec<u8>, owner: u16, kind: u16, ttl_secs: u32, data: &[u8]) {
    records.extend((0xc000 | owner).to_be_bytes());
    records.extend(kind.to_be_bytes());
    records.extend([0, 1]);
    records.extend(ttl_secs.to_be_bytes());
    records.extend((data.len() as u16).to_be_bytes());
    records.extend(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_point_at_names() {
        let bytes = answer(7, "a.example", kind::A, &["edge.b.example", "c.example"], &["192.0.2.1".parse().unwrap()], 60);
        let mut targets = Vec::new();
        let mut at = 12 + name("a.example").len() + 4;
        while at < bytes.len() {
            targets.push(usize::from(bytes[at] & 0x3f) << 8 | usize::from(bytes[at + 1]));
            at += 12 + usize::from(u16::from_be_bytes([bytes[at + 10], bytes[at + 11]]));
        }
        let named: Vec<_> = ["a.example", "edge.b.example", "c.example"].into_iter().map(name).collect();
        assert_eq!(targets.len(), 3);
        for (target, name) in targets.into_iter().zip(named) {
            assert!(bytes[target..].starts_with(&name));
        }
    }
}
