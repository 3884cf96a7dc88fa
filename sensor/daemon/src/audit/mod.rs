//! The audit log as a chain that only its key can continue: what was done to the sensor, by whom, and how anybody proves that nothing
//! of it was changed, taken out or cut off. `docs/audit.md` is the description that an auditor works from.
//!
//! Verification needs a file and a public key, never a running sensor; it must not know the hub or the API.

pub mod anchor;
pub mod chain;
pub mod patrol;
pub mod read;
pub mod signer;
pub mod verify;

#[cfg(test)]
mod tests;

pub use anchor::Anchors;
pub use chain::{Entry, Head};
pub use patrol::{Patrol, Standing};
pub use signer::{PublicKey, Signer};
pub use verify::{Broken, Checked, verify};
