//! The small office of the demo: four segments, twenty devices, two hours of a morning.
//!
//! Every device is a line of [`ACTORS`]: who it is, where, what it does, and the function that does it.

pub mod acts;
pub mod names;

use std::io;
use std::path::Path;
use std::time::Duration;

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;

use crate::capture::{Pcap, pcap};
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
    /// Where it begins, and the last byte of its address there.
    pub place: (Segment, u8),
    /// DHCP vendor class.
    pub vendor_class: &'static str,
    /// What it does.
    pub story: &'static str,
    /// What the sensor must say.
    pub expected: &'static str,
    act: fn(&mut Host, &mut Lab),
}

const WINDOWS: &str = "MSFT 5.0";
const ANDROID: &str = "android-dhcp-14";
const LINUX: &str = "dhcpcd-9.4.1:Linux-6.1";

/// Hardware addresses of the documentation range (RFC 9542 section 2.1.1).
const fn documented(last: u8) -> Mac {
    Mac([0x00, 0x00, 0x5e, 0x00, 0x53, last])
}

/// Random hardware addresses as phones make them.
const fn random(last: u8) -> Mac {
    Mac([0xda, 0xa1, 0x19, 0x5c, 0x30, last])
}

/// Every device of the demo.
pub static ACTORS: [Actor; 20] = [
    Actor {
        device: "phone-press-01",
        mac: documented(0x41),
        place: (SEPARATE, 21),
        vendor_class: ANDROID,
        story: "designated phone, the app in full on the separate VLAN",
        expected: "wechat app, compliant",
        act: acts::wechat_in_full,
    },
    Actor {
        device: "tablet-travel-02",
        mac: documented(0x42),
        place: (OFFICE, 42),
        vendor_class: ANDROID,
        story: "designated tablet plugged into the office, only browsing",
        expected: "separation breach",
        act: acts::browsing,
    },
    Actor {
        device: "laptop-fin-07",
        mac: documented(0x27),
        place: (OFFICE, 27),
        vendor_class: WINDOWS,
        story: "web WeChat over TLS and QUIC",
        expected: "wechat web, unapproved",
        act: acts::web_wechat,
    },
    Actor {
        device: "laptop-hr-03",
        mac: documented(0x23),
        place: (OFFICE, 23),
        vendor_class: WINDOWS,
        story: "the Windows app, with a valid waiver",
        expected: "wechat app, waived",
        act: acts::desktop_resumed,
    },
    Actor {
        device: "laptop-it-11",
        mac: documented(0x2b),
        place: (OFFICE, 43),
        vendor_class: WINDOWS,
        story: "the Windows app, its waiver ended in February",
        expected: "wechat app, waiver expired",
        act: acts::desktop_refreshed,
    },
    Actor {
        device: "laptop-law-02",
        mac: documented(0x2c),
        place: (OFFICE, 44),
        vendor_class: WINDOWS,
        story: "web WeChat and the organisation's mail on one laptop",
        expected: "wechat web, separation breach",
        act: acts::web_wechat_and_mail,
    },
    Actor {
        device: "eng-ot-01",
        mac: documented(0x11),
        place: (SERVERS, 11),
        vendor_class: WINDOWS,
        story: "short links without any name, sensitive VLAN",
        expected: "wechat app, violation",
        act: acts::short_links_without_a_name,
    },
    Actor {
        device: "hist-01",
        mac: documented(0x12),
        place: (SERVERS, 12),
        vendor_class: LINUX,
        story: "a server of the sensitive VLAN, fetching updates",
        expected: "nothing",
        act: acts::quiet_server,
    },
    Actor {
        device: "laptop-sales-05",
        mac: documented(0x25),
        place: (OFFICE, 25),
        vendor_class: WINDOWS,
        story: "WeCom, which is under audit; not in the register",
        expected: "wecom work, observed",
        act: acts::wecom,
    },
    Actor {
        device: "laptop-pr-06",
        mac: documented(0x26),
        place: (OFFICE, 26),
        vendor_class: WINDOWS,
        story: "TikTok, which is banned",
        expected: "tiktok app and web, violation",
        act: acts::tiktok,
    },
    Actor {
        device: "laptop-quiet-09",
        mac: documented(0x29),
        place: (OFFICE, 29),
        vendor_class: WINDOWS,
        story: "ordinary browsing",
        expected: "nothing",
        act: acts::browsing,
    },
    Actor {
        device: "laptop-dev-12",
        mac: documented(0x2d),
        place: (OFFICE, 45),
        vendor_class: LINUX,
        story: "ordinary browsing",
        expected: "nothing",
        act: acts::browsing,
    },
    Actor {
        device: "Pixel-7",
        mac: random(1),
        place: (GUEST, 101),
        vendor_class: ANDROID,
        story: "a fresh installation on a guest's phone, random address, region international",
        expected: "wechat app, observed",
        act: acts::new_installation_abroad,
    },
    Actor {
        device: "Redmi-Note",
        mac: random(2),
        place: (GUEST, 102),
        vendor_class: ANDROID,
        story: "QQ on a guest's phone",
        expected: "qq app, observed",
        act: acts::qq,
    },
    Actor {
        device: "gaming-pc",
        mac: documented(0x33),
        place: (GUEST, 103),
        vendor_class: WINDOWS,
        story: "a game whose servers share a /24 with WeChat's",
        expected: "nothing",
        act: acts::game,
    },
    Actor {
        device: "Galaxy-A54",
        mac: random(4),
        place: (GUEST, 104),
        vendor_class: ANDROID,
        story: "an app with Tencent's ad and telemetry SDKs",
        expected: "nothing",
        act: acts::sdk,
    },
    Actor {
        device: "kiosk-35",
        mac: documented(0x35),
        place: (GUEST, 105),
        vendor_class: LINUX,
        story: "a tunnel that wears the app's headers",
        expected: "disguise",
        act: acts::disguised_tunnel,
    },
    Actor {
        device: "travel-router",
        mac: documented(0x36),
        place: (GUEST, 106),
        vendor_class: LINUX,
        story: "a guest's router with three phones behind it",
        expected: "wechat app, three installations",
        act: acts::three_behind_a_router,
    },
    Actor {
        device: "guest-laptop",
        mac: documented(0x37),
        place: (GUEST, 108),
        vendor_class: WINDOWS,
        story: "ordinary browsing",
        expected: "nothing",
        act: acts::browsing,
    },
    Actor {
        device: "Mate-60",
        mac: random(7),
        place: (GUEST, 107),
        vendor_class: ANDROID,
        story: "the app on guest Wi-Fi, an hour later silent in the sensitive VLAN",
        expected: "observed there, separation breach in the sensitive VLAN",
        act: acts::from_guest_to_servers,
    },
];

/// The whole morning, for a seed: the same frames on every machine.
pub fn morning_of(seed: u64) -> Lab {
    let mut lab = Lab::new();
    names::settle(&mut lab);
    for (index, actor) in ACTORS.iter().enumerate() {
        let start = START.after(Duration::from_millis(1_500 * index as u64));
        let mut host = Host::new(actor.device, actor.vendor_class, actor.mac, actor.place.0, actor.place.1, start, Prng::new(seed));
        (actor.act)(&mut host, &mut lab);
    }
    lab.trace.retain_before(START.after(LENGTH));
    lab
}

/// The morning of the demo.
pub fn morning() -> Lab {
    morning_of(0)
}

/// The morning as a pcap file.
pub fn capture() -> Vec<u8> {
    pcap(&morning().trace.into_frames(), Pcap::default())
}

/// Writes the morning as a capture.
///
/// # Errors
/// Whatever the file system says.
pub fn write(path: &Path) -> io::Result<()> {
    std::fs::write(path, capture())
}

/// What each device does and what must be said about it, as a table.
pub fn list() -> String {
    let line = |a: &Actor| format!("{:<17} {:<17} {:<78} {}\n", a.device, a.place.0.name, a.story, a.expected);
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
        assert_ne!(morning_of(0).trace.sorted(), morning_of(1).trace.sorted());
        assert!(capture.len() < 6 << 20, "{} bytes", capture.len());
    }

    #[test]
    fn a_morning_of_two_hours() {
        let frames = morning().trace.into_frames();
        assert!((5_000..20_000).contains(&frames.len()), "{} frames", frames.len());
        assert!(frames.iter().all(|f| f.at >= START && f.at < START.after(LENGTH) && f.bytes.len() <= 1518));
        assert_eq!(START.to_string(), "2026-03-03T08:00:00.000000Z");
    }

    /// The expectation that the case folder holds, and the stories, are about the same devices.
    #[test]
    fn stories_and_expected_findings_agree() {
        let expected = include_str!("../cases/office/expected.jsonl");
        for actor in &ACTORS {
            let told = expected.contains(&format!("\"device\":\"{}\"", actor.device.to_lowercase()));
            assert_eq!(told, actor.expected != "nothing", "{}", actor.device);
        }
    }

    #[test]
    fn every_device_is_there_once() {
        let frames = morning().trace.into_frames();
        let seen: BTreeSet<_> = frames.iter().map(|f| f.bytes[6..12].to_vec()).collect();
        let macs: BTreeSet<_> = ACTORS.iter().map(|a| a.mac.0.to_vec()).collect();
        assert_eq!(macs.len(), ACTORS.len());
        assert!(macs.is_subset(&seen) && seen.len() == macs.len() + 1);
    }
}
