//! The shell around the pure core: files, terminals, time.

pub mod capture;
pub mod cli;
pub mod config;
#[doc(hidden)]
pub mod fuzz;
pub mod output;
pub mod ring;
pub mod rules_store;
pub mod state;
pub mod store;
