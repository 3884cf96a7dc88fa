//! What went wrong with a request, as RFC 9457 problem details with a remedy.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

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
        let remedy = "GET reads; only /api/v1/reload takes POST";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", format!("`{path}` does not take {method}"), remedy)
    }

    /// 409: one at a time.
    pub fn busy() -> Self {
        Problem::new(StatusCode::CONFLICT, "busy", "A reload is going on", "another reload has not ended yet", "try again in a few seconds")
    }

    /// 413: the request has a body, and nothing here takes one.
    pub fn body() -> Self {
        let remedy = "send no body: parameters stand in the query";
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
