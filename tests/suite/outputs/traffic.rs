//! Frames of single devices in the lab's office: what each says in words of the test's choice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;
use ringfence_tests::capture::Trace;
use ringfence_tests::dhcp::{self, Lease, kind, parameters};
use ringfence_tests::frame;
use ringfence_tests::prng::Prng;
use ringfence_tests::tcp::Conversation;
use ringfence_tests::tls::{self, ClientHello};
use ringfence_tests::wire::Wire;
use ringfence_tests::{dns, http};

const ROUTER: Mac = Mac([0, 0, 0x5e, 0, 0x53, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
/// What stands for bytes that are no text, in what is text to the generators; replaced in the frame.
const HOLE: u8 = b'~';

/// A device by its number.
#[derive(Clone, Copy, Debug)]
pub struct Device(pub u8);

impl Device {
    /// Its hardware address.
    pub fn mac(self) -> Mac {
        Mac([0x00, 0x1a, 0x11, 0x77, 0x01, self.0])
    }

    /// Its address, in the office.
    pub fn addr(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, 20, self.0)
    }

    fn wire(self) -> Wire {
        Wire::new(self.mac(), ROUTER)
    }

    /// A conversation that the device opens, and what it says in it.
    fn says(self, port: u16, to: u16, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let mut random = Prng::new(u64::from(port));
        let client = SocketAddr::new(self.addr().into(), port);
        let mut talk = Conversation::new(client, SocketAddr::new(SERVER.into(), to), &mut random);
        talk.client(bytes).server(b"\x15\x03\x03\x00\x02\x02\x28".to_vec());
        let mut trace = Trace::new();
        talk.play(Timestamp::from_secs_nanos(1_800_000_000, 0), &self.wire(), &mut trace);
        trace.into_frames().into_iter().map(|f| f.bytes).collect()
    }

    /// A ClientHello with a server name of any bytes.
    pub fn hello(self, port: u16, name: &[u8]) -> Vec<Vec<u8>> {
        let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).expect("it fits").to_be_bytes(), bytes].concat();
        let list = sized(&[&[0], &*sized(name)].concat());
        let hello = ClientHello { suites: vec![0x1301, 0xc02f], ..ClientHello::bare(&mut Prng::new(u64::from(port))) };
        let hello = hello.with(0, list).versions(&[0x0304]);
        self.says(port, 443, tls::records(&hello.message(), 0x0301, 16_000))
    }

    /// A request for a page in the clear.
    pub fn browses(self, port: u16, user_agent: &[u8]) -> Vec<Vec<u8>> {
        let agent: String = user_agent.iter().map(|b| if b.is_ascii() { char::from(*b) } else { char::from(HOLE) }).collect();
        let mut bytes = http::get("www.example.org", "/", &agent);
        fill(&mut bytes, user_agent);
        self.says(port, 80, bytes)
    }

    /// It is given its address, under a host name of any bytes.
    pub fn lease(self, name: &[u8]) -> Vec<Vec<u8>> {
        let text: String = name.iter().map(|b| if b.is_ascii() { char::from(*b) } else { char::from(HOLE) }).collect();
        let lease = Lease {
            xid: 0x1234_5600 + u32::from(self.0),
            mac: self.mac(),
            host_name: &text,
            vendor_class: "",
            address: self.addr(),
            server: Ipv4Addr::new(10, 10, 20, 1),
            domain: "",
            seconds: 86_400,
            relay: Ipv4Addr::UNSPECIFIED,
            parameters: parameters::ANDROID,
            client_id: &[],
            agent: &[],
        };
        let from = |addr: Ipv4Addr, port| SocketAddr::new(addr.into(), port);
        let (client, server) = (from(Ipv4Addr::UNSPECIFIED, 68), from(lease.server, 67));
        let mut ask = dhcp::message(kind::REQUEST, &lease);
        fill(&mut ask, name);
        let give = dhcp::message(kind::ACK, &lease);
        let frame = |to: Mac, of: Mac, src: SocketAddr, dst: SocketAddr, payload: &[u8]| {
            let datagram = frame::udp(src, dst, payload);
            frame::ethernet(to, of, &[], frame::IPV4, &frame::ip(src.ip(), dst.ip(), 64, frame::proto::UDP, &datagram))
        };
        let all = from(Ipv4Addr::BROADCAST, 67);
        vec![frame(Mac([0xff; 6]), self.mac(), client, all, &ask), frame(self.mac(), ROUTER, server, from(self.addr(), 68), &give)]
    }

    /// A question to one of many resolvers: each is a flow of its own.
    pub fn asks(self, nth: u32, name: &str) -> Vec<u8> {
        let port = u16::try_from(nth % 50_000).expect("small") + 10_000;
        let resolver = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 1)) + nth / 50_000);
        let (src, dst): (IpAddr, IpAddr) = (self.addr().into(), resolver.into());
        let message = dns::query(u16::try_from(nth & 0xffff).expect("small"), name, 1);
        let datagram = frame::udp(SocketAddr::new(src, port), SocketAddr::new(dst, 53), &message);
        frame::ethernet(ROUTER, self.mac(), &[], frame::IPV4, &frame::ip(src, dst, 64, frame::proto::UDP, &datagram))
    }
}

/// Puts bytes where their placeholder stands.
fn fill(bytes: &mut [u8], wanted: &[u8]) {
    let holed: Vec<u8> = wanted.iter().map(|b| if b.is_ascii() { *b } else { HOLE }).collect();
    let at = bytes.windows(holed.len().max(1)).position(|w| w == holed).expect("the placeholder");
    bytes[at..at + wanted.len()].copy_from_slice(wanted);
}
