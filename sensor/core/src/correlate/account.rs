//! The account of one device, app and surface: its signs on the scale, and what it did in each segment.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::FlowId;
use crate::field::{Family, Field};
use crate::finding::Kind;
use crate::policy::SegmentId;
use crate::rules::{IndicatorId, Surface};
use crate::spans::Spans;
use crate::time::Timestamp;

use super::flows::FlowEntry;
use super::weigh::Scale;

/// Different values kept for one indicator and field: enough to explain, bounded for a device that does this all year.
pub(super) const VALUES_MAX: usize = 32;

/// Stands for the values beyond [`VALUES_MAX`].
pub(super) const FURTHER_VALUES: &str = "(further values)";

/// A sign on a flow, ready to be counted.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) indicator: IndicatorId,
    pub(super) field: &'static Field,
    pub(super) family: Family,
    pub(super) value: Box<str>,
    pub(super) weight: f64,
    pub(super) count: u64,
    pub(super) kind: Kind,
    pub(super) signal: &'static str,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// Device-independent key of an account: the app and its face; no surface for a disguise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) app: Box<str>,
    pub(super) surface: Option<Surface>,
}

/// What is known about one device, app and surface.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) scale: Scale,
    pub(super) segments: BTreeMap<SegmentId, Use>,
}

/// Use in one segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Use {
    pub(super) span: Option<(Timestamp, Timestamp)>,
    pub(super) presence: Spans,
    pub(super) flows: BTreeMap<FlowId, FlowSigns>,
    pub(super) bytes: [u64; 2],
    pub(super) installations: BTreeSet<u64>,
    pub(super) lines: BTreeMap<LineKey, Line>,
    pub(super) classes: BTreeSet<Box<str>>,
    pub(super) regions: BTreeSet<Box<str>>,
    pub(super) fingerprints: BTreeSet<(&'static str, Box<str>)>,
}

/// The signs of one flow for one account.
#[derive(Clone, Debug, Default)]
pub(super) struct FlowSigns {
    pub(super) scale: Scale,
    /// (negative weight in millionths, name): sorts heaviest first.
    pub(super) signals: BTreeSet<(i64, &'static str)>,
}

/// What makes two signs one line of evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey {
    pub(super) indicator: IndicatorId,
    pub(super) field: &'static str,
    pub(super) kind: Kind,
    pub(super) value: Box<str>,
}

/// One line of evidence.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) family: Family,
    pub(super) weight: f64,
    pub(super) count: u64,
}

impl Use {
    /// Books a claim of a flow.
    pub(super) fn book(&mut self, flow: &FlowEntry, claim: &Claim, class: &str, region: &str) -> &mut FlowSigns {
        let (first, last) = self.span.unwrap_or((claim.first, claim.last));
        self.span = Some((first.min(claim.first), last.max(claim.last)));
        self.presence.add(claim.first, claim.last);
        if !self.flows.contains_key(&flow.meta.id) {
            self.bytes = [self.bytes[0].saturating_add(flow.bytes[0]), self.bytes[1].saturating_add(flow.bytes[1])];
            self.installations.extend(&flow.installations);
            self.fingerprints.extend(flow.beside.iter().map(|(f, v)| (f.name, v.clone())));
        }
        self.line(claim);
        self.classes.insert(class.into());
        if !region.is_empty() {
            self.regions.insert(region.into());
        }
        let signs = self.flows.entry(flow.meta.id).or_default();
        signs.signals.insert((-((claim.weight * 1e6) as i64), claim.signal));
        signs
    }

    fn line(&mut self, claim: &Claim) {
        let mut key = LineKey { indicator: claim.indicator, field: claim.field.name, kind: claim.kind, value: claim.value.clone() };
        let alike = |k: &&LineKey| k.indicator == key.indicator && k.field == key.field && k.kind == key.kind;
        if !self.lines.contains_key(&key) && self.lines.keys().filter(alike).count() >= VALUES_MAX {
            key.value = FURTHER_VALUES.into();
        }
        let line = self.lines.entry(key).or_insert(Line { family: claim.family, weight: claim.weight, count: 0 });
        line.count = line.count.saturating_add(claim.count);
    }
}
