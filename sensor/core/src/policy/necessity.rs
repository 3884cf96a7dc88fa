//! "Only as long as necessary": how long an app has been in use, and whether it still is.
//!
//! From the wire, an app that was removed and one that was switched off look the same: both are silent while the device is not.

use std::time::Duration;

use crate::time::Timestamp;

/// A device without a sign for so many days on which it was seen no longer uses the app.
pub const GONE_DAYS: usize = 14;

/// Signs younger than this mean use.
const FRESH: Duration = Duration::from_secs(86_400);

const DAY_SECS: u64 = 86_400;

/// How the use of an app stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Necessity {
    /// There was a sign within a day.
    InUse,
    /// No sign for more than a day; the device was seen on so many days since, too few to say more.
    Quiet {
        /// Days with a sighting after the last sign.
        visible_days: usize,
    },
    /// No sign on enough days on which the device was seen: removed, or switched off.
    GoneOrOff {
        /// Days with a sighting after the last sign.
        visible_days: usize,
    },
    /// No sign, and the device was not seen either: nothing can be said.
    NotVisible,
}

impl Necessity {
    /// How use stands at `now`, with the last sign, and the days (since 1970, UTC) on which the device was seen.
    pub fn of(last_sign: Timestamp, seen_days: impl IntoIterator<Item = u64>, now: Timestamp) -> Necessity {
        if now.since(last_sign) <= FRESH {
            return Necessity::InUse;
        }
        let (last, today) = (last_sign.secs() / DAY_SECS, now.secs() / DAY_SECS);
        let mut days: Vec<u64> = seen_days.into_iter().filter(|day| (last + 1..=today).contains(day)).collect();
        days.sort_unstable();
        days.dedup();
        match days.len() {
            0 => Necessity::NotVisible,
            n if n >= GONE_DAYS => Necessity::GoneOrOff { visible_days: n },
            n => Necessity::Quiet { visible_days: n },
        }
    }

    /// In words.
    pub fn sentence(self) -> String {
        match self {
            Necessity::InUse => "in use".into(),
            Necessity::Quiet { visible_days } => {
                format!("no sign since, while the device was seen on {visible_days} days: too few to say more")
            }
            Necessity::GoneOrOff { visible_days } => {
                format!("removed or switched off: no sign on {visible_days} days on which the device was seen")
            }
            Necessity::NotVisible => "no sign since, and the device was not seen either".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_says_something_only_while_the_device_is_seen() {
        let day = |n: u64| Timestamp::from_secs_nanos(n * DAY_SECS + 43_200, 0);
        for (seen, now, expect) in [
            (vec![], 100, Necessity::InUse),
            (vec![], 101, Necessity::InUse),
            (vec![], 102, Necessity::NotVisible),
            (vec![99, 100], 120, Necessity::NotVisible),
            (vec![101, 101, 102], 120, Necessity::Quiet { visible_days: 2 }),
            ((101..=113).collect(), 120, Necessity::Quiet { visible_days: 13 }),
            ((101..=114).collect(), 120, Necessity::GoneOrOff { visible_days: 14 }),
            ((121..=200).collect(), 120, Necessity::NotVisible),
        ] {
            assert_eq!(Necessity::of(day(100), seen.clone(), day(now)), expect, "{seen:?} at {now}");
        }
    }
}
