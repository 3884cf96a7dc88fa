//! What a worker saw, lost and could not judge: the raw counts of the coverage statement.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::coverage::Blind;
use crate::decode::{DecodeCounts, Frame, Packet};
use crate::flow::{First, Flow};
use crate::limits::{Limit, LimitCounts, STREAMS_BYTES_MAX};
use crate::net::Transport;
use crate::time::Timestamp;

use super::places::{ELSEWHERE, PlaceNumber};
use super::{FlowState, Places, Shedding};

/// A pause longer than this between two frames is not time watched: the clock stepped, or the capture was paused.
const CLOCK_STEP_SECS: u64 = 3_600;

/// Counts of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames read.
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Flows that were followed and are over or done with, and those of which one packet was seen.
    pub flows: u64,
    /// Those of them that were TCP.
    pub flows_tcp: u64,
    /// Flows that a dissector recognised.
    pub dissected: u64,
    /// First and latest frame, but for those after which time passed as it should.
    span: Option<(Timestamp, Timestamp)>,
    /// The latest frame, when time passed as it should.
    steady: Option<Timestamp>,
    /// Seconds watched: the span without pauses longer than an hour.
    pub watched_nanos: u64,
    /// Pauses longer than an hour, or steps back.
    pub clock_steps: u64,
    /// Bytes that were shown to dissectors, each as often as it was shown: much more than there were is work that somebody made.
    pub shown: u64,
    /// What could not be judged.
    pub blind: BTreeMap<Blind, u64>,
    /// Limits that were hit.
    pub limits: LimitCounts,
    /// Malformed frames by kind.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Packets given up under overload, by step.
    pub shed: BTreeMap<Shedding, u64>,
    /// The same by place, for flows that ended.
    pub places: Places,
    previous: Option<Timestamp>,
    /// Bytes that all streams hold now.
    held: usize,
}

impl Tally {
    #[inline(always)]
    pub(super) fn frame(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.bytes += u64::from(frame.wire_len);
        if (frame.wire_len as usize) > frame.bytes.len() {
            self.blind(Blind::Truncated);
        }
        self.pass(frame.ts);
    }

    /// First and latest frame.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span.map(|(first, last)| (first, self.steady.map_or(last, |steady| last.max(steady))))
    }

    #[inline(always)]
    fn pass(&mut self, ts: Timestamp) {
        // Time passes as it should: nine frames of ten.
        if let Some(last) = &mut self.steady {
            let step = ts.nanos().wrapping_sub(last.nanos());
            if step < CLOCK_STEP_SECS * 1_000_000_000 {
                self.watched_nanos += step;
                *last = ts;
                return;
            }
        }
        self.pass_oddly(ts);
    }

    #[cold]
    fn pass_oddly(&mut self, ts: Timestamp) {
        self.span = self.span();
        let previous = self.steady.take().or(self.previous).unwrap_or(ts);
        self.previous = Some(ts);
        let step = ts.distance(previous);
        match (ts >= previous, step.as_secs() >= CLOCK_STEP_SECS) {
            (_, true) => self.clock_steps += 1,
            (true, false) => self.watched_nanos = self.watched_nanos.saturating_add(step.as_nanos() as u64),
            (false, false) => {}
        }
        let (first, last) = self.span.unwrap_or((ts, ts));
        self.span = Some((first.min(ts), last.max(ts)));
        self.steady = Some(ts).filter(|ts| *ts >= last);
    }

    #[inline]
    pub(super) fn decoded(&mut self, counts: &DecodeCounts) {
        if !counts.is_clean() {
            self.wrong(counts);
        }
    }

    #[cold]
    fn wrong(&mut self, counts: &DecodeCounts) {
        for (kind, count) in counts.malformed() {
            *self.malformed.entry(kind).or_default() += count;
        }
        for _ in 0..counts.too_deep() {
            self.limit(Limit::DecodeDepth);
            self.blind(Blind::TooDeep);
        }
    }

    /// Bytes are shown to a dissector.
    pub(super) fn show(&mut self, bytes: usize) {
        self.shown = self.shown.saturating_add(bytes as u64);
    }

    pub(super) fn bound(&mut self, flow: &mut Flow<FlowState>) {
        self.dissected += 1;
        flow.state.marks.dissected = true;
    }

    /// Books a flow that is over, or done with; where.
    pub(super) fn flow_closed(&mut self, flow: &mut Flow<FlowState>) -> PlaceNumber {
        let fresh = u64::from(flow.state.marks.booked.is_none());
        self.flows += fresh;
        let one_way = flow.packets.contains(&0) && flow.packets.iter().sum::<u64>() >= 3;
        self.flows_tcp += if flow.transport == Transport::Tcp { fresh } else { 0 };
        if flow.transport == Transport::Tcp && one_way {
            self.blind_flow(flow, Blind::OneWay);
        }
        let place = self.places.flow(flow);
        if place == ELSEWHERE {
            self.limit(Limit::Places);
        }
        place
    }

    /// Books a flow of which one packet was seen. If more follow, only these will be booked.
    #[inline]
    pub(super) fn lone(&mut self, first: &First) {
        self.flows += 1;
        self.flows_tcp += u64::from(first.tcp);
        if !self.places.lone(first.place, first.wire_len) {
            self.limit(Limit::Places);
        }
    }

    /// Counts that a flow could not be judged.
    pub(super) fn blind_flow(&mut self, flow: &mut Flow<FlowState>, kind: Blind) {
        flow.state.marks.blind(kind);
        self.blind(kind);
    }

    /// Counts that a flow hit a limit.
    pub(super) fn limit_flow(&mut self, flow: &mut Flow<FlowState>, limit: Limit) {
        flow.state.marks.limit(limit);
        self.limit(limit);
    }

    /// Counts a packet without a flow that hides what it carries.
    pub(super) fn hidden(&mut self, packet: &Packet<'_>, ends: (IpAddr, IpAddr), kind: Blind) {
        self.places.hidden(packet, ends, kind);
        self.blind(kind);
    }

    pub(super) fn fragments_lost(&mut self, count: u64) {
        if count > 0 {
            *self.blind.entry(Blind::FragmentLost).or_default() += count;
        }
    }

    /// Books bytes that a stream holds; `false` when all streams together would hold too much.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let fits = self.held.saturating_add(bytes) <= STREAMS_BYTES_MAX;
        if fits {
            self.held += bytes;
        } else {
            self.limit(Limit::StreamsTotal);
        }
        fits
    }

    /// The counts without those by place, which are many.
    pub fn totals(&self) -> Tally {
        Tally {
            frames: self.frames,
            bytes: self.bytes,
            flows: self.flows,
            flows_tcp: self.flows_tcp,
            dissected: self.dissected,
            shown: self.shown,
            span: self.span,
            steady: self.steady,
            watched_nanos: self.watched_nanos,
            clock_steps: self.clock_steps,
            blind: self.blind.clone(),
            limits: self.limits.clone(),
            malformed: self.malformed.clone(),
            shed: self.shed.clone(),
            places: Places::default(),
            previous: self.previous,
            held: self.held,
        }
    }

    /// Bytes that all streams hold now.
    pub fn held(&self) -> usize {
        self.held
    }

    /// A stream holds so many bytes no longer.
    pub(super) fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Counts a packet that is not looked at.
    pub(super) fn shed(&mut self, step: Shedding) {
        *self.shed.entry(step).or_default() += 1;
    }

    /// Counts something that could not be judged.
    pub fn blind(&mut self, blind: Blind) {
        *self.blind.entry(blind).or_default() += 1;
    }

    /// Counts a limit.
    pub fn limit(&mut self, limit: Limit) {
        self.limits.add(limit);
    }
}
