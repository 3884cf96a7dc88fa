//! What each device of the demo does between 08:00 and 10:00.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::names::{GAME, JS_SDK, MAIL, ORDINARY, QQ, SDK, TIKTOK, WEB, WECHAT, WECHAT_INTERNATIONAL, WECHAT_MEDIA, WECOM};
use super::{GUEST, SERVERS, START};
use crate::host::{Host, Lab};
use crate::mmtls::{self, Installation, Start};
use crate::quic::{Shape, Version};
use crate::tls::ClientHello;
use crate::wire::Side;
use crate::{http, qq};

const APP_AGENT: &str = "MicroMessenger Client";

/// Sets the host's clock to a minute of the demo.
fn at(host: &mut Host, minute: u64) {
    host.now = START.after(Duration::from_secs(minute * 60));
    host.linger(0, 40);
}

fn server(lab: &Lab, name: &str, port: u16) -> SocketAddr {
    SocketAddr::new(lab.find(name).v4.into(), port)
}

/// `pages` ordinary pages between two minutes.
fn surf(host: &mut Host, lab: &mut Lab, from: u64, to: u64, pages: u64) {
    for page in 0..pages {
        at(host, from + page * (to - from) / pages);
        let name = *host.rng.pick(&ORDINARY);
        if host.rng.chance(15) {
            let big = host.rng.chance(50);
            host.quic(lab, name, Version::V1, Shape { chunk: if big { 400 } else { usize::MAX }, shuffled: big, ..Shape::default() });
        } else {
            host.browse(lab, name);
        }
    }
}

/// Ordinary browsing, all morning.
pub fn browsing(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    surf(host, lab, 1, 118, 16);
}

/// The app on a phone, in full: name service, long link, short links, media, pay.
pub fn wechat_in_full(host: &mut Host, lab: &mut Lab) {
    let app = Installation::new("android-34", &mut host.rng);
    host.boot(lab);
    host.linger(5, 9);
    host.newdns(lab, &app, "dns.weixin.qq.com", &[&WECHAT[..], &WECHAT_MEDIA].concat());
    host.linger(1, 2);
    let long = server(lab, "szlong.weixin.qq.com", 8080);
    host.mmtls_long(lab, &app, long, Start::Resume, 25);
    let short = server(lab, "szshort.weixin.qq.com", 80);
    host.mmtls_short(lab, &app, short, "szshort.weixin.qq.com", Start::Resume, mmtls::AUTOAUTH);
    for minute in [2, 3, 9, 17, 26, 41, 58, 73, 97, 112] {
        at(host, minute);
        let len = host.rng.between(90, 700);
        host.mmtls_short(lab, &app, short, "szshort.weixin.qq.com", Start::Resume, len);
    }
    for (minute, name, path) in
        [(12, "mmsns.qpic.cn", "/mmsns/a1b2/150"), (44, "szmmsns.qpic.cn", "/mmsns/c3d4/0"), (80, "mmsns.qpic.cn", "/mmsns/e5f6/0")]
    {
        at(host, minute);
        host.http(lab, name, path, APP_AGENT);
    }
    for (minute, name) in [(20, "weixinc2c.tc.qq.com"), (55, "szshort.pay.weixin.qq.com"), (88, "servicewechat.com")] {
        at(host, minute);
        host.call(lab, name);
    }
    at(host, 63);
    host.quic(lab, "szquic.weixin.qq.com", Version::V1, Shape::default());
    surf(host, lab, 6, 115, 5);
}

/// The browser client, over TLS and QUIC.
pub fn web_wechat(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    surf(host, lab, 2, 118, 9);
    at(host, 15);
    for name in [WEB[1], WEB[0], WEB[0], WEB[2]] {
        host.browse(lab, name);
        host.linger(1, 12);
    }
    for minute in [21, 38, 52, 77] {
        at(host, minute);
        host.quic(lab, WEB[0], Version::V1, Shape { chunk: 350, shuffled: true, ..Shape::default() });
        host.linger(1, 9);
        host.browse(lab, WEB[2]);
    }
    at(host, 60);
    host.quic(lab, WEB[3], Version::V2, Shape::default());
    at(host, 61);
    host.browse(lab, JS_SDK);
    // A connection that the browser opened ahead and never used, and another site on the same front end.
    let front = server(lab, WEB[0], 443);
    let mut talk = host.talk(front);
    talk.wait(Duration::from_secs(10)).close(Side::Client);
    host.play(lab, &talk);
    let hello = ClientHello::browser(ORDINARY[6], &["h2", "http/1.1"], &mut host.rng);
    host.tls(lab, &hello, front, 1);
}

/// The browser client on a device that also reads the organisation's mail.
pub fn web_wechat_and_mail(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    surf(host, lab, 5, 116, 5);
    for minute in [8, 46, 95] {
        at(host, minute);
        host.browse(lab, MAIL);
    }
    at(host, 30);
    host.browse(lab, WEB[0]);
    host.browse(lab, WEB[2]);
}

/// The app for desktop computers.
fn desktop(host: &mut Host, lab: &mut Lab, start: Start, first: &str) {
    let app = Installation::new("Windows-11", &mut host.rng).with_client_version(0x6309_0a13);
    host.boot(lab);
    surf(host, lab, 3, 117, 7);
    at(host, 11);
    host.newdns(lab, &app, "dns.weixin.qq.com", &WECHAT);
    host.linger(1, 2);
    let long = server(lab, first, 443);
    if start == Start::Refresh {
        host.mmtls_refused(lab, &app, long);
        host.linger(1, 2);
    }
    host.mmtls_long(lab, &app, long, start, 22);
    let short = server(lab, "short.weixin.qq.com", 80);
    for minute in [12, 13, 31, 64, 90] {
        at(host, minute);
        let len = host.rng.between(90, 900);
        host.mmtls_short(lab, &app, short, "short.weixin.qq.com", Start::Resume, len);
    }
}

/// The app for desktop computers, with a session ticket.
pub fn desktop_resumed(host: &mut Host, lab: &mut Lab) {
    desktop(host, lab, Start::Resume, "long.weixin.qq.com");
}

/// The app for desktop computers, whose session ticket had run out.
pub fn desktop_refreshed(host: &mut Host, lab: &mut Lab) {
    desktop(host, lab, Start::Refresh, "hklong.weixin.qq.com");
}

/// Short links alone, to an address that no name service gave: no name anywhere.
pub fn short_links_without_a_name(host: &mut Host, lab: &mut Lab) {
    let app = Installation::new("Windows-10", &mut host.rng);
    let front = SocketAddr::new(Ipv4Addr::new(198, 51, 100, 90).into(), 443);
    host.boot(lab);
    surf(host, lab, 2, 110, 6);
    for (minute, len) in [(33, 300), (34, 120), (71, 640)] {
        at(host, minute);
        host.mmtls_short(lab, &app, front, "198.51.100.90", Start::Resume, len);
    }
}

/// A guest installs the app and registers abroad.
pub fn new_installation_abroad(host: &mut Host, lab: &mut Lab) {
    let app = Installation::new("iOS17.4", &mut host.rng);
    at(host, 8);
    host.boot(lab);
    host.announce(lab);
    surf(host, lab, 9, 100, 4);
    at(host, 24);
    host.newdns(lab, &app, "dns.wechat.com", &WECHAT_INTERNATIONAL);
    host.linger(1, 2);
    let long = server(lab, "sglong.wechat.com", 8080);
    host.mmtls_long(lab, &app, long, Start::New, 12);
    host.resolve(lab, "sgshort.wechat.com");
    let short = server(lab, "sgshort.wechat.com", 80);
    host.mmtls_short(lab, &app, short, "sgshort.wechat.com", Start::New, 0);
    for minute in [25, 39, 66] {
        at(host, minute);
        host.mmtls_short(lab, &app, short, "sgshort.wechat.com", Start::Resume, 210);
    }
}

/// QQ: both of its links, and its media names.
pub fn qq(host: &mut Host, lab: &mut Lab) {
    at(host, 5);
    host.boot(lab);
    surf(host, lab, 6, 110, 4);
    at(host, 14);
    let link = host.resolve(lab, QQ[0]).v4;
    let mut talk = host.talk(SocketAddr::new(link.into(), 14_000));
    talk.client(qq::msf_hello()).server(qq::msf_hello());
    for _ in 0..12 {
        let [ask, say] = [120, 260].map(|len| qq::msf_message(len, &mut host.rng));
        talk.wait(Duration::from_secs(180)).client(ask).server(say);
    }
    host.play(lab, &talk);
    host.oicq(lab, lab.find(QQ[2]).v4, 1_444_000_123, 30);
    at(host, 31);
    host.call(lab, QQ[1]);
}

/// A game whose servers stand in the same cloud as WeChat's.
pub fn game(host: &mut Host, lab: &mut Lab) {
    at(host, 3);
    host.boot(lab);
    surf(host, lab, 4, 110, 3);
    for (minute, name) in GAME.iter().enumerate() {
        at(host, 18 + minute as u64);
        host.call(lab, name);
    }
    at(host, 24);
    let place = host.resolve(lab, GAME[4]);
    let lobby = SocketAddr::new(place.v4.into(), 8080);
    let mut talk = host.talk(lobby);
    for _ in 0..10 {
        // No byte of text, so that nobody takes port 8080 for a reason to see HTTP.
        let [ask, say] = [9, 10].map(|kind| [vec![0xb3, 0xe6, 0, kind], host.rng.bytes(90).iter().map(|b| b | 0x80).collect()].concat());
        talk.client(ask).server(say).wait(Duration::from_secs(45));
    }
    host.play(lab, &talk);
    let arena = SocketAddr::new(place.v4.into(), 10_012);
    let me = host.endpoint(arena.ip());
    let turn = |i: usize| if i.is_multiple_of(2) { Side::Client } else { Side::Server };
    let datagrams: Vec<_> =
        (0..240).map(|i| (turn(i), Duration::from_millis(66), [&[0x4d, 0x0a][..], &host.rng.bytes(60)].concat())).collect();
    host.wire(lab).datagrams(&mut lab.trace, host.now, me, arena, &datagrams);
}

/// An app with advertising and telemetry libraries of Tencent, and a page that embeds WeChat's sharing script.
pub fn sdk(host: &mut Host, lab: &mut Lab) {
    at(host, 2);
    host.boot(lab);
    surf(host, lab, 5, 110, 5);
    for round in 0..3 {
        for (index, name) in SDK.iter().enumerate() {
            at(host, 10 + round * 30 + index as u64);
            host.call(lab, name);
        }
    }
}

/// WeCom, whose web view calls itself both MicroMessenger and wxwork.
pub fn wecom(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    surf(host, lab, 2, 117, 8);
    for (minute, name) in [(14, WECOM[0]), (15, WECOM[1]), (42, WECOM[0]), (83, WECOM[2])] {
        at(host, minute);
        host.call(lab, name);
    }
    at(host, 43);
    let agent =
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/116 MicroMessenger/7.0.20 wxwork/4.1.36 MicroMessenger";
    host.http(lab, WECOM[0], "/wework_admin/static", agent);
}

/// TikTok in a browser and in its app.
pub fn tiktok(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    surf(host, lab, 2, 117, 6);
    for minute in [28, 29, 67] {
        for name in TIKTOK {
            at(host, minute);
            host.call(lab, name);
        }
    }
    at(host, 68);
    host.quic(lab, TIKTOK[2], Version::V1, Shape::default());
}

/// A tunnel that looks like WeChat's short link, name and all.
pub fn disguised_tunnel(host: &mut Host, lab: &mut Lab) {
    let relay = SocketAddr::new(Ipv4Addr::new(203, 0, 113, 9).into(), 80);
    host.boot(lab);
    surf(host, lab, 3, 60, 3);
    for minute in [22, 23, 25, 49, 50] {
        at(host, minute);
        let len = host.rng.between(200, 1600);
        let request = mmtls::disguise_request("szminorshort.weixin.qq.com", len, &mut host.rng);
        let reply = mmtls::disguise_reply(len * 2, &mut host.rng);
        let me = host.endpoint(relay.ip());
        let talk = mmtls::exchange(me, relay, request, reply, &mut host.rng);
        host.play(lab, &talk);
    }
}

/// A small router of a guest with three phones behind it: one hardware address, three installations, the last one years old.
pub fn three_behind_a_router(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    host.ttl = 63;
    for (index, device) in ["android-33", "iOS17.2", "android-27"].into_iter().enumerate() {
        let old = index == 2;
        let mut app = Installation::new(device, &mut host.rng);
        app.version = if old { mmtls::Version::F103 } else { mmtls::Version::F104 };
        let minute = 10 + 7 * index as u64;
        at(host, minute);
        host.newdns(lab, &app, "dns.weixin.qq.com", &WECHAT);
        let long = server(lab, "long.weixin.qq.com", [8080, 443, 80][index]);
        host.mmtls_long(lab, &app, long, Start::Resume, 15);
        let short = server(lab, "extshort.weixin.qq.com", 80);
        for later in [1, 20, 55] {
            at(host, minute + later);
            host.mmtls_short(lab, &app, short, "extshort.weixin.qq.com", Start::Resume, 180);
        }
        if old {
            host.mmtls_legacy(lab, &app, "minorshort.weixin.qq.com");
        }
    }
    surf(host, lab, 4, 110, 6);
}

/// First a guest with the app, then in the segment of the servers.
pub fn from_guest_to_servers(host: &mut Host, lab: &mut Lab) {
    let app = Installation::new("android-34", &mut host.rng);
    debug_assert_eq!(host.segment, GUEST);
    host.boot(lab);
    at(host, 6);
    let long = server(lab, "hklong.weixin.qq.com", 8080);
    host.resolve(lab, "hklong.weixin.qq.com");
    host.mmtls_long(lab, &app, long, Start::Resume, 5);
    let short = server(lab, "hkshort.weixin.qq.com", 80);
    host.mmtls_short(lab, &app, short, "hkshort.weixin.qq.com", Start::Resume, 220);
    at(host, 75);
    host.roam(lab, SERVERS, 77);
    surf(host, lab, 76, 116, 5);
}

/// A server that fetches packages and answers its monitoring.
pub fn quiet_server(host: &mut Host, lab: &mut Lab) {
    host.boot(lab);
    for minute in (4..118).step_by(12) {
        at(host, minute);
        let name = ORDINARY[11];
        let place = host.resolve(lab, name);
        let hello = ClientHello::old(name, &mut host.rng);
        host.tls(lab, &hello, SocketAddr::new(IpAddr::V4(place.v4), 443), 1);
    }
    at(host, 50);
    let (monitor, body) = (SocketAddr::new(SERVERS.v4(200).into(), 9090), host.rng.bytes(300));
    let mut talk = host.talk(monitor);
    talk.client(http::get("monitor", "/push", "curl/8.5.0")).server(http::reply("200 OK", &[], &body)).close(Side::Server);
    host.play(lab, &talk);
}
