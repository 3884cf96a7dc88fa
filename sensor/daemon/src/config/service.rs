//! What only the running daemon needs: `[capture]`, `[http]` with `[operators]`, `[state]`, `[findings]`, `[alarms]`,
//! `[privacy]`, `[retention]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_core::diagnostic::Section;
use ringfence_core::ledger::Escalation;

use super::operators::{self, Operator};
use super::outputs::Output;
use super::place::Place;
use super::privacy::{self, Privacy, Retention};

/// How the running daemon works.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Interfaces and rings.
    pub capture: Capture,
    /// Metrics and API.
    pub http: Http,
    /// Where it remembers, and as whom it runs.
    pub state: State,
    /// The life of findings.
    pub findings: Findings,
    /// When blindness is an alarm.
    pub alarms: Alarms,
    /// Who may learn what.
    pub privacy: Privacy,
    /// How long it is kept.
    pub retention: Retention,
    /// Where events go.
    pub outputs: Vec<Output>,
}

impl Service {
    /// Outputs that may run: none where only groups may be told, for they tell of single findings, those from before the mode included.
    pub fn outputs_with(&self, aggregate_only: bool) -> &[Output] {
        if aggregate_only { &[] } else { &self.outputs }
    }
}

/// `[capture]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Names of interfaces; `any` for all.
    pub interfaces: Vec<String>,
    /// Ring threads for each interface.
    pub rings: u16,
    /// Kernel buffer of each ring, bytes.
    pub buffer_bytes: usize,
    /// Bytes kept of a frame.
    pub snaplen_bytes: u32,
    /// See frames that are not for this host.
    pub promiscuous: bool,
    /// `all`, `handshakes`, or a pcap filter.
    pub filter: String,
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Where it listens; `None` when it is switched off.
    pub listen: Option<SocketAddr>,
    /// A file with the token that clients must show; required beyond loopback.
    pub token_file: Option<PathBuf>,
    /// Certificate chain, PEM; required beyond loopback.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Plain addresses and names in the API instead of pseudonyms.
    pub identities: bool,
    /// Who may do more than read.
    pub operators: Vec<Operator>,
}

/// `[state]`.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Findings, audit log and site key.
    pub dir: PathBuf,
    /// The user that it becomes when it was started as root; empty to stay.
    pub user: String,
    /// Landlock and seccomp.
    pub sandbox: bool,
    /// How long it may take to end.
    pub drain: Duration,
}

/// `[findings]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Signs combine over so long.
    pub window: Duration,
    /// A finding without signs for so long is resolved.
    pub quiet: Duration,
    /// When a finding becomes urgent.
    pub escalation: Escalation,
}

/// `[alarms]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarms {
    /// An interface that had traffic is silent for so long.
    pub silence: Duration,
    /// Share of frames lost above which it is an alarm, in [0, 1].
    pub loss: f64,
    /// Share of flows seen in one direction only above which it is an alarm, in [0, 1].
    pub one_way: f64,
}

impl Default for Capture {
    fn default() -> Self {
        let (interfaces, filter) = (Vec::new(), "all".to_string());
        Capture { interfaces, rings: 1, buffer_bytes: 64 << 20, snaplen_bytes: 262_144, promiscuous: true, filter }
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 9477)));
        Http { listen, token_file: None, tls_certificate: None, tls_key: None, identities: false, operators: Vec::new() }
    }
}

impl Default for State {
    fn default() -> Self {
        State { dir: "/var/lib/ringfence".into(), user: "ringfence".into(), sandbox: true, drain: Duration::from_secs(10) }
    }
}

impl Default for Findings {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Findings { window: day, quiet: day, escalation: Escalation { unattended: day, reopened: 3 } }
    }
}

impl Default for Alarms {
    fn default() -> Self {
        Alarms { silence: Duration::from_secs(60), loss: 0.01, one_way: 0.5 }
    }
}

/// Reads the tables of the daemon. Paths are relative to `dir`, the folder of the file.
pub(super) fn read(root: &Section<'_>, dir: &Path) -> Service {
    Service {
        capture: capture(root),
        http: http(root, dir),
        state: state(root, dir),
        findings: findings(root),
        alarms: alarms(root),
        privacy: privacy::privacy(root),
        retention: privacy::retention(root),
        // They name segments, so they are read with these.
        outputs: Vec::new(),
    }
}

fn capture(root: &Section<'_>) -> Capture {
    let mut capture = Capture::default();
    let Some(section) = root.section("capture") else { return capture };
    let names = section.texts("interfaces").unwrap_or_default();
    capture.interfaces = names.iter().filter(|i| is_interface(&section, i)).map(|i| i.value.to_string()).collect();
    within(&section, "rings", 1, 64, "threads", |n| capture.rings = n as u16);
    within(&section, "buffer_mib", 1, 4_096, "MiB", |n| capture.buffer_bytes = (n as usize) << 20);
    within(&section, "snaplen_bytes", 256, 262_144, "bytes", |n| capture.snaplen_bytes = n as u32);
    capture.promiscuous = section.flag("promiscuous").map_or(capture.promiscuous, |f| f.value);
    if let Some(filter) = section.text("filter") {
        capture.filter = filter.value.to_string();
    }
    section.finish();
    capture
}

/// The kernel's rule: 1 to 15 bytes, no slash, no blank (IFNAMSIZ, `dev_valid_name`).
fn is_interface(section: &Section<'_>, item: &ringfence_core::diagnostic::Item<'_, &str>) -> bool {
    let name = item.value;
    let good =
        (1..=15).contains(&name.len()) && !name.contains(['/', ':']) && !name.contains(char::is_whitespace) && name != "." && name != "..";
    if !good {
        Place::of(section.document(), item).error(
            format!("`{}` cannot be an interface", name.escape_debug()),
            "1 to 15 characters without `/`, `:` and blanks; `ip -br link` lists them",
        );
    }
    good
}

fn http(root: &Section<'_>, dir: &Path) -> Http {
    let mut http = Http { operators: operators::read(root, dir), ..Http::default() };
    let Some(section) = root.section("http") else { return http };
    let listen = section.text("listen");
    if let Some(item) = &listen {
        match (item.value, item.value.parse::<SocketAddr>()) {
            ("off", _) => http.listen = None,
            (_, Ok(addr)) => http.listen = Some(addr),
            (text, Err(_)) => Place::of(section.document(), item)
                .error(format!("`{}` is no address with a port", text.escape_debug()), "such as 127.0.0.1:9477 or [::1]:9477, or `off`"),
        }
    }
    let path = |key: &str| section.text(key).map(|item| dir.join(item.value));
    (http.token_file, http.tls_certificate, http.tls_key) = (path("token_file"), path("tls_certificate"), path("tls_key"));
    http.identities = section.flag("identities").is_some_and(|f| f.value);
    if let (Some(item), Some(addr)) = (&listen, http.listen) {
        let place = Place::of(section.document(), item);
        let guarded = http.token_file.is_some() && http.tls_certificate.is_some() && http.tls_key.is_some();
        if !addr.ip().is_loopback() && !guarded {
            place.error(
                format!("{addr} can be reached from outside"),
                "set token_file, tls_certificate and tls_key beside it, or listen on 127.0.0.1",
            );
        }
    }
    if http.tls_certificate.is_some() != http.tls_key.is_some() {
        Place::of(section.document(), &section.here()).error("tls_certificate and tls_key belong together", "give both, or none");
    }
    section.finish();
    http
}

fn state(root: &Section<'_>, dir: &Path) -> State {
    let mut state = State::default();
    let Some(section) = root.section("state") else { return state };
    if let Some(item) = section.text("dir") {
        state.dir = dir.join(item.value);
    }
    if let Some(item) = section.text("user") {
        state.user = item.value.to_string();
    }
    state.sandbox = section.flag("sandbox").map_or(state.sandbox, |f| f.value);
    within(&section, "drain_secs", 1, 600, "seconds", |n| state.drain = Duration::from_secs(n));
    section.finish();
    state
}

fn findings(root: &Section<'_>) -> Findings {
    let mut findings = Findings::default();
    let Some(section) = root.section("findings") else { return findings };
    within(&section, "window_hours", 1, 168, "hours", |n| findings.window = Duration::from_secs(n * 3_600));
    within(&section, "quiet_hours", 1, 8_760, "hours", |n| findings.quiet = Duration::from_secs(n * 3_600));
    within(&section, "escalate_hours", 0, 8_760, "hours, 0 for never", |n| findings.escalation.unattended = Duration::from_secs(n * 3_600));
    within(&section, "escalate_reopened", 0, 1_000, "times, 0 for never", |n| findings.escalation.reopened = n as u32);
    section.finish();
    findings
}

fn alarms(root: &Section<'_>) -> Alarms {
    let mut alarms = Alarms::default();
    let Some(section) = root.section("alarms") else { return alarms };
    within(&section, "silence_secs", 1, 86_400, "seconds", |n| alarms.silence = Duration::from_secs(n));
    share(&section, "loss", &mut alarms.loss);
    share(&section, "one_way", &mut alarms.one_way);
    section.finish();
    alarms
}

pub(super) fn within(section: &Section<'_>, key: &str, min: u64, max: u64, unit: &str, take: impl FnOnce(u64)) {
    let Some(item) = section.number(key) else { return };
    if (min..=max).contains(&item.value) {
        take(item.value);
    } else {
        Place::of(section.document(), &item).error(format!("{} is out of range", item.value), format!("{min} to {max} {unit}"));
    }
}

fn share(section: &Section<'_>, key: &str, into: &mut f64) {
    let Some(item) = section.float(key) else { return };
    if item.value > 0.0 && item.value <= 1.0 {
        *into = item.value;
    } else {
        Place::of(section.document(), &item).error(format!("{} is no share", item.value), "above 0 and at most 1: 0.01 is one percent");
    }
}
