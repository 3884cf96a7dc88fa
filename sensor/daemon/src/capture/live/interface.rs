//! What the system says about an interface: whether it is there, whether it is up, what it dropped.

use std::fs;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

/// The name that stands for all interfaces.
pub const ANY: &str = "any";

/// What the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There is none of this name.
    Gone,
    /// It is down. The number is another one when an interface is made anew under the same name.
    Down(u32),
    /// It is up.
    Up(u32),
}

/// Looks an interface up by name.
pub fn presence(name: &str) -> Presence {
    if name == ANY {
        return Presence::Up(0);
    }
    let Ok(index) = if_nametoindex(name) else { return Presence::Gone };
    let flags = getifaddrs().ok().and_then(|mut all| all.find(|i| i.interface_name == name)).map(|i| i.flags);
    match flags {
        Some(flags) if flags.contains(InterfaceFlags::IFF_UP) => Presence::Up(index),
        _ => Presence::Down(index),
    }
}

/// Frames that the interface itself lost: no room in its ring or its FIFO. What the kernel's own stack did not want (`rx_dropped`) was
/// captured all the same, and is no loss.
pub fn dropped(name: &str) -> u64 {
    let counter = |what: &str| fs::read_to_string(format!("/sys/class/net/{name}/statistics/{what}")).ok()?.trim().parse::<u64>().ok();
    ["rx_missed_errors", "rx_fifo_errors", "rx_over_errors"].into_iter().filter_map(counter).sum()
}
