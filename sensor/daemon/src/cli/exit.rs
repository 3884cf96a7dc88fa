//! How the command ends: exit codes, and failures that say what to do.

use std::fmt;
use std::process::ExitCode;

/// What the exit code says (sysexits where it has a word for it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// Findings at or above `--fail-on`, or a rule test that failed.
    Findings = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A capture is broken (EX_DATAERR).
    Data = 65,
    /// An input cannot be opened (EX_NOINPUT).
    NoInput = 66,
    /// Something that is needed cannot be had: an address, the store (EX_UNAVAILABLE).
    Unavailable = 69,
    /// Something inside failed (EX_SOFTWARE).
    Software = 70,
    /// Output cannot be written (EX_IOERR).
    Output = 74,
    /// Not permitted (EX_NOPERM).
    Permission = 77,
    /// Configuration, rules or policy are wrong (EX_CONFIG).
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why the command cannot go on: a message for standard error, with a remedy, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong; names the file.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with a remedy.
    pub fn new(exit: Exit, message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Failure { exit, message: message.into(), help: help.into() }
    }

    /// An input that cannot be opened or read.
    pub fn input(path: &str, error: &std::io::Error) -> Self {
        let (exit, help) = match error.kind() {
            std::io::ErrorKind::NotFound => (Exit::NoInput, Some("check the path; `-` reads standard input".to_string())),
            std::io::ErrorKind::PermissionDenied => (Exit::Permission, Some(format!("make {path} readable for this user"))),
            _ => (Exit::NoInput, None),
        };
        Failure { exit, message: format!("{path}: {error}"), help }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ringfence: {}", self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

impl std::error::Error for Failure {}
