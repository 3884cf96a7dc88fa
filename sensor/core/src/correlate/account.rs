//! The account of one device, app and surface: its signs on the scale, and what it did in each segment.
//!
//! An account lives as long as one judgement, so its texts are those of the rules and of the flows themselves (`'r`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::FlowId;
use crate::field::{Family, Field};
use crate::finding::Kind;
use crate::policy::SegmentId;
use crate::rules::{Indicator, IndicatorId, Surface};
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
pub(super) struct Claim<'r> {
    pub(super) indicator: IndicatorId,
    pub(super) field: &'static Field,
    pub(super) family: Family,
    pub(super) value: Cow<'r, str>,
    pub(super) weight: f64,
    pub(super) count: u64,
    pub(super) kind: Kind,
    pub(super) signal: &'static str,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// Device-independent key of an account: the app and its face; no surface for a disguise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject<'r> {
    pub(super) app: &'r str,
    pub(super) surface: Option<Surface>,
}

/// What is known about one device, app and surface.
#[derive(Clone, Debug, Default)]
pub(super) struct Account<'r> {
    pub(super) scale: Scale<'r>,
    pub(super) segments: BTreeMap<SegmentId, Use<'r>>,
}

/// Use in one segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Use<'r> {
    pub(super) span: Option<(Timestamp, Timestamp)>,
    pub(super) presence: Spans,
    pub(super) flows: BTreeMap<FlowId, FlowSigns<'r>>,
    pub(super) bytes: [u64; 2],
    pub(super) installations: BTreeSet<u64>,
    pub(super) lines: BTreeMap<LineKey<'r>, Line>,
    /// Classes of signs, sorted.
    pub(super) classes: Vec<&'r str>,
    /// Jurisdictions, sorted.
    pub(super) regions: Vec<&'r str>,
    pub(super) fingerprints: BTreeSet<(&'static str, &'r str)>,
}

/// The signs of one flow for one account.
#[derive(Clone, Debug)]
pub(super) struct FlowSigns<'r> {
    pub(super) flow: &'r FlowEntry,
    pub(super) scale: Scale<'r>,
    /// (negative weight in millionths, name), sorted: heaviest first.
    pub(super) signals: Vec<(i64, &'static str)>,
}

/// What makes two signs one line of evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey<'r> {
    pub(super) indicator: IndicatorId,
    pub(super) field: &'static str,
    pub(super) kind: Kind,
    pub(super) value: Cow<'r, str>,
}

/// One line of evidence.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) family: Family,
    pub(super) weight: f64,
    pub(super) count: u64,
}

impl<'r> Account<'r> {
    /// Books a claim of a flow: in the segment, on the flow's own scale and on that of the account.
    pub(super) fn book(&mut self, flow: &'r FlowEntry, claim: Claim<'r>, indicator: &'r Indicator) {
        let (id, family, weight) = (claim.indicator, claim.family, claim.weight);
        let signs = self.segments.entry(flow.segment).or_default().book(flow, claim, indicator);
        for scale in [&mut signs.scale, &mut self.scale] {
            match family {
                Family::Address => scale.address(id, indicator),
                _ => scale.sign(id, indicator, family, weight),
            }
        }
    }
}

impl<'r> Use<'r> {
    fn book(&mut self, flow: &'r FlowEntry, claim: Claim<'r>, indicator: &'r Indicator) -> &mut FlowSigns<'r> {
        let (first, last) = self.span.unwrap_or((claim.first, claim.last));
        self.span = Some((first.min(claim.first), last.max(claim.last)));
        self.presence.add(claim.first, claim.last);
        put(&mut self.classes, &*indicator.class);
        if !indicator.region.is_empty() {
            put(&mut self.regions, &*indicator.region);
        }
        let signal = (-((claim.weight * 1e6) as i64), claim.signal);
        self.line(claim);
        let signs = self.flows.entry(flow.meta.id).or_insert_with(|| {
            self.bytes = [self.bytes[0].saturating_add(flow.bytes[0]), self.bytes[1].saturating_add(flow.bytes[1])];
            self.installations.extend(&flow.installations);
            self.fingerprints.extend(flow.beside.iter().map(|(f, v)| (f.name, &**v)));
            FlowSigns { flow, scale: Scale::default(), signals: Vec::new() }
        });
        put(&mut signs.signals, signal);
        signs
    }

    fn line(&mut self, claim: Claim<'r>) {
        let mut key = LineKey { indicator: claim.indicator, field: claim.field.name, kind: claim.kind, value: claim.value };
        if !self.lines.contains_key(&key) && self.alike(&key) >= VALUES_MAX {
            key.value = FURTHER_VALUES.into();
        }
        let line = self.lines.entry(key).or_insert(Line { family: claim.family, weight: claim.weight, count: 0 });
        line.count = line.count.saturating_add(claim.count);
    }

    /// Lines that differ in nothing but the value. They stand side by side.
    fn alike(&self, key: &LineKey<'r>) -> usize {
        let first = LineKey { value: Cow::Borrowed(""), ..*key };
        let alike = |k: &LineKey<'_>| k.indicator == key.indicator && k.field == key.field && k.kind == key.kind;
        self.lines.range(first..).take_while(|(k, _)| alike(k)).count()
    }
}

/// Puts a value into a sorted list, once. For what the rules have few of.
fn put<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}
