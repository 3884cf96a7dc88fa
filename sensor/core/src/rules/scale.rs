//! The scale that turns an author's words (confidence, class, surface) into weights, and the words of rule files.
//! Must not know how rules are read or matched.

use super::indicator::{Effect, Surface, Teaches};

/// How sure the authors are of a group of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Only the app uses these names.
    High,
    /// Mostly the app; browsers and other products use them too.
    Medium,
    /// Other people's apps and web pages use them: never a verdict.
    Low,
}

impl Confidence {
    /// Words in rule files.
    pub const WORDS: [(&'static str, Confidence); 3] =
        [("high", Confidence::High), ("medium", Confidence::Medium), ("low", Confidence::Low)];
}

impl Effect {
    /// Words in rule files and outputs.
    pub const WORDS: [(&'static str, Effect); 4] = [
        ("evidence", Effect::Evidence),
        ("disguise", Effect::Disguise),
        ("context", Effect::Context),
        ("work-service", Effect::WorkService),
    ];

    /// The word in outputs.
    pub fn name(self) -> &'static str {
        Effect::WORDS.iter().find(|(_, e)| *e == self).map_or("", |(w, _)| w)
    }
}

impl Teaches {
    /// Words in rule files and outputs.
    pub const WORDS: [(&'static str, Teaches); 4] =
        [("sensor", Teaches::Sensor), ("client", Teaches::Client), ("confirmed-web", Teaches::ConfirmedWeb), ("nobody", Teaches::Nobody)];

    /// The word in outputs.
    pub fn name(self) -> &'static str {
        Teaches::WORDS.iter().find(|(_, t)| *t == self).map_or("", |(w, _)| w)
    }
}

/// The names of signs that a rule may give to its flows, where the field's own name of the sign is too general.
pub const SIGNALS: [&str; 16] = [
    "mmtls-longlink",
    "mmtls-longlink-midstream",
    "mmtls-shortlink",
    "mmtls-hello-stale-ts",
    "newgetdns",
    "legacy-shortlink",
    "qq-msf",
    "qq-oicq",
    "tls-name",
    "quic-name",
    "http-host",
    "http-path",
    "http-user-agent",
    "dns-name",
    "server-address",
    "disguise",
];

/// Classes that only an app in use touches: their names weigh 0.95 when confidence is high.
pub const STRONG_CLASSES: [&str; 5] = ["messaging", "newdns", "pay", "mini-program", "disaster-fallback"];

/// The class of names that a browser client talks to: 0.95 for surface web.
pub const WEB_CLIENT: &str = "web-client";

/// The class of peer-assisted delivery: 0.85 when confidence is high.
pub const PEER_CDN: &str = "peer-cdn";

/// The weights of a sign: on fields of any family but DNS, and on DNS queries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Outside DNS.
    pub weight: f64,
    /// On a DNS query.
    pub dns: f64,
}

impl Weights {
    /// The documented scale (`docs/detection.md`, "From words to weights").
    pub fn of(confidence: Confidence, class: &str, surface: Surface) -> Weights {
        let both = |weight| Weights { weight, dns: weight };
        match confidence {
            Confidence::High if class == WEB_CLIENT && surface == Surface::Web => both(0.95),
            Confidence::High if STRONG_CLASSES.contains(&class) => Weights::strong(0.95),
            Confidence::High if class == PEER_CDN => both(0.85),
            Confidence::High => both(0.80),
            Confidence::Medium => both(0.50),
            Confidence::Low => both(0.10),
        }
    }

    /// A weight that an author has stated: a DNS query alone never says more than 0.85, because asking is not yet using.
    pub fn strong(weight: f64) -> Weights {
        Weights { weight, dns: weight.min(0.85) }
    }
}

/// Whom the names of a group teach addresses, unless the rule says otherwise: names of the app teach every client, names of
/// the browser client the same client, low names only a device that is confirmed already; what is half sure teaches nobody.
pub fn teaches(confidence: Confidence, surface: Surface, effect: Effect) -> Teaches {
    match (effect, confidence, surface) {
        (Effect::Evidence, Confidence::Low, _) => Teaches::ConfirmedWeb,
        (Effect::Evidence, _, Surface::Web) => Teaches::Client,
        (Effect::Evidence, Confidence::High, _) => Teaches::Sensor,
        _ => Teaches::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale() {
        let cases = [
            (Confidence::High, "messaging", Surface::App, 0.95, 0.85),
            (Confidence::High, "newdns", Surface::App, 0.95, 0.85),
            (Confidence::High, "pay", Surface::App, 0.95, 0.85),
            (Confidence::High, "mini-program", Surface::App, 0.95, 0.85),
            (Confidence::High, "messaging", Surface::Work, 0.95, 0.85),
            (Confidence::High, "peer-cdn", Surface::App, 0.85, 0.85),
            (Confidence::High, "media", Surface::App, 0.80, 0.80),
            (Confidence::High, "web-client", Surface::Web, 0.95, 0.95),
            (Confidence::Medium, "messaging", Surface::App, 0.50, 0.50),
            (Confidence::Low, "messaging", Surface::App, 0.10, 0.10),
        ];
        for (confidence, class, surface, weight, dns) in cases {
            assert_eq!(Weights::of(confidence, class, surface), Weights { weight, dns }, "{confidence:?} {class}");
        }
    }

    #[test]
    fn who_learns() {
        assert_eq!(teaches(Confidence::High, Surface::App, Effect::Evidence), Teaches::Sensor);
        assert_eq!(teaches(Confidence::High, Surface::Work, Effect::Evidence), Teaches::Sensor);
        assert_eq!(teaches(Confidence::High, Surface::Web, Effect::Evidence), Teaches::Client);
        assert_eq!(teaches(Confidence::Medium, Surface::App, Effect::Evidence), Teaches::Nobody);
        assert_eq!(teaches(Confidence::Low, Surface::App, Effect::Evidence), Teaches::ConfirmedWeb);
        assert_eq!(teaches(Confidence::High, Surface::App, Effect::Context), Teaches::Nobody);
    }
}
