//! What went wrong with a request, as RFC 9457 problem details with a remedy.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::{Refusal, Right};

/// A problem (RFC 9457), with what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// Which kind, stable: `urn:ringfence:problem:unknown-key`.
    pub r#type: String,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// What is wrong here.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// Everything that is wrong, where it is more than one thing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (detail, remedy) = (detail.into(), remedy.into());
        Problem { r#type: format!("urn:ringfence:problem:{kind}"), title, status: status.as_u16(), detail, remedy, problems: Vec::new() }
    }

    /// 400: a query key that the route does not know.
    pub fn unknown_key(detail: String, remedy: String) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "unknown-key", "Unknown query key", detail, remedy)
    }

    /// 400: a value that makes no sense.
    pub fn bad_value(detail: String, remedy: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "bad-value", "Value not understood", detail, remedy)
    }

    /// 401: no token, or another one.
    pub fn unauthorised() -> Self {
        let remedy = "send the content of token_file as `Authorization: Bearer TOKEN`";
        Problem::new(StatusCode::UNAUTHORIZED, "token", "Token required", "this sensor asks for a token, and this is not it", remedy)
    }

    /// 401: it takes a person to do this.
    pub fn nobody(right: Right) -> Self {
        let detail = format!("only an operator with the right `{}` may do this, and this is nobody's token", right.name());
        let remedy = "configure [operators.NAME] with a token_file, and send its content as `Authorization: Bearer TOKEN`";
        Problem::new(StatusCode::UNAUTHORIZED, "operator", "Operator required", detail, remedy)
    }

    /// 403: this person may not.
    pub fn not_permitted(name: &str, right: Right) -> Self {
        let (detail, remedy) = (format!("{name} lacks the right `{}`", right.name()), format!("add it to `may` in [operators.{name}]"));
        Problem::new(StatusCode::FORBIDDEN, "right", "Not permitted", detail, remedy)
    }

    /// 403: nothing about single devices leaves this sensor.
    pub fn aggregate_only(path: &str) -> Self {
        let detail = format!("this sensor runs with [privacy] aggregate_only: `{path}` would tell of single devices");
        let remedy = "GET /api/v1/aggregates has counts over groups of devices";
        Problem::new(StatusCode::FORBIDDEN, "aggregate-only", "Only groups are told", detail, remedy)
    }

    /// 403: a request that a web page may have made a browser send.
    pub fn foreign(detail: impl Into<String>) -> Self {
        let remedy = "ask for 127.0.0.1, [::1] or localhost, or set token_file, tls_certificate and tls_key and use another name";
        Problem::new(StatusCode::FORBIDDEN, "foreign", "Not from here", detail, remedy)
    }

    /// 404: no such route.
    pub fn no_route(path: &str, near: Option<&str>) -> Self {
        let remedy = near.map_or("GET /api/v1/openapi.json lists what there is".to_string(), |near| format!("did you mean `{near}`?"));
        Problem::new(StatusCode::NOT_FOUND, "no-route", "Nothing here", format!("there is no `{path}`"), remedy)
    }

    /// 404: no such thing.
    pub fn no_such(what: &'static str, id: &str, list: &str) -> Self {
        let detail = format!("there is no {what} `{id}`");
        Problem::new(StatusCode::NOT_FOUND, "no-such", "Not known", detail, format!("GET {list} lists those that there are"))
    }

    /// 405: the route is there, but not for this method.
    pub fn method(method: &str, path: &str) -> Self {
        let remedy = "GET reads, POST does something; GET /api/v1/openapi.json lists which path takes which";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", format!("`{path}` does not take {method}"), remedy)
    }

    /// 409: one at a time.
    pub fn busy() -> Self {
        Problem::new(StatusCode::CONFLICT, "busy", "A reload is going on", "another reload has not ended yet", "try again in a few seconds")
    }

    /// 400: the body is not what the route takes.
    pub fn bad_body(detail: impl Into<String>) -> Self {
        let remedy = "send a JSON object as GET /api/v1/openapi.json describes it";
        Problem::new(StatusCode::BAD_REQUEST, "bad-body", "Body not understood", detail, remedy)
    }

    /// What the daemon has against a deed; `list` names what there is.
    pub fn of(refusal: Refusal, what: &'static str, id: &str, list: &str) -> Self {
        match refusal {
            Refusal::Unknown => Problem::no_such(what, id, list),
            Refusal::Conflict(detail, remedy) => Problem::new(StatusCode::CONFLICT, "conflict", "Not as things stand", detail, remedy),
            Refusal::Invalid(problems) => {
                let detail = problems.first().cloned().unwrap_or_default();
                let problem =
                    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Makes no sense", detail, "correct what `problems` says");
                Problem { problems, ..problem }
            }
            Refusal::Limited(detail, remedy) => Problem::new(StatusCode::TOO_MANY_REQUESTS, "limited", "Too much", detail, remedy),
            Refusal::Unavailable(detail) => Problem::unavailable(detail),
        }
    }

    /// 413: the request has a body, and nothing here takes one.
    pub fn body() -> Self {
        let remedy = "a body is a small JSON object; most requests take none, their parameters stand in the query";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body", "Body too large", "no request takes a body of that size", remedy)
    }

    /// 422: what would be loaded is wrong; the old set goes on.
    pub fn refused(problems: Vec<String>) -> Self {
        let detail = "the new configuration or rules were refused; the old ones go on";
        let remedy = "correct what `problems` says, see also `ringfence check`";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "Reload refused", detail, remedy);
        Problem { problems, ..problem }
    }

    /// 503: it took too long, or the sensor is ending.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let remedy = "try again; if it stays so, look at `ringfence top` and the sensor's log";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available", detail, remedy)
    }
}
