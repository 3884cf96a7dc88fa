//! `/api/v1/resolve`: the one place that names a device to somebody who sees pseudonyms. One at a time; there is no list.

use super::text;
use crate::control::{Refusal, Resolution};
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{Pending, Resolve, Resolved};
use crate::output::json;

/// Who is behind a pseudonym.
pub(super) fn resolve(app: &App, call: &Call) -> Result<Answer, Problem> {
    let asked: Resolve = call.body()?;
    let answer = app.context.control.resolve(call.operator(), &asked.pseudonym, &asked.reason);
    told(answer, "device with findings", &asked.pseudonym)
}

/// The same, when a second operator agrees.
pub(super) fn confirm(app: &App, call: &Call) -> Result<Answer, Problem> {
    told(app.context.control.confirm_resolve(call.operator(), &call.id), "question that waits", &call.id)
}

fn told(answer: Result<Resolution, Refusal>, what: &'static str, id: &str) -> Result<Answer, Problem> {
    match answer.map_err(|refusal| Problem::of(refusal, what, id, "/api/v1/devices"))? {
        Resolution::Named(device) => Ok(Answer::json(&Resolved { device: Some(json::device(&device)), pending: None })),
        Resolution::Pending { id, until } => {
            Ok(Answer::json(&Resolved { device: None, pending: Some(Pending { id, until: text(&until) }) }))
        }
    }
}
