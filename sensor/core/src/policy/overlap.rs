//! What segments claim twice, and what they claim in vain.

use crate::net::Prefix;

use super::segment::Selector;

/// What is wrong with a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The claim at this index takes the same traffic: nobody could say which one was meant.
    Taken(usize),
    /// The claim at this index, of the same segment, says it already.
    Repeated(usize),
    /// Longer prefixes, at least one of another segment, cover all of it: nothing is left that could match.
    Shadowed(Vec<usize>),
}

/// Holds the claims of all segments against each other: `claims` are pairs of a segment and what it claims. Returns what is wrong,
/// each with the index of the claim, in order.
///
/// A prefix inside the prefix of another segment is fine: the longer one wins, and the shorter one keeps the rest.
pub fn overlaps(claims: &[(usize, Selector)]) -> Vec<(usize, Overlap)> {
    (0..claims.len()).filter_map(|at| overlap(claims, at).map(|found| (at, found))).collect()
}

fn overlap(claims: &[(usize, Selector)], at: usize) -> Option<Overlap> {
    let (segment, selector) = claims.get(at)?;
    let before = claims.iter().enumerate().take(at);
    if let Some((earlier, (owner, _))) = before.clone().find(|(_, (_, other))| same(selector, other)) {
        return Some(if owner == segment { Overlap::Repeated(earlier) } else { Overlap::Taken(earlier) });
    }
    let Selector::Prefix(prefix) = selector else { return None };
    let prefixes = || claims.iter().enumerate().filter_map(|(i, (s, c))| if let Selector::Prefix(p) = c { Some((i, *s, p)) } else { None });
    let around = prefixes().filter(|(_, _, p)| p.covers(prefix) && p.len < prefix.len).max_by_key(|(_, _, p)| p.len);
    if let Some((wider, owner, _)) = around
        && owner == *segment
    {
        return Some(Overlap::Repeated(wider));
    }
    let inside: Vec<(usize, usize, &Prefix)> = prefixes().filter(|(_, _, p)| prefix.covers(p) && p.len > prefix.len).collect();
    let foreign = inside.iter().any(|(_, owner, _)| owner != segment);
    let nets: Vec<Prefix> = inside.iter().map(|(_, _, p)| **p).collect();
    (foreign && is_filled(*prefix, &nets)).then(|| Overlap::Shadowed(inside.iter().map(|(i, _, _)| *i).collect()))
}

fn same(a: &Selector, b: &Selector) -> bool {
    match (a, b) {
        (Selector::Vlans(a, b), Selector::Vlans(c, d)) => a <= d && c <= b,
        (a, b) => a == b,
    }
}

/// Whether `nets` together cover all of `whole`.
fn is_filled(whole: Prefix, nets: &[Prefix]) -> bool {
    if nets.iter().any(|n| n.covers(&whole)) {
        return true;
    }
    let inside: Vec<Prefix> = nets.iter().filter(|n| whole.covers(n)).copied().collect();
    !inside.is_empty() && halves(whole).is_some_and(|(low, high)| is_filled(low, &inside) && is_filled(high, &inside))
}

fn halves(whole: Prefix) -> Option<(Prefix, Prefix)> {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let len = whole.len.checked_add(1)?;
    let bit = |width: u8| width.checked_sub(len).map(u32::from);
    let high = match whole.addr {
        IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from(u32::from(a) | 1u32.checked_shl(bit(32)?)?)),
        IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from(u128::from(a) | 1u128.checked_shl(bit(128)?)?)),
    };
    Some((Prefix::new(whole.addr, len)?, Prefix::new(high, len)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Hop;

    fn net(segment: usize, text: &str) -> (usize, Selector) {
        (segment, Selector::Prefix(text.parse().expect("prefix")))
    }

    #[test]
    fn the_same_claim_twice() {
        let vlans = |s, a, b| (s, Selector::Vlans(a, b));
        let span = |s| (s, Selector::Interface("span0".into()));
        let tunnel = |s, id| (s, Selector::Tunnel(Hop::Vxlan(id)));
        for (claims, expect) in [
            (vec![vlans(0, 10, 10), vlans(1, 10, 10)], vec![(1, Overlap::Taken(0))]),
            (vec![vlans(0, 10, 20), vlans(1, 20, 30)], vec![(1, Overlap::Taken(0))]),
            (vec![vlans(0, 15, 15), vlans(1, 10, 20)], vec![(1, Overlap::Taken(0))]),
            (vec![vlans(0, 10, 19), vlans(1, 20, 30)], vec![]),
            (vec![vlans(0, 10, 19), vlans(0, 12, 12)], vec![(1, Overlap::Repeated(0))]),
            (vec![span(0), span(1)], vec![(1, Overlap::Taken(0))]),
            (vec![tunnel(0, 7), tunnel(1, 7)], vec![(1, Overlap::Taken(0))]),
            (vec![tunnel(0, 7), tunnel(1, 8), (1, Selector::Tunnel(Hop::Geneve(7)))], vec![]),
            (vec![net(0, "10.0.0.0/8"), net(1, "10.0.0.0/8")], vec![(1, Overlap::Taken(0))]),
        ] {
            assert_eq!(overlaps(&claims), expect, "{claims:?}");
        }
    }

    #[test]
    fn prefixes_in_prefixes() {
        for (claims, expect) in [
            (vec![net(0, "10.0.0.0/8"), net(1, "10.1.0.0/16")], vec![]),
            (vec![net(0, "10.0.0.0/8"), net(0, "10.1.0.0/16")], vec![(1, Overlap::Repeated(0))]),
            (vec![net(0, "10.1.0.0/16"), net(0, "10.0.0.0/8")], vec![(0, Overlap::Repeated(1))]),
            // the /24 is not superfluous: the /16 between them belongs to somebody else
            (vec![net(0, "10.0.0.0/8"), net(1, "10.1.0.0/16"), net(0, "10.1.1.0/24")], vec![]),
            (vec![net(0, "10.0.0.0/24"), net(1, "10.0.0.0/25"), net(2, "10.0.0.128/25")], vec![(0, Overlap::Shadowed(vec![1, 2]))]),
            (vec![net(0, "10.0.0.0/24"), net(1, "10.0.0.0/25"), net(2, "10.0.0.128/26")], vec![]),
            (
                vec![net(0, "2001:db8::/126"), net(1, "2001:db8::/127"), net(1, "2001:db8::2"), net(1, "2001:db8::3")],
                vec![(0, Overlap::Shadowed(vec![1, 2, 3]))],
            ),
            (vec![net(0, "0.0.0.0/0"), net(1, "0.0.0.0/1"), net(1, "128.0.0.0/1")], vec![(0, Overlap::Shadowed(vec![1, 2]))]),
            (vec![net(0, "0.0.0.0/0"), net(1, "::/0")], vec![]),
        ] {
            assert_eq!(overlaps(&claims), expect, "{claims:?}");
        }
    }
}
