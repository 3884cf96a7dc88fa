//! Counts over groups of devices, for a sensor that is to tell nothing about any one of them. Pure.
//!
//! A group is told when it has enough devices. Beside a total, what is left out must not be worked out by taking away what is told: so
//! further groups are left out until those that are missing are at least two, with enough devices together, or the total goes as well.
//! Totals are sums of their groups, so that sums are all that can be worked out: a device in two groups counts twice.

use std::collections::{BTreeMap, BTreeSet};

/// A device in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member<'f> {
    /// Where.
    pub segment: &'f str,
    /// Which app.
    pub app: &'f str,
    /// How it is judged.
    pub verdict: &'static str,
    /// Who; never told.
    pub device: &'f str,
}

/// What may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table<'f> {
    /// The sum over all segments; absent where it would tell too much.
    pub total: Option<u64>,
    /// Segments with their sums.
    pub segments: BTreeMap<&'f str, u64>,
    /// Groups: segment, app, verdict, and devices.
    pub groups: BTreeMap<(&'f str, &'f str, &'static str), u64>,
}

/// A group, or a segment, on its way to be told.
#[derive(Default)]
struct Part<'f> {
    devices: BTreeSet<&'f str>,
    sum: u64,
    told: bool,
}

/// The table of these devices, in which no group has fewer than `min`.
pub fn table<'f>(members: impl IntoIterator<Item = Member<'f>>, min: u64) -> Table<'f> {
    let mut by_segment: BTreeMap<&str, BTreeMap<(&str, &'static str), Part<'f>>> = BTreeMap::new();
    for m in members {
        by_segment.entry(m.segment).or_default().entry((m.app, m.verdict)).or_default().devices.insert(m.device);
    }
    let mut segments: BTreeMap<&str, Part<'f>> = BTreeMap::new();
    for (name, groups) in &mut by_segment {
        for group in groups.values_mut() {
            group.sum = group.devices.len() as u64;
            group.told = group.sum >= min;
        }
        let told = protect(groups.values_mut().collect(), min);
        let devices = groups.values().flat_map(|g| g.devices.iter().copied()).collect();
        segments.insert(name, Part { devices, sum: groups.values().map(|g| g.sum).sum(), told });
    }
    let told = protect(segments.values_mut().collect(), min);
    let total = told.then(|| segments.values().map(|s| s.sum).sum());
    // The groups of a segment that is not told would tell it.
    let shown = |name: &str| segments.get(name).is_some_and(|s| s.told);
    let groups = by_segment
        .iter()
        .filter(|(name, _)| shown(name))
        .flat_map(|(name, groups)| groups.iter().filter(|(_, g)| g.told).map(|((app, verdict), g)| ((*name, *app, *verdict), g.sum)));
    Table { total, groups: groups.collect(), segments: segments.iter().filter(|(_, s)| s.told).map(|(name, s)| (*name, s.sum)).collect() }
}

/// Leaves out further parts until what is left out says nothing beside the total; `false` when the total has to go as well.
fn protect(mut parts: Vec<&mut Part<'_>>, min: u64) -> bool {
    loop {
        let hidden: Vec<&&mut Part<'_>> = parts.iter().filter(|p| !p.told).collect();
        let together: BTreeSet<&str> = hidden.iter().flat_map(|p| p.devices.iter().copied()).collect();
        if hidden.is_empty() || (hidden.len() > 1 && together.len() as u64 >= min) {
            return parts.iter().map(|p| p.devices.len() as u64).sum::<u64>() >= min;
        }
        match parts.iter_mut().filter(|p| p.told).min_by_key(|p| p.sum) {
            Some(smallest) => smallest.told = false,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERDICTS: [&str; 3] = ["violation", "unapproved", "waived"];

    fn members<'f>(groups: &[(&'f str, &'f str, &'static str, &'f [String])]) -> Vec<Member<'f>> {
        let of = |&(segment, app, verdict, devices): &(&'f str, &'f str, &'static str, &'f [String])| {
            devices.iter().map(move |device| Member { segment, app, verdict, device })
        };
        groups.iter().flat_map(of).collect()
    }

    fn people(n: usize) -> Vec<String> {
        (0..n).map(|n| format!("mac:{n}")).collect()
    }

    #[test]
    fn a_small_group_cannot_be_had_by_taking_away() {
        let all = people(40);
        // Two devices among 20: without them the sum says how many they are, so the next group goes as well.
        let table = table(
            members(&[
                ("office", "wechat", "violation", &all[..2]),
                ("office", "wechat", "waived", &all[2..12]),
                ("office", "qq", "waived", &all[12..20]),
            ]),
            5,
        );
        assert_eq!(table.segments, BTreeMap::from([("office", 20)]));
        assert_eq!(table.groups, BTreeMap::from([(("office", "wechat", "waived"), 10)]));
        assert_eq!(table.total, Some(20));
    }

    #[test]
    fn a_small_segment_takes_another_with_it() {
        let all = people(40);
        let table = table(
            members(&[
                ("lab", "wechat", "violation", &all[..1]),
                ("office", "wechat", "waived", &all[1..11]),
                ("guest", "wechat", "observed", &all[11..31]),
            ]),
            5,
        );
        assert_eq!(table.total, Some(31));
        assert_eq!(table.segments, BTreeMap::from([("guest", 20)]), "31 - 20 are eleven devices in one of two segments");
        assert_eq!(table.groups.keys().map(|(s, ..)| *s).collect::<Vec<_>>(), ["guest"]);
    }

    #[test]
    fn what_is_too_small_altogether_says_nothing() {
        let all = people(4);
        assert_eq!(table(members(&[("office", "wechat", "waived", &all)]), 5), Table::default());
        // One device five times is one device.
        let one = people(1);
        let five: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|app| ("office", *app, "waived", &one[..])).collect();
        assert_eq!(table(members(&five), 5), Table::default());
    }

    proptest! {
        /// Against an attacker who takes every sum that is told and takes away everything that is told below it.
        #[test]
        fn nothing_small_is_told_or_left_over(drawn in proptest::collection::vec((0usize..4, 0usize..3, 0usize..3, 0usize..30), 0..120), min in 2u64..8) {
            let names = people(30);
            let places = ["a", "b", "c", "d"];
            let apps = ["wechat", "qq", "wecom"];
            let all: Vec<Member<'_>> = drawn.iter().map(|&(s, a, v, d)| Member { segment: places[s], app: apps[a], verdict: VERDICTS[v], device: &names[d] }).collect();
            let told = table(all.iter().copied(), min);
            let distinct = |keep: &dyn Fn(&Member<'_>) -> bool| all.iter().filter(|m| keep(m)).map(|m| m.device).collect::<BTreeSet<_>>().len() as u64;
            for (&(s, a, v), &n) in &told.groups {
                prop_assert!(n >= min);
                prop_assert_eq!(n, distinct(&|m| (m.segment, m.app, m.verdict) == (s, a, v)));
                prop_assert!(told.segments.contains_key(s));
            }
            for (&s, &sum) in &told.segments {
                let below: u64 = told.groups.iter().filter(|((of, ..), _)| *of == s).map(|(_, n)| n).sum();
                let missing = |m: &Member<'_>| m.segment == s && !told.groups.contains_key(&(m.segment, m.app, m.verdict));
                let groups: BTreeSet<_> = all.iter().filter(|m| missing(m)).map(|m| (m.app, m.verdict)).collect();
                prop_assert_eq!(sum - below == 0, groups.is_empty());
                prop_assert!(groups.is_empty() || (groups.len() > 1 && distinct(&missing) >= min), "{} left over in {}", sum - below, s);
            }
            if let Some(total) = told.total {
                let below: u64 = told.segments.values().sum();
                let missing = |m: &Member<'_>| !told.segments.contains_key(m.segment);
                let places: BTreeSet<_> = all.iter().filter(|m| missing(m)).map(|m| m.segment).collect();
                prop_assert_eq!(total - below == 0, places.is_empty());
                prop_assert!(places.is_empty() || (places.len() > 1 && distinct(&missing) >= min));
            }
        }
    }
}
