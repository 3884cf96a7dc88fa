//! A finding as a row: columns to search by, and the whole as JSON.

use std::net::IpAddr;

use ringfence_core::field::{Family, Field};
use ringfence_core::finding::{self, Basis, DeviceFacts, EvidenceLine, Finding, Kind};
use ringfence_core::ledger::{Acknowledgement, Stage, Tracked, Urgency};
use ringfence_core::net::Path;
use ringfence_core::policy::{Level, SegmentClass, Verdict};
use ringfence_core::rules::Surface;
use ringfence_core::spans::Spans;
use ringfence_core::time::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::rules_store;

/// The whole of a finding.
#[derive(Serialize, Deserialize)]
struct Body {
    opened_nanos: u64,
    changed_nanos: u64,
    #[serde(default)]
    reopened_nanos: Option<u64>,
    #[serde(default)]
    acknowledged: Option<Acknowledged>,
    #[serde(default)]
    escalated: Option<(u64, String)>,
    id: String,
    device: Device,
    segment: String,
    segment_class: String,
    app: String,
    surface: Option<String>,
    level: String,
    confidence: f64,
    verdict: String,
    others: Vec<String>,
    policy: String,
    waiver: Option<String>,
    reasons: Vec<String>,
    first_seen_nanos: u64,
    last_seen_nanos: u64,
    flows: u64,
    bytes_up: u64,
    bytes_down: u64,
    instances: u64,
    classes: Vec<String>,
    regions: Vec<String>,
    evidence: Vec<Line>,
    fingerprints: Vec<(String, String)>,
    /// Spans of use, nanoseconds, and days.
    #[serde(default)]
    spans_nanos: Vec<(u64, u64)>,
    #[serde(default)]
    days: Vec<u32>,
    #[serde(default)]
    work_service_nanos: Option<u64>,
    #[serde(default)]
    place: Option<Place>,
}

/// Where a frame was seen.
#[derive(Serialize, Deserialize)]
struct Place {
    interface: String,
    path: Vec<String>,
    addr: IpAddr,
}

#[derive(Serialize, Deserialize)]
struct Acknowledged {
    at_nanos: u64,
    by: String,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct Device {
    id: String,
    key: String,
    mac: Option<String>,
    addresses: Vec<IpAddr>,
    name: Option<String>,
    register: Option<String>,
    randomised_mac: bool,
    behind_router: bool,
    #[serde(default)]
    shared_nic: bool,
    confidence: f64,
    reasons: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    indicator: String,
    family: String,
    field: String,
    value: String,
    weight: f64,
    count: u64,
    kind: String,
}

/// The whole of a finding as JSON.
pub fn body(tracked: &Tracked) -> rusqlite::Result<String> {
    serde_json::to_string(&body_of(tracked)).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Inserts a finding, or replaces it.
pub fn write(transaction: &Transaction<'_>, tracked: &Tracked) -> rusqlite::Result<()> {
    let finding = &tracked.finding;
    let body = body(tracked)?;
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO findings (id, device, segment, app, surface, verdict, level, stage, opened, changed, first_seen, last_seen,
         reopened, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    insert.execute(params![
        finding.id,
        finding.device.id,
        finding.segment,
        finding.app,
        finding.surface.map_or("none", Surface::name),
        finding.verdict.name(),
        finding.level.name(),
        tracked.stage.name(),
        tracked.opened.to_string(),
        tracked.changed.to_string(),
        finding.first_seen.to_string(),
        finding.last_seen.to_string(),
        tracked.reopened,
        body,
    ])?;
    Ok(())
}

/// Reads a finding; `None` when it says something that this version does not know.
pub fn read(row: &Row<'_>) -> rusqlite::Result<Option<Tracked>> {
    let (stage, reopened, body): (String, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let tracked = || {
        let body: Body = serde_json::from_str(&body).ok()?;
        let (opened, changed) = (Timestamp::from_nanos(body.opened_nanos), Timestamp::from_nanos(body.changed_nanos));
        let acknowledged =
            |a: &Acknowledged| Acknowledgement { at: Timestamp::from_nanos(a.at_nanos), by: a.by.clone(), note: a.note.clone() };
        Some(Tracked {
            stage: word(&stage, &Stage::WORDS)?,
            opened,
            changed,
            reopened,
            reopened_at: body.reopened_nanos.map(Timestamp::from_nanos),
            acknowledged: body.acknowledged.as_ref().map(acknowledged),
            escalated: body.escalated.as_ref().and_then(|(at, why)| Some((Timestamp::from_nanos(*at), word(why, &Urgency::WORDS)?))),
            finding: finding_of(body)?,
        })
    };
    Ok(tracked())
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(w, _)| *w == text).map(|(_, value)| *value)
}

fn body_of(tracked: &Tracked) -> Body {
    let f = &tracked.finding;
    let d = &f.device;
    let line = |e: &EvidenceLine| Line {
        indicator: e.indicator.clone(),
        family: e.family.into(),
        field: e.field.into(),
        value: e.value.clone(),
        weight: e.weight,
        count: e.count,
        kind: e.kind.name().into(),
    };
    Body {
        opened_nanos: tracked.opened.nanos(),
        changed_nanos: tracked.changed.nanos(),
        reopened_nanos: tracked.reopened_at.map(Timestamp::nanos),
        acknowledged: tracked.acknowledged.as_ref().map(|a| Acknowledged {
            at_nanos: a.at.nanos(),
            by: a.by.clone(),
            note: a.note.clone(),
        }),
        escalated: tracked.escalated.map(|(at, why)| (at.nanos(), why.name().to_string())),
        id: f.id.clone(),
        device: Device {
            id: d.id.clone(),
            key: d.key.clone(),
            mac: d.mac.map(|m| m.to_string()),
            addresses: d.addresses.clone(),
            name: d.name.clone(),
            register: d.register.clone(),
            randomised_mac: d.randomised_mac,
            behind_router: d.behind_router,
            shared_nic: d.shared_nic,
            confidence: d.confidence,
            reasons: d.reasons.clone(),
        },
        segment: f.segment.clone(),
        segment_class: f.segment_class.into(),
        app: f.app.clone(),
        surface: f.surface.map(|s| s.name().into()),
        level: f.level.name().into(),
        confidence: f.confidence,
        verdict: f.verdict.name().into(),
        others: f.others.iter().map(|v| v.name().into()).collect(),
        policy: f.policy.clone(),
        waiver: f.waiver.clone(),
        reasons: f.reasons.clone(),
        first_seen_nanos: f.first_seen.nanos(),
        last_seen_nanos: f.last_seen.nanos(),
        flows: f.flows,
        bytes_up: f.bytes_up,
        bytes_down: f.bytes_down,
        instances: f.instances,
        classes: f.classes.clone(),
        regions: f.regions.clone(),
        evidence: f.evidence.iter().map(line).collect(),
        fingerprints: f.fingerprints.iter().map(|(field, value)| ((*field).into(), value.clone())).collect(),
        spans_nanos: f.presence.iter().map(|(first, last)| (first.nanos(), last.nanos())).collect(),
        days: f.presence.days().collect(),
        work_service_nanos: f.basis.work_service.map(Timestamp::nanos),
        place: f.basis.place.as_ref().map(|p| Place {
            interface: p.interface.clone(),
            path: p.path.hops().map(|hop| hop.to_string()).collect(),
            addr: p.addr,
        }),
    }
}

fn place_of(place: Place) -> finding::Place {
    let mut path = Path::default();
    place.path.iter().filter_map(|hop| hop.parse().ok()).for_each(|hop| _ = path.push(hop));
    finding::Place { interface: place.interface, path, addr: place.addr }
}

fn finding_of(b: Body) -> Option<Finding> {
    let fields = rules_store::fields();
    let field = |name: &str| fields.iter().copied().find(|f: &&Field| f.name == name).map(|f| f.name);
    let line = |l: Line| {
        Some(EvidenceLine {
            family: Family::ALL.iter().map(|f| f.letter()).find(|letter| *letter == l.family)?,
            field: field(&l.field)?,
            kind: Kind::ALL.into_iter().find(|k| k.name() == l.kind)?,
            indicator: l.indicator,
            value: l.value,
            weight: l.weight,
            count: l.count,
        })
    };
    let d = b.device;
    let device = DeviceFacts {
        id: d.id,
        key: d.key,
        mac: d.mac.and_then(|m| m.parse().ok()),
        addresses: d.addresses,
        name: d.name,
        register: d.register,
        randomised_mac: d.randomised_mac,
        behind_router: d.behind_router,
        shared_nic: d.shared_nic,
        confidence: d.confidence,
        reasons: d.reasons,
    };
    Some(Finding {
        id: b.id,
        device,
        segment: b.segment,
        segment_class: SegmentClass::ALL.iter().map(|c| c.name()).find(|name| *name == b.segment_class)?,
        app: b.app,
        surface: b.surface.map(|s| word(&s, &Surface::WORDS)).map_or(Some(None), |s| s.map(Some))?,
        level: Level::ALL.into_iter().find(|l| l.name() == b.level)?,
        confidence: b.confidence,
        verdict: word(&b.verdict, &Verdict::WORDS)?,
        others: b.others.iter().filter_map(|v| word(v, &Verdict::WORDS)).collect(),
        policy: b.policy,
        waiver: b.waiver,
        reasons: b.reasons,
        first_seen: Timestamp::from_nanos(b.first_seen_nanos),
        last_seen: Timestamp::from_nanos(b.last_seen_nanos),
        flows: b.flows,
        bytes_up: b.bytes_up,
        bytes_down: b.bytes_down,
        instances: b.instances,
        classes: b.classes,
        regions: b.regions,
        evidence: b.evidence.into_iter().filter_map(line).collect(),
        fingerprints: b.fingerprints.into_iter().filter_map(|(f, v)| Some((field(&f)?, v))).collect(),
        presence: Spans::restore(b.spans_nanos.into_iter().map(|(a, b)| (Timestamp::from_nanos(a), Timestamp::from_nanos(b))), b.days),
        basis: Basis { work_service: b.work_service_nanos.map(Timestamp::from_nanos), place: b.place.map(place_of) },
    })
}
