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
    /// Option 55; empty for none.
    pub parameters: &'a [u8],
    /// Option 61; empty for the usual one, made of the hardware address.
    pub client_id: &'a [u8],
    /// Option 82, which the relay adds and the server gives back; empty for none.
    pub agent: &'a [u8],
}

/// What a system of the time asks for in option 55.
pub mod parameters {
    /// Windows 10 and later.
    pub const WINDOWS: &[u8] = &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];
    /// Android.
    pub const ANDROID: &[u8] = &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43];
    /// iOS and macOS.
    pub const APPLE: &[u8] = &[1, 121, 3, 6, 15, 108, 114, 119, 252];
    /// The `dhcpcd` client.
    pub const LINUX: &[u8] = &[1, 3, 6, 15, 26, 28, 51, 58, 59];
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
    option(&mut bytes, 82, lease.agent);
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
    let usual = [&[1], lease.mac.0.as_slice()].concat();
    option(bytes, 61, if lease.client_id.is_empty() { &usual } else { lease.client_id });
    if kind == kind::REQUEST {
        option(bytes, 50, &lease.address.octets());
        option(bytes, 54, &lease.server.octets());
    }
    option(bytes, 12, lease.host_name.as_bytes());
    option(bytes, 60, lease.vendor_class.as_bytes());
    if kind != kind::RELEASE {
        option(bytes, 55, lease.parameters);
    }
}

fn option(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    if !value.is_empty() {
        bytes.extend([code, value.len() as u8]);
        bytes.extend(value);
    }
}
