//! Blindness is an alarm: what keeps the sensor from seeing or telling, worked out from its own counts.

use ringfence_core::time::Timestamp;

use crate::capture::live::{LinkState, LinkView};
use crate::config;
use crate::ring::RingView;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// An interface is not captured.
    Interface,
    /// The store cannot be written.
    StoreFailing,
    /// The last reload was refused.
    ReloadFailed,
}

impl AlarmKind {
    /// The word in outputs.
    pub const fn name(self) -> &'static str {
        match self {
            AlarmKind::Interface => "interface",
            AlarmKind::StoreFailing => "store-failing",
            AlarmKind::ReloadFailed => "reload-failed",
        }
    }
}

/// Something that is wrong now.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Which kind.
    pub kind: AlarmKind,
    /// Where.
    pub interface: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// What, and the remedy.
    pub detail: String,
}

/// What is known at a moment.
pub struct Sample<'a> {
    /// When.
    pub at: Timestamp,
    /// Every ring.
    pub rings: &'a [(LinkView, RingView)],
    /// Why the store cannot be written.
    pub store_problem: Option<&'a str>,
    /// Why the last reload was refused.
    pub reload_problem: Option<&'a str>,
}

/// The judge.
#[derive(Debug)]
pub struct Health {
    bars: config::Alarms,
}

impl Health {
    /// A judge with bars.
    pub fn new(bars: config::Alarms) -> Self {
        Health { bars }
    }

    /// Other bars.
    pub fn set_bars(&mut self, bars: config::Alarms) {
        self.bars = bars;
    }

    /// What is wrong now.
    pub fn observe(&mut self, sample: &Sample<'_>) -> Vec<Alarm> {
        let alarm = |kind, interface, detail: &str| Alarm { kind, interface, since: sample.at, detail: detail.to_string() };
        let blind = sample.rings.iter().map(|(link, _)| link).filter(|l| !matches!(l.state, LinkState::Capturing | LinkState::Waiting));
        let mut alarms: Vec<Alarm> =
            blind.map(|l| alarm(AlarmKind::Interface, Some(l.interface.clone()), l.error.as_deref().unwrap_or(""))).collect();
        alarms.extend(sample.store_problem.map(|p| alarm(AlarmKind::StoreFailing, None, p)));
        alarms.extend(sample.reload_problem.map(|p| alarm(AlarmKind::ReloadFailed, None, p)));
        alarms
    }
}
