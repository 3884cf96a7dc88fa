//! A real Prometheus and a real Alertmanager in the sensor's namespace, with the rules that are shipped.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Namespace, Process, wait_until};
use crate::sensor::Json;
use crate::{peers, root};

/// Where they listen; a namespace has all ports to itself.
pub const PROMETHEUS: u16 = 9090;
/// The same of Alertmanager.
pub const ALERTMANAGER: u16 = 9093;

/// Addresses in what is shipped that every site replaces by its own, and what a demonstration puts there: the doors of `make demo-soc`, and
/// Grafana of the compose file.
const PLACES: [(&str, &str); 2] =
    [("https://ringfence.example.org/api/", "http://127.0.0.1:19477/api/"), ("https://grafana.example.org/", "http://127.0.0.1:13000/")];

/// How long they may take to be ready.
const START: Duration = Duration::from_secs(20);

/// What tests and demonstrations change in what is shipped: how often, never what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Seconds between two scrapes, and two evaluations.
    pub every_secs: u32,
    /// Alerts fire at once, whatever their `for` says.
    pub at_once: bool,
}

/// Both programs; they end with it.
#[derive(Debug)]
pub struct Monitoring {
    namespace: Namespace,
    programs: Vec<Process>,
    dir: PathBuf,
}

/// Whether both are here; when not, that is said.
///
/// # Panics
/// When one is not, although peers are required.
pub fn installed() -> bool {
    ["prometheus", "prometheus-alertmanager"].into_iter().all(|program| peers::words(program).is_some())
}

impl Monitoring {
    /// Starts both beside a sensor that listens on `sensor`, and waits until they answer.
    ///
    /// # Panics
    /// When they do not.
    pub fn start(namespace: &Namespace, dir: &Path, sensor: &str, pace: Pace) -> Self {
        fs::create_dir_all(dir).expect("a folder");
        let alertmanager = root().join("dashboards/alertmanager.example.yaml");
        let config = text(&alertmanager).replace("group_wait: 30s", "group_wait: 1s");
        // Nobody is called from a lab: receivers stay, their addresses go.
        let quiet = config.lines().filter(|l| !l.contains("webhook_configs:") && !l.contains("- url:"));
        fs::write(dir.join("alertmanager.yml"), quiet.map(|l| format!("{l}\n")).collect::<String>()).expect("written");
        fs::write(dir.join("prometheus.yml"), prometheus(dir, sensor, pace)).expect("written");
        let mut monitoring = Monitoring { namespace: namespace.clone(), programs: Vec::new(), dir: dir.to_path_buf() };
        monitoring.run(
            "prometheus-alertmanager",
            &["--config.file=alertmanager.yml", "--storage.path=alerts", "--cluster.listen-address="],
            ALERTMANAGER,
        );
        let flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=series", "--rules.alert.resend-delay=1s", "--log.level=warn"];
        monitoring.run("prometheus", &flags, PROMETHEUS);
        wait_until("Alertmanager", START, || monitoring.ask(ALERTMANAGER, "/-/ready"));
        wait_until("Prometheus", START, || monitoring.ask(PROMETHEUS, "/-/ready"));
        // An alert that fires before Prometheus knows whom to tell would come late.
        wait_until("Prometheus knows Alertmanager", START, || {
            let known = monitoring.json(PROMETHEUS, "/api/v1/alertmanagers");
            if known["data"]["activeAlertmanagers"].as_array().is_some_and(|a| !a.is_empty()) { Ok(()) } else { Err(known) }
        });
        monitoring
    }

    fn run(&mut self, program: &str, flags: &[&str], port: u16) {
        let words = peers::words(program).expect("it was there");
        let mut command = self.namespace.command(&words[0]);
        command.args(&words[1..]).args(flags).arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(&self.dir);
        self.programs.push(Process::start(command, &self.dir.join(format!("{program}.log"))));
    }

    /// The body of a good answer.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&self, port: u16, path: &str) -> Result<String, String> {
        let answer = self.namespace.run(|| get(port, path)).map_err(|e| e.to_string())?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no answer: {answer}"))?;
        if head.split(' ').nth(1) == Some("200") { Ok(body.to_string()) } else { Err(answer) }
    }

    /// The same as JSON.
    ///
    /// # Panics
    /// When there is none.
    pub fn json(&self, port: u16, path: &str) -> Json {
        let body = self.ask(port, path).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    /// What an expression is now: series, each with its labels and value.
    ///
    /// # Panics
    /// When Prometheus does not take it.
    pub fn query(&self, expr: &str) -> Vec<Json> {
        let answer = self.json(PROMETHEUS, &format!("/api/v1/query?query={}", encoded(expr)));
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// What it was at a moment, seconds since 1970.
    ///
    /// # Panics
    /// When Prometheus does not take it.
    pub fn query_at(&self, expr: &str, at: u64) -> Vec<Json> {
        let answer = self.json(PROMETHEUS, &format!("/api/v1/query?time={at}&query={}", encoded(expr)));
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// What it was over so many seconds before a moment.
    ///
    /// # Panics
    /// When Prometheus does not take it.
    pub fn query_range(&self, expr: &str, end: u64, seconds: u64, step: u64) -> Vec<Json> {
        let path = format!("/api/v1/query_range?query={}&start={}&end={end}&step={step}", encoded(expr), end - seconds);
        let answer = self.json(PROMETHEUS, &path);
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    /// Alerts that Alertmanager shows, inhibited ones left out.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn alerts(&self) -> Vec<Json> {
        self.json(ALERTMANAGER, "/api/v2/alerts?inhibited=false").as_array().cloned().unwrap_or_default()
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Its configuration, with copies of the rules: addresses and `for` are all that may differ in them.
fn prometheus(dir: &Path, sensor: &str, pace: Pace) -> String {
    for kind in ["alerts", "recording"] {
        let rules = text(&root().join(format!("dashboards/{kind}/ringfence.yaml")));
        let rules = PLACES.iter().fold(rules, |text, (theirs, ours)| text.replace(theirs, ours));
        let hasty = |l: &str| match l.split_once("for: ") {
            Some((before, _)) if pace.at_once && before.trim().is_empty() => format!("{before}for: 0s\n"),
            _ => format!("{l}\n"),
        };
        fs::write(dir.join(format!("{kind}.yaml")), rules.lines().map(hasty).collect::<String>()).expect("written");
    }
    let every = pace.every_secs;
    format!(
        "global: {{scrape_interval: {every}s, evaluation_interval: {every}s}}\n\
         rule_files: [alerts.yaml, recording.yaml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{ALERTMANAGER}']}}]}}]}}\n\
         scrape_configs:\n  - job_name: ringfence\n    static_configs: [{{targets: ['{sensor}']}}]\n"
    )
}

/// HTTP/1.0: the answer ends with the connection and comes in one piece.
fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A text as it stands in a query (RFC 3986 section 2.1).
fn encoded(text: &str) -> String {
    let one = |b: u8| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(one).collect()
}
