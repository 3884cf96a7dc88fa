//! `make bench-store`: a store with many devices and a year of sightings: its size, what questions cost, how fast a sensor starts with it.
//!
//!     remember SENSOR [--devices=100000] [--days=365]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ringfence::store::{Changes, FILE, Reader, Store, Which};
use ringfence_core::correlate::{Seen, Sighting};
use ringfence_core::finding::{DeviceFacts, EvidenceLine, Finding, Kind};
use ringfence_core::identity::Fact;
use ringfence_core::ledger::{Stage, Tracked};
use ringfence_core::net::Mac;
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::rules::Surface;
use ringfence_core::spans::Spans;
use ringfence_core::time::Timestamp;
use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::pair::{FAR, Pair};
use ringfence_tests::lab::{namespace, story};

const DAY: Duration = Duration::from_secs(86_400);

/// Devices in one write.
const BATCH: usize = 200;

/// One device in so many has an open finding.
const OPEN_EVERY: usize = 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, or: usize| words.iter().find_map(|w| w.strip_prefix(flag)?.parse().ok()).unwrap_or(or);
    let (devices, days) = (number("--devices=", 100_000), number("--days=", 365));
    let Some(binary) = words.iter().find(|w| !w.starts_with("--")).map(PathBuf::from) else {
        eprintln!("usage: remember SENSOR [--devices=N] [--days=N]");
        return ExitCode::FAILURE;
    };
    if !namespace::permitted() {
        return ExitCode::FAILURE;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let state = dir.path().join("state");
    std::fs::create_dir_all(&state).expect("a folder");
    let begun = Instant::now();
    fill(&state, devices, days);
    println!("{devices} devices, {days} days each, written in {:.0} s", begun.elapsed().as_secs_f64());
    let bytes = std::fs::metadata(state.join(FILE)).expect("the store").len();
    println!("| size on disk | {:.0} MiB, {} bytes for each device | |", bytes as f64 / 1048576.0, bytes / devices as u64);
    questions(&state, devices);
    start(&binary, dir.path());
    ExitCode::SUCCESS
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    Timestamp::from_secs_nanos(since.as_secs(), 0)
}

fn mac(n: usize) -> Mac {
    let n = n as u32;
    let [a, b, c, d] = n.to_be_bytes();
    // Every second one is a phone that makes up its address.
    Mac([if n.is_multiple_of(2) { 0x02 } else { 0x00 }, 0x11, a, b, c, d])
}

fn device(n: usize) -> DeviceFacts {
    let mac = mac(n);
    DeviceFacts {
        id: format!("dev-{n:012x}"),
        key: format!("mac:{mac}"),
        mac: Some(mac),
        addresses: vec![addr(n)],
        name: Some(format!("laptop-{n}")),
        confidence: 0.95,
        reasons: vec!["a DHCP lease ties its MAC to an address".into()],
        ..DeviceFacts::default()
    }
}

fn addr(n: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n as u32))
}

/// A finding whose last sign lies so many days back; it was used on every other day before.
fn finding(n: usize, today: Timestamp, back: usize) -> Tracked {
    let last = today.before(DAY * back as u32);
    let line = |indicator: &str, field, value: &str| EvidenceLine {
        indicator: indicator.into(),
        family: "S",
        field,
        value: value.into(),
        weight: 0.95,
        count: 7,
        kind: Kind::Observed,
    };
    let mut f = Finding::blank(&format!("rf-{n:016x}"), device(n));
    (f.segment, f.segment_class, f.app, f.surface) = (format!("segment-{}", n % 200), "standard", "wechat".into(), Some(Surface::App));
    (f.level, f.confidence, f.verdict) = (Level::Confirmed, 0.99, Verdict::Unapproved);
    (f.first_seen, f.last_seen, f.flows) = (last.before(DAY * 120), last, 4_000);
    f.policy = "default for standard (separate_device)".into();
    f.reasons = vec!["not a designated device, no waiver, in segment (standard)".into()];
    f.evidence = ["szshort.weixin.qq.com", "szlong.weixin.qq.com", "wx.qlogo.cn", "mp.weixin.qq.com"]
        .map(|v| line("wechat.names", "tls.sni", v))
        .into();
    f.presence =
        Spans::restore((0..60).map(|i| (last.before(DAY * (2 * i)), last.before(DAY * (2 * i)).after(Duration::from_secs(1_800)))), []);
    let stage = if n.is_multiple_of(OPEN_EVERY) { Stage::Open } else { Stage::Resolved };
    Tracked { opened: f.first_seen, changed: last, finding: f, stage, reopened: 0, reopened_at: None, acknowledged: None, escalated: None }
}

fn seen(n: usize, today: Timestamp, days: usize) -> Seen {
    let segment = format!("segment-{}", n % 200);
    let day = |back: usize| {
        let at = today.before(DAY * back as u32);
        Sighting { segment: segment.clone(), addr: addr(n), span: (at.before(Duration::from_secs(3_600)), at) }
    };
    let fact = |at| Fact { name: Some(format!("laptop-{n}").into()), addr: Some(addr(n)), ..Fact::blank(at, mac(n)) };
    let facts = if n.is_multiple_of(2) { vec![fact(today.before(DAY * days as u32)), fact(today)] } else { Vec::new() };
    Seen { device: device(n), designated: false, facts, sightings: (0..days).map(day).collect() }
}

fn fill(state: &Path, devices: usize, days: usize) {
    let mut store = Store::open(state).expect("opened");
    let today = Timestamp::from_secs_nanos(now().secs() / 86_400 * 86_400 + 43_200, 0).before(DAY);
    for batch in (0..devices).collect::<Vec<_>>().chunks(BATCH) {
        let changes = Changes {
            // Open ones are fresh; the others ended at some time of the year.
            findings: batch.iter().map(|n| finding(*n, today, if n.is_multiple_of(OPEN_EVERY) { 0 } else { 1 + n % 200 })).collect(),
            seen: batch.iter().map(|n| seen(*n, today, days)).collect(),
            ..Changes::default()
        };
        store.write(&changes).expect("written");
    }
}

/// Runs a question ten times and tells the median.
fn asked(what: &str, mut question: impl FnMut() -> usize) {
    let mut times: Vec<Duration> = Vec::new();
    let mut rows = 0;
    for _ in 0..10 {
        let begun = Instant::now();
        rows = question();
        times.push(begun.elapsed());
    }
    times.sort();
    println!("| {what} | {:.1} ms | {rows} rows |", times[times.len() / 2].as_secs_f64() * 1e3);
}

fn questions(state: &Path, devices: usize) {
    let reader = Reader::open(state).expect("opened");
    let mut n = 0;
    let mut next = || {
        n = (n + 7_919) % devices;
        format!("mac:{}", mac(n))
    };
    asked("where a device was, a year of days", || reader.sightings(&next(), 1_000).expect("read").len());
    asked("the findings of a device", || reader.findings(Which::Of(&next())).expect("read").0.len());
    asked("every device", || reader.known().expect("read").len());
    asked("open findings, and those of the last 30 days", || {
        reader.findings(Which::OpenOrSince(now().before(DAY * 30))).expect("read").0.len()
    });
    let plain = rusqlite::Connection::open(state.join(FILE)).expect("opened");
    let count = |sql: &str| plain.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count") as usize;
    asked("open findings by verdict and segment, in SQL", || {
        count("SELECT count(*) FROM (SELECT 1 FROM findings WHERE stage = 'open' GROUP BY verdict, segment)")
    });
    asked("uses of a device, in SQL", || {
        count("SELECT count(*) FROM device_uses WHERE device = (SELECT key FROM devices WHERE seq = 4711)")
    });
}

fn start(binary: &Path, dir: &Path) {
    let pair = Pair::new().expect("a wire");
    let mut setup = Setup::new(dir, FAR, &story::policy());
    setup.binary = Some(binary.to_path_buf());
    let mut times = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let daemon = Daemon::start(&pair.sensor, &setup);
        times.push(begun.elapsed());
        if times.len() == 3 {
            asked("a page of findings over HTTP", || daemon.json("/api/v1/findings?limit=100")["findings"].as_array().map_or(0, Vec::len));
            asked("a scrape of the metrics", || daemon.get("/metrics").lines().count());
            let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process.id())).expect("its status");
            let resident = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).map(str::trim).unwrap_or("?");
            println!("| anonymous memory after the start | {resident} | |");
        }
        daemon.stop();
    }
    times.sort();
    println!("| start until ready, median of 3 | {:.2} s | |", times[1].as_secs_f64());
}
