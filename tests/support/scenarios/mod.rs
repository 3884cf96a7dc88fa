//! Stories about who is who, each with one difficulty: a file per scenario, made for the case folder of the same name.

mod designated_in_office;
mod dhcp_relay;
mod dhcp_renewal;
mod docking_station;
mod guest_to_sensitive;
mod ipv6_only;
mod mac_rotation;
mod nat_three;
mod radius_accounting;
mod reused_address;
mod rotation_denied;
mod router_200;
mod two_nics;
mod virtual_router;
mod waiver_expired;
mod waiver_revoked;

use std::time::Duration;

use ringfence_core::net::Mac;

use crate::capture::{Pcap, pcap};
use crate::dhcp::parameters;
use crate::host::{Host, Lab, Segment};
use crate::mmtls::{Installation, Start};
use crate::office::names::{self, ORDINARY, WEB, WECHAT};
use crate::office::{LENGTH, START};
use crate::prng::Prng;

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What case folders call it.
    pub name: &'static str,
    tell: fn(&mut Lab),
}

/// Every story.
pub static SCENARIOS: [Scenario; 16] = [
    Scenario { name: "designated_in_office", tell: designated_in_office::tell },
    Scenario { name: "dhcp_relay", tell: dhcp_relay::tell },
    Scenario { name: "dhcp_renewal", tell: dhcp_renewal::tell },
    Scenario { name: "docking_station", tell: docking_station::tell },
    Scenario { name: "guest_to_sensitive", tell: guest_to_sensitive::tell },
    Scenario { name: "ipv6_only", tell: ipv6_only::tell },
    Scenario { name: "mac_rotation", tell: mac_rotation::tell },
    Scenario { name: "nat_three", tell: nat_three::tell },
    Scenario { name: "radius_accounting", tell: radius_accounting::tell },
    Scenario { name: "reused_address", tell: reused_address::tell },
    Scenario { name: "rotation_denied", tell: rotation_denied::tell },
    Scenario { name: "router_200", tell: router_200::tell },
    Scenario { name: "two_nics", tell: two_nics::tell },
    Scenario { name: "virtual_router", tell: virtual_router::tell },
    Scenario { name: "waiver_expired", tell: waiver_expired::tell },
    Scenario { name: "waiver_revoked", tell: waiver_revoked::tell },
];

impl Scenario {
    /// The scenario of a name.
    pub fn of(name: &str) -> Option<&'static Scenario> {
        SCENARIOS.iter().find(|s| s.name == name)
    }

    /// The story as a pcap file: the same bytes each time.
    pub fn capture(&self) -> Vec<u8> {
        let mut lab = Lab::new();
        names::settle(&mut lab);
        (self.tell)(&mut lab);
        lab.trace.retain_before(START.after(LENGTH));
        pcap(&lab.trace.into_frames(), Pcap::default())
    }
}

/// A kind of device: DHCP options 60 and 55.
type Kind = (&'static str, &'static [u8]);

const WINDOWS: Kind = ("MSFT 5.0", parameters::WINDOWS);
const ANDROID: Kind = ("android-dhcp-14", parameters::ANDROID);
const LINUX: Kind = ("dhcpcd-9.4.1:Linux-6.1", parameters::LINUX);

/// Hardware addresses of the documentation range (RFC 9542 section 2.1.1).
const fn documented(last: u8) -> Mac {
    Mac([0x00, 0x00, 0x5e, 0x00, 0x53, last])
}

/// Random hardware addresses as phones make them.
const fn random(last: u8) -> Mac {
    Mac([0xda, 0xa1, 0x19, 0x5c, 0x31, last])
}

/// A host that is switched on in some minute; `last` ends its address.
fn host(name: &'static str, kind: Kind, mac: Mac, segment: Segment, last: u8, minute: u64) -> Host {
    let mut host = Host::new(name, kind.0, mac, segment, last, START, Prng::new(4));
    host.parameters = kind.1;
    at(&mut host, minute);
    host
}

/// Sets the host's clock to a minute.
fn at(host: &mut Host, minute: u64) {
    host.now = START.after(Duration::from_secs(minute * 60));
    host.linger(0, 20);
}

/// One page of the browser client: two connections.
fn web(host: &mut Host, lab: &mut Lab) {
    host.browse(lab, WEB[0]);
    host.linger(1, 3);
    host.browse(lab, WEB[2]);
}

/// The app for a few minutes: its own name service, a long link and a short one, three connections.
fn app(host: &mut Host, lab: &mut Lab, app: &Installation) {
    host.newdns(lab, app, "dns.weixin.qq.com", &WECHAT);
    host.linger(1, 2);
    let place = host.resolve(lab, "szlong.weixin.qq.com");
    host.mmtls_long(lab, app, (place.v4, 8080).into(), Start::Resume, 2);
    host.linger(2, 5);
    let place = host.resolve(lab, "szshort.weixin.qq.com");
    host.mmtls_short(lab, app, (place.v4, 80).into(), "szshort.weixin.qq.com", Start::Resume, 240);
}

/// An ordinary page.
fn surf(host: &mut Host, lab: &mut Lab) {
    let name = *host.rng.pick(&ORDINARY);
    host.browse(lab, name);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn stories_are_told_the_same_way_each_time() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for scenario in &SCENARIOS {
            let capture = scenario.capture();
            assert_eq!(capture, scenario.capture(), "{}", scenario.name);
            assert!((2_000..2 << 20).contains(&capture.len()), "{} has {} bytes", scenario.name, capture.len());
        }
    }
}
