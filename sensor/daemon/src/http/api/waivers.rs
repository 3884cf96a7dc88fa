//! `/api/v1/waivers`: approved exceptions, those of the files and those of commands.

use ringfence_core::policy::Revoked;

use super::text;
use crate::control::{Refusal, Right};
use crate::http::problem::Problem;
use crate::http::routes::{Answer, App, Call};
use crate::http::wire::{Waiver, WaiverAdd, WaiverRenew, WaiverRevoke, WaiverUse, Waivers};
use crate::waivers::Request;
use crate::waivers::WaiverView;

const LIST: &str = "/api/v1/waivers";

/// Every waiver.
pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let status = app.context.state.status();
    Ok(Answer::json(&Waivers { waivers: status.waivers.iter().map(|view| shown(app, call, view)).collect() }))
}

/// One waiver with its uses.
pub(super) fn one(app: &App, call: &Call) -> Result<Answer, Problem> {
    told(app, call, app.context.control.waiver(&call.id))
}

/// A new one.
pub(super) fn add(app: &App, call: &Call) -> Result<Answer, Problem> {
    let WaiverAdd { id, holders, apps, segments, approver, reason, start, end } = call.body()?;
    let request = Request { id, holders, apps, segments, approver, reason, start: start.unwrap_or_default(), end };
    told(app, call, app.context.control.add_waiver(call.operator(), request))
}

/// One that goes on where another ends.
pub(super) fn renew(app: &App, call: &Call) -> Result<Answer, Problem> {
    let WaiverRenew { id, approver, reason, start, end } = call.body()?;
    let request = Request { id, approver, reason, start: start.unwrap_or_default(), end, ..Request::default() };
    told(app, call, app.context.control.renew_waiver(call.operator(), &call.id, request))
}

/// Approved by somebody else.
pub(super) fn approve(app: &App, call: &Call) -> Result<Answer, Problem> {
    told(app, call, app.context.control.approve_waiver(call.operator(), &call.id))
}

/// Taken back.
pub(super) fn revoke(app: &App, call: &Call) -> Result<Answer, Problem> {
    let WaiverRevoke { reason } = call.body()?;
    told(app, call, app.context.control.revoke_waiver(call.operator(), &call.id, &reason))
}

fn told(app: &App, call: &Call, done: Result<WaiverView, Refusal>) -> Result<Answer, Problem> {
    let view = done.map_err(|refusal| Problem::of(refusal, "waiver", &call.id, LIST))?;
    Ok(Answer::json(&shown(app, call, &view)))
}

/// Holders, who approved and why are for those who may change waivers.
fn shown(app: &App, call: &Call, view: &WaiverView) -> Waiver {
    let (waiver, entry) = (&view.held.waiver, &view.held.entry);
    let named = app.veil.names() || call.may(Right::Waivers);
    let holder = |holder: &String| match holder.contains(':') {
        _ if named => holder.clone(),
        true => app.veil.device_id(holder),
        false => app.veil.device_id(&format!("reg:{holder}")),
    };
    let person = |text: &str| named.then(|| text.to_string());
    let done = |done: &Option<(String, ringfence_core::time::Timestamp)>| done.as_ref().and_then(|(by, _)| person(by));
    let revoked: Option<&Revoked> = waiver.revoked.as_ref();
    Waiver {
        id: waiver.id.clone(),
        standing: view.standing.name(),
        from_files: entry.body.is_none(),
        holders: waiver.holders.iter().map(holder).collect(),
        apps: waiver.apps.clone(),
        segments: waiver.segments.clone(),
        start: text(&waiver.start),
        end: text(&waiver.end),
        approver: person(&waiver.approver),
        reason: person(&waiver.reason),
        added_by: done(&entry.added),
        approved_by: done(&entry.approved),
        revoked: revoked.map(|r| text(&r.at)),
        revoked_by: entry.revoked.as_ref().and_then(|((by, _), _)| person(by)),
        revoked_reason: revoked.and_then(|r| person(&r.reason)),
        renews: entry.renews.clone(),
        problems: view.held.problems.iter().map(|p| app.veil.text(p).into_owned()).collect(),
        uses: view.uses.iter().map(|u| used(app, u)).collect(),
    }
}

fn used(app: &App, used: &crate::waivers::WaiverUse) -> WaiverUse {
    WaiverUse {
        finding: app.veil.finding_id(&used.finding),
        device: app.veil.device_id(&used.device),
        app: used.app.clone(),
        segment: used.segment.clone(),
        verdict: used.verdict.clone(),
        first_seen: text(&used.first_seen),
        last_seen: text(&used.last_seen),
    }
}
