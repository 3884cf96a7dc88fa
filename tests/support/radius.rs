//! RADIUS accounting requests (RFC 2866).

use std::net::IpAddr;

use ringfence_core::net::Mac;

/// Where they are sent.
pub const PORT: u16 = 1813;

/// A request about a station with addresses; `status` is 1 for start, 2 for stop, 3 for interim. It names a user, as real ones do.
pub fn request(status: u32, station: Mac, addrs: &[IpAddr]) -> Vec<u8> {
    let mut body = Vec::new();
    attribute(&mut body, 40, &status.to_be_bytes());
    attribute(&mut body, 1, b"canary.user@example.org");
    attribute(&mut body, 31, station.to_string().replace(':', "-").to_uppercase().as_bytes());
    attribute(&mut body, 32, b"access-switch-3");
    for addr in addrs {
        match addr {
            IpAddr::V4(a) => attribute(&mut body, 8, &a.octets()),
            IpAddr::V6(a) => attribute(&mut body, 168, &a.octets()),
        }
    }
    let mut bytes = vec![4, 1];
    bytes.extend((20 + body.len() as u16).to_be_bytes());
    bytes.extend([0x5a; 16]);
    bytes.extend(body);
    bytes
}

fn attribute(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    bytes.extend([kind, value.len() as u8 + 2]);
    bytes.extend(value);
}
