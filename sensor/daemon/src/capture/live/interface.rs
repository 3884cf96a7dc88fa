//! What the kernel knows about an interface, asked over rtnetlink: it answers for the namespace of the thread that asks, and needs
//! neither a mounted /sys nor any privilege.
//!
//! Must not know captures.

use std::io;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with};

/// The pseudo-interface of libpcap that delivers the frames of all others.
pub const ANY: &str = "any";

// linux/rtnetlink.h, linux/netlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const HEADER: usize = 16;
const IFINFO: usize = 16;

// linux/if_link.h
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_STATS64: u16 = 23;
const IFLA_NUM_RX_QUEUES: u16 = 32;

// linux/if.h
const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 0x40;
const IFF_PROMISC: u32 = 0x100;

/// An interface as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number: another one under the same name is another interface. 0 for `any`.
    pub index: u32,
    /// Its name now.
    pub name: String,
    /// It was set up (`ip link set ... up`).
    pub up: bool,
    /// It has a carrier: a cable, a peer.
    pub carrier: bool,
    /// Somebody asked for every frame.
    pub promiscuous: bool,
    /// The link type (ARPHRD of linux/if_arp.h; 1 is Ethernet, 772 loopback).
    pub hardware: u16,
    /// Bytes that a packet may have; 0 where there is no such bound.
    pub mtu: u32,
    /// Queues that it receives with.
    pub rx_queues: u32,
    /// Its own counters since it was made.
    pub counters: Counters,
}

/// The receive counters of an interface (`struct rtnl_link_stats64`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub frames: u64,
    /// Frames sent: a capture sees these as well.
    pub sent: u64,
    /// Frames that the interface lost because nobody fetched them in time (`rx_missed_errors`, `rx_fifo_errors`).
    pub missed: u64,
    /// Frames that the kernel threw away after the interface had them (`rx_dropped`): also those that no protocol wanted.
    pub dropped: u64,
    /// Frames that arrived broken (`rx_errors`).
    pub errors: u64,
}

/// A question to the kernel about interfaces.
pub struct Interfaces {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Interfaces {
    /// Opens a netlink socket in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(1)))?;
        Ok(Interfaces { socket, buffer: vec![0; 32 * 1024], sequence: 0 })
    }

    /// The interface of this name; `None` when there is none.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn find(&mut self, name: &str) -> io::Result<Option<Interface>> {
        if name == ANY {
            return Ok(Some(Interface { name: ANY.to_string(), up: true, carrier: true, ..Interface::default() }));
        }
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        self.ask(0, Some((IFLA_IFNAME, &value)))
    }

    /// The interface of this number, whatever it is called now.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn find_index(&mut self, index: u32) -> io::Result<Option<Interface>> {
        self.ask(index, None)
    }

    fn ask(&mut self, index: u32, attribute: Option<(u16, &[u8])>) -> io::Result<Option<Interface>> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = question(self.sequence, index, attribute);
        sendto(&self.socket, &question, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        // An answer to an earlier question that timed out may still lie there.
        for _ in 0..16 {
            let (_, length) = recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
            let message = self.buffer.get(..length).unwrap_or_default();
            if read_u32(message, 8) == Some(self.sequence) {
                return answer(message);
            }
        }
        Err(io::Error::other("the kernel answers other questions than those asked"))
    }
}

fn question(sequence: u32, index: u32, attribute: Option<(u16, &[u8])>) -> Vec<u8> {
    let mut message = vec![0; HEADER + IFINFO];
    message[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
    message[HEADER + 4..HEADER + 8].copy_from_slice(&index.to_ne_bytes());
    if let Some((kind, value)) = attribute {
        message.extend((value.len() as u16 + 4).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
    }
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

fn answer(message: &[u8]) -> io::Result<Option<Interface>> {
    match read_u16(message, 4) {
        Some(NLMSG_ERROR) => match read_u32(message, HEADER).unwrap_or(0).cast_signed().wrapping_neg() {
            // A name that is too long for any interface is refused as out of range.
            libc::ENODEV | libc::ERANGE | libc::EINVAL => Ok(None),
            code => Err(io::Error::from_raw_os_error(code)),
        },
        Some(RTM_NEWLINK) => Ok(Some(parse(message))),
        _ => Err(io::Error::other("an answer of an unknown kind about an interface")),
    }
}

fn parse(message: &[u8]) -> Interface {
    let flags = read_u32(message, HEADER + 8).unwrap_or(0);
    let mut found = Interface {
        index: read_u32(message, HEADER + 4).unwrap_or(0),
        hardware: read_u16(message, HEADER + 2).unwrap_or(0),
        up: flags & IFF_UP != 0,
        carrier: flags & IFF_RUNNING != 0,
        promiscuous: flags & IFF_PROMISC != 0,
        ..Interface::default()
    };
    let mut rest = message.get(HEADER + IFINFO..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (read_u16(rest, 0).map(usize::from), read_u16(rest, 2)) {
        let Some(value) = rest.get(4..length) else { break };
        match kind & 0x3fff {
            IFLA_IFNAME => found.name = String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned(),
            IFLA_MTU => found.mtu = read_u32(value, 0).unwrap_or(0),
            IFLA_NUM_RX_QUEUES => found.rx_queues = read_u32(value, 0).unwrap_or(0),
            IFLA_STATS64 => found.counters = counters(value),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn counters(stats: &[u8]) -> Counters {
    let at = |n: usize| stats.get(n * 8..n * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes);
    Counters { frames: at(0), sent: at(1), errors: at(4), dropped: at(6), missed: at(14).saturating_add(at(15)) }
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_always_there() {
        let mut interfaces = Interfaces::open().expect("netlink needs no privilege");
        let lo = interfaces.find("lo").expect("an answer").expect("lo");
        assert_eq!((lo.name.as_str(), lo.hardware), ("lo", 772));
        assert!(lo.index > 0 && lo.mtu > 0);
        let again = interfaces.find_index(lo.index).expect("an answer").expect("lo");
        assert_eq!((again.index, again.name), (lo.index, lo.name));
    }

    #[test]
    fn what_is_not_there_is_none_whatever_its_name() {
        let mut interfaces = Interfaces::open().expect("netlink needs no privilege");
        for name in ["no-such-if", "", "a-name-that-no-interface-can-have-because-of-its-length", "a/b", "ü"] {
            assert_eq!(interfaces.find(name).expect("an answer"), None, "{name}");
        }
        assert_eq!(interfaces.find_index(0x7fff_fff0).expect("an answer"), None);
        assert!(interfaces.find(ANY).expect("an answer").is_some_and(|any| any.up && any.carrier));
    }
}
