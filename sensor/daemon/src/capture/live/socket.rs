//! The calls that neither libpcap nor a safe wrapper offers: fanout options of a packet socket, and ethtool questions.
//!
//! The only file of the product that may hold `unsafe`; must not know anything else.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// An instruction of a classic BPF program (`struct sock_filter` of linux/filter.h).
pub type Instruction = libc::sock_filter;

/// Joins a packet socket to a fanout group whose members share the frames as a program decides; IPv4 fragments are joined before.
///
/// # Errors
/// What the kernel says: `EINVAL` when the group is another program's or another interface's, or the interface is down.
pub fn join_fanout(socket: impl AsFd, group: u16) -> io::Result<()> {
    let mode = libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_DEFRAG;
    set_packet_option(socket, libc::PACKET_FANOUT, &(u32::from(group) | mode << 16))
}

/// Gives the fanout group of a packet socket its program: what it returns, modulo the number of members, is the ring.
///
/// # Errors
/// What the kernel says: `EINVAL` for a program that it does not accept.
pub fn set_fanout_program(socket: impl AsFd, program: &[Instruction]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // The kernel copies the instructions and writes nothing through the pointer.
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    set_packet_option(socket, libc::PACKET_FANOUT_DATA, &program)
}

fn set_packet_option<T>(socket: impl AsFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the whole call, and the kernel reads `size` bytes from a value that lives as long.
    let done = unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, std::ptr::from_ref(value).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks the driver of an interface by `ioctl(SIOCETHTOOL)`: `words` begin with the command and come back filled in.
///
/// # Errors
/// `EOPNOTSUPP` when the driver does not answer this question, `ENODEV` when there is no such interface.
pub fn ethtool(socket: impl AsFd, interface: &str, words: &mut [u32; 16]) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `ifreq`: integers, byte arrays, a null pointer.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    // SAFETY: the descriptor is borrowed for the whole call; `request` and the 64 bytes that it points to live as long, and no
    // command that is asked here (get value, get ring sizes: at most 36 bytes) writes more than these.
    let done = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
