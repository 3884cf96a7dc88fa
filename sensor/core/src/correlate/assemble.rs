//! From kept flows to findings: claims, accounts, verdicts. A pure fold, so the order of arrival does not matter.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};

use crate::evidence::FlowId;
use crate::field::Family;
use crate::finding::{Basis, DeviceFacts, EvidenceLine, Finding, FlowRow, Kind, Place};
use crate::identity::{DeviceId, Identity};
use crate::policy::{Case, Judgement, Level, SegmentClass, SegmentId, Verdict};
use crate::rules::{Effect, Indicator, SERVER, Surface, Teaches};
use crate::spans::Spans;
use crate::time::Timestamp;

use super::account::{Account, Claim, Subject, Use};
use super::changes::Group;
use super::flows::FlowEntry;
use super::past::sort_lines;
use super::weigh::ADDRESS_WEIGHT;
use super::{Correlator, Report};

/// The app's name where there is none: a disguise, or a device that merely appears.
const NO_APP: &str = "none";

/// The accounts of one device.
type Accounts = BTreeMap<Subject, Account>;

type Levels = BTreeMap<Subject, Level>;

impl Correlator {
    /// Judges one device; what its earlier flows said is added.
    pub(super) fn judge_group(&self, device: DeviceId, group: &Group, report: &mut Report) {
        let before = report.findings.len();
        self.judge_afresh(device, group, report);
        for finding in report.findings.iter_mut().skip(before) {
            if let Some(past) = self.past.get(&finding.id) {
                finding.add_past(past);
            }
        }
    }

    /// Judges one device by the flows at hand.
    pub(super) fn judge_afresh(&self, device: DeviceId, group: &Group, report: &mut Report) {
        let who = who(&self.identity, device);
        let accounts = self.accounts(&group.flows);
        let works = self.work_services(&group.flows);
        for (subject, account) in &accounts {
            self.judge(&who, (subject, account), &accounts, works, report);
        }
        self.judge_presence(&who, group, &accounts, report);
    }

    /// The accounts of one device over its flows.
    fn accounts(&self, flows: &[FlowId]) -> Accounts {
        let mut accounts = Accounts::new();
        for id in flows {
            self.book_direct(*id, &mut accounts);
        }
        for scope in [Scope::App, Scope::ConfirmedWeb] {
            // The accounts as they stood before this scope: an association never supports another one.
            let before: Levels = accounts.iter().map(|(subject, account)| (subject.clone(), account.scale.level())).collect();
            for id in flows {
                self.book_learned(*id, scope, &before, &mut accounts);
            }
        }
        accounts
    }

    /// Books what a flow itself shows.
    fn book_direct(&self, id: FlowId, accounts: &mut Accounts) {
        let Some(flow) = self.flows.get(&id) else { return };
        let disguised = flow.signs.iter().any(|s| self.rules.indicator(s.indicator).effect == Effect::Disguise);
        let resolver = self.resolvers.contains(&flow.meta.client.addr);
        for sign in &flow.signs {
            let indicator = self.rules.indicator(sign.indicator);
            let family = indicator.family_on(sign.field);
            let voided = disguised && family == Family::Http;
            let relayed = resolver && family == Family::Dns;
            let subject = match indicator.effect {
                Effect::Disguise => Subject { app: NO_APP.into(), surface: None },
                Effect::Evidence if !voided && !relayed => Subject { app: indicator.app.clone(), surface: Some(indicator.surface) },
                _ => continue,
            };
            let weight = if indicator.effect == Effect::Disguise { 0.0 } else { indicator.weight_on(sign.field) };
            let claim = Claim {
                indicator: sign.indicator,
                field: sign.field,
                family,
                value: sign.value.clone(),
                weight,
                count: sign.count,
                kind: Kind::Observed,
                signal: indicator.signal_on(sign.field),
                first: sign.first,
                last: if sign.count > 1 || flow.meta.transport == crate::net::Transport::Tcp {
                    flow.last.max(sign.last)
                } else {
                    sign.last
                },
            };
            book(accounts.entry(subject).or_default(), flow, &claim, indicator);
        }
    }

    /// Books a nameless flow to a learned address, for subjects that something else has started.
    fn book_learned(&self, id: FlowId, scope: Scope, before: &Levels, accounts: &mut Accounts) {
        let Some(flow) = self.flows.get(&id) else { return };
        let named = flow.named
            || flow.signs.iter().any(|s| {
                let indicator = self.rules.indicator(s.indicator);
                matches!(indicator.effect, Effect::Evidence | Effect::Disguise) && indicator.family_on(s.field) != Family::Structure
            });
        if named {
            return;
        }
        let mut explained = BTreeSet::new();
        for lesson in self.learned.explain(&flow.meta, flow.last) {
            let indicator = self.rules.indicator(lesson.indicator);
            let subject = Subject { app: indicator.app.clone(), surface: Some(indicator.surface) };
            let bar = match lesson.teaches {
                Teaches::ConfirmedWeb => Level::Confirmed,
                _ => Level::Possible,
            };
            let level = before.get(&subject).copied().unwrap_or(Level::None);
            // One reason is enough: several names at one address are no more than one.
            if Scope::of(lesson.teaches) != scope || level < bar || !explained.insert(subject.clone()) {
                continue;
            }
            let claim = Claim {
                indicator: lesson.indicator,
                field: &SERVER,
                family: Family::Address,
                value: flow.meta.server.addr.to_string().into(),
                weight: ADDRESS_WEIGHT,
                count: 1,
                kind: scope.kind(),
                signal: "associated",
                first: flow.meta.first,
                last: flow.last,
            };
            book(accounts.entry(subject).or_default(), flow, &claim, indicator);
        }
    }

    /// When one of these flows last spoke to one of the organisation's work services.
    fn work_services(&self, flows: &[FlowId]) -> Option<Timestamp> {
        let works = |flow: &&FlowEntry| {
            flow.signs.iter().any(|s| self.rules.indicator(s.indicator).effect == Effect::WorkService)
                || self.policy.is_work_service(flow.meta.server.addr)
        };
        flows.iter().filter_map(|id| self.flows.get(id)).filter(works).map(|flow| flow.last).max()
    }

    fn judge(
        &self,
        who: &DeviceFacts,
        (subject, account): (&Subject, &Account),
        own: &Accounts,
        work_service: Option<Timestamp>,
        report: &mut Report,
    ) {
        let keys = self.identity.all_keys(&who.key);
        let (floor, floor_confidence) = self.past.sureness(&keys, &subject.app, subject.surface);
        let level = account.scale.level();
        if level == Level::None && subject.surface.is_some() {
            return;
        }
        let (level, confidence) = (level.max(floor), account.scale.confidence().max(floor_confidence));
        for (segment, usage) in &account.segments {
            let Some((first, last)) = usage.span else { continue };
            let case = Case {
                app: &subject.app,
                surface: subject.surface,
                level,
                segment: *segment,
                device: who.register.as_deref(),
                device_keys: &keys,
                first_seen: first,
                last_seen: last,
                exposure: self.exposure(who, own, &subject.app, *segment, last),
                work_service,
                disguise: subject.surface.is_none(),
                presence_only: false,
            };
            let judgement = self.policy.judge(&case);
            self.state(who.clone(), subject, (*segment, usage), (level, confidence), (judgement, work_service), report);
        }
    }

    /// A device that is separate, or has used an app lately, and appears where it should not, silent or not.
    fn judge_presence(&self, who: &DeviceFacts, group: &Group, own: &Accounts, report: &mut Report) {
        let keys = self.identity.all_keys(&who.key);
        for (segment, (first, last)) in &group.places {
            let used_here = |a: &Account| a.scale.level() > Level::None && a.segments.contains_key(segment);
            if own.iter().any(|(s, a)| s.surface.is_some() && used_here(a)) {
                continue;
            }
            let now = own.keys().filter(|s| s.surface.is_some()).map(|s| &*s.app);
            let apps: BTreeSet<&str> = now.chain(self.past.confirmed(&keys).map(|(app, ..)| app)).collect();
            let exposed = apps.into_iter().filter_map(|app| self.exposure(who, own, app, *segment, *last).map(|at| (at, app)));
            let exposed = exposed.max_by_key(|(at, _)| *at);
            let subject = Subject { app: exposed.map_or(NO_APP, |(_, app)| app).into(), surface: None };
            let case = Case {
                app: &subject.app,
                surface: None,
                level: Level::None,
                segment: *segment,
                device: who.register.as_deref(),
                device_keys: &keys,
                first_seen: *first,
                last_seen: *last,
                exposure: exposed.map(|(at, _)| at),
                work_service: None,
                disguise: false,
                presence_only: true,
            };
            let judgement = self.policy.judge(&case);
            if judgement.verdict == Some(Verdict::SeparationBreach) {
                let usage = Use { span: Some((*first, *last)), presence: Spans::of(*first, *last), ..Use::default() };
                self.state(who.clone(), &subject, (*segment, &usage), (Level::None, 0.0), (judgement, None), report);
            }
        }
    }

    /// The latest confirmed use of an app in another segment, now or in the past, not after `until`.
    fn exposure(&self, who: &DeviceFacts, own: &Accounts, app: &str, segment: SegmentId, until: Timestamp) -> Option<Timestamp> {
        let here = &*self.policy.segment(segment).name;
        let now = own.iter().filter(|(s, a)| *s.app == *app && a.scale.level() == Level::Confirmed);
        let now = now.flat_map(|(_, a)| a.segments.iter().filter(|(id, _)| **id != segment)).filter_map(|(_, usage)| usage.span);
        let keys = self.identity.all_keys(&who.key);
        let past = self.past.confirmed(&keys).filter(|(a, place, _)| *a == app && *place != here).map(|(.., span)| span);
        now.chain(past).filter(|(first, _)| *first <= until).map(|(_, last)| last.min(until)).max()
    }

    fn state(
        &self,
        device: DeviceFacts,
        subject: &Subject,
        place: (SegmentId, &Use),
        sure: (Level, f64),
        (judgement, work_service): (Judgement, Option<Timestamp>),
        report: &mut Report,
    ) {
        let Some(verdict) = judgement.verdict else { return };
        let (segment, usage) = (self.policy.segment(place.0), place.1);
        let id = finding_id(&device.key, &subject.app, subject.surface, &judgement.line, &segment.name);
        let (first_seen, last_seen) = usage.span.unwrap_or_default();
        let class: SegmentClass = segment.class;
        report.flows.extend(self.rows(&id, subject, usage));
        let finding = Finding {
            id,
            device,
            segment: segment.name.to_string(),
            segment_class: class.name(),
            app: subject.app.to_string(),
            surface: subject.surface,
            level: sure.0,
            confidence: sure.1,
            verdict,
            others: judgement.others,
            policy: judgement.line,
            waiver: judgement.waiver,
            reasons: judgement.reasons,
            first_seen,
            last_seen,
            flows: usage.flows.len() as u64,
            bytes_up: usage.bytes[0],
            bytes_down: usage.bytes[1],
            instances: installations(&usage.installations).max(u64::from(subject.surface.is_some())),
            classes: usage.classes.iter().map(|c| c.to_string()).collect(),
            regions: usage.regions.iter().map(|r| r.to_string()).collect(),
            evidence: self.evidence(usage),
            fingerprints: usage.fingerprints.iter().map(|(f, v)| (*f, v.to_string())).collect(),
            presence: usage.presence.clone(),
            basis: Basis { work_service, place: self.place_of(usage) },
        };
        report.findings.push(finding);
    }

    /// Where the latest flow was seen.
    fn place_of(&self, usage: &Use) -> Option<Place> {
        let meta = usage.flows.keys().filter_map(|id| self.flows.get(id)).max_by_key(|flow| flow.last).map(|flow| flow.meta)?;
        let interface = self.interfaces.get(usize::from(meta.interface)).cloned().unwrap_or_default();
        Some(Place { interface, path: meta.path, addr: meta.client.addr })
    }

    fn evidence(&self, usage: &Use) -> Vec<EvidenceLine> {
        let mut lines: Vec<EvidenceLine> = usage
            .lines
            .iter()
            .map(|(key, line)| EvidenceLine {
                indicator: self.rules.indicator(key.indicator).id.to_string(),
                family: line.family.letter(),
                field: key.field,
                value: key.value.to_string(),
                weight: line.weight,
                count: line.count,
                kind: key.kind,
            })
            .collect();
        sort_lines(&mut lines);
        lines
    }

    fn rows(&self, finding: &str, subject: &Subject, usage: &Use) -> Vec<FlowRow> {
        let row = |(id, signs): (&FlowId, &super::account::FlowSigns)| {
            let flow = self.flows.get(id)?;
            let mut seen = BTreeSet::new();
            Some(FlowRow {
                id: *id,
                finding: finding.to_string(),
                client: flow.meta.client,
                server: flow.meta.server,
                transport: flow.meta.transport,
                app: subject.app.to_string(),
                surface: subject.surface,
                level: Level::of(signs.scale.confidence()),
                signals: signs.signals.iter().map(|(_, s)| *s).filter(|s| seen.insert(*s)).collect(),
                first: flow.meta.first,
                last: flow.last,
                bytes: flow.bytes,
            })
        };
        usage.flows.iter().filter_map(row).collect()
    }
}

pub(super) fn who(identity: &Identity, device: DeviceId) -> DeviceFacts {
    let view = identity.view(device);
    DeviceFacts {
        id: format!("dev-{}", short_hash(&[&view.key], 12)),
        key: view.key,
        mac: view.mac,
        addresses: view.addresses,
        name: view.names.into_iter().next(),
        register: view.register.map(Into::into),
        randomised_mac: view.randomised_mac,
        behind_router: view.behind_router,
        shared_nic: view.shared_nic,
        confidence: view.confidence,
        reasons: view.reasons,
    }
}

/// How many installations there are at least: distinct tickets of the kind that has most.
fn installations(tickets: &BTreeSet<u64>) -> u64 {
    let mut by_kind: BTreeMap<u64, u64> = BTreeMap::new();
    for ticket in tickets {
        *by_kind.entry(ticket & 0xff).or_default() += 1;
    }
    by_kind.values().copied().max().unwrap_or(0)
}

/// Which lessons are booked in one round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    App,
    ConfirmedWeb,
}

impl Scope {
    fn of(teaches: Teaches) -> Scope {
        if teaches == Teaches::ConfirmedWeb { Scope::ConfirmedWeb } else { Scope::App }
    }

    fn kind(self) -> Kind {
        match self {
            Scope::App => Kind::Associated,
            Scope::ConfirmedWeb => Kind::Inferred,
        }
    }
}

fn book(account: &mut Account, flow: &FlowEntry, claim: &Claim, indicator: &Indicator) {
    let signs = account.segments.entry(flow.segment).or_default().book(flow, claim, &indicator.class, &indicator.region);
    if claim.family == Family::Address {
        signs.scale.address(claim.indicator, indicator);
        account.scale.address(claim.indicator, indicator);
    } else {
        signs.scale.sign(claim.indicator, indicator, claim.family, claim.weight);
        account.scale.sign(claim.indicator, indicator, claim.family, claim.weight);
    }
}

type Order<'f> = (Verdict, &'f str, &'f str, &'f str, Option<Surface>, &'f str);

fn order_of(finding: &Finding) -> Order<'_> {
    (finding.verdict, &finding.segment, &finding.device.key, &finding.app, finding.surface, &finding.id)
}

impl Report {
    pub(super) fn sort(&mut self) {
        self.findings.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
        self.flows.sort_by_key(|f| (f.first, f.id, f.app.clone(), f.surface));
    }
}

/// The id of a finding: the same for the same device, app, surface, line and segment.
pub(super) fn finding_id(device: &str, app: &str, surface: Option<Surface>, line: &str, segment: &str) -> String {
    let surface = surface.map_or(NO_APP, |s| s.name());
    format!("rf-{}", short_hash(&[device, app, surface, line, segment], 16))
}

/// The first `digits` hexadecimal digits of SHA-256 over the parts, NUL between them.
fn short_hash(parts: &[&str], digits: usize) -> String {
    let hash = digest(&SHA256, parts.join("\0").as_bytes());
    hash.as_ref().iter().flat_map(|b| [b >> 4, b & 15]).take(digits).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}
