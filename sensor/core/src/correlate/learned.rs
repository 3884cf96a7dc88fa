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

/// What is known about one address.
#[derive(Clone, Debug, Default)]
struct Lessons {
    /// For every client, by indicator.
    all: Vec<Lesson>,
    /// For one client, by indicator: a shared front end has many, of which a flow asks for its own.
    own: HashMap<IpAddr, Vec<Lesson>, Folded>,
    /// How many there are.
    count: usize,
}

impl Lessons {
    fn add(&mut self, lesson: Lesson) -> bool {
        let full = self.count >= LESSONS_PER_ADDRESS_MAX;
        let known = match lesson.client {
            None => Some(&mut self.all),
            Some((client, _)) if full => self.own.get_mut(&client),
            Some((client, _)) => Some(self.own.entry(client).or_default()),
        };
        let Some(known) = known else { return false };
        match known.iter_mut().find(|l| l.same(&lesson)) {
            Some(same) => same.merge(&lesson),
            // By indicator, not by arrival: which of several lessons explains a flow must not depend on who was first.
            None if !full => {
                known.insert(known.partition_point(|l| l.indicator <= lesson.indicator), lesson);
                self.count += 1;
            }
            None => return false,
        }
        true
    }

    /// Keeps those that explain a flow from `before` on; whether any is left.
    fn expire(&mut self, before: Timestamp) -> bool {
        let holds = |l: &Lesson| l.last.after(l.holds) >= before;
        self.all.retain(holds);
        self.own.retain(|_, own| {
            own.retain(holds);
            !own.is_empty()
        });
        self.count = self.all.len() + self.own.values().map(Vec::len).sum::<usize>();
        self.count > 0
    }

    /// Those that may explain a flow of this client, by indicator.
    fn of(&self, client: IpAddr) -> impl Iterator<Item = &Lesson> {
        let mut all = self.all.iter().peekable();
        let mut own = self.own.get(&client).into_iter().flatten().peekable();
        std::iter::from_fn(move || match (all.peek(), own.peek()) {
            (Some(one), Some(other)) if one.indicator <= other.indicator => all.next(),
            (Some(_), None) => all.next(),
            _ => own.next(),
        })
    }
}

/// Every learned address.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    lessons: HashMap<IpAddr, Lessons, Folded>,
}

impl Learned {
    /// Adds a lesson; `false` when there is no more room.
    pub(super) fn add(&mut self, addr: IpAddr, lesson: Lesson) -> bool {
        if !self.lessons.contains_key(&addr) && self.lessons.len() >= LEARNED_MAX {
            return false;
        }
        self.lessons.entry(addr).or_default().add(lesson)
    }

    /// Drops lessons that explain no flow from `before` on.
    pub(super) fn expire(&mut self, before: Timestamp) {
        self.lessons.retain(|_, lessons| lessons.expire(before));
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
        let known = self.lessons.get(&flow.server.addr).into_iter();
        known.flat_map(|lessons| lessons.of(flow.client.addr)).filter(move |l| l.explains(flow, last))
    }
}

/// Lessons about one address: indicators times clients, on a shared front end.
const LESSONS_PER_ADDRESS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::{Endpoint, Path, Transport};

    fn flow(id: u64, client: u8, port: u16) -> FlowMeta {
        let end = |last: u8, port| Endpoint { addr: IpAddr::from([192, 0, 2, last]), port };
        FlowMeta {
            id: FlowId(id),
            transport: Transport::Tcp,
            client: end(client, 40_000),
            server: end(200, port),
            client_mac: None,
            server_mac: None,
            interface: 0,
            path: Path::default(),
            first: Timestamp::from_secs_nanos(id, 0),
        }
    }

    const TEACHES: [Teaches; 3] = [Teaches::Sensor, Teaches::Client, Teaches::ConfirmedWeb];

    proptest! {
        /// Against one list of all lessons. An indicator teaches in one way, so those of one indicator are for all or for some.
        #[test]
        fn a_flow_is_explained_as_by_one_list(said in prop::collection::vec((0..9_u32, 0..4_u8, 0..40_u64, any::<bool>()), 0..60), from in 0..9_000_u64) {
            let (mut learned, mut list) = (Learned::default(), Vec::<Lesson>::new());
            let server = flow(0, 0, 443).server.addr;
            for (indicator, client, id, answered) in said {
                let (teaches, proof) = (TEACHES[indicator as usize % 3], flow(id, client, 443));
                let lesson = match answered {
                    true => Lesson::from_answer(IndicatorId(indicator), teaches, &proof, proof.first, 60),
                    false => Lesson::from_flow(IndicatorId(indicator), teaches, &proof, proof.first),
                };
                let lesson = lesson.expect("it teaches somebody");
                prop_assert!(learned.add(server, lesson.clone()));
                match list.iter_mut().find(|l| l.same(&lesson)) {
                    Some(known) => known.merge(&lesson),
                    None => list.insert(list.partition_point(|l| l.indicator <= lesson.indicator), lesson),
                }
            }
            let before = Timestamp::from_secs_nanos(from, 0);
            learned.expire(before);
            list.retain(|l| l.last.after(l.holds) >= before);
            prop_assert_eq!(learned.has(server), !list.is_empty());
            for (id, client, port) in (0..40).flat_map(|id| (0..4).flat_map(move |client| [(id, client, 443), (id, client, 8443)])) {
                let asked = flow(id, client, port);
                let found: Vec<&Lesson> = learned.explain(&asked, asked.first).collect();
                let expect: Vec<&Lesson> = list.iter().filter(|l| l.explains(&asked, asked.first)).collect();
                prop_assert_eq!(found, expect);
            }
        }
    }

    #[test]
    fn one_address_has_room_for_so_many() {
        let mut learned = Learned::default();
        let lesson = |client: u32, indicator: u32| {
            let mut proof = flow(1, 0, 443);
            proof.client.addr = IpAddr::V4(client.into());
            Lesson::from_flow(IndicatorId(indicator), Teaches::Client, &proof, proof.first).expect("it teaches the client")
        };
        let server = flow(0, 0, 443).server.addr;
        let room = u32::try_from(LESSONS_PER_ADDRESS_MAX).expect("small");
        assert!((0..room).all(|client| learned.add(server, lesson(client, 1))));
        assert!(learned.add(server, lesson(7, 1)), "known already");
        assert!(!learned.add(server, lesson(7, 2)) && !learned.add(server, lesson(room, 1)));
    }
}
