//! Problems in files that people write, all at once, each with its place and its remedy; and the reader of TOML documents
//! that collects them. Must not know what the files are about.

mod document;
mod key_path;
mod report;

pub use document::{Document, Item, Node, Section, choose};
pub use key_path::KeyPath;
pub use report::{Diagnostics, Problem, Severity, nearest};
