//! The running sensor in a network of kernel namespaces. Each test is skipped, and says so, where namespaces are not permitted.

mod audit;
mod clients;
mod deeds;
mod devices;
mod disk;
mod ends;
mod interfaces;
mod lived;
mod privacy;
mod reloads;
mod watched;
pub(crate) mod wire;
