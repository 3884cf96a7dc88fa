//! Every metric: one table of names, kinds, labels and help. Values are read from [`State`] when somebody asks, so that no series outlives
//! what it was about. Labels are bounded: never a device, an address, a hardware address or a name that was seen.

mod families;
mod findings;
mod places;
mod scrape;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use ringfence_core::ledger::{Stage, Tracked};

use crate::aggregate::Member;
use crate::deliver::Board;
use crate::durations::{BOUNDS_SECS, Durations};
use crate::pseudonym::Pseudonyms;
use crate::state::State;

use families::{FAMILIES, GROUP, OF_FINDINGS};
use scrape::{FAMILY_SERIES_MAX, FINDING_SERIES_MAX, SEGMENTS_MAX, Samples, Scrape, own_labels};

pub use scrape::SERIES_MAX;

/// What kind a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Spans of time, counted by their length.
    Histogram,
}

impl Kind {
    /// The word in the text format.
    const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
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
        let status = state.status();
        let scrape = Scrape {
            own_labels: own_labels(&status),
            status,
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
            samples.bound(family.labels);
            series += samples.len();
            // A family without a series has no place in the format.
            if samples.len() > 0 {
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
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    let spans = samples.spans.iter().map(|(labels, spans)| histogram(family, labels, spans));
    let metrics = samples.values.iter().map(|(labels, value)| metric(family, labels, *value));
    out.set_metric(metrics.chain(spans).collect());
    out
}

fn labelled(family: &Family, labels: &[String]) -> Metric {
    let mut metric = Metric::default();
    let pair = |(name, value): (&&str, &String)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_string());
        pair.set_value(value.clone());
        pair
    };
    metric.set_label(family.labels.iter().zip(labels).map(pair).collect());
    metric
}

fn metric(family: &Family, labels: &[String], value: f64) -> Metric {
    let mut metric = labelled(family, labels);
    if family.kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

fn histogram(family: &Family, labels: &[String], spans: &Durations) -> Metric {
    let mut metric = labelled(family, labels);
    let bucket = |(bound, count): (u64, &u64)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound as f64);
        bucket.set_cumulative_count(*count);
        bucket
    };
    let mut histogram = Histogram::default();
    histogram.set_bucket(BOUNDS_SECS.into_iter().zip(&spans.within).map(bucket).collect());
    histogram.set_sample_count(spans.count);
    histogram.set_sample_sum(spans.sum_secs);
    metric.set_histogram(histogram);
    metric
}

/// `docs/metrics.md`, generated.
pub fn markdown() -> String {
    let mut text = format!(
        "# Metrics\n\nWhat `/metrics` exports. Generated from the table in the source; do not edit. Labels are bounded: no device, address or \
         name is ever one. Counters begin at 0 when the process starts; a metric without a value is left out.\n\n\
         A scrape has at most {SERIES_MAX} series, however many devices, names and findings there are (with up to 32 rings and 32 outputs): the \
         first {SEGMENTS_MAX} segments have a label of their own, {FINDING_SERIES_MAX} findings have a series of their own, and where a family \
         would have more than {FAMILY_SERIES_MAX} series its segments, and then its apps, are told as `other`; verdicts never are. \
         `ringfence_series` says how many there are.\n\n\
         `site` stands on `ringfence_site_info` alone, as the version does on `ringfence_build_info`: a label that is the same on every series \
         of a target belongs to the target, and a query joins it (`* on (instance, job) group_left (site) ringfence_site_info`).\n\n\
         | metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let kind = family.kind.name();
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        text.push_str(&format!("| `{}` | {kind} | {} | {} |\n", family.name, labels.join(" "), family.help));
    }
    text
}
