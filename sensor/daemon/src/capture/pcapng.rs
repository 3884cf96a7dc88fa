//! pcapng files (draft-ietf-opsawg-pcapng): sections in either byte order, several interfaces and link types, time options,
//! enhanced, simple and obsolete packet blocks. Every other block is stepped over without being held.
//!
//! Must not know files, compression or classic pcap.

use std::io;

use ringfence_core::time::Timestamp;

use super::pcap::{Located, Next, Order, RECORD_BYTES_MAX, Stop, end_between};
use super::window::Window;

/// Block types (section 11.1).
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// A block above this is damage: Wireshark's bound. Smaller blocks that are no packets are skipped, never held.
const BLOCK_BYTES_MAX: u32 = 128 * 1024 * 1024;

/// A file that ends inside a block of up to this many bytes was cut; beyond, the length is not believed.
const CUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of an interface description that are read for its options; names and filters come close to 1 KiB.
const INTERFACE_BYTES_MAX: usize = 64 * 1024;

/// Interfaces of one section: as many as a frame's interface number can tell apart.
const INTERFACES_MAX: usize = 1 << 16;

/// Option codes (sections 3.5 and 4.2).
const OPT_END: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// How ticks become nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// Ticks of so many nanoseconds.
    Times(u64),
    /// So many ticks per nanosecond; 0 when they are too many to count.
    Over(u64),
    /// Ticks of 2^-n seconds.
    Binary(u8),
}

impl Clock {
    /// From the option if_tsresol (section 4.2): a negative power of 10, or of 2 when the highest bit is set.
    fn from_option(value: u8) -> Self {
        if value & 0x80 != 0 {
            return Clock::Binary(value & 0x7f);
        }
        match value {
            0..=9 => Clock::Times(10u64.pow(9 - u32::from(value))),
            _ => Clock::Over(10u64.checked_pow(u32::from(value) - 9).unwrap_or(0)),
        }
    }

    #[inline]
    fn nanos(self, ticks: u64) -> u64 {
        match self {
            Clock::Times(nanos) => ticks.saturating_mul(nanos),
            Clock::Over(ticks_per_nano) => ticks.checked_div(ticks_per_nano).unwrap_or(0),
            Clock::Binary(shift) => u64::try_from((u128::from(ticks) * 1_000_000_000) >> shift).unwrap_or(u64::MAX),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link_type: u16,
    snaplen: u32,
    clock: Clock,
    offset_secs: i64,
}

impl Interface {
    #[inline]
    fn timestamp(&self, ticks: u64) -> Timestamp {
        let nanos = self.clock.nanos(ticks);
        if self.offset_secs == 0 {
            return Timestamp::from_nanos(nanos);
        }
        let shifted = i128::from(nanos) + i128::from(self.offset_secs) * 1_000_000_000;
        Timestamp::from_nanos(u64::try_from(shifted.max(0)).unwrap_or(u64::MAX))
    }
}

/// Why a block is stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// A packet of an interface that was not described before it.
    NoInterface,
    /// A packet block too short for what it claims to hold.
    Lie,
    /// An interface beyond those that are kept.
    TooMany,
    /// An option that runs beyond its block; only the options are ignored.
    Option,
}

impl Skip {
    pub const ALL: [Skip; 4] = [Skip::NoInterface, Skip::Lie, Skip::TooMany, Skip::Option];

    /// What warnings say.
    pub fn what(self) -> &'static str {
        match self {
            Skip::NoInterface => "a packet names an interface that is not described before it",
            Skip::Lie => "a packet block claims more bytes than it has",
            Skip::TooMany => "more than 65,536 interfaces in one section",
            Skip::Option => "an option runs beyond the end of its block",
        }
    }
}

/// What is left of a block after the part that was used.
#[derive(Clone, Copy, Debug)]
struct Rest {
    start: u64,
    /// Bytes up to and without the trailing length.
    skip: u64,
    total: u32,
}

/// A file after its first section header.
#[derive(Clone, Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// The number of this section's first interface.
    base: u32,
    rest: Option<Rest>,
    last: Timestamp,
    skips: [Option<(u64, u64)>; Skip::ALL.len()],
}

impl Pcapng {
    /// Reads the first section header when the magic number says that this is one. Interfaces are counted from `base`.
    pub fn open(window: &mut Window, base: u16) -> io::Result<Option<Result<Self, Stop>>> {
        if !window.need(4)? || !window.bytes().starts_with(&SECTION.to_be_bytes()) {
            return Ok(None);
        }
        let mut file = Pcapng {
            order: Order::Little,
            interfaces: Vec::new(),
            base: u32::from(base),
            rest: None,
            last: Timestamp::ZERO,
            skips: [None; Skip::ALL.len()],
        };
        Ok(Some(match file.section(window)? {
            None => Ok(file),
            Some(stop) => Err(Stop { cut: false, ..stop }),
        }))
    }

    /// The number for the first interface of whatever is read after this file.
    pub fn next_base(&self) -> u32 {
        self.base.saturating_add(self.interfaces.len() as u32)
    }

    /// What was stepped over: why, where first, how often.
    pub fn skips(&self) -> impl Iterator<Item = (Skip, u64, u64)> + '_ {
        Skip::ALL.into_iter().zip(self.skips).filter_map(|(skip, at)| at.map(|(offset, times)| (skip, offset, times)))
    }

    /// The next packet.
    #[inline]
    pub fn next(&mut self, window: &mut Window) -> io::Result<Next> {
        loop {
            if let Some(rest) = self.rest.take()
                && let Some(stop) = self.finish(window, rest)?
            {
                return Ok(Next::Stop(Box::new(stop)));
            }
            if !window.need(8)? {
                return Ok(end_between(window, "a block header", 8));
            }
            let (kind, total) = (self.order.u32(window.bytes(), 0), self.order.u32(window.bytes(), 4));
            if kind == SECTION {
                if let Some(stop) = self.section(window)? {
                    return Ok(Next::Stop(Box::new(stop)));
                }
                continue;
            }
            if let Some(stop) = implausible(window.offset(), total) {
                return Ok(Next::Stop(Box::new(stop)));
            }
            let block = match kind {
                ENHANCED_PACKET | OBSOLETE_PACKET => self.packet(window, kind, total)?,
                SIMPLE_PACKET => self.simple(window, total)?,
                INTERFACE => self.interface(window, total)?,
                _ => self.skip(window, total),
            };
            match block {
                Found::Frame(frame) => return Ok(Next::Frame(frame)),
                Found::Ended => return Ok(Next::Stop(Box::new(ended(window, window.offset(), total)))),
                Found::Nothing => {}
            }
        }
    }

    /// Steps over what is left of a block and compares the two lengths.
    #[inline]
    fn finish(&mut self, window: &mut Window, rest: Rest) -> io::Result<Option<Stop>> {
        if !window.skip(rest.skip)? || !window.need(4)? {
            return Ok(Some(ended(window, rest.start, rest.total)));
        }
        let tail = self.order.u32(window.bytes(), 0);
        if tail != rest.total {
            let what = format!("a block says {} bytes at its start but {tail} at its end", rest.total);
            return Ok(Some(Stop::damaged(rest.start, what)));
        }
        window.consume(4);
        Ok(None)
    }

    /// A section header (section 4.1): the byte order and the version; interfaces start anew.
    fn section(&mut self, window: &mut Window) -> io::Result<Option<Stop>> {
        if !window.need(16)? {
            return Ok(Some(Stop::ended(window, window.offset(), "a section header", 28)));
        }
        let (header, at) = (window.bytes(), window.offset());
        self.order = match header.get(8..12) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
            _ => return Ok(Some(Stop::damaged(at, "a section header without a byte-order magic".to_string()))),
        };
        let (total, major, minor) = (self.order.u32(header, 4), self.order.u16(header, 12), self.order.u16(header, 14));
        if let Some(stop) = implausible(at, total) {
            return Ok(Some(stop));
        }
        if total < 28 || major != 1 {
            let what = match major {
                1 => format!("a section header of {total} bytes, but it has at least 28"),
                _ => format!("pcapng version {major}.{minor}, but only 1.x is known"),
            };
            return Ok(Some(Stop::damaged(at, what)));
        }
        self.base = self.next_base();
        self.interfaces.clear();
        window.consume(16);
        self.rest = Some(Rest { start: at, skip: u64::from(total) - 20, total });
        Ok(None)
    }

    /// An interface description (section 4.2).
    fn interface(&mut self, window: &mut Window, total: u32) -> io::Result<Found> {
        let head = (total as usize - 4).min(INTERFACE_BYTES_MAX);
        if total < 20 {
            self.count(Skip::Lie, window.offset());
            return Ok(self.skip(window, total));
        }
        if !window.need(head)? {
            return Ok(Found::Ended);
        }
        let (block, order) = (window.bytes().get(..head).unwrap_or_default(), self.order);
        let mut interface =
            Interface { link_type: order.u16(block, 8), snaplen: order.u32(block, 12), clock: Clock::Times(1_000), offset_secs: 0 };
        let whole = options(order, block.get(16..).unwrap_or_default(), |code, value| match (code, value) {
            (IF_TSRESOL, [resolution, ..]) => interface.clock = Clock::from_option(*resolution),
            (IF_TSOFFSET, [_, _, _, _, _, _, _, _]) => interface.offset_secs = seconds(order, value),
            _ => {}
        });
        if !whole && head as u64 + 4 == u64::from(total) {
            self.count(Skip::Option, window.offset());
        }
        if self.interfaces.len() < INTERFACES_MAX {
            self.interfaces.push(interface);
        } else {
            self.count(Skip::TooMany, window.offset());
        }
        Ok(self.skip(window, total))
    }

    /// An enhanced packet (section 4.3) or an obsolete one (appendix A): they differ in the width of the interface number.
    #[inline]
    fn packet(&mut self, window: &mut Window, kind: u32, total: u32) -> io::Result<Found> {
        const HEAD: u32 = 28;
        if total < HEAD + 4 {
            self.count(Skip::Lie, window.offset());
            return Ok(self.skip(window, total));
        }
        if !window.need(HEAD as usize)? {
            return Ok(Found::Ended);
        }
        let (head, order) = (window.bytes(), self.order);
        let index = if kind == ENHANCED_PACKET { order.u32(head, 8) } else { u32::from(order.u16(head, 8)) };
        let ticks = u64::from(order.u32(head, 12)) << 32 | u64::from(order.u32(head, 16));
        let (caplen, len) = (order.u32(head, 20), order.u32(head, 24));
        let Some(interface) = self.interfaces.get(index as usize).copied() else {
            self.count(Skip::NoInterface, window.offset());
            return Ok(self.skip(window, total));
        };
        self.last = interface.timestamp(ticks);
        self.frame(window, Body { total, head: HEAD, caplen, len, index, link_type: interface.link_type })
    }

    /// A simple packet (section 4.4): the first interface, no time of its own; it gets the time of the packet before it.
    fn simple(&mut self, window: &mut Window, total: u32) -> io::Result<Found> {
        const HEAD: u32 = 12;
        if total < HEAD + 4 {
            self.count(Skip::Lie, window.offset());
            return Ok(self.skip(window, total));
        }
        if !window.need(HEAD as usize)? {
            return Ok(Found::Ended);
        }
        let len = self.order.u32(window.bytes(), 8);
        let Some(interface) = self.interfaces.first().copied() else {
            self.count(Skip::NoInterface, window.offset());
            return Ok(self.skip(window, total));
        };
        let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
        let caplen = len.min(snaplen).min(total - HEAD - 4);
        self.frame(window, Body { total, head: HEAD, caplen, len, index: 0, link_type: interface.link_type })
    }

    #[inline]
    fn frame(&mut self, window: &mut Window, body: Body) -> io::Result<Found> {
        if body.caplen > body.total - body.head - 4 || body.caplen > RECORD_BYTES_MAX {
            self.count(Skip::Lie, window.offset());
            return Ok(self.skip(window, body.total));
        }
        if !window.need((body.head + body.caplen) as usize)? {
            return Ok(Found::Ended);
        }
        let start = window.offset();
        window.consume(body.head as usize);
        let place = window.consume(body.caplen as usize);
        self.rest = Some(Rest { start, skip: u64::from(body.total - 4 - body.head - body.caplen), total: body.total });
        let interface = u16::try_from(self.base.saturating_add(body.index)).unwrap_or(u16::MAX);
        Ok(Found::Frame(Located { ts: self.last, link_type: body.link_type, interface, wire_len: body.len.max(body.caplen), place }))
    }

    /// Leaves the block that starts at the window's position to be stepped over.
    fn skip(&mut self, window: &Window, total: u32) -> Found {
        self.rest = Some(Rest { start: window.offset(), skip: u64::from(total) - 4, total });
        Found::Nothing
    }

    fn count(&mut self, skip: Skip, offset: u64) {
        if let Some(slot) = self.skips.get_mut(skip as usize) {
            let (first, times) = slot.unwrap_or((offset, 0));
            *slot = Some((first, times.saturating_add(1)));
        }
    }
}

/// The stream is over inside a block.
fn ended(window: &Window, start: u64, total: u32) -> Stop {
    let stop = Stop::ended(window, start, "a block", u64::from(total));
    Stop { cut: stop.cut && u64::from(total) <= CUT_BYTES_MAX, ..stop }
}

/// What a block gave.
enum Found {
    Frame(Located),
    Nothing,
    Ended,
}

/// The numbers of a packet block.
struct Body {
    total: u32,
    head: u32,
    caplen: u32,
    len: u32,
    index: u32,
    link_type: u16,
}

/// A block length that no block can have.
#[inline]
fn implausible(offset: u64, total: u32) -> Option<Stop> {
    if total >= 12 && total.is_multiple_of(4) && total <= BLOCK_BYTES_MAX {
        return None;
    }
    let what = format!("a block claims {total} bytes; it must be a multiple of 4 between 12 and {BLOCK_BYTES_MAX}");
    Some(Stop::damaged(offset, what))
}

/// Walks over options (section 3.5); false when one runs beyond the end.
fn options(order: Order, mut bytes: &[u8], mut each: impl FnMut(u16, &[u8])) -> bool {
    while bytes.len() >= 4 {
        let (code, len) = (order.u16(bytes, 0), usize::from(order.u16(bytes, 2)));
        if code == OPT_END {
            break;
        }
        let Some(value) = bytes.get(4..4 + len) else { return false };
        each(code, value);
        bytes = bytes.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
    }
    true
}

fn seconds(order: Order, value: &[u8]) -> i64 {
    let Some(bytes) = value.first_chunk() else { return 0 };
    if order == Order::Little { i64::from_le_bytes(*bytes) } else { i64::from_be_bytes(*bytes) }
}
