//! The small office of the demo: four segments, twenty devices, two hours of a morning.
//!
//! Every device is a line of [`ACTORS`]: who it is, where, what it does, and the function that does it.

pub mod acts;
pub mod names;

use std::time::Duration;

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;

use crate::capture::{Frame, Pcap, pcap};
use crate::host::{Host, Lab, Segment};
use crate::prng::Prng;

/// 2026-03-03T08:00:00Z.
pub const START: Timestamp = Timestamp::from_secs_nanos(1_772_524_800, 0);

/// The demo ends two hours later.
pub const LENGTH: Duration = Duration::from_secs(2 * 3600);

/// Servers and plant: sensitive.
pub const SERVERS: Segment = Segment { name: "servers-ot", vlan: 10 };
/// Desks: standard.
pub const OFFICE: Segment = Segment { name: "office", vlan: 20 };
/// Visitors: guest.
pub const GUEST: Segment = Segment { name: "guest", vlan: 30 };
/// Designated devices: separate.
pub const SEPARATE: Segment = Segment { name: "separate-devices", vlan: 40 };

/// A device of the demo.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// The name that it tells DHCP; also its entry in the register where it has one.
    pub device: &'static str,
    /// Its hardware address.
    pub mac: Mac,
    /// Where it begins.
    pub segment: Segment,
    /// The last byte of its address there.
    pub host: u8,
    /// DHCP vendor class.
    pub vendor_class: &'static str,
    /// What it does, in one sentence.
    pub story: &'static str,
    act: fn(&mut Host, &mut Lab),
}

const WINDOWS: &str = "MSFT 5.0";
const ANDROID: &str = "android-dhcp-14";
const LINUX: &str = "dhcpcd-9.4.1:Linux-6.1";

const fn ours(vlan: u8, device: u8) -> Mac {
    Mac([0x02, 0x52, 0x46, 0x00, vlan, device])
}

const fn actor(
    device: &'static str,
    mac: Mac,
    place: (Segment, u8),
    vendor_class: &'static str,
    act: fn(&mut Host, &mut Lab),
    story: &'static str,
) -> Actor {
    Actor { device, mac, segment: place.0, host: place.1, vendor_class, story, act }
}

/// Every device of the demo.
pub static ACTORS: [Actor; 20] = [
    actor("phone-press-01", ours(0x40, 1), (SEPARATE, 21), ANDROID, acts::wechat_in_full, "designated; uses the WeChat app in full"),
    actor("tablet-travel-02", ours(0x40, 2), (OFFICE, 42), ANDROID, acts::browsing, "designated, but in the office; only browses"),
    actor("laptop-fin-07", ours(0x20, 7), (OFFICE, 27), WINDOWS, acts::web_wechat, "uses WeChat in the browser, over TLS and QUIC"),
    actor("laptop-hr-03", ours(0x20, 3), (OFFICE, 23), WINDOWS, acts::desktop_resumed, "uses WeChat for Windows, with a waiver"),
    actor(
        "laptop-it-11",
        ours(0x20, 0x11),
        (OFFICE, 31),
        WINDOWS,
        acts::desktop_refreshed,
        "uses WeChat for Windows, its waiver has ended",
    ),
    actor("laptop-sales-05", ours(0x20, 5), (OFFICE, 25), WINDOWS, acts::wecom, "uses WeCom; is not in the register"),
    actor("laptop-mkt-09", ours(0x20, 9), (OFFICE, 29), WINDOWS, acts::tiktok, "watches TikTok"),
    actor("laptop-dev-02", ours(0x20, 2), (OFFICE, 22), LINUX, acts::browsing, "only browses"),
    actor("laptop-law-04", ours(0x20, 4), (OFFICE, 24), WINDOWS, acts::browsing, "only browses"),
    actor("laptop-pr-06", ours(0x20, 6), (OFFICE, 26), WINDOWS, acts::browsing, "only browses"),
    actor(
        "eng-ot-01",
        ours(0x10, 1),
        (SERVERS, 21),
        WINDOWS,
        acts::short_links_without_a_name,
        "WeChat short links to a bare address on port 443",
    ),
    actor("srv-files-02", ours(0x10, 2), (SERVERS, 22), LINUX, acts::quiet_server, "fetches packages and reports to its monitoring"),
    actor(
        "iPhone",
        Mac([0xbe, 0x1d, 0x5c, 0x92, 0x30, 0x4f]),
        (GUEST, 51),
        "",
        acts::new_installation_abroad,
        "a guest's phone with a randomised address: installs WeChat, region international",
    ),
    actor("MI-9", Mac([0x6e, 0x42, 0xa7, 0x18, 0xd3, 0x05]), (GUEST, 52), ANDROID, acts::qq, "a guest's phone with QQ"),
    actor(
        "Galaxy-S21",
        Mac([0xda, 0x97, 0x0b, 0xee, 0x51, 0x2c]),
        (GUEST, 53),
        ANDROID,
        acts::game,
        "a guest plays a game on Tencent Cloud",
    ),
    actor(
        "Pixel-7",
        Mac([0x12, 0xf8, 0x63, 0x3a, 0xc4, 0x71]),
        (GUEST, 54),
        ANDROID,
        acts::sdk,
        "an app with Tencent's advertising libraries",
    ),
    actor("kiosk-lobby", ours(0x30, 5), (GUEST, 55), LINUX, acts::disguised_tunnel, "a tunnel behind WeChat's headers"),
    actor(
        "travel-router",
        ours(0x30, 8),
        (GUEST, 58),
        LINUX,
        acts::three_behind_a_router,
        "a small router with three WeChat phones behind it",
    ),
    actor("guest-laptop", ours(0x30, 7), (GUEST, 57), WINDOWS, acts::browsing, "only browses"),
    actor(
        "phone-visit-09",
        ours(0x30, 9),
        (GUEST, 59),
        ANDROID,
        acts::from_guest_to_servers,
        "uses WeChat as a guest, an hour later appears among the servers",
    ),
];

/// The frames of the demo: the same for the same seed, whatever the machine.
pub fn frames(seed: u64) -> Vec<Frame> {
    let mut lab = Lab::new();
    names::settle(&mut lab);
    for (index, actor) in ACTORS.iter().enumerate() {
        let start = START.after(Duration::from_millis(1_500 * index as u64));
        let mut host = Host::new(actor.device, actor.vendor_class, actor.mac, actor.segment, actor.host, start, Prng::new(seed));
        (actor.act)(&mut host, &mut lab);
    }
    let mut frames = lab.trace.into_frames();
    frames.retain(|f| f.at < START.after(LENGTH));
    frames
}

/// The demo as a pcap file.
pub fn capture() -> Vec<u8> {
    pcap(&frames(0), Pcap::default())
}

/// What each device does, as a table.
pub fn list() -> String {
    let line = |a: &Actor| format!("{:<17} {}  VLAN {} {:<17} {}\n", a.device, a.mac, a.segment.vlan, a.segment.name, a.story);
    ACTORS.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_bytes_each_time() {
        let capture = capture();
        assert_eq!(capture, super::capture());
        assert_ne!(frames(0), frames(1));
        assert!(capture.len() < 6 << 20, "{} bytes", capture.len());
    }

    #[test]
    fn a_morning_of_two_hours() {
        let frames = frames(0);
        assert!((5_000..20_000).contains(&frames.len()), "{} frames", frames.len());
        assert!(frames.iter().all(|f| f.at >= START && f.at < START.after(LENGTH) && f.bytes.len() <= 1518));
        assert_eq!(START.to_string(), "2026-03-03T08:00:00.000000Z");
    }

    #[test]
    fn every_device_is_there_once() {
        let frames = frames(0);
        let seen: BTreeSet<_> = frames.iter().map(|f| f.bytes[6..12].to_vec()).collect();
        let macs: BTreeSet<_> = ACTORS.iter().map(|a| a.mac.0.to_vec()).collect();
        assert_eq!(macs.len(), ACTORS.len());
        assert!(macs.is_subset(&seen) && seen.len() == macs.len() + 1);
    }
}
