//! Messages made by hand.
