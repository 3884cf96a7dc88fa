//! From what a rule author knows (confidence and class) to a weight: one scale for all apps.

/// How sure the source is that a name belongs to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Confidence {
    High,
    Medium,
    Low,
}

impl Confidence {
    pub(super) const WORDS: [(&'static str, Confidence); 3] =
        [("high", Confidence::High), ("medium", Confidence::Medium), ("low", Confidence::Low)];
}

/// Names of the browser client.
pub(super) const WEB_CLIENT: &str = "web-client";

/// Classes that only the app itself uses: one such name in TLS, QUIC or HTTP is enough.
const OWN: &[&str] = &["messaging", "newdns", "pay", "mini-program", "disaster-fallback", WEB_CLIENT];

/// Peer-assisted delivery.
const PEER: &[&str] = &["peer-cdn"];

/// A class in which one name counts as much in DNS as in TLS: the browser client asks for nothing else.
const SAME_IN_DNS: &[&str] = &[WEB_CLIENT];

/// Weight of a structural sign's DNS query, where a class is the app's own: a query may come from elsewhere.
const OWN_DNS: f64 = 0.85;

/// (weight in TLS, QUIC and HTTP; weight in DNS).
pub(super) fn weights(confidence: Confidence, class: &str) -> (f64, f64) {
    match confidence {
        Confidence::High if OWN.contains(&class) => (0.95, if SAME_IN_DNS.contains(&class) { 0.95 } else { OWN_DNS }),
        Confidence::High if PEER.contains(&class) => (0.85, 0.85),
        Confidence::High => (0.80, 0.80),
        Confidence::Medium => (0.50, 0.50),
        Confidence::Low => (0.10, 0.10),
    }
}
