//! Somebody learns who is behind a pseudonym: one device at a time, with a reason, and on disk in the audit log before it is told.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use ringfence_core::finding::DeviceFacts;
use ringfence_core::ledger::Tracked;

use super::{Hub, text};
use crate::audit::chain::hex;
use crate::clock::now;
use crate::control::{RESOLVE_CONFIRM, RESOLVES_PER_HOUR, Refusal, Resolution};
use crate::store::Which;

/// The hour of [`RESOLVES_PER_HOUR`].
const SPAN: Duration = Duration::from_secs(3_600);

/// What was asked, and what waits.
#[derive(Debug, Default)]
pub(in crate::hub) struct Resolves {
    asked: BTreeMap<String, VecDeque<Instant>>,
    waiting: BTreeMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    pseudonym: String,
    reason: String,
    by: String,
    until: Instant,
}

impl Resolves {
    /// Counts a question; `false` when there were too many.
    fn count(&mut self, by: &str, at: Instant) -> bool {
        let asked = self.asked.entry(by.to_string()).or_default();
        while asked.front().is_some_and(|first| at.duration_since(*first) >= SPAN) {
            asked.pop_front();
        }
        if asked.len() >= RESOLVES_PER_HOUR {
            return false;
        }
        asked.push_back(at);
        true
    }

    /// Forgets what nobody confirmed in time.
    fn expire(&mut self, at: Instant) {
        self.waiting.retain(|_, w| w.until > at);
    }
}

impl Hub {
    pub(in crate::hub) fn resolve(&mut self, by: &str, pseudonym: &str, reason: &str) -> Result<Resolution, Refusal> {
        let reason = text("reason", reason)?;
        let shape = pseudonym.strip_prefix("dev-").is_some_and(|d| d.len() == 12 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        if !shape {
            return Err(Refusal::Invalid(vec!["a pseudonym is `dev-` and 12 hexadecimal digits".to_string()]));
        }
        if reason.is_empty() {
            return Err(Refusal::Invalid(vec!["say why: the reason goes into the audit log".to_string()]));
        }
        self.within_limit(by)?;
        let Some(device) = self.device_of(pseudonym) else {
            self.audit_of(by, "resolve-unknown", format!("{pseudonym}: {reason}"));
            self.commit()?;
            return Err(Refusal::Unknown);
        };
        if self.privacy.resolve_two_persons {
            return self.wait_for_another(by, pseudonym, reason);
        }
        self.audit_of(by, "resolve", format!("{pseudonym}: {reason}"));
        self.commit()?;
        Ok(Resolution::Named(Box::new(device)))
    }

    pub(in crate::hub) fn confirm_resolve(&mut self, by: &str, id: &str) -> Result<Resolution, Refusal> {
        self.resolves.expire(Instant::now());
        let first = self.resolves.waiting.get(id).map(|w| w.by.clone()).ok_or(Refusal::Unknown)?;
        if first == by {
            let help = "another operator with the right `resolve` confirms it";
            return Err(Refusal::Conflict("you asked this yourself".to_string(), help.to_string()));
        }
        self.within_limit(by)?;
        let asked = self.resolves.waiting.remove(id).ok_or(Refusal::Unknown)?;
        let device = self.device_of(&asked.pseudonym).ok_or(Refusal::Unknown)?;
        self.audit_of(by, "resolve", format!("{}, asked by {}: {}", asked.pseudonym, asked.by, asked.reason));
        self.commit()?;
        Ok(Resolution::Named(Box::new(device)))
    }

    fn wait_for_another(&mut self, by: &str, pseudonym: &str, reason: String) -> Result<Resolution, Refusal> {
        let mut id = [0; 8];
        SystemRandom::new().fill(&mut id).map_err(|_| Refusal::Unavailable("no random numbers".to_string()))?;
        let id = hex(&id);
        self.audit_of(by, "resolve-request", format!("{pseudonym}: {reason}"));
        self.commit()?;
        let at = Instant::now();
        self.resolves.expire(at);
        let waiting = Waiting { pseudonym: pseudonym.to_string(), reason, by: by.to_string(), until: at + RESOLVE_CONFIRM };
        self.resolves.waiting.insert(id.clone(), waiting);
        Ok(Resolution::Pending { id, until: now().after(RESOLVE_CONFIRM) })
    }

    pub(super) fn within_limit(&mut self, by: &str) -> Result<(), Refusal> {
        if self.resolves.count(by, Instant::now()) {
            return Ok(());
        }
        let what = format!("{by} has asked {RESOLVES_PER_HOUR} times within an hour");
        Err(Refusal::Limited(what, "ask again later; who has to know many identities has [http] identities for it".to_string()))
    }

    /// The device behind a pseudonym, as its latest finding knows it. Under a former key too, where that was kept; and one that memory has
    /// let go of.
    fn device_of(&self, pseudonym: &str) -> Option<DeviceFacts> {
        let is = |key: &str| self.names.iter().any(|names| names.device(key) == pseudonym);
        let held = self.ledger.iter().filter(|t| is(&t.finding.device.key)).cloned();
        let mut found: Vec<Tracked> = held.collect();
        if found.is_empty() {
            let known = self.store.read().known().unwrap_or_default().into_iter().find(|k| is(&k.key))?;
            found = self.store.read().findings(Which::Of(&known.key)).map(|(kept, _)| kept).unwrap_or_default();
        }
        let latest = found.into_iter().max_by_key(|t| t.finding.last_seen)?;
        Some(DeviceFacts { id: pseudonym.to_string(), ..latest.finding.device })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_asks_ten_times_in_an_hour() {
        let mut resolves = Resolves::default();
        let begun = Instant::now();
        assert!((0..10).all(|n| resolves.count("jana", begun + Duration::from_secs(n))));
        assert!(!resolves.count("jana", begun + Duration::from_secs(3_599)));
        assert!(resolves.count("petr", begun), "everybody for themselves");
        assert!(resolves.count("jana", begun + SPAN), "the first one is an hour old");
        assert!(!resolves.count("jana", begun + SPAN));
    }
}
