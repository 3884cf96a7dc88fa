//! `[[output]]`: where events go, in which form, and which of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_core::diagnostic::{Item, Section, choose};
use ringfence_core::policy::{Level, Segments, Verdict};

use super::place::{Place, Text, required, texts};
use super::service::within;
use crate::deliver::{Kind, LEFT_OUT, OUTPUTS, format, outputs::alertmanager};

/// An output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it is called in logs and metrics.
    pub name: String,
    /// Which kind.
    pub kind: &'static str,
    /// Which form; `None` where the kind has its own.
    pub format: Option<format::Format>,
    /// Where to; `None` for a file.
    pub endpoint: Option<Endpoint>,
    /// Which file; empty for the others.
    pub path: PathBuf,
    /// Certificates.
    pub tls: OutputTls,
    /// The file that holds the secret of both ends.
    pub secret_file: Option<PathBuf>,
    /// Plain addresses and names instead of pseudonyms.
    pub identities: bool,
    /// Only these verdicts; empty for all.
    pub verdicts: Vec<Verdict>,
    /// From this level.
    pub min_level: Level,
    /// Only these segments; empty for all.
    pub segments: Vec<String>,
    /// Events that may wait.
    pub spool_events: u64,
    /// Events that are sent in a minute.
    pub per_minute: u32,
    /// NATS: the subject; Kafka: the topic.
    pub channel: String,
    /// NATS: the stream that is made where there is none.
    pub stream: Option<String>,
    /// Alertmanager: how often alerts are sent again.
    pub resend: Duration,
    /// A file of so many bytes is rotated; 0 for never.
    pub rotate_bytes: u64,
    /// A file is rotated after so long; zero for never.
    pub rotate_after: Duration,
    /// Rotated files that are kept.
    pub keep_files: usize,
}

impl Output {
    /// Files that it reads.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.tls.ca, &self.tls.certificate, &self.tls.key, &self.secret_file].into_iter().flatten()
    }
}

/// Certificates of a connection that goes out, PEM.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputTls {
    /// Whom to trust; `None` for what the system trusts.
    pub ca: Option<PathBuf>,
    /// Our own certificate chain.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// A far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its scheme.
    pub scheme: &'static str,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What is asked for, from `/`.
    pub path: String,
    /// TLS.
    pub tls: bool,
}

/// The subject or topic where the configuration names none.
const CHANNEL: &str = "ringfence.findings";
/// Schemes with TLS.
const SECURE: &[&str] = &["https", "tls"];

impl Endpoint {
    /// Host and port, as addresses of services are written.
    pub fn authority(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    /// Reads `scheme://host:port/path`.
    fn parse(text: &str, kind: &Kind) -> Option<Endpoint> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = kind.schemes.iter().find(|s| **s == scheme)?;
        let (authority, path) = rest.split_once('/').map_or((rest, String::new()), |(a, p)| (a, format!("/{p}")));
        let port = match *scheme {
            "http" if kind.name == "webhook" => 80,
            "tcp" => 601,
            "tls" if kind.name == "syslog" => 6514,
            "https" if kind.name == "webhook" => 443,
            _ => kind.port,
        };
        let (host, port) = match authority.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']')) {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let plain = path.chars().all(|c| c.is_ascii_graphic());
        let path = match kind.name {
            "alertmanager" => format!("{}/api/v2/alerts", path.trim_end_matches('/')),
            _ if path.is_empty() => "/".to_string(),
            _ => path,
        };
        let good = !host.is_empty() && host.chars().all(fit) && plain && port > 0;
        good.then(|| Endpoint { scheme, host: host.to_string(), port, path, tls: SECURE.contains(scheme) })
    }
}

/// An output whose segments are still names.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    output: Output,
    place: Place<'d>,
    segments: Vec<Text<'d>>,
}

/// Reads `[[output]]`. Paths are relative to `dir`.
pub(super) fn read<'d>(root: &Section<'d>, dir: &Path, into: &mut Vec<Draft<'d>>) {
    for section in root.sections("output") {
        into.extend(one(&section, dir));
        section.finish();
    }
}

fn one<'d>(section: &Section<'d>, dir: &Path) -> Option<Draft<'d>> {
    let name = required(section, "name").filter(|(name, place)| place.is_name(name));
    let kind = kind(section);
    // Known, whatever the kind.
    ["format", "endpoint", "path", "segments", "subject", "stream", "topic"].iter().for_each(|key| drop(section.node(key)));
    let path = |key: &str| section.text(key).map(|item| dir.join(item.value));
    let mut output = Output {
        name: String::new(),
        kind: kind.map_or("", |k| k.name),
        format: kind.and_then(|k| form(section, k)),
        endpoint: None,
        path: PathBuf::new(),
        tls: OutputTls { ca: path("ca"), certificate: path("certificate"), key: path("key") },
        secret_file: path("secret_file"),
        identities: section.flag("identities").is_some_and(|f| f.value),
        verdicts: chosen(section, "verdicts", &Verdict::WORDS),
        min_level: section.choice("min_level", &Level::WORDS).map_or(Level::None, |l| l.value),
        segments: Vec::new(),
        spool_events: 50_000,
        per_minute: 6_000,
        channel: CHANNEL.to_string(),
        stream: None,
        resend: alertmanager::RESEND,
        rotate_bytes: 100 << 20,
        rotate_after: Duration::ZERO,
        keep_files: 10,
    };
    if output.tls.certificate.is_some() != output.tls.key.is_some() {
        Place::of(section.document(), &section.here()).error("certificate and key belong together", "give both, or none");
    }
    within(section, "spool_events", 100, 1_000_000, "events", |n| output.spool_events = n);
    within(section, "per_minute", 1, 600_000, "events", |n| output.per_minute = n as u32);
    within(section, "resend_secs", 1, 3_600, "seconds", |n| output.resend = Duration::from_secs(n));
    within(section, "rotate_mib", 0, 1_048_576, "MiB; 0 for never", |n| output.rotate_bytes = n << 20);
    within(section, "rotate_hours", 0, 8_760, "hours; 0 for never", |n| output.rotate_after = Duration::from_secs(n * 3_600));
    within(section, "keep_files", 1, 10_000, "files", |n| output.keep_files = n as usize);
    let kind = kind?;
    channel(section, kind, &mut output);
    let reached = target(section, kind, dir, &mut output);
    let (name, place) = name?;
    output.name = name;
    reached.then(|| Draft { output, place, segments: texts(section, "segments") })
}

fn kind(section: &Section<'_>) -> Option<&'static Kind> {
    let item = section.required_text("kind")?;
    let found = OUTPUTS.iter().find(|k| k.name == item.value);
    if found.is_none() {
        let place = Place::of(section.document(), &item);
        if LEFT_OUT.contains(&item.value) {
            let help = format!("take a package that has it, or build with `cargo build --release --features {}`", item.value);
            place.error(format!("this build has no output for {}", item.value), help);
            return None;
        }
        let names: Vec<&str> = OUTPUTS.iter().map(|k| k.name).collect();
        place.unknown("kind of output", item.value, names.iter().copied(), &format!("one of {}", names.join(", ")));
    }
    found
}

/// The subject or topic, and the stream: of words that are safe there.
fn channel(section: &Section<'_>, kind: &Kind, output: &mut Output) {
    let fit = |text: &str| !text.is_empty() && text.len() <= 249 && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let words = |text: &str| text.split('.').all(|word| !word.is_empty());
    for (key, of) in [("subject", "nats"), ("stream", "nats"), ("topic", "kafka")] {
        let Some(item) = section.text(key) else { continue };
        let place = Place::of(section.document(), &item);
        if kind.name != of {
            place.error(format!("{} has no {key}", kind.name), "leave the line out");
        } else if !fit(item.value) || !words(item.value) || (key == "stream" && item.value.contains('.')) {
            place.error(
                format!("`{}` is no {key}", item.value.escape_debug()),
                "letters, digits, `-`, `_`; words of a subject or topic are joined by dots",
            );
        } else if key == "stream" {
            output.stream = Some(item.value.to_string());
        } else {
            output.channel = item.value.to_string();
        }
    }
}

fn form(section: &Section<'_>, kind: &Kind) -> Option<format::Format> {
    let Some(item) = section.text("format") else { return kind.formats.first().and_then(|f| format::named(f)) };
    let place = Place::of(section.document(), &item);
    if kind.formats.is_empty() {
        place.error(format!("{} has a form of its own", kind.name), "leave the line out");
        return None;
    }
    if !kind.formats.contains(&item.value) {
        let help = format!("one of {}", kind.formats.join(", "));
        place.unknown(&format!("form for {}", kind.name), item.value, kind.formats.iter().copied(), &help);
    }
    format::named(item.value)
}

/// Where it goes to: an endpoint, or a file.
fn target(section: &Section<'_>, kind: &Kind, dir: &Path, output: &mut Output) -> bool {
    let (asked, other) = if kind.schemes.is_empty() { ("path", "endpoint") } else { ("endpoint", "path") };
    if let Some(item) = section.text(other) {
        Place::of(section.document(), &item).error(format!("{} has no {other}", kind.name), format!("set {asked}"));
    }
    let Some((text, place)) = required(section, asked) else { return false };
    if kind.schemes.is_empty() {
        output.path = dir.join(text);
        let folder = output.path.parent().is_some_and(Path::is_dir);
        if !folder || output.path.is_dir() {
            place.error(format!("{} cannot be a file", output.path.display()), "its folder must exist");
        }
        return folder;
    }
    output.endpoint = Endpoint::parse(&text, kind);
    if output.endpoint.is_none() {
        let example = format!("such as {}://host.example.org:{}", kind.schemes.last().unwrap_or(&""), kind.port);
        place.error(format!("`{}` is no endpoint of {}", text.escape_debug(), kind.name), example);
    }
    output.endpoint.is_some()
}

fn chosen<T: Copy>(section: &Section<'_>, key: &str, words: &[(&str, T)]) -> Vec<T> {
    let items: Vec<Item<'_, &str>> = section.texts(key).unwrap_or_default();
    items.iter().filter_map(|item| choose(section.document(), item, words)).map(|item| item.value).collect()
}

/// Holds names against segments and against each other.
pub(super) fn resolve(drafts: Vec<Draft<'_>>, segments: &Segments) -> Vec<Output> {
    let mut names: BTreeMap<String, Place<'_>> = BTreeMap::new();
    let mut found = Vec::new();
    for mut draft in drafts {
        if let Some(first) = names.get(&draft.output.name) {
            draft.place.error(
                format!("`{}` is also the name of the output in {}", draft.output.name, first.seen_from(&draft.place)),
                "names are unique",
            );
        }
        for (name, place) in &draft.segments {
            if !segments.all().any(|s| *s.name == **name) {
                let known: Vec<String> = segments.all().map(|s| s.name.to_string()).collect();
                place.unknown("segment", name, known.iter().map(String::as_str), "define it as [segments.NAME]");
            }
        }
        draft.output.segments = draft.segments.into_iter().map(|(name, _)| name).collect();
        names.insert(draft.output.name.clone(), draft.place);
        found.push(draft.output);
    }
    found
}
