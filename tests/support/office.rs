//! A morning in a small office, as a mirror port of its access switch shows it. Every device has a story and an expected result.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use crate::frame::Mac;
use crate::host::{Host, Network};
use crate::payload::{dns, http, mmtls, qq};

/// 2026-03-03 08:00:00 UTC, in microseconds since the epoch.
const MORNING: u64 = 1_772_524_800 * 1_000_000;

/// A device of the office and what it does.
pub struct Story {
    /// What it is called.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What the sensor must say.
    pub expected: &'static str,
    play: fn(&mut Network),
}

/// Every story, in the order of the morning.
pub const STORIES: &[Story] = &[
    Story {
        name: "phone-press-01",
        about: "designated phone on the separate VLAN, the app in full",
        expected: "wechat app, compliant",
        play: press_phone,
    },
    Story {
        name: "tablet-travel-02",
        about: "designated tablet plugged into the office VLAN, only browsing",
        expected: "separation breach",
        play: travel_tablet,
    },
    Story {
        name: "laptop-fin-07",
        about: "web WeChat over TLS and QUIC, office VLAN",
        expected: "wechat web, unapproved",
        play: finance_laptop,
    },
    Story { name: "laptop-hr-03", about: "the Windows app, with a valid waiver", expected: "wechat app, waived", play: hr_laptop },
    Story {
        name: "laptop-it-11",
        about: "the Windows app, its waiver ended in February",
        expected: "wechat app, waiver expired",
        play: it_laptop,
    },
    Story {
        name: "laptop-law-02",
        about: "web WeChat and the organisation's mail on one laptop",
        expected: "wechat web, separation breach",
        play: law_laptop,
    },
    Story {
        name: "eng-ot-01",
        about: "one short link without any name, sensitive VLAN",
        expected: "wechat app, violation",
        play: engineering_station,
    },
    Story { name: "hist-01", about: "a server of the sensitive VLAN, fetching updates", expected: "nothing", play: historian },
    Story { name: "laptop-sales-05", about: "WeCom, which is under audit", expected: "wecom work, observed", play: sales_laptop },
    Story { name: "laptop-pr-06", about: "TikTok, which is banned", expected: "tiktok app and web, violation", play: pr_laptop },
    Story { name: "laptop-quiet-09", about: "ordinary browsing", expected: "nothing", play: quiet_laptop },
    Story {
        name: "guest-phone",
        about: "a fresh installation of the app on a guest's phone, random address",
        expected: "wechat app, observed",
        play: guest_phone,
    },
    Story { name: "guest-qq", about: "QQ on a guest's phone", expected: "qq app, observed", play: guest_qq },
    Story { name: "guest-gamer", about: "a game on Tencent Cloud", expected: "nothing", play: gamer },
    Story { name: "guest-ads", about: "an app with Tencent's ad and telemetry SDKs", expected: "nothing", play: ad_sdk },
    Story { name: "kiosk-35", about: "a tunnel that wears the app's headers", expected: "disguise", play: kiosk },
    Story {
        name: "travel-router",
        about: "a guest's router with three phones behind it",
        expected: "wechat app, three installations",
        play: travel_router,
    },
    Story {
        name: "roaming-phone",
        about: "a phone with the app on guest Wi-Fi, an hour later silent in the sensitive VLAN",
        expected: "separation breach in the sensitive VLAN",
        play: roaming_phone,
    },
];

/// The whole morning.
pub fn morning() -> Network {
    let mut net = Network::new(0x52_46);
    STORIES.iter().for_each(|s| (s.play)(&mut net));
    net
}

/// Writes the morning as a capture.
///
/// # Errors
/// Whatever the file system says.
pub fn write(path: &Path) -> io::Result<()> {
    morning().trace.write(path)
}

/// An address of the office's plan.
fn addr(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Hardware addresses of the documentation range (RFC 9542 section 2.1.1).
const fn documented(last: u8) -> Mac {
    [0x00, 0x00, 0x5e, 0x00, 0x53, last]
}

/// Random addresses as phones make them.
const fn random(last: u8) -> Mac {
    [0xda, 0xa1, 0x19, 0x5c, 0x30, last]
}

fn at(minutes: u64, seconds: u64) -> u64 {
    MORNING + (minutes * 60 + seconds) * 1_000_000
}

/// A host on a VLAN; the last byte of its address.
fn host(mac: Mac, vlan: u16, last: u8) -> Host {
    let [a, b] = vlan.to_be_bytes();
    let net = a.wrapping_add(b);
    Host {
        mac,
        vlan,
        addr: addr(&format!("10.10.{net}.{last}")),
        router: documented(0xf0 + net / 10),
        resolver: addr(&format!("10.10.{net}.1")),
    }
}

const NEWDNS: &str = "198.51.100.10";
const LONG: &str = "198.51.100.20";
const SHORT: &str = "198.51.100.21";
const MEDIA: &str = "198.51.100.30";
const LONG_SG: &str = "203.0.113.40";
const SHORT_SG: &str = "203.0.113.41";
const WEB: &str = "203.0.113.60";

fn ordinary(h: &Host, net: &mut Network, minute: u64) {
    let sites =
        [("www.example.org", "192.0.2.10", 5_000), ("news.example.net", "192.0.2.11", 9_001), ("cdn.example.com", "192.0.2.12", 12_000)];
    for (i, (name, ip, bytes)) in sites.into_iter().enumerate() {
        h.browse(net, at(minute + i as u64, 7 * i as u64), name, addr(ip), bytes);
    }
}

fn press_phone(net: &mut Network) {
    let h = host(documented(0x41), 40, 21);
    h.boot(net, at(0, 1), "phone-press-01", "android-dhcp-13");
    let learned = [("szlong.weixin.qq.com", LONG), ("szshort.weixin.qq.com", SHORT), ("vweixinf.tc.qq.com", MEDIA)];
    h.newgetdns(net, at(0, 5), addr(NEWDNS), &learned);
    h.long_link(net, at(0, 7), (addr(LONG), 8080), mmtls::Kind::Refresh, 41, 14);
    h.short_link(net, at(0, 9), (addr(SHORT), 80), "szshort.weixin.qq.com", 41, 5_464);
    h.short_link(net, at(12, 30), (addr(SHORT), 80), "szshort.weixin.qq.com", 41, 380);
    h.browse(net, at(13, 2), "vweixinf.tc.qq.com", addr(MEDIA), 14_000);
    // A connection whose server only NewDNS explains.
    let mut tcp = h.connect(net, at(20, 0), (addr(SHORT), 443));
    tcp.close();
}

fn travel_tablet(net: &mut Network) {
    let h = host(documented(0x42), 20, 42);
    h.boot(net, at(5, 0), "tablet-travel-02", "android-dhcp-14");
    ordinary(&h, net, 6);
}

fn finance_laptop(net: &mut Network) {
    let h = host(documented(0x27), 20, 27);
    h.boot(net, at(1, 0), "laptop-fin-07", "MSFT 5.0");
    ordinary(&h, net, 2);
    h.browse(net, at(15, 0), "web.wechat.com", addr(WEB), 8_000);
    h.tls(net, at(15, 20), "web.wechat.com", addr(WEB), 6_001);
    let t = h.resolve(net, at(15, 40), "webpush.web.wechat.com", None, addr(WEB));
    h.quic(net, t, "webpush.web.wechat.com", addr(WEB));
    h.browse(net, at(15, 50), "res.wx.qq.com", addr("203.0.113.61"), 9_000);
    // A connection that the browser opened ahead and never used.
    let mut tcp = h.connect(net, at(16, 0), (addr(WEB), 443));
    tcp.close();
}

fn hr_laptop(net: &mut Network) {
    let h = host(documented(0x23), 20, 23);
    h.boot(net, at(2, 0), "laptop-hr-03", "MSFT 5.0");
    let t = h.resolve(net, at(10, 0), "szlong.weixin.qq.com", None, addr(LONG));
    h.long_link(net, t, (addr(LONG), 443), mmtls::Kind::Resume, 23, 6);
}

fn it_laptop(net: &mut Network) {
    let h = host(documented(0x2b), 20, 43);
    h.boot(net, at(3, 0), "laptop-it-11", "MSFT 5.0");
    let t = h.resolve(net, at(11, 0), "szlong.weixin.qq.com", None, addr(LONG));
    h.long_link(net, t, (addr(LONG), 443), mmtls::Kind::Resume, 11, 4);
    h.short_link(net, at(25, 0), (addr(SHORT), 80), "szshort.weixin.qq.com", 11, 300);
}

fn law_laptop(net: &mut Network) {
    let h = host(documented(0x2c), 20, 44);
    h.boot(net, at(4, 0), "laptop-law-02", "MSFT 5.0");
    h.browse(net, at(8, 0), "mail.example.org", addr("192.0.2.25"), 7_000);
    h.browse(net, at(30, 0), "web.wechat.com", addr(WEB), 8_000);
}

fn engineering_station(net: &mut Network) {
    let h = host(documented(0x11), 10, 11);
    h.boot(net, at(0, 30), "eng-ot-01", "MSFT 5.0");
    h.short_link(net, at(40, 0), (addr("198.51.100.22"), 443), "198.51.100.22", 77, 420);
}

fn historian(net: &mut Network) {
    let h = host(documented(0x12), 10, 12);
    h.boot(net, at(0, 40), "hist-01", "debian");
    h.browse(net, at(20, 0), "deb.example.org", addr("192.0.2.30"), 15_000);
}

fn sales_laptop(net: &mut Network) {
    let h = host(documented(0x25), 20, 25);
    h.boot(net, at(4, 30), "laptop-sales-05", "MSFT 5.0");
    h.browse(net, at(22, 0), "i.work.weixin.qq.com", addr("198.51.100.70"), 5_000);
}

fn pr_laptop(net: &mut Network) {
    let h = host(documented(0x26), 20, 26);
    h.boot(net, at(4, 40), "laptop-pr-06", "MSFT 5.0");
    h.browse(net, at(33, 0), "www.tiktok.com", addr("203.0.113.80"), 9_000);
    h.browse(net, at(33, 5), "api16-normal-useast5.tiktokv.com", addr("203.0.113.81"), 3_000);
    h.browse(net, at(33, 9), "p16-sign.tiktokcdn.com", addr("203.0.113.82"), 15_000);
}

fn quiet_laptop(net: &mut Network) {
    let h = host(documented(0x29), 20, 29);
    h.boot(net, at(4, 50), "laptop-quiet-09", "MSFT 5.0");
    (0..6).for_each(|i| ordinary(&h, net, 10 + i * 15));
    let mut tcp = h.connect(net, at(50, 0), (addr("192.0.2.13"), 80));
    tcp.up(&http::request("plain.example.org", "/", "Mozilla/5.0")).down(&http::reply(3_000));
    tcp.close();
}

fn guest_phone(net: &mut Network) {
    let h = host(random(1), 30, 101);
    h.boot(net, at(35, 0), "Pixel-7", "android-dhcp-14");
    h.newgetdns(net, at(35, 4), addr(NEWDNS), &[("sglong.wechat.com", LONG_SG), ("sgshort.wechat.com", SHORT_SG)]);
    let t = h.resolve(net, at(35, 5), "sglong.wechat.com", None, addr(LONG_SG));
    h.long_link(net, t, (addr(LONG_SG), 8080), mmtls::Kind::NewInstallation, 0, 3);
    h.short_link(net, at(35, 9), (addr(SHORT_SG), 80), "sgshort.wechat.com", 101, 900);
    let name = dns::announcement("Pixel-7.local", h.addr);
    h.udp(net, at(35, 20), true, 5353, (addr("224.0.0.251"), 5353), &name);
}

fn guest_qq(net: &mut Network) {
    let h = host(random(2), 30, 102);
    h.boot(net, at(36, 0), "Redmi-Note", "android-dhcp-12");
    let server = (addr("203.0.113.70"), 8000);
    for i in 0..5u16 {
        let (ping, pong) = (qq::oicq(i, &mut net.prng), qq::oicq(i, &mut net.prng));
        h.udp(net, at(36, 10 + u64::from(i) * 30), true, 4_000, server, &ping);
        h.udp(net, at(36, 10 + u64::from(i) * 30) + 40_000, false, 4_000, server, &pong);
    }
    let hello = qq::msf(&mut net.prng);
    let mut tcp = h.connect(net, at(39, 0), (addr("203.0.113.71"), 8080));
    tcp.up(&hello).down(&[0, 0, 0, 8, 1, 2, 3, 4]);
    tcp.close();
}

fn gamer(net: &mut Network) {
    let h = host(documented(0x33), 30, 103);
    h.boot(net, at(37, 0), "gaming-pc", "MSFT 5.0");
    h.browse(net, at(37, 10), "cloudctrl.gcloudsdk.com", addr("203.0.113.90"), 4_000);
    h.browse(net, at(37, 20), "patch-1300000000.cos.ap-shanghai.myqcloud.com", addr("203.0.113.91"), 16_000);
    for i in 0..40u64 {
        let bytes = net.prng.bytes(90);
        h.udp(net, at(38, 0) + i * 50_000, i % 2 == 0, 50_100, (addr("203.0.113.92"), 20_001), &bytes);
    }
}

fn ad_sdk(net: &mut Network) {
    let h = host(random(4), 30, 104);
    h.boot(net, at(38, 0), "Galaxy-A54", "android-dhcp-14");
    for (i, name) in ["sdk.e.qq.com", "android.bugly.qq.com", "pingma.qq.com", "apis.map.qq.com"].into_iter().enumerate() {
        h.browse(net, at(38, 10 + i as u64), name, addr("198.51.100.90"), 2_000);
    }
}

fn kiosk(net: &mut Network) {
    let h = host(documented(0x35), 30, 105);
    h.boot(net, at(39, 0), "kiosk-35", "udhcp 1.36");
    let body = net.prng.bytes(533);
    let request = mmtls::short_request("szminorshort.weixin.qq.com", &body, &mut net.prng);
    for minute in [40, 44, 48] {
        let mut tcp = h.connect(net, at(minute, 0), (addr("203.0.113.9"), 80));
        tcp.up(&request).down(&http::reply(800));
        tcp.close();
    }
}

fn travel_router(net: &mut Network) {
    let h = host(documented(0x36), 30, 106);
    h.boot(net, at(41, 0), "travel-router", "udhcp 1.36");
    for (i, installation) in [501, 502, 503].into_iter().enumerate() {
        let minute = 42 + i as u64 * 5;
        h.long_link(net, at(minute, 0), (addr(LONG_SG), 443), mmtls::Kind::Resume, installation, 2);
        h.short_link(net, at(minute, 30), (addr(SHORT_SG), 80), "sgshort.wechat.com", installation, 500);
    }
}

fn roaming_phone(net: &mut Network) {
    let guest = host(random(7), 30, 107);
    guest.boot(net, at(10, 0), "Mate-60", "android-dhcp-12");
    let t = guest.resolve(net, at(10, 10), "szlong.weixin.qq.com", None, addr(LONG));
    guest.long_link(net, t, (addr(LONG), 8080), mmtls::Kind::Resume, 7, 2);
    let sensitive = host(random(7), 10, 107);
    sensitive.boot(net, at(75, 0), "Mate-60", "android-dhcp-12");
    sensitive.browse(net, at(75, 10), "www.example.org", addr("192.0.2.10"), 3_000);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_morning_every_time() {
        assert_eq!(morning().trace.to_pcap(), morning().trace.to_pcap());
    }

    #[test]
    fn small_and_in_the_morning() {
        let frames = morning().trace.sorted();
        assert!((1_000..40_000).contains(&frames.len()), "{}", frames.len());
        assert!(frames.iter().all(|(t, f)| *t >= MORNING && *t < at(150, 0) && f.len() >= 60 && f.len() <= 1_518));
    }
}
