//! Waivers: an approved exception with a holder, a scope and an end, that may be revoked before it.

use std::cmp::Reverse;

use crate::time::Timestamp;

/// An approved exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Its number.
    pub id: String,
    /// Who may: register ids, or device keys such as `mac:02:00:00:00:00:01`.
    pub holders: Vec<String>,
    /// Which apps.
    pub apps: Vec<String>,
    /// In which segments.
    pub segments: Vec<String>,
    /// Who approved it.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// From when.
    pub start: Timestamp,
    /// Until when: the first moment that it no longer covers.
    pub end: Timestamp,
    /// It was taken back before its end.
    pub revoked: Option<Revoked>,
}

/// A waiver was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// From when: what was used before stays covered.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Waiver {
    /// Whether it is about one of these holders, this app and this segment, whatever the time.
    pub fn concerns(&self, holders: &[String], app: &str, segment: &str) -> bool {
        holders.iter().any(|h| self.holders.contains(h)) && self.apps.iter().any(|a| a == app) && self.segments.iter().any(|s| s == segment)
    }

    /// When it ends, in words as people wrote it: a date is valid to its end.
    pub fn last_moment(&self) -> String {
        const DAY: u64 = 86_400;
        let midnight = self.end.secs().is_multiple_of(DAY) && self.end.nanos().is_multiple_of(1_000_000_000);
        let date = self.end.before(std::time::Duration::from_secs(1)).to_minute();
        if midnight { date.get(..10).unwrap_or_default().to_string() } else { self.end.to_minute() }
    }

    /// The first moment that it no longer covers: its end, or when it was revoked.
    pub fn until(&self) -> Timestamp {
        self.revoked.as_ref().map_or(self.end, |revoked| revoked.at.min(self.end))
    }

    /// How it came to its end, in words.
    pub fn ended(&self) -> String {
        match &self.revoked {
            Some(revoked) if revoked.at < self.end => format!("was revoked {}", revoked.at.to_minute()),
            _ => format!("ended {}", self.last_moment()),
        }
    }

    /// Whether it is valid at a time.
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.until()
    }
}

/// How use over a span of time stands to the waivers that concern it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reckoning<'w> {
    /// Waivers that cover a part of it, in order of time.
    pub covering: Vec<&'w Waiver>,
    /// The waiver after whose end use went on: the one that ended last.
    pub expired: Option<&'w Waiver>,
    /// Some use lies before the beginning of every waiver, or there is no waiver.
    pub uncovered: bool,
}

impl Reckoning<'_> {
    /// Whether valid waivers cover all of it.
    pub fn is_covered(&self) -> bool {
        !self.uncovered && self.expired.is_none()
    }
}

/// Walks through use from `first` to `last` (both included), from waiver to waiver: a renewal that begins where the one before
/// ends leaves no gap.
pub fn reckon<'w>(waivers: &[&'w Waiver], first: Timestamp, last: Timestamp) -> Reckoning<'w> {
    let mut reckoning = Reckoning::default();
    let mut at = first;
    loop {
        let valid = waivers.iter().filter(|w| w.is_valid_at(at)).max_by_key(|w| (w.until(), Reverse(&w.id)));
        let next = if let Some(waiver) = valid {
            reckoning.covering.push(*waiver);
            Some(waiver.until())
        } else {
            match waivers.iter().filter(|w| w.until() <= at).max_by_key(|w| (w.until(), Reverse(&w.id))) {
                Some(ended) => reckoning.expired = Some(*ended),
                None => reckoning.uncovered = true,
            }
            waivers.iter().filter(|w| w.start > at && w.start < w.until()).map(|w| w.start).min()
        };
        match next.filter(|next| *next <= last && *next > at) {
            Some(next) => at = next,
            None => return reckoning,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs_nanos(secs, 0)
    }

    fn waiver(id: &str, start: u64, end: u64) -> Waiver {
        Waiver {
            id: id.into(),
            holders: vec!["laptop".into(), "mac:02:00:00:00:00:01".into()],
            apps: vec!["wechat".into()],
            segments: vec!["office".into()],
            approver: "CISO".into(),
            reason: "press work".into(),
            start: at(start),
            end: at(end),
            revoked: None,
        }
    }

    #[test]
    fn concerns_holder_app_and_segment() {
        let w = waiver("W", 0, 1);
        let holders = |h: &str| vec!["mac:02:00:00:00:00:09".to_string(), h.to_string()];
        assert!(w.concerns(&holders("laptop"), "wechat", "office"));
        assert!(w.concerns(&holders("mac:02:00:00:00:00:01"), "wechat", "office"));
        assert!(!w.concerns(&holders("phone"), "wechat", "office"));
        assert!(!w.concerns(&holders("laptop"), "qq", "office"));
        assert!(!w.concerns(&holders("laptop"), "wechat", "lab"));
        assert!(!w.concerns(&[], "wechat", "office"));
    }

    #[test]
    fn what_was_revoked_covers_what_was_before() {
        let revoked = |when| Waiver { revoked: Some(Revoked { at: at(when), reason: "trip over".into() }), ..waiver("A", 100, 200) };
        for (when, first, last, covering, expired) in [
            (150, 100, 149, "A", ""),
            (150, 100, 150, "A", "A"),
            (150, 160, 170, "", "A"),
            (90, 120, 130, "", "A"),
            (300, 100, 199, "A", ""),
        ] {
            let waiver = revoked(when);
            let found = reckon(&[&waiver], at(first), at(last));
            let names: String = found.covering.iter().map(|w| w.id.as_str()).collect();
            assert_eq!(
                (names.as_str(), found.expired.map_or("", |w| w.id.as_str())),
                (covering, expired),
                "revoked {when}, {first}..{last}"
            );
        }
        assert!(revoked(150).ended().starts_with("was revoked ") && revoked(300).ended().starts_with("ended "));
    }

    #[test]
    fn spans_and_waivers() {
        let (a, renewal, later) = (waiver("A", 100, 200), waiver("B", 200, 300), waiver("C", 400, 500));
        // (waivers, first, last) -> (covering, expired, uncovered)
        for (waivers, first, last, covering, expired, uncovered) in [
            (vec![], 1, 2, "", "", true),
            (vec![&a], 100, 199, "A", "", false),
            (vec![&a], 150, 150, "A", "", false),
            (vec![&a], 99, 150, "A", "", true),
            (vec![&a], 50, 60, "", "", true),
            (vec![&a], 150, 200, "A", "A", false),
            (vec![&a], 200, 250, "", "A", false),
            (vec![&a], 50, 250, "A", "A", true),
            (vec![&a, &renewal], 150, 250, "AB", "", false),
            (vec![&renewal, &a], 150, 299, "AB", "", false),
            (vec![&a, &renewal], 150, 300, "AB", "B", false),
            (vec![&a, &renewal, &later], 150, 450, "ABC", "B", false),
            (vec![&a, &later], 450, 460, "C", "", false),
            (vec![&a, &later], 300, 350, "", "A", false),
            (vec![&later, &a, &renewal], 1, 999, "ABC", "C", true),
        ] {
            let found = reckon(&waivers, at(first), at(last));
            let names: String = found.covering.iter().map(|w| w.id.as_str()).collect();
            let got = (names.as_str(), found.expired.map_or("", |w| w.id.as_str()), found.uncovered);
            assert_eq!(got, (covering, expired, uncovered), "{first}..{last}");
            assert_eq!(found.is_covered(), expired.is_empty() && !uncovered);
        }
    }

    proptest! {
        /// Against the obvious way: ask every second.
        #[test]
        fn agrees_with_counting_seconds(
            spans in proptest::collection::vec((0u64..40, 0u64..40), 0..5),
            first in 0u64..40,
            length in 0u64..20,
        ) {
            let waivers: Vec<Waiver> = spans.iter().enumerate().map(|(i, (s, e))| waiver(&i.to_string(), *s, *e)).filter(|w| w.start < w.end).collect();
            let all: Vec<&Waiver> = waivers.iter().collect();
            let found = reckon(&all, at(first), at(first + length));
            let open: Vec<u64> = (first..=first + length).filter(|t| !all.iter().any(|w| w.is_valid_at(at(*t)))).collect();
            let after_an_end = |t: &u64| all.iter().any(|w| w.end <= at(*t));
            prop_assert_eq!(found.is_covered(), open.is_empty());
            prop_assert_eq!(found.expired.is_some(), open.iter().any(after_an_end));
            prop_assert_eq!(found.uncovered, open.iter().any(|t| !after_an_end(t)));
        }
    }
}
