//! Payloads as real programs send them.

pub mod dhcp;
pub mod dns;
pub mod http;
pub mod mmtls;
pub mod qq;
pub mod quic;
pub mod tls;
