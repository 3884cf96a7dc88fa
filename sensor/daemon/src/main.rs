//! `ringfence`: the command.

fn main() {}
