//! Real far ends, each behind a gate: what an output must be told to reach it, and what it has.

use std::path::{Path, PathBuf};
use std::process::Command;

use async_nats::jetstream;
use nix::sys::signal::Signal;

use super::gate::{Gate, Trouble};
use crate::lab::{Process, wait_until};
use crate::peers;
use crate::receiver::Receiver;
use crate::sensor::Json;

/// An event at a far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of which finding.
    pub finding: String,
    /// Its id; empty where the far end keeps none.
    pub event: String,
}

/// A far end.
pub trait FarEnd {
    /// What the output that reaches it is called; also its kind, for people.
    fn name(&self) -> &'static str;
    /// The output, as `[[output]]` of a configuration, with identities.
    fn output(&self) -> String;
    /// It gets into trouble.
    fn falls_into(&mut self, trouble: Trouble);
    /// It is well again.
    fn recovers(&mut self);
    /// What it has, in its order, copies included.
    ///
    /// # Errors
    /// When it does not answer.
    fn seen(&self) -> Result<Vec<Seen>, String>;
    /// Whether it keeps ids of events.
    fn has_ids(&self) -> bool {
        true
    }
    /// Whether it drops copies by itself.
    fn drops_copies(&self) -> bool {
        false
    }
}

/// A program of somebody else.
struct Program {
    start: Box<dyn Fn() -> Process + Send + Sync>,
    process: Process,
}

impl Program {
    fn new(start: impl Fn() -> Process + Send + Sync + 'static) -> Program {
        Program { process: start(), start: Box::new(start) }
    }

    fn falls_into(&mut self, gate: &Gate, trouble: Trouble) {
        match trouble {
            Trouble::Killed => self.kill(),
            Trouble::Stopped => self.process.signal(Signal::SIGSTOP),
            other => gate.set(other),
        }
    }

    fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.end(super::PATIENCE);
    }

    fn recovers(&mut self, gate: &Gate) {
        gate.set(Trouble::None);
        if self.process.ended().is_some() {
            self.process = (self.start)();
        } else {
            self.process.signal(Signal::SIGCONT);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.process.ended().is_none() {
            self.process.signal(Signal::SIGCONT);
            self.kill();
        }
    }
}

/// Waits until somebody listens.
///
/// # Panics
/// When nobody does in time.
pub fn listens(port: u16) {
    wait_until("it listens", super::PATIENCE, || std::net::TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|e| e.to_string()));
}

/// An HTTP receiver of ours.
pub struct Webhook {
    receiver: Receiver,
    gate: Gate,
}

impl Webhook {
    /// Starts it.
    pub fn start() -> Webhook {
        let receiver = Receiver::start();
        Webhook { gate: Gate::before(receiver.addr.port()), receiver }
    }
}

impl FarEnd for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn output(&self) -> String {
        output(self.name(), "webhook", &format!("endpoint = \"http://{}\"", self.gate.addr))
    }

    fn falls_into(&mut self, trouble: Trouble) {
        // It is a part of this program: nobody can kill or stop it alone, so nothing gets through instead.
        self.gate.set(match trouble {
            Trouble::Killed => Trouble::Broken,
            Trouble::Stopped => Trouble::Hangs,
            other => other,
        });
    }

    fn recovers(&mut self) {
        self.gate.set(Trouble::None);
    }

    fn seen(&self) -> Result<Vec<Seen>, String> {
        Ok(self.receiver.events().iter().map(seen_in_json).collect())
    }
}

fn output(name: &str, kind: &str, more: &str) -> String {
    format!("[[output]]\nname = \"{name}\"\nkind = \"{kind}\"\nidentities = true\n{more}\n")
}

fn seen_in_json(event: &Json) -> Seen {
    let text = |v: &Json| v.as_str().unwrap_or_default().to_string();
    Seen { finding: text(&event["finding"]["id"]), event: text(&event["id"]) }
}

/// Alertmanager.
pub struct Alertmanager {
    program: Program,
    gate: Gate,
    port: u16,
    resend_secs: u64,
}

impl Alertmanager {
    /// Starts it; `None`, after a word, when it is not here. It forgets when it is killed, so alerts must be sent again.
    pub fn start(dir: &Path, resend_secs: u64) -> Option<Alertmanager> {
        let port = super::port();
        let (config, storage, log) = (dir.join("am.yml"), dir.join("am"), dir.join("am.log"));
        std::fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").expect("written");
        peers::command("amtool")?;
        peers::command("prometheus-alertmanager")?;
        let program = Program::new(move || {
            let mut command = peers::command("prometheus-alertmanager").expect("it was there");
            command.arg(format!("--config.file={}", config.display())).arg(format!("--storage.path={}", storage.display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
            let process = Process::start(command, &log);
            listens(port);
            process
        });
        Some(Alertmanager { program, gate: Gate::before(port), port, resend_secs })
    }
}

impl FarEnd for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn output(&self) -> String {
        output(self.name(), "alertmanager", &format!("endpoint = \"http://{}\"\nresend_secs = {}", self.gate.addr, self.resend_secs))
    }

    fn falls_into(&mut self, trouble: Trouble) {
        self.program.falls_into(&self.gate, trouble);
    }

    fn recovers(&mut self) {
        self.program.recovers(&self.gate);
    }

    fn seen(&self) -> Result<Vec<Seen>, String> {
        let mut amtool = peers::command("amtool").ok_or("it was there")?;
        let url = format!("--alertmanager.url=http://127.0.0.1:{}", self.port);
        let done = amtool.args(["alert", "query", "-o", "json", &url]).output().map_err(|e| e.to_string())?;
        let alerts: Vec<Json> = serde_json::from_slice(&done.stdout).map_err(|e| e.to_string())?;
        let finding = |a: &Json| a["labels"]["finding"].as_str().unwrap_or_default().to_string();
        Ok(alerts.iter().map(|a| Seen { finding: finding(a), event: String::new() }).collect())
    }

    fn has_ids(&self) -> bool {
        false
    }

    fn drops_copies(&self) -> bool {
        true
    }
}

/// rsyslog, over TCP or TLS. Its queue is none: what it holds in memory when it is killed is its own to lose, and no matter here.
pub struct Rsyslog {
    program: Program,
    gate: Gate,
    tls: bool,
    dir: PathBuf,
}

impl Rsyslog {
    /// Starts it; `None`, after a word, when it is not here. With TLS, `cert.pem` and `key.pem` lie in `dir`.
    pub fn start(dir: &Path, tls: bool) -> Option<Rsyslog> {
        peers::command("rsyslogd")?;
        let (port, at) = (super::port(), dir.display().to_string());
        let input = match tls {
            false => format!("module(load=\"imptcp\")\ninput(type=\"imptcp\" address=\"127.0.0.1\" port=\"{port}\")"),
            true => format!(
                "module(load=\"imtcp\" streamdriver.name=\"gtls\" streamdriver.mode=\"1\" streamdriver.authmode=\"anon\")\n\
                 input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"
            ),
        };
        let text = format!(
            "global(workDirectory=\"{at}\" maxMessageSize=\"2m\" defaultNetstreamDriverCAFile=\"{at}/cert.pem\"\n\
             defaultNetstreamDriverCertFile=\"{at}/cert.pem\" defaultNetstreamDriverKeyFile=\"{at}/key.pem\")\nmain_queue(queue.type=\"Direct\")\n{input}\n\
             template(name=\"line\" type=\"string\" string=\"%msg%\\n\")\naction(type=\"omfile\" file=\"{at}/got.json\" template=\"line\")\n"
        );
        std::fs::write(dir.join("rsyslog.conf"), text).expect("written");
        let folder = dir.to_path_buf();
        let program = Program::new(move || {
            let mut command = peers::command("rsyslogd").expect("it was there");
            // What was killed leaves its number behind.
            let _ = std::fs::remove_file(folder.join("pid"));
            command.args(["-n", "-f"]).arg(folder.join("rsyslog.conf")).arg("-i").arg(folder.join("pid"));
            let process = Process::start(command, &folder.join("rsyslog.log"));
            listens(port);
            process
        });
        Some(Rsyslog { program, gate: Gate::before(port), tls, dir: dir.to_path_buf() })
    }
}

impl FarEnd for Rsyslog {
    fn name(&self) -> &'static str {
        if self.tls { "syslog-tls" } else { "syslog-tcp" }
    }

    fn output(&self) -> String {
        let (scheme, ca) = if self.tls { ("tls", format!("ca = {:?}", self.dir.join("cert.pem"))) } else { ("tcp", String::new()) };
        output(self.name(), "syslog", &format!("endpoint = \"{scheme}://{}\"\nformat = \"json\"\n{ca}", self.gate.addr))
    }

    fn falls_into(&mut self, trouble: Trouble) {
        self.program.falls_into(&self.gate, trouble);
    }

    fn recovers(&mut self) {
        self.program.recovers(&self.gate);
    }

    fn seen(&self) -> Result<Vec<Seen>, String> {
        let text = std::fs::read_to_string(self.dir.join("got.json")).map_err(|e| e.to_string())?;
        // What broke off in the middle of a message is not one, and came again.
        Ok(text.lines().filter_map(|l| serde_json::from_str::<Json>(l.trim_start()).ok()).map(|e| seen_in_json(&e)).collect())
    }
}

/// NATS with JetStream.
pub struct Nats {
    program: Program,
    gate: Gate,
    port: u16,
}

impl Nats {
    /// Starts it; `None`, after a word, when it is not here.
    pub fn start(dir: &Path) -> Option<Nats> {
        peers::command("nats-server")?;
        let (port, store, log) = (super::port(), dir.join("nats"), dir.join("nats.log"));
        let program = Program::new(move || {
            let mut command = peers::command("nats-server").expect("it was there");
            command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(&store);
            let process = Process::start(command, &log);
            listens(port);
            process
        });
        Some(Nats { program, gate: Gate::before(port), port })
    }
}

impl Nats {
    /// The events that its stream has, in its order.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn stored(&self) -> Result<Vec<Json>, String> {
        Ok(stored(self.port, "FINDINGS")?.into_iter().map(|m| m.event).collect())
    }
}

impl FarEnd for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn output(&self) -> String {
        output(self.name(), "nats", &format!("endpoint = \"nats://{}\"\nstream = \"FINDINGS\"", self.gate.addr))
    }

    fn falls_into(&mut self, trouble: Trouble) {
        self.program.falls_into(&self.gate, trouble);
    }

    fn recovers(&mut self) {
        self.program.recovers(&self.gate);
    }

    fn seen(&self) -> Result<Vec<Seen>, String> {
        Ok(self.stored()?.iter().map(seen_in_json).collect())
    }

    fn drops_copies(&self) -> bool {
        true
    }
}

/// What a stream keeps of an event.
pub struct Stored {
    /// `Nats-Msg-Id`.
    pub id: String,
    /// Under which subject.
    pub subject: String,
    /// The event.
    pub event: Json,
}

/// Everything in a stream of a server of this machine.
///
/// # Errors
/// When it cannot be read.
pub fn stored(port: u16, stream: &str) -> Result<Vec<Stored>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let client = async_nats::connect(format!("127.0.0.1:{port}")).await.map_err(|e| e.to_string())?;
        let stream = jetstream::new(client).get_stream(stream).await.map_err(|e| e.to_string())?;
        let state = stream.get_info().await.map_err(|e| e.to_string())?.state;
        let mut found = Vec::new();
        for seq in state.first_sequence.max(1)..=state.last_sequence {
            let message = stream.get_raw_message(seq).await.map_err(|e| e.to_string())?;
            let id = message.headers.get("Nats-Msg-Id").map(ToString::to_string).unwrap_or_default();
            let event = serde_json::from_slice(&message.payload).map_err(|e| e.to_string())?;
            found.push(Stored { id, subject: message.subject.to_string(), event });
        }
        Ok(found)
    })
}

/// A file in a folder that goes away.
pub struct File {
    dir: PathBuf,
}

impl File {
    /// In a folder of its own below `dir`.
    pub fn start(dir: &Path) -> File {
        std::fs::create_dir_all(dir.join("logs")).expect("a folder");
        File { dir: dir.to_path_buf() }
    }
}

impl FarEnd for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn output(&self) -> String {
        output(self.name(), "file", &format!("path = {:?}", self.dir.join("logs/events.json")))
    }

    fn falls_into(&mut self, trouble: Trouble) {
        if trouble != Trouble::None {
            let _ = std::fs::rename(self.dir.join("logs"), self.dir.join("away"));
        }
    }

    fn recovers(&mut self) {
        let _ = std::fs::rename(self.dir.join("away"), self.dir.join("logs"));
    }

    fn seen(&self) -> Result<Vec<Seen>, String> {
        let text = std::fs::read_to_string(self.dir.join("logs/events.json")).map_err(|e| e.to_string())?;
        text.lines().map(|l| serde_json::from_str::<Json>(l).map(|e| seen_in_json(&e)).map_err(|e| e.to_string())).collect()
    }
}

/// A certificate for 127.0.0.1, signed by itself: `cert.pem` and `key.pem`.
///
/// # Panics
/// When openssl is not here.
pub fn certificate(dir: &Path) {
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=lab"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir)
        .output()
        .expect("openssl runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
