//! What leaves the core: findings, and the flows that they rest on. Plain data; every output converts it to its own form.

use std::net::IpAddr;

use crate::evidence::FlowId;
use crate::net::{Endpoint, Mac, Path, Transport};
use crate::policy::{Level, Verdict};
use crate::rules::Surface;
use crate::spans::Spans;
use crate::time::Timestamp;

/// How a sign came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Read off the wire in this flow.
    Observed,
    /// The flow's server address was proven by another flow, by DNS or by NewDNS.
    Associated,
    /// The same, but only through a name that other apps and pages use as well.
    Inferred,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Observed, Kind::Associated, Kind::Inferred];

    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Observed => "observed",
            Kind::Associated => "associated",
            Kind::Inferred => "inferred",
        }
    }
}

/// A device as a finding shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceFacts {
    /// Stable, opaque: `dev-` and 12 hexadecimal digits.
    pub id: String,
    /// What the id stands for: `mac:...`, `reg:...`, `addr:...`.
    pub key: String,
    /// Hardware address, where it is the device's own.
    pub mac: Option<Mac>,
    /// Addresses of both families, sorted.
    pub addresses: Vec<IpAddr>,
    /// Host name, the most trusted one.
    pub name: Option<String>,
    /// The entry of the device register.
    pub register: Option<String>,
    /// The hardware address is a random one.
    pub randomised_mac: bool,
    /// Seen through a router.
    pub behind_router: bool,
    /// Several devices use its NIC in turn.
    pub shared_nic: bool,
    /// How sure the identity is, in [0, 1].
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
}

/// One line of evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceLine {
    /// The indicator's id.
    pub indicator: String,
    /// `S`, `H`, `D`, `T` or `A`.
    pub family: &'static str,
    /// The field that it fired on.
    pub field: &'static str,
    /// The value that it fired on.
    pub value: String,
    /// Its weight there.
    pub weight: f64,
    /// How often.
    pub count: u64,
    /// How it came about.
    pub kind: Kind,
}

/// One finding: a device, an app, a surface, a segment and a policy line.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stable for the same device, app, surface, segment and policy line.
    pub id: String,
    /// Who.
    pub device: DeviceFacts,
    /// Where: the segment's name.
    pub segment: String,
    /// Its class.
    pub segment_class: &'static str,
    /// Which app; `none` for a disguise or for mere presence.
    pub app: String,
    /// Which face of it.
    pub surface: Option<Surface>,
    /// How sure.
    pub level: Level,
    /// How sure, in [0, 1].
    pub confidence: f64,
    /// The judgement.
    pub verdict: Verdict,
    /// Less serious verdicts that hold as well.
    pub others: Vec<Verdict>,
    /// The policy line that decided.
    pub policy: String,
    /// The waiver that counts.
    pub waiver: Option<String>,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// First sign in this segment.
    pub first_seen: Timestamp,
    /// Latest sign in this segment.
    pub last_seen: Timestamp,
    /// Flows that it rests on.
    pub flows: u64,
    /// Bytes from the device in these flows.
    pub bytes_up: u64,
    /// Bytes to the device.
    pub bytes_down: u64,
    /// Installations of the app: at least so many.
    pub instances: u64,
    /// Classes of signs.
    pub classes: Vec<String>,
    /// Jurisdictions.
    pub regions: Vec<String>,
    /// The evidence, heaviest first.
    pub evidence: Vec<EvidenceLine>,
    /// Fingerprints seen beside matched hellos: (field, value).
    pub fingerprints: Vec<(&'static str, String)>,
    /// When it was in use here.
    pub presence: Spans,
    /// What the verdict rests on besides.
    pub basis: Basis,
}

/// What a verdict rests on besides the use itself: enough to judge it again under another policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// When the device last spoke to one of the organisation's work services.
    pub work_service: Option<Timestamp>,
    /// Where a frame of it was seen, which decides about the segment.
    pub place: Option<Place>,
}

/// Where a frame was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The interface that delivered it.
    pub interface: String,
    /// VLANs and tunnels.
    pub path: Path,
    /// The device's address in it.
    pub addr: IpAddr,
}

impl Finding {
    /// A finding that says nothing yet: who, and nothing else.
    pub fn blank(id: &str, device: DeviceFacts) -> Finding {
        Finding {
            id: id.to_string(),
            device,
            segment: String::new(),
            segment_class: "unknown",
            app: String::new(),
            surface: None,
            level: Level::None,
            confidence: 0.0,
            verdict: Verdict::Observed,
            others: Vec::new(),
            policy: String::new(),
            waiver: None,
            reasons: Vec::new(),
            first_seen: Timestamp::ZERO,
            last_seen: Timestamp::ZERO,
            flows: 0,
            bytes_up: 0,
            bytes_down: 0,
            instances: 0,
            classes: Vec::new(),
            regions: Vec::new(),
            evidence: Vec::new(),
            fingerprints: Vec::new(),
            presence: Spans::default(),
            basis: Basis::default(),
        }
    }
}

/// A flow that a finding rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRow {
    /// Its name.
    pub id: FlowId,
    /// The finding.
    pub finding: String,
    /// Client.
    pub client: Endpoint,
    /// Server.
    pub server: Endpoint,
    /// TCP or UDP.
    pub transport: Transport,
    /// App.
    pub app: String,
    /// Surface.
    pub surface: Option<Surface>,
    /// Level of this flow's own signs.
    pub level: Level,
    /// Names of the signs, heaviest first.
    pub signals: Vec<&'static str>,
    /// First packet.
    pub first: Timestamp,
    /// Latest packet.
    pub last: Timestamp,
    /// Bytes from and to the client.
    pub bytes: [u64; 2],
}
