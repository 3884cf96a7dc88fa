//! The sensor stands at the core: it sees relayed DHCP on its way to the server, and the clients' traffic from the router's
//! hardware address.

use std::net::{Ipv4Addr, SocketAddr};

use super::{WINDOWS, at, documented, host, surf, web};
use crate::dhcp::{self, Lease, kind};
use crate::frame::{self, proto};
use crate::host::{Host, Lab};
use crate::office::{OFFICE, SERVERS};

/// The DHCP server, in the segment of the servers.
const SERVER: Ipv4Addr = SERVERS.v4(5);

/// Option 82 (RFC 3046): circuit id `eth0/7`, remote id `sw3`.
const AGENT: &[u8] = &[1, 6, b'e', b't', b'h', b'0', b'/', b'7', 2, 3, b's', b'w', b'3'];

/// The relay's and the server's part of a conversation, as the server's segment sees it.
fn relayed(client: &mut Host, lab: &mut Lab, kinds: &[u8]) {
    let relay = OFFICE.v4(1);
    let lease = Lease { relay, server: SERVER, agent: AGENT, ..client.lease() };
    let server = documented(0x05);
    for message in kinds {
        client.rest(1);
        let reply = matches!(*message, kind::OFFER | kind::ACK);
        let (src, dst): (SocketAddr, SocketAddr) =
            if reply { ((SERVER, 67).into(), (relay, 67).into()) } else { ((relay, 67).into(), (SERVER, 67).into()) };
        let (from, to) = if reply { (server, lab.router) } else { (lab.router, server) };
        let datagram = frame::udp(src, dst, &dhcp::message(*message, &lease));
        let packet = frame::ip(src.ip(), dst.ip(), 63, proto::UDP, &datagram);
        lab.trace.push(client.now, 0, frame::ethernet(to, from, &[SERVERS.vlan.into()], frame::IPV4, &packet));
    }
}

/// The story.
pub fn tell(lab: &mut Lab) {
    let router = lab.router;
    let started = [kind::DISCOVER, kind::OFFER, kind::REQUEST, kind::ACK];
    let mut client = |name, last, addr, minute| {
        let mut client = host(name, WINDOWS, documented(last), OFFICE, addr, minute);
        client.behind = Some((router, 99));
        relayed(&mut client, lab, &started);
        client
    };
    let mut first = client("laptop-far-01", 0x83, 83, 0);
    let mut second = client("laptop-far-02", 0x84, 84, 1);
    let mut third = client("laptop-far-03", 0x85, 83, 70);
    at(&mut first, 10);
    web(&mut first, lab);
    at(&mut first, 50);
    relayed(&mut first, lab, &[kind::RELEASE]);
    at(&mut second, 20);
    surf(&mut second, lab);
    at(&mut second, 90);
    web(&mut second, lab);
    // The address of the first, an hour later, and nothing to be said about.
    at(&mut third, 75);
    surf(&mut third, lab);
}
