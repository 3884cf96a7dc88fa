//! Bytes to fields. A dissector is one file and one line in [`DISSECTORS`]; it declares its fields, and rules, field
//! documentation and metrics follow from that.
//!
//! Dissectors probe by content on every port. They get an [`Input`] and a [`Sink`]; they must not know flows, rules or policy.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap
    )
)]

mod arp;
pub mod client_hello;
mod dhcp;
mod dhcp6;
pub mod dns;
pub mod dtls;
mod gate;
pub mod http;
mod ja;
pub mod legacy;
pub mod mmtls;
mod nd;
mod netbios;
pub mod newgetdns;
mod preamble;
pub mod qq;
pub mod quic;
mod radius;
pub mod server_hello;
pub mod tls;

use std::ops::RangeInclusive;

pub use gate::candidates;

use crate::field::Field;
use crate::net::{Endpoint, Mac};
use crate::record::Sink;
use crate::time::Timestamp;

/// What a dissector reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A TCP stream, in order.
    Tcp,
    /// UDP datagrams, one at a time.
    Udp,
    /// ARP messages from the hardware type on.
    Arp,
    /// ICMPv6 messages from the type on.
    Icmp6,
}

/// A direction of a flow. `Forward` is that of the flow's opener: the sender of the SYN, or of the first packet seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the opener.
    Forward,
    /// To the opener.
    Backward,
}

impl Direction {
    /// The other one.
    pub const fn reverse(self) -> Self {
        match self {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        }
    }
}

/// What a dissector is shown.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// When the last of the bytes was captured.
    pub ts: Timestamp,
    /// Stream, datagram or message.
    pub carrier: Carrier,
    /// Who sent it.
    pub direction: Direction,
    /// Sender, innermost.
    pub src: Endpoint,
    /// Receiver, innermost.
    pub dst: Endpoint,
    /// The sender's hardware address, innermost.
    pub src_mac: Option<Mac>,
    /// TCP: the contiguous bytes of this direction that were not consumed yet. Else: the whole message.
    pub bytes: &'a [u8],
    /// TCP: these bytes begin the direction (a SYN was seen). False in mid-stream, where a segment begins here.
    pub at_start: bool,
    /// TCP: the direction has ended, nothing more will come behind `bytes`.
    pub at_end: bool,
}

/// What a probe thinks of the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It is mine.
    Match,
    /// It may be mine; ask again with more bytes.
    More,
    /// It is not mine.
    No,
}

/// What a dissector wants next in this direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The first `consumed` bytes are done with (more than were shown: the rest is skipped when it comes). Call again
    /// when at least `need` unread bytes are there (0: at any).
    Continue {
        /// Bytes done with.
        consumed: usize,
        /// Unread bytes needed for the next call.
        need: usize,
    },
    /// Another protocol begins after `consumed` bytes: probe again there, in both directions.
    HandOver {
        /// Bytes done with.
        consumed: usize,
    },
    /// Nothing more is wanted in this direction.
    Done,
    /// Nothing more is wanted of this flow.
    FlowDone,
}

/// The state of one dissector on one flow. Both directions come to the same value.
pub trait Dissector: Send {
    /// Reads. Called with growing `bytes` until it consumes; for datagrams once each.
    fn read(&mut self, input: &Input<'_>, sink: &mut dyn Sink) -> Progress;

    /// Bytes of memory that it holds beside its own size.
    fn held(&self) -> usize {
        0
    }

    /// The flow ended, by silence or because it had to leave: what was held back or never became whole is told now. A stream's
    /// directions are shown as ended before.
    fn finish(&mut self, _sink: &mut dyn Sink) {}

    /// Becomes what it was when it was started, to read another flow; `false` when it can't.
    fn renew(&mut self) -> bool {
        false
    }

    /// Bytes of one direction are lost for good: what follows is not adjacent to what was read.
    fn gap(&mut self, _direction: Direction) -> Progress {
        Progress::FlowDone
    }
}

/// A line in the [`DISSECTORS`] table.
pub struct DissectorDef {
    /// Its name, the first part of its fields' names.
    pub name: &'static str,
    /// One sentence for operators.
    pub about: &'static str,
    /// What it reads from.
    pub carriers: &'static [Carrier],
    /// Every field that it can fill.
    pub fields: &'static [&'static Field],
    /// First bytes that its messages may have: whatever begins otherwise it is not asked about.
    pub opens: &'static [RangeInclusive<u8>],
    /// Ports without which it is not asked: one end has one of them. Empty: it is asked on every port.
    pub ports: &'static [u16],
    /// Looks at the first bytes of a direction (or a datagram).
    pub probe: fn(&Input<'_>) -> Probe,
    /// Starts on a flow whose probe matched.
    pub start: fn() -> Box<dyn Dissector>,
}

/// Every dissector, in the order of probing: the first that says [`Probe::Match`] gets the flow, and one that says
/// [`Probe::More`] holds back those behind it. MMTLS stands before TLS, because a TLS parser takes its hello for a HelloRequest.
pub static DISSECTORS: &[&DissectorDef] = &[
    &mmtls::MMTLS,
    &http::HTTP,
    &qq::QQ,
    &tls::TLS,
    &dhcp::DHCP,
    &netbios::NETBIOS,
    &dns::DNS,
    &quic::QUIC,
    &dtls::DTLS,
    &dhcp6::DHCP6,
    &radius::RADIUS,
    &arp::ARP,
    &nd::ND,
    &preamble::PREAMBLE,
];

/// Every field of every dissector, in table order.
pub fn fields() -> impl Iterator<Item = &'static Field> {
    DISSECTORS.iter().flat_map(|d| d.fields.iter().copied())
}
