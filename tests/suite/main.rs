//! Every test that spans the two product crates.

mod broken;
mod capture_fanout;
mod capture_live;
mod capture_space;
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
