//! Hosts on a network, seen from a mirror port of the access switch: each action appends the frames that it causes.

use std::net::{IpAddr, Ipv4Addr};

use crate::frame::{self, Mac, flags};
use crate::payload::{dhcp, dns, mmtls, quic, tls};
use crate::prng::Prng;
use crate::trace::Trace;

/// The largest TCP payload.
const MSS: usize = 1_400;

/// Microseconds between a question and its answer.
const ROUND_TRIP: u64 = 18_000;

/// A network under observation.
#[derive(Clone, Debug)]
pub struct Network {
    /// What the sensor sees.
    pub trace: Trace,
    /// Where random bytes come from.
    pub prng: Prng,
    port: u16,
    id: u16,
}

impl Network {
    /// An empty network.
    pub fn new(seed: u64) -> Self {
        Network { trace: Trace::default(), prng: Prng::new(seed), port: 40_000, id: 0 }
    }

    fn next_port(&mut self) -> u16 {
        self.port = if self.port >= 60_000 { 40_000 } else { self.port + 1 };
        self.port
    }
}

/// A host and where it is.
#[derive(Clone, Debug)]
pub struct Host {
    /// Hardware address in its frames.
    pub mac: Mac,
    /// The VLAN of its port.
    pub vlan: u16,
    /// Its address.
    pub addr: IpAddr,
    /// The router's hardware address on this VLAN.
    pub router: Mac,
    /// The resolver.
    pub resolver: IpAddr,
}

/// A TCP conversation under way.
pub struct Tcp<'n> {
    net: &'n mut Network,
    host: Host,
    ends: [(IpAddr, u16); 2],
    seq: [u32; 2],
    /// Microseconds since the epoch.
    pub now: u64,
}

impl Host {
    /// A frame from or to the host.
    fn frame(&self, up: bool, packet: &[u8], family: IpAddr) -> Vec<u8> {
        let (src, dst) = if up { (self.mac, self.router) } else { (self.router, self.mac) };
        frame::ethernet(src, dst, &[self.vlan], frame::ether_type(family), packet)
    }

    /// A datagram from or to the host.
    pub fn udp(&self, net: &mut Network, at: u64, up: bool, port: u16, server: (IpAddr, u16), payload: &[u8]) {
        let (host, server) = ((self.addr, port), server);
        let (src, dst) = if up { (host, server) } else { (server, host) };
        net.id = net.id.wrapping_add(1);
        let packet = frame::ip(src.0, dst.0, 17, net.id, &frame::udp(src, dst, payload));
        let frame = self.frame(up, &packet, src.0);
        net.trace.push(at, frame);
    }

    /// DHCP and ARP, as when a cable is plugged in.
    pub fn boot(&self, net: &mut Network, at: u64, name: &str, class: &str) {
        let IpAddr::V4(addr) = self.addr else { return };
        let server = Ipv4Addr::from(u32::from(addr) & 0xffff_ff00 | 1);
        let xid = net.prng.draw() as u32;
        let any = Ipv4Addr::UNSPECIFIED;
        for (step, (kind, up)) in [(1, true), (2, false), (3, true), (5, false)].into_iter().enumerate() {
            let message = dhcp::message(kind, xid, self.mac, addr, server, Some(name), Some(class));
            let (src, dst) = if up { ((any, 68), (Ipv4Addr::BROADCAST, 67)) } else { ((server, 67), (addr, 68)) };
            let (src, dst) = ((IpAddr::V4(src.0), src.1), (IpAddr::V4(dst.0), dst.1));
            let packet = frame::ip(src.0, dst.0, 17, 0, &frame::udp(src, dst, &message));
            let (from, to) = if up { (self.mac, [0xff; 6]) } else { (self.router, self.mac) };
            let frame = frame::ethernet(from, to, &[self.vlan], 0x0800, &packet);
            net.trace.push(at + step as u64 * 4_000, frame);
        }
        let ask = frame::arp(1, (self.mac, addr), ([0; 6], server));
        net.trace.push(at + 20_000, frame::ethernet(self.mac, [0xff; 6], &[self.vlan], 0x0806, &ask));
        let tell = frame::arp(2, (self.router, server), (self.mac, addr));
        net.trace.push(at + 20_500, frame::ethernet(self.router, self.mac, &[self.vlan], 0x0806, &tell));
    }

    /// Asks for a name; the time when the answer is there.
    pub fn resolve(&self, net: &mut Network, at: u64, name: &str, alias: Option<&str>, addr: IpAddr) -> u64 {
        let (id, port) = (net.prng.draw() as u16, net.next_port());
        let kind = if addr.is_ipv4() { 1 } else { 28 };
        self.udp(net, at, true, port, (self.resolver, 53), &dns::query(id, name, kind));
        self.udp(net, at + 6_000, false, port, (self.resolver, 53), &dns::answer(id, name, kind, alias, &[addr], 300));
        at + 7_000
    }

    /// Opens a TCP connection.
    pub fn connect<'n>(&self, net: &'n mut Network, at: u64, server: (IpAddr, u16)) -> Tcp<'n> {
        let (port, seq) = (net.next_port(), [net.prng.draw() as u32, net.prng.draw() as u32]);
        let mut tcp = Tcp { net, host: self.clone(), ends: [(self.addr, port), server], seq, now: at };
        tcp.segment(0, flags::SYN, &[]);
        tcp.seq[0] = tcp.seq[0].wrapping_add(1);
        tcp.now += ROUND_TRIP;
        tcp.segment(1, flags::SYN | flags::ACK, &[]);
        tcp.seq[1] = tcp.seq[1].wrapping_add(1);
        tcp.now += 300;
        tcp.segment(0, flags::ACK, &[]);
        tcp
    }

    /// A page over TLS: hello, a request, a page.
    pub fn browse(&self, net: &mut Network, at: u64, name: &str, addr: IpAddr, bytes: usize) -> u64 {
        let at = self.resolve(net, at, name, None, addr);
        self.tls(net, at, name, addr, bytes)
    }

    /// TLS to an address that is known already.
    pub fn tls(&self, net: &mut Network, at: u64, name: &str, addr: IpAddr, bytes: usize) -> u64 {
        let hello = tls::Hello { sni: name, alpn: &["h2", "http/1.1"], post_quantum: bytes.is_multiple_of(2) };
        let hello = tls::record(22, &tls::client_hello(&hello, false, &mut net.prng));
        let answer =
            [tls::record(22, &tls::server_hello(&mut net.prng)), tls::record(20, &[1]), tls::record(23, &net.prng.bytes(900))].concat();
        let request = tls::record(23, &net.prng.bytes(420));
        let page = tls::record(23, &net.prng.bytes(bytes.min(16_000)));
        let mut tcp = self.connect(net, at, (addr, 443));
        tcp.up(&hello).down(&answer).up(&request).down(&page);
        tcp.close()
    }

    /// A QUIC handshake as a browser sends it: two Initials with CRYPTO in pieces, out of order.
    pub fn quic(&self, net: &mut Network, at: u64, name: &str, addr: IpAddr) {
        let hello = tls::Hello { sni: name, alpn: &["h3"], post_quantum: true };
        let hello = tls::client_hello(&hello, true, &mut net.prng);
        let (dcid, scid, port) = (net.prng.bytes(8), net.prng.bytes(8), net.next_port());
        let (a, rest) = hello.split_at(400);
        let (b, c) = rest.split_at(500);
        let first = quic::client_initial(&dcid, &scid, 0, &quic::crypto_frames(&[(400, b), (0, a)]));
        let second = quic::client_initial(&dcid, &scid, 1, &quic::crypto_frames(&[(900, c)]));
        self.udp(net, at, true, port, (addr, 443), &second);
        self.udp(net, at + 120, true, port, (addr, 443), &first);
        for i in 0..6u64 {
            let data = [&[0x40][..], &net.prng.bytes(600)].concat();
            self.udp(net, at + 30_000 + i * 900, i % 2 == 1, port, (addr, 443), &data);
        }
    }

    /// An MMTLS long link with so many heartbeats, 270 seconds apart.
    pub fn long_link(&self, net: &mut Network, at: u64, server: (IpAddr, u16), kind: mmtls::Kind, installation: u64, heartbeats: u64) {
        let secs = (at / 1_000_000) as u32;
        let hello = mmtls::client_hello(kind, 0x16, secs, installation, &mut net.prng);
        let answer = [mmtls::server_hello(kind, &mut net.prng), mmtls::sealed(0x16, 55, &mut net.prng)].concat();
        let first = [mmtls::sealed(0x16, 55, &mut net.prng), mmtls::sealed(0x17, 240, &mut net.prng)].concat();
        let push = mmtls::sealed(0x17, 310, &mut net.prng);
        let beats: Vec<[Vec<u8>; 2]> =
            (0..heartbeats).map(|_| [mmtls::heartbeat(&mut net.prng), mmtls::heartbeat(&mut net.prng)]).collect();
        let mut tcp = self.connect(net, at, server);
        tcp.up(&hello).down(&answer).up(&first).down(&push);
        for [ping, pong] in &beats {
            tcp.wait(270_000_000);
            tcp.up(ping).down(pong);
        }
        tcp.close();
    }

    /// An MMTLS short link.
    pub fn short_link(&self, net: &mut Network, at: u64, server: (IpAddr, u16), host: &str, installation: u64, data: usize) {
        let secs = (at / 1_000_000) as u32;
        let body = mmtls::short_body(secs, installation, data, &mut net.prng);
        let request = mmtls::short_request(host, &body, &mut net.prng);
        let reply = mmtls::short_reply(220, &mut net.prng);
        let mut tcp = self.connect(net, at, server);
        tcp.up(&request).down(&reply);
        tcp.close();
    }

    /// A NewDNS lookup of the app.
    pub fn newgetdns(&self, net: &mut Network, at: u64, server: IpAddr, names: &[(&str, &str)]) {
        let mut tcp = self.connect(net, at, (server, 8080));
        tcp.up(&mmtls::newgetdns_request()).down(&mmtls::newgetdns_reply(names));
        tcp.close();
    }
}

impl Tcp<'_> {
    fn segment(&mut self, side: usize, flag: u8, payload: &[u8]) {
        let (src, dst) = (self.ends[side], self.ends[1 - side]);
        let ack = if flag & flags::ACK != 0 { self.seq[1 - side] } else { 0 };
        self.net.id = self.net.id.wrapping_add(1);
        let packet = frame::ip(src.0, dst.0, 6, self.net.id, &frame::tcp(src, dst, self.seq[side], ack, flag, payload));
        let frame = self.host.frame(side == 0, &packet, src.0);
        self.net.trace.push(self.now, frame);
    }

    fn send(&mut self, side: usize, bytes: &[u8]) -> &mut Self {
        for piece in bytes.chunks(MSS) {
            self.segment(side, flags::ACK | flags::PSH, piece);
            self.seq[side] = self.seq[side].wrapping_add(piece.len() as u32);
            self.now += 150;
        }
        self.now += ROUND_TRIP / 2;
        self.segment(1 - side, flags::ACK, &[]);
        self.now += ROUND_TRIP / 2;
        self
    }

    /// The host sends.
    pub fn up(&mut self, bytes: &[u8]) -> &mut Self {
        self.send(0, bytes)
    }

    /// The server sends.
    pub fn down(&mut self, bytes: &[u8]) -> &mut Self {
        self.send(1, bytes)
    }

    /// Time passes.
    pub fn wait(&mut self, micros: u64) {
        self.now += micros;
    }

    /// Both sides close; when that is done.
    pub fn close(&mut self) -> u64 {
        for side in [0, 1] {
            self.segment(side, flags::FIN | flags::ACK, &[]);
            self.seq[side] = self.seq[side].wrapping_add(1);
            self.now += ROUND_TRIP / 2;
        }
        self.segment(0, flags::ACK, &[]);
        self.now
    }
}
