//! Every test that spans the two product crates.
