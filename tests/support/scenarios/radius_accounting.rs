//! Two laptops behind a router, without DHCP in sight: the access switch tells the RADIUS server who they are.

use std::net::SocketAddr;

use ringfence_core::net::Mac;

use super::{LINUX, at, documented, host, surf, web};
use crate::frame::{self, proto};
use crate::host::{Host, Lab};
use crate::office::{OFFICE, SERVERS};
use crate::radius;

/// What the switch says about a session, in the segment of the servers.
fn account(lab: &mut Lab, host: &Host, status: u32, mac: Mac) {
    let (switch, server): (SocketAddr, SocketAddr) = ((OFFICE.v4(2), 40_000).into(), (SERVERS.v4(6), radius::PORT).into());
    let datagram = frame::udp(switch, server, &radius::request(status, mac, &[host.v4.into(), host.v6.into()]));
    let packet = frame::ip(switch.ip(), server.ip(), 63, proto::UDP, &datagram);
    lab.trace.push(host.now, 0, frame::ethernet(documented(0x06), lab.router, &[SERVERS.vlan.into()], frame::IPV4, &packet));
}

/// The story.
pub fn tell(lab: &mut Lab) {
    // The same IPv4 address, first one laptop and then another.
    for (last, minute) in [(0x91, 2), (0x92, 60)] {
        let mut laptop = host("somebody", LINUX, documented(last), OFFICE, 91, minute);
        account(lab, &laptop, 1, laptop.mac);
        laptop.behind = Some((lab.router, 99));
        at(&mut laptop, minute + 5);
        match last {
            0x91 => web(&mut laptop, lab),
            _ => surf(&mut laptop, lab),
        }
        at(&mut laptop, minute + 30);
        account(lab, &laptop, 2, laptop.mac);
    }
}
