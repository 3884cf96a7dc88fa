//! Frame crafting, the demo office and helpers for tests that span the product crates.
//!
//! Layers, each standing on those before it: [`prng`]; bytes of single layers ([`frame`], [`arp`], [`nd`], [`dhcp`], [`radius`], [`dns`],
//! [`http`], [`tls`], [`quic`], [`mmtls`], [`newgetdns`], [`qq`]); conversations over a [`wire`] ([`tcp`]); files
//! ([`capture`]); damage ([`mutate`]); people and machines ([`host`], [`office`], [`scenarios`], [`canary`]); masses ([`corpus`])
//! and what they cost ([`bench`]).
//! Beside them stand [`dashboards`] as Grafana reads them, [`sensor`], which runs the product, [`outputs`] with a [`receiver`] and what happens in an [`outage`] for what it tells, and [`peers`], programs of others that it tells it to. The generators are functions of their arguments and of a seed: no
//! clock, no environment, no global state.

pub mod arp;
pub mod bench;
pub mod canary;
pub mod capture;
pub mod corpus;
pub mod dashboards;
pub mod dhcp;
pub mod dns;
pub mod frame;
pub mod host;
pub mod hostile;
pub mod http;
pub mod lab;
pub mod mmtls;
pub mod mutate;
pub mod nd;
pub mod newgetdns;
pub mod office;
pub mod outage;
pub mod outputs;
pub mod peers;
pub mod prng;
pub mod qq;
pub mod quic;
pub mod radius;
pub mod receiver;
pub mod scenarios;
pub mod seeds;
pub mod sensor;
pub mod tcp;
pub mod tls;
pub mod wire;

/// The root of the repository.
pub fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(std::path::Path::to_path_buf).unwrap_or_default()
}

/// The folder of real captures that may not be redistributed: `RINGFENCE_CAPTURES`, else beside the checkout; `None` where there is none.
pub fn real_captures() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("RINGFENCE_CAPTURES").map(std::path::PathBuf::from);
    Some(named.unwrap_or_else(|| root().join("../shared/captures"))).filter(|dir| dir.join("README.md").is_file())
}

/// Bytes from hexadecimal text; anything that is no digit is passed over.
///
/// # Panics
/// When the number of digits is odd: the text is a constant of a test.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
