//! The one file with `unsafe`: socket options of a packet socket that no library wraps.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_void, sock_filter, sock_fprog, socklen_t};

/// `linux/if_packet.h`.
const PACKET_FANOUT: c_int = 18;
const PACKET_FANOUT_DATA: c_int = 22;
const PACKET_FANOUT_CBPF: c_int = 6;

/// Joins a group of sockets among which the kernel shares frames out by a program (packet(7), PACKET_FANOUT).
///
/// # Errors
/// What the kernel says.
pub fn join_fanout(socket: BorrowedFd<'_>, group: u16, program: &mut [sock_filter]) -> io::Result<()> {
    // No flag: fragments need no reassembly, and a full ring drops rather than sending half a conversation elsewhere.
    let value = c_int::from(group) | (PACKET_FANOUT_CBPF << 16);
    set(socket, PACKET_FANOUT, &value)?;
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let data = sock_fprog { len, filter: program.as_mut_ptr() };
    set(socket, PACKET_FANOUT_DATA, &data)
}

fn set<T>(socket: BorrowedFd<'_>, option: c_int, value: &T) -> io::Result<()> {
    let (pointer, len) = (std::ptr::from_ref(value).cast::<c_void>(), size_of::<T>() as socklen_t);
    // SAFETY: `pointer` points to `len` readable bytes for the time of the call; the kernel copies what it needs (the program of
    // `sock_fprog` included, which the caller keeps alive) and keeps no reference.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, pointer, len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
