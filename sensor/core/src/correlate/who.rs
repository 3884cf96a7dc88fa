//! The device that is being judged.

use std::cell::OnceCell;

use crate::finding::DeviceFacts;
use crate::identity::{DeviceId, Identity};

use super::assemble::short_hash;

/// A device, and what the judgement asks of it. Its facts are gathered when something is stated: of most devices that merely appear,
/// nothing is.
pub(super) struct Who<'i> {
    identity: &'i Identity,
    device: DeviceId,
    /// All its keys: several where an operator joined devices.
    pub(super) keys: Vec<String>,
    /// Its entry in the register.
    pub(super) register: Option<&'i str>,
    facts: OnceCell<DeviceFacts>,
}

impl<'i> Who<'i> {
    pub(super) fn new(identity: &'i Identity, device: DeviceId) -> Self {
        let keys = identity.all_keys(identity.key(device));
        let register = identity.register_entry(device).map(|entry| &*entry.id);
        Who { identity, device, keys, register, facts: OnceCell::new() }
    }

    pub(super) fn facts(&self) -> &DeviceFacts {
        self.facts.get_or_init(|| facts(self.identity, self.device))
    }
}

/// A device as findings show it.
pub(super) fn facts(identity: &Identity, device: DeviceId) -> DeviceFacts {
    let view = identity.view(device);
    DeviceFacts {
        id: short_hash("dev-", &[&view.key], 6),
        key: view.key,
        mac: view.mac,
        addresses: view.addresses,
        name: view.names.into_iter().next(),
        register: view.register.map(Into::into),
        randomised_mac: view.randomised_mac,
        behind_router: view.behind_router,
        shared_nic: view.shared_nic,
        confidence: view.confidence,
        reasons: view.reasons,
    }
}
