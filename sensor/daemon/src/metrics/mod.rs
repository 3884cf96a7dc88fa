//! Every metric: one table of names, kinds, labels and help. Values are read from [`State`] when somebody asks, so that no series outlives
//! what it was about. Labels are bounded: never a device, an address, a hardware address or a name that was seen.

mod families;
mod scrape;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::TextEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use ringfence_core::ledger::{Stage, Tracked};

use crate::aggregate::Member;
use crate::deliver::Board;
use crate::pseudonym::Pseudonyms;
use crate::state::State;

use families::{FAMILIES, GROUP, OF_FINDINGS};
use scrape::{Samples, Scrape};

/// What kind a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A metric.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
    /// Reads its values.
    fill: fn(&Scrape<'_>, &mut Samples),
}

/// The server's connections.
#[derive(Debug, Default)]
pub struct Connections {
    /// Open now.
    pub open: AtomicU64,
    /// Closed because others wanted in.
    pub evicted: AtomicU64,
}

/// Renders metrics, and counts what nobody else counts: requests.
#[derive(Debug)]
pub struct Metrics {
    pseudonyms: Pseudonyms,
    /// With `aggregate_only`: devices that a group must have.
    group_min: Option<u64>,
    /// Route and status; both come from tables.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    connections: Arc<Connections>,
    outputs: Board,
}

impl Metrics {
    /// Metrics in which findings are called as `pseudonyms` say; with `group_min` they tell of groups of so many devices only.
    pub fn new(pseudonyms: Pseudonyms, group_min: Option<u64>) -> Self {
        Metrics { pseudonyms, group_min, requests: Mutex::default(), connections: Arc::default(), outputs: Board::default() }
    }

    /// With how these outputs are.
    pub fn with_outputs(self, outputs: Board) -> Self {
        Metrics { outputs, ..self }
    }

    /// Counts a request.
    pub fn count_request(&self, route: &'static str, status: u16) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((route, status)).or_default() += 1;
    }

    /// Where the server counts connections.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// Groups take the place of everything that counts findings, or devices with findings.
    fn shows(&self, family: &Family) -> bool {
        match self.group_min {
            Some(_) => !OF_FINDINGS.iter().any(|begin| family.name.starts_with(begin)),
            None => family.name != GROUP,
        }
    }

    /// The text format of Prometheus.
    pub fn render(&self, state: &State) -> String {
        let scrape = Scrape {
            status: state.status(),
            findings: state.findings(),
            requests: self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            connections: self.connections.open.load(Ordering::Relaxed),
            evicted: self.connections.evicted.load(Ordering::Relaxed),
            pseudonyms: &self.pseudonyms,
            group_min: self.group_min.unwrap_or(u64::MAX),
            outputs: self.outputs.all(),
        };
        let mut series = 0;
        let mut families: Vec<MetricFamily> = Vec::new();
        for family in FAMILIES.iter().filter(|f| self.shows(f)) {
            let mut samples = Samples { series, ..Samples::default() };
            (family.fill)(&scrape, &mut samples);
            series += samples.values.len();
            // A family without a series has no place in the format.
            if !samples.values.is_empty() {
                families.push(proto(family, samples));
            }
        }
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

/// Devices with open findings, for groups.
pub fn members(findings: &[Arc<Tracked>]) -> impl Iterator<Item = Member<'_>> {
    findings.iter().filter(|t| t.stage == Stage::Open).map(|t| {
        let f = &t.finding;
        Member { segment: &f.segment, app: &f.app, verdict: f.verdict.name(), device: &f.device.key }
    })
}

fn proto(family: &Family, samples: Samples) -> MetricFamily {
    let mut out = MetricFamily::default();
    out.set_name(family.name.to_string());
    out.set_help(family.help.to_string());
    out.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
    });
    let metrics = samples.values.into_iter().map(|(labels, value)| metric(family, &labels, value));
    out.set_metric(metrics.collect());
    out
}

fn metric(family: &Family, labels: &[String], value: f64) -> Metric {
    let mut metric = Metric::default();
    let pair = |(name, value): (&&str, &String)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_string());
        pair.set_value(value.clone());
        pair
    };
    metric.set_label(family.labels.iter().zip(labels).map(pair).collect());
    match family.kind {
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        Kind::Gauge => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
    }
    metric
}

/// `docs/metrics.md`, generated.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\nWhat `/metrics` exports. Generated from the table in the source; do not edit. Labels are bounded: no device, address or \
         name is ever one. Counters begin at 0 when the process starts; a metric without a value is left out.\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        text.push_str(&format!("| `{}` | {kind} | {} | {} |\n", family.name, labels.join(" "), family.help));
    }
    text
}
