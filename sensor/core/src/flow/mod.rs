//! Flows: which packets belong together, and their bytes in order. Must not know dissectors.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap
    )
)]

mod datagram;
mod fragments;
mod index;
mod key;
mod lone;
mod settled;
mod stream;
mod table;

pub use fragments::Fragments;
pub use key::{FlowKey, Words};
pub use lone::{First, Lone};
pub use settled::Settled;
pub use stream::{Half, Segment};
pub use table::{Flow, FlowIndex, FlowTable};
