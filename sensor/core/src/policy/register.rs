//! The device register: what the organisation knows about its own devices.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::net::Mac;

/// A registered device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its name in the register.
    pub id: String,
    /// Hardware addresses: a laptop has several.
    pub macs: Vec<Mac>,
    /// Host names that it gives itself.
    pub names: Vec<String>,
    /// Fixed addresses.
    pub addrs: Vec<IpAddr>,
    /// Who holds it, as a pseudonym.
    pub owner: Option<String>,
    /// `phone`, `laptop` ...
    pub kind: Option<String>,
    /// A separate device: the app may be used on it, where separate devices may be.
    pub designated: bool,
    /// Where a designated device may be: segments of class `separate` or `guest`. Empty: all of these.
    pub allowed_segments: Vec<String>,
}

/// All registered devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    devices: Vec<Device>,
    by_id: HashMap<String, usize>,
}

impl Register {
    /// A register of devices. Of several with the same id the first counts; the loader refuses them.
    pub fn new(devices: Vec<Device>) -> Self {
        let mut by_id = HashMap::new();
        for (at, device) in devices.iter().enumerate() {
            by_id.entry(device.id.clone()).or_insert(at);
        }
        Register { devices, by_id }
    }

    /// Every device.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter()
    }

    /// A device by its id.
    pub fn get(&self, id: &str) -> Option<&Device> {
        self.by_id.get(id).and_then(|at| self.devices.get(*at))
    }
}
