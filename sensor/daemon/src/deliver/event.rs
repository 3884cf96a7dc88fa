//! What leaves: an event of a finding, as the output that sends it may tell it.

use ringfence_core::ledger::{Event as Happening, Stage, Tracked};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::time::Timestamp;

use crate::config::Output as Settings;
use crate::store::outbox::Row;
use crate::veil::Veil;

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The same however often it is sent: a far end that has seen it drops the second copy.
    pub id: String,
    /// Its number: later events of this sensor have higher ones.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What the organisation calls this place.
    pub site: String,
    /// What it is about.
    pub about: About,
    /// The number below which nothing that it tells lies.
    pub(super) lowest: u64,
    /// It passes the output's filter. Others reach only outputs that must end what they began.
    pub fits: bool,
    /// With this it left the output's filter: what the far end was told of it holds no more.
    pub left: bool,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// Something happened to a finding.
    Finding(Box<Happened>),
    /// Events wait, because there were more than the output may send in a minute.
    Held {
        /// How many.
        count: u64,
        /// Since when the oldest waits.
        since: Timestamp,
    },
}

/// Something that happened to a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// What.
    pub event: Happening,
    /// The finding as it was then, as it may be shown.
    pub tracked: Tracked,
    /// Ids of earlier events of this finding that this one stands for.
    pub folded: Vec<String>,
}

impl Event {
    /// An event of the outbox, as it may be told.
    pub fn new(row: Row, veil: &Veil, site: &str, settings: &Settings) -> Event {
        let fits = fits(settings, &row.tracked);
        let mut tracked = row.tracked;
        tracked.finding = veil.finding(&tracked.finding);
        let about = About::Finding(Box::new(Happened { event: row.event, tracked, folded: Vec::new() }));
        Event { id: format!("ev-{}", row.id), seq: row.seq, at: row.at, site: site.to_string(), about, lowest: row.seq, fits, left: false }
    }

    /// What happened to which finding.
    pub fn happened(&self) -> Option<&Happened> {
        match &self.about {
            About::Finding(happened) => Some(happened),
            About::Held { .. } => None,
        }
    }

    /// It tells that a finding that goes on left the output's filter.
    pub fn has_left(&self) -> bool {
        self.left && self.happened().is_some_and(|h| !h.is_over())
    }

    /// The word for what happened.
    pub fn word(&self) -> &'static str {
        self.happened().map_or("held", |h| match h.event {
            // It goes on, judged so that this output does not tell it any more.
            _ if self.has_left() => "left",
            // To whoever reads it, a finding that is judged otherwise was updated.
            Happening::Rejudged => "updated",
            other => other.name(),
        })
    }

    /// From 1, for information, to 10.
    pub fn severity(&self) -> u8 {
        self.happened().map_or(3, |h| if h.event == Happening::Escalated { 10 } else { severity(h.tracked.finding.verdict) })
    }

    /// It in a sentence. Safe wherever one line is.
    pub fn sentence(&self) -> String {
        match &self.about {
            About::Held { count, since } => format!("{count} events are held since {since}: more than may be sent in a minute"),
            About::Finding(happened) => {
                let f = &happened.tracked.finding;
                format!("{} {}: {} on {} in {}, {}", f.id, self.word(), f.app, f.device.id, f.segment, f.verdict.name())
            }
        }
    }
}

impl Happened {
    /// The finding is over.
    pub fn is_over(&self) -> bool {
        self.tracked.stage != Stage::Open
    }

    /// The value of the first sign or fingerprint on a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        let finding = &self.tracked.finding;
        let signs = finding.evidence.iter().filter(|e| e.field == field).map(|e| e.value.as_str());
        let beside = finding.fingerprints.iter().filter(|(f, _)| *f == field).map(|(_, value)| value.as_str());
        signs.chain(beside).next()
    }
}

/// From 1 to 10; the order is that of verdicts.
fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Violation => 9,
        Verdict::SeparationBreach => 8,
        Verdict::WaiverExpired => 7,
        Verdict::Unapproved => 6,
        Verdict::Disguise => 5,
        Verdict::Waived => 3,
        Verdict::Observed => 2,
        Verdict::Compliant => 1,
    }
}

fn fits(settings: &Settings, tracked: &Tracked) -> bool {
    let finding = &tracked.finding;
    told(settings, finding.verdict, finding.level) && told_segment(settings, &finding.segment)
}

/// Whether an output tells of this segment.
pub(super) fn told_segment(settings: &Settings, name: &str) -> bool {
    settings.segments.is_empty() || settings.segments.iter().any(|n| n == name)
}

/// Whether an output tells what is judged so.
pub(super) fn told(settings: &Settings, verdict: Verdict, level: Level) -> bool {
    (settings.verdicts.is_empty() || settings.verdicts.contains(&verdict)) && level >= settings.min_level
}

/// How many events, from the front, are each of another finding: those may be on their way together without coming out of order.
#[cfg(any(feature = "nats", feature = "kafka"))]
pub(super) fn apart(events: &[Event]) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    events.iter().take_while(|e| e.happened().is_none_or(|h| seen.insert(&h.tracked.finding.id))).count()
}

/// Puts an event behind those that wait. One that says only that a finding is judged otherwise gives way to a later one of that finding,
/// which says it as well; its id stays with that one.
pub(super) fn fold(waiting: &mut Vec<Event>, mut event: Event) {
    let id = event.happened().map(|h| h.tracked.finding.id.clone());
    let idle = |e: &Event| e.happened().is_some_and(|h| h.event == Happening::Rejudged && Some(&h.tracked.finding.id) == id.as_ref());
    let last = waiting.iter().rposition(|e| e.happened().map(|h| &h.tracked.finding.id) == id.as_ref());
    if let Some(at) = last.filter(|at| waiting.get(*at).is_some_and(idle)) {
        let earlier = waiting.remove(at);
        event.lowest = event.lowest.min(earlier.lowest);
        if let (About::Finding(now), About::Finding(then)) = (&mut event.about, earlier.about) {
            now.folded = then.folded;
            now.folded.push(earlier.id);
        }
    }
    waiting.push(event);
}
