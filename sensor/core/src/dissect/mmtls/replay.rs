//! For tests only: a naive reader of captures and a naive flow table around the dissectors of this crate.
//!
//! It is kept apart from the product's own decoder and flow table on purpose, so that a test here fails for one reason only.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::assembler::Assembler;
use crate::coverage::Blind;
use crate::dissect::{Carrier, DISSECTORS, Direction, Dissector, DissectorDef, Input, Probe, Progress};
use crate::field::Value;
use crate::limits::{Limit, STREAM_BYTES_MAX, STREAM_RANGES_MAX};
use crate::net::Endpoint;
use crate::record::{Detail, Record, Sink};
use crate::time::Timestamp;

/// Everything that dissectors said, as `kind key=value ...`.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) records: Vec<String>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) installations: Vec<Vec<u8>>,
}

impl Sink for Said {
    fn emit(&mut self, record: &dyn Record) {
        let mut text = record.kind().to_owned();
        record.visit(Detail::Full, &mut |field, value| {
            assert!(
                DISSECTORS.iter().any(|d| d.fields.iter().any(|f| std::ptr::eq(*f, field))),
                "{} is not declared by any dissector",
                field.name
            );
            if !field.personal {
                text.push_str(&format!(" {}={}", field.key, print(value)));
            }
        });
        record.answers(&mut |a| text.push_str(&format!(" {}@{}/{}", String::from_utf8_lossy(a.name), a.addr, a.ttl_secs)));
        self.installations.extend(record.installation().map(<[u8]>::to_vec));
        self.records.push(text);
    }

    fn limit(&mut self, limit: Limit) {
        self.limits.push(limit);
    }

    fn blind(&mut self, _blind: Blind) {}
}

fn print(value: Value<'_>) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Token(word) => word.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Address(addr) => addr.to_string(),
        Value::List(list) => list.iter().map(|t| String::from_utf8_lossy(t)).collect::<Vec<_>>().join("+"),
    }
}

/// One direction of a flow.
struct Half {
    stream: Assembler,
    /// Sequence number of the stream's first byte.
    first: Option<u32>,
    at_start: bool,
    ended: bool,
    need: usize,
    closed: bool,
}

impl Half {
    fn new() -> Self {
        let stream = Assembler::new(0, STREAM_BYTES_MAX, STREAM_RANGES_MAX);
        Half { stream, first: None, at_start: false, ended: false, need: 0, closed: false }
    }
}

/// A flow as naive as can be.
pub(crate) struct Flow {
    pub(crate) opener: Endpoint,
    pub(crate) other: Endpoint,
    pub(crate) carrier: Carrier,
    pub(crate) dissector: Option<&'static str>,
    pub(crate) said: Said,
    halves: [Half; 2],
    state: Option<Box<dyn Dissector>>,
    over: bool,
    calls: usize,
}

impl Flow {
    pub(crate) fn new(opener: Endpoint, other: Endpoint, carrier: Carrier) -> Self {
        Flow {
            opener,
            other,
            carrier,
            dissector: None,
            said: Said::default(),
            halves: [Half::new(), Half::new()],
            state: None,
            over: false,
            calls: 0,
        }
    }

    fn input<'a>(&self, direction: Direction, ts: Timestamp, bytes: &'a [u8]) -> Input<'a> {
        let (src, dst) = if direction == Direction::Forward { (self.opener, self.other) } else { (self.other, self.opener) };
        let half = &self.halves[direction as usize];
        let at_start = half.at_start && half.stream.start() == 0;
        Input { ts, carrier: self.carrier, direction, src, dst, src_mac: None, bytes, at_start, at_end: half.ended }
    }

    pub(crate) fn datagram(&mut self, direction: Direction, ts: Timestamp, bytes: &[u8]) {
        let input = self.input(direction, ts, bytes);
        if self.over {
            return;
        }
        if self.state.is_none() {
            match choose(&input) {
                Ok(def) => self.start(def),
                Err(_) => return,
            }
        }
        if let Some(state) = &mut self.state {
            self.over = matches!(state.read(&input, &mut self.said), Progress::FlowDone | Progress::Done);
        }
    }

    fn start(&mut self, def: &'static DissectorDef) {
        self.dissector = Some(def.name);
        self.state = Some((def.start)());
    }

    pub(crate) fn segment(&mut self, direction: Direction, ts: Timestamp, seq: u32, syn: bool, fin: bool, bytes: &[u8]) {
        let half = &mut self.halves[direction as usize];
        let seq = if syn { seq.wrapping_add(1) } else { seq };
        if syn {
            half.at_start = true;
        }
        if bytes.is_empty() && !syn && !fin {
            return;
        }
        let offset = seq.wrapping_sub(*half.first.get_or_insert(seq));
        if offset < 1 << 30 {
            half.stream.insert(u64::from(offset), bytes);
        }
        half.ended |= fin;
        self.pump(direction, ts);
    }

    /// Bytes that never came are given up.
    pub(crate) fn finish(&mut self, ts: Timestamp) {
        for direction in [Direction::Forward, Direction::Backward] {
            while !self.over && self.halves[direction as usize].stream.has_gap() {
                let half = &mut self.halves[direction as usize];
                half.stream.consume(half.stream.readable().len());
                half.stream.skip_gap();
                half.at_start = false;
                half.need = 0;
                if let Some(state) = &mut self.state {
                    match state.gap(direction) {
                        Progress::FlowDone => self.over = true,
                        Progress::Done => half.closed = true,
                        _ => {}
                    }
                }
                self.pump(direction, ts);
            }
        }
    }

    fn pump(&mut self, direction: Direction, ts: Timestamp) {
        while !self.over && !self.halves[direction as usize].closed {
            let bytes = self.halves[direction as usize].stream.readable().to_vec();
            let half = &self.halves[direction as usize];
            if (bytes.is_empty() || bytes.len() < half.need) && !half.ended {
                return;
            }
            let input = self.input(direction, ts, &bytes);
            let fresh = self.state.is_none();
            if fresh {
                match choose(&input) {
                    Ok(def) => self.start(def),
                    Err(Probe::No) if !bytes.is_empty() => self.over = true,
                    Err(_) => return,
                }
            }
            let Some(state) = &mut self.state else { return };
            self.calls += 1;
            let half = &mut self.halves[direction as usize];
            let mut stop = false;
            match state.read(&input, &mut self.said) {
                Progress::Continue { consumed, need } => {
                    assert!(consumed > 0 || need == 0 || need > bytes.len() || half.ended, "wants {need}, has {}", bytes.len());
                    half.stream.consume(consumed);
                    half.need = need;
                    stop = consumed == 0 || consumed >= bytes.len();
                }
                Progress::HandOver { consumed } => {
                    half.stream.consume(consumed);
                    self.state = None;
                    self.halves.iter_mut().for_each(|h| h.need = 0);
                    self.pump(direction, ts);
                    return self.pump(direction.reverse(), ts);
                }
                Progress::Done => half.closed = true,
                Progress::FlowDone => self.over = true,
            }
            if fresh {
                self.pump(direction.reverse(), ts);
            }
            if stop {
                return;
            }
        }
    }
}

fn choose(input: &Input<'_>) -> Result<&'static DissectorDef, Probe> {
    for def in DISSECTORS.iter().filter(|d| d.carriers.contains(&input.carrier)) {
        match (def.probe)(input) {
            Probe::Match => return Ok(def),
            Probe::More => return Err(Probe::More),
            Probe::No => {}
        }
    }
    Err(Probe::No)
}

/// A connection that a test writes down, both ends taking turns.
pub(crate) struct Script {
    flow: Flow,
    sent: [u32; 2],
    syn: bool,
    ts: Timestamp,
}

/// 2025-01-01T00:00:01Z, the time of the made capture's first flow.
pub(crate) const NOW_SECS: u64 = 1_735_689_601;

impl Script {
    pub(crate) fn tcp(sport: u16, dport: u16) -> Self {
        let end = |host, port| Endpoint { addr: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), port };
        let flow = Flow::new(end(1, sport), end(2, dport), Carrier::Tcp);
        Script { flow, sent: [0; 2], syn: true, ts: Timestamp::from_secs_nanos(NOW_SECS, 0) }
    }

    /// The connection's start is not seen.
    pub(crate) fn midstream(mut self) -> Self {
        self.syn = false;
        self
    }

    /// Time passes.
    pub(crate) fn wait(mut self, secs: u64) -> Self {
        self.ts = self.ts.after(Duration::from_secs(secs));
        self
    }

    fn part(mut self, direction: Direction, bytes: &[u8], piece: usize, fin: bool) -> Self {
        let sent = &mut self.sent[direction as usize];
        if self.syn && *sent == 0 {
            self.flow.segment(direction, self.ts, 1_000u32.wrapping_sub(1), true, false, &[]);
        }
        for bytes in bytes.chunks(piece.max(1)) {
            let seq = 1_000 + self.sent[direction as usize];
            self.sent[direction as usize] += u32::try_from(bytes.len()).expect("short");
            self.flow.segment(direction, self.ts, seq, false, false, bytes);
        }
        if fin {
            let seq = 1_000 + self.sent[direction as usize];
            self.flow.segment(direction, self.ts, seq, false, true, &[]);
        }
        self
    }

    /// The opener sends, in pieces.
    pub(crate) fn send(self, bytes: &[u8], piece: usize) -> Self {
        self.part(Direction::Forward, bytes, piece, false)
    }

    /// The other end sends, in pieces.
    pub(crate) fn reply(self, bytes: &[u8], piece: usize) -> Self {
        self.part(Direction::Backward, bytes, piece, false)
    }

    /// Both ends close.
    pub(crate) fn close(self) -> Self {
        self.part(Direction::Forward, &[], 1, true).part(Direction::Backward, &[], 1, true)
    }

    /// The opener's next bytes are lost.
    pub(crate) fn lose(mut self, count: u32) -> Self {
        self.sent[0] += count;
        self
    }

    pub(crate) fn said(mut self) -> Said {
        self.flow.finish(self.ts);
        self.flow.said
    }

    pub(crate) fn run(self) -> Vec<String> {
        self.said().records
    }
}

/// What is said about one datagram.
pub(crate) fn datagram(bytes: &[u8], sport: u16, dport: u16) -> Vec<String> {
    let end = |host, port| Endpoint { addr: IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), port };
    let mut flow = Flow::new(end(1, sport), end(2, dport), Carrier::Udp);
    flow.datagram(Direction::Forward, Timestamp::from_secs_nanos(NOW_SECS, 0), bytes);
    flow.said.records
}

/// The folder of shared captures, if it lies beside the checkout.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// Every capture below some of its folders.
pub(crate) fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            files(&path, out);
        } else if !path.extension().is_some_and(|e| e == "tsv" || e == "csv" || e == "md") {
            out.push(path);
        }
    }
    out.sort();
}

/// All flows of a capture, in the order of their first packets.
pub(crate) fn replay(bytes: &[u8]) -> Vec<Flow> {
    replay_in_pieces(bytes, usize::MAX)
}

/// The same with every TCP segment cut in pieces of so many bytes.
pub(crate) fn replay_in_pieces(bytes: &[u8], piece: usize) -> Vec<Flow> {
    let mut table: HashMap<(Endpoint, Endpoint, bool), usize> = HashMap::new();
    let mut flows: Vec<Flow> = Vec::new();
    let mut last = Timestamp::ZERO;
    for (ts, link, frame) in frames(bytes) {
        let Some((src, dst, packet)) = ip_payload(link, frame).and_then(transport) else { continue };
        last = ts;
        let carrier = if matches!(packet, Packet::Udp(_)) { Carrier::Udp } else { Carrier::Tcp };
        let key = (src.min(dst), src.max(dst), carrier == Carrier::Tcp);
        let index = *table.entry(key).or_insert_with(|| {
            let answers = matches!(packet, Packet::Tcp { syn: true, ack: true, .. });
            flows.push(if answers { Flow::new(dst, src, carrier) } else { Flow::new(src, dst, carrier) });
            flows.len() - 1
        });
        let flow = &mut flows[index];
        let direction = if src == flow.opener { Direction::Forward } else { Direction::Backward };
        match packet {
            Packet::Udp(payload) => flow.datagram(direction, ts, payload),
            Packet::Tcp { seq, syn, fin, payload, .. } if syn || fin || payload.len() <= piece => {
                flow.segment(direction, ts, seq, syn, fin, payload);
            }
            Packet::Tcp { seq, payload, .. } => {
                let mut seq = seq;
                for part in payload.chunks(piece) {
                    flow.segment(direction, ts, seq, false, false, part);
                    seq = seq.wrapping_add(u32::try_from(part.len()).expect("short"));
                }
            }
        }
    }
    flows.iter_mut().for_each(|f| f.finish(last));
    flows
}

/// Shows the payload of every TCP segment and UDP datagram.
pub(crate) fn payloads(bytes: &[u8], see: &mut dyn FnMut(&[u8])) {
    for (_, link, frame) in frames(bytes) {
        match ip_payload(link, frame).and_then(transport) {
            Some((_, _, Packet::Udp(payload) | Packet::Tcp { payload, .. })) if !payload.is_empty() => see(payload),
            _ => {}
        }
    }
}

enum Packet<'a> {
    Udp(&'a [u8]),
    Tcp { seq: u32, syn: bool, ack: bool, fin: bool, payload: &'a [u8] },
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn ip_payload(link: u32, frame: &[u8]) -> Option<&[u8]> {
    match link & 0xffff {
        0 | 108 => frame.get(4..),
        12 | 101 | 228 | 229 => Some(frame),
        113 => frame.get(16..),
        276 => frame.get(20..),
        1 => {
            let mut at = 12;
            while matches!(be16(frame, at)?, 0x8100 | 0x88a8 | 0x9100) {
                at += 4;
            }
            matches!(be16(frame, at)?, 0x0800 | 0x86dd).then(|| frame.get(at + 2..))?
        }
        _ => None,
    }
}

fn transport(ip: &[u8]) -> Option<(Endpoint, Endpoint, Packet<'_>)> {
    let (src, dst, protocol, rest): (IpAddr, IpAddr, u8, &[u8]) = match ip.first()? >> 4 {
        4 => {
            let header = usize::from(ip[0] & 15) * 4;
            let rest = ip.get(header..be16(ip, 2)?.max(header).min(ip.len()))?;
            if be16(ip, 6)? & 0x3fff != 0 {
                return None;
            }
            let addr = |at: usize| Some(Ipv4Addr::from(*ip.get(at..)?.first_chunk::<4>()?));
            (addr(12)?.into(), addr(16)?.into(), *ip.get(9)?, rest)
        }
        6 => {
            let addr = |at: usize| Some(Ipv6Addr::from(*ip.get(at..)?.first_chunk::<16>()?));
            (addr(8)?.into(), addr(24)?.into(), *ip.get(6)?, ip.get(40..(40 + be16(ip, 4)?).min(ip.len()))?)
        }
        _ => return None,
    };
    let (src, dst) = (Endpoint { addr: src, port: port(rest, 0)? }, Endpoint { addr: dst, port: port(rest, 2)? });
    match protocol {
        17 => Some((src, dst, Packet::Udp(rest.get(8..)?))),
        6 => {
            let flags = *rest.get(13)?;
            let payload = rest.get(usize::from(rest.get(12)? >> 4) * 4..)?;
            let seq = u32::from_be_bytes(*rest.get(4..)?.first_chunk()?);
            Some((src, dst, Packet::Tcp { seq, syn: flags & 2 != 0, ack: flags & 16 != 0, fin: flags & 1 != 0, payload }))
        }
        _ => None,
    }
}

fn port(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Frames of a pcap or (as far as tests need it) pcapng file, with time and link type.
fn frames(bytes: &[u8]) -> Vec<(Timestamp, u32, &[u8])> {
    let Some(magic) = bytes.first_chunk::<4>() else { return Vec::new() };
    let mut out = Vec::new();
    match u32::from_le_bytes(*magic) {
        0xa1b2_c3d4 | 0xa1b2_3c4d => classic(bytes, u32::from_le_bytes, &mut out),
        0xd4c3_b2a1 | 0x4d3c_b2a1 => classic(bytes, u32::from_be_bytes, &mut out),
        0x0a0d_0d0a if bytes.get(8..12) == Some(&[0x4d, 0x3c, 0x2b, 0x1a]) => blocks(bytes, u32::from_le_bytes, &mut out),
        0x0a0d_0d0a => blocks(bytes, u32::from_be_bytes, &mut out),
        _ => None,
    };
    out
}

fn classic<'a>(bytes: &'a [u8], word: fn([u8; 4]) -> u32, out: &mut Vec<(Timestamp, u32, &'a [u8])>) -> Option<()> {
    let at = |at: usize| Some(word(*bytes.get(at..)?.first_chunk()?));
    let scale = if at(0)? == 0xa1b2_3c4d { 1 } else { 1_000 };
    let (link, mut next) = (at(20)?, 24);
    loop {
        let length = usize::try_from(at(next + 8)?).ok()?;
        let ts = Timestamp::from_secs_nanos(at(next)?.into(), u64::from(at(next + 4)?) * scale);
        out.push((ts, link, bytes.get(next + 16..next.checked_add(16)?.checked_add(length)?)?));
        next += 16 + length;
    }
}

fn blocks<'a>(bytes: &'a [u8], word: fn([u8; 4]) -> u32, out: &mut Vec<(Timestamp, u32, &'a [u8])>) -> Option<()> {
    let at = |at: usize| Some(word(*bytes.get(at..)?.first_chunk()?));
    let (mut next, mut links) = (0, Vec::new());
    loop {
        let (kind, length) = (at(next)?, usize::try_from(at(next + 4)?).ok().filter(|l| *l >= 12)?);
        let body = bytes.get(next + 8..next.checked_add(length)?.checked_sub(4)?)?;
        match kind {
            1 => links.push(at(next + 8)? & if word([1, 0, 0, 0]) == 1 { 0xffff } else { 0xffff_0000 }),
            6 => {
                let micros = u64::from(at(next + 12)?) << 32 | u64::from(at(next + 16)?);
                let link = *links.get(usize::try_from(at(next + 8)?).ok()?)?;
                let captured = usize::try_from(at(next + 20)?).ok()?;
                if let Some(frame) = body.get(20..20usize.checked_add(captured)?) {
                    out.push((Timestamp::from_nanos(micros.saturating_mul(1_000)), link, frame));
                }
            }
            _ => {}
        }
        next += length;
    }
}
