//! From kept flows to findings: claims, accounts, verdicts. A pure fold, so the order of arrival does not matter.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};

use crate::field::Family;
use crate::finding::{Basis, EvidenceLine, Finding, FlowRow, Kind, Place};
use crate::identity::DeviceId;
use crate::net::text::push_hex;
use crate::policy::{Case, Judgement, Level, SegmentClass, SegmentId, Verdict};
use crate::rules::{Effect, SERVER, Surface, Teaches};
use crate::spans::Spans;
use crate::time::Timestamp;

use super::account::{Account, Claim, Subject, Use};
use super::changes::Group;
use super::flows::FlowEntry;
use super::past::sort_lines;
use super::weigh::ADDRESS_WEIGHT;
use super::who::Who;
use super::{Correlator, Report};

/// The app's name where there is none: a disguise, or a device that merely appears.
const NO_APP: &str = "none";

/// The accounts of one device.
type Accounts<'r> = BTreeMap<Subject<'r>, Account<'r>>;

type Levels<'r> = BTreeMap<Subject<'r>, Level>;

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
        let who = Who::new(&self.identity, device);
        let flows: Vec<&FlowEntry> = group.flows.iter().filter_map(|id| self.flows.get(id)).collect();
        let accounts = self.accounts(&flows);
        let works = self.work_services(&flows);
        for (subject, account) in &accounts {
            self.judge(&who, (subject, account), &accounts, works, report);
        }
        self.judge_presence(&who, group, &accounts, report);
    }

    /// The accounts of one device over its flows.
    fn accounts<'r>(&'r self, flows: &[&'r FlowEntry]) -> Accounts<'r> {
        let mut accounts = Accounts::new();
        flows.iter().for_each(|flow| self.book_direct(flow, &mut accounts));
        // Where nothing was started, or no server is known, no address extends anything.
        let mut nameless = flows.iter().filter(|flow| self.learned.has(flow.meta.server.addr) && !self.is_named(flow)).peekable();
        if accounts.is_empty() || nameless.peek().is_none() {
            return accounts;
        }
        let nameless: Vec<&FlowEntry> = nameless.copied().collect();
        for scope in [Scope::App, Scope::ConfirmedWeb] {
            // The accounts as they stood before this scope: an association never supports another one.
            let before: Levels = accounts.iter().map(|(subject, account)| (*subject, account.scale.level())).collect();
            nameless.iter().for_each(|flow| self.book_learned(flow, scope, &before, &mut accounts));
        }
        accounts
    }

    /// Books what a flow itself shows.
    fn book_direct<'r>(&'r self, flow: &'r FlowEntry, accounts: &mut Accounts<'r>) {
        let disguised = flow.signs.iter().any(|s| self.rules.indicator(s.indicator).effect == Effect::Disguise);
        let resolver = self.resolvers.contains(&flow.meta.client.addr);
        for sign in &flow.signs {
            let indicator = self.rules.indicator(sign.indicator);
            let family = indicator.family_on(sign.field);
            let voided = disguised && family == Family::Http;
            let relayed = resolver && family == Family::Dns;
            let subject = match indicator.effect {
                Effect::Disguise => Subject { app: NO_APP, surface: None },
                Effect::Evidence if !voided && !relayed => Subject { app: &indicator.app, surface: Some(indicator.surface) },
                _ => continue,
            };
            let weight = if indicator.effect == Effect::Disguise { 0.0 } else { indicator.weight_on(sign.field) };
            let claim = Claim {
                indicator: sign.indicator,
                field: sign.field,
                family,
                value: Cow::Borrowed(&*sign.value),
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
            accounts.entry(subject).or_default().book(flow, claim, indicator);
        }
    }

    /// Whether a name says what a flow is.
    fn is_named(&self, flow: &FlowEntry) -> bool {
        flow.named
            || flow.signs.iter().any(|s| {
                let indicator = self.rules.indicator(s.indicator);
                matches!(indicator.effect, Effect::Evidence | Effect::Disguise) && indicator.family_on(s.field) != Family::Structure
            })
    }

    /// Books a nameless flow to a learned address, for subjects that something else has started.
    fn book_learned<'r>(&'r self, flow: &'r FlowEntry, scope: Scope, before: &Levels<'r>, accounts: &mut Accounts<'r>) {
        let mut explained = BTreeSet::new();
        for lesson in self.learned.explain(&flow.meta, flow.last) {
            let indicator = self.rules.indicator(lesson.indicator);
            let subject = Subject { app: &indicator.app, surface: Some(indicator.surface) };
            let bar = match lesson.teaches {
                Teaches::ConfirmedWeb => Level::Confirmed,
                _ => Level::Possible,
            };
            let level = before.get(&subject).copied().unwrap_or(Level::None);
            // One reason is enough: several names at one address are no more than one.
            if Scope::of(lesson.teaches) != scope || level < bar || !explained.insert(subject) {
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
            accounts.entry(subject).or_default().book(flow, claim, indicator);
        }
    }

    /// When one of these flows last spoke to one of the organisation's work services.
    fn work_services(&self, flows: &[&FlowEntry]) -> Option<Timestamp> {
        let works = |flow: &&&FlowEntry| {
            flow.signs.iter().any(|s| self.rules.indicator(s.indicator).effect == Effect::WorkService)
                || self.policy.is_work_service(flow.meta.server.addr)
        };
        flows.iter().filter(works).map(|flow| flow.last).max()
    }

    fn judge(
        &self,
        who: &Who<'_>,
        (subject, account): (&Subject<'_>, &Account<'_>),
        own: &Accounts<'_>,
        work_service: Option<Timestamp>,
        report: &mut Report,
    ) {
        let (floor, floor_confidence) = self.past.sureness(&who.keys, subject.app, subject.surface);
        let level = account.scale.level();
        if level == Level::None && subject.surface.is_some() {
            return;
        }
        let (level, confidence) = (level.max(floor), account.scale.confidence().max(floor_confidence));
        for (segment, usage) in &account.segments {
            let Some((first, last)) = usage.span else { continue };
            let case = Case {
                app: subject.app,
                surface: subject.surface,
                level,
                segment: *segment,
                device: who.register,
                device_keys: &who.keys,
                first_seen: first,
                last_seen: last,
                exposure: self.exposure(who, own, subject.app, *segment, last),
                work_service,
                disguise: subject.surface.is_none(),
                presence_only: false,
            };
            let judgement = self.policy.judge(&case);
            self.state(who, subject, (*segment, usage), (level, confidence), (judgement, work_service), report);
        }
    }

    /// A device that is separate, or has used an app lately, and appears where it should not, silent or not.
    fn judge_presence(&self, who: &Who<'_>, group: &Group, own: &Accounts<'_>, report: &mut Report) {
        for (segment, (first, last)) in &group.places {
            let used_here = |a: &Account<'_>| a.scale.level() > Level::None && a.segments.contains_key(segment);
            if own.iter().any(|(s, a)| s.surface.is_some() && used_here(a)) {
                continue;
            }
            let now = own.keys().filter(|s| s.surface.is_some()).map(|s| s.app);
            let apps: BTreeSet<&str> = now.chain(self.past.confirmed(&who.keys).map(|(app, ..)| app)).collect();
            let exposed = apps.into_iter().filter_map(|app| self.exposure(who, own, app, *segment, *last).map(|at| (at, app)));
            let exposed = exposed.max_by_key(|(at, _)| *at);
            let subject = Subject { app: exposed.map_or(NO_APP, |(_, app)| app), surface: None };
            let case = Case {
                app: subject.app,
                surface: None,
                level: Level::None,
                segment: *segment,
                device: who.register,
                device_keys: &who.keys,
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
                self.state(who, &subject, (*segment, &usage), (Level::None, 0.0), (judgement, None), report);
            }
        }
    }

    /// The latest confirmed use of an app in another segment, now or in the past, not after `until`.
    fn exposure(&self, who: &Who<'_>, own: &Accounts<'_>, app: &str, segment: SegmentId, until: Timestamp) -> Option<Timestamp> {
        let here = &*self.policy.segment(segment).name;
        let now = own.iter().filter(|(s, a)| s.app == app && a.scale.level() == Level::Confirmed);
        let now = now.flat_map(|(_, a)| a.segments.iter().filter(|(id, _)| **id != segment)).filter_map(|(_, usage)| usage.span);
        let past = self.past.confirmed(&who.keys).filter(|(a, place, _)| *a == app && *place != here).map(|(.., span)| span);
        now.chain(past).filter(|(first, _)| *first <= until).map(|(_, last)| last.min(until)).max()
    }

    fn state(
        &self,
        who: &Who<'_>,
        subject: &Subject<'_>,
        place: (SegmentId, &Use<'_>),
        sure: (Level, f64),
        (judgement, work_service): (Judgement, Option<Timestamp>),
        report: &mut Report,
    ) {
        let Some(verdict) = judgement.verdict else { return };
        let (segment, usage) = (self.policy.segment(place.0), place.1);
        let device = who.facts().clone();
        let id = finding_id(&device.key, subject.app, subject.surface, &judgement.line, &segment.name);
        let (first_seen, last_seen) = usage.span.unwrap_or_default();
        let class: SegmentClass = segment.class;
        report.flows.extend(self.rows(&id, subject, usage));
        let finding = Finding {
            id,
            device,
            segment: String::from(&*segment.name),
            segment_class: class.name(),
            app: String::from(subject.app),
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
            classes: usage.classes.iter().map(|c| String::from(*c)).collect(),
            regions: usage.regions.iter().map(|r| String::from(*r)).collect(),
            evidence: self.evidence(usage),
            fingerprints: usage.fingerprints.iter().map(|(f, v)| (*f, String::from(*v))).collect(),
            presence: usage.presence.clone(),
            basis: Basis { work_service, place: self.place_of(usage) },
        };
        report.findings.push(finding);
    }

    /// Where the latest flow was seen.
    fn place_of(&self, usage: &Use<'_>) -> Option<Place> {
        let meta = usage.flows.values().map(|signs| signs.flow).max_by_key(|flow| flow.last).map(|flow| flow.meta)?;
        let interface = self.interfaces.get(usize::from(meta.interface)).cloned().unwrap_or_default();
        Some(Place { interface, path: meta.path, addr: meta.client.addr })
    }

    fn evidence(&self, usage: &Use<'_>) -> Vec<EvidenceLine> {
        let mut lines: Vec<EvidenceLine> = usage
            .lines
            .iter()
            .map(|(key, line)| EvidenceLine {
                indicator: String::from(&*self.rules.indicator(key.indicator).id),
                family: line.family.letter(),
                field: key.field,
                value: String::from(&*key.value),
                weight: line.weight,
                count: line.count,
                kind: key.kind,
            })
            .collect();
        sort_lines(&mut lines);
        lines
    }

    fn rows(&self, finding: &str, subject: &Subject<'_>, usage: &Use<'_>) -> impl Iterator<Item = FlowRow> {
        usage.flows.values().map(|signs| {
            let flow = signs.flow;
            let mut signals: Vec<&'static str> = Vec::with_capacity(signs.signals.len());
            for (_, signal) in &signs.signals {
                if !signals.contains(signal) {
                    signals.push(signal);
                }
            }
            FlowRow {
                id: flow.meta.id,
                finding: finding.to_string(),
                client: flow.meta.client,
                server: flow.meta.server,
                transport: flow.meta.transport,
                app: String::from(subject.app),
                surface: subject.surface,
                level: Level::of(signs.scale.confidence()),
                signals,
                first: flow.meta.first,
                last: flow.last,
                bytes: flow.bytes,
            }
        })
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

/// Most serious first; the rest of the order only has to be the same each time. Most findings differ in the first words.
fn order(a: &Finding, b: &Finding) -> Ordering {
    let place = a.verdict.cmp(&b.verdict).then_with(|| a.segment.cmp(&b.segment)).then_with(|| a.device.key.cmp(&b.device.key));
    place.then_with(|| (&a.app, a.surface, &a.id).cmp(&(&b.app, b.surface, &b.id)))
}

impl Report {
    pub(super) fn sort(&mut self) {
        self.findings.sort_by(order);
        self.flows.sort_by(|a, b| (a.first, a.id, &a.app, a.surface).cmp(&(b.first, b.id, &b.app, b.surface)));
    }
}

/// The id of a finding: the same for the same device, app, surface, line and segment.
pub(super) fn finding_id(device: &str, app: &str, surface: Option<Surface>, line: &str, segment: &str) -> String {
    let surface = surface.map_or(NO_APP, |s| s.name());
    short_hash("rf-", &[device, app, surface, line, segment], 8)
}

/// A prefix, and the first `bytes` of SHA-256 over the parts, NUL between them, in hexadecimal.
pub(super) fn short_hash(prefix: &str, parts: &[&str], bytes: usize) -> String {
    let hash = digest(&SHA256, parts.join("\0").as_bytes());
    let mut text = String::with_capacity(prefix.len() + 2 * bytes);
    text.push_str(prefix);
    hash.as_ref().iter().take(bytes).for_each(|byte| push_hex(&mut text, *byte));
    text
}
