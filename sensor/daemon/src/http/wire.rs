//! What the API answers with. A finding and its device have the form of `ringfence scan -o json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::output::json::{Device, FindingLine};

/// A finding with its life.
#[derive(Serialize, ToSchema)]
pub struct FindingEntry<'f> {
    /// What it says.
    #[serde(flatten)]
    pub(crate) finding: FindingLine<'f>,
    /// `open`, `resolved` or `superseded`.
    pub stage: &'static str,
    /// When the sensor first stated it, RFC 3339.
    pub opened: String,
    /// When it last changed, RFC 3339.
    pub changed: String,
    /// How often it was opened again.
    pub reopened: u32,
    /// Who takes care of it.
    pub acknowledged: Option<Acknowledged>,
    /// Why it is urgent: `unattended` or `recurring`.
    pub escalated: Option<&'static str>,
}

/// Somebody takes care of a finding.
#[derive(Serialize, ToSchema)]
pub struct Acknowledged {
    /// When, RFC 3339.
    pub at: String,
    /// Which operator.
    pub by: String,
    /// What they said.
    pub note: String,
}

/// What is said when a finding is acknowledged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// What will be done, or why nothing need be; at most 500 characters.
    #[serde(default)]
    pub note: String,
}

/// Whose identity is asked for, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The device, as the API and alerts call it: `dev-` and 12 hexadecimal digits.
    pub pseudonym: String,
    /// Why, for the audit log; at most 500 characters.
    pub reason: String,
}

/// Why a device is forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// Why, for the audit log; at most 500 characters, and no identity in it.
    pub reason: String,
}

/// What was forgotten.
#[derive(Serialize, ToSchema)]
pub struct Erased {
    /// Rows of the store that were deleted.
    pub rows: u64,
    /// Nothing of them is left in the store's files; `false` when another program was reading them.
    pub clean: bool,
}

/// Who it is, or what has to be confirmed.
#[derive(Serialize, ToSchema)]
pub struct Resolved<'d> {
    /// The device in the clear; absent while another operator has to confirm.
    pub(crate) device: Option<Device<'d>>,
    /// What another operator has to confirm.
    pub pending: Option<Pending>,
}

/// A question that waits for a second operator.
#[derive(Serialize, ToSchema)]
pub struct Pending {
    /// What to confirm.
    pub id: String,
    /// Until when, RFC 3339.
    pub until: String,
}

/// Devices with open findings, by group; groups that are too small are left out.
#[derive(Serialize, ToSchema)]
pub struct Aggregates<'f> {
    /// No group, and nothing that can be worked out, has fewer devices.
    pub group_min: u64,
    /// The sum over all segments; absent where it would tell too much. A device in two groups counts twice.
    pub total: Option<u64>,
    /// Sums of segments.
    pub segments: Vec<SegmentSum<'f>>,
    /// Groups.
    pub groups: Vec<Group<'f>>,
}

/// The sum of a segment's groups, those that are left out too.
#[derive(Serialize, ToSchema)]
pub struct SegmentSum<'f> {
    /// The segment.
    pub segment: &'f str,
    /// Devices; one in two groups counts twice.
    pub devices: u64,
}

/// A group of devices.
#[derive(Serialize, ToSchema)]
pub struct Group<'f> {
    /// Where.
    pub segment: &'f str,
    /// The app.
    pub app: &'f str,
    /// The verdict.
    pub verdict: &'static str,
    /// Devices.
    pub devices: u64,
}

/// A page of findings.
#[derive(Serialize, ToSchema)]
pub struct FindingPage<'f> {
    /// Findings, by the time at which they were opened.
    pub findings: Vec<FindingEntry<'f>>,
    /// How many there are on all pages.
    pub total: usize,
    /// `cursor` of the next page; absent on the last one.
    pub next: Option<String>,
}

/// A device that has findings.
#[derive(Serialize, ToSchema)]
pub struct DeviceEntry<'f> {
    /// Who, by its latest finding.
    pub(crate) device: Device<'f>,
    /// Findings, open and ended.
    pub findings: usize,
    /// Open ones.
    pub open: usize,
    /// The most serious verdict of the open ones, else of all.
    pub verdict: &'static str,
    /// Apps.
    pub apps: Vec<&'f str>,
    /// Segments.
    pub segments: Vec<&'f str>,
    /// First sign, RFC 3339.
    pub first_seen: String,
    /// Latest sign, RFC 3339.
    pub last_seen: String,
}

/// A page of devices.
#[derive(Serialize, ToSchema)]
pub struct DevicePage<'f> {
    /// Devices, by id.
    pub devices: Vec<DeviceEntry<'f>>,
    /// How many there are on all pages.
    pub total: usize,
    /// `cursor` of the next page; absent on the last one.
    pub next: Option<String>,
}

/// A device with its findings.
#[derive(Serialize, ToSchema)]
pub struct DeviceDetail<'f> {
    /// The device.
    #[serde(flatten)]
    pub entry: DeviceEntry<'f>,
    /// Its findings, most serious first; at most 1000.
    pub list: Vec<FindingEntry<'f>>,
}

/// A segment with what is open in it.
#[derive(Serialize, ToSchema)]
pub struct SegmentEntry {
    /// Its name.
    pub name: String,
    /// `sensitive`, `standard`, `guest`, `separate` or `unknown`.
    pub class: String,
    /// Configured, not derived.
    pub configured: bool,
    /// Devices with open findings.
    pub devices: usize,
    /// Open findings, by verdict.
    pub open: BTreeMap<&'static str, usize>,
}

/// What the flows of one segment carried and hid: a flow counts when it ends.
#[derive(Serialize, ToSchema)]
pub struct SegmentCoverage {
    /// Its name.
    pub name: String,
    /// Its flows that ended.
    pub flows: u64,
    /// Packets of these flows.
    pub frames: u64,
    /// Bytes of these flows.
    pub bytes: u64,
    /// Packets of these flows that the snap length cut.
    pub truncated: u64,
    /// Flows (of tunnels: packets) that could not be judged, by kind.
    pub unjudgeable: BTreeMap<&'static str, u64>,
    /// Flows that hit a limit, by limit.
    pub limits: BTreeMap<&'static str, u64>,
}

/// Segments.
#[derive(Serialize, ToSchema)]
pub struct Segments {
    /// Devices with open findings, in all segments together.
    pub devices: usize,
    /// Configured ones first, then derived ones, then those that only findings name.
    pub segments: Vec<SegmentEntry>,
}

/// A ring of an interface.
#[derive(Serialize, ToSchema)]
pub struct Ring {
    /// The interface.
    pub interface: String,
    /// Which of its rings.
    pub ring: u16,
    /// `waiting`, `capturing`, `down`, `gone` or `refused`.
    pub state: &'static str,
    /// Why it is not capturing, with the remedy.
    pub error: Option<String>,
    /// Frames that the worker took.
    pub frames: u64,
    /// Bytes of them on the wire.
    pub bytes: u64,
    /// Flows that were followed and ended.
    pub flows: u64,
    /// Frames lost, by place.
    pub lost: BTreeMap<&'static str, u64>,
    /// Statements dropped because the correlator did not keep up.
    pub evidence_lost: u64,
    /// Malformed frames, by kind.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Seconds in which the interface could not be captured.
    pub blind_secs: f64,
    /// The latest frame's time, RFC 3339.
    pub last_frame: Option<String>,
    /// Seconds between the stamp of a frame and its turn, the worst of the last second.
    pub delay_secs: f64,
    /// The kernel passes only part of the traffic, on request.
    pub filtered: bool,
}

/// The channel from rings to correlator.
#[derive(Serialize, ToSchema)]
pub struct Queue {
    /// Batches waiting.
    pub depth: u64,
    /// Batches that fit.
    pub capacity: u64,
    /// Seconds that the oldest batch waited, the worst of the last second.
    pub age_secs: f64,
}

/// The store on disk.
#[derive(Serialize, ToSchema)]
pub struct Store {
    /// Writes that succeeded.
    pub written: u64,
    /// Writes that failed; they are tried again.
    pub failed: u64,
    /// Findings whose latest state is not on disk yet.
    pub pending: u64,
    /// What is wrong, with the remedy; empty when nothing is.
    pub problem: String,
    /// Size on disk, bytes.
    pub bytes: u64,
    /// Events of findings that are neither in the store nor told, because it could not be written for too long.
    pub events_left_out: u64,
}

/// Reloads since the start.
#[derive(Serialize, ToSchema)]
pub struct Reloads {
    /// Accepted.
    pub accepted: u64,
    /// Refused: the old set went on.
    pub refused: u64,
    /// When the last one was tried, RFC 3339.
    pub last: Option<String>,
    /// Whether the last one was accepted.
    pub last_accepted: bool,
    /// What was wrong with it; empty when it was accepted.
    pub problem: String,
}

/// What is seen, lost and not judged.
#[derive(Serialize, ToSchema)]
pub struct Coverage {
    /// When this was true, RFC 3339.
    pub at: String,
    /// When the process started, RFC 3339.
    pub started: String,
    /// What the organisation calls this place.
    pub site: String,
    /// Rings are open, and the first status is out.
    pub ready: bool,
    /// Names the rules.
    pub rules: String,
    /// Indicators in them.
    pub indicators: u64,
    /// Counts accepted configurations: 1 at the start.
    pub generation: u64,
    /// Rings of the interfaces.
    pub rings: Vec<Ring>,
    /// Segments, configured ones first.
    pub segments: Vec<SegmentCoverage>,
    /// What could not be judged, by kind.
    pub unjudgeable: BTreeMap<&'static str, u64>,
    /// Bounds that were hit, by name.
    pub limits: BTreeMap<&'static str, u64>,
    /// What happened to findings since the start, by event.
    pub events: BTreeMap<&'static str, u64>,
    /// Evidence on its way from the rings.
    pub queue: Queue,
    /// The store.
    pub store: Store,
    /// Reloads.
    pub reloads: Reloads,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
}

/// An approved exception.
#[derive(Serialize, ToSchema)]
pub struct Waiver {
    /// Its number.
    pub id: String,
    /// `pending`, `upcoming`, `valid`, `expiring`, `expired`, `revoked` or `void`.
    pub standing: &'static str,
    /// It stands in a file; else it was added by command.
    pub from_files: bool,
    /// Who may; pseudonyms of devices, unless identities are served or the operator may change waivers.
    pub holders: Vec<String>,
    /// Which apps.
    pub apps: Vec<String>,
    /// Where.
    pub segments: Vec<String>,
    /// From when, RFC 3339.
    pub start: String,
    /// The first moment that it no longer covers, RFC 3339.
    pub end: String,
    /// Who approved it.
    pub approver: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Which operator added it.
    pub added_by: Option<String>,
    /// Which operator approved it besides.
    pub approved_by: Option<String>,
    /// From when it was taken back, RFC 3339.
    pub revoked: Option<String>,
    /// Which operator took it back.
    pub revoked_by: Option<String>,
    /// Why it was taken back.
    pub revoked_reason: Option<String>,
    /// The waiver that it renews.
    pub renews: Option<String>,
    /// Why it does not fit the configuration any more, and covers nothing.
    pub problems: Vec<String>,
    /// Its latest uses, at most 100; empty in lists.
    pub uses: Vec<WaiverUse>,
}

/// A finding that rests on a waiver.
#[derive(Serialize, ToSchema)]
pub struct WaiverUse {
    /// The finding.
    pub finding: String,
    /// Its device.
    pub device: String,
    /// The app.
    pub app: String,
    /// Where.
    pub segment: String,
    /// Its latest verdict: `waived`, or `waiver_expired` when use went on.
    pub verdict: String,
    /// First sign, RFC 3339.
    pub first_seen: String,
    /// Latest sign, RFC 3339.
    pub last_seen: String,
}

/// Waivers.
#[derive(Serialize, ToSchema)]
pub struct Waivers {
    /// Those of the files, then those of commands.
    pub waivers: Vec<Waiver>,
}

/// A waiver to be added; the keys of `[[waiver]]`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverAdd {
    /// Its number; unique.
    pub id: String,
    /// Register ids, or `mac:02:00:5e:10:00:01`.
    pub holders: Vec<String>,
    /// Which apps.
    pub apps: Vec<String>,
    /// Where.
    pub segments: Vec<String>,
    /// Who approved it.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// From when, a date or RFC 3339; now without it.
    pub start: Option<String>,
    /// Until when, a date (to its end) or RFC 3339.
    pub end: String,
}

/// A renewal: holders, apps and segments stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverRenew {
    /// Its own number.
    pub id: String,
    /// Who approved it.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// From when; without it where the old one ends, or now when it has ended.
    pub start: Option<String>,
    /// Until when.
    pub end: String,
}

/// A waiver is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverRevoke {
    /// Why.
    pub reason: String,
}

/// A device over time.
#[derive(Serialize, ToSchema)]
pub struct DeviceHistory<'f> {
    /// What it is now.
    pub(crate) device: Device<'f>,
    /// Its key, `mac:...`, `reg:...` or `addr:...`; only where identities are shown.
    pub key: Option<&'f str>,
    /// Where it was when, by the time of its beginning.
    pub stays: Vec<Stay<'f>>,
    /// Names, the best source first.
    pub names: Vec<NameGiven<'f>>,
    /// What operators said about it.
    pub links: Vec<Link>,
}

/// Time that a device spent at an address.
#[derive(Serialize, ToSchema)]
pub struct Stay<'f> {
    /// The segment; absent where it is configured no longer.
    pub segment: Option<&'f str>,
    /// The address; only where identities are shown.
    pub address: Option<String>,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// When it was first heard of there, RFC 3339.
    pub first_seen: String,
    /// And last, RFC 3339.
    pub last_seen: String,
    /// How that is known, the best first: `dhcp`, `radius`, `dhcp-request`, `nd`, `arp` ...; empty where only its frames show it.
    pub sources: Vec<&'static str>,
}

/// A name and who said it.
#[derive(Serialize, ToSchema)]
pub struct NameGiven<'f> {
    /// How it was learned.
    pub source: &'static str,
    /// The name; only where identities are shown.
    pub name: Option<&'f str>,
}

/// An operator's word about two devices.
#[derive(Serialize, ToSchema)]
pub struct Link {
    /// `merge`: they are one. `split`: nothing but a later merge makes them one.
    pub kind: &'static str,
    /// One device.
    pub a: String,
    /// The other.
    pub b: String,
    /// When it was said, RFC 3339.
    pub at: String,
    /// Who said it; for operators with the right `devices`.
    pub by: Option<String>,
    /// Why; for operators with the right `devices`.
    pub reason: Option<String>,
}

/// What operators said about who is who.
#[derive(Serialize, ToSchema)]
pub struct Links {
    /// The latest first.
    pub links: Vec<Link>,
}

/// Two devices to be joined, or to be kept apart.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkAdd {
    /// `merge` or `split`.
    pub kind: String,
    /// A device: `dev-...` of one that has findings, or its key, such as `mac:02:00:5e:10:00:01` or `reg:laptop-7`.
    pub a: String,
    /// Another one.
    pub b: String,
    /// Why.
    pub reason: String,
}

/// Something that keeps the sensor from seeing, or from telling.
#[derive(Serialize, ToSchema)]
pub struct Alarm {
    /// Which kind.
    pub kind: &'static str,
    /// Where; empty for the sensor as a whole.
    pub interface: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// What is wrong, and the remedy.
    pub detail: String,
}

/// Alarms that hold now.
#[derive(Serialize, ToSchema)]
pub struct Alarms {
    /// Oldest first.
    pub alarms: Vec<Alarm>,
}

/// How a finding would be judged, or is judged now.
#[derive(Serialize, ToSchema)]
pub struct Rejudged {
    /// The finding.
    pub id: String,
    /// Its device.
    pub device: String,
    /// The app.
    pub app: String,
    /// The segment.
    pub segment: String,
    /// Its verdict before.
    pub before: &'static str,
    /// Its verdict after.
    pub after: &'static str,
}

/// What a reload did, or would do.
#[derive(Serialize, ToSchema)]
pub struct Reload {
    /// Nothing was changed, only looked at.
    pub dry_run: bool,
    /// Counts accepted configurations: 1 at the start.
    pub generation: u64,
    /// What changed.
    pub changes: Vec<String>,
    /// What holds only after a restart.
    pub needs_restart: Vec<String>,
    /// Findings with another verdict; at most 1000.
    pub findings: Vec<Rejudged>,
    /// How many there are.
    pub findings_total: usize,
}

/// What runs here.
#[derive(Serialize, ToSchema)]
pub struct Version {
    /// `ringfence`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Names the rules.
    pub rules: String,
    /// Counts accepted configurations: 1 at the start.
    pub generation: u64,
    /// When the process started, RFC 3339.
    pub started: String,
}

/// Whether it is well.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `failing`.
    pub status: &'static str,
    /// What is wrong, and where to look; empty when nothing is.
    pub reason: String,
}
