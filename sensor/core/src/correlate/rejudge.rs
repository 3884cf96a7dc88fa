//! What was found before, judged by another policy, or as it stood at an earlier time.
//!
//! A finding carries what its verdict rests on; so the past can be judged again without the packets: by `ringfence judge`, by
//! `ringfence explain --at`, and when the running sensor gets another policy. Pure: findings and a policy in, findings out.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Finding;
use crate::policy::{Case, Level, Policy, SegmentId};
use crate::time::Timestamp;

use super::assemble::finding_id;

/// The line of findings that rest on mere presence.
pub(super) const PRESENCE_LINE: &str = "separation";

/// A finding in the segment where the policy puts it.
struct Placed {
    finding: Finding,
    segment: SegmentId,
    register: Option<String>,
}

/// A finding, judged again.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejudged {
    /// Its id before.
    pub before: String,
    /// What it is now; `None` when there is nothing to record any more.
    pub now: Option<Finding>,
}

/// Judges findings by a policy. All findings of a device belong together, for one exposes the other. A finding whose place is not known,
/// and whose segment the policy does not know, stays as it is.
pub fn rejudge(policy: &mut Policy, findings: impl IntoIterator<Item = Finding>) -> Vec<Rejudged> {
    let mut devices: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        devices.entry(finding.device.key.clone()).or_default().push(finding);
    }
    devices.into_values().flat_map(|of_device| rejudge_device(policy, of_device)).collect()
}

/// Findings as they stood at a time: what came later is left out, of use and of waivers.
pub fn as_of(findings: impl IntoIterator<Item = Finding>, at: Timestamp) -> Vec<Finding> {
    let clipped = findings.into_iter().filter(|f| f.first_seen <= at).map(|mut f| {
        f.presence = f.presence.until(at);
        // A silence at that time: the last sign before it is what counted.
        f.last_seen = f.presence.iter().next_back().map_or(f.last_seen.min(at), |(_, last)| last.max(f.first_seen));
        f.basis.work_service = f.basis.work_service.filter(|seen| *seen <= at);
        f
    });
    clipped.collect()
}

fn rejudge_device(policy: &mut Policy, findings: Vec<Finding>) -> Vec<Rejudged> {
    let mut kept = Vec::new();
    let mut placed = Vec::new();
    for finding in findings {
        match segment_of(policy, &finding) {
            Some(segment) => placed.push(Placed { register: register_of(policy, &finding), segment, finding }),
            None => kept.push(Rejudged { before: finding.id.clone(), now: Some(finding) }),
        }
    }
    let judged = placed.iter().map(|p| Rejudged { before: p.finding.id.clone(), now: judge(policy, p, &placed) });
    judged.chain(kept).collect()
}

fn segment_of(policy: &mut Policy, finding: &Finding) -> Option<SegmentId> {
    match &finding.basis.place {
        Some(place) => Some(policy.segment_of(&place.interface, &place.path, place.addr)),
        None => policy.segments.by_name(&finding.segment),
    }
}

/// The register of the policy may know the device, or know it no more.
fn register_of(policy: &Policy, finding: &Finding) -> Option<String> {
    let named = finding.device.register.as_deref().filter(|id| policy.register.get(id).is_some());
    let by_mac = || policy.register.devices().find(|d| finding.device.mac.is_some_and(|mac| d.macs.contains(&mac)));
    named.map(str::to_string).or_else(|| by_mac().map(|d| d.id.clone()))
}

fn judge(policy: &Policy, placed: &Placed, all: &[Placed]) -> Option<Finding> {
    let finding = &placed.finding;
    let presence_only = finding.surface.is_none() && finding.policy == PRESENCE_LINE;
    let (exposure, app) = exposure(placed, all, presence_only);
    let case = Case {
        app: &app,
        surface: finding.surface,
        level: finding.level,
        segment: placed.segment,
        device: placed.register.as_deref(),
        device_keys: std::slice::from_ref(&finding.device.key),
        first_seen: finding.first_seen,
        last_seen: finding.last_seen,
        exposure,
        work_service: finding.basis.work_service,
        disguise: finding.surface.is_none() && !presence_only,
        presence_only,
    };
    let judgement = policy.judge(&case);
    let segment = policy.segment(placed.segment);
    let id = finding_id(&finding.device.key, &app, finding.surface, &judgement.line, &segment.name);
    Some(Finding {
        id,
        segment: segment.name.to_string(),
        segment_class: segment.class.name(),
        verdict: judgement.verdict?,
        others: judgement.others,
        policy: judgement.line,
        waiver: judgement.waiver,
        reasons: judgement.reasons,
        app,
        ..finding.clone()
    })
}

/// The latest confirmed use of the app by the same device in another segment; of mere presence, of any app.
fn exposure(placed: &Placed, all: &[Placed], presence_only: bool) -> (Option<Timestamp>, String) {
    let until = placed.finding.last_seen;
    let sure = |p: &&Placed| p.finding.level == Level::Confirmed && p.finding.surface.is_some() && p.finding.first_seen <= until;
    let elsewhere = all.iter().filter(sure).filter(|p| p.segment != placed.segment);
    let same_app = elsewhere.filter(|p| presence_only || p.finding.app == placed.finding.app);
    let latest = same_app.map(|p| (p.finding.last_seen.min(until), p.finding.app.clone())).max();
    match latest {
        Some((at, app)) if presence_only => (Some(at), app),
        Some((at, _)) => (Some(at), placed.finding.app.clone()),
        None => (None, placed.finding.app.clone()),
    }
}

/// Findings that turned out to be one are one.
pub fn merged(rejudged: impl IntoIterator<Item = Rejudged>) -> Vec<Finding> {
    let mut all: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in rejudged.into_iter().filter_map(|r| r.now) {
        match all.get_mut(&finding.id) {
            Some(known) => known.add_past(&finding),
            None => drop(all.insert(finding.id.clone(), finding)),
        }
    }
    all.into_values().collect()
}

/// Ids that stand for nothing any more.
pub(super) fn gone(rejudged: &[Rejudged]) -> BTreeSet<String> {
    let now: BTreeSet<&str> = rejudged.iter().filter_map(|r| r.now.as_ref()).map(|f| &*f.id).collect();
    rejudged.iter().map(|r| &r.before).filter(|id| !now.contains(id.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::finding::{DeviceFacts, Place};
    use crate::net::Path;
    use crate::policy::{Line, SegmentClass, Selector, Status, Verdict, Waiver};
    use crate::rules::Surface;
    use crate::spans::Spans;

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(n: u32) -> Timestamp {
        Timestamp::from_secs_nanos(1_790_000_000, 0).after(DAY * n)
    }

    fn policy(class: SegmentClass) -> Policy {
        let mut policy = Policy::none().configured();
        policy.segments.add("lab", class, vec![Selector::Prefix("10.0.1.0/24".parse().expect("a prefix"))]);
        policy.segments.add("guest", SegmentClass::Guest, vec![Selector::Prefix("10.0.2.0/24".parse().expect("a prefix"))]);
        policy
    }

    fn finding(id: &str, segment: &str, addr: &str, (first, last): (u32, u32)) -> Finding {
        let device = DeviceFacts { key: "mac:02:00:5e:10:00:01".into(), mac: "02:00:5e:10:00:01".parse().ok(), ..DeviceFacts::default() };
        let mut f = Finding::blank(id, device);
        (f.segment, f.app, f.surface, f.level) = (segment.into(), "wechat".into(), Some(Surface::App), Level::Confirmed);
        (f.first_seen, f.last_seen, f.presence) = (day(first), day(last), Spans::restore((first..=last).map(|d| (day(d), day(d))), []));
        f.basis.place = Some(Place { interface: "span0".into(), path: Path::default(), addr: addr.parse().expect("an address") });
        f
    }

    fn verdicts(policy: &mut Policy, findings: &[Finding]) -> Vec<(String, Option<Verdict>)> {
        let judged = rejudge(policy, findings.to_vec());
        judged.into_iter().map(|r| (r.before, r.now.map(|f| f.verdict))).collect()
    }

    #[test]
    fn a_changed_policy_changes_what_was_found() {
        let lab = finding("a", "lab", "10.0.1.7", (1, 2));
        let one = |policy: &mut Policy| verdicts(policy, std::slice::from_ref(&lab))[0].1;
        assert_eq!(one(&mut policy(SegmentClass::Standard)), Some(Verdict::Unapproved));
        assert_eq!(one(&mut policy(SegmentClass::Sensitive)), Some(Verdict::Violation));
        let mut allowed = policy(SegmentClass::Standard);
        let line = Line { name: "fine".into(), apps: vec![], classes: vec![], segments: vec![], status: Status::Allowed };
        allowed.lines.push(line);
        assert_eq!(one(&mut allowed), None);
        let mut waived = policy(SegmentClass::Standard);
        waived.waivers.push(Waiver {
            id: "W".into(),
            holders: vec!["mac:02:00:5e:10:00:01".into()],
            apps: vec!["wechat".into()],
            segments: vec!["lab".into()],
            approver: "CISO".into(),
            reason: "r".into(),
            start: day(0),
            end: day(2),
            revoked: None,
        });
        assert_eq!(one(&mut waived), Some(Verdict::WaiverExpired));
        let before = as_of([lab.clone()], day(1).after(DAY / 2));
        assert_eq!((before[0].last_seen, verdicts(&mut waived, &before)[0].1), (day(1), Some(Verdict::Waived)));
        assert_eq!(as_of([lab], day(0)), []);
    }

    #[test]
    fn one_finding_exposes_the_other_where_the_policy_puts_them() {
        let (guest, lab) = (finding("g", "guest", "10.0.2.7", (1, 1)), finding("l", "lab", "10.0.1.7", (5, 5)));
        let mut sensitive = policy(SegmentClass::Sensitive);
        let judged = rejudge(&mut sensitive, [guest.clone(), lab.clone()]);
        let breach = judged[1].now.as_ref().expect("a finding");
        assert_eq!((breach.verdict, &breach.others[..]), (Verdict::Violation, &[Verdict::SeparationBreach][..]));
        sensitive.exposure = DAY;
        let judged = rejudge(&mut sensitive, [guest, lab]);
        assert!(judged[1].now.as_ref().expect("a finding").others.is_empty(), "too long ago");
    }

    #[test]
    fn what_becomes_one_is_one_and_what_has_no_place_stays() {
        let mut wide = Policy::none().configured();
        wide.segments.add("all", SegmentClass::Standard, vec![Selector::Prefix("10.0.0.0/16".parse().expect("a prefix"))]);
        let two = [finding("a", "lab", "10.0.1.7", (1, 1)), finding("b", "guest", "10.0.2.7", (3, 3))];
        let judged = rejudge(&mut wide, two);
        assert_eq!(gone(&judged), ["a".to_string(), "b".to_string()].into());
        let one = merged(judged);
        assert_eq!((one.len(), &*one[0].segment, one[0].first_seen, one[0].last_seen), (1, "all", day(1), day(3)));
        assert_eq!(one[0].presence.iter().len(), 2);
        let mut nowhere = finding("c", "old-name", "10.0.1.7", (1, 1));
        nowhere.basis.place = None;
        assert_eq!(rejudge(&mut wide, [nowhere.clone()]), [Rejudged { before: "c".into(), now: Some(nowhere) }]);
    }
}
