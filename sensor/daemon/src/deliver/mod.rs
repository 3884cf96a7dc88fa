//! Events on their way to others. An event leaves the hub, and never holds it up: the hub's own transaction puts it into the store's
//! outbox, and from there each output takes it at its own pace, with a cursor of its own. Nothing of it is in the packet path.
//!
//! `desk` starts and ends outputs, `runner` takes events from the outbox, `outputs` carry them, `format` gives them their form.

mod board;
mod cursor;
mod desk;
mod event;
pub mod format;
mod net;
pub mod outputs;
mod runner;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;

use crate::config::Output as Settings;

pub use board::{Board, Standing};
pub use desk::Desk;
pub use event::{About, Event, Happened};
pub use runner::Pace;

/// Why not everything was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How many, from the front, were taken.
    pub taken: usize,
    /// What is wrong.
    pub what: String,
    /// The far end will never take the next one.
    pub refused: bool,
}

impl Failure {
    /// Something that may work later.
    pub fn later(taken: usize, what: impl ToString) -> Self {
        Failure { taken, what: what.to_string(), refused: false }
    }
}

/// What comes back from a far end.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A way to a far end. It is given events in order, and says how many, from the front, the far end has for sure.
pub trait Output: Send {
    /// Sends events.
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a>;

    /// How many it likes at once.
    fn at_once(&self) -> usize {
        64
    }

    /// Drops what was left of a connection that hung.
    fn reset(&mut self) {}

    /// Whether it wants findings that are open from before, and events that its filter leaves out, to end what it began.
    fn keeps_state(&self) -> bool {
        false
    }

    /// Findings that are open when it begins.
    fn begin(&mut self, _open: Vec<Event>) {}

    /// Called every now and then when there is nothing to send.
    fn idle(&mut self) -> Sending<'_> {
        Box::pin(async { Ok(()) })
    }
}

/// A kind of output.
pub struct Kind {
    /// The word in the configuration.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// The forms that it may carry; the first is the one without `format`. Empty when it has its own.
    pub formats: &'static [&'static str],
    /// The schemes of its endpoint; empty when it writes to a `path`.
    pub schemes: &'static [&'static str],
    /// The port where the endpoint names none.
    pub port: u16,
    /// Makes one.
    pub make: fn(&Settings) -> Box<dyn Output>,
}

/// Every kind of output.
pub static OUTPUTS: &[Kind] = &[
    outputs::alertmanager::KIND,
    outputs::webhook::KIND,
    outputs::syslog::KIND,
    outputs::file::KIND,
    #[cfg(feature = "nats")]
    outputs::nats::KIND,
    #[cfg(feature = "kafka")]
    outputs::kafka::KIND,
];

/// Kinds that this build lacks; each is also the feature with which it has it.
pub static LEFT_OUT: &[&str] = &[
    #[cfg(not(feature = "nats"))]
    "nats",
    #[cfg(not(feature = "kafka"))]
    "kafka",
    #[cfg(test)]
    "pigeon",
];

/// The kind of a name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    OUTPUTS.iter().find(|k| k.name == name)
}
