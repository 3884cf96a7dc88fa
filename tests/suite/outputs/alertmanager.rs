//! A real Alertmanager: alerts begin, stay, change and end; it is killed and comes back.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringfence_core::ledger::Event;
use ringfence_core::policy::Verdict;
use ringfence_tests::lab::{Process, wait_until};
use ringfence_tests::outputs::{Source, id, tracked};
use ringfence_tests::peers;
use ringfence_tests::sensor::Json;

use super::{SOON, port};

const ALERTMANAGER: &str = "prometheus-alertmanager";
const AMTOOL: &str = "amtool";

/// Starts one.
pub fn start(dir: &Path, port: u16) -> Process {
    std::fs::write(dir.join("am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n").expect("written");
    let mut command = peers::command(ALERTMANAGER).expect("it was there");
    command.arg(format!("--config.file={}", dir.join("am.yml").display()));
    command.arg(format!("--storage.path={}", dir.join("am").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    Process::start(command, &dir.join("am.log"))
}

/// Alerts that fire, as amtool tells them: finding and verdict.
pub fn firing(port: u16) -> Result<Vec<(String, String)>, String> {
    let url = format!("--alertmanager.url=http://127.0.0.1:{port}");
    let mut amtool = peers::command(AMTOOL).expect("it was there");
    let done = amtool.args(["alert", "query", "-o", "json", &url]).output().map_err(|e| e.to_string())?;
    let alerts: Vec<Json> = serde_json::from_slice(&done.stdout).map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&done.stderr)))?;
    let label = |a: &Json, name: &str| a["labels"][name].as_str().unwrap_or_default().to_string();
    let mut all: Vec<_> = alerts.iter().map(|a| (label(a, "finding"), label(a, "verdict"))).collect();
    all.sort();
    Ok(all)
}

fn becomes(port: u16, wanted: &[(u64, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|(n, verdict)| (id(*n), (*verdict).to_string())).collect();
    wait_until("the alerts", SOON, || {
        let now = firing(port);
        if now.as_ref() == Ok(&wanted) { Ok(()) } else { Err(now) }
    });
}

#[test]
fn alerts_live_as_findings_do() {
    if peers::command(ALERTMANAGER).is_none() || peers::command(AMTOOL).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let port = port();
    let outputs = format!(
        "[[output]]\nname = \"am\"\nkind = \"alertmanager\"\nidentities = true\nendpoint = \"http://127.0.0.1:{port}\"\n\
         verdicts = [\"violation\", \"waiver_expired\"]\nresend_secs = 2\n"
    );
    let mut far = start(dir.path(), port);
    let mut source = Source::open(dir.path(), &outputs);
    source.opens([1, 2]);
    becomes(port, &[(1, "violation"), (2, "violation")]);
    // Judged otherwise: the old alert ends and another begins, or none where the filter leaves it out.
    let judged = |n, verdict| {
        let mut tracked = tracked(n);
        tracked.finding.verdict = verdict;
        tracked
    };
    source.happens(Event::Rejudged, judged(1, Verdict::WaiverExpired));
    source.happens(Event::Rejudged, judged(2, Verdict::Waived));
    becomes(port, &[(1, "waiver_expired")]);
    // It loses its memory: alerts are sent again before they would expire.
    far.signal(Signal::SIGKILL);
    far.end(SOON);
    std::fs::remove_dir_all(dir.path().join("am")).expect("its memory");
    source.happens(Event::Opened, tracked(3));
    std::thread::sleep(Duration::from_secs(1));
    let mut far = start(dir.path(), port);
    becomes(port, &[(1, "waiver_expired"), (3, "violation")]);
    // Longer than an alert lives without a word.
    std::thread::sleep(Duration::from_secs(9));
    becomes(port, &[(1, "waiver_expired"), (3, "violation")]);
    // The sensor restarts, and something ended meanwhile.
    source.end();
    let mut source = Source::open(dir.path(), &outputs);
    source.happens(Event::Resolved, judged(1, Verdict::WaiverExpired));
    becomes(port, &[(3, "violation")]);
    source.happens(Event::Resolved, tracked(3));
    becomes(port, &[]);
    source.end();
    far.signal(Signal::SIGTERM);
    far.end(SOON);
}
