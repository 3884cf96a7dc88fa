//! The shell around the pure core: files, terminals, time.

pub mod aggregate;
pub mod audit;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod deliver;
pub mod durations;
#[doc(hidden)]
pub mod fuzz;
pub mod health;
pub mod hours;
pub mod http;
pub mod hub;
pub mod keys;
pub mod lock;
pub mod metrics;
pub mod notify;
pub mod output;
pub mod privacy;
pub mod privilege;
pub mod pseudonym;
pub mod reload;
pub mod ring;
pub mod rules_store;
pub mod sandbox;
pub mod state;
pub mod store;
pub mod veil;
pub mod vendor;
pub mod waivers;
