//! Events for outputs, without a wire: a store that findings are written to, and the outputs that take them from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringfence::config::Config;
use ringfence::deliver::{Desk, Pace};
use ringfence::pseudonym::Pseudonyms;
use ringfence::store::{Changes, Happened, Store};
use ringfence_core::finding::{DeviceFacts, Finding};
use ringfence_core::ledger::{Event, Stage, Tracked};
use ringfence_core::policy::{Level, Verdict};
use ringfence_core::rules::Surface;

use crate::lab::now;

/// What the finding of a number is called where identities are shown.
pub fn id(n: u64) -> String {
    format!("rf-{n:016x}")
}

/// A finding of a device of its own.
pub fn tracked(n: u64) -> Tracked {
    let at = now();
    let device = DeviceFacts { id: format!("dev-{n:012x}"), key: format!("reg:phone-{n}"), confidence: 0.9, ..DeviceFacts::default() };
    let finding = Finding {
        segment: "lab".into(),
        segment_class: "sensitive",
        app: "wechat".into(),
        surface: Some(Surface::App),
        level: Level::Confirmed,
        confidence: 0.99,
        verdict: Verdict::Violation,
        policy: "default".into(),
        reasons: vec!["an app that is banned here".into()],
        first_seen: at,
        last_seen: at,
        flows: 1,
        ..Finding::blank(&id(n), device)
    };
    Tracked { finding, stage: Stage::Open, opened: at, changed: at, reopened: 0, reopened_at: None, acknowledged: None, escalated: None }
}

/// A tenth of the usual patience, for tests: what lasts seconds here lasts a minute there.
pub const HASTY: Pace = Pace {
    look: Duration::from_millis(50),
    patience: Duration::from_secs(2),
    pause: Duration::from_millis(25),
    pause_max: Duration::from_secs(3),
    held: Duration::from_secs(6),
};

/// A store with outputs.
pub struct Source {
    store: Store,
    /// The outputs.
    pub desk: Arc<Desk>,
    state: PathBuf,
}

impl Source {
    /// Opens or goes on; `outputs` are `[[output]]` tables of a configuration in `dir`.
    ///
    /// # Panics
    /// When the configuration is wrong, or the store does not open.
    pub fn open(dir: &Path, outputs: &str) -> Self {
        Source::paced(dir, outputs, Pace::default())
    }

    /// The same with outputs that wait as long as they are told.
    ///
    /// # Panics
    /// When the configuration is wrong, or the store does not open.
    pub fn paced(dir: &Path, outputs: &str, pace: Pace) -> Self {
        let state = dir.join("state");
        std::fs::create_dir_all(&state).expect("a folder");
        let store = Store::open(&state).expect("a store");
        let desk = Desk::paced(&state, Pseudonyms::keyed([7; 32]), store.demand(), pace).expect("threads");
        let source = Source { store, desk: Arc::new(desk), state: dir.to_path_buf() };
        source.set(outputs);
        source
    }

    /// Other outputs.
    ///
    /// # Panics
    /// When the configuration is wrong.
    pub fn set(&self, outputs: &str) {
        let path = self.state.join("ringfence.toml");
        std::fs::write(&path, outputs).expect("written");
        let config = Config::load(&path, &[]).unwrap_or_else(|e| panic!("{:#?}", e.problems()));
        self.desk.set(&config.service.outputs, "lab");
    }

    /// Something happens; on disk when this returns.
    ///
    /// # Panics
    /// When the store cannot be written.
    pub fn happens(&mut self, event: Event, mut tracked: Tracked) {
        tracked.stage = match event {
            Event::Resolved => Stage::Resolved,
            Event::Superseded => Stage::Superseded,
            _ => Stage::Open,
        };
        let (verdict, level) = (tracked.finding.verdict, tracked.finding.level);
        let events = vec![Happened { at: now(), event, finding: tracked.finding.id.clone(), verdict, level }];
        self.store.write(&Changes { findings: vec![tracked], events, ..Changes::default() }).expect("written");
    }

    /// Findings are opened, one write for each.
    pub fn opens(&mut self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|n| self.happens(Event::Opened, tracked(n)));
    }

    /// Ends; what waits is brought away if far ends take it.
    pub fn end(self) {
        self.desk.end(Duration::from_secs(5));
    }
}
