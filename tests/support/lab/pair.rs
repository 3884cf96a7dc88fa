//! One quiet wire between two namespaces: whatever the sensor hears on it was sent on purpose.

use std::io;

use super::Namespace;

/// A sender's end and the sensor's end of a wire.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Where frames are sent, on [`NEAR`].
    pub sender: Namespace,
    /// Where the sensor listens, on [`FAR`].
    pub sensor: Namespace,
}

/// The sender's interface.
pub const NEAR: &str = "near0";

/// The sensor's interface.
pub const FAR: &str = "tap0";

impl Pair {
    /// Both ends are up.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> io::Result<Self> {
        let pair = Pair { sender: Namespace::new()?, sensor: Namespace::new()? };
        pair.plug()?;
        Ok(pair)
    }

    /// Makes the wire, again when it was deleted.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn plug(&self) -> io::Result<()> {
        // Large enough for every frame of every corpus.
        self.sender.ip(&[
            format!("link add {NEAR} mtu 9000 type veth peer name {FAR} mtu 9000 netns {}", self.sensor.path()),
            format!("link set {NEAR} arp off up"),
        ])?;
        self.sensor.ip(&[format!("link set {FAR} arp off promisc on up")])
    }

    /// Frames that came out of the wire so far, by the kernel's count.
    ///
    /// # Panics
    /// When there is no wire.
    pub fn arrived(&self) -> u64 {
        // `/proc/net` would show the namespace of the process; this is that of the thread.
        let table = self.sensor.run(|| std::fs::read_to_string("/proc/thread-self/net/dev")).expect("counters");
        let row = table.lines().find_map(|l| l.trim().strip_prefix(FAR)?.strip_prefix(':')).expect("the wire");
        row.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    }
}
