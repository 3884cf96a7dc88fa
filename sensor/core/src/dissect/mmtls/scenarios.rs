//! MMTLS against written connections, made captures and everything else that was ever captured.

use proptest::prelude::*;

use super::hello::{self, HelloKind, Suite};
use super::record::Version;
use super::replay::{self, NOW_SECS, Script};

/// Builds what the layout says, from parts that a test may change.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) kind: HelloKind,
    pub(crate) version: u8,
    pub(crate) record: u8,
    pub(crate) time: u32,
    pub(crate) fill: u8,
}

impl Made {
    pub(crate) fn new(kind: HelloKind) -> Self {
        Made { kind, version: 4, record: 0x16, time: u32::try_from(NOW_SECS).expect("in range"), fill: 0xa5 }
    }

    fn psk(&self) -> Vec<u8> {
        let (index, lifetime, length) = if self.kind == HelloKind::Resume { (1, 604_800u32, 72u16) } else { (2, 2_592_000, 105) };
        let mut t = vec![index];
        t.extend(lifetime.to_be_bytes());
        t.extend([0, 0, 0, 0, 0, 0x3d, 0, 12]);
        t.extend([self.fill; 12]);
        t.extend(length.to_be_bytes());
        t.extend(vec![self.fill; length.into()]);
        section([&[0, 0x0f, 1][..], &section(t)].concat())
    }

    fn shares(&self) -> Vec<u8> {
        let mut s = vec![0, 0x10, 2];
        for key in [5, 6] {
            s.extend([0, 0, 0, 0x47, 0, 0, 0, key, 0, 0x41, 4]);
            s.extend([self.fill; 64]);
        }
        s.extend([0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
        section(s)
    }

    pub(crate) fn client(&self) -> Vec<u8> {
        let (psk, shares) = (self.kind.offers(Suite::Psk), self.kind.offers(Suite::Ecdhe));
        let mut m = vec![1, self.version, 0xf1, u8::from(psk) + u8::from(shares)];
        let mut ext = vec![u8::from(psk) + u8::from(shares)];
        if shares {
            m.extend([0xc0, 0x2b]);
        }
        if psk {
            m.extend([0x00, 0xa8]);
            ext.extend(self.psk());
        }
        if shares {
            ext.extend(self.shares());
        }
        m.extend([self.fill; 32]);
        m.extend(self.time.to_be_bytes());
        m.extend(section(ext));
        record(self.record, self.version, &section(m))
    }

    pub(crate) fn server(&self) -> Vec<u8> {
        let mut m = vec![2, self.version, 0xf1];
        if self.kind == HelloKind::Resume {
            m.extend([0x00, 0xa8]);
            m.extend([self.fill; 32]);
            m.extend(section(vec![0]));
        } else {
            m.extend([0xc0, 0x2b]);
            m.extend([self.fill; 32]);
            let mut ext = vec![2, 0, 0, 0, 0x49, 0, 0x11, 0, 0, 0, 5, 0, 0x41, 4];
            ext.extend([self.fill; 64]);
            ext.extend([0, 0, 0, 10, 0, 0x13, 0, 0, 0, 1, 0, 0, 0, 3]);
            m.extend(section(ext));
        }
        record(0x16, self.version, &section(m))
    }
}

fn section(bytes: Vec<u8>) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], &bytes].concat()
}

pub(crate) fn record(kind: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&[kind, 0xf1, version, high, low][..], body].concat()
}

fn data(length: usize) -> Vec<u8> {
    record(0x17, 4, &vec![0x5a; length])
}

const KINDS: [HelloKind; 3] = [HelloKind::Resume, HelloKind::Refresh, HelloKind::NewInstallation];

fn parse(record: &[u8]) -> Option<hello::ClientHello<'_>> {
    let version = match record.get(2)? {
        3 => Version::F103,
        4 => Version::F104,
        _ => return None,
    };
    hello::client_hello(version, record.get(5..)?)
}

#[test]
fn lengths_are_those_that_were_measured() {
    for (kind, client, server) in [(KINDS[0], 161, 46), (KINDS[1], 366, 137), (KINDS[2], 221, 137)] {
        let made = Made::new(kind);
        assert_eq!((made.client().len() - 5, made.server().len() - 5), (client, server));
        assert_eq!(parse(&made.client()).map(|h| h.kind), Some(kind));
    }
}

#[test]
fn every_kind_on_every_version_both_ways() {
    for (kind, word, suites, chosen) in
        [(KINDS[0], "resume", "00a8", "00a8"), (KINDS[1], "refresh", "c02b+00a8", "c02b"), (KINDS[2], "new-installation", "c02b", "c02b")]
    {
        for version in [3, 4] {
            let made = Made { version, ..Made::new(kind) };
            let client = format!("mmtls link=long version=f10{version} hello=client suites={suites} hello_kind={word} clock_skew_secs=0");
            let server = format!("mmtls link=long version=f10{version} hello=mutual suites={chosen}");
            for piece in [1, 7, 1_400] {
                let said = Script::tcp(40_000, 9_999).send(&made.client(), piece).reply(&made.server(), piece).said();
                assert_eq!(said.records, [client.clone(), server.clone()]);
                assert_eq!(said.installations.len(), usize::from(kind != HelloKind::NewInstallation));
            }
        }
    }
}

#[test]
fn a_refresh_may_be_answered_with_its_ticket_but_nothing_else_mixed() {
    let refresh = Made::new(HelloKind::Refresh).client();
    let psk = Made::new(HelloKind::Resume).server();
    assert_eq!(Script::tcp(1, 80).send(&refresh, 999).reply(&psk, 999).run().len(), 2);
    let resume = Made::new(HelloKind::Resume).client();
    let ecdhe = Made::new(HelloKind::Refresh).server();
    assert_eq!(Script::tcp(1, 80).send(&resume, 999).reply(&ecdhe, 999).run().len(), 1, "a suite that was not offered");
    let old = Made { version: 3, ..Made::new(HelloKind::Resume) }.server();
    assert_eq!(Script::tcp(1, 80).send(&resume, 999).reply(&old, 999).run().len(), 1, "another version");
    assert_eq!(Script::tcp(1, 80).send(&resume, 999).reply(&resume, 999).run().len(), 1, "an echo");
    assert_eq!(Script::tcp(1, 80).send(&psk, 999).reply(&psk, 999).run(), [""; 0], "servers among themselves");
}

#[test]
fn clocks() {
    let now = u32::try_from(NOW_SECS).expect("in range");
    for (time, word) in
        [(now, "client"), (now - 86_400, "client"), (now + 86_400, "client"), (now - 86_401, "stale"), (0, "stale"), (u32::MAX, "stale")]
    {
        let made = Made { time, ..Made::new(HelloKind::Resume) };
        let said = Script::tcp(1, 80).send(&made.client(), 999).run();
        assert!(said[0].contains(&format!(" hello={word} ")), "{said:?}");
        let both = Script::tcp(1, 80).send(&made.client(), 999).reply(&made.server(), 999).run();
        assert!(both[1].contains(" hello=mutual"), "valid both ways, whatever the clock: {both:?}");
    }
}

#[test]
fn heartbeats_are_reported_but_not_more_often_than_every_three_minutes() {
    let made = Made::new(HelloKind::Resume);
    let mut script = Script::tcp(1, 8_080).send(&made.client(), 999).reply(&made.server(), 999).send(&data(32), 999);
    for _ in 0..3 {
        script = script.wait(270).send(&data(32), 1).reply(&data(32), 7).wait(1).send(&data(4_000), 1_400);
    }
    let said = script.run();
    assert_eq!(said.len(), 2 + 3);
    assert_eq!(said[4], "mmtls link=long version=f104 hello=mutual heartbeat=seen");
}

#[test]
fn framing_needs_three_records_and_both_ways() {
    let beat = data(32);
    let run = |records: &[(bool, usize)]| {
        let start = Script::tcp(1, 8_080).midstream();
        records.iter().fold(start, |s, (up, n)| if *up { s.send(&data(*n), 1_400) } else { s.reply(&data(*n), 1_400) }).run()
    };
    assert_eq!(run(&[(true, 32), (true, 32), (true, 32), (true, 32)]), [""; 0], "one way");
    assert_eq!(run(&[(true, 32), (false, 32)]), [""; 0], "two records");
    assert_eq!(run(&[(true, 100), (false, 999), (true, 50)]), ["mmtls link=long version=f104 framing=midstream"]);
    let both = ["mmtls link=long version=f104 framing=midstream", "mmtls link=long version=f104 framing=midstream-heartbeat"];
    assert_eq!(run(&[(true, 100), (false, 999), (true, 32), (false, 32)]), both);
    assert_eq!(run(&[(true, 32), (false, 32), (true, 32)]), both[1..]);
    let started = Script::tcp(1, 8_080).send(&beat, 99).reply(&beat, 99).send(&beat, 99).run();
    assert_eq!(started, [""; 0], "a connection that was seen from its start must begin with a hello");
}

#[test]
fn a_handshake_whose_start_was_not_seen() {
    let made = Made::new(HelloKind::Resume);
    let said = Script::tcp(1, 8_080).midstream().send(&made.client(), 999).reply(&made.server(), 999).run();
    assert_eq!(said.len(), 2, "the hello counts, the SYN does not: {said:?}");
    let encrypted = record(0x16, 4, &[0x5a; 46]);
    let said = Script::tcp(1, 8_080).midstream().reply(&encrypted, 99).send(&data(99), 999).send(&data(98), 999).run();
    assert_eq!(said, ["mmtls link=long version=f104 framing=midstream"]);
    let middle =
        Script::tcp(1, 8_080).midstream().send(&data(99), 999).reply(&[0x42; 80], 80).reply(&data(98), 999).send(&data(99), 9).run();
    assert_eq!(middle, ["mmtls link=long version=f104 framing=midstream"], "one end was in the middle of a record");
}

#[test]
fn records_must_follow_each_other_exactly() {
    let (beat, junk) = (data(32), vec![0x42; 100]);
    let off = Script::tcp(1, 8_080).midstream().send(&[&beat[..], &junk].concat(), 1_400).reply(&beat, 99).send(&beat, 99).run();
    assert_eq!(off, [""; 0]);
    let old = record(0x17, 3, &[0x5a; 32]);
    let mixed = Script::tcp(1, 8_080).midstream().send(&beat, 99).reply(&old, 99).send(&beat, 99).run();
    assert_eq!(mixed, [""; 0]);
}

#[test]
fn goes_on_behind_a_loss() {
    let made = Made::new(HelloKind::Resume);
    let said = Script::tcp(1, 8_080).send(&made.client(), 999).reply(&made.server(), 999).lose(333).wait(300).send(&data(32), 99).run();
    assert_eq!(said.len(), 3, "{said:?}");
    let hello = made.client();
    let torn = Script::tcp(1, 8_080).send(&hello[..80], 99).lose(10).send(&hello[90..], 999).run();
    assert_eq!(torn, [""; 0]);
}

#[test]
fn alerts() {
    let made = Made::new(HelloKind::Resume);
    let alert = record(0x15, 4, &[0, 0, 0, 3, 0, 0x73, 2]);
    let said = Script::tcp(1, 80).send(&made.client(), 999).reply(&alert, 1).run();
    assert_eq!(said[1..], ["mmtls link=long version=f104 alert=115"]);
    for (at, byte) in [(8, 4), (10, 0), (11, 3)] {
        let mut bad = alert.clone();
        bad[at] = byte;
        assert_eq!(Script::tcp(1, 80).send(&made.client(), 999).reply(&bad, 99).run().len(), 1, "{at}");
    }
    assert_eq!(Script::tcp(1, 80).send(&alert, 99).run(), [""; 0]);
}

/// Offsets in a hello whose bytes are free: random, time (any value), IV, key version, ticket, points.
fn is_free(kind: HelloKind, at: usize) -> bool {
    let suites = if kind == HelloKind::Refresh { 4 } else { 2 };
    let random = 5 + 8 + suites;
    let mut free = Vec::from([random..random + 32, random + 32..random + 36]);
    let mut ext = random + 36 + 5;
    if kind != HelloKind::NewInstallation {
        let ticket = ext + 4 + 3 + 4;
        let length = if kind == HelloKind::Resume { 72 } else { 105 };
        // Within bounds, a lifetime and the key version may be any number.
        free.extend([ticket + 1..ticket + 5, ticket + 7..ticket + 11, ticket + 13..ticket + 25, ticket + 27..ticket + 27 + length]);
        ext = ticket + 27 + length;
    }
    if kind != HelloKind::Resume {
        let share = ext + 4 + 3;
        // The low byte of a key's version, and its point behind 04.
        for share in [share, share + 75] {
            free.extend([share + 7..share + 8, share + 11..share + 75]);
        }
        free.extend([share + 150 + 8..share + 150 + 9, share + 150 + 12..share + 150 + 13]);
    }
    free.iter().any(|range| range.contains(&at))
}

proptest! {
    #[test]
    fn random_valid_hellos_parse(kind in 0usize..3, version in 3u8..=4, early in any::<bool>(), time in any::<u32>(), fill in any::<u8>()) {
        let made = Made { kind: KINDS[kind], version, record: if early { 0x19 } else { 0x16 }, time, fill };
        let bytes = made.client();
        let hello = parse(&bytes).expect("valid");
        prop_assert_eq!((hello.kind, hello.time), (KINDS[kind], time));
        prop_assert_eq!(Script::tcp(1, 443).send(&bytes, 1 + usize::from(fill)).run().len(), 1);
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50, start in any::<bool>()) {
        let framed = [&[0x16, 0xf1, 4, 0, 161][..], &bytes].concat();
        let script = |s: Script| if start { s } else { s.midstream() };
        prop_assert!(script(Script::tcp(1, 443)).send(&framed, piece).reply(&bytes, piece).close().run().is_empty());
        script(Script::tcp(1, 443)).send(&bytes, piece).close().run();
    }
}

#[test]
fn any_change_outside_the_free_fields_is_refused() {
    for kind in KINDS {
        let good = Made::new(kind).client();
        for at in 0..good.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                let said = Script::tcp(1, 443).send(&bad, 999).run();
                if !is_free(kind, at) {
                    assert_eq!(said, [""; 0], "{kind:?} byte {at} ^ {flip:02x}");
                }
            }
        }
        let server = Made::new(kind).server();
        for at in 0..server.len().min(5 + 9) {
            let mut bad = server.clone();
            bad[at] ^= 0x01;
            assert_eq!(Script::tcp(1, 443).send(&good, 999).reply(&bad, 999).run().len(), 1, "{kind:?} server byte {at}");
        }
    }
}

#[test]
fn truncated_at_every_byte() {
    for kind in KINDS {
        let good = Made::new(kind).client();
        for cut in 0..good.len() {
            assert_eq!(Script::tcp(1, 443).send(&good[..cut], 999).close().run(), [""; 0], "{kind:?} {cut}");
        }
    }
}

/// Flow, records: what must be said about each flow of the made capture, and nothing else.
const MADE_CAPTURE: [(u16, &[&str]); 16] = [
    (
        40001,
        &[
            "mmtls link=long version=f104 hello=client suites=00a8 hello_kind=resume clock_skew_secs=0",
            "mmtls link=long version=f104 hello=mutual suites=00a8",
            "mmtls link=long version=f104 hello=mutual heartbeat=seen",
            "mmtls link=long version=f104 hello=mutual heartbeat=seen",
            "mmtls link=long version=f104 hello=mutual heartbeat=seen",
        ],
    ),
    (
        40002,
        &[
            "mmtls link=long version=f104 hello=client suites=c02b hello_kind=new-installation clock_skew_secs=0",
            "mmtls link=long version=f104 hello=mutual suites=c02b",
        ],
    ),
    (
        40003,
        &[
            "mmtls link=long version=f104 hello=client suites=00a8 hello_kind=resume clock_skew_secs=0",
            "mmtls link=long version=f104 alert=115",
        ],
    ),
    (
        40004,
        &[
            "http name=sgshort.wechat.com host=sgshort.wechat.com method=POST user_agent=MicroMessenger Client",
            "mmtls link=short version=f104 shortlink=valid suites=00a8 hello_kind=resume clock_skew_secs=0 session=start",
        ],
    ),
    (
        40005,
        &[
            "http name=198.51.100.14 host=198.51.100.14 method=POST user_agent=MicroMessenger Client",
            "mmtls link=short version=f104 shortlink=valid suites=00a8 hello_kind=resume clock_skew_secs=0",
        ],
    ),
    (
        40006,
        &[
            "http name=dns.weixin.qq.com host=dns.weixin.qq.com method=GET user_agent=MicroMessenger Client newgetdns=request",
            "newgetdns newgetdns=reply sgshort.wechat.com@198.51.100.13/1860 sglong.wechat.com@198.51.100.10/1860",
        ],
    ),
    (
        40007,
        &[
            "http name=hkminorshort.weixin.qq.com host=hkminorshort.weixin.qq.com method=POST user_agent=MicroMessenger Client",
            "legacy shortlink=valid cgi=716",
        ],
    ),
    (40008, &["disguise disguise=wechat"]),
    (40009, &["http name=api.example.net host=api.example.net method=POST user_agent=MicroMessenger Client"]),
    (40010, &[]),
    (40011, &["qq msf=hello"]),
    (
        40012,
        &[
            "mmtls link=long version=f103 hello=client suites=00a8 hello_kind=resume clock_skew_secs=0",
            "mmtls link=long version=f103 hello=mutual suites=00a8",
        ],
    ),
    (
        40014,
        &[
            "mmtls link=long version=f104 hello=client suites=c02b+00a8 hello_kind=refresh clock_skew_secs=0",
            "mmtls link=long version=f104 hello=mutual suites=c02b",
        ],
    ),
    (
        40015,
        &[
            "mmtls link=long version=f104 hello=client suites=00a8 hello_kind=resume clock_skew_secs=0",
            "mmtls link=long version=f104 hello=mutual suites=00a8",
        ],
    ),
    (40016, &["mmtls link=long version=f104 hello=stale suites=00a8 hello_kind=resume clock_skew_secs=1430269720"]),
    (
        40013,
        &[
            "mmtls link=long version=f104 framing=midstream-heartbeat",
            "mmtls link=long version=f104 framing=midstream-heartbeat heartbeat=seen",
            "mmtls link=long version=f104 framing=midstream-heartbeat heartbeat=seen",
        ],
    ),
];

#[test]
fn the_made_capture_flow_by_flow() {
    let Some(folder) = replay::captures() else { return };
    let bytes = std::fs::read(folder.join("wechat/synthetic-mmtls.pcap")).expect("readable");
    let flows = replay::replay(&bytes);
    let said: Vec<_> = flows.iter().map(|f| (f.opener.port, f.said.records.clone())).collect();
    for ((port, want), (seen, records)) in MADE_CAPTURE.iter().zip(&said) {
        assert_eq!((port, &want.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()), (seen, records));
    }
    assert_eq!(said.len(), MADE_CAPTURE.len());
    assert_eq!(flows[0].said.installations, flows[3].said.installations, "long and short link of one installation");
    assert_eq!(flows[1].said.installations, [[0u8; 0]; 0], "a new installation has no ticket");
}

#[test]
fn the_made_capture_in_small_pieces() {
    let Some(folder) = replay::captures() else { return };
    let bytes = std::fs::read(folder.join("wechat/synthetic-mmtls.pcap")).expect("readable");
    let whole: Vec<_> = replay::replay(&bytes).into_iter().map(|f| f.said.records).collect();
    for piece in [1, 7] {
        let pieces: Vec<_> = replay::replay_in_pieces(&bytes, piece).into_iter().map(|f| f.said.records).collect();
        assert_eq!(whole, pieces, "{piece}");
    }
}

proptest! {
    #[test]
    fn the_made_capture_with_bytes_changed(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40), piece in 1usize..1_500) {
        let Some(folder) = replay::captures() else { return Ok(()) };
        let mut bytes = std::fs::read(folder.join("wechat/synthetic-mmtls.pcap")).expect("readable");
        for (at, byte) in changes {
            let at = 24 + at.index(bytes.len() - 24);
            bytes[at] = byte;
        }
        let records: usize = replay::replay_in_pieces(&bytes, piece).iter().map(|f| f.said.records.len()).sum();
        prop_assert!(records <= 40, "{} records out of 28", records);
    }
}

/// Kinds of records that only WeChat's or QQ's own bytes may cause.
fn is_structure(kind: &str) -> bool {
    matches!(kind, "mmtls" | "legacy" | "newgetdns" | "disguise" | "qq")
}

#[test]
fn nothing_else_is_taken_for_it() {
    let Some(folder) = replay::captures() else { return };
    let mut paths = Vec::new();
    for part in ["peers", "reshaped", "hostile"] {
        replay::files(&folder.join(part), &mut paths);
    }
    paths.extend(
        ["negative-1kxun", "negative-oicq", "negative-tencent_games", "web-wechat"].map(|n| folder.join(format!("wechat/{n}.pcap"))),
    );
    let (mut flows, mut oicq, mut others) = (0, 0, Vec::new());
    for path in &paths {
        let Ok(bytes) = std::fs::read(path) else { continue };
        for flow in replay::replay(&bytes) {
            flows += 1;
            for said in &flow.said.records {
                match said.split(' ').next() {
                    Some("qq") if said == "qq oicq=packet" => {
                        oicq += 1;
                        others.push(path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default());
                    }
                    kind => assert!(!kind.is_some_and(is_structure) && !said.contains("newgetdns="), "{}: {said}", path.display()),
                }
            }
        }
    }
    others.sort();
    others.dedup();
    eprintln!("{} captures, {flows} flows, {oicq} OICQ flows in {others:?}", paths.len());
    assert_eq!(others, ["negative-oicq.pcap"], "OICQ only where it is");
    assert_eq!(oicq, 29);
}

/// Every payload is also shown as if a connection began with it, and as if it were seen in mid-stream, as both ends' first bytes.
#[test]
fn no_payload_alone_is_taken_for_it() {
    let Some(folder) = replay::captures() else { return };
    let mut paths = Vec::new();
    for part in ["peers", "reshaped", "hostile"] {
        replay::files(&folder.join(part), &mut paths);
    }
    let mut payloads = 0;
    for path in &paths {
        let Ok(bytes) = std::fs::read(path) else { continue };
        replay::payloads(&bytes, &mut |payload| {
            payloads += 1;
            let begun = Script::tcp(40_000, 8_000).send(payload, payload.len()).reply(payload, payload.len()).run();
            let middle = Script::tcp(40_000, 8_000).midstream().send(payload, payload.len()).reply(payload, payload.len()).run();
            let datagram = replay::datagram(payload, 40_000, 8_000);
            for said in [begun, middle, datagram].concat() {
                let kind = said.split(' ').next().unwrap_or("");
                assert!(!is_structure(kind) && !said.contains("newgetdns="), "{}: {said}", path.display());
            }
        });
    }
    eprintln!("{payloads} payloads");
    assert!(payloads > 10_000);
}
