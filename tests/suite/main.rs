//! Every test that spans the two product crates.

mod broken;
mod carriage;
mod cases;
mod coverage;
mod determinism;
mod fuzz;
mod generated;
mod hostile;
mod incremental;
mod licences;
mod live;
mod names;
mod oracle;
mod privacy;
mod shared;
mod tidy;
mod wechat;
