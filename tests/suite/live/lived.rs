//! The story of the lab, lived once before the running sensor and a recorder on the same mirror port; several tests judge it.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ringfence_tests::lab::daemon::{Daemon, Setup};
use ringfence_tests::lab::internet::Internet;
use ringfence_tests::lab::network::MIRROR;
use ringfence_tests::lab::recorder::{Recorded, Recorder};
use ringfence_tests::lab::story::{self, CANARIES, ROLES, Role};
use ringfence_tests::lab::talkers::Talker;
use ringfence_tests::lab::{Network, namespace, wait_for};
use ringfence_tests::prng::Prng;
use ringfence_tests::sensor::{self, Json};

/// From the first sign to the finding.
const SOON: Duration = Duration::from_secs(5);

/// Everything that remains of it.
struct Lived {
    /// What the API said at the end.
    findings: Vec<Json>,
    /// What `ringfence scan` says of the recording.
    scanned: Vec<Json>,
    /// From the first sign to the finding, by device.
    delays: Vec<(&'static str, Duration)>,
    /// Everything else that the sensor said or wrote: pages, log, files.
    said: Vec<(String, Vec<u8>)>,
    recorded: Recorded,
}

/// `None` where namespaces are not permitted.
fn lived() -> Option<&'static Lived> {
    static LIVED: OnceLock<Lived> = OnceLock::new();
    namespace::permitted().then(|| LIVED.get_or_init(live))
}

fn live() -> Lived {
    let network = Network::new(&story::places()).expect("a network");
    let internet = Internet::start(&network);
    let recorder = Recorder::start(&network.sensor, MIRROR, &network.dir().join("mirror.pcap"));
    let setup = Setup::new(&network.dir().join("sensor"), MIRROR, &story::policy());
    std::fs::create_dir_all(&setup.dir).expect("a folder");
    let daemon = Daemon::start(&network.sensor, &setup);
    let delays = ROLES.iter().filter_map(|role| play(role, &network, &internet, &daemon)).collect();
    let recorded = recorder.stop();
    let config = setup.dir.join("ringfence.toml");
    let lines = sensor::scan(&["-c", &config.to_string_lossy()], &recorded.path);
    let scanned: Vec<Json> = lines.into_iter().filter(|l| l["type"] == "finding").collect();
    // The flows' last counts may be a tick away; what never becomes equal is shown by the test that compares.
    let settled = Instant::now() + SOON;
    let same = || settled < Instant::now() || told(&daemon.findings()) == told(&scanned);
    wait_for("the last counts", SOON * 2, || same().then_some(()));
    let findings = daemon.findings();
    let mut said: Vec<_> = pages(&daemon).into_iter().map(|(path, body)| (path, body.into_bytes())).collect();
    said.push(("the log".into(), daemon.stop().into_bytes()));
    said.extend(files(&setup.state));
    Lived { findings, scanned, delays, said, recorded }
}

fn play(role: &Role, network: &Network, internet: &Internet, daemon: &Daemon) -> Option<(&'static str, Duration)> {
    let name = role.place.name;
    let talker = Talker { network, host: network.host(name), certificate: &internet.certificate };
    talker.boot().unwrap_or_else(|e| panic!("{name}: {e}"));
    (role.before)(&talker).unwrap_or_else(|e| panic!("{name}: {e}"));
    let begun = Instant::now();
    (role.act)(&talker, &mut Prng::new(1)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let expected = role.expected?;
    // Late is told by the test that measures; only what does not come at all ends the story.
    let found = || daemon.findings().iter().any(|f| expected.is(f)).then(|| begun.elapsed());
    let delay = wait_for(&format!("{expected:?}"), SOON * 3, found);
    Some((name, delay))
}

/// Every GET that the API has, with ids that it knows itself.
pub fn pages(daemon: &Daemon) -> Vec<(String, String)> {
    let first = |list: &str, what: &str, id: &dyn Fn(&Json) -> Json| id(&daemon.json(list)[what][0]).as_str().unwrap_or("none").to_string();
    let finding = first("/api/v1/findings", "findings", &|f| f["id"].clone());
    let device = first("/api/v1/devices", "devices", &|d| d["device"]["id"].clone());
    let waiver = first("/api/v1/waivers", "waivers", &|w| w["id"].clone());
    let document = daemon.json("/api/v1/openapi.json");
    let paths = document["paths"].as_object().expect("paths").iter().filter(|(_, methods)| methods.get("get").is_some());
    let ask = |(path, _): (&String, &Json)| {
        let id = match path {
            p if p.contains("devices") => &device,
            p if p.contains("waivers") => &waiver,
            _ => &finding,
        };
        let path = path.replace("{id}", id);
        let (status, body) = daemon.ask("GET", &path).expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
        (path, body)
    };
    let pages: Vec<_> = paths.map(ask).collect();
    assert!(pages.len() > 10 && pages.iter().any(|(path, _)| path == "/metrics"), "{pages:?}");
    pages
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("the state folder").flatten().map(|e| e.path()).filter(|p| p.is_file());
    entries.map(|p| (p.display().to_string(), std::fs::read(&p).expect("readable"))).collect()
}

/// What live and replay must agree on.
fn told(findings: &[Json]) -> Vec<String> {
    let one = |f: &Json| {
        let evidence: Vec<String> =
            f["evidence"].as_array().into_iter().flatten().map(|e| format!("{} {} {}", e["indicator"], e["value"], e["count"])).collect();
        let keys =
            ["id", "segment", "app", "surface", "level", "confidence", "verdict", "others", "policy", "waiver", "flows", "instances"];
        let facts: Vec<String> = keys.iter().map(|k| format!("{k}={}", f[*k])).collect();
        format!("{} {evidence:?}", facts.join(" "))
    };
    let mut told: Vec<String> = findings.iter().map(one).collect();
    told.sort();
    told
}

#[test]
fn every_sign_is_a_finding_within_five_seconds() {
    let Some(lived) = lived() else { return };
    let expected: Vec<_> = ROLES.iter().filter_map(|r| r.expected).collect();
    assert_eq!(lived.delays.len(), expected.len());
    for (device, delay) in &lived.delays {
        eprintln!("{device}: {} ms", delay.as_millis());
        assert!(*delay < SOON, "{device}: {delay:?}");
    }
    let beside: Vec<_> = lived.findings.iter().filter(|f| !expected.iter().any(|e| e.is(f))).collect();
    assert!(beside.is_empty(), "{beside:#?}");
}

#[test]
fn ordinary_traffic_leaves_no_trace_in_pages_log_and_store() {
    let Some(lived) = lived() else { return };
    assert!(lived.said.iter().any(|(what, bytes)| what.contains("state") && !bytes.is_empty()), "something was stored");
    let shown = |needle: &str| -> Vec<&str> {
        let has = |bytes: &[u8]| bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
        lived.said.iter().filter(|(_, bytes)| has(bytes)).map(|(what, _)| what.as_str()).collect()
    };
    for canary in CANARIES {
        assert_eq!(shown(canary), Vec::<&str>::new(), "{canary}");
        assert!(!format!("{:?}", lived.findings).contains(canary), "{canary}");
    }
    // The same search finds what is no secret.
    assert!(!shown("laptop-fin-07").is_empty());
}

#[test]
fn the_recording_scanned_gives_the_findings_of_the_wire() {
    let Some(lived) = lived() else { return };
    assert_eq!(lived.recorded.dropped, 0);
    assert!(lived.recorded.frames > 100, "{:?}", lived.recorded);
    assert_eq!(told(&lived.findings), told(&lived.scanned));
    for expected in ROLES.iter().filter_map(|r| r.expected) {
        assert!(lived.scanned.iter().any(|f| expected.is(f)), "{expected:?}");
    }
}
