//! Where the names of the demo live: addresses from the ranges for documentation (RFC 5737, RFC 3849).

use std::net::Ipv4Addr;

use crate::host::Lab;

/// Ordinary sites. They belong to nobody, and nothing that the sensor writes may contain them.
pub const ORDINARY: [&str; 16] = [
    "www.kestrel-news.example",
    "static.kestrel-news.example",
    "wiki.lantern.example",
    "upload.lantern.example",
    "maps.harbour.example",
    "tiles.harbour.example",
    "shop.orchard.example",
    "img.orchard.example",
    "video.millrace.example",
    "radio.millrace.example",
    "forum.tinkers.example",
    "packages.tinkers.example",
    "weather.almanac.example",
    "tickets.railway.example",
    "search.compass.example",
    "fonts.compass.example",
];

/// The organisation's mail: one of the work services of the example configuration.
pub const MAIL: &str = "mail.example.org";

/// The messaging front ends of the mainland and Hong Kong, with the app's own name service first.
pub const WECHAT: [&str; 10] = [
    "dns.weixin.qq.com",
    "long.weixin.qq.com",
    "szlong.weixin.qq.com",
    "short.weixin.qq.com",
    "szshort.weixin.qq.com",
    "extshort.weixin.qq.com",
    "minorshort.weixin.qq.com",
    "szquic.weixin.qq.com",
    "hkshort.weixin.qq.com",
    "hklong.weixin.qq.com",
];

/// The international front ends.
pub const WECHAT_INTERNATIONAL: [&str; 4] = ["dns.wechat.com", "sglong.wechat.com", "sgshort.wechat.com", "sgminorshort.wechat.com"];

/// Media, moments, pay and mini programs.
pub const WECHAT_MEDIA: [&str; 6] =
    ["weixinc2c.tc.qq.com", "mmsns.qpic.cn", "szmmsns.qpic.cn", "vweixinf.tc.qq.com", "szshort.pay.weixin.qq.com", "servicewechat.com"];

/// The browser client.
pub const WEB: [&str; 4] = ["web.wechat.com", "login.web.wechat.com", "webpush.web.wechat.com", "file.web.wechat.com"];

/// The script library that web pages of anyone use as well.
pub const JS_SDK: &str = "res.wx.qq.com";

/// WeCom.
pub const WECOM: [&str; 3] = ["i.work.weixin.qq.com", "live.work.weixin.qq.com", "gap.work.weixin.qq.com"];

/// QQ.
pub const QQ: [&str; 3] = ["msfwifi.3g.qq.com", "multimedia.nt.qq.com.cn", "msfxg.3g.qq.com"];

/// TikTok.
pub const TIKTOK: [&str; 4] =
    ["www.tiktok.com", "api16-normal-c-useast1a.tiktokv.com", "v16-webapp.tiktok.com", "p16-sign-va.tiktokcdn.com"];

/// A game: its vendor's services and other people's machines on the same cloud.
pub const GAME: [&str; 5] = [
    "cloudctrl.gcloudsdk.com",
    "dl.gcloudcs.com",
    "down.anticheatexpert.com",
    "gamepatch-1250000000.cos.ap-guangzhou.myqcloud.com",
    "match.pvp.qq.com",
];

/// What advertising and telemetry libraries inside other apps ask for.
pub const SDK: [&str; 5] = ["mi.gdt.qq.com", "sdk.e.qq.com", "android.bugly.qq.com", "pingma.qq.com", "othstr.beacon.qq.com"];

/// Gives every name its place. The game and the libraries share a /24 with WeChat, as they do on the real cloud.
pub fn settle(lab: &mut Lab) {
    let wechat = |host| Ipv4Addr::new(198, 51, 100, host);
    lab.place(wechat(10), None, &WECHAT);
    lab.place(wechat(30), None, &WECHAT_INTERNATIONAL);
    lab.place(wechat(40), None, &WECHAT_MEDIA);
    lab.place(wechat(60), None, &WEB);
    lab.place(wechat(70), None, &[JS_SDK]);
    lab.place(wechat(80), None, &WECOM);
    lab.place(wechat(100), None, &QQ);
    lab.place(wechat(130), Some("gz.file.myqcloud.com"), &GAME);
    lab.place(wechat(150), None, &SDK);
    lab.place([192, 0, 2, 20].into(), None, &TIKTOK);
    lab.place([192, 0, 2, 25].into(), None, &[MAIL]);
    let (plain, fronted) = ORDINARY.split_at(10);
    lab.place([203, 0, 113, 100].into(), None, plain);
    lab.place([203, 0, 113, 140].into(), Some("e7.edge.lantern.example"), fronted);
}
