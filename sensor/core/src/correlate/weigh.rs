//! How signs combine: the strongest of each family, families together, low signs capped.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::field::Family;
use crate::policy::Level;
use crate::rules::{Indicator, IndicatorId};

/// All low signs together weigh at most this.
pub(super) const LOW_MAX: f64 = 0.30;

/// The weight of a learned address.
pub(super) const ADDRESS_WEIGHT: f64 = 0.70;

/// DNS names at least this heavy support each other when their classes differ.
const DNS_STRONG: f64 = 0.85;

/// Groups that are told apart when signs are spread over them: beyond it nothing is in doubt any more.
const GROUPS_MAX: usize = 8;

/// Collects the signs of one judgement.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale<'r> {
    /// Every indicator with its strongest weights, in order; beside it, whether it is that of a learned address.
    signs: Vec<((IndicatorId, bool), Seen<'r>)>,
    started: bool,
    /// The combined weight, from when it is asked for until another sign comes: one judgement asks many times.
    combined: Cell<Option<f64>>,
}

/// Where an indicator was seen.
#[derive(Clone, Debug)]
struct Seen<'r> {
    /// The strongest weight in each family, in their order; 0 where it was not seen, which weighs nothing either.
    weights: [f64; Family::ALL.len()],
    low: bool,
    class: &'r str,
}

/// Signs of one group support each other no more than the strongest of them: a family, and in DNS a strong class.
type Group<'s> = (Family, &'s str);

impl<'r> Scale<'r> {
    /// Puts a direct sign on the scale.
    pub(super) fn sign(&mut self, id: IndicatorId, indicator: &'r Indicator, family: Family, weight: f64) {
        self.started |= indicator.starts && !indicator.low && weight > 0.0;
        self.put((id, false), indicator, indicator.low, family, weight);
    }

    /// Puts a flow to a learned address on the scale: it extends, it never starts.
    pub(super) fn address(&mut self, id: IndicatorId, indicator: &'r Indicator) {
        self.put((id, true), indicator, false, Family::Address, ADDRESS_WEIGHT);
    }

    fn put(&mut self, key: (IndicatorId, bool), indicator: &'r Indicator, low: bool, family: Family, weight: f64) {
        let at = self.signs.partition_point(|(known, _)| *known < key);
        if self.signs.get(at).is_none_or(|(known, _)| *known != key) {
            self.signs.insert(at, (key, Seen { weights: [0.0; Family::ALL.len()], low, class: &indicator.class }));
        }
        let weights = self.signs.get_mut(at).map(|(_, seen)| &mut seen.weights);
        if let Some(best) = weights.and_then(|w| w.get_mut(family as usize)).filter(|best| **best < weight) {
            *best = weight;
            self.combined.take();
        }
    }

    /// The combined weight in [0, 1]: 1 - product over groups of (1 - weight). One name seen in DNS and in TLS is one sign, so each
    /// indicator stands in one group only: where all of them together weigh most. So another sign never weighs less than none.
    pub(super) fn confidence(&self) -> f64 {
        let combined = self.combined.get().unwrap_or_else(|| self.combine());
        self.combined.set(Some(combined));
        combined
    }

    fn combine(&self) -> f64 {
        let mut normal = self.normal();
        let doubt = match (normal.next(), normal.next()) {
            (None, _) => 1.0,
            // Alone it stands where it weighs most.
            (Some(lone), None) => 1.0 - lone.strongest(),
            _ => {
                let by_class = least_doubt(self.normal().map(|s| s.groups(Some(DNS_STRONG)).collect()));
                by_class.min(least_doubt(self.normal().map(|s| s.groups(None).collect())))
            }
        };
        let low: f64 = self.signs.iter().map(|(_, s)| s).filter(|s| s.low).map(Seen::strongest).sum();
        let doubt = doubt * (1.0 - low.min(LOW_MAX));
        // Rounded so that the same signs in another order give the same figure.
        ((1.0 - doubt) * 1e6).round() / 1e6
    }

    fn normal(&self) -> impl Iterator<Item = &Seen<'r>> {
        self.signs.iter().map(|(_, s)| s).filter(|s| !s.low)
    }

    /// The level, [`Level::None`] while nothing has started the detection.
    pub(super) fn level(&self) -> Level {
        if self.started { Level::of(self.confidence()) } else { Level::None }
    }
}

impl<'r> Seen<'r> {
    fn strongest(&self) -> f64 {
        self.weights.iter().copied().fold(0.0, f64::max)
    }

    /// The groups in which it may stand, with its weight there. With a bar, classes in DNS that reach it are groups of their own and
    /// weaker names in DNS stand in none; without one, DNS is one group.
    fn groups(&self, bar: Option<f64>) -> impl Iterator<Item = (Group<'r>, f64)> {
        let seen = Family::ALL.into_iter().zip(self.weights).filter(|(_, weight)| *weight > 0.0);
        seen.filter_map(move |(family, weight)| match (family, bar) {
            (Family::Dns, Some(bar)) => (weight >= bar).then_some(((Family::Dns, self.class), weight)),
            _ => Some(((family, ""), weight)),
        })
    }
}

/// The least doubt that is left when every sign stands in at most one of its groups, and every group holds at most one sign: a
/// matching, found over all sets of groups.
fn least_doubt<'s>(signs: impl Iterator<Item = Vec<(Group<'s>, f64)>>) -> f64 {
    let signs: Vec<_> = signs.collect();
    let mut best: BTreeMap<Group<'_>, f64> = BTreeMap::new();
    for (group, weight) in signs.iter().flatten() {
        let known = best.entry(*group).or_insert(0.0);
        *known = known.max(*weight);
    }
    let mut groups: Vec<(Group<'_>, f64)> = best.into_iter().collect();
    groups.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    groups.truncate(GROUPS_MAX);
    let place = |group: &Group<'_>| groups.iter().position(|(known, _)| known == group);
    // By set of taken groups, the least doubt so far.
    let mut doubts = vec![1.0_f64; 1 << groups.len()];
    for sign in &signs {
        let choices: Vec<(usize, f64)> = sign.iter().filter_map(|(group, weight)| Some((1 << place(group)?, 1.0 - weight))).collect();
        // From large sets to small ones, so that a sign is not counted twice.
        for taken in (0..doubts.len()).rev() {
            let doubt = doubts.get(taken).copied().unwrap_or(1.0);
            for (group, factor) in choices.iter().filter(|(group, _)| taken & group == 0) {
                if let Some(next) = doubts.get_mut(taken | group) {
                    *next = next.min(doubt * factor);
                }
            }
        }
    }
    doubts.into_iter().fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::{Effect, Maturity, Surface, Teaches};

    fn indicator(class: &str, starts: bool, low: bool) -> Indicator {
        Indicator {
            id: "test".into(),
            app: "wechat".into(),
            surface: Surface::App,
            class: class.into(),
            region: "".into(),
            weight: 0.0,
            dns_weight: 0.0,
            family: None,
            signal: None,
            starts,
            low,
            teaches: Teaches::Nobody,
            effect: Effect::Evidence,
            source: "".into(),
            false_alarms: "".into(),
            maturity: Maturity::Stable,
            file: "".into(),
            line: 0,
        }
    }

    fn put(scale: &mut Scale<'static>, (id, class, family, weight): (u32, &str, Family, f64)) {
        let low = weight <= 0.10;
        scale.sign(IndicatorId(id), kept(indicator(class, !low, low)), family, weight);
    }

    /// As long as the tests run.
    fn kept(indicator: Indicator) -> &'static Indicator {
        Box::leak(Box::new(indicator))
    }

    fn scale(signs: &[(u32, &str, Family, f64)]) -> Scale<'static> {
        let mut scale = Scale::default();
        signs.iter().for_each(|sign| put(&mut scale, *sign));
        scale
    }

    #[test]
    fn families_support_each_other_and_repeats_do_not() {
        assert_eq!(scale(&[(1, "messaging", Family::Tls, 0.95)]).level(), Level::Confirmed);
        assert_eq!(scale(&[(1, "generic", Family::Tls, 0.5), (2, "generic", Family::Tls, 0.5)]).level(), Level::Possible);
        assert_eq!(scale(&[(1, "generic", Family::Tls, 0.5), (1, "generic", Family::Dns, 0.5)]).confidence(), 0.5);
        let mut framing = scale(&[(1, "messaging", Family::Structure, 0.88)]);
        assert_eq!(framing.level(), Level::Probable);
        framing.address(IndicatorId(2), kept(indicator("messaging", true, false)));
        assert_eq!((framing.level(), framing.confidence()), (Level::Confirmed, 0.964));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let dns_first = scale(&[(1, "media", Family::Dns, 0.8), (1, "media", Family::Tls, 0.8), (2, "api", Family::Dns, 0.85)]);
        let tls_first = scale(&[(2, "api", Family::Dns, 0.85), (1, "media", Family::Tls, 0.8), (1, "media", Family::Dns, 0.8)]);
        assert_eq!((dns_first.confidence(), dns_first.level()), (tls_first.confidence(), Level::Confirmed));
    }

    #[test]
    fn different_names_stand_in_different_families() {
        let seen =
            [(1, "api", Family::Dns, 0.8), (2, "media", Family::Dns, 0.8), (2, "media", Family::Tls, 0.8), (1, "api", Family::Tls, 0.8)];
        assert_eq!(scale(&seen[..1]).confidence(), 0.8);
        assert_eq!(scale(&seen[..3]).confidence(), 0.96);
        assert_eq!(scale(&seen).confidence(), 0.96, "what is added takes nothing away");
    }

    proptest! {
        #[test]
        fn more_signs_never_weigh_less(
            signs in prop::collection::vec((0..6_u32, 0..5_usize, 0..4_usize), 0..24),
        ) {
            const CLASSES: [&str; 4] = ["messaging", "pay", "media", "api"];
            const WEIGHTS: [f64; 5] = [0.1, 0.5, 0.8, 0.85, 0.95];
            let families = [Family::Structure, Family::Http, Family::Dns, Family::Tls, Family::Address];
            // An indicator has one class, and is low everywhere or nowhere.
            let weight = |id: u32, w: usize| if id == 5 { WEIGHTS[0] } else { WEIGHTS[1 + w] };
            let signs: Vec<_> = signs.iter().map(|(id, f, w)| (*id, CLASSES[*id as usize % 4], families[*f], weight(*id, *w))).collect();
            let mut before = 0.0;
            let mut growing = Scale::default();
            for n in 0..=signs.len() {
                let now = scale(&signs[..n]).confidence();
                if let Some(sign) = n.checked_sub(1).map(|last| signs[last]) {
                    put(&mut growing, sign);
                }
                prop_assert_eq!(growing.confidence(), now, "asked before or not");
                prop_assert!(now >= before && now <= 1.0, "{now} after {before}: {:?}", &signs[..n]);
                before = now;
            }
            let mut reversed = signs;
            reversed.reverse();
            prop_assert_eq!(scale(&reversed).confidence(), before, "the order of arrival does not matter");
        }
    }

    #[test]
    fn two_classes_in_dns_confirm() {
        assert_eq!(scale(&[(1, "messaging", Family::Dns, 0.85)]).level(), Level::Probable);
        assert_eq!(scale(&[(1, "messaging", Family::Dns, 0.85), (2, "messaging", Family::Dns, 0.85)]).level(), Level::Probable);
        assert_eq!(scale(&[(1, "messaging", Family::Dns, 0.85), (2, "pay", Family::Dns, 0.85)]).level(), Level::Confirmed);
    }

    #[test]
    fn low_signs_are_capped_and_never_start() {
        let low = scale(&[(1, "a", Family::Tls, 0.1), (2, "b", Family::Dns, 0.1), (3, "c", Family::Tls, 0.1), (4, "d", Family::Tls, 0.1)]);
        assert_eq!((low.level(), low.confidence()), (Level::None, 0.3));
        let mut address = Scale::default();
        address.address(IndicatorId(1), kept(indicator("messaging", true, false)));
        assert_eq!(address.level(), Level::None);
    }
}
