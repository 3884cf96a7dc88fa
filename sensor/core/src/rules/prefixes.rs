//! Address prefixes: the longest that holds an address. One hash look-up for each prefix length in use.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::fold::Folded;
use crate::net::Prefix;

use super::indicator::IndicatorId;

/// All prefixes of one field.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    by_prefix: HashMap<Prefix, IndicatorId, Folded>,
    /// Lengths in use, longest first.
    v4: Vec<u8>,
    v6: Vec<u8>,
}

impl Prefixes {
    /// Adds a prefix; the indicator that had it before, if any.
    pub(super) fn add(&mut self, prefix: Prefix, id: IndicatorId) -> Option<IndicatorId> {
        let lengths = if prefix.addr.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if !lengths.contains(&prefix.len) {
            lengths.push(prefix.len);
            lengths.sort_unstable_by_key(|l| std::cmp::Reverse(*l));
        }
        self.by_prefix.insert(prefix, id)
    }

    /// The indicator of the longest prefix that holds the address.
    pub(super) fn find(&self, addr: IpAddr) -> Option<IndicatorId> {
        // An IPv4 address in IPv6 clothes (RFC 4291 section 2.5.5.2) is an IPv4 address.
        let addr = addr.to_canonical();
        let lengths = if addr.is_ipv4() { &self.v4 } else { &self.v6 };
        lengths.iter().find_map(|len| self.by_prefix.get(&Prefix::new(addr, *len)?).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix() {
        let mut p = Prefixes::default();
        for (i, text) in ["203.205.0.0/16", "203.205.151.0/24", "2402:4e00::/32"].iter().enumerate() {
            p.add(text.parse().expect("prefix"), IndicatorId(i as u32));
        }
        let find = |a: &str| p.find(a.parse().expect("address")).map(|i| i.0);
        assert_eq!(
            [find("203.205.151.162"), find("203.205.1.1"), find("203.204.1.1"), find("2402:4e00::1"), find("::ffff:203.205.1.1")],
            [Some(1), Some(0), None, Some(2), Some(0)]
        );
    }
}
