//! Who lives in the lab, what each does, and what the sensor must say of it.

use std::io;
use std::net::Ipv4Addr;

use ringfence_core::net::Mac;
use ringfence_core::time::Timestamp;

use super::network::Place;
use super::now;
use super::talkers::Talker;
use crate::http;
use crate::mmtls::Installation;
use crate::prng::Prng;
use crate::sensor::Json;

/// One host and its part.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// The host.
    pub place: Place,
    /// What it does, for people.
    pub does: &'static str,
    /// The finding that must appear; `None`: nothing may.
    pub expected: Option<Expected>,
    /// What it does first; no sign of an app is in it.
    pub before: fn(&Talker<'_>) -> io::Result<()>,
    /// What it does then.
    pub act: fn(&Talker<'_>, &mut Prng) -> io::Result<()>,
}

/// A finding by what matters of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Whose it is: register entry, name or hardware address.
    pub device: &'static str,
    /// Where.
    pub segment: &'static str,
    /// Which surface of wechat.
    pub surface: &'static str,
    /// How sure.
    pub level: &'static str,
    /// How it is judged.
    pub verdict: &'static str,
}

impl Expected {
    /// True when a finding of the API or of `scan -o json` is this one.
    pub fn is(&self, finding: &Json) -> bool {
        let device = &finding["device"];
        let named = ["register", "name", "mac"].iter().any(|k| device[*k] == self.device);
        let same = |key: &str, value: &str| finding[key] == value;
        named
            && same("app", "wechat")
            && same("segment", self.segment)
            && same("surface", self.surface)
            && same("level", self.level)
            && same("verdict", self.verdict)
    }
}

const fn documented(last: u8) -> Mac {
    Mac([0x00, 0x00, 0x5e, 0x00, 0x53, last])
}

const fn place(name: &'static str, mac: Mac, net: u8, host: u8, vendor_class: &'static str) -> Place {
    Place { name, mac, v4: Ipv4Addr::new(10, 10, net, host), vendor_class }
}

const fn expect(device: &'static str, segment: &'static str, surface: &'static str, verdict: &'static str) -> Option<Expected> {
    Some(Expected { device, segment, surface, level: "confirmed", verdict })
}

fn nothing(_: &Talker<'_>) -> io::Result<()> {
    Ok(())
}

fn phone(rng: &mut Prng) -> Installation {
    Installation::new("android-34", rng)
}

/// Everybody.
pub static ROLES: [Role; 7] = [
    Role {
        place: place("phone-press-01", documented(0x41), 40, 21, "android-dhcp-14"),
        does: "designated phone: name service and long link of the app, over real sockets",
        expected: expect("phone-press-01", "separate-devices", "app", "compliant"),
        before: nothing,
        act: |talker, rng| {
            let app = phone(rng);
            talker.newgetdns(&app)?;
            talker.long_link(&app, rng)
        },
    },
    Role {
        place: place("laptop-fin-07", documented(0x27), 20, 27, "MSFT 5.0"),
        does: "office laptop without a waiver: the browser client, by curl",
        expected: expect("laptop-fin-07", "office", "web", "unapproved"),
        before: nothing,
        act: |talker, _| talker.curl("web.wechat.com"),
    },
    Role {
        place: place("laptop-law-02", documented(0x2c), 20, 44, "MSFT 5.0"),
        does: "work PC: the organisation's mail by curl, then a front end of the app by openssl s_client",
        expected: expect("laptop-law-02", "office", "app", "separation_breach"),
        before: |talker| talker.curl("mail.example.org"),
        act: |talker, _| talker.s_client("szlong.weixin.qq.com"),
    },
    Role {
        place: place("laptop-hr-03", documented(0x23), 20, 23, "MSFT 5.0"),
        does: "office laptop with a waiver: a front end of the app, by openssl s_client",
        expected: expect("laptop-hr-03", "office", "app", "waived"),
        before: nothing,
        act: |talker, _| talker.s_client("szlong.weixin.qq.com"),
    },
    Role {
        place: place("eng-ot-01", documented(0x11), 10, 17, "dhcpcd-9.4.1:Linux-6.1"),
        does: "engineering station in the sensitive segment: a QUIC connection",
        expected: expect("eng-ot-01", "servers-ot", "app", "violation"),
        before: nothing,
        act: |talker, _| talker.quic("szquic.weixin.qq.com"),
    },
    Role {
        place: place("visitor", Mac([0xda, 0xa1, 0x19, 0x5c, 0x30, 0x61]), 30, 97, "android-dhcp-14"),
        does: "a visitor's phone with a random hardware address: a short link in clear HTTP",
        expected: expect("visitor", "guest", "app", "observed"),
        before: nothing,
        act: |talker, rng| talker.short_link(&phone(rng), rng),
    },
    Role {
        place: place("canary-dhcp", documented(0x99), 20, 99, "canary-class"),
        does: "ordinary laptop: DNS, TLS, QUIC and HTTP that match no rule",
        expected: None,
        before: nothing,
        act: ordinary,
    },
];

fn ordinary(talker: &Talker<'_>, _: &mut Prng) -> io::Result<()> {
    let server = talker.resolve("canary-dns.example.org")?;
    talker.curl("canary-sni.example.org")?;
    talker.s_client("canary-brief.example.org")?;
    talker.quic("canary-quic.example.org")?;
    let request = http::get("canary-host.example.org", "/canary-path?user=1", "canary-agent/1.0");
    talker.exchange((server, 80).into(), request, http::reply("200 OK", &[], b"canary-body"))
}

/// What may be found nowhere: names, address and hardware address of the ordinary host, and where it went.
pub const CANARIES: [&str; 4] = ["canary", "10.10.20.99", "00:00:5e:00:53:99", "198.51.100.10"];

/// Hosts of all roles.
pub fn places() -> Vec<Place> {
    ROLES.iter().map(|r| r.place).collect()
}

/// The policy of the lab: the waiver holds today, whenever that is.
pub fn policy() -> String {
    let date = |days: i64| Timestamp::from_secs_nanos(now().secs().saturating_add_signed(days * 86_400), 0).to_string()[..10].to_string();
    let (start, end) = (date(-1), date(30));
    format!(
        r#"
[policy]
work_names = ["mail.example.org"]

[segments]
servers-ot = {{ class = "sensitive", prefixes = ["10.10.10.0/24"] }}
office = {{ class = "standard", prefixes = ["10.10.20.0/24"] }}
guest = {{ class = "guest", prefixes = ["10.10.30.0/24"] }}
separate-devices = {{ class = "separate", prefixes = ["10.10.40.0/24"] }}

[[device]]
id = "phone-press-01"
macs = ["00:00:5e:00:53:41"]
designated = true

[[device]]
id = "laptop-fin-07"
macs = ["00:00:5e:00:53:27"]

[[device]]
id = "laptop-law-02"
macs = ["00:00:5e:00:53:2c"]

[[device]]
id = "laptop-hr-03"
macs = ["00:00:5e:00:53:23"]

[[device]]
id = "eng-ot-01"
macs = ["00:00:5e:00:53:11"]

[[waiver]]
id = "W-lab"
holders = ["laptop-hr-03"]
apps = ["wechat"]
segments = ["office"]
approver = "Chief Information Security Officer"
reason = "recruiting in Asia"
start = {start}
end = {end}
"#
    )
}
