//! Devices that change their MAC: which MACs are one device, and what speaks against it.

use super::Identity;
use super::resolve::Key;
use super::station::Station;
use crate::net::Mac;

/// Host names that a product gives to every copy of itself: they do not tell devices apart.
const COMMON_NAMES: &[&str] = &[
    "android",
    "espressif",
    "galaxy",
    "host",
    "ipad",
    "iphone",
    "iphone-von",
    "ipod",
    "laptop",
    "localhost",
    "localhost.localdomain",
    "macbook",
    "macbook-air",
    "macbook-pro",
    "macbookair",
    "macbookpro",
    "mobile",
    "pc",
    "phone",
    "raspberrypi",
    "redmi",
    "tablet",
    "ubuntu",
    "unknown",
    "watch",
    "xiaomi",
];

/// MACs with one name beyond which the name is taken for a common one.
const ROTATIONS_MAX: usize = 64;

/// Whether a host name is a product's.
pub fn is_common(name: &str) -> bool {
    COMMON_NAMES.contains(&name)
}

/// Why MACs with the same DHCP host name are not one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Against {
    /// The operator said so.
    Split,
    /// DHCP options 55 or 60 differ: another system.
    System,
    /// Both were heard at the same time, or the later one is not made up.
    Time,
    /// The name was given over a NIC that several devices use.
    Shared,
}

impl Against {
    /// In words.
    pub const fn reason(self) -> &'static str {
        match self {
            Against::Split => "another MAC with the same DHCP host name is kept apart by hand",
            Against::System => {
                "another MAC gave the same DHCP host name, but what it asks for in DHCP (options 55, 60) is another system's: not joined"
            }
            Against::Time => {
                "another MAC gave the same DHCP host name, but both were heard at the same time or it is a burnt-in one: not joined"
            }
            Against::Shared => "another MAC gave the same DHCP host name over a NIC that several devices use: not joined",
        }
    }
}

/// MACs in the order of their first words, and what speaks against joining them; cut where the operator split them.
struct Chain {
    groups: Vec<Vec<Mac>>,
}

impl Identity {
    /// The first MAC of a device that changes it.
    pub(super) fn first_mac(&self, mac: Mac) -> Mac {
        let mut first = mac;
        // Each step leads to an earlier station, so the chain ends; the bound is for the reader.
        for _ in 0..ROTATIONS_MAX {
            match self.rotation(first).first() {
                Some(earlier) if *earlier != first => first = *earlier,
                _ => break,
            }
        }
        first
    }

    /// The MACs that one device used one after the other, earliest first; empty without evidence. Evidence is a DHCP host name that is
    /// not a product's, the same on each of them, while each fell silent before the next was heard; all but the first are locally
    /// administered, and DHCP options 55 and 60 do not speak against it. One overlap, and the name proves nothing.
    pub(super) fn rotation(&self, mac: Mac) -> Vec<Mac> {
        let Some(station) = self.stations.peek(&mac) else { return Vec::new() };
        let chains = station.dhcp_names().filter_map(|name| self.chain(name)?.ok());
        chains.flat_map(|chain| chain.groups).find(|group| group.len() > 1 && group.contains(&mac)).unwrap_or_default()
    }

    /// What speaks against joining this MAC to others with its name, where there are others.
    pub(super) fn against_rotation(&self, mac: Mac) -> Option<Against> {
        let station = self.stations.peek(&mac)?;
        let alone = |chain: Chain| chain.groups.iter().any(|g| g.len() == 1 && g.contains(&mac));
        let denied = station.dhcp_names().filter_map(|name| match self.chain(name)? {
            Ok(chain) => alone(chain).then_some(Against::Split),
            Err(against) => Some(against),
        });
        denied.min()
    }

    fn chain(&self, name: &str) -> Option<Result<Chain, Against>> {
        let macs = self.named.get(name).filter(|macs| (2..=ROTATIONS_MAX).contains(&macs.len()))?;
        if is_common(name) {
            return None;
        }
        let mut stations: Vec<(Mac, &Station)> = macs.iter().filter_map(|mac| Some((*mac, self.stations.peek(mac)?))).collect();
        stations.sort_by_key(|(mac, s)| (s.span.first, *mac));
        let against = stations.windows(2).filter_map(|pair| match pair {
            [(_, before), (mac, after)] => objection(before, *mac, after),
            _ => None,
        });
        if let Some(against) = against.min() {
            return Some(Err(against));
        }
        let mut groups: Vec<Vec<Mac>> = Vec::new();
        for (mac, _) in stations {
            let split = |group: &Vec<Mac>| group.iter().any(|m| self.links.is_split(Key::Mac(*m), Key::Mac(mac)));
            match groups.last_mut().filter(|group| !split(group)) {
                Some(group) => group.push(mac),
                None => groups.push(vec![mac]),
            }
        }
        Some(Ok(Chain { groups }))
    }
}

fn objection(before: &Station, mac: Mac, after: &Station) -> Option<Against> {
    if !before.may_be_like(after) {
        Some(Against::System)
    } else if before.tenants.is_shared() || after.tenants.is_shared() {
        Some(Against::Shared)
    } else if !mac.is_local() || before.span.last >= after.span.first {
        Some(Against::Time)
    } else {
        None
    }
}
