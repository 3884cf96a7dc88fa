//! Longest-prefix match over address prefixes: sorted, disjoint ranges, one binary search. Must not know what the ids mean.

use std::net::IpAddr;

use crate::net::Prefix;

use super::indicator::IndicatorId;

/// A table of prefixes; the longest one around an address wins.
#[derive(Clone, Debug, Default)]
pub struct PrefixTable {
    v4: Ranges,
    v6: Ranges,
}

/// Ranges in order, without overlap: from this address to the next entry; `None` where nothing matches.
#[derive(Clone, Debug, Default)]
struct Ranges(Box<[(u128, Option<IndicatorId>)]>);

impl PrefixTable {
    /// Builds from prefixes, of which none may stand twice.
    pub fn build(prefixes: &[(Prefix, IndicatorId)]) -> PrefixTable {
        let of = |v4: bool| Ranges::build(prefixes.iter().filter(|(p, _)| p.addr.is_ipv4() == v4).copied().collect());
        PrefixTable { v4: of(true), v6: of(false) }
    }

    /// The indicator of the longest prefix around `addr`. An IPv4 address in IPv6 clothes (RFC 4291 section 2.5.5.2) counts as IPv4.
    pub fn find(&self, addr: IpAddr) -> Option<IndicatorId> {
        match addr.to_canonical() {
            IpAddr::V4(a) => self.v4.find(u128::from(u32::from(a))),
            IpAddr::V6(a) => self.v6.find(u128::from(a)),
        }
    }
}

/// The first and the last address of a prefix.
fn bounds(prefix: &Prefix) -> (u128, u128) {
    match prefix.addr {
        IpAddr::V4(a) => {
            let first = u32::from(a);
            (u128::from(first), u128::from(first | u32::MAX.checked_shr(u32::from(prefix.len)).unwrap_or(0)))
        }
        IpAddr::V6(a) => {
            let first = u128::from(a);
            (first, first | u128::MAX.checked_shr(u32::from(prefix.len)).unwrap_or(0))
        }
    }
}

impl Ranges {
    fn build(mut prefixes: Vec<(Prefix, IndicatorId)>) -> Ranges {
        // Outer prefixes first: those still open form a stack, innermost on top.
        prefixes.sort_by_key(|(p, _)| (bounds(p).0, p.len));
        let mut out: Vec<(u128, Option<IndicatorId>)> = Vec::with_capacity(prefixes.len() * 2);
        let mut open: Vec<(u128, IndicatorId)> = Vec::new();
        for (prefix, id) in &prefixes {
            let (first, last) = bounds(prefix);
            close(&mut out, &mut open, Some(first));
            mark(&mut out, first, Some(*id));
            open.push((last, *id));
        }
        close(&mut out, &mut open, None);
        Ranges(out.into())
    }

    fn find(&self, addr: u128) -> Option<IndicatorId> {
        let at = self.0.partition_point(|(first, _)| *first <= addr);
        self.0.get(at.checked_sub(1)?)?.1
    }
}

/// Ends every open prefix that ends before `until`.
fn close(out: &mut Vec<(u128, Option<IndicatorId>)>, open: &mut Vec<(u128, IndicatorId)>, until: Option<u128>) {
    while let Some((last, _)) = open.last().copied() {
        if until.is_some_and(|until| last >= until) {
            return;
        }
        open.pop();
        if let Some(next) = last.checked_add(1) {
            mark(out, next, open.last().map(|(_, id)| *id));
        }
    }
}

fn mark(out: &mut Vec<(u128, Option<IndicatorId>)>, at: u128, id: Option<IndicatorId>) {
    if out.last().is_some_and(|(first, _)| *first == at) {
        out.pop();
    }
    out.push((at, id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(prefixes: &[&str]) -> PrefixTable {
        let prefixes: Vec<_> = prefixes.iter().zip(0..).map(|(p, i)| (p.parse().expect("prefix"), IndicatorId(i))).collect();
        PrefixTable::build(&prefixes)
    }

    #[test]
    fn the_longest_prefix_wins() {
        let table = table(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "2001:db8:1::/48", "255.255.255.255", "ffff::/16"]);
        let cases = [
            ("10.0.0.0", Some(0)),
            ("10.255.255.255", Some(0)),
            ("10.1.0.0", Some(1)),
            ("10.1.2.2", Some(1)),
            ("10.1.2.3", Some(2)),
            ("10.1.2.4", Some(1)),
            ("10.2.0.0", Some(0)),
            ("9.255.255.255", None),
            ("11.0.0.0", None),
            ("::ffff:10.1.2.3", Some(2)),
            ("2001:db8::1", Some(3)),
            ("2001:db8:1::1", Some(4)),
            ("2001:db9::", None),
            ("255.255.255.255", Some(5)),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(6)),
        ];
        for (addr, expect) in cases {
            assert_eq!(table.find(addr.parse().expect("addr")), expect.map(IndicatorId), "{addr}");
        }
        assert_eq!(PrefixTable::default().find("10.0.0.1".parse().expect("addr")), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_linear_scan(nets in prop::collection::vec((any::<u16>(), 8u8..=32), 0..40), probes in prop::collection::vec(any::<u16>(), 40)) {
            // Few distinct addresses, so that prefixes nest and touch.
            let addr = |n: u16| IpAddr::from([10, (n >> 13) as u8, (n >> 8) as u8 & 3, n as u8]);
            let mut prefixes: Vec<(Prefix, IndicatorId)> = Vec::new();
            for (i, (n, len)) in nets.iter().enumerate() {
                let prefix = Prefix::new(addr(*n), *len).expect("valid");
                if prefixes.iter().all(|(p, _)| *p != prefix) {
                    prefixes.push((prefix, IndicatorId(i as u32)));
                }
            }
            let table = PrefixTable::build(&prefixes);
            for probe in probes.iter().chain(nets.iter().map(|(n, _)| n)) {
                let naive = prefixes.iter().filter(|(p, _)| p.contains(addr(*probe))).max_by_key(|(p, _)| p.len).map(|(_, id)| *id);
                prop_assert_eq!(table.find(addr(*probe)), naive);
            }
        }
    }
}
