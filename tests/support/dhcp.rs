//! DHCP for IPv4 (RFC 2131, options RFC 2132).

use std::net::Ipv4Addr;

use ringfence_core::net::Mac;

/// Message types (RFC 2132 section 9.6).
pub mod kind {
    /// Client looks for servers.
    pub const DISCOVER: u8 = 1;
    /// Server offers.
    pub const OFFER: u8 = 2;
    /// Client asks for what was offered.
    pub const REQUEST: u8 = 3;
    /// Server agrees.
    pub const ACK: u8 = 5;
    /// Client gives up its address.
    pub const RELEASE: u8 = 7;
}

/// What a client says about itself, and what it is given.
#[derive(Clone, Debug)]
pub struct Lease<'a> {
    /// Transaction id.
    pub xid: u32,
    /// Hardware address of the client.
    pub mac: Mac,
    /// Option 12; empty for none.
    pub host_name: &'a str,
    /// Option 60; empty for none.
    pub vendor_class: &'a str,
    /// The address that is leased.
    pub address: Ipv4Addr,
    /// Server, router and resolver.
    pub server: Ipv4Addr,
    /// Option 15; empty for none.
    pub domain: &'a str,
    /// Option 51.
    pub seconds: u32,
    /// The relay; unspecified for none.
    pub relay: Ipv4Addr,
}

/// A message of one [`kind`].
pub fn message(kind: u8, lease: &Lease<'_>) -> Vec<u8> {
    let reply = matches!(kind, kind::OFFER | kind::ACK);
    let mut bytes = vec![if reply { 2 } else { 1 }, 1, 6, 0];
    bytes.extend(lease.xid.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(if kind == kind::RELEASE { lease.address.octets() } else { [0; 4] });
    bytes.extend(if reply { lease.address.octets() } else { [0; 4] });
    bytes.extend([0; 4]);
    bytes.extend(lease.relay.octets());
    bytes.extend(lease.mac.0);
    bytes.resize(236, 0);
    bytes.extend([0x63, 0x82, 0x53, 0x63]);
    option(&mut bytes, 53, &[kind]);
    if reply {
        server_options(&mut bytes, lease)
    } else {
        client_options(&mut bytes, kind, lease)
    }
    bytes.push(255);
    if bytes.len() < 300 {
        bytes.resize(300, 0);
    }
    bytes
}

fn server_options(bytes: &mut Vec<u8>, lease: &Lease<'_>) {
    option(bytes, 54, &lease.server.octets());
    option(bytes, 51, &lease.seconds.to_be_bytes());
    option(bytes, 1, &[255, 255, 255, 0]);
    option(bytes, 3, &lease.server.octets());
    option(bytes, 6, &lease.server.octets());
    option(bytes, 15, lease.domain.as_bytes());
}

fn client_options(bytes: &mut Vec<u8>, kind: u8, lease: &Lease<'_>) {
    option(bytes, 61, &[&[1], lease.mac.0.as_slice()].concat());
    if kind == kind::REQUEST {
        option(bytes, 50, &lease.address.octets());
        option(bytes, 54, &lease.server.octets());
    }
    option(bytes, 12, lease.host_name.as_bytes());
    option(bytes, 60, lease.vendor_class.as_bytes());
    if kind != kind::RELEASE {
        option(bytes, 55, &[1, 3, 6, 15, 26, 28, 51, 58, 59]);
    }
}

fn option(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    if !value.is_empty() {
        bytes.extend([code, value.len() as u8]);
        bytes.extend(value);
    }
}
