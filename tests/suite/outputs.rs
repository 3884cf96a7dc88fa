//! Events at far ends: real ones where Debian has them.

mod alertmanager;
mod daemon_killed;
mod examples;
mod hostile;
#[cfg(feature = "kafka")]
mod kafka;
mod killed;
mod lost;
mod nats;
mod packet;
mod schemas;
mod sensor;
mod storm;
mod syslog;
mod traffic;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringfence_tests::outage::far::certificate;
use ringfence_tests::outage::port;
use ringfence_tests::sensor::Json;

/// How long anything may take on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// How often each finding's events are there, by finding.
fn counts(events: &[Json]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event["finding"]["id"].as_str().unwrap_or_default().to_string()).or_default() += 1;
    }
    counts
}

/// Ids of events, as a far end that drops copies would keep them.
fn ids(events: &[Json]) -> BTreeSet<String> {
    events.iter().map(|e| e["id"].as_str().expect("an id").to_string()).collect()
}
