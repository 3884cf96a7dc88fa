//! What this machine can do for a capture: asked before one is made.

use std::io;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::handle::{Handle, Unopened};
use super::interface::{Interface, Interfaces};
use super::{Filter, LiveOptions, socket};

pub use socket::clock_discipline;

/// A small capture for a moment.
fn options(interface: &str) -> LiveOptions {
    LiveOptions { interface: interface.to_string(), buffer_bytes: 2 << 20, filter: Filter::All, ..LiveOptions::default() }
}

/// Whether the kernel has the ring format TPACKET_V3.
///
/// # Errors
/// When it has not, or when packet sockets are not permitted.
pub fn ring() -> io::Result<()> {
    let packet = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    socket::use_ring_version_3(&packet)
}

/// Whether rings on loopback can share its frames as the sensor needs it.
///
/// # Errors
/// What the kernel refused.
pub fn fanout() -> Result<(), String> {
    let lo = found("lo")?;
    // A group of this process alone, as far as a number of 16 bits can tell.
    let fanout_group = (std::process::id() & 0xffff) as u16;
    let join = |ring| Handle::open(&LiveOptions { rings: 2, ring, fanout_group, promiscuous: false, ..options("lo") }, &lo).map_err(why);
    let first = join(0)?;
    join(1).map(|_second| drop(first))
}

/// Whether an interface delivers the frames of other stations.
///
/// # Errors
/// When it cannot be opened, or does not switch.
pub fn promiscuous(interface: &str) -> Result<(), String> {
    let before = found(interface)?;
    let _open = Handle::open(&options(interface), &before).map_err(why)?;
    let during = found(interface)?;
    if during.promiscuity > 0 { Ok(()) } else { Err(format!("{interface} did not switch to promiscuous mode")) }
}

fn found(interface: &str) -> Result<Interface, String> {
    let found = Interfaces::open().and_then(|mut interfaces| interfaces.find(interface)).map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("there is no interface {interface}"))
}

fn why(unopened: Unopened) -> String {
    match unopened {
        Unopened::Refused(why) | Unopened::NotNow(why) => why,
    }
}

/// What the driver of an interface merges or cuts (ethtool -k); `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// The kernel merges segments that arrive, and can take them apart again.
    pub gro: Option<bool>,
    /// The card merges segments that arrive; their headers are lost.
    pub lro: Option<bool>,
    /// The card cuts segments that are sent: this machine's own are seen uncut.
    pub tso: Option<bool>,
}

// linux/ethtool.h
const ETHTOOL_GRINGPARAM: u32 = 0x10;
const ETHTOOL_GTSO: u32 = 0x1e;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETH_FLAG_LRO: u32 = 1 << 15;

fn ask(interface: &str, command: u32) -> io::Result<[u32; 16]> {
    let any = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut words = [0; 16];
    words[0] = command;
    socket::ethtool(&any, interface, &mut words)?;
    Ok(words)
}

/// The offloads of an interface.
pub fn offloads(interface: &str) -> Offloads {
    let value = |command| ask(interface, command).ok().map(|words| words[1]);
    Offloads {
        gro: value(ETHTOOL_GGRO).map(|v| v != 0),
        lro: value(ETHTOOL_GFLAGS).map(|v| v & ETH_FLAG_LRO != 0),
        tso: value(ETHTOOL_GTSO).map(|v| v != 0),
    }
}

/// The descriptors of an interface's receive ring: how many it has, how many it could have.
///
/// # Errors
/// `EOPNOTSUPP` when the driver has no such ring.
pub fn receive_ring(interface: &str) -> io::Result<(u32, u32)> {
    ask(interface, ETHTOOL_GRINGPARAM).map(|words| (words[5], words[1]))
}
