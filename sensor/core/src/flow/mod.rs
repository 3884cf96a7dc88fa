//! Flows: which packets belong together, and their bytes in order. Must not know dissectors.

mod key;
mod stream;
mod table;

pub use key::FlowKey;
pub use stream::{Half, Segment};
pub use table::{Flow, FlowTable};
