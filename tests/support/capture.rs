//! Frames in order of time, and the capture files that hold them: pcap in four flavours, pcapng with several interfaces.

use std::io::{self, Write};

use ringfence_core::time::Timestamp;

/// Link-layer types (the registry of tcpdump.org).
pub mod link {
    /// BSD loopback.
    pub const NULL: u16 = 0;
    /// Ethernet.
    pub const ETHERNET: u16 = 1;
    /// Raw IP.
    pub const RAW: u16 = 101;
    /// Linux cooked, version 1.
    pub const LINUX_SLL: u16 = 113;
    /// Linux cooked, version 2.
    pub const LINUX_SLL2: u16 = 276;
}

/// One captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When.
    pub at: Timestamp,
    /// Where: an index into the interfaces of the capture.
    pub interface: u32,
    /// What.
    pub bytes: Vec<u8>,
}

/// Collects frames in any order of time.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    frames: Vec<Frame>,
}

impl Trace {
    /// An empty one.
    pub const fn new() -> Self {
        Trace { frames: Vec::new() }
    }

    /// Adds a frame.
    pub fn push(&mut self, at: Timestamp, interface: u32, bytes: Vec<u8>) {
        self.frames.push(Frame { at, interface, bytes });
    }

    /// Adds everything of another one.
    pub fn append(&mut self, mut other: Trace) {
        self.frames.append(&mut other.frames);
    }

    /// The frames by time; those of the same time in the order in which they were added.
    pub fn into_frames(mut self) -> Vec<Frame> {
        self.frames.sort_by_key(|f| f.at);
        self.frames
    }

    /// Forgets what was captured at `end` or later.
    pub fn retain_before(&mut self, end: Timestamp) {
        self.frames.retain(|f| f.at < end);
    }

    /// The same of a copy.
    pub fn sorted(&self) -> Vec<Frame> {
        self.clone().into_frames()
    }
}

/// The flavour of a pcap file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcap {
    /// Nanoseconds in place of microseconds.
    pub nanos: bool,
    /// Big endian.
    pub big_endian: bool,
    /// The link type of every frame.
    pub link_type: u16,
    /// Longer frames are cut to this many bytes.
    pub snaplen: u32,
}

impl Default for Pcap {
    fn default() -> Self {
        Pcap { nanos: false, big_endian: false, link_type: link::ETHERNET, snaplen: 262_144 }
    }
}

/// Writes a pcap file (draft-ietf-opsawg-pcap) frame by frame.
pub struct PcapWriter<W> {
    out: W,
    flavour: Pcap,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn new(mut out: W, flavour: Pcap) -> io::Result<Self> {
        let order = Order { big: flavour.big_endian };
        let mut header = Vec::with_capacity(24);
        order.u32(&mut header, if flavour.nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
        order.u16(&mut header, 2);
        order.u16(&mut header, 4);
        order.u32(&mut header, 0);
        order.u32(&mut header, 0);
        order.u32(&mut header, flavour.snaplen);
        order.u32(&mut header, u32::from(flavour.link_type));
        out.write_all(&header)?;
        Ok(PcapWriter { out, flavour })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn frame(&mut self, at: Timestamp, bytes: &[u8]) -> io::Result<()> {
        let order = Order { big: self.flavour.big_endian };
        let kept = bytes.len().min(self.flavour.snaplen as usize);
        let part = at.nanos() % 1_000_000_000;
        let mut header = Vec::with_capacity(16);
        order.u32(&mut header, at.secs() as u32);
        order.u32(&mut header, if self.flavour.nanos { part } else { part / 1000 } as u32);
        order.u32(&mut header, kept as u32);
        order.u32(&mut header, bytes.len() as u32);
        self.out.write_all(&header)?;
        self.out.write_all(&bytes[..kept])
    }
}

/// A pcap file as a whole; interfaces are lost.
///
/// # Panics
/// Never: memory takes every byte.
pub fn pcap(frames: &[Frame], flavour: Pcap) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = PcapWriter::new(&mut file, flavour).expect("memory");
    for frame in frames {
        writer.frame(frame.at, &frame.bytes).expect("memory");
    }
    file
}

/// One interface of a pcapng file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `if_name`; empty for none.
    pub name: String,
    /// Link type of its frames.
    pub link_type: u16,
    /// Frames are cut to this many bytes; 0 for no limit.
    pub snaplen: u32,
    /// `if_tsresol` 9 in place of the default 6.
    pub nanos: bool,
}

impl Interface {
    /// Ethernet, whole frames, microseconds.
    pub fn ethernet(name: &str) -> Self {
        Interface { name: name.into(), link_type: link::ETHERNET, snaplen: 0, nanos: false }
    }
}

/// A pcapng file of one section (draft-ietf-opsawg-pcapng), every frame in an enhanced packet block.
pub fn pcapng(frames: &[Frame], interfaces: &[Interface], big_endian: bool) -> Vec<u8> {
    let order = Order { big: big_endian };
    let mut file = Vec::new();
    let mut section = Vec::new();
    order.u32(&mut section, 0x1a2b_3c4d);
    order.u16(&mut section, 1);
    order.u16(&mut section, 0);
    section.extend([0xff; 8]);
    order.block(&mut file, 0x0a0d_0d0a, &section);
    for interface in interfaces {
        order.block(&mut file, 1, &order.interface(interface));
    }
    for frame in frames {
        let interface = interfaces.get(frame.interface as usize);
        order.block(&mut file, 6, &order.enhanced(frame, interface));
    }
    file
}

/// Byte order of a file.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn u16(self, out: &mut Vec<u8>, value: u16) {
        out.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(self, out: &mut Vec<u8>, value: u32) {
        out.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn option(self, out: &mut Vec<u8>, code: u16, value: &[u8]) {
        self.u16(out, code);
        self.u16(out, value.len() as u16);
        out.extend(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }

    fn block(self, out: &mut Vec<u8>, kind: u32, body: &[u8]) {
        let total = body.len().next_multiple_of(4) + 12;
        self.u32(out, kind);
        self.u32(out, total as u32);
        out.extend(body);
        out.resize(out.len().next_multiple_of(4), 0);
        self.u32(out, total as u32);
    }

    fn interface(self, interface: &Interface) -> Vec<u8> {
        let mut body = Vec::new();
        self.u16(&mut body, interface.link_type);
        self.u16(&mut body, 0);
        self.u32(&mut body, interface.snaplen);
        if !interface.name.is_empty() {
            self.option(&mut body, 2, interface.name.as_bytes());
        }
        if interface.nanos {
            self.option(&mut body, 9, &[9]);
        }
        if body.len() > 8 {
            self.option(&mut body, 0, &[]);
        }
        body
    }

    fn enhanced(self, frame: &Frame, interface: Option<&Interface>) -> Vec<u8> {
        let snaplen = interface.map_or(0, |i| i.snaplen) as usize;
        let kept = if snaplen == 0 { frame.bytes.len() } else { frame.bytes.len().min(snaplen) };
        let time = if interface.is_some_and(|i| i.nanos) { frame.at.nanos() } else { frame.at.nanos() / 1000 };
        let mut body = Vec::new();
        self.u32(&mut body, frame.interface);
        self.u32(&mut body, (time >> 32) as u32);
        self.u32(&mut body, time as u32);
        self.u32(&mut body, kept as u32);
        self.u32(&mut body, frame.bytes.len() as u32);
        body.extend(&frame.bytes[..kept]);
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let mut trace = Trace::new();
        for (secs, nanos, byte) in [(7, 5_000, 3), (2, 999_999_000, 1), (7, 4_000, 2)] {
            trace.push(Timestamp::from_secs_nanos(secs, nanos), 0, vec![byte; 61]);
        }
        trace.into_frames()
    }

    /// What libpcap makes of a file.
    fn read_back(bytes: &[u8]) -> Vec<(i64, i64, u32, Vec<u8>)> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut capture = pcap::Capture::from_file(file.path()).unwrap();
        let mut seen = Vec::new();
        while let Ok(packet) = capture.next_packet() {
            seen.push((packet.header.ts.tv_sec, packet.header.ts.tv_usec, packet.header.len, packet.data.to_vec()));
        }
        seen
    }

    #[test]
    fn libpcap_reads_every_flavour() {
        let expected: Vec<_> = [(2, 999_999, 61, vec![1; 61]), (7, 4, 61, vec![2; 61]), (7, 5, 61, vec![3; 61])].into_iter().collect();
        for (nanos, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(read_back(&pcap(&frames(), Pcap { nanos, big_endian, ..Pcap::default() })), expected);
            let interface = Interface { nanos, ..Interface::ethernet("span0") };
            assert_eq!(read_back(&pcapng(&frames(), &[interface], big_endian)), expected);
        }
    }

    #[test]
    fn snapped_frames_keep_their_length() {
        let seen = read_back(&pcap(&frames(), Pcap { snaplen: 10, ..Pcap::default() }));
        assert!(seen.iter().all(|(_, _, len, bytes)| *len == 61 && bytes.len() == 10));
    }
}
