//! How signs combine: the strongest of each family, families together, low signs capped.

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

/// Collects the signs of one judgement.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    /// Strongest weight of each indicator, and the family where it had it: one name seen in DNS and in TLS is one sign.
    signs: BTreeMap<(IndicatorId, bool), Placed>,
    started: bool,
}

#[derive(Clone, Debug)]
struct Placed {
    family: Family,
    weight: f64,
    low: bool,
    class: Box<str>,
}

impl Scale {
    /// Puts a direct sign on the scale.
    pub(super) fn sign(&mut self, id: IndicatorId, indicator: &Indicator, family: Family, weight: f64) {
        self.started |= indicator.starts && !indicator.low && weight > 0.0;
        self.put((id, false), Placed { family, weight, low: indicator.low, class: indicator.class.clone() });
    }

    /// Puts a flow to a learned address on the scale: it extends, it never starts.
    pub(super) fn address(&mut self, id: IndicatorId, indicator: &Indicator) {
        self.put((id, true), Placed { family: Family::Address, weight: ADDRESS_WEIGHT, low: false, class: indicator.class.clone() });
    }

    fn put(&mut self, key: (IndicatorId, bool), placed: Placed) {
        // Of equal weights the one outside DNS stays, and of those the last family: the order of arrival must not matter.
        let rank = |p: &Placed| (p.weight, p.family != Family::Dns, p.family);
        match self.signs.get_mut(&key) {
            Some(known) if rank(known) >= rank(&placed) => {}
            Some(known) => *known = placed,
            None => {
                self.signs.insert(key, placed);
            }
        }
    }

    /// The combined weight in [0, 1]: 1 - product over families of (1 - strongest).
    pub(super) fn confidence(&self) -> f64 {
        let normal = self.signs.values().filter(|s| !s.low);
        let mut strongest: BTreeMap<(Family, &str), f64> = BTreeMap::new();
        for sign in normal {
            let class = if sign.family == Family::Dns && sign.weight >= DNS_STRONG { &*sign.class } else { "" };
            let best = strongest.entry((sign.family, class)).or_insert(0.0);
            *best = best.max(sign.weight);
        }
        let has_strong_dns = strongest.keys().any(|(f, class)| *f == Family::Dns && !class.is_empty());
        if has_strong_dns {
            strongest.remove(&(Family::Dns, ""));
        }
        let low: f64 = self.signs.values().filter(|s| s.low).map(|s| s.weight).sum();
        let doubt = strongest.values().fold(1.0, |doubt, w| doubt * (1.0 - w)) * (1.0 - low.min(LOW_MAX));
        // Rounded so that the same signs in another order give the same figure.
        ((1.0 - doubt) * 1e6).round() / 1e6
    }

    /// The level, [`Level::None`] while nothing has started the detection.
    pub(super) fn level(&self) -> Level {
        if self.started { Level::of(self.confidence()) } else { Level::None }
    }
}

#[cfg(test)]
mod tests {
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

    fn scale(signs: &[(u32, &str, Family, f64)]) -> Scale {
        let mut scale = Scale::default();
        for (id, class, family, weight) in signs {
            let low = *weight <= 0.10;
            scale.sign(IndicatorId(*id), &indicator(class, !low, low), *family, *weight);
        }
        scale
    }

    #[test]
    fn families_support_each_other_and_repeats_do_not() {
        assert_eq!(scale(&[(1, "messaging", Family::Tls, 0.95)]).level(), Level::Confirmed);
        assert_eq!(scale(&[(1, "generic", Family::Tls, 0.5), (2, "generic", Family::Tls, 0.5)]).level(), Level::Possible);
        assert_eq!(scale(&[(1, "generic", Family::Tls, 0.5), (1, "generic", Family::Dns, 0.5)]).confidence(), 0.5);
        let mut framing = scale(&[(1, "messaging", Family::Structure, 0.88)]);
        assert_eq!(framing.level(), Level::Probable);
        framing.address(IndicatorId(2), &indicator("messaging", true, false));
        assert_eq!((framing.level(), framing.confidence()), (Level::Confirmed, 0.964));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let dns_first = scale(&[(1, "media", Family::Dns, 0.8), (1, "media", Family::Tls, 0.8), (2, "api", Family::Dns, 0.85)]);
        let tls_first = scale(&[(2, "api", Family::Dns, 0.85), (1, "media", Family::Tls, 0.8), (1, "media", Family::Dns, 0.8)]);
        assert_eq!((dns_first.confidence(), dns_first.level()), (tls_first.confidence(), Level::Confirmed));
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
        address.address(IndicatorId(1), &indicator("messaging", true, false));
        assert_eq!(address.level(), Level::None);
    }
}
