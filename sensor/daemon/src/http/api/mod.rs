//! What each route answers, and the table of them.

mod aggregates;
mod coverage;
mod devices;
mod findings;
mod links;
mod page;
mod reload;
mod resolve;
mod segments;
mod sensor;
mod waivers;

use std::fmt::Display;

use axum::http::Method;
use ringfence_core::ledger::Stage;
use ringfence_core::policy::{Level, Verdict};
use utoipa::{PartialSchema, ToSchema};

use super::query::{Key, Kind};
use super::routes::{Form, Route};
use super::wire;
use crate::control::Right;

const LIMIT: Key = Key { name: "limit", kind: Kind::Number { min: 1, max: 1_000, default: 100 }, about: "Entries of a page." };
const CURSOR: Key = Key { name: "cursor", kind: Kind::Text, about: "`next` of the page before: opaque." };

const FINDINGS: &[Key] = &[
    LIMIT,
    CURSOR,
    Key { name: "verdict", kind: Kind::Words(|| words(&Verdict::WORDS)), about: "With one of these verdicts." },
    Key { name: "level", kind: Kind::Words(|| words(&Level::WORDS)), about: "With one of these levels." },
    Key { name: "stage", kind: Kind::Words(|| words(&Stage::WORDS)), about: "In one of these stages." },
    Key { name: "app", kind: Kind::Text, about: "Of this app." },
    Key { name: "segment", kind: Kind::Text, about: "In this segment." },
    Key { name: "device", kind: Kind::Text, about: "Of this device." },
    Key { name: "since", kind: Kind::Time, about: "That changed at this time or later." },
];

const HISTORY: &[Key] =
    &[Key { name: "reason", kind: Kind::Text, about: "Why identities are asked for; without it pseudonyms are shown." }];

/// Paths that answer with `[privacy] aggregate_only`: what is not here tells of single devices, or may one day.
pub static AGGREGATE: &[&str] = &[
    "/metrics",
    "/healthz",
    "/readyz",
    "/version",
    "/api/v1/aggregates",
    "/api/v1/coverage",
    "/api/v1/alarms",
    "/api/v1/reload",
    "/api/v1/openapi.json",
];

const RELOAD: &[Key] = &[Key { name: "dry_run", kind: Kind::Flag, about: "Only say what would change." }];

/// The table of routes.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    Route { method: Method::GET, path: "/metrics", about: "Every metric, for Prometheus.", query: &[], open: false, right: None, takes: None, answer: Form::Metrics, serve: sensor::metrics },
    Route { method: Method::GET, path: "/healthz", about: "Whether the process is alive and its state fresh.", query: &[], open: true, right: None, takes: None, answer: form::<wire::Health>(), serve: sensor::healthz },
    Route { method: Method::GET, path: "/readyz", about: "Whether at least one ring captures.", query: &[], open: true, right: None, takes: None, answer: form::<wire::Health>(), serve: sensor::readyz },
    Route { method: Method::GET, path: "/version", about: "What runs here.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Version>(), serve: sensor::version },
    Route { method: Method::GET, path: "/api/v1/findings", about: "Findings, by the time at which they were opened.", query: FINDINGS, open: false, right: None, takes: None, answer: form::<wire::FindingPage>(), serve: findings::list },
    Route { method: Method::GET, path: "/api/v1/findings/{id}", about: "A finding.", query: &[], open: false, right: None, takes: None, answer: form::<wire::FindingEntry>(), serve: findings::one },
    Route { method: Method::POST, path: "/api/v1/findings/{id}/acknowledge", about: "Take care of a finding: it escalates no more.", query: &[], open: false, right: Some(Right::Acknowledge), takes: Some(form::<wire::Acknowledge>()), answer: form::<wire::FindingEntry>(), serve: findings::acknowledge },
    Route { method: Method::GET, path: "/api/v1/devices", about: "Devices that have findings, by id.", query: &[LIMIT, CURSOR], open: false, right: None, takes: None, answer: form::<wire::DevicePage>(), serve: devices::list },
    Route { method: Method::GET, path: "/api/v1/devices/{id}", about: "A device with its findings.", query: &[], open: false, right: None, takes: None, answer: form::<wire::DeviceDetail>(), serve: devices::one },
    Route { method: Method::GET, path: "/api/v1/devices/{id}/history", about: "A device over time: addresses, names and why; identities with the right `resolve` and a reason, which is kept.", query: HISTORY, open: false, right: None, takes: None, answer: form::<wire::DeviceHistory>(), serve: links::history },
    Route { method: Method::GET, path: "/api/v1/links", about: "Devices that operators joined or keep apart.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Links>(), serve: links::list },
    Route { method: Method::POST, path: "/api/v1/links", about: "Join two devices, or keep them apart.", query: &[], open: false, right: Some(Right::Devices), takes: Some(form::<wire::LinkAdd>()), answer: form::<wire::Link>(), serve: links::add },
    Route { method: Method::POST, path: "/api/v1/devices/{id}/erase", about: "Forget a device: its findings and everything about them, in memory and on disk.", query: &[], open: false, right: Some(Right::Erase), takes: Some(form::<wire::Erase>()), answer: form::<wire::Erased>(), serve: devices::erase },
    Route { method: Method::GET, path: "/api/v1/segments", about: "Segments with their open findings by verdict.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Segments>(), serve: segments::list },
    Route { method: Method::GET, path: "/api/v1/waivers", about: "Waivers and how they stand.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Waivers>(), serve: waivers::list },
    Route { method: Method::POST, path: "/api/v1/waivers", about: "Add a waiver.", query: &[], open: false, right: Some(Right::Waivers), takes: Some(form::<wire::WaiverAdd>()), answer: form::<wire::Waiver>(), serve: waivers::add },
    Route { method: Method::GET, path: "/api/v1/waivers/{id}", about: "A waiver with its uses.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Waiver>(), serve: waivers::one },
    Route { method: Method::POST, path: "/api/v1/waivers/{id}/approve", about: "Approve a waiver that somebody else added.", query: &[], open: false, right: Some(Right::Waivers), takes: None, answer: form::<wire::Waiver>(), serve: waivers::approve },
    Route { method: Method::POST, path: "/api/v1/waivers/{id}/renew", about: "Add a waiver that goes on where this one ends.", query: &[], open: false, right: Some(Right::Waivers), takes: Some(form::<wire::WaiverRenew>()), answer: form::<wire::Waiver>(), serve: waivers::renew },
    Route { method: Method::POST, path: "/api/v1/waivers/{id}/revoke", about: "Take a waiver back from now on.", query: &[], open: false, right: Some(Right::Waivers), takes: Some(form::<wire::WaiverRevoke>()), answer: form::<wire::Waiver>(), serve: waivers::revoke },
    Route { method: Method::GET, path: "/api/v1/aggregates", about: "Devices with open findings as counts over segment, app and verdict; small groups are left out.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Aggregates>(), serve: aggregates::table },
    Route { method: Method::GET, path: "/api/v1/coverage", about: "What is seen, lost and not judged.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Coverage>(), serve: coverage::coverage },
    Route { method: Method::GET, path: "/api/v1/alarms", about: "What keeps the sensor from seeing or telling, now.", query: &[], open: false, right: None, takes: None, answer: form::<wire::Alarms>(), serve: coverage::alarms },
    Route { method: Method::POST, path: "/api/v1/reload", about: "Load configuration and rules anew; a wrong set is refused whole.", query: RELOAD, open: false, right: None, takes: None, answer: form::<wire::Reload>(), serve: reload::reload },
    Route { method: Method::POST, path: "/api/v1/resolve", about: "Learn who is behind one pseudonym; it is in the audit log before it is answered.", query: &[], open: false, right: Some(Right::Resolve), takes: Some(form::<wire::Resolve>()), answer: form::<wire::Resolved>(), serve: resolve::resolve },
    Route { method: Method::POST, path: "/api/v1/resolve/{id}/confirm", about: "Confirm what another operator wants to learn, and learn it.", query: &[], open: false, right: Some(Right::Resolve), takes: None, answer: form::<wire::Resolved>(), serve: resolve::confirm },
    Route { method: Method::GET, path: "/api/v1/openapi.json", about: "This document.", query: &[], open: false, right: None, takes: None, answer: Form::Json, serve: sensor::openapi },
];

const fn form<T: ToSchema + PartialSchema>() -> Form {
    Form::Schema(name::<T>, T::schema, T::schemas)
}

fn name<T: ToSchema>() -> String {
    T::name().into_owned()
}

fn words<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}

fn text(value: &impl Display) -> String {
    value.to_string()
}
