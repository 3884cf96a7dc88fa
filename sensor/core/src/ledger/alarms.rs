//! Who is to be looked at when: what is due is found without a look at all the others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::time::Timestamp;

/// One alarm for each id.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    order: BTreeSet<(Timestamp, Arc<str>)>,
    of: HashMap<Arc<str>, Timestamp>,
}

impl Alarms {
    /// Sets the alarm of an id; the one that it had before does not count any more.
    pub(super) fn set(&mut self, id: &str, at: Timestamp) {
        self.clear(id);
        let id: Arc<str> = id.into();
        self.of.insert(Arc::clone(&id), at);
        self.order.insert((at, id));
    }

    /// Takes back the alarm of an id.
    pub(super) fn clear(&mut self, id: &str) {
        if let Some(alarm) = self.of.remove_entry(id) {
            self.order.remove(&(alarm.1, alarm.0));
        }
    }

    /// The ids whose time has come, in order; they have no alarm any more.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let mut due = Vec::new();
        while self.order.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.order.pop_first() else { break };
            self.of.remove(&id);
            due.push(id);
        }
        due.sort_unstable();
        due
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.order.len(), self.of.len());
        self.of.len()
    }
}
