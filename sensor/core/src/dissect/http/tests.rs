//! Exchanges over HTTP/1: heads, bodies, pipelines, disguises.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::dissect::mmtls::hello::HelloKind;
use crate::dissect::mmtls::replay::{self, Flow, Script};
use crate::dissect::mmtls::scenarios::{Made, record};
use crate::limits::{HTTP_HEAD_MAX, Limit};

const GET: &str = "GET /a?q=1 HTTP/1.1\r\nHost: one.example:8080\r\nUser-Agent: ua\r\n\r\n";
const SAID: &str = "http name=one.example:8080 host=one.example method=GET user_agent=ua";

fn sent(bytes: &[u8]) -> Vec<String> {
    Script::tcp(40_000, 12_345).send(bytes, 1_400).close().run()
}

fn names(bytes: &[u8]) -> Vec<String> {
    hosts(&sent(bytes))
}

fn hosts(said: &[String]) -> Vec<String> {
    said.iter().filter_map(|s| s.split(" host=").nth(1)?.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn one_request_in_pieces_of_any_size() {
    for piece in [1, 2, 7, 1_400] {
        assert_eq!(Script::tcp(40_000, 12_345).send(GET.as_bytes(), piece).run(), [SAID], "{piece}");
    }
}

#[test]
fn the_absolute_form_has_precedence() {
    let said = sent(b"GET http://two.example:81/x HTTP/1.1\r\nHost: one.example\r\n\r\n");
    assert_eq!(said, ["http name=one.example host=two.example method=GET"]);
    let said = sent(b"GET http://[2001:db8::1]:81/x HTTP/1.0\r\n\r\n");
    assert_eq!(said, ["http name=[2001:db8::1]:81 host=2001:db8::1 method=GET"]);
}

#[test]
fn keep_alive_pipelining_and_bodies() {
    let all = "POST /1 HTTP/1.1\r\nHost: one.example\r\nContent-Length: 9\r\n\r\nGET / HTT\
        POST /2 HTTP/1.1\r\nHost: two.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nTrailer: z\r\n\r\n\
        \r\nGET /3 HTTP/1.1\nHost: three.example\n\nHEAD /4 HTTP/1.1\r\nHost: four.example\r\n\r\n";
    let want = ["one.example", "two.example", "three.example", "four.example"];
    for piece in [1, 7, 1_400] {
        assert_eq!(hosts(&Script::tcp(1, 80).send(all.as_bytes(), piece).run()), want, "{piece}");
    }
    // A body that is longer than what is ever kept is passed over unseen.
    let long = [b"PUT / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 300000\r\n\r\n".as_slice(), &vec![b'G'; 300_000], GET.as_bytes()]
        .concat();
    assert_eq!(names(&long), ["one.example", "one.example"]);
}

#[test]
fn broken_framing_ends_the_direction_and_nothing_is_invented() {
    for body in ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: x", "Transfer-Encoding: chunked"] {
        let bytes =
            format!("POST / HTTP/1.1\r\nHost: one.example\r\n{body}\r\n\r\nzzzz\r\nGET /evil HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(names(bytes.as_bytes()), ["one.example"], "{body}");
    }
}

#[test]
fn not_http() {
    for bytes in [
        "OPTIONS rtsp://h/ RTSP/1.0\r\nHost: x.example\r\n\r\n",
        "OPTIONS sip:h SIP/2.0\r\nHost: x.example\r\n\r\n",
        "EHLO x.example\r\nHost: x.example\r\n\r\n",
        "GET /\r\nHost: x.example\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: x.example\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "get / HTTP/1.1\r\nHost: x.example\r\n\r\n",
        "USER GET / HTTP/1.1 x\x00\r\n",
    ] {
        for piece in [1, 1_400] {
            let said = Script::tcp(1, 80).send(bytes.as_bytes(), piece).close().run();
            assert!(said.iter().all(|s| !s.contains("x.example")), "{bytes}: {said:?}");
        }
    }
}

#[test]
fn replies_do_not_matter_and_may_be_missing() {
    let reply = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 304 Not Modified\r\n\r\n";
    let twice = [GET, GET].concat();
    assert_eq!(Script::tcp(1, 80).send(twice.as_bytes(), 999).reply(reply.as_bytes(), 7).run(), [SAID, SAID]);
    let server_first = Script::tcp(80, 1).midstream().send(reply.as_bytes(), 999).reply(GET.as_bytes(), 7).run();
    assert_eq!(server_first, [SAID], "the capture began between request and reply");
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let said = Script::tcp(1, 80).send(GET.as_bytes(), 999).reply(switched.as_bytes(), 999).send(GET.as_bytes(), 999).run();
    assert_eq!(said, [SAID]);
}

#[test]
fn goes_on_behind_a_loss() {
    let said = Script::tcp(1, 80).send(GET.as_bytes(), 999).lose(5_000).send(GET.as_bytes(), 999).run();
    assert_eq!(said, [SAID, SAID]);
    let said = Script::tcp(1, 80).send(GET.as_bytes(), 999).lose(5_000).send(b"the rest of a body", 999).run();
    assert_eq!(said, [SAID]);
}

#[test]
fn a_tunnel_is_handed_over() {
    let connect = b"CONNECT one.example:443 HTTP/1.1\r\nHost: one.example:443\r\n\r\n";
    let said = "http name=one.example:443 host=one.example method=CONNECT";
    let made = Made::new(HelloKind::Resume);
    let ok = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let both = Script::tcp(1, 8_080).send(connect, 7).reply(ok, 7).send(&made.client(), 7).reply(&made.server(), 7).run();
    assert_eq!(both.len(), 3, "{both:?}");
    assert_eq!((both[0].as_str(), &both[2][..]), (said, "mmtls link=long version=f104 hello=mutual suites=00a8"));
    let one_way = Script::tcp(1, 8_080).send(connect, 999).send(&made.client(), 999).run();
    assert_eq!(one_way.len(), 2, "{one_way:?}");
    let inner = Script::tcp(1, 8_080).send(connect, 999).reply(ok, 999).send(GET.as_bytes(), 999).run();
    assert_eq!(inner, [said, SAID]);
    let refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno";
    let again =
        Script::tcp(1, 8_080).send(connect, 999).reply(refused, 999).send(connect, 999).reply(ok, 999).send(GET.as_bytes(), 9).run();
    assert_eq!(again, [said, said, SAID]);
}

#[test]
fn heads_are_bounded() {
    let long = format!("GET / HTTP/1.1\r\nHost: one.example\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    for piece in [7, 1_400] {
        let said = Script::tcp(1, 80).send(long.as_bytes(), piece).said();
        assert_eq!((hosts(&said.records), said.limits), (vec!["one.example".to_owned()], vec![Limit::HttpHead]), "{piece}");
    }
    let late = format!("GET / HTTP/1.1\r\nX: {}\r\nHost: one.example\r\n\r\n", "x".repeat(HTTP_HEAD_MAX));
    let said = Script::tcp(1, 80).send(late.as_bytes(), 1_400).said();
    assert_eq!((hosts(&said.records).len(), said.limits), (0, vec![Limit::HttpHead]));
    let endless = format!("GET /{}", "x".repeat(200_000));
    assert_eq!(Script::tcp(1, 80).send(endless.as_bytes(), 1_400).said().limits, [Limit::HttpHead]);
}

/// A short link's head with these parts, and its body.
fn short(method: &str, path: &str, upgrade: &str, agent: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nAccept: */*\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/octet-stream\r\nHost: short.example\r\n{upgrade}User-Agent: {agent}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

const PATH: &str = "/mmtls/0a1b2c3d";
const UPGRADE: &str = "Upgrade: mmtls\r\n";
const AGENT: &str = "MicroMessenger Client";

fn body(kind: HelloKind, early: bool) -> Vec<u8> {
    let hello = Made { record: if early { 0x19 } else { 0x16 }, ..Made::new(kind) }.client();
    [hello, record(0x19, 4, &[1; 36]), record(0x17, 4, &[2; 500]), record(0x15, 4, &[3; 23])].concat()
}

#[test]
fn short_links() {
    for (kind, early) in [(HelloKind::Resume, true), (HelloKind::Refresh, false), (HelloKind::NewInstallation, false)] {
        for all in [body(kind, early), Made::new(kind).client()] {
            let bytes = short("POST", PATH, UPGRADE, AGENT, &all);
            for piece in [1, 7, 1_400] {
                let said = Script::tcp(1, 443).send(&bytes, piece).run();
                assert_eq!(said[0], "http name=short.example host=short.example method=POST user_agent=MicroMessenger Client");
                assert!(said[1].starts_with("mmtls link=short version=f104 shortlink=valid") && !said[1].contains(" hello="), "{said:?}");
                assert_eq!(said.len(), 2);
            }
        }
    }
}

#[test]
fn one_look_may_differ_around_a_valid_body() {
    let good = body(HelloKind::Resume, true);
    for bytes in [
        short("POST", PATH, UPGRADE, "another agent", &good),
        short("POST", "http://short.example/mmtls/0a1b2c3d", UPGRADE, AGENT, &good),
        short("POST", PATH, "", AGENT, &good),
        short("POST", "/other", UPGRADE, AGENT, &good),
    ] {
        assert!(sent(&bytes)[1].contains("shortlink=valid"));
    }
    let chunked = [
        b"POST /mmtls/0a1b2c3d HTTP/1.1\r\nUpgrade: mmtls\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        format!("{:x}\r\n", good.len()).into_bytes(),
        good.clone(),
        b"\r\n0\r\n\r\n".to_vec(),
    ]
    .concat();
    assert!(sent(&chunked)[1].contains("shortlink=valid"));
}

#[test]
fn disguises_say_nothing_else() {
    let good = body(HelloKind::Resume, true);
    let mut broken_inside = good.clone();
    broken_inside[5 + 4] ^= 0xff;
    let mut late = good.clone();
    let end = late.len();
    late[end - 28] = 0x42;
    for bad in [&b""[..], b"x", &[0x42; 500], &broken_inside, &late, &good[..end - 1], &[&good[..], b"\x17"].concat()] {
        for (upgrade, agent) in [(UPGRADE, AGENT), (UPGRADE, "x"), ("", AGENT)] {
            let bytes = [&short("POST", PATH, upgrade, agent, bad)[..], GET.as_bytes()].concat();
            for piece in [1, 1_400] {
                assert_eq!(Script::tcp(1, 80).send(&bytes, piece).run(), ["disguise disguise=wechat"], "{} bytes", bad.len());
            }
        }
    }
    let obfs = b"GET /mmtls/0a1b2c3d HTTP/1.1\r\nHost: short.example\r\nUpgrade: mmtls\r\n\r\n\x01\x02";
    assert_eq!(sent(obfs), ["disguise disguise=wechat"]);
}

#[test]
fn one_look_alone_is_a_request_like_others() {
    for (path, upgrade, agent) in
        [("/mars/x", "", AGENT), (PATH, "", "x"), ("/", UPGRADE, "x"), ("/mmtls/0A1B2C3D", "", AGENT), ("/mmtls/0a1b2c3d4", "", AGENT)]
    {
        assert_eq!(names(&short("POST", path, upgrade, agent, b"zz")), ["short.example"], "{path}");
    }
}

#[test]
fn a_short_link_that_is_cut() {
    let bytes = short("POST", PATH, UPGRADE, AGENT, &body(HelloKind::Resume, true));
    let head = bytes.len() - body(HelloKind::Resume, true).len();
    for cut in head..bytes.len() {
        let said = sent(&bytes[..cut]);
        let hello = cut >= head + 166;
        assert_eq!((said.len(), hosts(&said).len()), (1 + usize::from(hello), 1), "{}: {said:?}", cut - head);
    }
    let lost = Script::tcp(1, 80).send(&bytes[..head + 200], 999).lose(50).send(&bytes[head + 250..], 999).run();
    assert!(lost[1].contains("shortlink=valid"), "{lost:?}");
}

#[test]
fn session_starts_by_size() {
    for (size, want) in [(5_464, true), (5_399, false), (5_529, false)] {
        let body = [Made::new(HelloKind::Resume).client(), record(0x17, 4, &vec![0; size])].concat();
        assert_eq!(sent(&short("POST", PATH, UPGRADE, AGENT, &body))[1].contains("session=start"), want, "{size}");
    }
}

const NEWDNS: &str = "GET /cgi-bin/micromsg-bin/newgetdns?uin=1000000001&clientversion=671094583&devicetype=android-34 HTTP/1.0\r\n\
    Host: dns.weixin.qq.com\r\n\r\n";

fn newdns(head: &str, body: &[u8]) -> replay::Said {
    let reply = [format!("HTTP/1.0 200 OK\r\n{head}\r\n").as_bytes(), body].concat();
    Script::tcp(1, 8_080).send(NEWDNS.as_bytes(), 99).reply(&reply, 7).close().said()
}

#[test]
fn newgetdns_replies() {
    let xml = b"<?xml version=\"1.0\"?><dns><domainlist><domain name=\"a.example\" timeout=\"60\"><ip>192.0.2.7</ip></domain></domainlist>\
        <clientip>203.0.113.77</clientip></dns>";
    let raw = miniz_oxide::deflate::compress_to_vec(xml, 6);
    let chunked = [format!("{:x}\r\n", raw.len()).as_bytes(), &raw, b"\r\n0\r\n\r\n"].concat();
    let length = format!("Content-Length: {}\r\n", raw.len());
    for (head, body) in [(length.as_str(), &raw), ("", &raw), ("Transfer-Encoding: chunked\r\n", &chunked), ("", &xml.to_vec())] {
        let said = newdns(head, body).records;
        assert!(said[0].ends_with("method=GET newgetdns=request"), "{said:?}");
        assert_eq!(said[1..], ["newgetdns newgetdns=reply a.example@192.0.2.7/60"]);
        assert!(!said.concat().contains("1000000001") && !said.concat().contains("203.0.113.77"));
    }
    assert_eq!(newdns("Content-Length: 999\r\n", &raw).records.len(), 1, "cut off");
}

#[test]
fn newgetdns_bombs() {
    let bomb = miniz_oxide::deflate::compress_to_vec(&vec![b' '; 16 * 1024 * 1024], 9);
    let said = newdns("", &bomb);
    assert_eq!((said.records.len(), said.limits), (1, vec![Limit::Inflate]));
    let said = newdns("", &vec![b'<'; 200_000]);
    assert_eq!((said.records.len(), said.limits), (1, vec![Limit::Inflate]));
}

#[test]
fn datagrams() {
    let search = b"M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\r\n";
    assert_eq!(replay::datagram(search, 50_000, 1_900), ["http name=239.255.255.250:1900 host=239.255.255.250 method=M-SEARCH"]);
    assert_eq!(replay::datagram(b"HTTP/1.1 200 OK\r\nHost: x\r\n\r\n", 1_900, 50_000), [""; 0]);
    assert_eq!(replay::datagram(b"", 1_900, 50_000), [""; 0]);
}

proptest! {
    #[test]
    fn pieces_never_matter(
        parts in proptest::collection::vec(0usize..6, 1..6),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        piece in 1usize..60,
    ) {
        let choices = [
            GET.as_bytes().to_vec(),
            short("POST", PATH, UPGRADE, AGENT, &body(HelloKind::Resume, true)),
            short("POST", PATH, UPGRADE, AGENT, b"other"),
            b"POST / HTTP/1.1\r\nHost: two.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec(),
            NEWDNS.as_bytes().to_vec(),
            b"CONNECT one.example:443 HTTP/1.1\r\n\r\n".to_vec(),
        ];
        let mut bytes: Vec<u8> = parts.iter().flat_map(|p| choices[*p].clone()).collect();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = Script::tcp(1, 80).send(&bytes, 60_000).close().run();
        let pieces = Script::tcp(1, 80).send(&bytes, piece).close().run();
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn replies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
        for head in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let reply = [head.as_bytes(), &bytes].concat();
            let said = Script::tcp(1, 80).send(NEWDNS.as_bytes(), 999).reply(&reply, piece).close().run();
            prop_assert!(said.len() <= 2);
        }
    }
}

type Names = BTreeSet<(String, String)>;

/// `"key": "value"` of a flat JSON line.
fn text<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.split_once(&format!("\"{key}\": \""))?.1.split('"').next()
}

/// Flow and name of each request that tshark printed, by file.
fn oracle(lines: &str) -> BTreeMap<String, Names> {
    let mut all: BTreeMap<String, Names> = BTreeMap::new();
    for line in lines.lines().filter(|l| text(l, "kind") == Some("http")) {
        let [Some(file), Some(src), Some(sport), Some(dst), Some(dport), Some(name)] =
            ["file", "src", "sport", "dst", "dport", "name"].map(|k| text(line, k))
        else {
            continue;
        };
        if !name.is_empty() {
            let mut ends = [format!("{src} {sport}"), format!("{dst} {dport}")];
            ends.sort();
            all.entry(file.to_owned()).or_default().insert((ends.join(" "), name.to_lowercase()));
        }
    }
    all
}

fn named(flow: &Flow) -> impl Iterator<Item = (String, String)> + '_ {
    let mut ends = [flow.opener, flow.other].map(|e| format!("{} {}", e.addr, e.port));
    ends.sort();
    flow.said.records.iter().filter_map(move |s| {
        let name = s.strip_prefix("http name=")?.split(" host=").next()?;
        Some((ends.join(" "), name.to_lowercase()))
    })
}

/// Captures whose carriage the naive reader of these tests does not know: 802.11, GRE, VXLAN, 6in4, fragments.
const NOT_READ: [&str; 4] = ["80211http", "gre-erspan-vxlan", "6in4tunnel", "single-packets"];

#[test]
fn names_agree_with_tshark() {
    let Some(folder) = replay::captures() else { return };
    let lines = std::fs::read_to_string(folder.join("oracle/tshark/tshark.jsonl")).expect("readable");
    let (mut expected, mut found, mut given, mut misses) = (0, 0, 0, Vec::new());
    for (file, want) in oracle(&lines) {
        let Ok(bytes) = std::fs::read(folder.join(&file)) else { continue };
        let flows = replay::replay(&bytes);
        let seen: Names = flows.iter().flat_map(named).collect();
        if NOT_READ.iter().any(|n| file.contains(n)) && seen.is_empty() {
            continue;
        }
        expected += want.len();
        given += seen.len();
        found += want.intersection(&seen).count();
        misses.extend(want.symmetric_difference(&seen).map(|d| format!("{file}: {d:?}")));
    }
    eprintln!("expected {expected}, found {found}, given {given}; differences: {misses:#?}");
    assert!(found * 100 >= expected * 99, "recall");
    assert!(found * 100 >= given * 99, "precision");
}
