//! `/metrics`, `/healthz`, `/readyz`, `/version`, and the document of them all.

use std::time::Duration;

use axum::http::StatusCode;

use super::text;
use crate::http::openapi;
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{Health, Version};

/// The state is made anew every second; older than this, its maker is stuck.
const STALE: Duration = Duration::from_secs(10);

/// Every metric.
pub(super) fn metrics(app: &App, _: &Call) -> Result<Answer, Problem> {
    let body = app.context.metrics.render(&app.context.state);
    // The text format 0.0.4 of Prometheus.
    Ok(Answer { status: StatusCode::OK, content_type: "text/plain; version=0.0.4; charset=utf-8", body })
}

/// Alive, and the state fresh.
pub(super) fn healthz(app: &App, call: &Call) -> Result<Answer, Problem> {
    let at = app.context.state.status().at;
    let age = call.now.distance(at);
    let stale = format!("the state is {} s away from this machine's clock: the sensor is stuck, or the clock was set", age.as_secs());
    Ok(health((age > STALE).then_some(stale)))
}

/// Ready, and at least one ring captures.
pub(super) fn readyz(app: &App, _: &Call) -> Result<Answer, Problem> {
    let status = app.context.state.status();
    let capturing = status.rings.iter().filter(|r| r.state == "capturing").count();
    Ok(health(match (status.ready, capturing) {
        (false, _) => Some("the sensor is still starting".to_string()),
        (true, 0) => Some("no ring captures: /api/v1/coverage says why".to_string()),
        _ => None,
    }))
}

fn health(reason: Option<String>) -> Answer {
    let status = if reason.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let word = if reason.is_some() { "failing" } else { "ok" };
    Answer::json_with(status, &Health { status: word, reason: reason.unwrap_or_default() })
}

/// What runs here.
pub(super) fn version(app: &App, _: &Call) -> Result<Answer, Problem> {
    let status = app.context.state.status();
    let version = env!("CARGO_PKG_VERSION");
    let (rules, started) = (status.rules.clone(), text(&status.started));
    Ok(Answer::json(&Version { name: "ringfence", version, rules, generation: status.generation, started }))
}

/// The OpenAPI document.
pub(super) fn openapi(_: &App, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer { status: StatusCode::OK, content_type: "application/json", body: openapi::document() })
}
