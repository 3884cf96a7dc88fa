//! What makes packets one flow: both endpoints and the transport, whichever way they go.
//!
//! VLAN and tunnel ids are not part of it: a mirror port often shows one conversation twice, before and after routing.

use crate::net::{Endpoint, Transport};

/// Both directions of a 5-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
