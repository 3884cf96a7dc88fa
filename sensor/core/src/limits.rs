//! Every bound of the core, with its reason. Hitting one is counted by name and is part of the coverage statement.

use std::time::Duration;

/// Encapsulations (VLAN tags, tunnels, IP in IP, extension headers) that are peeled from one frame. Ten VLAN tags and
/// 8 tunnels are beyond any network in use; the bound keeps a crafted frame from costing more than a few hundred ns.
pub const DECODE_DEPTH_MAX: usize = 24;

/// Bytes of one direction of a stream that are kept for a dissector that needs more: a 64 KiB ClientHello in records
/// (RFC 8446 section 4: a handshake message is at most 2^24 bytes, no client in use sends more than 20 KiB) and head room.
pub const STREAM_BYTES_MAX: usize = 80 * 1024;

/// Out-of-order ranges that one stream direction may hold: a hello of 64 KiB in segments of 140 bytes, every second one first.
pub const STREAM_RANGES_MAX: usize = 512;

/// Bytes that all streams of a worker may hold together: 16,000 hellos of 2 KiB under way, half of what a worker may take.
pub const STREAMS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Flows that a worker follows at the same time: 1 Gbit/s of office traffic has about 20,000; at some 300 bytes each they are small.
pub const FLOWS_MAX: usize = 65_536;

/// Flows of which one packet was seen: 16 bytes each, so that all of them fit into a core's second-level cache beside what is read
/// (256 KiB). A second packet comes within a round trip: 16,000 are those of 80,000 new flows per second. Beyond it the oldest is
/// forgotten, and what follows of it begins another flow.
pub const LONE_FLOWS_MAX: usize = 16_384;

/// Flows that are done with, and whose packets are only counted: 8 bytes each, as many as are followed otherwise (512 KiB). Beyond it the
/// quietest is forgotten, and what follows of it begins another flow.
pub const SETTLED_FLOWS_MAX: usize = 65_536;

/// How long a flow without traffic is remembered. MMTLS heartbeats come up to 10 minutes apart: less would split one login.
pub const FLOW_IDLE: Duration = Duration::from_secs(15 * 60);

/// How long the bytes of a flow whose protocol is not decided yet are kept without traffic: retransmissions end before (RFC 6298).
pub const UNDECIDED_IDLE: Duration = Duration::from_secs(60);

/// Payload segments of one direction after which an undecided flow is given up: every protocol that is known says what it is earlier.
pub const PROBE_SEGMENTS_MAX: u8 = 24;

/// Bytes before a handed-over protocol (STARTTLS, CONNECT, SOCKS, PROXY) in which a ClientHello is looked for.
pub const PREAMBLE_BYTES_MAX: usize = 16 * 1024;

/// A TLS handshake message above this is refused (64 KiB: see [`STREAM_BYTES_MAX`]).
pub const TLS_HELLO_MAX: usize = 64 * 1024;

/// CRYPTO bytes of one QUIC connection: a ClientHello with post-quantum keys has about 2 KiB.
pub const QUIC_CRYPTO_MAX: usize = 64 * 1024;

/// CRYPTO ranges of one QUIC connection. Chromium sends about 20 pieces.
pub const QUIC_RANGES_MAX: usize = 256;

/// Initial packets of one QUIC connection that are opened: each costs an AEAD operation (about 6 us).
pub const QUIC_INITIALS_MAX: u16 = 32;

/// Names and addresses taken from one DNS message: one of 4,096 bytes, the largest common EDNS size, holds fewer (RFC 6891).
pub const DNS_RECORDS_MAX: usize = 256;

/// Inflated bytes of one newgetdns reply: real ones are below 16 KiB; a bomb is cut here.
pub const INFLATE_MAX: usize = 128 * 1024;

/// HTTP header bytes of one message: common servers refuse more than 8 KiB.
pub const HTTP_HEAD_MAX: usize = 16 * 1024;

/// IP datagrams under reassembly in one worker: a busy link has a few dozen at once.
pub const FRAGMENTS_MAX: usize = 1_024;

/// Bytes that all datagrams under reassembly may hold together: a hundred of the largest.
pub const FRAGMENTS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a datagram waits for its fragments (RFC 1122 section 3.3.2: 60 to 120 s; 30 s as Linux does).
pub const FRAGMENT_IDLE: Duration = Duration::from_secs(30);

/// Addresses that the correlator holds as learned: an app's names lead to a few hundred a day.
pub const LEARNED_MAX: usize = 16_384;

/// Segments that are derived where none is configured: as many as there are VLAN ids, and room for prefixes. An attacker can make
/// up source addresses in every /24; beyond this they share one segment.
pub const SEGMENTS_DERIVED_MAX: usize = 8_192;

/// Places (a network behind an interface, VLANs and tunnels) whose coverage is counted apart: as many as segments can be derived.
pub const PLACES_MAX: usize = 8_192;

/// Devices that identity holds: a large campus has half as many; random source addresses have no end.
pub const DEVICES_MAX: usize = 131_072;

/// Sightings that identity holds: a device with a sign makes one for each minute in which it opens a flow that matters. A million are
/// a day of 700 such devices; a flow whose sighting is gone has no device.
pub const SIGHTINGS_MAX: usize = 1_048_576;

/// Flows with signs that the correlator keeps one by one: a day of some hundred devices, and about 90 MB. All of them are looked through
/// when something is judged, so their number is also the time until a finding is told. Beyond it those that ended longest ago leave
/// only their sums.
pub const FLOWS_KEPT_MAX: usize = 65_536;

/// Findings that the ledger holds, open and ended. A finding has about 2 KiB; an organisation that has 100,000 has another problem.
pub const FINDINGS_MAX: usize = 131_072;

macro_rules! limits {
    ($($variant:ident, $name:literal, $about:literal;)*) => {
        /// A bound that was hit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Limit { $(#[doc = $about] $variant,)* }

        impl Limit {
            /// Every limit, in the order of the outputs.
            pub const ALL: &'static [Limit] = &[$(Limit::$variant,)*];

            /// The name in outputs.
            pub const fn name(self) -> &'static str { match self { $(Limit::$variant => $name,)* } }

            /// One sentence for operators.
            pub const fn about(self) -> &'static str { match self { $(Limit::$variant => $about,)* } }
        }
    };
}

limits! {
    DecodeDepth, "decode-depth", "A frame had more encapsulations than are peeled.";
    StreamBytes, "stream-bytes", "A stream direction needed more bytes than are kept.";
    StreamRanges, "stream-ranges", "A stream direction had more out-of-order ranges than are kept.";
    StreamsTotal, "streams-total", "All streams together needed more bytes than are kept.";
    Flows, "flows", "The flow table was full; the oldest flow was dropped.";
    TlsHello, "tls-hello", "A TLS handshake message was larger than is kept.";
    QuicCrypto, "quic-crypto", "A QUIC connection's CRYPTO data went beyond what is kept.";
    QuicInitials, "quic-initials", "A QUIC connection had more Initial packets than are opened.";
    Preamble, "preamble", "Nothing that could be TLS came within what is searched before it (CONNECT, SOCKS, STARTTLS).";
    DnsRecords, "dns-records", "A DNS message had more records than are read.";
    Inflate, "inflate", "A compressed body was larger than is inflated.";
    HttpHead, "http-head", "An HTTP header was larger than is read.";
    Fragments, "fragments", "The table of fragmented datagrams was full; the oldest was dropped.";
    Learned, "learned", "The table of learned addresses was full; the oldest was dropped.";
    Segments, "segments", "The table of derived segments was full; further ones share the segment `elsewhere`.";
    FlowsKept, "flows-kept", "More flows with signs than are kept one by one; the oldest were added up, so later proofs do not reach them.";
    Findings, "findings", "The table of findings was full; the one that changed longest ago was dropped.";
    Places, "places", "The table of places was full; the coverage of further ones is counted as `elsewhere`.";
    Devices, "devices", "The table of devices was full; the device seen longest ago was dropped.";
}

/// How often each limit was hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitCounts([u64; Limit::ALL.len()]);

impl LimitCounts {
    /// Counts one.
    pub fn add(&mut self, limit: Limit) {
        if let Some(count) = self.0.get_mut(limit as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// The count of one limit.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0.get(limit as usize).copied().unwrap_or(0)
    }

    /// Limits that were hit, with their counts.
    pub fn hit(&self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        Limit::ALL.iter().map(|l| (*l, self.of(*l))).filter(|(_, n)| *n > 0)
    }

    /// Adds another count to this one.
    pub fn merge(&mut self, other: &LimitCounts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }
}
