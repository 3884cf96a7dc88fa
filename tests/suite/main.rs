//! Every test that spans the two product crates.

mod broken;
mod capture_fanout;
mod capture_live;
mod capture_space;
mod cases;
mod generated;
mod hostile;
mod licences;
mod oracle;
mod privacy;
mod shared;
mod tidy;
mod wechat;
