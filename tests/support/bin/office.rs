//! Writes the demo office as a capture.

fn main() {}
