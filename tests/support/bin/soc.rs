//! `make demo-soc`: the lab with Prometheus and Alertmanager before it, to be looked at until Ctrl-C.
//!
//! `--secs=N` ends it after so long. `--data=FILE` writes what every panel of every dashboard shows at the end, for pictures;
//! `--into=PAGE` writes how long a packet took to become an alert between the marks of a page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringfence_tests::dashboards::{Dashboard, Spans, Target, all, filled, targets};
use ringfence_tests::lab::monitoring::{self, ALERTMANAGER, Monitoring, PROMETHEUS, Pace};
use ringfence_tests::lab::soc::{SENSOR, Soc, table};
use ringfence_tests::lab::story::ROLES;
use ringfence_tests::lab::{door, namespace, now};
use ringfence_tests::sensor::Json;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

/// As often as in earnest would be too seldom to look at; `for` is kept, so alerts come as they would.
const PACE: Pace = Pace { every_secs: 2, at_once: false };

/// The same where hops are measured.
const HASTY: Pace = Pace { every_secs: 1, at_once: true };

/// Doors from this machine's loopback: outside, inside, and what is behind.
const DOORS: [(u16, u16, &str); 3] = [
    (19_477, SENSOR, "the sensor: /api/v1/findings, /api/v1/alarms, /metrics"),
    (19_090, PROMETHEUS, "Prometheus: /alerts, /targets, /graph"),
    (19_093, ALERTMANAGER, "Alertmanager: what fires, and who hears of it"),
];

/// Between two acts, so that curves have a shape.
const PAUSE: Duration = Duration::from_secs(6);

/// Points of a curve in a picture.
const POINTS: u64 = 240;

/// Bars of a picture that counts.
const BARS: u64 = 24;

struct Words(Vec<String>);

impl Words {
    fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find_map(|w| w.strip_prefix(name)?.strip_prefix('=').map(str::to_string))
    }
}

fn main() -> ExitCode {
    let words = Words(std::env::args().skip(1).collect());
    if !namespace::permitted() || !monitoring::installed() {
        eprintln!("it takes root, a Linux kernel with veth and bridge, and the Debian packages prometheus and prometheus-alertmanager");
        return ExitCode::SUCCESS;
    }
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).expect("signals can be caught");
    }
    let binary = words.0.first().filter(|w| !w.starts_with('-')).map(PathBuf::from);
    if let Some(page) = words.value("--into") {
        return measure(Path::new(&page), binary);
    }
    let begun = Instant::now();
    let soc = Soc::start(PACE, binary);
    look(&soc);
    let limit = words.value("--secs").and_then(|n| n.parse().ok()).map_or(Duration::MAX, Duration::from_secs);
    live(&soc, &|| ended.load(Ordering::Relaxed) || begun.elapsed() >= limit);
    if let Some(file) = words.value("--data") {
        fs::write(&file, data(&soc.monitoring, begun.elapsed().as_secs()).to_string()).expect("written");
        println!("what the panels show is in {file}");
    }
    let log = soc.daemon.stop();
    println!("{}; everything is gone", log.lines().last().unwrap_or("the sensor has ended"));
    ExitCode::SUCCESS
}

fn look(soc: &Soc) {
    println!("a network of {} hosts, the sensor on its mirror port, Prometheus and Alertmanager; look at", ROLES.len());
    for (outer, inner, what) in DOORS {
        match door::open(soc.inside(), outer, inner) {
            Ok(()) => println!("  http://127.0.0.1:{outer}   {what}"),
            Err(error) => println!("  (port {outer}: {error})   {what}"),
        }
    }
    println!("the first alert comes about a minute after the first violation; Ctrl-C ends all of it");
}

/// The story, act by act, again and again; after the first round somebody takes care, a waiver is taken back, a mistake is reloaded.
fn live(soc: &Soc, over: &dyn Fn() -> bool) {
    soc.boot();
    for round in 0.. {
        for role in &ROLES {
            if over() {
                return;
            }
            let act = Instant::now();
            if round == 0 {
                println!("  {}: {}", role.place.name, role.does);
            }
            soc.play(role);
            (0..=round % 3).for_each(|_| soc.idle());
            pause(act, over);
        }
        match round {
            0 => soc.acknowledge("violation"),
            1 => soc.revoke(),
            2 => soc.acknowledge("separation_breach"),
            3 => soc.reload(),
            _ => {}
        }
    }
}

fn pause(act: Instant, over: &dyn Fn() -> bool) {
    while act.elapsed() < PAUSE && !over() {
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// What every panel shows, by dashboard, panel and query: series as Prometheus gives them, all of one moment.
fn data(monitoring: &Monitoring, seconds: u64) -> Json {
    let (end, step, bar) = (now().secs(), (seconds / POINTS).max(1), (seconds / BARS).max(10));
    let spans = Spans { range: format!("{seconds}s"), interval: format!("{bar}s"), rate: format!("{}s", (4 * step).max(10)) };
    let one = |t: &Target| {
        let expr = filled(&t.expr, &spans);
        let step = if t.expr.contains("$__interval") { bar } else { step };
        let series = if t.instant { monitoring.query_at(&expr, end) } else { monitoring.query_range(&expr, end, seconds, step) };
        json!({ "step": step, "series": series })
    };
    let panel = |p: &Json| {
        let queries: serde_json::Map<String, Json> = targets(p).iter().map(|t| (t.letter.clone(), one(t))).collect();
        (p["id"].to_string(), Json::from(queries))
    };
    let dashboard = |d: &Dashboard| (d.stem.clone(), Json::from(d.panels().iter().map(panel).collect::<serde_json::Map<_, _>>()));
    let panels: serde_json::Map<_, _> = all().iter().map(dashboard).collect();
    json!({ "from": end - seconds, "to": end, "dashboards": panels })
}

/// Between these the table of a page is replaced.
const MARKS: [&str; 2] = ["<!-- hops -->\n", "<!-- end of hops -->"];

fn measure(page: &Path, binary: Option<PathBuf>) -> ExitCode {
    let soc = Soc::start(HASTY, binary);
    soc.boot();
    let table = table(&soc.hops());
    soc.daemon.stop();
    print!("{table}");
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let parts = text.split_once(MARKS[0]).and_then(|(before, rest)| Some((before, rest.split_once(MARKS[1])?.1)));
    let Some((before, after)) = parts else {
        eprintln!("{}: the marks {MARKS:?} are not there", page.display());
        return ExitCode::FAILURE;
    };
    fs::write(page, [before, MARKS[0], &table, MARKS[1], after].concat()).expect("written");
    ExitCode::SUCCESS
}
