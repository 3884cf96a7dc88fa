//! Tencent QQ: OICQ datagrams and the hello of the MSF link.

use crate::prng::Prng;

/// UDP port of OICQ servers.
pub const OICQ_PORT: u16 = 8000;

/// Heartbeat.
pub const OICQ_ALIVE: u16 = 0x0002;

/// An OICQ datagram (Wireshark packet-oicq.c): 02, version, command, sequence, account, sealed data, 03.
pub fn oicq(command: u16, sequence: u16, account: u32, sealed: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x02, 0x3b, 0x0b];
    bytes.extend(command.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(account.to_be_bytes());
    bytes.extend(sealed);
    bytes.push(0x03);
    bytes
}

/// The hello of the MSF link (libprotoident; one source): its own length, 01335239, four zero bytes, the word MSF.
pub fn msf_hello() -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 21, 1, 0x33, 0x52, 0x39, 0, 0, 0, 0, 4];
    bytes.extend(b"MSF\x05");
    bytes.extend([0; 4]);
    bytes
}

/// A later message of the MSF link: its own length, then sealed bytes.
pub fn msf_message(len: usize, rng: &mut Prng) -> Vec<u8> {
    let mut bytes = (len as u32 + 4).to_be_bytes().to_vec();
    bytes.extend(rng.bytes(len));
    bytes
}
