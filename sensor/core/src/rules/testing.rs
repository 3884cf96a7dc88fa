//! Fields as the dissectors declare them, for tests of this module.

use crate::diagnostic::Diagnostics;
use crate::field::{Family, Field, FieldKind};

use super::file::{Layer, RuleFile};
use super::set::RuleSet;

macro_rules! fields {
    ($($ident:ident $name:literal $kind:expr, $family:expr;)*) => {
        $(#[allow(dead_code)] pub static $ident: Field = Field {
            name: $name, key: $name, kind: $kind, family: $family, signal: None, personal: false, meaning: "", source: "",
        };)*
        /// All of them.
        pub static FIELDS: &[&Field] = &[$(&$ident,)*];
    };
}

fields! {
    SNI "tls.sni" FieldKind::Name, Some(Family::Tls);
    QUIC_SNI "quic.sni" FieldKind::Name, Some(Family::Tls);
    DTLS_SNI "dtls.sni" FieldKind::Name, Some(Family::Tls);
    HOST "http.host" FieldKind::Name, Some(Family::Http);
    QNAME "dns.qname" FieldKind::Name, Some(Family::Dns);
    JA3 "tls.ja3" FieldKind::Hash, None;
    JA4 "tls.ja4" FieldKind::Hash, None;
    ALPN "tls.alpn" FieldKind::List, None;
    VERSION "tls.version" FieldKind::Number, None;
    AGENT "http.user_agent" FieldKind::Text, Some(Family::Http);
    PATH "http.path" FieldKind::Text, Some(Family::Http);
    NEWGETDNS "http.newgetdns" FieldKind::Token(&["request"]), Some(Family::Http);
    DISGUISE "http.disguise" FieldKind::Token(&["wechat"]), Some(Family::Http);
    HELLO "mmtls.hello" FieldKind::Token(&["mutual", "client", "stale"]), Some(Family::Structure);
    MMTLS_KIND "mmtls.kind" FieldKind::Token(&["resume", "refresh", "new-installation"]), Some(Family::Structure);
    FRAMING "mmtls.framing" FieldKind::Token(&["midstream", "midstream-heartbeat"]), Some(Family::Structure);
    SHORTLINK "mmtls.shortlink" FieldKind::Token(&["valid"]), Some(Family::Structure);
    LEGACY "legacy.shortlink" FieldKind::Token(&["valid"]), Some(Family::Structure);
    OICQ "qq.oicq" FieldKind::Token(&["packet"]), Some(Family::Structure);
    MSF "qq.msf" FieldKind::Token(&["hello"]), Some(Family::Structure);
    SERVER "flow.server" FieldKind::Address, None;
}

/// A shipped file.
pub fn shipped(name: &str, text: &str) -> RuleFile {
    RuleFile { name: name.into(), text: text.into(), layer: Layer::Shipped }
}

/// A site's file.
pub fn site(name: &str, text: &str) -> RuleFile {
    RuleFile { name: name.into(), text: text.into(), layer: Layer::Site }
}

/// A set of files without problems.
pub fn build(files: &[RuleFile]) -> RuleSet {
    let mut diagnostics = Diagnostics::default();
    let rules = RuleSet::build(files, FIELDS, &mut diagnostics);
    assert!(diagnostics.problems().is_empty(), "{:#?}", diagnostics.problems());
    rules
}

/// The problems of files, as an operator reads them.
pub fn problems(files: &[RuleFile]) -> Vec<String> {
    let mut diagnostics = Diagnostics::default();
    RuleSet::build(files, FIELDS, &mut diagnostics);
    diagnostics.problems().iter().map(ToString::to_string).collect()
}
