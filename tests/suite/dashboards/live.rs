//! The lab before a real Prometheus: every panel has an answer, and a packet becomes an alert.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ringfence_tests::dashboards::{Dashboard, Spans, Target, all, filled, targets};
use ringfence_tests::lab::monitoring::{self, Pace};
use ringfence_tests::lab::soc::{Hop, Soc, table};
use ringfence_tests::lab::story::ROLES;
use ringfence_tests::lab::{namespace, now, wait_for, wait_until};
use ringfence_tests::sensor::Json;

/// Often, and without the patience that alerts have for people's sake.
const PACE: Pace = Pace { every_secs: 1, at_once: true };

/// Until rates, coverage and rounds have come together.
const SOON: Duration = Duration::from_secs(90);

/// What stands in for an answer where there is nothing to count. Without it a query must have had an answer at some time of the day, but for
/// these, by what is in them.
const STAND_IN: &str = " or sum(ringfence_site_info{instance=~\".*\"}) * 0";
const NEVER: [(&str, &str); 1] = [("verdict=\"disguise\"", "nobody in the lab disguises anything")];

/// A query of a panel, and what it gave.
#[derive(Debug)]
struct Asked {
    name: String,
    answers: usize,
}

/// What remains of a day in the lab.
struct Day {
    hops: Vec<Hop>,
    empty: Vec<String>,
    asked: usize,
    alerts: Vec<String>,
    /// Findings behind the link of the alert on a violation.
    evidence: Vec<Json>,
}

/// `None` where namespaces or programs are missing.
fn day() -> Option<&'static Day> {
    static DAY: OnceLock<Day> = OnceLock::new();
    (namespace::permitted() && monitoring::installed()).then(|| DAY.get_or_init(live))
}

fn live() -> Day {
    let soc = Soc::start(PACE, None);
    soc.boot();
    soc.idle();
    let hops = soc.hops();
    ROLES.iter().for_each(|role| soc.play(role));
    soc.acknowledge("violation");
    soc.revoke();
    ROLES.iter().filter(|r| r.place.name == "laptop-hr-03").for_each(|role| soc.play(role));
    soc.reload();
    soc.idle();
    wait_for("use after a waiver", SOON, || soc.daemon.findings().iter().any(|f| f["verdict"] == "waiver_expired").then_some(()));
    // Everything has its answer within a while, or never: what is empty at the end is told.
    let deadline = Instant::now() + SOON;
    let mut asked = ask(&soc);
    while asked.iter().any(|a| a.answers == 0) && Instant::now() < deadline {
        soc.idle();
        asked = ask(&soc);
    }
    let names = |alerts: &[_]| -> Vec<String> {
        let name = |a: &Json| a["labels"]["alertname"].as_str().map(str::to_string);
        alerts.iter().filter_map(name).collect()
    };
    let wanted =
        ["RingfenceViolation", "RingfenceSeparationBreach", "RingfenceWaiverExpired", "RingfenceUnapproved", "RingfenceWaiverEnding"];
    let alerts = wait_until("the alerts of the day", SOON, || {
        let now = names(&soc.monitoring.alerts());
        if wanted.iter().all(|w| now.iter().any(|n| n == w)) { Ok(now) } else { Err(now) }
    });
    let evidence = click(&soc);
    let empty = asked.iter().filter(|a| a.answers == 0).map(|a| a.name.clone()).collect();
    Day { hops, empty, asked: asked.len(), alerts, evidence }
}

/// Values that are numbers: a quantile of nothing is none.
fn numbers(series: &[Json]) -> usize {
    let values = |s: &Json| match s["values"].as_array() {
        Some(many) => many.clone(),
        None => vec![s["value"].clone()],
    };
    series.iter().flat_map(values).filter(|v| v[1].as_str().and_then(|n| n.parse::<f64>().ok()).is_some_and(f64::is_finite)).count()
}

/// Follows the link of the alert on a violation, as somebody at Alertmanager does.
fn click(soc: &Soc) -> Vec<Json> {
    let alerts = soc.monitoring.alerts();
    let violation = alerts.iter().find(|a| a["labels"]["alertname"] == "RingfenceViolation").expect("it fires");
    let url = violation["annotations"]["evidence_url"].as_str().expect("a link");
    let path = &url[url.find("/api/").expect("into the API")..];
    soc.daemon.json(path)["findings"].as_array().cloned().unwrap_or_default()
}

/// Every query of every panel, annotation and variable.
fn ask(soc: &Soc) -> Vec<Asked> {
    let spans = Spans { range: "10m".into(), interval: "15s".into(), rate: "15s".into() };
    let over_the_day = |expr: &str| numbers(&soc.monitoring.query_range(expr, now().secs(), 600, 1));
    let answers = |target: &Target| {
        let expr = filled(&target.expr, &spans);
        let bare = expr.replace(STAND_IN, "");
        if bare != expr && !NEVER.iter().any(|(part, _)| expr.contains(part)) && over_the_day(&bare) == 0 {
            return 0;
        }
        if target.instant { numbers(&soc.monitoring.query(&expr)) } else { over_the_day(&expr) }
    };
    let of_panels = |d: &Dashboard| -> Vec<Asked> {
        let queries = d.panels().iter().flat_map(|p| targets(p).into_iter().map(move |t| (p["title"].as_str().unwrap_or("?"), t)));
        queries.map(|(title, t)| Asked { name: format!("{}: {title}, {}: {}", d.stem, t.letter, t.expr), answers: answers(&t) }).collect()
    };
    let of_annotations = |d: &Dashboard| -> Vec<Asked> {
        let one = |expr: String| Asked { answers: over_the_day(&filled(&expr, &spans)), name: format!("{}: {expr}", d.stem) };
        d.annotations().into_iter().map(one).collect()
    };
    let of_variables = |d: &Dashboard| -> Vec<Asked> {
        let values = |(metric, label): &(String, String)| {
            let found = soc.monitoring.query(&filled(metric, &spans));
            found.iter().filter(|s| s["metric"][label].as_str().is_some_and(|v| !v.is_empty())).count()
        };
        let one = |asked: (String, String)| Asked { answers: values(&asked), name: format!("{}: values of {}", d.stem, asked.1) };
        d.lists().into_iter().map(one).collect()
    };
    all().iter().flat_map(|d| of_panels(d).into_iter().chain(of_annotations(d)).chain(of_variables(d))).collect()
}

#[test]
fn every_query_of_every_panel_has_an_answer() {
    let Some(day) = day() else { return };
    eprintln!("{} queries, {} without an answer", day.asked, day.empty.len());
    assert!(day.asked > 80);
    assert!(day.empty.is_empty(), "{:#?}", day.empty);
}

#[test]
fn a_packet_becomes_an_alert() {
    let Some(day) = day() else { return };
    eprintln!("{}", table(&day.hops));
    assert_eq!(day.hops.len(), 5);
    assert!(day.hops.iter().zip(day.hops.iter().skip(1)).all(|(a, b)| a.after <= b.after), "one after the other");
    assert!(day.hops[4].after < SOON, "{:?}", day.hops);
    let shown: Vec<_> = day.evidence.iter().map(|f| (f["verdict"].as_str(), f["segment"].as_str())).collect();
    assert_eq!(shown, [(Some("violation"), Some("servers-ot"))], "the alert leads to its evidence");
    assert!(!day.evidence[0]["evidence"].as_array().expect("signs").is_empty());
    assert!(!day.alerts.iter().any(|a| a == "RingfenceBlind" || a == "RingfenceAuditBroken"), "nothing that is not so: {:?}", day.alerts);
}
