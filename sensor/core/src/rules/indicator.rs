//! One sign in a rule file.

use crate::field::{Family, Field};

/// The index of an indicator in its rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndicatorId(pub u32);

/// The face of an app that a sign belongs to: each is judged on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Surface {
    /// The installed app.
    App,
    /// The browser client.
    Web,
    /// The product for enterprises.
    Work,
}

impl Surface {
    /// Words in rules and outputs.
    pub const WORDS: [(&'static str, Surface); 3] = [("app", Surface::App), ("web", Surface::Web), ("work", Surface::Work)];

    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Surface::App => "app",
            Surface::Web => "web",
            Surface::Work => "work",
        }
    }
}

/// The jurisdiction that an indicator points to: free words (`mainland`, `hong-kong`, `international`), empty when unknown.
pub type Region = Box<str>;

/// How far an indicator is trusted by its authors (after Falco's maturity levels).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maturity {
    /// Measured on captures.
    Stable,
    /// From sources that agree.
    Incubating,
    /// From one source, or by inference.
    Sandbox,
}

impl Maturity {
    /// Words in rules and outputs.
    pub const WORDS: [(&'static str, Maturity); 3] =
        [("stable", Maturity::Stable), ("incubating", Maturity::Incubating), ("sandbox", Maturity::Sandbox)];

    /// Its word.
    pub fn name(self) -> &'static str {
        Maturity::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }
}

/// Which flows an address becomes known to, once this indicator has proven it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Teaches {
    /// Every client of the sensor, on TCP ports 80, 443 and 8080.
    Sensor,
    /// The same client and server port only.
    Client,
    /// The same client and server port, and only to extend the web surface of a device that is confirmed already.
    ConfirmedWeb,
    /// Nobody.
    Nobody,
}

/// What it means when the indicator fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// A sign of the app.
    Evidence,
    /// The app's looks around something else: an event of its own that voids the HTTP signs of its flow.
    Disguise,
    /// Known infrastructure: recorded beside a hit, never evidence; keeps a shorter suffix from matching.
    Context,
    /// One of the organisation's work services, from its configuration.
    WorkService,
}

/// One sign: a pattern on fields, and what it is worth.
#[derive(Clone, Debug)]
pub struct Indicator {
    /// Unique over all files: `wechat.name.messaging`.
    pub id: Box<str>,
    /// The app: `wechat`, `wecom`, `qq`, `tiktok`, `tencent` (infrastructure).
    pub app: Box<str>,
    /// Its face.
    pub surface: Surface,
    /// What the app does with it: `messaging`, `newdns`, `media`, `pay`, `maps`, `telemetry`, `code-download` ...
    pub class: Box<str>,
    /// Jurisdiction; empty when unknown.
    pub region: Region,
    /// Weight in [0, 1] where the field's family is not DNS.
    pub weight: f64,
    /// Weight in [0, 1] on a DNS query.
    pub dns_weight: f64,
    /// Overrides the family of the field.
    pub family: Option<Family>,
    /// Overrides the signal name of the field: `mmtls-longlink`.
    pub signal: Option<&'static str>,
    /// May start a detection; otherwise it only extends one.
    pub starts: bool,
    /// A low sign: all of them together weigh at most 0.30.
    pub low: bool,
    /// Which flows it explains by address.
    pub teaches: Teaches,
    /// What it means.
    pub effect: Effect,
    /// Where it comes from.
    pub source: Box<str>,
    /// Known false alarms; empty when none are known.
    pub false_alarms: Box<str>,
    /// How far it is trusted.
    pub maturity: Maturity,
    /// The rule file that it stands in.
    pub file: Box<str>,
    /// The line in that file.
    pub line: usize,
}

impl Indicator {
    /// The evidence family when it fires on `field`.
    pub fn family_on(&self, field: &Field) -> Family {
        self.family.or(field.family).unwrap_or(Family::Structure)
    }

    /// Its weight when it fires on `field`.
    pub fn weight_on(&self, field: &Field) -> f64 {
        if self.family_on(field) == Family::Dns { self.dns_weight } else { self.weight }
    }

    /// The name of the sign when it fires on `field`.
    pub fn signal_on(&self, field: &Field) -> &'static str {
        self.signal.or(field.signal).unwrap_or(field.name)
    }
}
