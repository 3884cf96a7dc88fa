//! MMTLS: the encrypted transport of the WeChat app. The long link runs straight on TCP, on any port; the short link is the
//! body of an HTTP request, so that the HTTP dissector finds it and says so with the fields declared here.
//!
//! It must stand before TLS: a TLS parser takes an MMTLS hello for a HelloRequest. It knows nothing of rules or weights.

pub(crate) mod hello;
mod longlink;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod replay;
#[cfg(test)]
pub(crate) mod scenarios;

use crate::dissect::{Carrier, DissectorDef};
use crate::field::{Family, Field, FieldKind, Value};
use crate::record::{Detail, Record, Role};
use crate::time::Timestamp;

use hello::{ClientHello, Suite};
use record::Version;

const LAYOUT: &str = "Citizen Lab, MMTLS report and captures (2024)";

/// How far a client's clock may be off before its hello counts as stale: research clients and replays are older.
const CLOCK_SKEW_SECS_MAX: u64 = 24 * 60 * 60;

const fn field(name: &'static str, key: &'static str, kind: FieldKind, signal: Option<&'static str>, meaning: &'static str) -> Field {
    Field { name, key, kind, family: Some(Family::Structure), signal, personal: false, meaning, source: LAYOUT }
}

/// `mmtls.hello`: how far the handshake of a long link is proven.
pub static HELLO: Field = field(
    "mmtls.hello",
    "hello",
    FieldKind::Token(&["mutual", "client", "stale"]),
    Some("mmtls-longlink"),
    "Long-link hello in which every length, marker and suite is right: valid both ways, from the client alone, or from a client whose clock is more than a day off.",
);

/// `mmtls.kind`: what the hello is for.
pub static KIND: Field = field(
    "mmtls.kind",
    "hello_kind",
    FieldKind::Token(&["resume", "refresh", "new-installation"]),
    None,
    "What the hello is for: an old session, new keys for a known installation, or an installation that has no ticket yet.",
);

/// `mmtls.framing`: records without a handshake.
pub static FRAMING: Field = field(
    "mmtls.framing",
    "framing",
    FieldKind::Token(&["midstream", "midstream-heartbeat"]),
    Some("mmtls-longlink-midstream"),
    "At least three MMTLS records in line, both ways, in a connection whose start was not seen; with heartbeats both ways where it says so.",
);

/// `mmtls.link`: long or short link.
pub static LINK: Field = field(
    "mmtls.link",
    "link",
    FieldKind::Token(&["long", "short"]),
    None,
    "Straight on TCP (long) or in the body of an HTTP request (short).",
);

/// `mmtls.shortlink`: a short link whose body is MMTLS.
pub static SHORTLINK: Field = field(
    "mmtls.shortlink",
    "shortlink",
    FieldKind::Token(&["valid"]),
    Some("mmtls-shortlink"),
    "HTTP request with the short link's path and Upgrade header whose body is a valid hello followed by MMTLS records.",
);

/// `mmtls.session`: the start of an account's session.
pub static SESSION: Field = field(
    "mmtls.session",
    "session",
    FieldKind::Token(&["start"]),
    None,
    "Short link with a data record of the size class of the account's session start.",
);

/// `mmtls.version`: the record version.
pub static VERSION: Field = field(
    "mmtls.version",
    "version",
    FieldKind::Token(&["f103", "f104"]),
    None,
    "Version in the record header: f104 since about 2022, f103 before.",
);

/// `mmtls.suites`: the suites offered, or the one chosen.
pub static SUITES: Field =
    field("mmtls.suites", "suites", FieldKind::List, None, "Cipher suites of the hello in wire order, hexadecimal: c02b, 00a8.");

/// `mmtls.heartbeat`: the link is alive.
pub static HEARTBEAT: Field = field(
    "mmtls.heartbeat",
    "heartbeat",
    FieldKind::Token(&["seen"]),
    None,
    "A heartbeat on a long link that is proven already, said at most every three minutes; repeats mmtls.hello or mmtls.framing.",
);

/// `mmtls.alert`: the code of a clear alert.
pub static ALERT: Field =
    field("mmtls.alert", "alert", FieldKind::Number, None, "Code of an alert in the clear: 115 is an unknown ticket.");

/// `mmtls.client_time`: how far the client's clock is off.
pub static CLIENT_TIME: Field = field(
    "mmtls.client_time",
    "clock_skew_secs",
    FieldKind::Number,
    None,
    "Seconds between the clock in the client's hello and the capture, whichever is first.",
);

/// `mmtls.ticket`: distinct for each installation; never shown, only handed on to be counted by keyed hash.
pub static TICKET: Field = Field {
    name: "mmtls.ticket",
    key: "ticket",
    kind: FieldKind::Hash,
    family: None,
    signal: None,
    personal: true,
    meaning: "Resumption ticket in the hello: counted by keyed hash to tell installations apart, never shown or kept.",
    source: LAYOUT,
};

/// The long link's line in the table of dissectors, with the fields of the short link.
pub static MMTLS: DissectorDef = DissectorDef {
    name: "mmtls",
    about: "MMTLS, the transport of the WeChat app: long link on any TCP port, short link inside HTTP.",
    carriers: &[Carrier::Tcp],
    fields: &[&HELLO, &KIND, &FRAMING, &LINK, &SHORTLINK, &SESSION, &VERSION, &SUITES, &HEARTBEAT, &ALERT, &CLIENT_TIME, &TICKET],
    opens: &[0x15..=0x19],
    ports: &[],
    probe: longlink::probe,
    start: longlink::start,
};

/// One MMTLS record as handed on; what is `None` was not said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mmtls<'a> {
    pub(crate) link: &'static str,
    pub(crate) version: Version,
    pub(crate) sender: Option<Role>,
    pub(crate) hello: Option<&'static str>,
    pub(crate) framing: Option<&'static str>,
    pub(crate) shortlink: bool,
    pub(crate) client: Option<Client<'a>>,
    pub(crate) chosen: Option<Suite>,
    pub(crate) session_start: bool,
    pub(crate) heartbeat: bool,
    pub(crate) alert: Option<u16>,
}

/// A ClientHello and how far its clock was off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) hello: ClientHello<'a>,
    pub(crate) skew_secs: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(hello: ClientHello<'a>, ts: Timestamp) -> Self {
        Client { hello, skew_secs: ts.secs().abs_diff(u64::from(hello.time)) }
    }

    /// The word in `mmtls.hello` as long as nothing of the server was seen.
    pub(crate) fn word(&self) -> &'static str {
        if self.skew_secs <= CLOCK_SKEW_SECS_MAX { "client" } else { "stale" }
    }
}

impl Mmtls<'_> {
    pub(crate) const fn new(link: &'static str, version: Version) -> Self {
        Mmtls {
            link,
            version,
            sender: None,
            hello: None,
            framing: None,
            shortlink: false,
            client: None,
            chosen: None,
            session_start: false,
            heartbeat: false,
            alert: None,
        }
    }

    fn visit_suites(&self, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        match (self.client.map(|c| c.hello.suites), self.chosen) {
            (Some((first, Some(second))), _) => see(&SUITES, Value::List(&[first.name(), second.name()])),
            (Some((first, None)), _) => see(&SUITES, Value::List(&[first.name()])),
            (None, Some(chosen)) => see(&SUITES, Value::List(&[chosen.name()])),
            (None, None) => {}
        }
    }
}

impl Record for Mmtls<'_> {
    fn dissector(&self) -> &'static str {
        "mmtls"
    }

    fn kind(&self) -> &'static str {
        "mmtls"
    }

    fn sender(&self) -> Option<Role> {
        self.sender
    }

    fn visit(&self, _detail: Detail, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
        see(&LINK, Value::Token(self.link));
        see(&VERSION, Value::Token(self.version.name()));
        if let Some(word) = self.hello {
            see(&HELLO, Value::Token(word));
        }
        if let Some(word) = self.framing {
            see(&FRAMING, Value::Token(word));
        }
        if self.shortlink {
            see(&SHORTLINK, Value::Token("valid"));
        }
        self.visit_suites(see);
        if let Some(client) = &self.client {
            see(&KIND, Value::Token(client.hello.kind.name()));
            see(&CLIENT_TIME, Value::Number(client.skew_secs));
        }
        if self.session_start {
            see(&SESSION, Value::Token("start"));
        }
        if self.heartbeat {
            see(&HEARTBEAT, Value::Token("seen"));
        }
        if let Some(code) = self.alert {
            see(&ALERT, Value::Number(u64::from(code)));
        }
    }

    fn installation(&self) -> Option<&[u8]> {
        self.client.as_ref().and_then(|c| c.hello.ticket)
    }
}
