//! Where frames come from: capture files and interfaces, all behind [`Source`].
//!
//! What is an error and what a warning: an input that cannot be opened or read is an error (exit 66, 77), and so is one that is no
//! capture at all: empty, foreign, of an unknown version, cut inside its header (65). Once the header is read, every whole frame is
//! delivered; a file that then ends inside a record or steps over a block is told as a warning (0), one that turns into nonsense as
//! a warning that asks for 65.
//!
//! Must not know state, outputs, flows or protocols: a source delivers frames and says what it could not read.

mod error;
mod file;
mod input;
pub mod live;
mod pcap;
mod pcapng;
mod progress;
mod records;
mod window;

#[cfg(test)]
mod compressed;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;

pub use error::{Broken, CaptureError, Loss, Warning};
pub use file::{FileSource, Files, Options};
pub use live::{Filter, Link, LinkState, LinkView, Live, LiveOptions};
pub use progress::Meter;
pub use records::Records;

use ringfence_core::decode::Frame;
use ringfence_core::time::Timestamp;

/// What a source has to say.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A frame; its bytes stay valid until the next call.
    Frame(Frame<'a>),
    /// Nothing arrived until this time (live sources only).
    Idle(Timestamp),
    /// There will be no more.
    End,
}

/// Anything that delivers frames one by one: a capture file, several of them, a live interface.
pub trait Source {
    /// The next frame; blocks until there is one, or until it is time to say that there is none.
    ///
    /// # Errors
    /// [`CaptureError`] when an input cannot be opened, cannot be read, or is no capture at all. A source of several inputs goes on
    /// with the next input when it is called again; any other source answers [`Step::End`] from then on.
    fn next(&mut self) -> Result<Step<'_>, CaptureError>;

    /// Frames that lie in memory already, for whoever takes all of them: [`Source::next`] goes on behind those that were taken.
    fn records(&mut self) -> Records<'_> {
        Records::default()
    }

    /// What was lost without being an error, since the last call: a cut last packet, skipped blocks, a damaged end.
    fn warnings(&mut self) -> Vec<Warning> {
        Vec::new()
    }
}
