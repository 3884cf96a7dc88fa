//! One flow, made byte by byte, through a whole worker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringfence_core::coverage::Blind;
use ringfence_core::decode::Frame;
use ringfence_core::evidence::Evidence;
use ringfence_core::field::Value;
use ringfence_core::limits::Limit;
use ringfence_core::record::{Detail, Record};
use ringfence_core::rules::RuleSet;
use ringfence_core::time::Timestamp;
use ringfence_core::worker::{Output, RecordContext, Worker};
use ringfence_tests::frame::{self, TcpHeader, flags, proto};
use ringfence_tests::wire::Side;

/// Raw IP in the registry of link types.
const RAW: u16 = 101;

/// Server names in the order in which they were seen, what was said about encrypted ones and fingerprints, and all evidence.
#[derive(Default)]
pub struct Names(pub Vec<String>, pub Vec<String>, pub Vec<Evidence>);

impl Output for Names {
    fn evidence(&mut self, evidence: Evidence) {
        self.2.push(evidence);
    }

    fn wants_records(&self) -> bool {
        true
    }

    fn record(&mut self, _context: &RecordContext, record: &dyn Record) {
        record.visit(Detail::Full, &mut |field, value| match (value, field.key) {
            (Value::Text(name), "sni") => self.0.push(String::from_utf8_lossy(name).into_owned()),
            (Value::Token(word), "ech") => self.1.push(word.to_string()),
            (Value::Number(id), "ech_config") => self.1.push(id.to_string()),
            (Value::Text(_), "ja3" | "ja4") => self.1.push(field.key.to_string()),
            _ => {}
        });
    }
}

/// A flow between two ends, and the worker that sees it.
pub struct Lab {
    pub worker: Worker,
    pub names: Names,
    pub now: Timestamp,
    pub seq: [u32; 2],
}

impl Lab {
    pub fn new() -> Self {
        let worker = Worker::new(0, Arc::new(RuleSet::default()), 0);
        Lab { worker, names: Names::default(), now: Timestamp::from_secs_nanos(1_700_000_000, 0), seq: [100, 900] }
    }

    pub fn tcp() -> Self {
        let mut lab = Lab::new();
        for (from, set) in [(Side::Client, flags::SYN), (Side::Server, flags::SYN | flags::ACK)] {
            lab.segment(from, set, &[]);
            lab.seq[side(from)] += 1;
        }
        lab
    }

    pub fn ends(from: Side) -> (SocketAddr, SocketAddr) {
        let ends = [SocketAddr::from(([192, 0, 2, 1], 40_000)), SocketAddr::from(([192, 0, 2, 2], 7_777))];
        if from == Side::Client { (ends[0], ends[1]) } else { (ends[1], ends[0]) }
    }

    pub fn packet(&mut self, from: Side, protocol: u8, message: &[u8]) {
        let (src, dst) = Self::ends(from);
        self.raw(&frame::ip(src.ip(), dst.ip(), 64, protocol, message));
    }

    /// An IP packet.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.now = self.now.after(Duration::from_micros(50));
        let wire_len = bytes.len() as u32;
        self.worker.frame(&Frame { ts: self.now, link_type: RAW, interface: 0, bytes, wire_len, vlan: None }, &mut self.names);
    }

    pub fn segment(&mut self, from: Side, flags: u8, payload: &[u8]) {
        let (src, dst) = Self::ends(from);
        let header = TcpHeader { seq: self.seq[side(from)], ack: 0, flags, options: Vec::new() };
        self.packet(from, proto::TCP, &frame::tcp(src, dst, &header, payload));
    }

    pub fn say(&mut self, from: Side, bytes: &[u8], size: usize) -> &mut Self {
        for piece in bytes.chunks(size) {
            self.segment(from, flags::ACK | flags::PSH, piece);
            self.seq[side(from)] = self.seq[side(from)].wrapping_add(piece.len() as u32);
        }
        self
    }

    pub fn datagram(&mut self, from: Side, payload: &[u8]) -> &mut Self {
        let (src, dst) = Self::ends(from);
        self.packet(from, proto::UDP, &frame::udp(src, dst, payload));
        self
    }

    /// The input ends.
    pub fn finish(&mut self) {
        self.worker.finish(&mut self.names);
    }

    pub fn limit(&self, limit: Limit) -> u64 {
        self.worker.tally().limits.of(limit)
    }

    pub fn blind(&self, kind: Blind) -> u64 {
        self.worker.tally().blind.get(&kind).copied().unwrap_or(0)
    }
}

pub const fn side(from: Side) -> usize {
    match from {
        Side::Client => 0,
        Side::Server => 1,
    }
}
