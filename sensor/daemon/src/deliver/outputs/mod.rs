//! Ways to far ends, each in a file of its own. A row of the table in `deliver` makes one known.

pub mod alertmanager;
pub mod file;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
pub mod syslog;
pub mod webhook;
