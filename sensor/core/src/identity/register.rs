//! The operator's list of devices: by MAC, else by address, else by name.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::station::clean;
use super::{Place, RegisterEntry};
use crate::fold::Folded;
use crate::net::Mac;

/// Segments in which one registered address is looked for.
const PLACES_MAX: usize = 64;

/// The register, indexed.
#[derive(Clone, Debug)]
pub struct Register {
    entries: Vec<RegisterEntry>,
    macs: HashMap<Mac, usize, Folded>,
    addrs: HashMap<IpAddr, usize, Folded>,
    names: HashMap<String, usize, Folded>,
    /// Where the addresses of each entry were seen.
    places: Vec<BTreeSet<Place>>,
}

impl Register {
    /// Indexes the entries; where two claim the same, the first has it.
    pub fn new(entries: Vec<RegisterEntry>) -> Register {
        let (mut macs, mut addrs, mut names) = (HashMap::default(), HashMap::default(), HashMap::default());
        for (index, entry) in entries.iter().enumerate() {
            for mac in &entry.macs {
                macs.entry(*mac).or_insert(index);
            }
            for addr in &entry.addrs {
                addrs.entry(*addr).or_insert(index);
            }
            // A name can be given to any device; it decides only where the operator gave nothing better.
            for name in entry.names.iter().filter(|_| entry.macs.is_empty() && entry.addrs.is_empty()).filter_map(|n| clean(n)) {
                names.entry(name).or_insert(index);
            }
        }
        let places = vec![BTreeSet::new(); entries.len()];
        Register { entries, macs, addrs, names, places }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn entry(&self, index: usize) -> Option<&RegisterEntry> {
        self.entries.get(index)
    }

    pub fn by_id(&self, id: &str) -> Option<usize> {
        self.entries.iter().position(|e| *e.id == *id)
    }

    pub fn by_mac(&self, mac: Mac) -> Option<usize> {
        self.macs.get(&mac).copied()
    }

    /// The entry with this static address. With `mac_known` the sender's MAC is known and not in the register: then only an entry
    /// without MACs, as anyone can take an address.
    pub fn by_addr(&self, addr: IpAddr, mac_known: bool) -> Option<usize> {
        let index = self.addrs.get(&addr).copied()?;
        let open = !mac_known || self.entry(index).is_some_and(|e| e.macs.is_empty());
        open.then_some(index)
    }

    pub fn by_name(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// Whether an entry's names do not speak against these.
    pub fn may_be_called(&self, index: usize, names: &BTreeSet<&str>) -> bool {
        let short = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        let known: Vec<String> = self.entry(index).into_iter().flat_map(|e| &e.names).filter_map(|n| clean(n)).map(|n| short(&n)).collect();
        known.is_empty() || names.is_empty() || names.iter().any(|name| known.contains(&short(name)))
    }

    /// Remembers where a registered address was seen.
    pub fn note(&mut self, place: Place) {
        let places = self.addrs.get(&place.addr).and_then(|index| self.places.get_mut(*index));
        if let Some(places) = places.filter(|p| p.len() < PLACES_MAX) {
            places.insert(place);
        }
    }

    pub fn places(&self, index: usize) -> impl Iterator<Item = Place> + '_ {
        self.places.get(index).into_iter().flatten().copied()
    }
}
