//! DHCP messages (RFC 2131).

use std::net::Ipv4Addr;

use crate::frame::Mac;

/// One message: 1 discover, 2 offer, 3 request, 5 acknowledge.
pub fn message(kind: u8, xid: u32, mac: Mac, yours: Ipv4Addr, server: Ipv4Addr, host: Option<&str>, class: Option<&str>) -> Vec<u8> {
    let reply = matches!(kind, 2 | 5);
    let mut m = vec![if reply { 2 } else { 1 }, 1, 6, 0];
    m.extend(xid.to_be_bytes());
    m.extend([0; 4]);
    m.extend([0; 4]);
    m.extend(if reply { yours.octets() } else { [0; 4] });
    m.extend(if reply { server.octets() } else { [0; 4] });
    m.extend([0; 4]);
    m.extend(mac);
    m.extend([0; 10]);
    m.extend([0; 192]);
    m.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind]);
    let mut option = |code: u8, data: &[u8]| {
        m.extend([code, data.len() as u8]);
        m.extend_from_slice(data);
    };
    if !reply {
        if kind == 3 {
            option(50, &yours.octets());
            option(54, &server.octets());
        }
        host.into_iter().for_each(|h| option(12, h.as_bytes()));
        class.into_iter().for_each(|c| option(60, c.as_bytes()));
        option(55, &[1, 3, 6, 15, 119]);
    } else {
        option(51, &86_400u32.to_be_bytes());
        option(54, &server.octets());
        option(15, b"office.lan");
    }
    m.push(255);
    m
}
