//! A SOC in small: the lab's network and story, the sensor, Prometheus and Alertmanager, and what people do about findings.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ringfence_core::time::Timestamp;

use super::daemon::{Daemon, Setup, sum};
use super::internet::Internet;
use super::monitoring::{Monitoring, Pace};
use super::network::{MIRROR, outside};
use super::story::{self, ROLES, Role};
use super::talkers::Talker;
use super::{Network, now, wait_for, wait_until};
use crate::prng::Prng;
use crate::sensor::Json;

/// Where the sensor listens in its namespace.
pub const SENSOR: u16 = 9477;

/// How long each hop may take on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

const TOKEN: &str = "the-token-of-jana-alone";

/// Everything that runs.
#[derive(Debug)]
pub struct Soc {
    /// What people look at.
    pub monitoring: Monitoring,
    /// The sensor.
    pub daemon: Daemon,
    setup: Setup,
    internet: Internet,
    network: Network,
}

/// When a violation was where.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// Where.
    pub place: &'static str,
    /// How long after the packet.
    pub after: Duration,
}

impl Soc {
    /// Starts everything.
    ///
    /// # Panics
    /// When a part does not start.
    pub fn start(pace: Pace, binary: Option<PathBuf>) -> Self {
        let network = Network::new(&story::places()).expect("a network");
        let internet = Internet::start(&network);
        let dir = network.dir().join("sensor");
        let mut setup = Setup::new(&dir, MIRROR, &(story::policy() + &more(&network)));
        (setup.identities, setup.binary) = (false, binary);
        fs::create_dir_all(&dir).expect("a folder");
        fs::write(dir.join("jana.token"), TOKEN).expect("written");
        let daemon = Daemon::start(&network.sensor, &setup);
        let sensor = format!("127.0.0.1:{SENSOR}");
        let monitoring = Monitoring::start(&network.sensor, &network.dir().join("monitoring"), &sensor, pace);
        Soc { monitoring, daemon, setup, internet, network }
    }

    /// The namespace in which sensor, Prometheus and Alertmanager listen.
    pub fn inside(&self) -> &super::Namespace {
        &self.network.sensor
    }

    fn talker(&self, role: &Role) -> Talker<'_> {
        Talker { network: &self.network, host: self.network.host(role.place.name), certificate: &self.internet.certificate }
    }

    /// Every host gets its lease.
    ///
    /// # Panics
    /// When one does not.
    pub fn boot(&self) {
        for role in &ROLES {
            let talker = self.talker(role);
            // Without waiting for stragglers a port is free at once.
            let free = talker.host.namespace.sysctl("net/ipv4/tcp_max_tw_buckets", "0");
            free.and_then(|()| talker.boot()).unwrap_or_else(|e| panic!("{}: {e}", role.place.name));
        }
    }

    /// One host plays its part once.
    ///
    /// # Panics
    /// When it cannot.
    pub fn play(&self, role: &Role) {
        let talker = self.talker(role);
        let played = (role.before)(&talker).and_then(|()| (role.act)(&talker, &mut Prng::new(1)));
        played.unwrap_or_else(|e| panic!("{}: {e}", role.place.name));
    }

    /// Every host does something ordinary, and one asks a resolver that hides what it is asked. Ports are used again, so what was done
    /// the last time has ended now, and is booked to its segment.
    ///
    /// # Panics
    /// When one cannot.
    pub fn idle(&self) {
        for role in &ROLES {
            let (talker, name) = (self.talker(role), role.place.name);
            let done = talker.curl_from(41_000, "canary-sni.example.org", outside(10));
            let hidden = if name == "canary-dhcp" { talker.curl_from(41_001, "dns.google", outside(10)) } else { Ok(()) };
            done.and(hidden).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }

    /// Somebody takes care of the first open finding with a verdict.
    ///
    /// # Panics
    /// When there is none, or the sensor refuses.
    pub fn acknowledge(&self, verdict: &str) {
        let found = || self.daemon.findings().iter().find(|f| f["verdict"] == verdict).and_then(|f| f["id"].as_str().map(str::to_string));
        let id = wait_for(verdict, SOON, found);
        self.does(&format!("/api/v1/findings/{id}/acknowledge"), r#"{"note":"on it"}"#);
    }

    /// The waiver of the office is taken back, when it has been seen that it covers something.
    ///
    /// # Panics
    /// When the sensor refuses.
    pub fn revoke(&self) {
        self.seen("ringfence_findings_open{verdict=\"waived\"}");
        self.does("/api/v1/waivers/W-lab/revoke", r#"{"reason":"the project is over"}"#);
    }

    /// Waits until Prometheus has scraped something: what passes between two scrapes is on no dashboard.
    fn seen(&self, series: &str) {
        wait_for(series, SOON, || (!self.monitoring.query(series).is_empty()).then_some(()));
    }

    fn does(&self, path: &str, body: &str) {
        let (status, answer) = self.daemon.ask_as(TOKEN, path, body).expect("an answer");
        assert_eq!(status, 200, "{path}: {answer}");
    }

    /// A configuration with a mistake is refused, and that is told; then the right one is taken up again.
    ///
    /// # Panics
    /// When the first is not refused, or the second is.
    pub fn reload(&self) {
        let path = self.setup.dir.join("ringfence.toml");
        let right = fs::read_to_string(&path).expect("the configuration");
        fs::write(&path, format!("{right}\nnonsense = 1\n")).expect("written");
        let refused = || self.daemon.metric("ringfence_last_reload_successful", &[]) == 0.0;
        let _ = self.daemon.ask("POST", "/api/v1/reload").expect("an answer");
        wait_for("the mistake is refused", SOON, || refused().then_some(()));
        self.seen("ringfence_alarms{kind=\"reload-failed\"}");
        fs::write(&path, right).expect("written");
        let _ = self.daemon.ask("POST", "/api/v1/reload").expect("an answer");
        wait_for("the right one is taken up", SOON, || (!refused()).then_some(()));
    }

    /// The engineering station breaks the rule: when is it known where? Prometheus is asked by its API, so what it scraped and judged counts.
    ///
    /// # Panics
    /// When it does not arrive somewhere within a minute.
    pub fn hops(&self) -> Vec<Hop> {
        let role = ROLES.iter().find(|r| r.expected.is_some_and(|e| e.verdict == "violation")).expect("somebody breaks the rule");
        self.play(role);
        let finding = wait_for("a finding", SOON, || self.daemon.findings().into_iter().find(|f| f["verdict"] == "violation"));
        let packet = moment(&finding);
        let mut hops = vec![Hop { place: "finding in the sensor's API", after: now().since(packet) }];
        let mut hop = |place, there: &dyn Fn() -> Result<(), Json>| {
            wait_until(place, SOON, there);
            hops.push(Hop { place, after: now().since(packet) });
        };
        let some = |found: Vec<Json>| if found.is_empty() { Err(Json::from("nothing")) } else { Ok(()) };
        let metric = |text: &str| sum(text, "ringfence_findings_open", &["verdict=\"violation\""]);
        hop("metric on the sensor's page", &|| if metric(&self.daemon.get("/metrics")) > 0.0 { Ok(()) } else { Err(Json::from(0)) });
        hop("series in Prometheus", &|| some(self.monitoring.query("ringfence_findings_open{verdict=\"violation\"}")));
        let alert = "ALERTS{alertname=\"RingfenceViolation\",alertstate=\"firing\"}";
        hop("alert fires in Prometheus", &|| some(self.monitoring.query(alert)));
        hop("alert in Alertmanager", &|| {
            let alerts = self.monitoring.alerts();
            let ours = |a: &&Json| a["labels"]["alertname"] == "RingfenceViolation" && a["labels"]["segment"] == "servers-ot";
            alerts.iter().find(ours).map(|_| ()).ok_or(Json::from(alerts.clone()))
        });
        hops
    }
}

/// When the first packet of a finding was on the wire.
fn moment(finding: &Json) -> Timestamp {
    finding["first_seen"].as_str().and_then(Timestamp::parse).unwrap_or_else(|| panic!("no time in {finding}"))
}

/// Hops as a table.
pub fn table(hops: &[Hop]) -> String {
    let mut text = String::from("| where | after the packet | this hop |\n|---|---|---|\n");
    let mut before = Duration::ZERO;
    for hop in hops {
        text +=
            &format!("| {} | {:.2} s | {:.2} s |\n", hop.place, hop.after.as_secs_f64(), hop.after.saturating_sub(before).as_secs_f64());
        before = hop.after;
    }
    text
}

/// What the lab's story does not need and dashboards show: an operator, an output, waivers at their end.
fn more(network: &Network) -> String {
    let date = |days: i64| Timestamp::from_secs_nanos(now().secs().saturating_add_signed(days * 86_400), 0).to_string()[..10].to_string();
    let waiver = |id: &str, start: i64, end: i64| {
        format!(
            "[[waiver]]\nid = \"{id}\"\nholders = [\"laptop-law-02\"]\napps = [\"wechat\"]\nsegments = [\"guest\"]\n\
             approver = \"Chief Information Security Officer\"\nreason = \"trade fair\"\nstart = {}\nend = {}\n",
            date(start),
            date(end)
        )
    };
    let events = network.dir().join("sensor/events.jsonl");
    format!(
        "[operators.jana]\ntoken_file = \"jana.token\"\nmay = [\"acknowledge\", \"waivers\"]\n\
         [[output]]\nname = \"siem\"\nkind = \"file\"\npath = {events:?}\n{}{}",
        waiver("W-ends", -20, 5),
        waiver("W-over", -60, -10)
    )
}
