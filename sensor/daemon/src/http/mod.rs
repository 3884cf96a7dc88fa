//! HTTP: is the sensor alive, is it ready, what has it found.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::config;
use crate::control::Control;
use crate::metrics::Metrics;
use crate::output;
use crate::pseudonym::Pseudonyms;
use crate::state::State;

/// What requests are answered from.
pub struct Context {
    /// What the sensor knows.
    pub state: Arc<State>,
    /// How devices are called.
    pub pseudonyms: Pseudonyms,
    /// What may be asked of it.
    pub control: Arc<dyn Control>,
    /// Metrics.
    pub metrics: Metrics,
}

/// A bound address.
pub struct Server(TcpListener);

/// A server that runs.
pub struct Handle(JoinHandle<()>);

impl Server {
    /// Binds the address.
    ///
    /// # Errors
    /// What is wrong, with the address.
    pub fn bind(config: &config::Http) -> Result<Server, String> {
        let addr = config.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(addr).map_err(|e| format!("{addr}: {e}"))?;
        listener.set_nonblocking(true).map_err(|e| format!("{addr}: {e}"))?;
        Ok(Server(listener))
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        self.0.local_addr().map_or_else(|_| String::new(), |addr| format!("http://{addr}"))
    }

    /// Serves until `stop` is set.
    pub fn spawn(self, context: Context, stop: Arc<AtomicBool>) -> Handle {
        Handle(thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else { return };
            runtime.block_on(serve(self.0, Arc::new(context), stop));
            runtime.shutdown_timeout(Duration::from_millis(500));
        }))
    }
}

async fn serve(listener: TcpListener, context: Arc<Context>, stop: Arc<AtomicBool>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/findings", get(findings))
        .route("/api/v1/reload", post(reload))
        .with_state(context);
    let stopped = async move {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = async { axum::serve(listener, router).await } => {}
        () = stopped => {}
    }
}

async fn ready(Shared(context): Shared<Arc<Context>>) -> impl IntoResponse {
    let status = context.state.status();
    let capturing = status.ready && status.rings.iter().any(|r| r.state == "capturing");
    if capturing { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}

async fn metrics(Shared(context): Shared<Arc<Context>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], context.metrics.render(&context.state))
}

async fn findings(Shared(context): Shared<Arc<Context>>) -> Json<serde_json::Value> {
    let rows: Vec<serde_json::Value> = context.state.findings().iter().map(|t| row(&context.pseudonyms, t)).collect();
    Json(serde_json::json!({ "findings": rows, "next": null }))
}

fn row(pseudonyms: &Pseudonyms, tracked: &ringfence_core::ledger::Tracked) -> serde_json::Value {
    let mut row = output::json::finding(&tracked.finding);
    if let Some(hidden) = pseudonyms.device(&tracked.finding.device.key) {
        row["device"] = serde_json::json!({ "id": hidden, "confidence": tracked.finding.device.confidence });
    }
    row["stage"] = tracked.stage.name().into();
    row
}

async fn reload(Shared(context): Shared<Arc<Context>>) -> impl IntoResponse {
    let report = tokio::task::spawn_blocking(move || context.control.reload()).await;
    match report {
        Ok(Ok(report)) if report.problems.is_empty() => (StatusCode::OK, report.changes.join("\n")),
        Ok(Ok(report)) => (StatusCode::UNPROCESSABLE_ENTITY, report.problems.join("\n")),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "no answer\n".into()),
    }
}

impl Handle {
    /// Waits for the end, but not for long.
    pub fn join(self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while !self.0.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}
