//! Blindness is an alarm: from the counters of each second to a list of what keeps the sensor from seeing or remembering.
//!
//! A state machine without a clock. Must not know how frames are read, or who hears of an alarm.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use ringfence_core::coverage::Blind;
use ringfence_core::time::Timestamp;

use crate::capture::{LinkState, LinkView};
use crate::config;
use crate::ring::RingView;

mod outputs;

pub use outputs::OutputSample;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// An interface is not there, or not any more, or cannot be opened.
    InterfaceMissing,
    /// An interface is set down or has no carrier.
    InterfaceDown,
    /// Capturing is refused: a privilege is missing, a filter is none.
    Permission,
    /// No frames where there was traffic.
    Silence,
    /// Most flows have one direction only: half of the mirror is missing.
    OneWay,
    /// Frames or evidence were lost.
    Loss,
    /// The clock jumped: times before and after cannot be compared.
    ClockStep,
    /// Work was left out because there was too much of it.
    Shedding,
    /// Findings cannot be stored.
    StoreFailing,
    /// A new configuration was not accepted: the old one is at work.
    ReloadFailed,
    /// The far end of an output does not take events.
    OutputFailing,
    /// Events are gone that an output should have told.
    OutputDropping,
    /// The audit log does not hold together, or cannot be read.
    AuditBroken,
}

/// A kind, its word in metrics and the API, how long it must be bad before it is told and good before it ends.
type Row = (AlarmKind, &'static str, Duration, Duration);

const fn row(kind: AlarmKind, name: &'static str, raise_secs: u64, clear_secs: u64) -> Row {
    (kind, name, Duration::from_secs(raise_secs), Duration::from_secs(clear_secs))
}

/// Every kind. What is measured over a window stays bad until the window has passed it; the rest has a time to prove itself.
const KINDS: [Row; 13] = [
    row(AlarmKind::InterfaceMissing, "interface-missing", 3, 5),
    row(AlarmKind::InterfaceDown, "interface-down", 3, 5),
    row(AlarmKind::Permission, "permission", 0, 0),
    row(AlarmKind::Silence, "silence", 0, 10),
    row(AlarmKind::OneWay, "one-way", 0, 30),
    row(AlarmKind::Loss, "loss", 0, 30),
    row(AlarmKind::ClockStep, "clock-step", 0, 0),
    row(AlarmKind::Shedding, "shedding", 0, 0),
    row(AlarmKind::StoreFailing, "store-failing", 0, 10),
    row(AlarmKind::ReloadFailed, "reload-failed", 0, 0),
    row(AlarmKind::OutputFailing, "output-failing", 60, 10),
    row(AlarmKind::OutputDropping, "output-dropping", 0, 0),
    row(AlarmKind::AuditBroken, "audit-broken", 0, 0),
];

impl AlarmKind {
    /// Every kind, in the order of importance.
    pub fn all() -> impl Iterator<Item = AlarmKind> {
        KINDS.iter().map(|(kind, ..)| *kind)
    }

    /// The word for it in metrics, outputs and the API.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> Row {
        KINDS.iter().find(|(kind, ..)| *kind == self).copied().unwrap_or(row(self, "", 0, 0))
    }
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What.
    pub kind: AlarmKind,
    /// On which interface; `None` when it concerns the whole sensor.
    pub interface: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// The figures, and what to do.
    pub detail: String,
}

/// From where on something is wrong. An alarm ends at half of its bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bars {
    /// Seconds without a frame on an interface that had traffic.
    pub silence_secs: u64,
    /// Frames within [`Bars::window_secs`] that count as traffic: an interface with less is never silent.
    pub traffic_frames_min: u64,
    /// Share (0 to 1) of lost frames.
    pub loss_share: f64,
    /// Share (0 to 1) of flows with one direction only.
    pub one_way_share: f64,
    /// Flows within the window below which no share is computed.
    pub flows_min: u64,
    /// Seconds over which shares are computed, and for which a clock step or shedding is told.
    pub window_secs: u64,
}

impl Default for Bars {
    fn default() -> Self {
        Bars { silence_secs: 60, traffic_frames_min: 10, loss_share: 0.01, one_way_share: 0.6, flows_min: 20, window_secs: 60 }
    }
}

impl From<config::Alarms> for Bars {
    fn from(alarms: config::Alarms) -> Self {
        let config::Alarms { silence, loss, one_way } = alarms;
        Bars { silence_secs: silence.as_secs(), loss_share: loss, one_way_share: one_way, ..Bars::default() }
    }
}

/// What a ring's worker counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounts {
    /// TCP flows that ended: those that are judged for their directions.
    pub flows: u64,
    /// Those of them with one direction only.
    pub flows_one_way: u64,
    /// Jumps of the frames' clock.
    pub clock_steps: u64,
    /// Packets or flows that were left out under load.
    pub shed: u64,
    /// Evidence that did not reach the correlator.
    pub evidence_dropped: u64,
}

impl From<&RingView> for RingCounts {
    fn from(view: &RingView) -> Self {
        let tally = &view.tally;
        RingCounts {
            flows: tally.flows_tcp,
            flows_one_way: tally.blind.get(&Blind::OneWay).copied().unwrap_or(0),
            clock_steps: tally.clock_steps,
            shed: tally.shed.values().sum(),
            evidence_dropped: view.evidence_lost,
        }
    }
}

/// A ring as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingSample {
    /// Its capture.
    pub link: LinkView,
    /// Its worker.
    pub counts: RingCounts,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The wall clock: what alarms are dated with.
    pub now: Timestamp,
    /// A clock that never jumps: what spans are measured with.
    pub uptime: Duration,
    /// Every ring.
    pub rings: Vec<RingSample>,
    /// Why findings cannot be stored, when that is so.
    pub store_failing: Option<String>,
    /// Why the last reload was refused, when it was.
    pub reload_failed: Option<String>,
    /// Every output.
    pub outputs: Vec<OutputSample>,
    /// Events that neither the store nor an output has, because the store could not be written for too long.
    pub events_left_out: u64,
    /// The first fault of the audit log, when it has one.
    pub audit_broken: Option<String>,
}

/// Distance between the two clocks' steps from which on the wall clock was set, not slewed.
const CLOCK_STEP: Duration = Duration::from_millis(500);

/// The sums of one interface's rings.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    received: u64,
    dropped: u64,
    counts: RingCounts,
}

impl Sums {
    fn of(rings: &[&RingSample]) -> Self {
        let mut sums = Sums::default();
        for RingSample { link, counts } in rings {
            sums.received += link.received;
            sums.dropped += link.dropped_kernel + link.dropped_nic;
            sums.counts.flows += counts.flows;
            sums.counts.flows_one_way += counts.flows_one_way;
            sums.counts.clock_steps += counts.clock_steps;
            sums.counts.shed += counts.shed;
            sums.counts.evidence_dropped += counts.evidence_dropped;
        }
        sums
    }

    fn since(&self, earlier: &Sums) -> Sums {
        let (c, e) = (&self.counts, &earlier.counts);
        Sums {
            received: self.received.saturating_sub(earlier.received),
            dropped: self.dropped.saturating_sub(earlier.dropped),
            counts: RingCounts {
                flows: c.flows.saturating_sub(e.flows),
                flows_one_way: c.flows_one_way.saturating_sub(e.flows_one_way),
                clock_steps: c.clock_steps.saturating_sub(e.clock_steps),
                shed: c.shed.saturating_sub(e.shed),
                evidence_dropped: c.evidence_dropped.saturating_sub(e.evidence_dropped),
            },
        }
    }
}

/// What is remembered of an interface.
#[derive(Debug, Default)]
struct Past {
    window: VecDeque<(Duration, Sums)>,
    /// When the last frame came.
    frame_at: Duration,
    /// There was traffic that can stop.
    lively: bool,
}

/// How a condition stands in this second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Above the bar.
    Bad,
    /// Between half of the bar and the bar: an alarm stays, none begins.
    Between,
}

type Key = (AlarmKind, Option<String>);
type Conditions = BTreeMap<Key, (Level, String)>;

/// A condition over time.
#[derive(Debug)]
struct Watched {
    bad_since: (Duration, Timestamp),
    good_since: Option<Duration>,
    raised: bool,
    detail: String,
}

/// The state machine.
#[derive(Debug)]
pub struct Health {
    bars: Bars,
    interfaces: BTreeMap<String, Past>,
    watched: BTreeMap<Key, Watched>,
    clocks: Option<(Duration, Timestamp)>,
    /// When the wall clock was last set, and by how much.
    stepped: Option<(Duration, Duration)>,
    gone: outputs::Gone,
}

impl Health {
    /// Healthy until it is fed.
    pub fn new(bars: Bars) -> Self {
        Health { bars, interfaces: BTreeMap::new(), watched: BTreeMap::new(), clocks: None, stepped: None, gone: outputs::Gone::default() }
    }

    /// Replaces the bars; what is known stays.
    pub fn set_bars(&mut self, bars: Bars) {
        self.bars = bars;
    }

    /// Takes the counters of this moment (about once a second) and says what is wrong, by kind and interface.
    pub fn feed(&mut self, sample: &Sample) -> Vec<Alarm> {
        let mut bad = Conditions::new();
        let flags = [
            (AlarmKind::StoreFailing, &sample.store_failing),
            (AlarmKind::ReloadFailed, &sample.reload_failed),
            (AlarmKind::AuditBroken, &sample.audit_broken),
        ];
        for (kind, why) in flags {
            why.iter().for_each(|why| tell(&mut bad, kind, None, why.clone()));
        }
        let mut by_name: BTreeMap<&str, Vec<&RingSample>> = BTreeMap::new();
        sample.rings.iter().for_each(|ring| by_name.entry(&ring.link.interface).or_default().push(ring));
        self.interfaces.retain(|name, _| by_name.contains_key(name.as_str()));
        let mut steps = 0;
        for (name, rings) in &by_name {
            steps += self.interface(sample.uptime, name, rings, &mut bad);
        }
        self.clock(sample, steps, &mut bad);
        let times = (sample.uptime, Duration::from_secs(self.bars.window_secs));
        outputs::look(&mut self.gone, times, &sample.outputs, sample.events_left_out, &mut bad);
        self.settle(sample, bad)
    }

    /// Looks at one interface; gives the clock steps that its frames showed.
    fn interface(&mut self, uptime: Duration, name: &str, rings: &[&RingSample], bad: &mut Conditions) -> u64 {
        standing(name, rings, bad);
        let (bars, sums) = (self.bars, Sums::of(rings));
        let past = self.interfaces.entry(name.to_string()).or_insert_with(|| Past { frame_at: uptime, ..Past::default() });
        if past.window.back().is_none_or(|(_, last)| last.received != sums.received) {
            past.frame_at = uptime;
        }
        past.window.push_back((uptime, sums));
        let window = Duration::from_secs(bars.window_secs.max(1));
        while past.window.get(1).is_some_and(|(at, _)| uptime.saturating_sub(*at) >= window) {
            past.window.pop_front();
        }
        let recent = past.window.front().map(|(_, oldest)| sums.since(oldest)).unwrap_or_default();
        past.lively |= recent.received >= bars.traffic_frames_min;
        let quiet = uptime.saturating_sub(past.frame_at);
        let capturing = rings.iter().all(|r| r.link.state == LinkState::Capturing);
        if !capturing {
            // Its own alarm says why there are no frames; silence is counted from its end on.
            past.frame_at = uptime;
        } else if past.lively && quiet.as_secs() >= bars.silence_secs {
            let help = "is the mirror port still configured? `ringfence doctor` looks";
            tell(
                bad,
                AlarmKind::Silence,
                Some(name),
                format!("{name}: no frame for {} s where there was traffic; {help}", quiet.as_secs()),
            );
        }
        shares(&bars, name, &recent, bad);
        recent.counts.clock_steps
    }

    /// The clock of the frames (as the workers counted), and the wall clock against the one that never jumps.
    fn clock(&mut self, sample: &Sample, steps: u64, bad: &mut Conditions) {
        if let Some((uptime, now)) = self.clocks.replace((sample.uptime, sample.now)) {
            let expected = now.after(sample.uptime.saturating_sub(uptime));
            let jump = sample.now.distance(expected);
            if jump > CLOCK_STEP {
                self.stepped = Some((sample.uptime, jump));
            }
        }
        let window = Duration::from_secs(self.bars.window_secs);
        self.stepped = self.stepped.filter(|(at, _)| sample.uptime.saturating_sub(*at) <= window);
        let mut detail = String::new();
        if let Some((_, jump)) = self.stepped {
            let _ = write!(detail, "the system clock was set by {:.1} s; ", jump.as_secs_f64());
        }
        if steps > 0 {
            let _ = write!(detail, "the frames' clock jumped {steps} times; ");
        }
        if !detail.is_empty() {
            tell(
                bad,
                AlarmKind::ClockStep,
                None,
                format!("{detail}times before and after cannot be compared: keep the clock by NTP or PTP"),
            );
        }
    }

    /// From what is bad now to what is told: not before its time, and not over before its time.
    fn settle(&mut self, sample: &Sample, mut bad: Conditions) -> Vec<Alarm> {
        let uptime = sample.uptime;
        self.watched.retain(|key, watched| {
            let (_, _, _, clear) = key.0.row();
            match bad.remove(key) {
                Some((Level::Between, _)) if !watched.raised => false,
                Some((level, detail)) => {
                    watched.good_since = None;
                    if level == Level::Bad {
                        watched.detail = detail;
                    }
                    true
                }
                None => watched.raised && uptime.saturating_sub(*watched.good_since.get_or_insert(uptime)) < clear,
            }
        });
        for (key, (level, detail)) in bad {
            if level == Level::Bad {
                let began = Watched { bad_since: (uptime, sample.now), good_since: None, raised: false, detail };
                self.watched.insert(key, began);
            }
        }
        let mut alarms = Vec::new();
        for ((kind, interface), watched) in &mut self.watched {
            let (_, _, raise, _) = kind.row();
            watched.raised |= uptime.saturating_sub(watched.bad_since.0) >= raise;
            if watched.raised {
                let (interface, since, detail) = (interface.clone(), watched.bad_since.1, watched.detail.clone());
                alarms.push(Alarm { kind: *kind, interface, since, detail });
            }
        }
        alarms
    }
}

fn tell(bad: &mut Conditions, kind: AlarmKind, interface: Option<&str>, detail: String) {
    bad.insert((kind, interface.map(str::to_string)), (Level::Bad, detail));
}

/// How the rings of an interface stand: the first that does not capture speaks for all.
fn standing(name: &str, rings: &[&RingSample], bad: &mut Conditions) {
    for RingSample { link, .. } in rings {
        let kind = match link.state {
            LinkState::Capturing => continue,
            LinkState::Waiting | LinkState::Gone => AlarmKind::InterfaceMissing,
            LinkState::Down => AlarmKind::InterfaceDown,
            LinkState::Refused => AlarmKind::Permission,
        };
        let why = link.error.clone().unwrap_or_else(|| format!("{name} is {}", link.state.name()));
        bad.entry((kind, Some(name.to_string()))).or_insert((Level::Bad, why));
    }
}

/// What is wrong by its share of the window.
fn shares(bars: &Bars, name: &str, recent: &Sums, bad: &mut Conditions) {
    let RingCounts { flows, flows_one_way, shed, evidence_dropped, .. } = recent.counts;
    let mut rate = |kind, part: u64, whole: u64, bar: f64, detail: String| {
        let share = part as f64 / whole.max(1) as f64;
        let level = if share >= bar { Level::Bad } else { Level::Between };
        if part > 0 && share >= bar / 2.0 {
            bad.insert((kind, Some(name.to_string())), (level, detail));
        }
    };
    if flows >= bars.flows_min {
        let help = "does the mirror carry both directions? `ringfence doctor` looks";
        let detail = format!("{name}: {flows_one_way} of {flows} flows have one direction only; {help}");
        rate(AlarmKind::OneWay, flows_one_way, flows, bars.one_way_share, detail);
    }
    let arrived = recent.received + recent.dropped;
    let help = "a larger buffer, more rings or the filter `handshakes` help";
    let detail = format!("{name}: {} of {arrived} frames were lost before they were read; {help}", recent.dropped);
    rate(AlarmKind::Loss, recent.dropped, arrived, bars.loss_share, detail);
    if evidence_dropped > 0 {
        let detail = format!("{name}: {evidence_dropped} pieces of evidence were lost on the way to the correlator");
        tell(bad, AlarmKind::Loss, Some(name), detail);
    }
    if shed > 0 {
        let help = "more rings or the filter `handshakes` help";
        tell(bad, AlarmKind::Shedding, Some(name), format!("{name}: {shed} packets were left out under load; {help}"));
    }
}

#[cfg(test)]
mod tests;
