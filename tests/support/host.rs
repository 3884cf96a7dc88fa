//! Story helpers: a network with a router, and hosts that start up, look names up and talk, each step appending to the trace.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;

use crate::capture::Trace;
use crate::dhcp::{self, Lease};
use crate::frame::{self, proto};
use crate::mmtls::{self, Installation, Start};
use crate::nd;
use crate::prng::Prng;
use crate::quic;
use crate::tcp::Conversation;
use crate::tls::{self, ClientHello};
use crate::wire::{Side, Wire};
use crate::{arp, dns, http, newgetdns, qq};

/// A network segment: VLAN `v` is 10.10.v.0/24 and 2001:db8:10:v::/64 (the digits of `v` read as hexadecimal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name in the configuration.
    pub name: &'static str,
    /// VLAN id, below 100.
    pub vlan: u8,
}

impl Segment {
    /// An address in it.
    pub const fn v4(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 10, self.vlan, host)
    }

    /// An address in it.
    pub const fn v6(self, host: u64) -> Ipv6Addr {
        let digits = (self.vlan / 10 * 16 + self.vlan % 10) as u128;
        Ipv6Addr::from_bits(0x2001_0db8_0010_0000 << 64 | digits << 64 | host as u128)
    }
}

/// Where a name lives.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
    /// The name that it is an alias of.
    pub alias: Option<String>,
}

/// The network: what the sensor recorded, and the names of the world outside.
#[derive(Clone, Debug)]
pub struct Lab {
    /// Everything that was captured.
    pub trace: Trace,
    /// The router's hardware address, the same in every segment.
    pub router: Mac,
    /// The public address of the network.
    pub public: Ipv4Addr,
    names: BTreeMap<String, Place>,
}

impl Lab {
    /// A network without hosts and names.
    pub fn new() -> Self {
        let router = Mac([0x00, 0x00, 0x5e, 0x00, 0x53, 0x01]);
        Lab { trace: Trace::new(), router, public: Ipv4Addr::new(203, 0, 113, 77), names: BTreeMap::new() }
    }

    /// Gives names consecutive addresses from `first` on; their IPv6 address ends in the same bytes.
    pub fn place(&mut self, first: Ipv4Addr, alias: Option<&str>, names: &[&str]) {
        for (offset, name) in names.iter().enumerate() {
            let v4 = Ipv4Addr::from_bits(first.to_bits() + offset as u32);
            let v6 = Ipv6Addr::from_bits(0x2001_0db8_ffff_0000 << 64 | u128::from(v4.to_bits()));
            self.names.insert((*name).to_string(), Place { v4, v6, alias: alias.map(str::to_string) });
        }
    }

    /// Where a name lives.
    ///
    /// # Panics
    /// When it was not given a place.
    pub fn find(&self, name: &str) -> Place {
        self.names.get(name).unwrap_or_else(|| panic!("{name} has no place")).clone()
    }
}

impl Default for Lab {
    fn default() -> Self {
        Lab::new()
    }
}

/// A host with its own clock, ports and randomness.
#[derive(Clone, Debug)]
pub struct Host {
    /// The name that it tells DHCP.
    pub name: &'static str,
    /// DHCP option 60.
    pub vendor_class: &'static str,
    /// Its hardware address.
    pub mac: Mac,
    /// Where it is.
    pub segment: Segment,
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
    /// Its time to live: 63 for what stands behind a router of its own.
    pub ttl: u8,
    /// Its clock: the next step happens then.
    pub now: Timestamp,
    /// Its randomness.
    pub rng: Prng,
    /// DHCP option 55.
    pub parameters: &'static [u8],
    /// DHCP option 61; empty for the usual one, made of the hardware address.
    pub client_id: &'static [u8],
    /// A router stands between it and the sensor: its frames carry this hardware address and this VLAN, and nothing that it says to its
    /// own link is seen.
    pub behind: Option<(Mac, u16)>,
    /// It has no IPv4.
    pub v6_only: bool,
    port: u16,
}

impl Host {
    /// A host that is not switched on yet.
    pub fn new(name: &'static str, vendor_class: &'static str, mac: Mac, segment: Segment, host: u8, now: Timestamp, rng: Prng) -> Self {
        let mut rng = rng.fork(&format!("{name} {mac}"));
        let port = 49_152 + rng.below(4_000) as u16;
        let mut host = Host {
            name,
            vendor_class,
            mac,
            segment,
            v4: segment.v4(host),
            v6: segment.v6(0),
            ttl: 64,
            now,
            rng,
            parameters: dhcp::parameters::LINUX,
            client_id: &[],
            behind: None,
            v6_only: false,
            port,
        };
        host.v6 = segment.v6(host.rng.u64());
        host
    }

    /// Moves to another segment and starts up there.
    pub fn roam(&mut self, lab: &mut Lab, segment: Segment, host: u8) {
        self.segment = segment;
        self.v4 = segment.v4(host);
        self.v6 = segment.v6(self.rng.u64());
        self.boot(lab);
    }

    /// Lets time pass.
    pub fn rest(&mut self, secs: u64) {
        self.now = self.now.after(Duration::from_secs(secs));
    }

    /// Lets some time in `low..=high` seconds pass, to the microsecond.
    pub fn linger(&mut self, low: usize, high: usize) {
        let micros = self.rng.between(low * 1_000_000, high * 1_000_000) as u64;
        self.now = self.now.after(Duration::from_micros(micros));
    }

    fn tick(&mut self) {
        let micros = self.rng.between(300, 9_000) as u64;
        self.now = self.now.after(Duration::from_micros(micros));
    }

    /// The link to the router.
    pub fn wire(&self, lab: &Lab) -> Wire {
        let (mac, vlan) = self.behind.unwrap_or((self.mac, self.segment.vlan.into()));
        Wire { vlans: vec![vlan], ttl: self.ttl, ..Wire::new(mac, lab.router) }
    }

    /// An endpoint of its own with a new port, of the family of `peer`.
    pub fn endpoint(&mut self, peer: IpAddr) -> SocketAddr {
        self.port = if self.port == u16::MAX { 49_152 } else { self.port + 1 };
        let addr: IpAddr = if peer.is_ipv4() { self.v4.into() } else { self.v6.into() };
        SocketAddr::new(addr, self.port)
    }

    fn link(&mut self, lab: &mut Lab, dst: Mac, src: Mac, ethertype: u16, payload: &[u8]) {
        self.tick();
        lab.trace.push(self.now, 0, frame::ethernet(dst, src, &[self.segment.vlan.into()], ethertype, payload));
    }

    /// Switches on: DHCP, ARP, neighbour discovery.
    pub fn boot(&mut self, lab: &mut Lab) {
        if !self.v6_only {
            self.dhcp(lab);
            self.arp(lab);
        }
        self.nd(lab);
    }

    /// Gives its IPv4 address back.
    pub fn release(&mut self, lab: &mut Lab) {
        let lease = self.lease();
        let (from, to): (SocketAddr, SocketAddr) = ((self.v4, 68).into(), (lease.server, 67).into());
        let datagram = frame::udp(from, to, &dhcp::message(dhcp::kind::RELEASE, &lease));
        let packet = frame::ip(from.ip(), to.ip(), 64, proto::UDP, &datagram);
        self.link(lab, lab.router, self.mac, frame::IPV4, &packet);
    }

    /// What it says to DHCP servers, and what it is given.
    pub fn lease(&mut self) -> Lease<'static> {
        Lease {
            xid: self.rng.u32(),
            mac: self.mac,
            host_name: self.name,
            vendor_class: self.vendor_class,
            address: self.v4,
            server: self.segment.v4(1),
            domain: "office.example",
            seconds: 28_800,
            relay: Ipv4Addr::UNSPECIFIED,
            parameters: self.parameters,
            client_id: self.client_id,
            agent: &[],
        }
    }

    fn dhcp(&mut self, lab: &mut Lab) {
        let lease = self.lease();
        let everyone = Mac([0xff; 6]);
        for kind in [dhcp::kind::DISCOVER, dhcp::kind::OFFER, dhcp::kind::REQUEST, dhcp::kind::ACK] {
            let client = matches!(kind, dhcp::kind::DISCOVER | dhcp::kind::REQUEST);
            let (src, dst, from, to): (_, _, SocketAddr, SocketAddr) = if client {
                (self.mac, everyone, ([0, 0, 0, 0], 68).into(), ([255; 4], 67).into())
            } else {
                (lab.router, self.mac, (lease.server, 67).into(), (lease.address, 68).into())
            };
            let datagram = frame::udp(from, to, &dhcp::message(kind, &lease));
            let packet = frame::ip(from.ip(), to.ip(), 64, proto::UDP, &datagram);
            self.link(lab, dst, src, frame::IPV4, &packet);
        }
    }

    fn arp(&mut self, lab: &mut Lab) {
        let (me, gateway, nobody) = ((self.mac, self.v4), (lab.router, self.segment.v4(1)), Mac([0; 6]));
        self.link(lab, Mac([0xff; 6]), self.mac, frame::ARP, &arp::message(arp::REQUEST, me, (nobody, self.v4)));
        self.link(lab, Mac([0xff; 6]), self.mac, frame::ARP, &arp::message(arp::REQUEST, me, (nobody, gateway.1)));
        self.link(lab, self.mac, lab.router, frame::ARP, &arp::message(arp::REPLY, gateway, me));
    }

    fn nd(&mut self, lab: &mut Lab) {
        let (mac, router) = (self.mac, lab.router);
        let (near, gateway) = (nd::link_local(mac), nd::link_local(router));
        let group = |packet: &[u8]| nd::group_mac(Ipv6Addr::from(<[u8; 16]>::try_from(&packet[24..40]).expect("16 bytes")));
        for mine in [near, self.v6] {
            let packet = nd::solicitation(Ipv6Addr::UNSPECIFIED, mine, mac);
            self.link(lab, group(&packet), mac, frame::IPV6, &packet);
        }
        let packet = nd::router_solicitation(near, mac);
        self.link(lab, group(&packet), mac, frame::IPV6, &packet);
        let packet = nd::router_advertisement(gateway, router, self.segment.v6(0));
        self.link(lab, group(&packet), router, frame::IPV6, &packet);
        let packet = nd::solicitation(gateway, self.v6, router);
        self.link(lab, group(&packet), router, frame::IPV6, &packet);
        self.link(lab, router, mac, frame::IPV6, &nd::advertisement(self.v6, gateway, self.v6, mac, false));
    }

    /// Takes a new temporary IPv6 address (RFC 8981): makes sure that nobody has it, and answers for it when the router asks.
    pub fn take_temporary_address(&mut self, lab: &mut Lab) {
        self.v6 = self.segment.v6(self.rng.u64());
        let (mac, router) = (self.mac, lab.router);
        let gateway = nd::link_local(router);
        let group = |packet: &[u8]| nd::group_mac(Ipv6Addr::from(<[u8; 16]>::try_from(&packet[24..40]).expect("16 bytes")));
        let packet = nd::solicitation(Ipv6Addr::UNSPECIFIED, self.v6, mac);
        self.link(lab, group(&packet), mac, frame::IPV6, &packet);
        let packet = nd::solicitation(gateway, self.v6, router);
        self.link(lab, group(&packet), router, frame::IPV6, &packet);
        self.link(lab, router, mac, frame::IPV6, &nd::advertisement(self.v6, gateway, self.v6, mac, false));
    }

    /// Announces `<name>.local` to the segment (mDNS).
    pub fn announce(&mut self, lab: &mut Lab) {
        let group = Ipv4Addr::new(224, 0, 0, 251);
        let datagram =
            frame::udp((self.v4, 5353).into(), (group, 5353).into(), &dns::announcement(&format!("{}.local", self.name), self.v4.into()));
        let packet = frame::ip(self.v4.into(), group.into(), 255, proto::UDP, &datagram);
        self.link(lab, Mac([0x01, 0x00, 0x5e, 0, 0, 251]), self.mac, frame::IPV4, &packet);
    }

    /// Looks a name up in both families at the segment's resolver.
    pub fn resolve(&mut self, lab: &mut Lab, name: &str) -> Place {
        let place = lab.find(name);
        let chain: Vec<&str> = place.alias.as_deref().into_iter().collect();
        let families: [(u16, IpAddr); 2] = [(dns::kind::A, place.v4.into()), (dns::kind::AAAA, place.v6.into())];
        let mut done = self.now;
        for (kind, address) in families {
            let resolver: IpAddr = if self.v6_only { self.segment.v6(1).into() } else { self.segment.v4(1).into() };
            let resolver = SocketAddr::new(resolver, 53);
            let (me, id) = (self.endpoint(resolver.ip()), self.rng.u16());
            let wait = Duration::from_micros(self.rng.between(900, 24_000) as u64);
            let reply = dns::answer(id, name, kind, &chain, &[address], 300);
            let datagrams = [(Side::Client, Duration::ZERO, dns::query(id, name, kind)), (Side::Server, wait, reply)];
            done = done.max(self.wire(lab).datagrams(&mut lab.trace, self.now, me, resolver, &datagrams));
            self.now = self.now.after(Duration::from_micros(150));
        }
        self.now = done;
        self.tick();
        place
    }

    /// Starts a TCP conversation with a server; [`Host::play`] puts it on record.
    pub fn talk(&mut self, server: SocketAddr) -> Conversation {
        let me = self.endpoint(server.ip());
        Conversation::new(me, server, &mut self.rng)
    }

    /// Puts a conversation on record. The host's clock goes on from its start, as hosts do several things at once.
    pub fn play(&mut self, lab: &mut Lab, talk: &Conversation) -> Timestamp {
        let end = self.weather(talk).play(self.now, &self.wire(lab), &mut lab.trace);
        self.tick();
        end
    }

    /// Now and then segments overtake each other or come twice.
    fn weather(&mut self, talk: &Conversation) -> Conversation {
        let mut talk = talk.clone();
        match self.rng.below(20) {
            0 => talk.swap_every = Some(2),
            1 => talk.repeat_every = Some(3),
            2 => talk.pieces = vec![1, 3, 5],
            _ => {}
        }
        talk
    }

    /// A TLS session with a few requests.
    pub fn tls(&mut self, lab: &mut Lab, hello: &ClientHello, server: SocketAddr, requests: usize) {
        let mut talk = self.talk(server);
        let sealed = self.rng.between(500, 900);
        let handshake = tls::handshake(hello, sealed, &mut self.rng);
        talk.client(handshake.hello).server(handshake.answer);
        let (ask, say) = (self.sealed(150, 420), self.sealed(300, 1300));
        talk.client([handshake.finish, ask].concat()).server(say);
        for _ in 1..requests {
            talk.wait(Duration::from_millis(self.rng.between(80, 2_500) as u64));
            let (ask, say) = (self.sealed(80, 300), self.sealed(200, 1300));
            talk.client(ask).server(say);
        }
        talk.wait(Duration::from_secs(self.rng.between(1, 20) as u64)).close(Side::Client);
        self.play(lab, &talk);
    }

    fn sealed(&mut self, low: usize, high: usize) -> Vec<u8> {
        let len = self.rng.between(low, high);
        tls::application_data(len, &mut self.rng)
    }

    /// A page in a browser: name service, TLS, sometimes over IPv6.
    pub fn browse(&mut self, lab: &mut Lab, name: &str) {
        let place = self.resolve(lab, name);
        let addr: IpAddr = if self.rng.chance(30) || self.v6_only { place.v6.into() } else { place.v4.into() };
        let hello = ClientHello::browser(name, &["h2", "http/1.1"], &mut self.rng);
        let requests = self.rng.between(1, 3);
        self.tls(lab, &hello, SocketAddr::new(addr, 443), requests);
    }

    /// A call of an app's own TLS library.
    pub fn call(&mut self, lab: &mut Lab, name: &str) {
        let place = self.resolve(lab, name);
        let addr: IpAddr = if self.v6_only { place.v6.into() } else { place.v4.into() };
        let hello = ClientHello::library(name, &["h2", "http/1.1"], &mut self.rng);
        self.tls(lab, &hello, SocketAddr::new(addr, 443), 1);
    }

    /// A QUIC connection.
    pub fn quic(&mut self, lab: &mut Lab, name: &str, version: quic::Version, shape: quic::Shape) {
        let place = self.resolve(lab, name);
        let server = SocketAddr::new(place.v4.into(), 443);
        let me = self.endpoint(server.ip());
        let talk = [(Side::Client, 180), (Side::Server, 900), (Side::Client, 30), (Side::Server, 700), (Side::Client, 30)];
        let datagrams = quic::connection(version, name, shape, &talk, &mut self.rng);
        self.now = self.wire(lab).datagrams(&mut lab.trace, self.now, me, server, &datagrams);
        self.tick();
    }

    /// A page or a picture in clear HTTP.
    pub fn http(&mut self, lab: &mut Lab, host: &str, path: &str, user_agent: &str) {
        let place = self.resolve(lab, host);
        let mut talk = self.talk(SocketAddr::new(place.v4.into(), 80));
        let body = self.rng.bytes(700);
        talk.client(http::get(host, path, user_agent));
        talk.server(http::reply("200 OK", &[("Content-Type", "application/octet-stream"), ("Connection", "close")], &body))
            .close(Side::Server);
        self.play(lab, &talk);
    }

    /// Asks the app's own name service at `host` for `names`.
    pub fn newdns(&mut self, lab: &mut Lab, app: &Installation, host: &str, names: &[&str]) {
        let place = lab.find(host);
        let server = SocketAddr::new(if self.v6_only { place.v6.into() } else { place.v4.into() }, newgetdns::PORT);
        let known: Vec<(&str, Vec<IpAddr>)> = names.iter().map(|n| (*n, vec![lab.find(n).v4.into()])).collect();
        let request = newgetdns::request(host, app.account, app.client_version, app.device_type);
        let reply = newgetdns::reply(&known, &[server.ip()], lab.public.into());
        let me = self.endpoint(server.ip());
        let talk = mmtls::exchange(me, server, request, reply, &mut self.rng);
        self.play(lab, &talk);
    }

    /// A raw long link that lives for `beats` heartbeats; returns its end. The host's clock does not wait for it.
    pub fn mmtls_long(&mut self, lab: &mut Lab, app: &Installation, server: SocketAddr, start: Start, beats: usize) -> Timestamp {
        let mut talk = self.talk(server);
        app.long_link(&mut talk, start, self.now, beats, mmtls::BEAT, &mut self.rng);
        talk.close(Side::Client);
        self.play(lab, &talk)
    }

    /// A long link whose ticket the server no longer knows: a clear alert, and the end.
    pub fn mmtls_refused(&mut self, lab: &mut Lab, app: &Installation, server: SocketAddr) {
        let hello = app.record(mmtls::kind::HANDSHAKE, &app.hello(Start::Resume, self.now, &mut self.rng));
        let mut talk = self.talk(server);
        talk.client(hello).server(app.unknown_ticket()).close(Side::Client);
        self.play(lab, &talk);
    }

    /// An older clear short link.
    pub fn mmtls_legacy(&mut self, lab: &mut Lab, app: &Installation, host: &str) {
        let server = SocketAddr::new(lab.find(host).v4.into(), 80);
        let request = mmtls::legacy_request(host, "rtkvreport", 716, app.account, 300, &mut self.rng);
        let body = self.rng.bytes(64);
        let reply = http::reply("200 OK", &[("Connection", "close"), ("Content-Type", "application/octet-stream")], &body);
        let me = self.endpoint(server.ip());
        let talk = mmtls::exchange(me, server, request, reply, &mut self.rng);
        self.play(lab, &talk);
    }

    /// A short link: one POST of `len` sealed bytes and its reply.
    pub fn mmtls_short(&mut self, lab: &mut Lab, app: &Installation, server: SocketAddr, host: &str, start: Start, len: usize) {
        let body = app.short_body(start, self.now, len, &mut self.rng);
        let request = mmtls::short_request(host, &body, &mut self.rng);
        let answer = self.rng.between(80, 900);
        let reply = app.short_reply(start, answer, &mut self.rng);
        let me = self.endpoint(server.ip());
        let talk = mmtls::exchange(me, server, request, reply, &mut self.rng);
        self.play(lab, &talk);
    }

    /// QQ over UDP: `count` datagrams each way.
    pub fn oicq(&mut self, lab: &mut Lab, server: Ipv4Addr, account: u32, count: u16) {
        let server = SocketAddr::new(server.into(), qq::OICQ_PORT);
        let me = self.endpoint(server.ip());
        let mut datagrams = Vec::new();
        for sequence in 0..count {
            let pause = if sequence == 0 { 0 } else { 60 };
            for (from, pause) in [(Side::Client, Duration::from_secs(pause)), (Side::Server, Duration::from_millis(32))] {
                let sealed = self.rng.bytes(48);
                datagrams.push((from, pause, qq::oicq(qq::OICQ_ALIVE, 0x1200 + sequence, account, &sealed)));
            }
        }
        self.wire(lab).datagrams(&mut lab.trace, self.now, me, server, &datagrams);
        self.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: Segment = Segment { name: "office", vlan: 20 };

    fn lab() -> (Lab, Host) {
        let mut lab = Lab::new();
        lab.place([203, 0, 113, 10].into(), None, &["www.kestrel.example"]);
        let now = Timestamp::from_secs_nanos(1_772_524_800, 0);
        (lab, Host::new("laptop", "MSFT 5.0", Mac([2, 0x52, 0x46, 0, 0x20, 1]), OFFICE, 21, now, Prng::new(1)))
    }

    #[test]
    fn segments_have_their_addresses() {
        assert_eq!(OFFICE.v4(1).to_string(), "10.10.20.1");
        assert_eq!(OFFICE.v6(7).to_string(), "2001:db8:10:20::7");
    }

    #[test]
    fn a_host_speaks_with_its_own_address_and_hears_the_router() {
        let (mut lab, mut host) = lab();
        host.boot(&mut lab);
        host.browse(&mut lab, "www.kestrel.example");
        let frames = lab.trace.clone().into_frames();
        assert!(frames.len() > 25, "{}", frames.len());
        for frame in &frames {
            let src = &frame.bytes[6..12];
            assert!(src == host.mac.0 || src == lab.router.0);
            assert_eq!(frame.bytes[12..16], [0x81, 0, 0, 20]);
        }
        assert!(frames.iter().any(|f| f.bytes[6..12] == lab.router.0 && f.bytes[..6] == host.mac.0));
    }
}
