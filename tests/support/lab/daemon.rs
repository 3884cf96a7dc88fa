//! `ringfence run` under test: its configuration, its start and end, its API.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::receiver::{Count, ticks};
use super::{Namespace, Process, wait_for, wait_until};
use crate::sensor::{Json, binary};

/// How the sensor is to run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Everything of it lies here.
    pub dir: PathBuf,
    /// Where it remembers.
    pub state: PathBuf,
    /// Interfaces that it listens on.
    pub interfaces: Vec<String>,
    /// Rings of each.
    pub rings: u16,
    /// More lines for `[capture]`.
    pub capture: String,
    /// Lines at the top, before any table.
    pub top: String,
    /// More tables.
    pub tables: String,
    /// Whether the API names devices.
    pub identities: bool,
    /// What the binary is started by; empty for nothing.
    pub wrapper: Vec<String>,
    /// The binary; `None` for the one that the tests build.
    pub binary: Option<PathBuf>,
}

impl Setup {
    /// One interface, one ring, files below `dir`.
    pub fn new(dir: &Path, interface: &str, tables: &str) -> Self {
        let (dir, state) = (dir.to_path_buf(), dir.join("state"));
        let (interfaces, tables) = (vec![interface.to_string()], tables.to_string());
        Setup {
            dir,
            state,
            interfaces,
            rings: 1,
            capture: String::new(),
            top: String::new(),
            tables,
            identities: true,
            wrapper: Vec::new(),
            binary: None,
        }
    }

    /// Writes the configuration; its path.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn write(&self) -> PathBuf {
        let path = self.dir.join("ringfence.toml");
        let mut text = format!("site = \"lab\"\n{}\n", self.top);
        let _ = writeln!(text, "[capture]\ninterfaces = {:?}\nrings = {}\n{}", self.interfaces, self.rings, self.capture);
        let _ = writeln!(text, "[http]\nlisten = \"127.0.0.1:{PORT}\"\nidentities = {}\n", self.identities);
        let _ = writeln!(text, "[state]\ndir = {:?}\nuser = \"\"\ndrain_secs = {}\n{}", self.state, DRAIN.as_secs(), self.tables);
        fs::create_dir_all(&self.state).expect("the state folder");
        fs::write(&path, text).expect("the configuration");
        path
    }
}

/// The namespace has all ports to itself.
const PORT: u16 = 9477;

/// How long it may take to end.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How long it may take to be ready.
const START: Duration = Duration::from_secs(10);

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that is kept.
#[derive(Debug)]
pub struct Client {
    /// The connection itself, for those who misuse it.
    pub stream: TcpStream,
}

impl Client {
    /// A request; status and body.
    ///
    /// # Errors
    /// When the answer does not come or is none.
    pub fn ask(&mut self, method: &str, path: &str) -> io::Result<(u16, String)> {
        write!(self.stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<(u16, String)> {
        let mut answer = Vec::new();
        let (head, rest) = loop {
            let mut part = [0; 16_384];
            let len = self.stream.read(&mut part)?;
            answer.extend_from_slice(&part[..len]);
            if let Some(at) = answer.windows(4).position(|w| w == b"\r\n\r\n") {
                break (String::from_utf8_lossy(&answer[..at]).to_lowercase(), answer.split_off(at + 4));
            }
            if len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| io::Error::other("no status"))?;
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let mut body = rest;
        let begun = body.len();
        body.resize(length.ok_or_else(|| io::Error::other("no content-length"))?.max(begun), 0);
        self.stream.read_exact(&mut body[begun..])?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// A running sensor.
#[derive(Debug)]
pub struct Daemon {
    /// The process.
    pub process: Process,
    namespace: Namespace,
}

impl Daemon {
    /// Starts it inside a namespace and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends or is not ready within ten seconds.
    pub fn start(namespace: &Namespace, setup: &Setup) -> Self {
        let config = setup.write();
        let socket = setup.dir.join("notify");
        let _ = fs::remove_file(&socket);
        let notified = UnixDatagram::bind(&socket).expect("a socket");
        notified.set_nonblocking(true).expect("it can be asked");
        let program = setup.binary.as_deref().unwrap_or_else(|| binary()).to_string_lossy().into_owned();
        let words: Vec<String> = setup.wrapper.iter().cloned().chain([program]).collect();
        let mut command = namespace.command(&words[0]);
        command.args(&words[1..]).arg("run").arg("-c").arg(config).env("NOTIFY_SOCKET", &socket).env("RUST_BACKTRACE", "1");
        let mut daemon = Daemon { process: Process::start(command, &setup.dir.join("ringfence.log")), namespace: namespace.clone() };
        wait_for("the sensor is ready", START, || {
            assert!(daemon.process.ended().is_none(), "the sensor ended: {}", daemon.process.words());
            let mut message = [0; 512];
            let len = notified.recv(&mut message).ok()?;
            String::from_utf8_lossy(&message[..len]).lines().any(|l| l == "READY=1").then_some(())
        });
        let ready = || daemon.ask("GET", "/readyz").is_ok_and(|(status, _)| status == 200).then_some(());
        wait_for("an interface is captured", START, ready);
        daemon
    }

    /// A connection to its API.
    ///
    /// # Errors
    /// When it does not accept.
    pub fn connect(&self) -> io::Result<Client> {
        let stream = self.namespace.run(|| TcpStream::connect_timeout(&([127, 0, 0, 1], PORT).into(), PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream })
    }

    /// A request; status and body.
    ///
    /// # Errors
    /// When the answer does not come or is none.
    pub fn ask(&self, method: &str, path: &str) -> io::Result<(u16, String)> {
        self.connect()?.ask(method, path)
    }

    /// A request of an operator, with a body; status and body of the answer.
    ///
    /// # Errors
    /// When the answer does not come or is none.
    pub fn ask_as(&self, token: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        let mut client = self.connect()?;
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        write!(client.stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        client.answer()
    }

    /// The body of a good answer.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, path: &str) -> String {
        let (status, body) = self.ask("GET", path).unwrap_or_else(|e| panic!("GET {path}: {e}: {}", self.process.words()));
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// The same, parsed.
    ///
    /// # Panics
    /// When there is none, or no JSON.
    pub fn json(&self, path: &str) -> Json {
        let body = self.get(path);
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("GET {path}: {e}: {body}"))
    }

    /// Every finding, page by page.
    ///
    /// # Panics
    /// When a page does not come.
    pub fn findings(&self) -> Vec<Json> {
        let (mut found, mut path) = (Vec::new(), "/api/v1/findings".to_string());
        // No lab has a thousand pages.
        for _ in 0..1_000 {
            let page = self.json(&path);
            found.extend(page["findings"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/findings?cursor={next}");
        }
        found
    }

    /// What `/api/v1/coverage` says of an interface's first ring.
    ///
    /// # Panics
    /// When it says nothing.
    pub fn ring(&self, interface: &str) -> Json {
        let coverage = self.json("/api/v1/coverage");
        let rings = coverage["rings"].as_array().cloned().unwrap_or_default();
        rings.into_iter().find(|r| r["interface"] == interface).unwrap_or_else(|| panic!("nothing about {interface}: {coverage}"))
    }

    /// The kinds of alarms that hold.
    ///
    /// # Panics
    /// When the API does not say.
    pub fn alarms(&self) -> Vec<String> {
        let answer = self.json("/api/v1/alarms");
        let alarms = answer["alarms"].as_array().cloned().unwrap_or_default();
        alarms.iter().filter_map(|a| a["kind"].as_str().map(str::to_string)).collect()
    }

    /// The sum of a metric over the series that have all these labels, each written `name="value"`.
    ///
    /// # Panics
    /// When the metrics do not come.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        sum(&self.get("/metrics"), name, labels)
    }

    /// Waits until so many frames were taken since the start.
    ///
    /// # Panics
    /// When they are not within ten seconds.
    pub fn has_taken(&self, frames: u64) {
        let what = format!("{frames} frames are taken");
        wait_until(&what, Duration::from_secs(10), || {
            let taken = self.count().frames;
            (taken >= frames).then_some(()).ok_or(taken)
        });
    }

    /// Resident memory, KiB.
    ///
    /// # Panics
    /// When it has ended.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// What it has taken, lost and used so far.
    ///
    /// # Panics
    /// When it has ended.
    pub fn count(&self) -> Count {
        let metrics = self.get("/metrics");
        let total = |name| sum(&metrics, name, &[]) as u64;
        let ticks = ticks(&format!("/proc/{}/stat", self.process.id())).expect("it runs");
        Count { frames: total("ringfence_frames_total"), lost: total("ringfence_frames_lost_total"), ticks }
    }

    /// Ends it as the service manager does, and waits.
    ///
    /// # Panics
    /// When it takes longer than it may, or fails.
    pub fn stop(mut self) -> String {
        self.process.signal(Signal::SIGTERM);
        let status = self.process.end(DRAIN + Duration::from_secs(2));
        assert!(status.success(), "{status}: {}", self.process.words());
        self.process.words()
    }
}

/// The sum of a metric over the series that have all these labels.
pub fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let of = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let (series, value) = rest.rsplit_once(' ')?;
        let ours = series.is_empty() || series.starts_with('{');
        (ours && labels.iter().all(|l| series.contains(l))).then(|| value.parse::<f64>().ok())?
    };
    metrics.lines().filter(|l| !l.starts_with('#')).filter_map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn series_are_added_by_name_and_label() {
        let text = "# HELP a x 9\na{i=\"x\",r=\"0\"} 3\na{i=\"x\",r=\"1\"} 4\na{i=\"y\"} 5\na_total 100\nb 7\n";
        assert_eq!(sum(text, "a", &[]), 12.0);
        assert_eq!(sum(text, "a", &["i=\"x\""]), 7.0);
        assert_eq!(sum(text, "a", &["i=\"x\"", "r=\"1\""]), 4.0);
        assert_eq!(sum(text, "b", &[]), 7.0);
        assert_eq!(sum(text, "c", &[]), 0.0);
    }
}
