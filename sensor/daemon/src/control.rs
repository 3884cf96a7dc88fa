//! What may be asked of the running daemon, whoever asks: the API, a signal, a changed file.

/// The daemon, as seen by those who may ask it for something. A call waits for the answer, a few seconds at most.
pub trait Control: Send + Sync {
    /// Loads configuration and rules again.
    ///
    /// # Errors
    /// When the daemon does not answer. Problems of the files are part of the report.
    fn reload(&self) -> Result<ReloadReport, String>;

    /// Tells what a reload would change.
    ///
    /// # Errors
    /// When the daemon does not answer.
    fn dry_run(&self) -> Result<ReloadReport, String>;
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
