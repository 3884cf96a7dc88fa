//! The shipped rules are part of the binary: a new or changed rule file is a reason to build it again.

fn main() {
    println!("cargo::rerun-if-changed=../../rules");
}
