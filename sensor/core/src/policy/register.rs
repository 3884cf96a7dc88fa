//! The device register: what the organisation knows about its own devices.

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
    /// Segments where a designated device may be besides those of class `separate` and `guest`.
    pub allowed_segments: Vec<String>,
}

/// All registered devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    devices: Vec<Device>,
}

impl Register {
    /// A register of devices; ids are for the loader to keep unique.
    pub fn new(devices: Vec<Device>) -> Self {
        Register { devices }
    }

    /// Every device.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter()
    }

    /// A device by its id.
    pub fn get(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|d| d.id == id)
    }
}
