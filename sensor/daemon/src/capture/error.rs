//! What can go wrong with an input: errors that end it, and warnings that come beside frames that were delivered.

use std::fmt;
use std::io;

use crate::cli::safe::printable;
use crate::cli::{Exit, Failure};

/// A place in a capture that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file, safe to print.
    pub file: String,
    /// The byte (counted from 0, after decompression) at which the broken thing starts.
    pub offset: u64,
    /// What was expected and what is there.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: byte {}: {}", self.file, self.offset, self.what)
    }
}

/// Why an input gives no frames, or no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// It cannot be opened, or the device that holds it fails.
    Input {
        /// The file, safe to print.
        file: String,
        /// What kind of failure it is.
        kind: io::ErrorKind,
        /// What the system says.
        what: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// It is not a capture that can be read: empty, another format, an unreadable header.
    Broken(Broken),
}

impl CaptureError {
    /// A failure to open or read the input named `file`.
    pub fn input(file: &str, error: &io::Error) -> Self {
        let file = printable(file.as_bytes());
        let help = match error.kind() {
            io::ErrorKind::NotFound => Some("check the path; `-` reads standard input".to_string()),
            io::ErrorKind::PermissionDenied => Some(format!("make {file} readable for this user")),
            io::ErrorKind::IsADirectory => Some(format!("name the capture files in it: {file}/*.pcap")),
            _ => None,
        };
        CaptureError::Input { file, kind: error.kind(), what: error.to_string(), help }
    }

    /// The exit code that the command ends with because of it.
    pub fn exit(&self) -> Exit {
        match self {
            CaptureError::Broken(_) => Exit::Data,
            CaptureError::Input { kind: io::ErrorKind::PermissionDenied, .. } => Exit::Permission,
            CaptureError::Input { .. } => Exit::NoInput,
        }
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaptureError::Input { file, what, .. } => write!(f, "{file}: {what}"),
            CaptureError::Broken(broken) => broken.fmt(f),
        }
    }
}

impl std::error::Error for CaptureError {}

impl From<CaptureError> for Failure {
    fn from(error: CaptureError) -> Self {
        let (exit, message) = (error.exit(), error.to_string());
        let help = match error {
            CaptureError::Broken(Broken { help, .. }) | CaptureError::Input { help, .. } => help,
        };
        Failure { exit, message, help }
    }
}

/// How much a broken place costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The file ends inside a record, as it does when the capture program is stopped: every whole frame before was delivered.
    Cut,
    /// Some blocks or options were stepped over; everything else was delivered.
    Skipped,
    /// From here on the file cannot be read; every frame before was delivered.
    Damaged,
}

/// Something that was lost beside the frames that were delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// How much it costs.
    pub loss: Loss,
    /// Where (the first place, when there are several) and what.
    pub broken: Broken,
    /// How many places of this kind the file has.
    pub times: u64,
}

impl Warning {
    /// The exit code that this asks for: a damaged file hides traffic (65); a cut or a skipped block is told and no more (0).
    pub fn exit(&self) -> Exit {
        match self.loss {
            Loss::Cut | Loss::Skipped => Exit::Fine,
            Loss::Damaged => Exit::Data,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.broken.fmt(f)?;
        match self.loss {
            Loss::Cut => f.write_str("; every whole frame before was read"),
            Loss::Damaged => f.write_str("; the rest of the file was not read"),
            Loss::Skipped if self.times > 1 => write!(f, "; skipped, and {} more like it", self.times - 1),
            Loss::Skipped => f.write_str("; skipped"),
        }
    }
}
