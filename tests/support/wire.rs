//! Where the sensor listens: the SPAN port of the access switch, on the client's side of the router.
//!
//! The client's frames carry its own MAC; whatever answers from beyond carries the router's.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;

use crate::capture::Trace;
use crate::frame::{self, proto};

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end that opens.
    Client,
    /// The end that answers.
    Server,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// The link between a client and its router, as the sensor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The client's hardware address.
    pub client: Mac,
    /// The router's hardware address.
    pub router: Mac,
    /// VLAN ids, outermost first; empty where frames are not tagged.
    pub vlans: Vec<u16>,
    /// The interface of the capture.
    pub interface: u32,
    /// Time to live of the client's packets: 64, or less behind a router of its own.
    pub ttl: u8,
}

impl Wire {
    /// An untagged link on interface 0.
    pub const fn new(client: Mac, router: Mac) -> Self {
        Wire { client, router, vlans: Vec::new(), interface: 0, ttl: 64 }
    }

    /// A frame around an IP packet.
    pub fn frame(&self, from: Side, packet: &[u8]) -> Vec<u8> {
        let (src, dst) = match from {
            Side::Client => (self.client, self.router),
            Side::Server => (self.router, self.client),
        };
        frame::ethernet(dst, src, &self.vlans, frame::ethertype_of(packet), packet)
    }

    /// An IP packet from one end to the other.
    pub fn packet(&self, from: Side, src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let ttl = if from == Side::Client { self.ttl } else { 52 };
        frame::ip(src, dst, ttl, protocol, payload)
    }

    /// Puts a frame around an IP packet on record.
    pub fn send(&self, trace: &mut Trace, at: Timestamp, from: Side, packet: &[u8]) {
        trace.push(at, self.interface, self.frame(from, packet));
    }

    /// Datagrams of one UDP flow, each `(who, how long after the one before, payload)`; returns the time of the last.
    pub fn datagrams(
        &self,
        trace: &mut Trace,
        start: Timestamp,
        client: SocketAddr,
        server: SocketAddr,
        datagrams: &[(Side, Duration, Vec<u8>)],
    ) -> Timestamp {
        let mut at = start;
        for (from, after, payload) in datagrams {
            at = at.after(*after);
            let (src, dst) = if *from == Side::Client { (client, server) } else { (server, client) };
            let packet = self.packet(*from, src.ip(), dst.ip(), proto::UDP, &frame::udp(src, dst, payload));
            self.send(trace, at, *from, &packet);
        }
        at
    }
}
