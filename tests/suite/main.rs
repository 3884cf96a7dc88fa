//! Every test that spans the two product crates.

mod advisories;
mod broken;
mod capture_fanout;
mod capture_filter;
mod capture_live;
mod capture_space;
mod carriage;
mod cases;
mod contacts;
mod coverage;
mod determinism;
mod doctor;
mod fuzz;
mod generated;
mod hostile;
mod incremental;
mod lab;
mod licences;
mod live;
mod names;
mod oracle;
mod privacy;
mod shared;
mod tidy;
mod unit;
mod wechat;
