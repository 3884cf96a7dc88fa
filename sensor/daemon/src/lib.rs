//! The shell around the pure core: files, terminals, time.

pub mod capture;
pub mod cli;
pub mod config;
pub mod health;
pub mod output;
pub mod ring;
pub mod rules_store;
