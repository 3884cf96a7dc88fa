//! Metrics, health and API over HTTP. It reads [`State`] and asks [`Control`]; it must not know how a packet or a store looks.
//!
//! A request's way: `server` accepts, `connection` bounds it, `routes` finds the row of its table, `auth` admits it, `query` reads what
//! stands behind the `?`, a function in `api` answers with a struct of `wire`, made of findings that `veil` has passed.

mod api;
mod auth;
mod connection;
mod error;
mod openapi;
mod problem;
mod query;
mod routes;
mod server;
mod tls;
mod wire;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use crate::metrics::Metrics;
use crate::pseudonym::Pseudonyms;
use crate::state::State;
use crate::veil;

pub use crate::control::{Control, Refusal, Rejudged, ReloadReport};
pub use error::HttpError;
pub use openapi::document;
pub use server::{Handle, Server};

/// What HTTP serves from.
pub struct Context {
    /// What the sensor knows.
    pub state: Arc<State>,
    /// What devices and findings are called.
    pub pseudonyms: Pseudonyms,
    /// What it may be asked to do.
    pub control: Arc<dyn Control>,
    /// Every metric.
    pub metrics: Metrics,
    /// With `aggregate_only`: devices that a group must have to be told.
    pub group_min: Option<u64>,
}
