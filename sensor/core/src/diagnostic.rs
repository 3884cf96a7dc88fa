//! Problems in files that people write, all at once, each with its place and its remedy; and the reader of TOML documents
//! that collects them. Must not know what the files are about.

mod document;
mod report;

pub use document::{Document, Item, Node, Section, choose};
pub use report::{Diagnostics, Problem, Severity, nearest};
