//! What stands on the screen, for snapshots made by hand.

use super::screen::whole;
use super::snapshot::{Alarm, Coverage, Device, Finding, Ring, Segment, Snapshot};
use super::tone::ansi;
use super::*;
use crate::cli::client::Client;
use unicode_width::UnicodeWidthStr;

fn snapshot() -> Snapshot {
    let at = |secs: u64| format!("2026-11-23T11:47:{secs:02}.000000Z");
    let ring = |n, state: &str| Ring {
        interface: "mirror0".into(),
        ring: n,
        state: state.into(),
        frames: 9_900,
        bytes: 5_000_000,
        delay_secs: 0.002,
        ..Ring::default()
    };
    let lossy = Ring { lost: [("kernel".to_string(), 100)].into(), error: Some("run it again".into()), ..ring(1, "down") };
    let finding = |verdict: &str, device: &str, app: &str| Finding {
        device: Device { id: device.into(), ..Device::default() },
        segment: "lab".into(),
        app: app.into(),
        surface: "web".into(),
        level: "confirmed".into(),
        confidence: 0.991,
        verdict: verdict.into(),
        last_seen: at(1),
        flows: 12,
    };
    let lab = Segment {
        name: "lab".into(),
        class: "sensitive".into(),
        devices: 2,
        open: [("violation".to_string(), 1), ("waived".to_string(), 1)].into(),
    };
    Snapshot {
        coverage: Coverage {
            at: at(13),
            started: "2026-11-23T08:00:00Z".into(),
            site: "office".into(),
            ready: true,
            rules: "2026.11".into(),
            rings: vec![ring(0, "capturing"), lossy],
            ..Coverage::default()
        },
        segments: vec![lab, Segment { name: "guests".into(), class: "guest".into(), ..Segment::default() }],
        alarms: vec![Alarm { kind: "loss".into(), interface: "mirror0".into(), since: at(0), detail: "1 % of frames are lost".into() }],
        devices: 2,
        findings: vec![
            finding("violation", "dev-0123456789ab", "wechat"),
            finding("waived", "evil\u{1b}[2J\u{202e}name", "微信微信微信微信微信"),
        ],
        ..Snapshot::default()
    }
}

fn text(snapshot: &Snapshot, width: usize) -> String {
    let plain = Terminal { colour: false, width };
    whole(snapshot, width).iter().map(|l| ansi(l, &plain).trim_end().to_string() + "\n").collect()
}

#[test]
fn one_screen() {
    let text = text(&snapshot(), 110);
    let expected = "\
\x20ringfence  office                                                         up 3 h  rules 2026.11  11:47:13 UTC

 2 findings open on 2 devices    VIOLATION  1    WAIVED  1

 LOSS mirror0: 1 % of frames are lost (since 11:47)

  VERDICT              DEVICE               APP             SEGMENT          LEVEL             SEEN    FLOWS
  VIOLATION            dev-0123456789ab     wechat (web)    lab              confirmed 0.99    12 s       12
  WAIVED               evil\\x1b[2J\\u{202e…  微信微信微信…   lab              confirmed 0.99    12 s       12
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("  mirror0/0        capturing          -         -    0.00 %     2 ms"), "{text}");
    assert!(text.contains("  mirror0/1        down               -         -    1.00 %     2 ms\n    run it again"), "{text}");
    assert!(text.contains("  lab                   sensitive        2  1 violation  1 waived"), "{text}");
}

#[test]
fn lines_stay_within_the_width_and_text_is_harmless() {
    for width in [64, 80, 100, 124, 160, 220] {
        let text = text(&snapshot(), width);
        for line in text.lines() {
            assert!(line.width() <= width, "{width}: {} {line}", line.width());
            assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
        }
    }
    assert!(text(&Snapshot::default(), 80).contains("Nothing open"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let painted: String = whole(&snapshot(), 100).iter().map(|l| ansi(l, &Terminal { colour: true, width: 100 })).collect();
    assert!(painted.contains("\u{1b}[37;41;1m VIOLATION "), "{painted:?}");
    assert!(!text(&snapshot(), 100).contains('\u{1b}'));
}

#[test]
fn rates_come_from_two_looks() {
    let (before, mut after) = (snapshot(), snapshot());
    after.coverage.at = "2026-11-23T11:47:15Z".into();
    after.coverage.rings[0].frames += 24_600;
    after.coverage.rings[0].bytes += 1_000_000;
    let after = after.since(&before);
    assert_eq!(after.rates.get(&("mirror0".to_string(), 0)), Some(&(12_300.0, 500_000.0)));
    assert!(text(&after, 110).contains("12.3 k     4.0 M"), "{}", text(&after, 110));
    assert_eq!(snapshot().since(&after).rates, after.rates, "a look that is no newer keeps them");
}

#[test]
fn what_is_no_sensor_is_told_with_a_remedy() {
    for url in ["", "127.0.0.1:9477", "ftp://x", "http://127.0.0.1:9477/metrics"] {
        assert_eq!(Client::new(url, None, None).err().map(|f| f.exit), Some(Exit::Usage), "{url}");
    }
    // Port 1 of loopback: nobody listens there.
    let client = Client::new("http://127.0.0.1:1", None, None).expect("a client");
    let failure = Snapshot::fetch(&client, 1).expect_err("nobody answers");
    assert!(failure.exit == Exit::NoInput && failure.help.is_some_and(|h| h.contains("--url")), "{}", failure.message);
    let missing = Client::new("http://127.0.0.1:1", Some(std::path::Path::new("/nonexistent/token")), None);
    assert_eq!(missing.err().map(|f| f.exit), Some(Exit::NoInput));
}

#[test]
fn it_shows_what_a_server_serves() {
    let server = crate::http::tests::Running::plain();
    let client = Client::new(&format!("http://{}", server.addr), None, None).expect("a client");
    let seen = Snapshot::fetch(&client, 10).expect("answers");
    assert_eq!((seen.findings.len(), seen.findings[0].verdict.as_str(), seen.alarms.len()), (10, "violation", 1));
    let text = text(&seen, 120);
    assert!(text.contains(" 24 findings open on 8 devices") && text.contains("and 14 more"), "{text}");
}
