//! Frame crafting, the demo office and helpers for tests that span the product crates.

pub mod canary;
pub mod corpus;
pub mod frame;
pub mod host;
pub mod mutate;
pub mod office;
pub mod payload;
pub mod prng;
pub mod sensor;
pub mod trace;

/// The root of the repository.
pub fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(std::path::Path::to_path_buf).unwrap_or_default()
}
