//! ARP for IPv4 over Ethernet (RFC 826).

use std::net::Ipv4Addr;

use ringfence_core::net::Mac;

/// Asks who has an address.
pub const REQUEST: u16 = 1;
/// Answers.
pub const REPLY: u16 = 2;

/// A message; the target's hardware address is zero in requests.
pub fn message(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4];
    bytes.extend(operation.to_be_bytes());
    for (mac, addr) in [sender, target] {
        bytes.extend(mac.0);
        bytes.extend(addr.octets());
    }
    bytes
}
