//! Policy: what the organisation allows where, and the verdict on a device, an app, a place and a time.
//!
//! Must never know frames, flows, dissectors or the worker.

mod judge;
mod necessity;
mod overlap;
mod register;
mod segment;
mod status;
mod waiver;
mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::net::{Mac, Path, Prefix};

pub use judge::{Case, Judgement};
pub use necessity::{GONE_DAYS, Necessity};
pub use overlap::{Overlap, overlaps};
pub use register::{Device, Register};
pub use segment::{Segment, SegmentId, Segments, Selector, parse_tunnel};
pub use status::{Line, Standing};
pub use waiver::{Reckoning, Revoked, Waiver, reckon};
pub use words::{Level, SegmentClass, Status, Verdict};

/// Use in so many days before counts when a device appears in a sensitive segment.
pub const EXPOSURE_DEFAULT: Duration = Duration::from_secs(30 * 86_400);

/// Everything that a verdict depends on.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Segments by name.
    pub segments: Segments,
    /// Lines, the first match decides.
    pub lines: Vec<Line>,
    /// Known devices.
    pub register: Register,
    /// Waivers.
    pub waivers: Vec<Waiver>,
    /// The level from which a verdict can be worse than `observed`, by segment class; [`Level::Probable`] where it is not set.
    pub bars: BTreeMap<SegmentClass, Level>,
    /// How long a confirmed use counts against a device that appears in a sensitive segment.
    pub exposure: Duration,
    /// Names of the organisation's work services, as host name patterns.
    pub work_names: Vec<String>,
    /// Addresses of the organisation's work services.
    pub work_prefixes: Vec<Prefix>,
    /// Local DNS suffixes, stripped from names before matching.
    pub local_suffixes: Vec<String>,
    /// What RADIUS accounting says about devices counts.
    pub radius_accounting: bool,
    configured: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            segments: Segments::default(),
            lines: Vec::new(),
            register: Register::default(),
            waivers: Vec::new(),
            bars: BTreeMap::new(),
            exposure: EXPOSURE_DEFAULT,
            work_names: Vec::new(),
            work_prefixes: Vec::new(),
            local_suffixes: Vec::new(),
            radius_accounting: false,
            configured: false,
        }
    }
}

impl Policy {
    /// No policy: everything is `observed`, segments are derived.
    pub fn none() -> Self {
        Policy::default()
    }

    /// A policy was given.
    pub fn configured(mut self) -> Self {
        self.configured = true;
        self
    }

    /// Whether a policy was given.
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// The segment of an address that was seen on an interface, over a path.
    pub fn segment_of(&mut self, interface: &str, path: &Path, addr: IpAddr) -> SegmentId {
        self.segments.find(interface, path, addr)
    }

    /// A segment.
    pub fn segment(&self, id: SegmentId) -> &Segment {
        self.segments.get(id)
    }

    /// What holds for an app in a segment: the first line that matches, else the default of the segment's class.
    pub fn standing(&self, app: &str, segment: &Segment) -> Standing {
        let line = self.lines.iter().find(|l| l.matches(app, segment));
        line.map_or_else(|| Standing::by_default(segment.class), Standing::of_line)
    }

    /// The level from which use in a class of segments can be judged worse than `observed`.
    pub fn bar(&self, class: SegmentClass) -> Level {
        self.bars.get(&class).copied().unwrap_or(Level::Probable)
    }

    /// Hardware addresses of designated devices: their mere presence matters.
    pub fn designated_macs(&self) -> Vec<Mac> {
        self.register.devices().filter(|d| d.designated).flat_map(|d| d.macs.iter().copied()).collect()
    }

    /// Whether an address is one of the organisation's work services.
    pub fn is_work_service(&self, addr: IpAddr) -> bool {
        self.work_prefixes.iter().any(|p| p.contains(addr))
    }
}
