//! The shell around the pure core: files, terminals, time.

pub mod capture;
pub mod cli;
pub mod config;
pub mod http;
pub mod metrics;
pub mod output;
pub mod pseudonym;
pub mod ring;
pub mod rules_store;
pub mod state;
