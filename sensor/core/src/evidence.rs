//! What a worker tells the correlator: indicators that fired, and the facts needed to tie them to a device.
//!
//! This is the first allocation on a packet's way. What matched nothing never gets here, except the bindings between
//! hardware addresses, network addresses and names that every later join needs; those stay in memory.

use std::net::IpAddr;

use crate::field::Field;
use crate::net::{Endpoint, Mac, Path, Transport};
use crate::record::{BindingSource, Role};
use crate::rules::IndicatorId;
use crate::time::Timestamp;

/// A flow, unique over all workers: the worker in the high bits, its count in the low ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// A flow as the correlator sees it: who asks, who answers, where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowMeta {
    /// Its name.
    pub id: FlowId,
    /// TCP or UDP.
    pub transport: Transport,
    /// The end whose device is judged.
    pub client: Endpoint,
    /// The other end.
    pub server: Endpoint,
    /// Hardware address seen at the client's side.
    pub client_mac: Option<Mac>,
    /// Hardware address seen at the server's side.
    pub server_mac: Option<Mac>,
    /// Which interface delivered it.
    pub interface: u16,
    /// VLANs and tunnels.
    pub path: Path,
    /// First packet.
    pub first: Timestamp,
}

/// An indicator that fired, and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Which one.
    pub indicator: IndicatorId,
    /// On which field.
    pub field: &'static Field,
    /// On which value, made safe to print, at most [`HIT_VALUE_MAX`] bytes.
    pub value: Box<str>,
}

/// Bytes of a matched value that are kept: a host name has at most 253.
pub const HIT_VALUE_MAX: usize = 256;

/// One statement of a worker.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// Indicators fired on one record of a flow.
    Sign(Box<Sign>),
    /// A name that an indicator knows was said to be at an address.
    Learned {
        /// When.
        ts: Timestamp,
        /// On which flow.
        flow: FlowMeta,
        /// Which indicator knows the name.
        indicator: IndicatorId,
        /// The address.
        addr: IpAddr,
        /// Time to live, seconds.
        ttl_secs: u32,
    },
    /// A flow with a watched address as one end.
    Contact {
        /// The flow; the watched address is its server.
        flow: FlowMeta,
        /// Latest packet.
        last: Timestamp,
    },
    /// What a flow that matters has carried so far.
    Traffic {
        /// Which.
        flow: FlowId,
        /// Latest packet.
        last: Timestamp,
        /// Bytes from and to the client.
        bytes: [u64; 2],
        /// A server name was seen in it (which one is nobody's business here).
        named: bool,
        /// Nothing more will come.
        ended: bool,
    },
    /// MAC, address and name belong together.
    Bound(Box<Bound>),
    /// A local DNS suffix was announced.
    Suffix(Box<[u8]>),
    /// A watched hardware address was seen.
    Presence {
        /// When.
        ts: Timestamp,
        /// Who.
        mac: Mac,
        /// With which address.
        addr: IpAddr,
        /// Where.
        interface: u16,
        /// Where.
        path: Path,
    },
}

/// Indicators that fired on one record.
#[derive(Clone, Debug)]
pub struct Sign {
    /// When.
    pub ts: Timestamp,
    /// On which flow.
    pub flow: FlowMeta,
    /// Which end said it, where the content tells.
    pub sender: Option<Role>,
    /// What fired.
    pub hits: Vec<Hit>,
    /// Fingerprints of the record, recorded beside the hits: (field, value).
    pub beside: Vec<(&'static Field, Box<str>)>,
    /// The installation of the app, as a keyed hash.
    pub installation: Option<u64>,
}

/// An owned [`crate::record::Binding`], with its place.
#[derive(Clone, Debug)]
pub struct Bound {
    /// When.
    pub ts: Timestamp,
    /// Which interface delivered it.
    pub interface: u16,
    /// VLANs and tunnels.
    pub path: Path,
    /// How it was learned.
    pub source: BindingSource,
    /// Hardware address.
    pub mac: Option<Mac>,
    /// Network address.
    pub addr: Option<IpAddr>,
    /// Host name.
    pub name: Option<Box<str>>,
    /// DHCP option 60.
    pub vendor_class: Option<Box<str>>,
    /// DHCP option 55, as a keyed hash.
    pub parameters: Option<u64>,
    /// DHCP client identifier, as a keyed hash.
    pub client_id: Option<u64>,
    /// Said in DHCPv6.
    pub v6: bool,
    /// Seconds.
    pub lifetime_secs: Option<u32>,
    /// DHCP relay.
    pub relay: Option<IpAddr>,
    /// Given up.
    pub released: bool,
    /// A router by its own word.
    pub router: bool,
}

/// Bytes off the wire as text that is safe everywhere: printable ASCII stays, everything else becomes `\xNN`.
pub fn safe_text(bytes: &[u8]) -> Box<str> {
    // Without a branch, so that many bytes are looked at in one step.
    let plain = bytes.iter().fold(bytes.len() <= HIT_VALUE_MAX, |plain, byte| plain & matches!(byte, b' '..=b'[' | b']'..=b'~'));
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => text.into(),
        _ => escaped(bytes),
    }
}

#[cold]
fn escaped(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len().min(HIT_VALUE_MAX));
    for byte in bytes {
        if text.len() >= HIT_VALUE_MAX {
            text.push_str("...");
            break;
        }
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_safe() {
        assert_eq!(&*safe_text(b"web.wechat.com"), "web.wechat.com");
        assert_eq!(&*safe_text(b"a\n\x1b[31m\\\xff"), "a\\x0a\\x1b[31m\\\\\\xff");
        assert!(safe_text(&[b'a'; 100_000]).len() < HIT_VALUE_MAX + 8);
    }
}
