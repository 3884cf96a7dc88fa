//! What is to be known of a device after a restart: as few statements as make it the same device again.

use super::resolve::Match;
use super::station::{Span, Station};
use super::{DeviceId, Fact, Identity, SegmentKey};
use crate::net::Mac;
use crate::record::BindingSource;
use crate::time::Timestamp;

impl Identity {
    /// Statements that, learned by another identity, make the device what it is here: hardware addresses that it used one after the
    /// other, its names, its kind, the addresses that it held and when. Traffic is not among them. None where the hardware address says it all.
    pub fn remember(&self, id: DeviceId) -> Vec<Fact> {
        let members = super::view::members(self, self.resolve(id).key);
        // One NIC with an address of its own, used by one device: the address alone makes it the same.
        let plain = |mac: &Mac| {
            !mac.is_local() && self.tenants_of(*mac).is_empty() && self.registered(*mac).is_none_or(|(_, how)| how == Match::Mac)
        };
        if members.len() == 1 && members.iter().all(plain) {
            return Vec::new();
        }
        super::view::stations(self, &members).flat_map(|(mac, station)| of_station(mac, station)).collect()
    }
}

fn of_station(mac: Mac, station: &Station) -> Vec<Fact> {
    let Span { first, last } = station.span;
    if first > last {
        return Vec::new();
    }
    let blank = |ts| Fact::blank(ts, mac);
    let seen = [Fact { router: station.says_router, ..blank(first) }, blank(last)];
    let names = station.names().map(|(source, name)| Fact { source, name: Some(name.into()), ..blank(first) });
    let calls = station.tenants.calls().map(|(ts, name, client_id)| Fact { name: name.map(Into::into), client_id, ..blank(ts) });
    let kinds = station.kinds().map(|(vendor_class, asks)| Fact {
        vendor_class: vendor_class.map(Into::into),
        v6: asks.is_some_and(|(v6, _)| v6),
        parameters: asks.map(|(_, list)| list),
        ..blank(first)
    });
    let bound = station.bound.iter().flat_map(|(&(segment, addr), bound)| {
        let at = move |ts| move |&source: &BindingSource| Fact { segment, addr: Some(addr), source, ..blank(ts) };
        let begun = bound.sources.iter().map(at(bound.span.first));
        let ended = bound.sources.iter().filter(move |_| bound.span.last > bound.span.first).map(at(bound.span.last));
        begun.chain(ended)
    });
    seen.into_iter().chain(names).chain(calls).chain(kinds).chain(bound).collect()
}

impl Fact {
    /// That a hardware address was there, and nothing else.
    pub fn blank(ts: Timestamp, mac: Mac) -> Fact {
        Fact {
            ts,
            segment: SegmentKey(0),
            source: BindingSource::DhcpRequest,
            mac: Some(mac),
            addr: None,
            name: None,
            vendor_class: None,
            parameters: None,
            client_id: None,
            v6: false,
            lifetime_secs: None,
            relay: None,
            released: false,
            router: false,
        }
    }
}
