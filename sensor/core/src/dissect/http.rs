//! HTTP/1 on any port, and over UDP as SSDP: who is asked for what, by which client; and what the WeChat app carries in it.
//!
//! Requests are read one after the other for the life of a connection; bodies are skipped but for those of the app.

mod body;
mod exchange;
mod head;
mod shortlink;
#[cfg(test)]
mod tests;

use crate::dissect::{Carrier, DissectorDef, Input, Probe, legacy, newgetdns};
use crate::field::{Family, Field, FieldKind, Value};
use crate::record::{Detail, Record, Role};

use head::{METHOD_BYTES_MAX, VERSION, is_method, is_method_byte};

/// `http.host`: the name of the server.
pub static HOST: Field = Field {
    name: "http.host",
    key: "host",
    kind: FieldKind::Name,
    family: Some(Family::Http),
    signal: Some("http-host"),
    personal: false,
    meaning: "Server that a clear request is for, without port: of an absolute target, else of the Host header.",
    source: "RFC 9110 section 7.2, RFC 9112 section 3.2",
};

/// `http.authority`: the same as sent.
pub static AUTHORITY: Field = Field {
    name: "http.authority",
    key: "name",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "The Host header as sent, with its port; the target's authority where there is no such header.",
    source: "RFC 9110 section 7.2",
};

/// `http.user_agent`: the client program.
pub static USER_AGENT: Field = Field {
    name: "http.user_agent",
    key: "user_agent",
    kind: FieldKind::Text,
    family: Some(Family::Http),
    signal: Some("http-user-agent"),
    personal: false,
    meaning: "User-Agent header of a clear request.",
    source: "RFC 9110 section 10.1.5",
};

/// `http.method`: what is asked for.
pub static METHOD: Field = Field {
    name: "http.method",
    key: "method",
    kind: FieldKind::Text,
    family: None,
    signal: None,
    personal: false,
    meaning: "Method of a clear request.",
    source: "RFC 9110 section 9",
};

/// `http.path`: matched against prefixes that rules name; personal, because a path says what a person reads.
pub static PATH: Field = Field {
    name: "http.path",
    key: "path",
    kind: FieldKind::Text,
    family: Some(Family::Http),
    signal: Some("http-path"),
    personal: true,
    meaning: "Path of a clear request without its query: only matched, never shown.",
    source: "RFC 9112 section 3.2",
};

/// `http.disguise`: WeChat's looks around something else.
pub static DISGUISE: Field = Field {
    name: "http.disguise",
    key: "disguise",
    kind: FieldKind::Token(&["wechat"]),
    family: Some(Family::Http),
    signal: Some("disguise"),
    personal: false,
    meaning: "The headers of WeChat's short link around a body that is not MMTLS: a tunnel; nothing else of the flow is said.",
    source: "obfuscating proxies copy these headers; Citizen Lab, MMTLS captures (2023)",
};

/// HTTP's line in the table of dissectors.
pub static HTTP: DissectorDef = DissectorDef {
    name: "http",
    about: "HTTP/1 on any port: requests, and what the WeChat app carries in them in the clear.",
    carriers: &[Carrier::Tcp, Carrier::Udp],
    fields: &[&HOST, &AUTHORITY, &USER_AGENT, &METHOD, &PATH, &DISGUISE, &newgetdns::NEWGETDNS, &legacy::SHORTLINK, &legacy::CGI],
    opens: &[b'A'..=b'Z', b'-'..=b'-', b'_'..=b'_'],
    ports: &[],
    probe,
    start: exchange::start,
};

/// Methods after which the first byte of the target decides, so that a request line may come in pieces of any size.
const METHODS: [&[u8]; 22] = [
    b"GET",
    b"POST",
    b"PUT",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"SEARCH",
    b"REPORT",
    b"NOTIFY",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"M-SEARCH",
];

/// The longest first line with a method that is not in [`METHODS`] for which other dissectors wait, in bytes.
const STRANGE_LINE_BYTES_MAX: usize = 512;

fn probe(input: &Input<'_>) -> Probe {
    let bytes = input.bytes;
    if input.carrier == Carrier::Udp {
        return if head::begins(bytes) { Probe::Match } else { Probe::No };
    }
    if bytes.get(..VERSION.len().min(bytes.len())) == VERSION.get(..bytes.len().min(VERSION.len())) {
        return if bytes.len() >= VERSION.len() { Probe::Match } else { Probe::More };
    }
    let letters = bytes.iter().take_while(|b| is_method_byte(**b)).count();
    let Some((method, rest)) = bytes.split_at_checked(letters).filter(|_| letters <= METHOD_BYTES_MAX) else { return Probe::No };
    match rest {
        [] => Probe::More,
        [b' '] if METHODS.contains(&method) => Probe::More,
        [b' ', target, ..] if METHODS.contains(&method) => known(method, *target),
        [b' ', ..] if is_method(method) => strange(bytes),
        _ => Probe::No,
    }
}

/// RTSP, SIP and ICAP have methods of the same names, but an absolute target that does not begin with `h`.
fn known(method: &[u8], target: u8) -> Probe {
    let fits = match method {
        b"CONNECT" => target.is_ascii_alphanumeric() || target == b'[',
        _ => matches!(target, b'/' | b'*' | b'h' | b'H'),
    };
    if fits { Probe::Match } else { Probe::No }
}

fn strange(bytes: &[u8]) -> Probe {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(end) if head::start(bytes.get(..end).unwrap_or(bytes).trim_ascii_end()).is_some() => Probe::Match,
        Some(_) => Probe::No,
        None if bytes.len() < STRANGE_LINE_BYTES_MAX => Probe::More,
        None => Probe::No,
    }
}

/// A request head.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    method: &'a [u8],
    authority: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    user_agent: Option<&'a [u8]>,
    path: &'a [u8],
    newgetdns: bool,
}

impl Record for Request<'_> {
    fn dissector(&self) -> &'static str {
        "http"
    }

    fn kind(&self) -> &'static str {
        "http"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Client)
    }

    fn is_only_fields(&self) -> bool {
        true
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        if let Some(authority) = self.authority {
            see(&AUTHORITY, Value::Text(authority));
        }
        if let Some(host) = self.host {
            see(&HOST, Value::Text(host));
        }
        see(&METHOD, Value::Text(self.method));
        if !self.path.is_empty() {
            see(&PATH, Value::Text(self.path));
        }
        if let Some(user_agent) = self.user_agent {
            see(&USER_AGENT, Value::Text(user_agent));
        }
        if self.newgetdns {
            see(&newgetdns::NEWGETDNS, Value::Token("request"));
        }
    }
}

/// A flow in disguise: it stands alone.
struct Disguise;

impl Record for Disguise {
    fn dissector(&self) -> &'static str {
        "http"
    }

    fn kind(&self) -> &'static str {
        "disguise"
    }

    fn sender(&self) -> Option<Role> {
        Some(Role::Client)
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&DISGUISE, Value::Token("wechat"));
    }
}
