//! Waivers: an approved exception with a holder, a scope and an end.

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
    /// Until when.
    pub end: Timestamp,
}

impl Waiver {
    /// Whether it is about this holder, app and segment, whatever the time.
    pub fn concerns(&self, device: Option<&str>, keys: &[String], app: &str, segment: &str) -> bool {
        let holder = device.is_some_and(|d| self.holders.iter().any(|h| h == d)) || keys.iter().any(|k| self.holders.contains(k));
        holder && self.apps.iter().any(|a| a == app) && self.segments.iter().any(|s| s == segment)
    }

    /// Whether it covers a whole span of use.
    pub fn covers(&self, first: Timestamp, last: Timestamp) -> bool {
        self.start <= first && last < self.end
    }

    /// Whether use went on after its end.
    pub fn outlived_by(&self, last: Timestamp) -> bool {
        last >= self.end
    }
}
