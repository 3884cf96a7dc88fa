//! `/api/v1/links` and the history of a device: who is who, as the sensor sees it and as operators say.

use std::net::IpAddr;

use ringfence_core::correlate::DeviceStory;
use ringfence_core::identity::{self, LinkKind, is_device_key};
use ringfence_core::time::Timestamp;

use super::text;
use crate::control::{Asked, Refusal, Right};
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{DeviceHistory, Link, LinkAdd, Links, NameGiven, Stay};
use crate::output::json;

const DEVICES: &str = "/api/v1/devices";
const KINDS: [(&str, LinkKind); 2] = [("merge", LinkKind::Merge), ("split", LinkKind::Split)];

/// Every link.
pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let status = app.context.state.status();
    Ok(Answer::json(&Links { links: status.links.iter().rev().map(|link| shown(app, call, link)).collect() }))
}

/// A new one.
pub(super) fn add(app: &App, call: &Call) -> Result<Answer, Problem> {
    let LinkAdd { kind, a, b, reason } = call.body()?;
    let known = || Problem::bad_value(format!("`{}` is no kind of link", kind.escape_debug()), "merge or split");
    let kind = KINDS.iter().find(|(word, _)| *word == kind).map(|(_, kind)| *kind).ok_or_else(known)?;
    let (a, b) = (key_of(app, &a)?, key_of(app, &b)?);
    let told = format!("{} and {}", app.veil.device_id(&a), app.veil.device_id(&b));
    let link = identity::Link { kind, a, b, reason, at: Timestamp::ZERO, by: call.operator().to_string() };
    let done = app.context.control.link(link, told).map_err(|refusal| Problem::of(refusal, "device", "", DEVICES))?;
    Ok(Answer::json(&shown(app, call, &done)))
}

/// A device over time.
pub(super) fn history(app: &App, call: &Call) -> Result<Answer, Problem> {
    let key = key_of(app, &call.id)?;
    let reason = call.query.text("reason").map(str::trim).unwrap_or_default();
    let resolves = !reason.is_empty() && call.may(Right::Resolve);
    if !reason.is_empty() && !call.may(Right::Resolve) {
        return Err(match &call.by {
            Some(operator) => Problem::not_permitted(&operator.name, Right::Resolve),
            None => Problem::nobody(Right::Resolve),
        });
    }
    let asked = Asked { by: call.operator().to_string(), pseudonym: app.veil.device_id(&key), reason: app.veil.text(reason).into_owned() };
    let asked = resolves.then_some(asked);
    let unknown = |refusal: Refusal| Problem::of(refusal, "device", &call.id, DEVICES);
    let story = app.context.control.device(&key, asked).map_err(unknown)?;
    Ok(Answer::json(&told(app, call, &story, app.veil.names() || resolves)))
}

fn told(app: &App, call: &Call, story: &DeviceStory, named: bool) -> serde_json::Value {
    let status = app.context.state.status();
    let concerns = |link: &&identity::Link| story.keys.iter().any(|key| *key == link.a || *key == link.b);
    let mut device = story.device.clone();
    device.id = app.veil.device_id(&story.device.key);
    if !named {
        app.veil.device(&mut device);
    }
    let history = DeviceHistory {
        device: json::device(&device),
        key: named.then_some(story.device.key.as_str()),
        stays: story.stays.iter().map(|(segment, stay)| stay_of(segment.as_deref(), stay, named)).collect(),
        names: story.names.iter().map(|n| NameGiven { source: n.source.name(), name: named.then_some(n.name.as_str()) }).collect(),
        links: status.links.iter().rev().filter(concerns).map(|link| shown(app, call, link)).collect(),
    };
    serde_json::to_value(&history).unwrap_or_default()
}

fn stay_of<'s>(segment: Option<&'s str>, stay: &identity::Stay, named: bool) -> Stay<'s> {
    Stay {
        segment,
        address: named.then(|| stay.addr.to_string()),
        family: if matches!(stay.addr, IpAddr::V4(_)) { "ipv4" } else { "ipv6" },
        first_seen: text(&stay.first),
        last_seen: text(&stay.last),
        sources: stay.sources.iter().map(|s| s.name()).collect(),
    }
}

/// The key that a caller means: a key, or the name of a device that has findings or links.
fn key_of(app: &App, given: &str) -> Result<String, Problem> {
    if is_device_key(given) {
        return Ok(given.to_string());
    }
    let status = app.context.state.status();
    let linked = status.links.iter().flat_map(|link| [link.a.clone(), link.b.clone()]);
    let found = app.context.state.findings().into_iter().map(|t| t.finding.device.key.clone()).chain(linked);
    let named = found.into_iter().find(|key| app.veil.device_id(key) == given);
    named.ok_or_else(|| Problem::no_such("device with findings", given, DEVICES))
}

/// Who said it and why is for those who may say it; whom it is about is told by pseudonym.
fn shown(app: &App, call: &Call, link: &identity::Link) -> Link {
    let (named, trusted) = (app.veil.names(), app.veil.names() || call.may(Right::Devices));
    let device = |key: &str| if named { key.to_string() } else { app.veil.device_id(key) };
    Link {
        kind: link.kind.name(),
        a: device(&link.a),
        b: device(&link.b),
        at: text(&link.at),
        by: trusted.then(|| link.by.clone()),
        reason: trusted.then(|| link.reason.clone()),
    }
}
