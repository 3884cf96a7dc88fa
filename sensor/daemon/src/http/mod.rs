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
mod veil;
mod wire;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use ringfence_core::policy::Verdict;

use crate::metrics::Metrics;
use crate::pseudonym::Pseudonyms;
use crate::state::State;

pub use connection::Counts as ConnectionCounts;
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
}

/// What HTTP may ask the daemon to do. Calls block at most a few seconds; they run off the async threads.
pub trait Control: Send + Sync {
    /// Loads configuration and rules anew; when they are wrong the old ones go on, and `problems` says why.
    ///
    /// # Errors
    /// Why it cannot be done at all, in a sentence.
    fn reload(&self) -> Result<ReloadReport, String>;

    /// The same, without taking anything over.
    ///
    /// # Errors
    /// Why it cannot be done at all, in a sentence.
    fn dry_run(&self) -> Result<ReloadReport, String>;
}

/// What a reload did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ReloadReport {
    /// Counts accepted configurations: 1 at the start.
    pub generation: u64,
    /// What changed, in sentences.
    pub changes: Vec<String>,
    /// What holds only after a restart.
    pub needs_restart: Vec<String>,
    /// Findings with another verdict.
    pub findings: Vec<Rejudged>,
    /// What is wrong with the new set: nothing was taken over. Empty when it was accepted.
    pub problems: Vec<String>,
}

/// A finding that is judged otherwise.
#[derive(Clone, Debug)]
pub struct Rejudged {
    /// Its id, as the core has it.
    pub id: String,
    /// Its verdict before.
    pub before: Verdict,
    /// Its verdict after.
    pub after: Verdict,
}
