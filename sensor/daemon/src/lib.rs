//! The shell around the pure core: files, terminals, time.

pub mod capture;
pub mod cli;
