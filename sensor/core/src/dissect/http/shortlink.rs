//! The MMTLS short link: a request that looks like it, held back until its body shows whether it is one or a disguise.

use super::Request;
use super::head::{Head, Target};
use crate::dissect::mmtls::hello::{self, client_hello};
use crate::dissect::mmtls::record::{HEADER_BYTES, Header, Look, RecordType, look};
use crate::dissect::mmtls::{Client, Mmtls};
use crate::record::{Role, Sink};
use crate::time::Timestamp;

const PATH: &[u8] = b"/mmtls/";
const PATH_DIGITS: usize = 8;
const UPGRADE: &[u8] = b"mmtls";
const USER_AGENT: &[u8] = b"MicroMessenger Client";

/// Body bytes that are walked before a body that was right so far is believed.
const WALK_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a header's value that are kept while a request is held back.
const KEPT_BYTES_MAX: usize = 512;

/// The account's session start: one data record of 5,464 bytes where it was measured (Citizen Lab, 2023); taken as a class
/// of 64 bytes around it, because what is inside varies with the device's name and version.
const SESSION_START: std::ops::RangeInclusive<u16> = 5_400..=5_528;

/// Which of the short link's looks a request head has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    path: bool,
    upgrade: bool,
    user_agent: bool,
}

impl Looks {
    /// Looks at a request head.
    pub(super) fn of(head: &Head<'_>, target: &Target<'_>) -> Self {
        Looks {
            path: target.path.strip_prefix(PATH).is_some_and(is_number),
            upgrade: head.upgrade.is_some_and(|u| u.eq_ignore_ascii_case(UPGRADE)),
            user_agent: head.user_agent == Some(USER_AGENT),
        }
    }

    /// Whether the body has to be seen first. The user agent alone is the default of an open-source library.
    pub(super) fn hold(self) -> bool {
        self.path || self.upgrade
    }

    /// Whether, without the body, it is somebody else in these clothes.
    fn disguise(self) -> bool {
        [self.path, self.upgrade, self.user_agent].into_iter().filter(|look| *look).count() >= 2
    }
}

fn is_number(digits: &[u8]) -> bool {
    digits.len() == PATH_DIGITS && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a body turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A hello and records behind it.
    Mmtls,
    /// Something else.
    Other,
    /// Cut off before it could be told.
    Unknown,
}

/// What was concluded from a request that was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A request like others, or a short link.
    Request,
    /// A disguise: nothing else in this flow counts.
    Disguise,
}

/// A request that waits for its body.
#[derive(Debug)]
pub(super) struct Held {
    looks: Looks,
    method: Vec<u8>,
    authority: Option<Vec<u8>>,
    host: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    path: Vec<u8>,
    walk: Walk,
}

impl Held {
    /// Keeps what will be said about it.
    pub(super) fn new(looks: Looks, request: &Request<'_>) -> Self {
        let keep = |bytes: &[u8]| bytes.get(..KEPT_BYTES_MAX).unwrap_or(bytes).to_vec();
        Held {
            looks,
            method: keep(request.method),
            authority: request.authority.map(keep),
            host: request.host.map(keep),
            user_agent: request.user_agent.map(keep),
            path: keep(request.path),
            walk: Walk::default(),
        }
    }

    /// Takes body bytes; false once no more are needed.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        self.walk.push(bytes);
        !self.walk.broken && self.walk.walked < WALK_BYTES_MAX
    }

    /// Says what it was. `complete`: the body has ended, or enough of it was seen.
    pub(super) fn conclude(&self, complete: bool, ts: Timestamp, sink: &mut dyn Sink) -> Verdict {
        let body = self.walk.verdict(complete);
        if body == Body::Other && self.looks.disguise() {
            sink.emit(&super::Disguise);
            return Verdict::Disguise;
        }
        sink.emit(&Request {
            method: &self.method,
            authority: self.authority.as_deref(),
            host: self.host.as_deref(),
            user_agent: self.user_agent.as_deref(),
            path: &self.path,
            newgetdns: false,
        });
        if body == Body::Mmtls {
            self.walk.emit(ts, sink);
        }
        Verdict::Request
    }
}

/// Walks the records of a body, in pieces of any size.
#[derive(Debug, Default)]
struct Walk {
    /// The first record as far as it is there.
    hello: Vec<u8>,
    first: Option<Header>,
    valid: bool,
    broken: bool,
    /// Body bytes of the current record that are still to come.
    skip: usize,
    /// A later header as far as it is there.
    header: Vec<u8>,
    walked: usize,
    session_start: bool,
}

impl Walk {
    fn push(&mut self, mut bytes: &[u8]) {
        self.walked = self.walked.saturating_add(bytes.len());
        while !bytes.is_empty() && !self.broken {
            bytes = if self.valid { self.behind(bytes) } else { self.opening(bytes) };
        }
    }

    /// Collects and checks the hello; what is left of `bytes`.
    fn opening<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let want = self.first.map_or(HEADER_BYTES, Header::total);
        let (taken, rest) = bytes.split_at_checked(want.saturating_sub(self.hello.len())).unwrap_or((bytes, &[]));
        self.hello.extend_from_slice(taken);
        match (self.first, look(&self.hello)) {
            (None, Look::Header(header)) if may_open(header) => self.first = Some(header),
            (Some(header), _) if self.hello.len() >= header.total() => {
                self.valid = self.client().is_some();
                self.broken = !self.valid;
            }
            (None, Look::Short) | (Some(_), _) => {}
            _ => self.broken = true,
        }
        rest
    }

    /// Passes over the records behind the hello; what is left of `bytes`.
    fn behind<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.skip > 0 {
            let (taken, rest) = bytes.split_at_checked(self.skip).unwrap_or((bytes, &[]));
            self.skip = self.skip.saturating_sub(taken.len());
            return rest;
        }
        let (taken, rest) = bytes.split_at_checked(HEADER_BYTES.saturating_sub(self.header.len())).unwrap_or((bytes, &[]));
        self.header.extend_from_slice(taken);
        match look(&self.header) {
            Look::Short => {}
            Look::Header(header) if self.first.is_some_and(|f| f.version == header.version) => {
                self.skip = usize::from(header.body);
                self.session_start |= header.kind == RecordType::Data && SESSION_START.contains(&header.body);
                self.header.clear();
            }
            Look::Header(_) | Look::Bad => self.broken = true,
        }
        rest
    }

    fn client(&self) -> Option<hello::ClientHello<'_>> {
        client_hello(self.first?.version, self.hello.get(HEADER_BYTES..)?)
    }

    fn verdict(&self, complete: bool) -> Body {
        let whole = self.skip == 0 && self.header.is_empty();
        if self.broken || (complete && !(self.valid && (whole || self.walked >= WALK_BYTES_MAX))) {
            Body::Other
        } else if self.valid {
            Body::Mmtls
        } else {
            Body::Unknown
        }
    }

    fn emit(&self, ts: Timestamp, sink: &mut dyn Sink) {
        let (Some(first), Some(hello)) = (self.first, self.client()) else { return };
        sink.emit(&Mmtls {
            sender: Some(Role::Client),
            shortlink: true,
            client: Some(Client::new(hello, ts)),
            session_start: self.session_start,
            ..Mmtls::new("short", first.version)
        });
    }
}

fn may_open(header: Header) -> bool {
    matches!(header.kind, RecordType::Handshake | RecordType::Early) && hello::is_client_length(header.body)
}
