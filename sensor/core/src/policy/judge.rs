//! The verdict: every reason that holds is collected, the most serious one decides, the others are listed.

use crate::rules::Surface;
use crate::time::Timestamp;

use super::segment::{Segment, SegmentId};
use super::words::{Level, SegmentClass, Status, Verdict};
use super::{Line, Policy, Waiver};

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The app.
    pub app: &'a str,
    /// Its face; `None` for a disguise or mere presence.
    pub surface: Option<Surface>,
    /// How sure it is.
    pub level: Level,
    /// Where.
    pub segment: SegmentId,
    /// Which registered device.
    pub device: Option<&'a str>,
    /// Other keys that a waiver may name: `mac:02:...`.
    pub device_keys: &'a [String],
    /// First use in the segment.
    pub first_seen: Timestamp,
    /// Latest use in the segment.
    pub last_seen: Timestamp,
    /// The latest confirmed use by the same device in another segment.
    pub exposure: Option<Timestamp>,
    /// When the device last spoke to one of the organisation's work services.
    pub work_service: Option<Timestamp>,
    /// The app's looks around something else.
    pub disguise: bool,
    /// No use here: the device merely appears.
    pub presence_only: bool,
}

/// The judgement and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The most serious verdict; `None` when the policy allows it, so that nothing is recorded.
    pub verdict: Option<Verdict>,
    /// Other verdicts that hold, most serious first.
    pub others: Vec<Verdict>,
    /// The policy line, or the default, that decided.
    pub line: String,
    /// The waiver that counts.
    pub waiver: Option<String>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// Verdicts with their reasons, while they are collected.
#[derive(Default)]
struct Grounds {
    held: Vec<(Verdict, String)>,
    waiver: Option<String>,
}

impl Grounds {
    fn add(&mut self, verdict: Verdict, reason: impl Into<String>) {
        self.held.push((verdict, reason.into()));
    }
}

impl Policy {
    /// Judges a case.
    pub fn judge(&self, case: &Case<'_>) -> Judgement {
        let segment = self.segment(case.segment);
        let mut grounds = Grounds::default();
        let line = match () {
            () if case.disguise => {
                grounds.add(Verdict::Disguise, "the app's headers around a body that is not the app's: a tunnel, or a test");
                "disguise".to_string()
            }
            () if !self.configured => {
                grounds.add(Verdict::Observed, "no policy was given");
                "none".to_string()
            }
            () if case.presence_only => "separation".to_string(),
            () => self.by_line(case, segment, &mut grounds),
        };
        if self.configured && !case.disguise {
            self.separation(case, segment, &mut grounds);
        }
        conclude(grounds, line)
    }

    /// What the first matching line says, or the default of the segment's class.
    fn by_line(&self, case: &Case<'_>, segment: &Segment, grounds: &mut Grounds) -> String {
        let line = self.lines.iter().find(|l| l.matches(case.app, segment));
        let (status, name) = match line {
            Some(line) => (line.status, format!("{} ({})", line.name, status_word(line.status))),
            None => (default_status(segment.class), format!("default for {} ({})", segment.class.name(), default_word(segment.class))),
        };
        let bar = self.bars.get(&segment.class).copied().unwrap_or(Level::Probable);
        match status {
            Status::Allowed => {}
            Status::UnderAudit => grounds.add(Verdict::Observed, "under audit: recorded, not judged"),
            Status::Tolerated => grounds.add(Verdict::Observed, format!("tolerated in {}", segment.name)),
            _ if case.level < bar => {
                let reason =
                    format!("{} is below the bar ({}) for a verdict in {} segments", case.level.name(), bar.name(), segment.class.name());
                grounds.add(Verdict::Observed, reason);
            }
            Status::Banned if line.is_some() => {
                grounds.add(Verdict::Violation, format!("{} is banned in {}; no waiver is possible", case.app, segment.name))
            }
            Status::Banned | Status::SeparateDevice => self.separate_device(case, segment, grounds),
        }
        name
    }

    /// Only designated devices, or a waiver.
    fn separate_device(&self, case: &Case<'_>, segment: &Segment, grounds: &mut Grounds) {
        let designated = self.is_designated(case);
        if designated && self.may_be_in(case, segment) {
            grounds.add(Verdict::Compliant, format!("a designated device in {}", segment.name));
            return;
        }
        let waiver = self.waiver(case, segment);
        if let Some(waiver) = waiver {
            grounds.waiver = Some(waiver.id.clone());
            if waiver.covers(case.first_seen, case.last_seen) {
                let reason =
                    format!("waiver {} ({}) until {}, approved by {}", waiver.id, waiver.reason, waiver.end.to_minute(), waiver.approver);
                grounds.add(Verdict::Waived, reason);
                return;
            }
            if waiver.outlived_by(case.last_seen) {
                grounds.add(
                    Verdict::WaiverExpired,
                    format!("waiver {} ended {}, use went on until {}", waiver.id, waiver.end.to_minute(), case.last_seen.to_minute()),
                );
            } else {
                grounds.add(Verdict::Unapproved, format!("waiver {} begins only {}", waiver.id, waiver.start.to_minute()));
            }
        }
        match segment.class {
            SegmentClass::Sensitive => {
                grounds.add(Verdict::Violation, format!("{} on the sensitive segment {} without a valid waiver", case.app, segment.name))
            }
            // An expired waiver says it better.
            _ if waiver.is_some() => {}
            class => {
                grounds.add(Verdict::Unapproved, format!("not a designated device, no waiver, in {} ({})", segment.name, class.name()))
            }
        }
    }

    /// Separation is about where a device is and what else it does, whatever the app's status.
    fn separation(&self, case: &Case<'_>, segment: &Segment, grounds: &mut Grounds) {
        let sensitive = segment.class == SegmentClass::Sensitive;
        let strict = matches!(segment.class, SegmentClass::Sensitive | SegmentClass::Standard);
        if self.is_designated(case) && strict && !self.may_be_in(case, segment) {
            let reason = format!("a designated separate device is in {} ({})", segment.name, segment.class.name());
            grounds.add(Verdict::SeparationBreach, reason);
        }
        let recent = case.exposure.filter(|at| case.last_seen.since(*at) <= self.exposure);
        if let (true, Some(at)) = (sensitive, recent) {
            grounds.add(
                Verdict::SeparationBreach,
                format!("confirmed use elsewhere until {}, now in the sensitive segment {}", at.to_minute(), segment.name),
            );
        }
        let bar = self.bars.get(&segment.class).copied().unwrap_or(Level::Probable);
        let used = case.surface.is_some() && case.level >= bar && !self.is_unjudged(case, segment);
        if let (true, Some(at)) = (used, case.work_service) {
            grounds
                .add(Verdict::SeparationBreach, format!("the same device uses the organisation's work services (last {})", at.to_minute()));
        }
    }

    /// Whether the app is only recorded here, or not at all.
    fn is_unjudged(&self, case: &Case<'_>, segment: &Segment) -> bool {
        let line = self.lines.iter().find(|l| l.matches(case.app, segment));
        matches!(line.map(|l| l.status), Some(Status::Allowed | Status::UnderAudit | Status::Tolerated))
    }

    fn is_designated(&self, case: &Case<'_>) -> bool {
        case.device.and_then(|id| self.register.get(id)).is_some_and(|d| d.designated)
    }

    /// Whether the segment is one where this designated device may be.
    fn may_be_in(&self, case: &Case<'_>, segment: &Segment) -> bool {
        let named = |id| self.register.get(id).is_some_and(|d| d.allowed_segments.iter().any(|s| **s == *segment.name));
        matches!(segment.class, SegmentClass::Separate | SegmentClass::Guest) || case.device.is_some_and(named)
    }

    /// The waiver that counts: one that covers the use, else the one that ended last.
    fn waiver(&self, case: &Case<'_>, segment: &Segment) -> Option<&Waiver> {
        let concerned = || self.waivers.iter().filter(|w| w.concerns(case.device, case.device_keys, case.app, &segment.name));
        concerned().find(|w| w.covers(case.first_seen, case.last_seen)).or_else(|| concerned().max_by_key(|w| w.end))
    }
}

impl Line {
    fn matches(&self, app: &str, segment: &Segment) -> bool {
        (self.apps.is_empty() || self.apps.iter().any(|a| a == app))
            && (self.classes.is_empty() || self.classes.contains(&segment.class))
            && (self.segments.is_empty() || self.segments.iter().any(|s| **s == *segment.name))
    }
}

/// What holds where no line says otherwise.
fn default_status(class: SegmentClass) -> Status {
    match class {
        SegmentClass::Sensitive => Status::Banned,
        SegmentClass::Standard | SegmentClass::Separate => Status::SeparateDevice,
        SegmentClass::Guest => Status::Tolerated,
        SegmentClass::Unknown => Status::UnderAudit,
    }
}

fn default_word(class: SegmentClass) -> &'static str {
    match class {
        SegmentClass::Sensitive => "banned unless waived",
        other => status_word(default_status(other)),
    }
}

fn status_word(status: Status) -> &'static str {
    Status::WORDS.iter().find(|(_, s)| *s == status).map_or("", |(word, _)| word)
}

fn conclude(mut grounds: Grounds, line: String) -> Judgement {
    grounds.held.sort_by_key(|(verdict, _)| *verdict);
    let verdict = grounds.held.first().map(|(v, _)| *v);
    let mut others: Vec<Verdict> = grounds.held.iter().map(|(v, _)| *v).filter(|v| Some(*v) != verdict).collect();
    others.dedup();
    Judgement { verdict, others, line, waiver: grounds.waiver, reasons: grounds.held.into_iter().map(|(_, reason)| reason).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Device, Register, SegmentRule, Segments};
    use super::*;

    const CLASSES: [SegmentClass; 4] = [SegmentClass::Sensitive, SegmentClass::Standard, SegmentClass::Guest, SegmentClass::Separate];

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("valid")
    }

    fn policy() -> Policy {
        let mut segments = Segments::default();
        for (i, class) in CLASSES.iter().enumerate() {
            segments.add(class.name(), *class, &SegmentRule { vlans: vec![i as u16 + 1], ..SegmentRule::default() });
        }
        let device = |id: &str, designated| Device { id: id.into(), designated, ..Device::default() };
        let waiver = |id: &str, holder: &str, end: &str| Waiver {
            id: id.into(),
            holders: vec![holder.into()],
            apps: vec!["wechat".into()],
            segments: vec!["standard".into(), "sensitive".into()],
            approver: "CISO".into(),
            reason: "press work".into(),
            start: at("2026-01-01"),
            end: at(end),
        };
        Policy {
            segments,
            register: Register::new(vec![device("phone", true), device("laptop", false), device("late", false)]),
            waivers: vec![waiver("W-1", "laptop", "2026-12-31"), waiver("W-2", "late", "2026-02-01")],
            lines: vec![
                Line { name: "no tiktok".into(), apps: vec!["tiktok".into()], classes: vec![], segments: vec![], status: Status::Banned },
                Line { name: "wecom".into(), apps: vec!["wecom".into()], classes: vec![], segments: vec![], status: Status::UnderAudit },
                Line {
                    name: "qq".into(),
                    apps: vec!["qq".into()],
                    classes: vec![],
                    segments: vec!["guest".into()],
                    status: Status::Allowed,
                },
            ],
            ..Policy::default()
        }
        .configured()
    }

    fn case<'a>(app: &'a str, class: SegmentClass, device: Option<&'a str>) -> Case<'a> {
        Case {
            app,
            surface: Some(Surface::App),
            level: Level::Confirmed,
            segment: SegmentId(CLASSES.iter().position(|c| *c == class).expect("known") as u32),
            device,
            device_keys: &[],
            first_seen: at("2026-03-03T08:00:00Z"),
            last_seen: at("2026-03-03T09:00:00Z"),
            exposure: None,
            work_service: None,
            disguise: false,
            presence_only: false,
        }
    }

    fn verdict(case: Case<'_>) -> Option<Verdict> {
        policy().judge(&case).verdict
    }

    #[test]
    fn every_row_of_the_table() {
        use SegmentClass::{Guest, Sensitive, Separate, Standard};
        for (app, class, device, expected) in [
            ("wechat", Sensitive, None, Some(Verdict::Violation)),
            ("wechat", Sensitive, Some("laptop"), Some(Verdict::Waived)),
            ("wechat", Sensitive, Some("phone"), Some(Verdict::Violation)),
            ("wechat", Sensitive, Some("late"), Some(Verdict::Violation)),
            ("wechat", Standard, None, Some(Verdict::Unapproved)),
            ("wechat", Standard, Some("laptop"), Some(Verdict::Waived)),
            ("wechat", Standard, Some("late"), Some(Verdict::WaiverExpired)),
            ("wechat", Standard, Some("phone"), Some(Verdict::SeparationBreach)),
            ("wechat", Guest, None, Some(Verdict::Observed)),
            ("wechat", Separate, Some("phone"), Some(Verdict::Compliant)),
            ("wechat", Separate, None, Some(Verdict::Unapproved)),
            ("tiktok", Guest, None, Some(Verdict::Violation)),
            ("tiktok", Standard, Some("laptop"), Some(Verdict::Violation)),
            ("wecom", Sensitive, None, Some(Verdict::Observed)),
            ("qq", Guest, None, None),
            ("qq", Standard, None, Some(Verdict::Unapproved)),
        ] {
            assert_eq!(verdict(case(app, class, device)), expected, "{app} {class:?} {device:?}");
        }
    }

    #[test]
    fn weak_signs_raise_nothing() {
        let weak = Case { level: Level::Possible, ..case("wechat", SegmentClass::Sensitive, None) };
        assert_eq!(verdict(weak), Some(Verdict::Observed));
        let mut strict = policy();
        strict.bars.insert(SegmentClass::Sensitive, Level::Possible);
        assert_eq!(strict.judge(&weak).verdict, Some(Verdict::Violation));
    }

    #[test]
    fn separation() {
        let silent = Case {
            presence_only: true,
            surface: None,
            level: Level::None,
            app: "none",
            ..case("none", SegmentClass::Standard, Some("phone"))
        };
        assert_eq!(verdict(silent), Some(Verdict::SeparationBreach));
        assert_eq!(verdict(Case { device: Some("laptop"), ..silent }), None);
        let exposed =
            Case { presence_only: true, surface: None, exposure: Some(at("2026-02-20")), ..case("wechat", SegmentClass::Sensitive, None) };
        assert_eq!(verdict(exposed), Some(Verdict::SeparationBreach));
        assert_eq!(verdict(Case { exposure: Some(at("2025-12-01")), ..exposed }), None, "longer ago than the window");
        let working = Case { work_service: Some(at("2026-03-03T08:30:00Z")), ..case("wechat", SegmentClass::Guest, None) };
        assert_eq!(verdict(working), Some(Verdict::SeparationBreach));
        assert_eq!(policy().judge(&working).others, [Verdict::Observed]);
    }

    #[test]
    fn disguise_and_no_policy() {
        let disguise = Case { disguise: true, surface: None, level: Level::None, ..case("none", SegmentClass::Sensitive, None) };
        assert_eq!(verdict(disguise), Some(Verdict::Disguise));
        assert_eq!(Policy::none().judge(&case("wechat", SegmentClass::Sensitive, None)).verdict, Some(Verdict::Observed));
    }

    proptest! {
        #[test]
        fn the_most_serious_decides_and_more_evidence_never_helps(
            app in proptest::sample::select(vec!["wechat", "tiktok", "wecom", "qq"]),
            class in proptest::sample::select(CLASSES.to_vec()),
            device in proptest::sample::select(vec![None, Some("phone"), Some("laptop"), Some("late")]),
            work in any::<bool>(),
            exposed in any::<bool>(),
        ) {
            let at = at("2026-03-01");
            let levels = [Level::Possible, Level::Probable, Level::Confirmed];
            let mut before = None;
            for level in levels {
                let case = Case { level, work_service: work.then_some(at), exposure: exposed.then_some(at), ..case(app, class, device) };
                let judged = policy().judge(&case);
                prop_assert!(judged.others.iter().all(|v| Some(*v) > judged.verdict));
                prop_assert!(judged.others.windows(2).all(|w| w[0] < w[1]));
                // Compliant and waived are the answers of a case that is judged at all; below the bar it is only observed.
                let rank = |v: Option<Verdict>| v.filter(|v| *v < Verdict::Disguise).map_or(u8::MAX, |v| v as u8);
                prop_assert!(before.is_none_or(|b| rank(judged.verdict) <= rank(b)));
                before = Some(judged.verdict);
            }
        }

        #[test]
        fn a_waiver_never_lifts_a_ban(class in proptest::sample::select(CLASSES.to_vec())) {
            let mut policy = policy();
            policy.waivers.iter_mut().for_each(|w| w.apps.push("tiktok".into()));
            policy.waivers.iter_mut().for_each(|w| w.segments = CLASSES.iter().map(|c| c.name().to_string()).collect());
            prop_assert_eq!(policy.judge(&case("tiktok", class, Some("laptop"))).verdict, Some(Verdict::Violation));
        }
    }
}
