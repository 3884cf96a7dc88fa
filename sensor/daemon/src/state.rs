//! What the sensor knows now, for its readers: HTTP, metrics, `top`. The hub is the one writer; readers clone out and hold nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::audit::Standing;
use crate::durations::Durations;
use crate::waivers::WaiverView;
use dashmap::DashMap;
use ringfence_core::identity::Link;
use ringfence_core::ledger::{Event, Tracked};
use ringfence_core::policy::Verdict;
use ringfence_core::time::Timestamp;

/// The view.
#[derive(Debug, Default)]
pub struct State {
    findings: DashMap<String, Arc<Tracked>>,
    status: RwLock<Arc<Status>>,
}

impl State {
    /// Every finding, in no order.
    pub fn findings(&self) -> Vec<Arc<Tracked>> {
        self.findings.iter().map(|entry| Arc::clone(entry.value())).collect()
    }

    /// A finding.
    pub fn finding(&self, id: &str) -> Option<Arc<Tracked>> {
        self.findings.get(id).map(|entry| Arc::clone(entry.value()))
    }

    /// How the sensor is.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a finding in, or replaces it. Only the hub calls this.
    pub fn put(&self, tracked: Tracked) {
        self.findings.insert(tracked.finding.id.clone(), Arc::new(tracked));
    }

    /// Takes a finding out. Only the hub calls this.
    pub fn remove(&self, id: &str) {
        self.findings.remove(id);
    }

    /// Replaces the status. Only the hub calls this.
    pub fn set_status(&self, status: Status) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(status);
    }
}

/// How the sensor is: everything that is not a finding. Made anew every second.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// When this was true, by the sensor's clock.
    pub at: Timestamp,
    /// When the process started.
    pub started: Timestamp,
    /// Rings are open, and the first status is out.
    pub ready: bool,
    /// What the organisation calls this place.
    pub site: String,
    /// Names the rules.
    pub rules: String,
    /// Rules, by the number of indicators.
    pub indicators: u64,
    /// Counts accepted configurations: 1 at the start.
    pub generation: u64,
    /// Reloads.
    pub reloads: Reloads,
    /// Waivers as they stand, those of the files first.
    pub waivers: Vec<Arc<WaiverView>>,
    /// What operators said about who is who, in the order of their saying.
    pub links: Vec<Link>,
    /// Interfaces, one row for each of their rings.
    pub rings: Vec<Ring>,
    /// Segments: configured ones, then derived ones.
    pub segments: Vec<Segment>,
    /// What could not be judged, by kind.
    pub blind: BTreeMap<&'static str, u64>,
    /// Bounds that were hit, by name.
    pub limits: BTreeMap<&'static str, u64>,
    /// Alarms that hold now.
    pub alarms: Vec<Alarm>,
    /// Evidence on its way from the rings.
    pub queue: Queue,
    /// The store.
    pub store: Store,
    /// What happened to findings since the start, by event.
    pub events: BTreeMap<Event, u64>,
    /// How often findings were opened, or opened again, by segment, app and verdict.
    pub opened: BTreeMap<(String, String, Verdict), u64>,
    /// From the opening of findings to somebody's taking care, by verdict.
    pub cared: BTreeMap<Verdict, Durations>,
    /// Apps that the rules know.
    pub apps: Vec<String>,
    /// How long a confirmed use counts against its device.
    pub exposure: Duration,
    /// The audit log as it was last verified.
    pub audit: Standing,
    /// How much the correlator holds, by what it is.
    pub held: BTreeMap<&'static str, u64>,
    /// Processor seconds of the whole process.
    pub cpu_secs: f64,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
}

/// Reloads of configuration and rules.
#[derive(Clone, Debug, Default)]
pub struct Reloads {
    /// Accepted.
    pub accepted: u64,
    /// Refused: the old set went on.
    pub refused: u64,
    /// When the last one was tried.
    pub last: Option<Timestamp>,
    /// When the last accepted one was.
    pub last_success: Option<Timestamp>,
    /// Whether the last one was accepted.
    pub last_accepted: bool,
    /// What was wrong with it, in one line; empty when it was accepted.
    pub problem: String,
}

/// One ring of one interface.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// The interface.
    pub interface: String,
    /// Which of its rings.
    pub ring: u16,
    /// `waiting`, `capturing`, `down`, `gone`, `refused`.
    pub state: &'static str,
    /// Why it is not capturing, with the remedy.
    pub error: Option<String>,
    /// Frames that the worker took.
    pub frames: u64,
    /// Bytes of them on the wire.
    pub bytes: u64,
    /// Flows that were followed and ended.
    pub flows: u64,
    /// Frames lost, by place: `nic`, `kernel`, `shed` (overload: not looked at).
    pub lost: BTreeMap<&'static str, u64>,
    /// Statements dropped because the hub did not keep up.
    pub evidence_lost: u64,
    /// Malformed frames, by kind.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Seconds in which the interface could not be captured.
    pub blind_secs: f64,
    /// The latest frame's time.
    pub last_frame: Option<Timestamp>,
    /// Seconds between the stamp of a frame and its turn in the worker, the worst of the last second.
    pub delay_secs: f64,
    /// The kernel passes only part of the traffic, on request.
    pub filtered: bool,
    /// Processor seconds of its thread.
    pub cpu_secs: f64,
    /// Bytes of streams that its worker holds.
    pub stream_bytes: u64,
}

/// One segment.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// `sensitive`, `standard`, `guest`, `separate`, `unknown`.
    pub class: &'static str,
    /// Configured, not derived.
    pub configured: bool,
    /// Its flows that ended.
    pub flows: u64,
    /// Packets of these flows.
    pub frames: u64,
    /// Bytes of these flows.
    pub bytes: u64,
    /// Packets of these flows that the snap length cut.
    pub truncated: u64,
    /// Flows (of tunnels: packets) that could not be judged, by kind.
    pub blind: BTreeMap<&'static str, u64>,
    /// Flows that hit a limit, by limit.
    pub limits: BTreeMap<&'static str, u64>,
}

/// Something that keeps the sensor from seeing, or from telling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alarm {
    /// Which kind.
    pub kind: &'static str,
    /// Where; empty for the sensor as a whole.
    pub interface: String,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong, and the remedy.
    pub detail: String,
}

/// The channel from rings to hub.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue {
    /// Batches waiting.
    pub depth: u64,
    /// Batches that fit.
    pub capacity: u64,
    /// Seconds that the oldest batch waited, the worst of the last second.
    pub age_secs: f64,
}

/// The store on disk.
#[derive(Clone, Debug, Default)]
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
