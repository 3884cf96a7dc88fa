//! What may be asked of the running daemon, whoever asks: the API, a signal, a changed file.

use std::sync::Arc;
use std::time::Duration;

use ringfence_core::correlate::DeviceStory;
use ringfence_core::finding::DeviceFacts;
use ringfence_core::identity::Link;
use ringfence_core::ledger::Tracked;
use ringfence_core::time::Timestamp;

use crate::waivers::{Request, WaiverView};

/// The daemon, as seen by those who may ask it for something. A call waits for the answer, a few seconds at most. Whoever implements
/// it takes the deeds of operators that it names, and refuses the others.
pub trait Control: Send + Sync {
    /// Loads configuration and rules again.
    ///
    /// # Errors
    /// When the daemon does not answer. Problems of the files are part of the report.
    fn reload(&self, by: &str) -> Result<ReloadReport, String>;

    /// Tells what a reload would change.
    ///
    /// # Errors
    /// When the daemon does not answer.
    fn dry_run(&self) -> Result<ReloadReport, String>;

    /// A waiver with its uses.
    ///
    /// # Errors
    /// [`Refusal`] when there is none of this id, or the daemon does not answer.
    fn waiver(&self, id: &str) -> Result<WaiverView, Refusal> {
        let _ = id;
        Err(Refusal::none())
    }

    /// Adds a waiver.
    ///
    /// # Errors
    /// [`Refusal`] when it does not fit the configuration, or the daemon does not answer.
    fn add_waiver(&self, by: &str, request: Request) -> Result<WaiverView, Refusal> {
        let _ = (by, request);
        Err(Refusal::none())
    }

    /// Adds a waiver that goes on where another one ends; holders, apps and segments are those of the other.
    ///
    /// # Errors
    /// As for [`Control::add_waiver`].
    fn renew_waiver(&self, by: &str, id: &str, request: Request) -> Result<WaiverView, Refusal> {
        let _ = (by, id, request);
        Err(Refusal::none())
    }

    /// Approves a waiver that somebody else added.
    ///
    /// # Errors
    /// [`Refusal`] when it waits for nobody, or was added by the same person.
    fn approve_waiver(&self, by: &str, id: &str) -> Result<WaiverView, Refusal> {
        let _ = (by, id);
        Err(Refusal::none())
    }

    /// Takes a waiver back from now on.
    ///
    /// # Errors
    /// [`Refusal`] when it has ended already, or no reason is given.
    fn revoke_waiver(&self, by: &str, id: &str, reason: &str) -> Result<WaiverView, Refusal> {
        let _ = (by, id, reason);
        Err(Refusal::none())
    }

    /// What is known of the device with a key; with `asked`, for somebody who is told who it is.
    ///
    /// # Errors
    /// [`Refusal`] when nothing is known of it, or the daemon does not answer.
    fn device(&self, key: &str, asked: Option<Asked>) -> Result<DeviceStory, Refusal> {
        let _ = (key, asked);
        Err(Refusal::none())
    }

    /// Joins two devices, or keeps them apart; `told` goes into the audit log.
    ///
    /// # Errors
    /// [`Refusal`] when it names no devices, has no reason, or cannot be written.
    fn link(&self, link: Link, told: String) -> Result<Link, Refusal> {
        let _ = (link, told);
        Err(Refusal::none())
    }

    /// Notes that somebody takes care of a finding.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such finding, it is not open, or the daemon does not answer.
    fn acknowledge(&self, by: &str, finding: &str, note: &str) -> Result<Arc<Tracked>, Refusal> {
        let _ = (by, finding, note);
        Err(Refusal::none())
    }

    /// Tells who is behind one pseudonym, or begins to where it takes two persons.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such device, no reason, or too much was asked.
    fn resolve(&self, by: &str, pseudonym: &str, reason: &str) -> Result<Resolution, Refusal> {
        let _ = (by, pseudonym, reason);
        Err(Refusal::none())
    }

    /// Forgets a device, by pseudonym or key.
    ///
    /// # Errors
    /// [`Refusal`] when there is no such device, no reason, or the store cannot be written: then nothing was forgotten.
    fn erase(&self, by: &str, device: &str, reason: &str) -> Result<Erasure, Refusal> {
        let _ = (by, device, reason);
        Err(Refusal::none())
    }

    /// Confirms what another operator has asked, and tells who it is.
    ///
    /// # Errors
    /// [`Refusal`] when nothing of that id waits, or the same operator asked.
    fn confirm_resolve(&self, by: &str, id: &str) -> Result<Resolution, Refusal> {
        let _ = (by, id);
        Err(Refusal::none())
    }
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Rows of the store.
    pub rows: u64,
    /// Nothing of them is left in the files.
    pub clean: bool,
}

/// Pseudonyms that one operator may ask about within an hour, those that do not exist too: enough for an incident, too few for a list.
pub const RESOLVES_PER_HOUR: usize = 10;
/// How long a question waits for a second operator.
pub const RESOLVE_CONFIRM: Duration = Duration::from_secs(900);

/// Who is behind a pseudonym, or who else has to ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// The device, under the pseudonym that was asked for.
    Named(Box<DeviceFacts>),
    /// Another operator has to confirm it.
    Pending {
        /// What to confirm.
        id: String,
        /// Until when.
        until: Timestamp,
    },
}

/// Somebody asks who a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub by: String,
    /// For which device, by pseudonym.
    pub pseudonym: String,
    /// Why.
    pub reason: String,
}

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Take care of findings.
    Acknowledge,
    /// Add, approve, renew and revoke waivers.
    Waivers,
    /// Join and part devices.
    Devices,
    /// Learn who is behind a pseudonym.
    Resolve,
    /// Have a device forgotten.
    Erase,
}

impl Right {
    /// Words in the configuration.
    pub const WORDS: [(&'static str, Right); 5] = [
        ("acknowledge", Right::Acknowledge),
        ("waivers", Right::Waivers),
        ("devices", Right::Devices),
        ("resolve", Right::Resolve),
        ("erase", Right::Erase),
    ];

    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        Right::WORDS.iter().find(|(_, right)| *right == self).map_or("", |(word, _)| word)
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing.
    Unknown,
    /// It cannot be done as things stand: what is wrong, and the remedy.
    Conflict(String, String),
    /// What was given makes no sense: everything that is wrong.
    Invalid(Vec<String>),
    /// Too much was asked of it: what, and when it may be asked again.
    Limited(String, String),
    /// The daemon does not answer, or cannot write.
    Unavailable(String),
}

impl Refusal {
    /// Nobody here does that.
    pub fn none() -> Refusal {
        Refusal::Unavailable("this sensor takes no deeds".to_string())
    }
}

/// What a reload did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// Counts accepted configurations.
    pub generation: u64,
    /// What is different.
    pub changes: Vec<String>,
    /// What is different and needs a restart.
    pub needs_restart: Vec<String>,
    /// Findings whose verdict changes.
    pub findings: Vec<Rejudged>,
    /// Why it was refused; empty when it was not.
    pub problems: Vec<String>,
}

/// A finding under another policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejudged {
    /// Its id: the present one where there is one.
    pub id: String,
    /// Its device, by key (`mac:...`, `reg:...`, `addr:...`).
    pub device: String,
    /// The app.
    pub app: String,
    /// The segment.
    pub segment: String,
    /// The verdict before; `none` when there was none.
    pub before: &'static str,
    /// The verdict after; `none` when there is none.
    pub after: &'static str,
}
