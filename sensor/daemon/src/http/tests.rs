//! The server from outside: over real sockets on loopback.

mod answers;
mod deeds;
mod guard;
mod hostile;
mod privacy;
mod reload;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringfence_core::correlate::DeviceStory;
use ringfence_core::finding::DeviceFacts;
use ringfence_core::identity::Link;
use ringfence_core::ledger::{Acknowledgement, Tracked};

use super::fixture::{IDENTITIES, filled, stories, tracked, waivers};
use super::routes::Route;
use super::{Context, Control, Handle, ReloadReport, Server};
use crate::config;
use crate::control::{Asked, Erasure, Refusal, Resolution, Right};
use crate::metrics::Metrics;
use crate::pseudonym::Pseudonyms;
use crate::state::{State, Status};
use crate::waivers::Request;
use crate::waivers::WaiverView;

/// Nothing in these tests takes longer, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

const TOKEN_OF_JANA: &str = "token-of-jana-here";

/// Bodies of deeds where an empty object is none.
const BODIES: &[(&str, &str)] = &[
    ("/api/v1/findings/{id}/acknowledge", r#"{"note": "on it"}"#),
    (
        "/api/v1/waivers",
        r#"{"id": "W-2", "holders": ["x"], "apps": ["wechat"], "segments": ["lab"], "approver": "a", "reason": "r", "end": "2026-12-31"}"#,
    ),
    ("/api/v1/waivers/{id}/renew", r#"{"id": "W-2", "approver": "a", "reason": "r", "end": "2026-12-31"}"#),
    ("/api/v1/waivers/{id}/revoke", r#"{"reason": "over"}"#),
    ("/api/v1/links", r#"{"kind": "split", "a": "mac:00:00:5e:00:53:90", "b": "mac:00:00:5e:00:53:91", "reason": "r"}"#),
    ("/api/v1/devices/{id}/erase", r#"{"reason": "asked for"}"#),
    ("/api/v1/resolve", r#"{"pseudonym": "dev-0123456789ab", "reason": "test"}"#),
];

/// A running server.
pub struct Running {
    pub addr: SocketAddr,
    pub state: Arc<State>,
    stop: Arc<AtomicBool>,
    pub handle: Mutex<Option<Handle>>,
}

impl Running {
    pub fn start(config: &config::Http, control: Arc<dyn Control>) -> Running {
        Running::grouped(config, control, None)
    }

    /// The same, telling only of groups.
    pub fn grouped(config: &config::Http, control: Arc<dyn Control>, group_min: Option<u64>) -> Running {
        let server = Server::bind(config).expect("bound");
        let (addr, state, stop) = (server.local_addr(), Arc::new(filled()), Arc::<AtomicBool>::default());
        let pseudonyms = if config.identities { Pseudonyms::plain() } else { Pseudonyms::keyed([7; 32]) };
        let metrics = Metrics::new(pseudonyms.clone(), group_min);
        let context = Context { state: Arc::clone(&state), pseudonyms, control, metrics, group_min };
        let handle = server.spawn(context, Arc::clone(&stop));
        Running { addr, state, stop, handle: Mutex::new(Some(handle)) }
    }

    /// On any free port, without token.
    pub fn plain() -> Running {
        Running::start(&loopback(), Arc::new(Obedient(Ok(ReloadReport::default()))))
    }

    /// The same, with an operator who may do everything.
    pub fn operated(identities: bool, control: Arc<dyn Control>) -> Running {
        let dir = tempfile::tempdir().expect("temporary folder");
        let token_file = dir.path().join("jana");
        std::fs::write(&token_file, TOKEN_OF_JANA).expect("written");
        let may = Right::WORDS.iter().map(|(_, right)| *right).collect();
        let operators = vec![config::Operator { name: "jana".into(), token_file, may }];
        Running::start(&config::Http { operators, identities, ..loopback() }, control)
    }

    /// What a route answers an operator, with a body that fits.
    pub fn route(&self, route: &Route, path: &str) -> Reply {
        let body = BODIES.iter().find(|(path, _)| *path == route.path).map_or("{}", |(_, body)| *body);
        let body = if route.takes.is_some() { body } else { "" };
        let length = body.len();
        let token = if route.right.is_some() { format!("Authorization: Bearer {TOKEN_OF_JANA}\r\n") } else { String::new() };
        self.ask(&format!(
            "{} {path} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            route.method
        ))
    }

    pub fn get(&self, target: &str) -> Reply {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.addr))
    }

    /// The JSON of a GET that is answered with 200.
    pub fn json(&self, target: &str) -> serde_json::Value {
        let reply = self.get(target);
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        serde_json::from_str(&reply.body).expect("JSON")
    }

    pub fn ask(&self, request: &str) -> Reply {
        let mut socket = self.connect();
        socket.write_all(request.as_bytes()).expect("sent");
        Reply::read(&mut socket)
    }

    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect_timeout(&self.addr, PATIENCE).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket
    }

    /// Stops; whether it ended in time.
    pub fn stop(&mut self, timeout: Duration) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.get_mut().expect("no panic").take().is_none_or(|h| h.join(timeout))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn read(socket: &mut impl Read) -> Reply {
        let mut bytes = Vec::new();
        // A reset after the answer is no concern here.
        let _ = socket.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Reply { status, head: head.to_lowercase(), body: body.to_string() }
    }

    pub fn problem(&self) -> serde_json::Value {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        let problem: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        assert_eq!(problem["status"], self.status);
        assert!(!problem["remedy"].as_str().expect("a remedy").is_empty());
        problem
    }
}

/// A daemon that reports as told, and takes deeds.
pub struct Obedient(pub Result<ReloadReport, String>);

impl Control for Obedient {
    fn reload(&self, _by: &str) -> Result<ReloadReport, String> {
        self.0.clone()
    }

    fn dry_run(&self) -> Result<ReloadReport, String> {
        self.0.clone()
    }

    fn waiver(&self, id: &str) -> Result<WaiverView, Refusal> {
        waivers().into_iter().find(|view| view.held.waiver.id == id).ok_or(Refusal::Unknown)
    }

    fn add_waiver(&self, _by: &str, request: Request) -> Result<WaiverView, Refusal> {
        if request.end.is_empty() { Err(Refusal::Invalid(vec!["end: is missing".into()])) } else { self.waiver("W-1") }
    }

    fn renew_waiver(&self, _by: &str, id: &str, _request: Request) -> Result<WaiverView, Refusal> {
        self.waiver(id)
    }

    fn approve_waiver(&self, _by: &str, id: &str) -> Result<WaiverView, Refusal> {
        self.waiver(id)
    }

    fn revoke_waiver(&self, _by: &str, id: &str, _reason: &str) -> Result<WaiverView, Refusal> {
        self.waiver(id)
    }

    fn device(&self, key: &str, _asked: Option<Asked>) -> Result<DeviceStory, Refusal> {
        stories().into_iter().find(|story| story.device.key == key).ok_or(Refusal::Unknown)
    }

    fn link(&self, link: Link, _told: String) -> Result<Link, Refusal> {
        if link.a == link.b { Err(Refusal::Invalid(vec!["it takes two devices".into()])) } else { Ok(link) }
    }

    fn acknowledge(&self, by: &str, finding: &str, note: &str) -> Result<Arc<Tracked>, Refusal> {
        if note == "late" {
            return Err(Refusal::Conflict("the finding is resolved".into(), "nothing to do".into()));
        }
        let known = filled().finding(finding).ok_or(Refusal::Unknown)?;
        let acknowledged = Acknowledgement { at: known.opened, by: by.into(), note: note.into() };
        Ok(Arc::new(Tracked { acknowledged: Some(acknowledged), ..(*known).clone() }))
    }

    fn resolve(&self, _by: &str, pseudonym: &str, reason: &str) -> Result<Resolution, Refusal> {
        match reason {
            "wait" => Ok(Resolution::Pending { id: "0123456789abcdef".into(), until: tracked(0).opened }),
            "often" => Err(Refusal::Limited("ten times".into(), "later".into())),
            _ => Ok(Resolution::Named(Box::new(DeviceFacts { id: pseudonym.into(), ..tracked(0).finding.device }))),
        }
    }

    fn erase(&self, _by: &str, _device: &str, _reason: &str) -> Result<Erasure, Refusal> {
        Ok(Erasure { rows: 3, clean: true })
    }

    fn confirm_resolve(&self, by: &str, _id: &str) -> Result<Resolution, Refusal> {
        self.resolve(by, "dev-0123456789ab", "")
    }
}

pub fn loopback() -> config::Http {
    config::Http { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..config::Http::default() }
}
