//! `[privacy]` and `[retention]`: who may learn what, and how long it is kept.

use std::time::Duration;

use ringfence_core::diagnostic::Section;

use super::service::within;

/// `[privacy]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privacy {
    /// It takes two operators to learn who is behind a pseudonym.
    pub resolve_two_persons: bool,
    /// Only counts over groups of devices leave the sensor.
    pub aggregate_only: bool,
    /// Groups of fewer devices are not told.
    pub group_min: u64,
}

impl Default for Privacy {
    fn default() -> Self {
        Privacy { resolve_two_persons: false, aggregate_only: false, group_min: 5 }
    }
}

/// `[retention]`: how long each class of data is kept; `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Findings that have ended, from their last change.
    pub findings: Option<Duration>,
    /// What happened to findings.
    pub history: Option<Duration>,
    /// Which device was seen when and where.
    pub sightings: Option<Duration>,
    /// What was watched when.
    pub coverage: Option<Duration>,
    /// The audit log.
    pub audit: Option<Duration>,
}

const DAY: u64 = 86_400;
/// Days that the keys of `[retention]` take.
const DAYS_MAX: u64 = 36_500;

impl Default for Retention {
    fn default() -> Self {
        let days = |n: u64| Some(Duration::from_secs(n * DAY));
        Retention { findings: days(365), history: days(365), sightings: days(90), coverage: days(400), audit: days(1_095) }
    }
}

/// Reads `[privacy]`.
pub(super) fn privacy(root: &Section<'_>) -> Privacy {
    let mut privacy = Privacy::default();
    let Some(section) = root.section("privacy") else { return privacy };
    let flag = |key: &str| section.flag(key).is_some_and(|f| f.value);
    (privacy.resolve_two_persons, privacy.aggregate_only) = (flag("resolve_two_persons"), flag("aggregate_only"));
    within(&section, "group_min", 2, 1_000, "devices", |n| privacy.group_min = n);
    section.finish();
    privacy
}

/// Reads `[retention]`.
pub(super) fn retention(root: &Section<'_>) -> Retention {
    let mut retention = Retention::default();
    let Some(section) = root.section("retention") else { return retention };
    let rows: [(&str, &mut Option<Duration>); 5] = [
        ("findings_days", &mut retention.findings),
        ("history_days", &mut retention.history),
        ("sightings_days", &mut retention.sightings),
        ("coverage_days", &mut retention.coverage),
        ("audit_days", &mut retention.audit),
    ];
    for (key, place) in rows {
        within(&section, key, 0, DAYS_MAX, "days; 0 keeps it", |n| *place = (n > 0).then(|| Duration::from_secs(n * DAY)));
    }
    section.finish();
    retention
}
