//! Identity: which device stands behind an address at a time. Must never know frames, flows or dissectors.
//!
//! What is seen is kept as it is (who sent with which MAC and address, what DHCP, ARP and the others said); who it was is worked out
//! when somebody asks. So the answer does not depend on the order in which things were seen.

mod knowledge;
mod routers;
mod view;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;

use crate::limits::{Limit, LimitCounts};
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;

use knowledge::Knowledge;

pub use view::{DeviceView, Roster};

/// One sender as it was seen: a handle, valid for the life of its [`Identity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

/// A network segment, opaque here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey(pub u32);

/// A statement about what belongs together.
#[derive(Clone, Debug)]
pub struct Fact {
    /// When.
    pub ts: Timestamp,
    /// Where.
    pub segment: SegmentKey,
    /// How it was learned.
    pub source: BindingSource,
    /// Hardware address.
    pub mac: Option<Mac>,
    /// Network address.
    pub addr: Option<IpAddr>,
    /// Host name.
    pub name: Option<Box<str>>,
    /// DHCP option 60.
    pub vendor_class: Option<Box<str>>,
    /// Seconds that it holds.
    pub lifetime_secs: Option<u32>,
    /// DHCP relay.
    pub relay: Option<IpAddr>,
    /// The address is given up.
    pub released: bool,
    /// A router by its own word.
    pub router: bool,
}

/// A device that the organisation knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterEntry {
    /// Its name in the register.
    pub id: Box<str>,
    /// Hardware addresses.
    pub macs: Vec<Mac>,
    /// Host names, lower case.
    pub names: Vec<Box<str>>,
    /// Fixed addresses.
    pub addrs: Vec<IpAddr>,
    /// A separate device.
    pub designated: bool,
    /// Who holds it.
    pub owner: Option<Box<str>>,
    /// What it is.
    pub kind: Option<Box<str>>,
}

/// A sender: where, with which MAC, from which address, and whose lease that address was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sender {
    segment: SegmentKey,
    mac: Option<Mac>,
    addr: IpAddr,
    lease: Option<Mac>,
}

/// When a sender was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sender: Sender,
    first: Timestamp,
    last: Timestamp,
}

/// Everything that is known about devices.
#[derive(Debug, Default)]
pub struct Identity {
    register: Vec<RegisterEntry>,
    knowledge: Knowledge,
    senders: HashMap<Sender, DeviceId>,
    seen: Vec<Seen>,
    limits: LimitCounts,
}

impl Identity {
    /// Nothing seen yet; the register is what the organisation knows.
    pub fn new(register: Vec<RegisterEntry>) -> Self {
        Identity { register, ..Identity::default() }
    }

    /// Limits that were hit.
    pub fn limits(&self) -> &LimitCounts {
        &self.limits
    }

    /// Takes a statement of DHCP, ARP and the others.
    pub fn learn(&mut self, fact: &Fact) {
        if !self.knowledge.learn(fact) {
            self.limits.add(Limit::Devices);
        }
    }

    /// The client of a flow that matters.
    pub fn client(&mut self, ts: Timestamp, segment: SegmentKey, mac: Option<Mac>, addr: IpAddr) -> DeviceId {
        let mac = mac.filter(|m| m.is_unicast());
        if let Some(mac) = mac {
            self.knowledge.fronts_client(mac, addr);
        }
        let sender = Sender { segment, mac, addr, lease: self.knowledge.holder_at(addr, ts) };
        if let Some(id) = self.senders.get(&sender) {
            if let Some(seen) = self.seen.get_mut(id.0 as usize) {
                (seen.first, seen.last) = (seen.first.min(ts), seen.last.max(ts));
            }
            return *id;
        }
        let id = DeviceId(u32::try_from(self.seen.len()).unwrap_or(u32::MAX));
        self.senders.insert(sender, id);
        self.seen.push(Seen { sender, first: ts, last: ts });
        id
    }

    /// The far end of a flow was seen behind a MAC: routers show themselves so.
    pub fn server(&mut self, _segment: SegmentKey, mac: Option<Mac>, addr: IpAddr) {
        if let Some(mac) = mac.filter(|m| m.is_unicast()) {
            self.knowledge.fronts_server(mac, addr);
        }
    }

    /// Works out who everybody was, as far as is known now.
    pub fn roster(&self) -> Roster<'_> {
        Roster::new(self)
    }
}
