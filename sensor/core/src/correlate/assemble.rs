//! From kept flows to findings: claims, accounts, verdicts. A pure fold, so the order of arrival does not matter.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};

use crate::evidence::FlowId;
use crate::field::Family;
use crate::finding::{DeviceFacts, EvidenceLine, Finding, FlowRow, Kind};
use crate::identity::{DeviceId, Identity};
use crate::policy::{Case, Judgement, Level, SegmentClass, SegmentId, Verdict};
use crate::rules::{Effect, Indicator, SERVER, Teaches};
use crate::time::Timestamp;

use super::account::{Account, Claim, Subject, Use};
use super::flows::FlowEntry;
use super::weigh::ADDRESS_WEIGHT;
use super::{Correlator, Report};

/// The app's name where there is none: a disguise, or a device that merely appears.
const NO_APP: &str = "none";

/// Accounts by device, then by what they are about.
type Accounts = BTreeMap<DeviceId, BTreeMap<Subject, Account>>;

type Levels = BTreeMap<(DeviceId, Subject), Level>;

impl Correlator {
    /// Judges everything that is known now.
    pub fn report(&mut self) -> Report {
        self.identify_contacts();
        let mut accounts = Accounts::new();
        let ids: Vec<_> = self.flows.keys().copied().collect();
        for id in &ids {
            self.book_direct(*id, &mut accounts);
        }
        for scope in [Scope::App, Scope::ConfirmedWeb] {
            // The accounts as they stood before this scope: an association never supports another one.
            let before = self.levels(&accounts);
            for id in &ids {
                self.book_learned(*id, scope, &before, &mut accounts);
            }
        }
        let works = self.work_services();
        let mut report = Report::default();
        for (device, own) in &accounts {
            let who = who(&self.identity, *device);
            for (subject, account) in own {
                self.judge(&who, (subject, account), own, works.get(device).copied(), &mut report);
            }
        }
        self.judge_presence(&accounts, &mut report);
        report.findings.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
        report.flows.sort_by_key(|f| (f.first, f.id, f.app.clone(), f.surface));
        report
    }

    fn levels(&self, accounts: &Accounts) -> Levels {
        let of_device = |(device, own): (&DeviceId, &BTreeMap<Subject, Account>)| {
            own.iter().map(|(subject, account)| ((*device, subject.clone()), account.scale.level())).collect::<Vec<_>>()
        };
        accounts.iter().flat_map(of_device).collect()
    }

    /// Books what a flow itself shows.
    fn book_direct(&self, id: FlowId, accounts: &mut Accounts) {
        let Some(flow) = self.flows.get(&id) else { return };
        let Some(device) = flow.device.map(|d| self.identity.canonical(d)) else { return };
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
            book(accounts.entry(device).or_default().entry(subject).or_default(), flow, &claim, indicator);
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
        let Some(device) = flow.device.map(|d| self.identity.canonical(d)) else { return };
        let mut explained = BTreeSet::new();
        for lesson in self.learned.explain(&flow.meta, flow.last) {
            let indicator = self.rules.indicator(lesson.indicator);
            let subject = Subject { app: indicator.app.clone(), surface: Some(indicator.surface) };
            let bar = match lesson.teaches {
                Teaches::ConfirmedWeb => Level::Confirmed,
                _ => Level::Possible,
            };
            let level = before.get(&(device, subject.clone())).copied().unwrap_or(Level::None);
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
            book(accounts.entry(device).or_default().entry(subject).or_default(), flow, &claim, indicator);
        }
    }

    /// When each device last spoke to one of the organisation's work services.
    fn work_services(&self) -> BTreeMap<DeviceId, Timestamp> {
        let mut latest = BTreeMap::new();
        for flow in self.flows.values() {
            let works = flow.signs.iter().any(|s| self.rules.indicator(s.indicator).effect == Effect::WorkService);
            if works || self.policy.is_work_service(flow.meta.server.addr) {
                let Some(device) = flow.device else { continue };
                let at = latest.entry(self.identity.canonical(device)).or_insert(flow.last);
                *at = flow.last.max(*at);
            }
        }
        latest
    }

    fn judge(
        &self,
        who: &DeviceFacts,
        (subject, account): (&Subject, &Account),
        own: &BTreeMap<Subject, Account>,
        work_service: Option<Timestamp>,
        report: &mut Report,
    ) {
        let level = account.scale.level();
        if level == Level::None && subject.surface.is_some() {
            return;
        }
        for (segment, usage) in &account.segments {
            let Some((first, last)) = usage.span else { continue };
            let case = Case {
                app: &subject.app,
                surface: subject.surface,
                level,
                segment: *segment,
                device: who.register.as_deref(),
                device_keys: std::slice::from_ref(&who.key),
                first_seen: first,
                last_seen: last,
                exposure: exposure(own, &subject.app, *segment, last),
                work_service,
                disguise: subject.surface.is_none(),
                presence_only: false,
            };
            let judgement = self.policy.judge(&case);
            self.state(who.clone(), subject, (*segment, usage), (level, account.scale.confidence()), judgement, report);
        }
    }

    /// Devices that are separate, or have used an app lately, and appear where they should not, silent or not.
    fn judge_presence(&self, accounts: &Accounts, report: &mut Report) {
        let mut places: BTreeMap<(DeviceId, SegmentId), (Timestamp, Timestamp)> = BTreeMap::new();
        for ((device, segment), (first, last)) in &self.presence {
            let span = places.entry((self.identity.canonical(*device), *segment)).or_insert((*first, *last));
            *span = (span.0.min(*first), span.1.max(*last));
        }
        for ((device, segment), (first, last)) in places {
            let used_here = |a: &Account| a.scale.level() > Level::None && a.segments.contains_key(&segment);
            let nothing = BTreeMap::new();
            let own = accounts.get(&device).unwrap_or(&nothing);
            if own.iter().any(|(s, a)| s.surface.is_some() && used_here(a)) {
                continue;
            }
            let who = who(&self.identity, device);
            let apps = own.keys().filter(|s| s.surface.is_some());
            let exposed = apps.filter_map(|s| exposure(own, &s.app, segment, last).map(|at| (at, s.clone()))).max_by_key(|(at, _)| *at);
            let subject = Subject { app: exposed.as_ref().map_or(NO_APP.into(), |(_, s)| s.app.clone()), surface: None };
            let case = Case {
                app: &subject.app,
                surface: None,
                level: Level::None,
                segment,
                device: who.register.as_deref(),
                device_keys: std::slice::from_ref(&who.key),
                first_seen: first,
                last_seen: last,
                exposure: exposed.as_ref().map(|(at, _)| *at),
                work_service: None,
                disguise: false,
                presence_only: true,
            };
            let judgement = self.policy.judge(&case);
            if judgement.verdict == Some(Verdict::SeparationBreach) {
                let usage = Use { span: Some((first, last)), ..Use::default() };
                self.state(who, &subject, (segment, &usage), (Level::None, 0.0), judgement, report);
            }
        }
    }

    fn state(
        &self,
        device: DeviceFacts,
        subject: &Subject,
        place: (SegmentId, &Use),
        sure: (Level, f64),
        judgement: Judgement,
        report: &mut Report,
    ) {
        let Some(verdict) = judgement.verdict else { return };
        let (segment, usage) = (self.policy.segment(place.0), place.1);
        let surface = subject.surface.map_or(NO_APP, |s| s.name());
        let id = format!("rf-{}", short_hash(&[&device.key, &subject.app, surface, &judgement.line, &segment.name], 16));
        let (first_seen, last_seen) = usage.span.unwrap_or_default();
        let class: SegmentClass = segment.class;
        report.flows.extend(self.rows(&id, subject, usage));
        report.findings.push(Finding {
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
        });
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
        lines.sort_by(|a, b| {
            b.weight.total_cmp(&a.weight).then_with(|| (&a.indicator, a.field, &a.value).cmp(&(&b.indicator, b.field, &b.value)))
        });
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

fn who(identity: &Identity, device: DeviceId) -> DeviceFacts {
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
        confidence: view.confidence,
        reasons: view.reasons,
    }
}

/// The latest confirmed use of an app in another segment, not after `until`.
fn exposure(own: &BTreeMap<Subject, Account>, app: &str, segment: SegmentId, until: Timestamp) -> Option<Timestamp> {
    own.iter()
        .filter(|(s, a)| *s.app == *app && a.scale.level() == Level::Confirmed)
        .flat_map(|(_, a)| a.segments.iter().filter(|(id, _)| **id != segment))
        .filter_map(|(_, usage)| usage.span)
        .filter(|(first, _)| *first <= until)
        .map(|(_, last)| last.min(until))
        .max()
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

type Order<'f> = (Verdict, &'f str, &'f str, &'f str, Option<crate::rules::Surface>);

fn order_of(finding: &Finding) -> Order<'_> {
    (finding.verdict, &finding.segment, &finding.device.key, &finding.app, finding.surface)
}

/// The first `digits` hexadecimal digits of SHA-256 over the parts, NUL between them.
fn short_hash(parts: &[&str], digits: usize) -> String {
    let hash = digest(&SHA256, parts.join("\0").as_bytes());
    hash.as_ref().iter().flat_map(|b| [b >> 4, b & 15]).take(digits).filter_map(|d| char::from_digit(u32::from(d), 16)).collect()
}
