//! What makes packets one flow: both endpoints and the transport, whichever way they go.
//!
//! VLAN and tunnel ids are not part of it: a mirror port often shows one conversation twice, before and after routing.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::net::{Endpoint, Transport};

/// Both directions of a 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    low: Endpoint,
    high: Endpoint,
    transport: Transport,
}

impl FlowKey {
    /// The key of a packet from `src` to `dst`.
    pub fn new(src: Endpoint, dst: Endpoint, transport: Transport) -> Self {
        if src <= dst { FlowKey { low: src, high: dst, transport } } else { FlowKey { low: dst, high: src, transport } }
    }
}

/// One write of all bytes: a keyed hash is paid by the call as much as by the byte.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [0u8; 37];
        let (low, rest) = bytes.split_at_mut(18);
        let (high, last) = rest.split_at_mut(18);
        end(self.low, low);
        end(self.high, high);
        if let Some(byte) = last.first_mut() {
            *byte = u8::from(self.transport == Transport::Udp) << 1 | u8::from(self.low.addr.is_ipv6());
        }
        state.write(&bytes);
    }
}

/// Port and address into 18 bytes.
fn end(endpoint: Endpoint, bytes: &mut [u8]) {
    let (port, addr) = bytes.split_at_mut(2);
    port.copy_from_slice(&endpoint.port.to_be_bytes());
    match endpoint.addr {
        IpAddr::V4(a) => addr.iter_mut().zip(a.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(a) => addr.iter_mut().zip(a.octets()).for_each(|(to, from)| *to = from),
    }
}
