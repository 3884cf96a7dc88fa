//! The baseline of `make bench`: the loop that everybody writes first, libpcap's own and etherparse, which only counts.
//!
//!     baseline FILE      prints packets, packets with TCP, packets with UDP and their payload bytes

use std::process::ExitCode;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap::{Capture, Linktype};

#[derive(Debug, Default)]
struct Seen {
    packets: u64,
    tcp: u64,
    udp: u64,
    bytes: u64,
}

impl Seen {
    fn packet(&mut self, bytes: &[u8]) {
        self.packets += 1;
        let Ok(sliced) = SlicedPacket::from_ethernet(bytes) else { return };
        match (&sliced.net, &sliced.transport) {
            (Some(NetSlice::Ipv4(_) | NetSlice::Ipv6(_)), Some(TransportSlice::Tcp(tcp))) => {
                self.tcp += 1;
                self.bytes += tcp.payload().len() as u64;
            }
            (Some(NetSlice::Ipv4(_) | NetSlice::Ipv6(_)), Some(TransportSlice::Udp(udp))) => {
                self.udp += 1;
                self.bytes += udp.payload().len() as u64;
            }
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: baseline FILE");
        return ExitCode::from(2);
    };
    let mut seen = Seen::default();
    let read = Capture::from_file(&path).and_then(|mut capture| {
        assert_eq!(capture.get_datalink(), Linktype::ETHERNET, "the baseline knows Ethernet only");
        capture.for_each(None, |packet| seen.packet(packet.data))
    });
    match read {
        Ok(()) => {
            println!("{} {} {} {}", seen.packets, seen.tcp, seen.udp, seen.bytes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
