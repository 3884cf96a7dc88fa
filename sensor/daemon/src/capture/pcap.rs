//! Classic capture files (draft-ietf-opsawg-pcap): microseconds or nanoseconds, either byte order, versions 2.0 to 2.4 and later 2.x.
//!
//! Must not know files, compression or pcapng.

use std::io;
use std::ops::Range;

use ringfence_core::decode::Frame;
use ringfence_core::time::Timestamp;

use super::window::{Ended, Window};

/// The most bytes that one record may hold: libpcap's MAXIMUM_SNAPLEN, which no link type that carries IP exceeds.
pub(super) const RECORD_BYTES_MAX: u32 = 256 * 1024;

const HEADER: usize = 24;
pub(super) const RECORD_HEADER: usize = 16;

/// The order of the bytes in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The 16-bit number at `at`; 0 when the bytes are not there (callers look first).
    #[inline]
    pub fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let Some(b) = bytes.get(at..).and_then(|b| b.first_chunk()) else { return 0 };
        if self == Order::Little { u16::from_le_bytes(*b) } else { u16::from_be_bytes(*b) }
    }

    /// The 32-bit number at `at`; 0 when the bytes are not there (callers look first).
    #[inline]
    pub fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let Some(b) = bytes.get(at..).and_then(|b| b.first_chunk()) else { return 0 };
        if self == Order::Little { u32::from_le_bytes(*b) } else { u32::from_be_bytes(*b) }
    }

    /// Four 32-bit numbers.
    #[inline(always)]
    fn words(self, bytes: &[u8; RECORD_HEADER]) -> [u32; 4] {
        let mut words = [0; 4];
        words.iter_mut().zip(bytes.as_chunks::<4>().0).for_each(|(to, word)| *to = u32::from_le_bytes(*word));
        if self == Order::Big { words.map(u32::swap_bytes) } else { words }
    }
}

/// A frame whose bytes are in the window.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub ts: Timestamp,
    pub link_type: u16,
    pub interface: u16,
    pub wire_len: u32,
    pub place: Range<usize>,
}

/// What comes next in a file.
#[derive(Clone, Debug)]
pub(super) enum Next {
    Frame(Located),
    End,
    Stop(Box<Stop>),
}

/// Why reading stops before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// The file just ends (else it is damaged).
    pub cut: bool,
    /// Where the thing starts that cannot be read.
    pub offset: u64,
    pub what: String,
    pub help: Option<&'static str>,
}

impl Stop {
    pub fn damaged(offset: u64, what: String) -> Self {
        Stop { cut: false, offset, what, help: Some("get the file again, or cut it before this byte") }
    }

    /// The stream is over inside a thing of `expected` bytes that begins at `start`.
    pub fn ended(window: &Window, start: u64, thing: &str, expected: u64) -> Self {
        let (cut, what, help) = match window.ended() {
            Some(Ended::Damaged(what, help)) => (false, what.clone(), *help),
            Some(Ended::Cut(what)) => (true, (*what).to_string(), None),
            _ => {
                let have = window.offset().saturating_sub(start).saturating_add(window.bytes().len() as u64);
                (true, format!("{thing} of {expected} bytes begins here, but the file ends after {have} of them"), None)
            }
        };
        Stop { cut, offset: start, what, help }
    }
}

/// The end of a stream between two records: clean, unless the compressed data itself broke off.
pub(super) fn end_between(window: &Window, thing: &str, expected: u64) -> Next {
    if window.bytes().is_empty() && matches!(window.ended(), None | Some(Ended::Clean)) {
        return Next::End;
    }
    Next::Stop(Box::new(Stop::ended(window, window.offset(), thing, expected)))
}

/// How long the frame was and how much of it is in the file, as old versions swapped them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    AsNow,
    /// Up to version 2.2.
    Swapped,
    /// Version 2.3 has files of both kinds: the smaller one is what is in the file.
    Either,
}

/// What the header of a record says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub ts: Timestamp,
    /// Bytes of the frame in the file.
    pub caplen: u32,
    pub wire_len: u32,
}

/// A file after its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    order: Order,
    nanos_per_tick: u64,
    link_type: u16,
    interface: u16,
    lengths: Lengths,
}

impl Pcap {
    /// Reads the file header when the magic number says that this is one.
    pub fn open(window: &mut Window, interface: u16) -> io::Result<Option<Result<Self, Stop>>> {
        window.need(HEADER)?;
        let Some((order, nanos_per_tick)) = window.bytes().first_chunk().and_then(magic) else { return Ok(None) };
        if window.bytes().len() < HEADER {
            let stop = Stop::ended(window, window.offset(), "a file header", HEADER as u64);
            return Ok(Some(Err(Stop { cut: false, help: stop.help.or(Some("nothing was captured into it: capture again")), ..stop })));
        }
        let header = window.bytes();
        let (major, minor, link) = (order.u16(header, 4), order.u16(header, 6), order.u32(header, 20));
        let lengths = match (major, minor) {
            (2, 0..=2) => Lengths::Swapped,
            (2, 3) => Lengths::Either,
            (2, _) => Lengths::AsNow,
            _ => return Ok(Some(Err(version(major, minor)))),
        };
        // section 4: bits 28 to 31 hold the FCS length, bit 26 says that it counts, the bits between must be zero
        let link_type = match u16::try_from(link & 0x03ff_ffff) {
            Ok(link_type) => link_type,
            Err(_) => return Ok(Some(Err(unknown_link(link)))),
        };
        window.consume(HEADER);
        Ok(Some(Ok(Pcap { order, nanos_per_tick, link_type, interface, lengths })))
    }

    /// What a record's header says.
    #[inline(always)]
    pub fn head(&self, header: &[u8; RECORD_HEADER]) -> Head {
        let [secs, ticks, first, second] = self.order.words(header);
        let (caplen, len) = self.lengths(first, second);
        let ts = Timestamp::from_secs_nanos(u64::from(secs), u64::from(ticks) * self.nanos_per_tick);
        Head { ts, caplen, wire_len: len.max(caplen) }
    }

    /// A frame of this file.
    #[inline(always)]
    pub fn frame<'b>(&self, head: &Head, bytes: &'b [u8]) -> Frame<'b> {
        Frame { ts: head.ts, link_type: self.link_type, interface: self.interface, bytes, wire_len: head.wire_len, vlan: None }
    }

    /// The next record.
    pub fn next(&mut self, window: &mut Window) -> io::Result<Next> {
        window.need(RECORD_HEADER)?;
        let Some(header) = window.bytes().first_chunk() else {
            return Ok(end_between(window, "a record header", RECORD_HEADER as u64));
        };
        let Head { ts, caplen, wire_len } = self.head(header);
        if caplen > RECORD_BYTES_MAX {
            let what = format!("a record claims {caplen} bytes, more than the {RECORD_BYTES_MAX} that any packet has");
            return Ok(Next::Stop(Box::new(Stop::damaged(window.offset(), what))));
        }
        let size = caplen as usize;
        if !window.need(RECORD_HEADER + size)? {
            return Ok(Next::Stop(Box::new(Stop::ended(window, window.offset(), "a record", (RECORD_HEADER + size) as u64))));
        }
        let record = window.consume(RECORD_HEADER + size);
        Ok(Next::Frame(Located {
            ts,
            link_type: self.link_type,
            interface: self.interface,
            wire_len,
            place: record.start + RECORD_HEADER..record.end,
        }))
    }

    /// The number of its one interface.
    pub fn interface(&self) -> u16 {
        self.interface
    }

    fn lengths(&self, first: u32, second: u32) -> (u32, u32) {
        match self.lengths {
            Lengths::Swapped => (second, first),
            Lengths::Either if first > second => (second, first),
            Lengths::Either | Lengths::AsNow => (first, second),
        }
    }
}

/// The byte order and nanoseconds per tick that a magic number stands for.
fn magic(bytes: &[u8; 4]) -> Option<(Order, u64)> {
    Some(match bytes {
        [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1_000),
        [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1_000),
        [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1),
        [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1),
        _ => return None,
    })
}

fn version(major: u16, minor: u16) -> Stop {
    let what = format!("pcap version {major}.{minor}, but only 2.x is known");
    Stop { cut: false, offset: 4, what, help: Some("if the file is whole, convert it: editcap -F pcapng IN OUT") }
}

fn unknown_link(link: u32) -> Stop {
    let what = format!("link type {link:#010x} has reserved bits set: what the frames are is unknown");
    Stop { cut: false, offset: 20, what, help: Some("if the link type is known, set it: editcap -F pcap -T ether IN OUT") }
}
