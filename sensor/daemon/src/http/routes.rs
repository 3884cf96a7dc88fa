//! Every route, in one table: the router, the OpenAPI document, the check of queries and the label of the metric follow from it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{RawPathParams, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use ringfence_core::diagnostic::nearest;
use ringfence_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::Context;
use super::api;
use super::auth::{Asks, Gate};
use super::problem::Problem;
use super::query::{Key, Query};
use super::veil::Veil;
use crate::config::Operator;
use crate::control::Right;

/// An answer must be made after so long.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Answers of the API that are made at once: the rest of the threads is for metrics and health.
const API_AT_ONCE: usize = 4;
/// Bytes of a body: more than any deed needs.
const BODY_BYTES_MAX: u64 = 16 * 1_024;
/// A body must be there after so long.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A route.
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// Its path; `{id}` stands for a name.
    pub path: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// What may stand behind the `?`.
    pub query: &'static [Key],
    /// Answered without a token.
    pub open: bool,
    /// What its sender must be allowed to do.
    pub right: Option<Right>,
    /// The body that it takes.
    pub takes: Option<Form>,
    /// What it answers with.
    pub answer: Form,
    /// Answers.
    pub serve: fn(&App, &Call) -> Result<Answer, Problem>,
}

/// What a route answers with.
pub enum Form {
    /// The text format of Prometheus.
    Metrics,
    /// A JSON document without a schema.
    Json,
    /// A JSON document: its schema's name, the schema, and those that it refers to.
    Schema(fn() -> String, fn() -> RefOr<Schema>, fn(&mut Vec<(String, RefOr<Schema>)>)),
}

/// One request, understood.
pub struct Call {
    /// What `{id}` stands for; empty where the path has none.
    pub id: String,
    /// What stands behind the `?`.
    pub query: Query,
    /// Who asks, where that is a known operator.
    pub by: Option<Operator>,
    body: Bytes,
    /// Now, by this machine's clock.
    pub now: Timestamp,
}

impl Call {
    /// The body.
    ///
    /// # Errors
    /// [`Problem`] when it is not what the route takes.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|e| Problem::bad_body(e.to_string()))
    }

    /// Who asks, on routes that need a right.
    pub fn operator(&self) -> &str {
        self.by.as_ref().map_or("", |operator| &operator.name)
    }

    /// Whether whoever asks has a right.
    pub fn may(&self, right: Right) -> bool {
        self.by.as_ref().is_some_and(|operator| operator.may.contains(&right))
    }
}

/// An answer.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// JSON, 200.
    pub fn json(value: &impl Serialize) -> Answer {
        Answer::json_with(StatusCode::OK, value)
    }

    /// JSON with a status.
    pub fn json_with(status: StatusCode, value: &impl Serialize) -> Answer {
        // Structs with text keys are always JSON.
        Answer { status, content_type: "application/json", body: serde_json::to_string(value).unwrap_or_default() }
    }
}

/// What all requests share.
pub struct App {
    /// What it serves from.
    pub context: Context,
    /// Who is named.
    pub veil: Veil,
    /// What clients must show.
    pub gate: Arc<Gate>,
    api: Arc<Semaphore>,
    /// Held while a reload goes on.
    pub reloading: Semaphore,
}

impl App {
    /// From the parts.
    pub fn new(context: Context, gate: Arc<Gate>, identities: bool) -> Self {
        let veil = Veil::new(context.pseudonyms.clone(), identities);
        App { context, veil, gate, api: Arc::new(Semaphore::new(API_AT_ONCE)), reloading: Semaphore::new(1) }
    }
}

/// The router of the table.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in api::ROUTES {
        let app = Arc::clone(&app);
        let filter = if route.method == Method::POST { MethodFilter::POST } else { MethodFilter::GET };
        let handle = move |params: RawPathParams, request: Request| answer(app, route, id_of(&params), request);
        router = router.route(route.path, on(filter, handle));
    }
    let (lost, other) = (Arc::clone(&app), app);
    router.fallback(move |request: Request| async move { refuse(&lost, &request, no_route(request.uri())) }).method_not_allowed_fallback(
        move |request: Request| async move {
            let problem = Problem::method(request.method().as_str(), request.uri().path());
            refuse(&other, &request, problem)
        },
    )
}

fn id_of(params: &RawPathParams) -> String {
    params.iter().next().map(|(_, value)| value.to_string()).unwrap_or_default()
}

fn no_route(uri: &Uri) -> Problem {
    let near = nearest(uri.path(), api::ROUTES.iter().map(|r| r.path));
    Problem::no_route(&uri.path().chars().take(100).collect::<String>(), near)
}

/// What is not in the table is not told to strangers either.
fn refuse(app: &App, request: &Request, problem: Problem) -> Response {
    let asks = Asks { open: false, right: None, method: request.method(), uri: request.uri(), headers: request.headers() };
    let admitted = app.gate.admit(&asks);
    finish(app, "other", Err(admitted.err().unwrap_or(problem)))
}

async fn answer(app: Arc<App>, route: &'static Route, id: String, request: Request) -> Response {
    let result = match call(&app, route, id, request).await {
        Ok(call) => tokio::time::timeout(ANSWER_MAX, make(Arc::clone(&app), route, call))
            .await
            .unwrap_or_else(|_| Err(Problem::unavailable("no answer could be made in time"))),
        Err(problem) => Err(problem),
    };
    finish(&app, route.path, result)
}

async fn call(app: &App, route: &Route, id: String, request: Request) -> Result<Call, Problem> {
    let (head, body) = request.into_parts();
    let asks = Asks { open: route.open, right: route.right, method: &head.method, uri: &head.uri, headers: &head.headers };
    let by = app.gate.admit(&asks)?;
    if body_bytes(&head.headers) > BODY_BYTES_MAX {
        return Err(Problem::body());
    }
    if app.context.group_min.is_some() && !api::AGGREGATE.contains(&route.path) {
        return Err(Problem::aggregate_only(route.path));
    }
    let query = Query::read(route.query, head.uri.query().unwrap_or(""))?;
    let body = match route.takes {
        Some(_) => tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES_MAX as usize)).await,
        None => Ok(Ok(Bytes::new())),
    };
    let body = body.map_err(|_| Problem::bad_body("it did not come in time"))?.map_err(|_| Problem::body())?;
    Ok(Call { id, query, by, body, now: now() })
}

fn body_bytes(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).map(|v| v.to_str().ok().and_then(|v| v.parse().ok()).unwrap_or(u64::MAX));
    length.unwrap_or(0)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs_nanos(since.as_secs(), u64::from(since.subsec_nanos()))
}

/// Makes the answer on a thread that may block, so that no thread that speaks HTTP ever does.
async fn make(app: Arc<App>, route: &'static Route, call: Call) -> Result<Answer, Problem> {
    let ending = || Problem::unavailable("the sensor is ending");
    let turn = match route.path.starts_with("/api/") {
        true => Some(Arc::clone(&app.api).acquire_owned().await.map_err(|_| ending())?),
        false => None,
    };
    let work = move || {
        // Held until the work is done, even where nobody waits for it any more.
        let _turn = turn;
        (route.serve)(&app, &call)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| ending())?
}

fn finish(app: &App, label: &'static str, result: Result<Answer, Problem>) -> Response {
    let answer = result.unwrap_or_else(|problem| {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Answer { content_type: "application/problem+json", ..Answer::json_with(status, &problem) }
    });
    app.context.metrics.count_request(label, answer.status.as_u16());
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if answer.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
