//! The words of the policy: classes, statuses, levels and verdicts.

/// What a network segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentClass {
    /// Systems that need the most care: the app has no business here.
    Sensitive,
    /// Ordinary work places.
    Standard,
    /// Guests' and private devices.
    Guest,
    /// Where designated separate devices live.
    Separate,
    /// Not configured: derived from VLAN or prefix.
    Unknown,
}

impl SegmentClass {
    /// Every class.
    pub const ALL: [SegmentClass; 5] =
        [SegmentClass::Sensitive, SegmentClass::Standard, SegmentClass::Guest, SegmentClass::Separate, SegmentClass::Unknown];

    /// Words in configuration and outputs.
    pub const WORDS: [(&'static str, SegmentClass); 4] = [
        ("sensitive", SegmentClass::Sensitive),
        ("standard", SegmentClass::Standard),
        ("guest", SegmentClass::Guest),
        ("separate", SegmentClass::Separate),
    ];

    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            SegmentClass::Sensitive => "sensitive",
            SegmentClass::Standard => "standard",
            SegmentClass::Guest => "guest",
            SegmentClass::Separate => "separate",
            SegmentClass::Unknown => "unknown",
        }
    }
}

/// What the organisation says about an app in a class of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Not allowed; no waiver possible.
    Banned,
    /// Only designated devices, in separate or guest segments; waivers possible.
    SeparateDevice,
    /// Recorded, informational.
    UnderAudit,
    /// Recorded.
    Tolerated,
    /// Not recorded.
    Allowed,
}

impl Status {
    /// Words in configuration and outputs.
    pub const WORDS: [(&'static str, Status); 5] = [
        ("banned", Status::Banned),
        ("separate_device", Status::SeparateDevice),
        ("under_audit", Status::UnderAudit),
        ("tolerated", Status::Tolerated),
        ("allowed", Status::Allowed),
    ];

    /// The word in configuration and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Banned => "banned",
            Status::SeparateDevice => "separate_device",
            Status::UnderAudit => "under_audit",
            Status::Tolerated => "tolerated",
            Status::Allowed => "allowed",
        }
    }
}

/// The verdict on a finding, most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Banned, or use on a sensitive segment without a valid waiver.
    Violation,
    /// A separate device where it may not be, or a device with recent use in a sensitive segment, or app and work services on one device.
    SeparationBreach,
    /// Use goes on after the end of a waiver.
    WaiverExpired,
    /// Standard segment, no waiver.
    Unapproved,
    /// The app's looks around something else.
    Disguise,
    /// A valid waiver covers it.
    Waived,
    /// Recorded only, or no policy was given.
    Observed,
    /// A designated device where it may be.
    Compliant,
}

impl Verdict {
    /// Words in outputs and for `--fail-on`, most serious first.
    pub const WORDS: [(&'static str, Verdict); 8] = [
        ("violation", Verdict::Violation),
        ("separation_breach", Verdict::SeparationBreach),
        ("waiver_expired", Verdict::WaiverExpired),
        ("unapproved", Verdict::Unapproved),
        ("disguise", Verdict::Disguise),
        ("waived", Verdict::Waived),
        ("observed", Verdict::Observed),
        ("compliant", Verdict::Compliant),
    ];

    /// The word in outputs.
    pub fn name(self) -> &'static str {
        Verdict::WORDS.iter().find(|(_, v)| *v == self).map_or("", |(w, _)| w)
    }
}

/// How sure a judgement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Below 0.40: says nothing.
    None,
    /// From 0.40.
    Possible,
    /// From 0.75.
    Probable,
    /// From 0.95.
    Confirmed,
}

impl Level {
    /// Every level, the least sure first.
    pub const ALL: [Level; 4] = [Level::None, Level::Possible, Level::Probable, Level::Confirmed];

    /// Words in configuration, outputs and for `--fail-on`.
    pub const WORDS: [(&'static str, Level); 3] =
        [("possible", Level::Possible), ("probable", Level::Probable), ("confirmed", Level::Confirmed)];

    /// The level of a combined weight in [0, 1].
    pub fn of(confidence: f64) -> Level {
        match confidence {
            c if c >= 0.95 => Level::Confirmed,
            c if c >= 0.75 => Level::Probable,
            c if c >= 0.40 => Level::Possible,
            _ => Level::None,
        }
    }

    /// The word in outputs.
    pub fn name(self) -> &'static str {
        Level::WORDS.iter().find(|(_, l)| *l == self).map_or("none", |(w, _)| w)
    }
}
