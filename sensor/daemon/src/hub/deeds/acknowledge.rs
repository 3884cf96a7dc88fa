//! Somebody takes care of a finding.

use std::sync::Arc;

use ringfence_core::ledger::{Event, Stage, Tracked};

use super::{Hub, text};
use crate::clock::now;
use crate::control::Refusal;

impl Hub {
    pub(in crate::hub) fn acknowledge(&mut self, by: &str, finding: &str, note: &str) -> Result<Arc<Tracked>, Refusal> {
        let note = text("note", note)?;
        let stage = self.ledger.get(finding).ok_or(Refusal::Unknown)?.stage;
        if stage != Stage::Open {
            let help = "there is nothing to take care of; a new sign opens it again";
            return Err(Refusal::Conflict(format!("the finding is {}", stage.name()), help.to_string()));
        }
        let at = now();
        self.ledger.acknowledge(at, finding, by, &note);
        self.enter(at, Event::Acknowledged, finding.to_string());
        self.audit_of(by, "acknowledge", self.name_of_finding(finding));
        self.commit()?;
        self.state.finding(finding).ok_or(Refusal::Unknown)
    }
}
