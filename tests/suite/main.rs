//! Every test that spans the two product crates.

mod licences;
mod tidy;
