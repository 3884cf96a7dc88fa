//! A flow with its signs, as long as it is kept.

use crate::evidence::{FlowMeta, Hit, Sign};
use crate::field::Field;
use crate::identity::DeviceId;
use crate::policy::SegmentId;
use crate::record::Role;
use crate::rules::IndicatorId;
use crate::time::Timestamp;

/// Different signs kept of one flow: a DNS flow to a resolver may carry many names.
const SIGNS_MAX: usize = 256;

/// Fingerprints and installations kept of one flow.
const BESIDE_MAX: usize = 16;

/// One sign on a flow, with how often it was seen.
#[derive(Clone, Debug)]
pub(super) struct FlowSign {
    pub(super) indicator: IndicatorId,
    pub(super) field: &'static Field,
    pub(super) value: Box<str>,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Only the answering end said it so far.
    answered_only: bool,
}

/// A flow that matters.
#[derive(Clone, Debug)]
pub(super) struct FlowEntry {
    pub(super) meta: FlowMeta,
    /// Whose it is, once somebody asked.
    pub(super) device: Option<DeviceId>,
    pub(super) segment: SegmentId,
    pub(super) last: Timestamp,
    pub(super) bytes: [u64; 2],
    pub(super) ended: bool,
    /// A server name was seen in it, whether or not a rule knows it: no address explains it.
    pub(super) named: bool,
    pub(super) signs: Vec<FlowSign>,
    pub(super) beside: Vec<(&'static Field, Box<str>)>,
    pub(super) installations: Vec<u64>,
}

impl FlowEntry {
    pub(super) fn new(meta: &FlowMeta, segment: SegmentId) -> Self {
        FlowEntry {
            meta: *meta,
            device: None,
            segment,
            last: meta.first,
            bytes: [0; 2],
            ended: false,
            named: false,
            signs: Vec::new(),
            beside: Vec::new(),
            installations: Vec::new(),
        }
    }

    /// Adds the hits of one record.
    pub(super) fn add(&mut self, sign: &Sign) {
        self.last = self.last.max(sign.ts);
        let answered = sign.sender == Some(Role::Server);
        for hit in &sign.hits {
            self.add_hit(hit, sign.ts, answered);
        }
        for beside in &sign.beside {
            if self.beside.len() < BESIDE_MAX && !self.beside.contains(beside) {
                self.beside.push(beside.clone());
            }
        }
        let fresh = sign.installation.filter(|i| self.installations.len() < BESIDE_MAX && !self.installations.contains(i));
        self.installations.extend(fresh);
    }

    /// A question and its answer are one occurrence.
    fn add_hit(&mut self, hit: &Hit, ts: Timestamp, answered: bool) {
        let full = self.signs.len() >= SIGNS_MAX;
        let known = self.signs.iter_mut().find(|s| s.indicator == hit.indicator && s.field == hit.field && s.value == hit.value);
        match known {
            Some(known) => {
                known.first = known.first.min(ts);
                known.last = known.last.max(ts);
                match (answered, known.answered_only) {
                    (false, true) => known.answered_only = false,
                    (true, false) => {}
                    _ => known.count += 1,
                }
            }
            None if !full => self.signs.push(FlowSign {
                indicator: hit.indicator,
                field: hit.field,
                value: hit.value.clone(),
                count: 1,
                first: ts,
                last: ts,
                answered_only: answered,
            }),
            None => {}
        }
    }
}
