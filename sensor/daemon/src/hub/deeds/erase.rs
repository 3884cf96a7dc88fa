//! A device is forgotten on request, and what is too old is forgotten by itself: in memory and on disk, with a note in the audit log that
//! does not say who it was.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ringfence_core::ledger::{Stage, Tracked};
use ringfence_core::time::Timestamp;

use super::{Hub, text};
use crate::clock::now;
use crate::control::Refusal;
use crate::store::{Audit, Erased, Known, StoreError, midnight};

/// How often is looked for what is too old.
const EVERY: Duration = Duration::from_secs(3_600);

impl Hub {
    pub(in crate::hub) fn erase(&mut self, by: &str, device: &str, reason: &str) -> Result<Erased, Refusal> {
        let reason = text("reason", reason)?;
        if reason.is_empty() {
            return Err(Refusal::Invalid(vec!["say why: the reason goes into the audit log".to_string()]));
        }
        // What waits is written first, for what is erased must not be written afterwards.
        self.commit()?;
        let keys = self.keys_of(device).map_err(|e| Refusal::Unavailable(e.message))?;
        if keys.is_empty() {
            return Err(Refusal::Unknown);
        }
        let note = |rows| Audit { at: now(), by: by.to_string(), action: "erase", detail: format!("a device, {rows} rows: {reason}") };
        let of = |t: &&Tracked| keys.contains(&t.finding.device.key);
        let ids: Vec<String> = self.ledger.iter().filter(of).map(|t| t.finding.id.clone()).collect();
        let erased = self.store.erase(&keys, &ids, note).map_err(|e| Refusal::Unavailable(format!("{} ({})", e.message, e.help)))?;
        self.correlator.forget(&keys, now());
        // Who it was joined with, or kept apart from, tells who it was.
        self.status.links.retain(|link| !keys.contains(&link.a) && !keys.contains(&link.b));
        self.correlator.set_links(self.status.links.clone());
        ids.iter().for_each(|id| self.drop_finding(id));
        Ok(erased)
    }

    /// Everything that is the same device as one of this name: another finding may know it by address, by register or by a pseudonym of before.
    fn keys_of(&self, device: &str) -> Result<BTreeSet<String>, StoreError> {
        let held = self.ledger.iter().map(|t| &t.finding.device);
        let held = held.map(|d| Known { key: d.key.clone(), mac: d.mac.map(|m| m.to_string()), register: d.register.clone() });
        let known: Vec<Known> = self.store.read().known()?.into_iter().chain(held).collect();
        let named = |k: &&Known| k.key == device || self.names.iter().any(|names| names.device(&k.key) == device);
        let these: Vec<&Known> = known.iter().filter(named).collect();
        let same = |k: &&Known| {
            these
                .iter()
                .any(|t| t.key == k.key || (k.mac.is_some() && k.mac == t.mac) || (k.register.is_some() && k.register == t.register))
        };
        Ok(known.iter().filter(same).map(|k| k.key.clone()).collect())
    }

    fn drop_finding(&mut self, id: &str) {
        self.ledger.remove(id);
        self.state.remove(id);
        self.pending.remove(id);
        self.changes.events.retain(|happened| happened.finding != *id);
    }

    /// Deletes what is older than `[retention]` says; once an hour.
    pub(in crate::hub) fn retain(&mut self, at: Timestamp) {
        if self.retained.is_some_and(|last| last.elapsed() < EVERY) || !self.pending.is_empty() {
            return;
        }
        self.retained = Some(Instant::now());
        let retention = self.loaded.config.service.retention;
        match self.store.expire(at, &retention, self.privacy.aggregate_only) {
            Err(error) => return eprintln!("ringfence: {error}; what is too old is deleted when it works again"),
            Ok(deleted) if deleted.is_empty() => {}
            Ok(deleted) => {
                let told: Vec<String> = deleted.iter().map(|(class, rows)| format!("{rows} {class}")).collect();
                eprintln!("ringfence: deleted by age: {}", told.join(", "));
            }
        }
        let Some(before) = retention.findings.map(|kept| midnight(at.before(kept))) else { return };
        let old = self.ledger.iter().filter(|t| t.stage != Stage::Open && t.changed < before);
        let gone: Vec<String> = old.map(|t| t.finding.id.clone()).collect();
        gone.iter().for_each(|id| self.drop_finding(id));
    }
}
