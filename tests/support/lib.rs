//! Frame crafting, the demo office and helpers for tests that span the product crates.
