//! Learned addresses: where an app was proven to be, by whom, for whom, and how long that holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::evidence::{FlowId, FlowMeta};
use crate::fold::Folded;
use crate::limits::LEARNED_MAX;
use crate::rules::{IndicatorId, Teaches};
use crate::time::Timestamp;

/// A proof explains flows from so long before it: apps connect ahead of their first request.
const BEFORE: Duration = Duration::from_secs(300);

/// And so long after the last proof at least: addresses of an app's servers stay for hours.
const AFTER: Duration = Duration::from_secs(2 * 3600);

/// Ports on which an address taught to the whole sensor counts.
const APP_PORTS: [u16; 3] = [80, 443, 8080];

/// One reason to believe that an address is an app's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lesson {
    pub(super) indicator: IndicatorId,
    pub(super) teaches: Teaches,
    /// Only for this client, and on this port where one is known.
    client: Option<(IpAddr, Option<u16>)>,
    first: Timestamp,
    last: Timestamp,
    holds: Duration,
    /// Flows that proved it: one of them must not explain itself.
    provers: [Option<FlowId>; 2],
}

impl Lesson {
    /// A name or structure proved the server of a flow.
    pub(super) fn from_flow(indicator: IndicatorId, teaches: Teaches, flow: &FlowMeta, ts: Timestamp) -> Option<Lesson> {
        let client = match teaches {
            Teaches::Nobody => return None,
            Teaches::Sensor => None,
            Teaches::Client | Teaches::ConfirmedWeb => Some((flow.client.addr, Some(flow.server.port))),
        };
        Some(Lesson { indicator, teaches, client, first: ts, last: ts, holds: AFTER, provers: [Some(flow.id), None] })
    }

    /// A name service said it.
    pub(super) fn from_answer(indicator: IndicatorId, teaches: Teaches, flow: &FlowMeta, ts: Timestamp, ttl_secs: u32) -> Option<Lesson> {
        let mut lesson = Lesson::from_flow(indicator, teaches, flow, ts)?;
        lesson.client = lesson.client.map(|(addr, _)| (addr, None));
        lesson.holds = AFTER.max(Duration::from_secs(u64::from(ttl_secs)));
        Some(lesson)
    }

    fn same(&self, other: &Lesson) -> bool {
        self.indicator == other.indicator && self.client == other.client
    }

    fn merge(&mut self, other: &Lesson) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.holds = self.holds.max(other.holds);
        let [first, second] = &mut self.provers;
        if second.is_none() && *first != other.provers[0] {
            *second = other.provers[0];
        }
    }

    /// Whether it explains a flow.
    fn explains(&self, flow: &FlowMeta, last: Timestamp) -> bool {
        let by_another = self.provers.iter().flatten().any(|p| *p != flow.id);
        let in_time = last >= self.first.before(BEFORE) && flow.first <= self.last.after(self.holds);
        let in_scope = match self.client {
            None => APP_PORTS.contains(&flow.server.port),
            Some((client, Some(port))) => client == flow.client.addr && port == flow.server.port,
            Some((client, None)) => client == flow.client.addr && APP_PORTS.contains(&flow.server.port),
        };
        by_another && in_time && in_scope
    }
}

/// Every learned address.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    lessons: HashMap<IpAddr, Vec<Lesson>, Folded>,
}

impl Learned {
    /// Adds a lesson; `false` when there is no more room.
    pub(super) fn add(&mut self, addr: IpAddr, lesson: Lesson) -> bool {
        if !self.lessons.contains_key(&addr) && self.lessons.len() >= LEARNED_MAX {
            return false;
        }
        let lessons = self.lessons.entry(addr).or_default();
        let full = lessons.len() >= LESSONS_PER_ADDRESS_MAX;
        match lessons.iter_mut().find(|l| l.same(&lesson)) {
            Some(known) => known.merge(&lesson),
            // By indicator, not by arrival: which of several lessons explains a flow must not depend on who was first.
            None if !full => lessons.insert(lessons.partition_point(|l| l.indicator <= lesson.indicator), lesson),
            None => return false,
        }
        true
    }

    /// Drops lessons that explain no flow from `before` on.
    pub(super) fn expire(&mut self, before: Timestamp) {
        self.lessons.retain(|_, lessons| {
            lessons.retain(|l| l.last.after(l.holds) >= before);
            !lessons.is_empty()
        });
    }

    /// Addresses that something is known about.
    pub(super) fn len(&self) -> usize {
        self.lessons.len()
    }

    /// Whether something is known about an address.
    pub(super) fn has(&self, addr: IpAddr) -> bool {
        self.lessons.contains_key(&addr)
    }

    /// The lessons that explain a flow, by indicator.
    pub(super) fn explain<'l>(&'l self, flow: &'l FlowMeta, last: Timestamp) -> impl Iterator<Item = &'l Lesson> + 'l {
        self.lessons.get(&flow.server.addr).into_iter().flatten().filter(move |l| l.explains(flow, last))
    }
}

/// Lessons about one address: indicators times clients, on a shared front end.
const LESSONS_PER_ADDRESS_MAX: usize = 1_024;
