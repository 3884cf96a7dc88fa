//! The pure core of Ringfence: frames and time in, evidence and judged findings out.
//!
//! It knows bytes, timestamps, rules and policy. It must never know a clock, a file, a socket, a thread, an async
//! runtime, libpcap, a metrics registry or a log: the shell (`ringfence`) brings all of these.

#![forbid(unsafe_code)]

pub mod assembler;
pub mod correlate;
pub mod coverage;
pub mod decode;
pub mod diagnostic;
pub mod dissect;
pub mod evidence;
pub mod expiring_map;
pub mod field;
pub mod finding;
pub mod flow;
pub mod fold;
#[doc(hidden)]
pub mod fuzz;
pub mod identity;
pub mod ledger;
pub mod limits;
pub mod net;
pub mod policy;
pub mod ports;
pub mod record;
pub mod rules;
pub mod spans;
pub mod time;
pub mod worker;
