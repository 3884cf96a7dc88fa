//! Alertmanager, API v2: an alert for each open finding, sent again before it would expire, ended when the finding is over.
//!
//! Its labels tell an alert from others. When a finding is judged otherwise, the alert with the old verdict ends and one with the new
//! verdict begins.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringfence_core::time::Timestamp;
use serde::Serialize;

use crate::clock::now;
use crate::config::Output as Settings;
use crate::deliver::{Event, Failure, Happened, Kind, Output, Sending, net};

/// The row of the table.
pub const KIND: Kind = Kind {
    name: "alertmanager",
    about: "Alertmanager's API v2",
    formats: &[],
    schemes: &["http", "https"],
    port: 9093,
    make: |settings| Box::new(Alertmanager { settings: settings.clone(), firing: BTreeMap::new(), told: None, careful: 0 }),
};

/// Without word from us an alert ends after so many times the interval at which it is sent again.
const EXPIRES_AFTER: u32 = 4;
/// Alerts of one request.
const ALERTS_MAX: usize = 256;

/// An alert as the API wants it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
}

struct Alertmanager {
    settings: Settings,
    /// By finding.
    firing: BTreeMap<String, Alert>,
    /// When all of them were told the last time.
    told: Option<Instant>,
    /// So many events are told one by one, to find the one that is refused.
    careful: usize,
}

impl Alertmanager {
    /// Enters what happened; whether there is something to tell at once.
    fn enter(&mut self, event: &Event) -> Vec<Alert> {
        let Some(happened) = event.happened() else { return Vec::new() };
        let finding = &happened.tracked.finding;
        let fresh = (event.fits && !happened.is_over()).then(|| alert(event, happened));
        let old = match &fresh {
            Some(alert) => self.firing.insert(finding.id.clone(), alert.clone()),
            None => self.firing.remove(&finding.id),
        };
        let over = old.filter(|old| fresh.as_ref().is_none_or(|f| f.labels != old.labels));
        // One that is over although nobody knows of it began before the sensor did.
        let over = over.or_else(|| (event.fits && happened.is_over()).then(|| alert(event, happened)));
        let over = over.map(|alert| Alert { ends_at: event.at.to_string(), ..alert });
        over.into_iter().chain(fresh).collect()
    }

    async fn tell(&self, mut alerts: Vec<Alert>) -> Result<(), Failure> {
        let endpoint = self.settings.endpoint.as_ref().ok_or_else(|| Failure::later(0, "there is no endpoint"))?;
        let ends = now().after(self.settings.resend * EXPIRES_AFTER).to_string();
        alerts.iter_mut().filter(|a| a.ends_at.is_empty()).for_each(|a| a.ends_at.clone_from(&ends));
        let mut headers = Vec::new();
        if let Some(path) = &self.settings.secret_file {
            headers.push(("authorization", format!("Bearer {}", net::secret(path).map_err(|e| Failure::later(0, e))?)));
        }
        for part in alerts.chunks(ALERTS_MAX) {
            let body = serde_json::to_vec(part).map_err(|e| Failure::later(0, e))?;
            let (status, said) = net::post(endpoint, &self.settings.tls, body, &headers).await.map_err(|e| Failure::later(0, e))?;
            match status {
                200..300 => {}
                400 => return Err(Failure { taken: 0, what: format!("HTTP 400 {said}"), refused: true }),
                _ => return Err(Failure::later(0, format!("HTTP {status} {said}"))),
            }
        }
        Ok(())
    }

    async fn deliver(&mut self, events: &[Event]) -> Result<(), Failure> {
        let before = self.firing.clone();
        let alerts: Vec<Alert> = events.iter().flat_map(|e| self.enter(e)).collect();
        let told = self.tell(latest(alerts)).await;
        self.careful = self.careful.saturating_sub(1);
        let Err(failure) = told else { return Ok(()) };
        self.firing = before;
        if failure.refused && events.len() > 1 {
            self.careful = ALERTS_MAX;
            return Err(Failure { refused: false, ..failure });
        }
        Err(failure)
    }

    async fn resend(&mut self) -> Result<(), Failure> {
        if self.told.is_some_and(|at| at.elapsed() < self.settings.resend) {
            return Ok(());
        }
        let all = self.firing.values().cloned().collect();
        self.tell(all).await?;
        self.told = Some(Instant::now());
        Ok(())
    }
}

/// Of each alert the latest word: one request must not say two things of one.
fn latest(alerts: Vec<Alert>) -> Vec<Alert> {
    let by_labels: BTreeMap<_, _> = alerts.into_iter().map(|a| (a.labels.clone(), a)).collect();
    by_labels.into_values().collect()
}

fn alert(event: &Event, happened: &Happened) -> Alert {
    let t = &happened.tracked;
    let f = &t.finding;
    let severity = match event.severity() {
        8.. => "critical",
        5..8 => "warning",
        _ => "info",
    };
    let mut labels = BTreeMap::from([
        ("alertname", "RingfenceFinding".to_string()),
        ("finding", f.id.clone()),
        ("app", f.app.clone()),
        ("surface", f.surface.map_or("none", |s| s.name()).to_string()),
        ("segment", f.segment.clone()),
        ("verdict", f.verdict.name().to_string()),
        ("severity", severity.to_string()),
    ]);
    if !event.site.is_empty() {
        labels.insert("site", event.site.clone());
    }
    let mut annotations = BTreeMap::from([
        ("summary", format!("{} on {} in {}: {}", f.app, f.device.id, f.segment, f.verdict.name())),
        ("description", f.reasons.join("; ")),
        ("device", f.device.id.clone()),
        ("level", f.level.name().to_string()),
        ("policy", f.policy.clone()),
    ]);
    if let Some(name) = f.device.register.as_ref().or(f.device.name.as_ref()) {
        annotations.insert("device_name", name.clone());
    }
    if let Some(by) = &t.acknowledged {
        annotations.insert("acknowledged", by.at.to_string());
    }
    Alert { labels, annotations, starts_at: started(t.opened, t.reopened_at), ends_at: String::new() }
}

fn started(opened: Timestamp, reopened: Option<Timestamp>) -> String {
    reopened.unwrap_or(opened).to_string()
}

impl Output for Alertmanager {
    fn send<'a>(&'a mut self, events: &'a [Event]) -> Sending<'a> {
        Box::pin(self.deliver(events))
    }

    fn at_once(&self) -> usize {
        if self.careful > 0 { 1 } else { 64 }
    }

    fn keeps_state(&self) -> bool {
        true
    }

    fn begin(&mut self, open: Vec<Event>) {
        self.firing.clear();
        open.iter().for_each(|event| drop(self.enter(event)));
    }

    fn idle(&mut self) -> Sending<'_> {
        Box::pin(self.resend())
    }
}

/// How often alerts are sent again where the configuration does not say.
pub const RESEND: Duration = Duration::from_secs(60);
