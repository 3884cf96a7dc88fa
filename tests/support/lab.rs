//! A small network in kernel namespaces: hosts, a router, servers, a mirror port, real programs that talk, and the sensor that listens.
//!
//! A [`Namespace`] lives as long as this process holds it, so nothing has to be removed, not even after a crash. Its layers, each
//! standing on those before it: [`namespace`], [`process`]; the wires ([`network`]); what answers ([`internet`]) and who talks
//! ([`talkers`], [`quic`]); who listens ([`recorder`], [`daemon`]); what is to be expected ([`story`]); who watches the sensor
//! ([`monitoring`]), and all of it together ([`soc`]); how one
//! looks in from outside ([`door`]).

pub mod daemon;
pub mod door;
pub mod internet;
pub mod load;
pub mod monitoring;
pub mod namespace;
pub mod network;
pub mod pair;
pub mod process;
pub mod quic;
pub mod receiver;
pub mod recorder;
pub mod sender;
pub mod soc;
pub mod story;
pub mod talkers;

pub use namespace::Namespace;
pub use network::Network;
pub use pair::Pair;
pub use process::Process;

use std::time::{Duration, Instant};

use ringfence_core::time::Timestamp;

/// Asks until there is an answer; between two questions other threads may run.
///
/// # Panics
/// When there is none within `limit`; `what` says what was waited for.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The same, for questions whose last answer is worth telling.
///
/// # Panics
/// When the answer is an error until `limit`.
pub fn wait_until<T, E: std::fmt::Debug>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) => assert!(Instant::now() < deadline, "{what}: not within {limit:?}, at last {last:?}"),
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The time by this machine's clock.
///
/// # Panics
/// When the clock stands before 1970.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    Timestamp::from_secs_nanos(since.as_secs(), since.subsec_nanos().into())
}
