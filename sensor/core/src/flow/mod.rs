//! Flows: which packets belong together, and their bytes in order. Must not know dissectors.

mod fragments;
mod key;
mod stream;
mod table;

pub use fragments::Fragments;
pub use key::FlowKey;
pub use stream::{Half, Segment};
pub use table::{Flow, FlowTable};
