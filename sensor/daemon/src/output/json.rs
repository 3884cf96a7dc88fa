//! JSON lines: one object per line, told apart by `type`: `finding`, `flow`, `coverage` (of everything, then of each segment in
//! `segment`), `summary`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use ringfence_core::coverage::Blind;
use ringfence_core::finding::{DeviceFacts, Finding, FlowRow};
use ringfence_core::limits::Limit;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ScanResult, SegmentCoverage};
use crate::vendor;

/// Spans of use that are shown of one finding.
const SPANS_SHOWN: usize = 16;

/// The device of a finding.
#[derive(Serialize, ToSchema)]
pub(crate) struct Device<'f> {
    /// Stable, opaque: `dev-` and 12 hexadecimal digits.
    pub(crate) id: &'f str,
    /// Hardware address, where it is the device's own.
    pub(crate) mac: Option<String>,
    /// Who made its NIC; never of a random address, and hidden with the hardware address, of which it is the first half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vendor: Option<&'static str>,
    /// Addresses of both families, sorted.
    pub(crate) addresses: Vec<String>,
    /// Host name, the most trusted one.
    pub(crate) name: Option<&'f str>,
    /// The entry of the device register.
    pub(crate) register: Option<&'f str>,
    /// The hardware address is a random one.
    pub(crate) randomised_mac: bool,
    /// Seen through a router.
    pub(crate) behind_router: bool,
    /// Several devices use its NIC in turn.
    pub(crate) shared_nic: bool,
    /// How sure the identity is, from 0 to 1.
    pub(crate) confidence: f64,
    /// Why.
    pub(crate) reasons: &'f [String],
}

/// One line of evidence.
#[derive(Serialize, ToSchema)]
pub(crate) struct Evidence<'f> {
    /// The indicator's id.
    indicator: &'f str,
    /// `S`, `H`, `D`, `T` or `A`.
    family: &'f str,
    /// The field that it fired on.
    field: &'f str,
    /// The value that it fired on.
    value: &'f str,
    /// Its weight there, from 0 to 1.
    weight: f64,
    /// How often.
    count: u64,
    /// `observed`, `associated` or `inferred`.
    kind: &'f str,
}

/// A finding: a device, an app, a surface, a segment and a policy line.
#[derive(Serialize, ToSchema)]
pub(crate) struct FindingLine<'f> {
    /// `finding`.
    r#type: &'static str,
    /// Stable for the same device, app, surface, segment and policy line.
    id: &'f str,
    /// Who.
    device: Device<'f>,
    /// Where: the segment's name.
    segment: &'f str,
    /// Its class.
    segment_class: &'f str,
    /// Which app; `none` for a disguise or for mere presence.
    app: &'f str,
    /// `app`, `web`, `work` or `none`.
    surface: &'f str,
    /// `none`, `possible`, `probable` or `confirmed`.
    level: &'f str,
    /// How sure, from 0 to 1.
    confidence: f64,
    /// The judgement.
    verdict: &'f str,
    /// Less serious verdicts that hold as well.
    others: Vec<&'f str>,
    /// The policy line that decided.
    policy: &'f str,
    /// The waiver that counts.
    waiver: Option<&'f str>,
    /// Why, in sentences.
    reasons: &'f [String],
    /// First sign in this segment, RFC 3339.
    first_seen: String,
    /// Latest sign in this segment, RFC 3339.
    last_seen: String,
    /// Flows that it rests on.
    flows: u64,
    /// Bytes from the device in these flows.
    bytes_up: u64,
    /// Bytes to the device.
    bytes_down: u64,
    /// Installations of the app: at least so many.
    instances: u64,
    /// Classes of signs.
    classes: &'f [String],
    /// Jurisdictions.
    regions: &'f [String],
    /// Days (UTC) with use in this segment.
    days: usize,
    /// When it was in use, the latest 16 spans; signs up to ten minutes apart are one.
    spans: Vec<Span>,
    /// The evidence, heaviest first.
    evidence: Vec<Evidence<'f>>,
    /// Fingerprints seen beside matched hellos; never evidence.
    fingerprints: Vec<Fingerprint<'f>>,
}

/// A span of use.
#[derive(Serialize, ToSchema)]
pub(crate) struct Span {
    /// First sign, RFC 3339.
    from: String,
    /// Last sign, RFC 3339.
    to: String,
}

/// A fingerprint recorded beside a matched hello; never evidence.
#[derive(Serialize, ToSchema)]
pub(crate) struct Fingerprint<'f> {
    /// The field.
    field: &'f str,
    /// Its value.
    value: &'f str,
}

/// A flow that a finding rests on.
#[derive(Serialize)]
struct FlowLine<'f> {
    r#type: &'static str,
    finding: &'f str,
    src: String,
    sport: u16,
    dst: String,
    dport: u16,
    proto: &'f str,
    app: &'f str,
    surface: &'f str,
    level: &'f str,
    signal: &'f str,
    signals: &'f [&'static str],
    first_seen: String,
    last_seen: String,
    bytes_up: u64,
    bytes_down: u64,
}

/// What was seen, lost and not judged.
#[derive(Serialize)]
struct CoverageLine {
    r#type: &'static str,
    first_frame: Option<String>,
    last_frame: Option<String>,
    seconds_watched: f64,
    clock_steps: u64,
    frames: u64,
    bytes: u64,
    flows: u64,
    flows_dissected: u64,
    malformed: BTreeMap<&'static str, u64>,
    unjudgeable: BTreeMap<&'static str, u64>,
    limits: BTreeMap<&'static str, u64>,
}

/// The same for the flows of one segment: a flow counts once for each kind.
#[derive(Serialize)]
struct SegmentLine<'r> {
    r#type: &'static str,
    segment: &'r str,
    segment_class: &'static str,
    flows: u64,
    flows_dissected: u64,
    frames: u64,
    bytes: u64,
    truncated: u64,
    unjudgeable: BTreeMap<&'static str, u64>,
    limits: BTreeMap<&'static str, u64>,
}

/// The whole in one line.
#[derive(Serialize)]
struct SummaryLine<'r> {
    r#type: &'static str,
    version: &'static str,
    rules: &'r str,
    policy: bool,
    inputs: &'r [String],
    /// What of the inputs could not be read: without it an empty answer means that nothing was there.
    unread: &'r [String],
    findings: usize,
    devices: usize,
    by_verdict: BTreeMap<&'static str, usize>,
    by_app: BTreeMap<&'r str, usize>,
}

/// Writes a scan as JSON lines; flows only when `flows` says so.
///
/// # Errors
/// Whatever the writer fails with.
pub fn write(result: &ScanResult, flows: bool, out: &mut dyn Write) -> io::Result<()> {
    for finding in &result.findings {
        line(&finding_line(finding), out)?;
    }
    if flows {
        for flow in &result.flows {
            line(&flow_line(flow), out)?;
        }
    }
    line(&coverage_line(result), out)?;
    for segment in &result.segments {
        line(&segment_line(segment), out)?;
    }
    line(&summary_line(result), out)
}

/// A finding as one value.
pub fn finding(finding: &Finding) -> serde_json::Value {
    serde_json::to_value(finding_line(finding)).unwrap_or_default()
}

fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    // Together: a writer asked for every word of it costs more than the words.
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

fn surface_name(surface: Option<ringfence_core::rules::Surface>) -> &'static str {
    surface.map_or("none", |s| s.name())
}

/// The wire form of a device.
pub(crate) fn device(d: &DeviceFacts) -> Device<'_> {
    Device {
        id: &d.id,
        mac: d.mac.map(|m| m.to_string()),
        vendor: d.mac.and_then(vendor::of),
        addresses: d.addresses.iter().map(ToString::to_string).collect(),
        name: d.name.as_deref(),
        register: d.register.as_deref(),
        randomised_mac: d.randomised_mac,
        behind_router: d.behind_router,
        shared_nic: d.shared_nic,
        confidence: d.confidence,
        reasons: &d.reasons,
    }
}

/// The wire form of a finding.
pub(crate) fn finding_line(f: &Finding) -> FindingLine<'_> {
    let evidence = f.evidence.iter().map(|e| Evidence {
        indicator: &e.indicator,
        family: e.family,
        field: e.field,
        value: &e.value,
        weight: e.weight,
        count: e.count,
        kind: e.kind.name(),
    });
    FindingLine {
        r#type: "finding",
        id: &f.id,
        device: device(&f.device),
        segment: &f.segment,
        segment_class: f.segment_class,
        app: &f.app,
        surface: surface_name(f.surface),
        level: f.level.name(),
        confidence: f.confidence,
        verdict: f.verdict.name(),
        others: f.others.iter().map(|v| v.name()).collect(),
        policy: &f.policy,
        waiver: f.waiver.as_deref(),
        reasons: &f.reasons,
        first_seen: f.first_seen.to_string(),
        last_seen: f.last_seen.to_string(),
        flows: f.flows,
        bytes_up: f.bytes_up,
        bytes_down: f.bytes_down,
        instances: f.instances,
        classes: &f.classes,
        regions: &f.regions,
        days: f.presence.days().len(),
        spans: f
            .presence
            .iter()
            .rev()
            .take(SPANS_SHOWN)
            .map(|(from, to)| Span { from: from.to_string(), to: to.to_string() })
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
        evidence: evidence.collect(),
        fingerprints: f.fingerprints.iter().map(|(field, value)| Fingerprint { field, value }).collect(),
    }
}

fn flow_line(f: &FlowRow) -> FlowLine<'_> {
    FlowLine {
        r#type: "flow",
        finding: &f.finding,
        src: f.client.addr.to_string(),
        sport: f.client.port,
        dst: f.server.addr.to_string(),
        dport: f.server.port,
        proto: f.transport.name(),
        app: &f.app,
        surface: surface_name(f.surface),
        level: f.level.name(),
        signal: f.signals.first().copied().unwrap_or(""),
        signals: &f.signals,
        first_seen: f.first.to_string(),
        last_seen: f.last.to_string(),
        bytes_up: f.bytes[0],
        bytes_down: f.bytes[1],
    }
}

fn coverage_line(result: &ScanResult) -> CoverageLine {
    let tally = &result.tally;
    let mut limits = tally.limits.clone();
    limits.merge(&result.limits);
    CoverageLine {
        r#type: "coverage",
        first_frame: tally.span().map(|(first, _)| first.to_string()),
        last_frame: tally.span().map(|(_, last)| last.to_string()),
        seconds_watched: tally.watched_nanos as f64 / 1e9,
        clock_steps: tally.clock_steps,
        frames: tally.frames,
        bytes: tally.bytes,
        flows: tally.flows,
        flows_dissected: tally.dissected,
        malformed: tally.malformed.clone(),
        unjudgeable: Blind::ALL.iter().map(|b| (b.name(), tally.blind.get(b).copied().unwrap_or(0))).collect(),
        limits: Limit::ALL.iter().map(|l| (l.name(), limits.of(*l))).collect(),
    }
}

fn segment_line(segment: &SegmentCoverage) -> SegmentLine<'_> {
    let tally = &segment.tally;
    SegmentLine {
        r#type: "coverage",
        segment: &segment.name,
        segment_class: segment.class,
        flows: tally.flows,
        flows_dissected: tally.dissected,
        frames: tally.frames,
        bytes: tally.bytes,
        truncated: tally.truncated,
        unjudgeable: Blind::ALL.iter().map(|b| (b.name(), tally.blind(*b))).filter(|(_, n)| *n > 0).collect(),
        limits: tally.limits.hit().map(|(l, n)| (l.name(), n)).collect(),
    }
}

fn summary_line(result: &ScanResult) -> SummaryLine<'_> {
    let mut by_verdict = BTreeMap::new();
    let mut by_app = BTreeMap::new();
    let mut devices = std::collections::BTreeSet::new();
    for finding in &result.findings {
        *by_verdict.entry(finding.verdict.name()).or_default() += 1;
        *by_app.entry(finding.app.as_str()).or_default() += 1;
        devices.insert(&finding.device.id);
    }
    SummaryLine {
        r#type: "summary",
        version: env!("CARGO_PKG_VERSION"),
        rules: &result.rules,
        policy: result.policy,
        inputs: &result.inputs,
        unread: &result.unread,
        findings: result.findings.len(),
        devices: devices.len(),
        by_verdict,
        by_app,
    }
}
