//! Every test that spans the two product crates.

mod licences;
mod oracle;
mod shared;
mod tidy;
mod wechat;
