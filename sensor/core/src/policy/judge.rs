//! The verdict: every reason that holds is collected, the most serious one decides, the others are listed.

use crate::rules::Surface;
use crate::time::Timestamp;

use super::register::Device;
use super::segment::{Segment, SegmentId};
use super::status::Standing;
use super::waiver::{Waiver, reckon};
use super::words::{Level, SegmentClass, Status, Verdict};
use super::{Policy, Reckoning};

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
    /// The most serious verdict; `None` when nothing is to be recorded.
    pub verdict: Option<Verdict>,
    /// Other verdicts that hold, most serious first.
    pub others: Vec<Verdict>,
    /// The policy line, or the default, that decided.
    pub line: String,
    /// The waiver that counts: the one that covers the use, or the one that ended.
    pub waiver: Option<String>,
    /// Why, in sentences, the most serious verdict's first.
    pub reasons: Vec<String>,
}

/// Verdicts with their reasons, while they are collected.
#[derive(Default)]
struct Grounds {
    held: Vec<(Verdict, String)>,
    waiver: Option<String>,
}

/// A case with what the policy knows about its place and its device.
struct Matter<'p, 'c> {
    case: &'c Case<'c>,
    segment: &'p Segment,
    standing: Standing,
    device: Option<&'p Device>,
}

impl Policy {
    /// Judges a case.
    pub fn judge(&self, case: &Case<'_>) -> Judgement {
        let mut grounds = Grounds::default();
        let segment = self.segment(case.segment);
        let matter =
            Matter { case, segment, standing: self.standing(case.app, segment), device: case.device.and_then(|id| self.register.get(id)) };
        if case.disguise {
            grounds.add(Verdict::Disguise, "the app's headers around a body that is not the app's: a tunnel, or a test");
        }
        if self.is_configured() {
            self.presence(&matter, &mut grounds);
            self.mixing(&matter, &mut grounds);
            self.use_of_the_app(&matter, &mut grounds);
        } else if matter.is_use() {
            grounds.add(Verdict::Observed, "no policy was given");
        }
        grounds.conclude(self.line_of(&matter))
    }

    /// What outputs call the rule behind the judgement. It does not depend on the level, so a finding keeps its line as it grows.
    fn line_of(&self, matter: &Matter<'_, '_>) -> String {
        match matter.case {
            Case { presence_only: true, .. } => "separation".to_string(),
            Case { disguise: true, level: Level::None, .. } => "disguise".to_string(),
            _ if !self.is_configured() => "none".to_string(),
            _ => matter.standing.line.clone(),
        }
    }

    /// Where the device is, whether or not it uses the app there.
    fn presence(&self, matter: &Matter<'_, '_>, grounds: &mut Grounds) {
        let (case, segment) = (matter.case, matter.segment);
        if matter.is_designated() && matches!(segment.class, SegmentClass::Sensitive | SegmentClass::Standard) {
            let reason = format!("a designated separate device is in {} ({})", segment.name, segment.class.name());
            grounds.add(Verdict::SeparationBreach, reason);
        }
        let exposed = |at: &Timestamp| *at <= case.last_seen && case.first_seen.since(*at) <= self.exposure;
        if segment.class == SegmentClass::Sensitive
            && matter.standing.separates()
            && let Some(at) = case.exposure.filter(exposed)
        {
            let reason = format!("confirmed use elsewhere until {}, now in the sensitive segment {}", at.to_minute(), segment.name);
            grounds.add(Verdict::SeparationBreach, reason);
        }
    }

    /// The app and the organisation's work services on one device.
    fn mixing(&self, matter: &Matter<'_, '_>, grounds: &mut Grounds) {
        let case = matter.case;
        let near = |at: &Timestamp| case.first_seen.since(*at) <= self.exposure && at.since(case.last_seen) <= self.exposure;
        if matter.is_use()
            && case.level >= self.bar(matter.segment.class)
            && matter.standing.separates()
            && let Some(at) = case.work_service.filter(near)
        {
            grounds
                .add(Verdict::SeparationBreach, format!("the same device uses the organisation's work services (last {})", at.to_minute()));
        }
    }

    /// What the policy says about use. Below the bar it is at most observed.
    fn use_of_the_app(&self, matter: &Matter<'_, '_>, grounds: &mut Grounds) {
        let (case, segment, status) = (matter.case, matter.segment, matter.standing.status);
        if !matter.is_use() || status == Status::Allowed {
            return;
        }
        let in_place = matter.is_designated() && matter.may_be_here();
        if in_place && status != Status::Banned {
            grounds.add(Verdict::Compliant, format!("a designated device in {}, where it may be", segment.name));
        }
        let bar = self.bar(segment.class);
        match status {
            Status::Tolerated if segment.class == SegmentClass::Unknown => {
                grounds.add(Verdict::Observed, [&*segment.name, " is not configured as a segment"].concat());
            }
            Status::Tolerated => grounds.add(Verdict::Observed, ["tolerated in ", &*segment.name].concat()),
            Status::UnderAudit => grounds.add(Verdict::Observed, "under audit: recorded, not judged"),
            Status::SeparateDevice if in_place => {}
            _ if case.level < bar => {
                let (level, class) = (case.level.name(), segment.class.name());
                grounds.add(Verdict::Observed, format!("{level} is below the bar ({}) for a verdict in {class} segments", bar.name()));
            }
            _ => self.restricted(matter, grounds),
        }
    }

    /// Use that nothing but a waiver permits.
    fn restricted(&self, matter: &Matter<'_, '_>, grounds: &mut Grounds) {
        let (case, segment) = (matter.case, matter.segment);
        if !matter.standing.waivable {
            grounds.add(Verdict::Violation, format!("{} is banned in {}; no waiver is possible", case.app, segment.name));
            return;
        }
        let holders = matter.holders();
        let waivers: Vec<&Waiver> = self.waivers.iter().filter(|w| w.concerns(&holders, case.app, &segment.name)).collect();
        let reckoning = reckon(&waivers, case.first_seen, case.last_seen);
        if reckoning.is_covered() {
            grounds.waived(&reckoning);
            return;
        }
        if let Some(waiver) = reckoning.expired {
            grounds.waiver = Some(waiver.id.clone());
            let reason = format!("waiver {} {}, use went on until {}", waiver.id, waiver.ended(), case.last_seen.to_minute());
            grounds.add(Verdict::WaiverExpired, reason);
        }
        if segment.class == SegmentClass::Sensitive || matter.standing.status == Status::Banned {
            let reason = format!("{} on the {} segment {} without a valid waiver", case.app, segment.class.name(), segment.name);
            let later = not_yet(&waivers, case.first_seen).map_or(String::new(), |why| format!(": {why}"));
            grounds.add(Verdict::Violation, reason + &later);
        } else if reckoning.uncovered {
            let waiver = not_yet(&waivers, case.first_seen).unwrap_or_else(|| "no waiver".to_string());
            let device = if matter.is_designated() { "a designated device may not be here" } else { "not a designated device" };
            grounds.add(Verdict::Unapproved, format!("{device}, {waiver}, in {} ({})", segment.name, segment.class.name()));
        }
    }
}

/// The waiver that use did not wait for.
fn not_yet(waivers: &[&Waiver], first_seen: Timestamp) -> Option<String> {
    let next = waivers.iter().filter(|w| w.start > first_seen).min_by_key(|w| w.start)?;
    Some(format!("waiver {} begins {}, use began {}", next.id, next.start.to_minute(), first_seen.to_minute()))
}

impl Matter<'_, '_> {
    /// Whether there are signs of use, not only of a disguise or of the device.
    fn is_use(&self) -> bool {
        !self.case.presence_only && self.case.level > Level::None
    }

    fn is_designated(&self) -> bool {
        self.device.is_some_and(|d| d.designated)
    }

    /// Whether the segment is one where separate devices may be, this one included.
    fn may_be_here(&self) -> bool {
        let named = |d: &Device| d.allowed_segments.is_empty() || d.allowed_segments.iter().any(|s| **s == *self.segment.name);
        matches!(self.segment.class, SegmentClass::Separate | SegmentClass::Guest) && self.device.is_some_and(named)
    }

    /// What a waiver may call the device.
    fn holders(&self) -> Vec<String> {
        let macs = self.device.into_iter().flat_map(|d| d.macs.iter().map(|m| format!("mac:{m}")));
        self.case.device.map(str::to_string).into_iter().chain(self.case.device_keys.iter().cloned()).chain(macs).collect()
    }
}

impl Grounds {
    fn add(&mut self, verdict: Verdict, reason: impl Into<String>) {
        self.held.push((verdict, reason.into()));
    }

    fn waived(&mut self, reckoning: &Reckoning<'_>) {
        for waiver in &reckoning.covering {
            let reason =
                format!("waiver {} ({}) until {}, approved by {}", waiver.id, waiver.reason, waiver.last_moment(), waiver.approver);
            self.add(Verdict::Waived, reason);
        }
        self.waiver = reckoning.covering.last().map(|w| w.id.clone());
    }

    fn conclude(mut self, line: String) -> Judgement {
        self.held.sort_by_key(|(verdict, _)| *verdict);
        let mut verdicts: Vec<Verdict> = self.held.iter().map(|(v, _)| *v).collect();
        verdicts.dedup();
        let mut others = verdicts.into_iter();
        Judgement {
            verdict: others.next(),
            others: others.collect(),
            line,
            waiver: self.waiver,
            reasons: self.held.into_iter().map(|(_, reason)| reason).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
