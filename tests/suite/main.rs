//! Every test that spans the two product crates.

mod broken;
mod cases;
mod generated;
mod hostile;
mod incremental;
mod licences;
mod live;
mod oracle;
mod privacy;
mod shared;
mod tidy;
mod wechat;
