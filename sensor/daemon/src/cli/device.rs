//! `ringfence device`: devices of the running sensor over time, joined and kept apart by an operator's word.

use std::io::{self, Write};

use clap::{Args as ClapArgs, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::client::{Sensor, segment};
use super::safe::printable;
use super::{Exit, Failure, Terminal, table, written};

/// Show devices of the running sensor, join them and keep them apart
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence device list
  ringfence device show dev-a983c7f4141e
  ringfence device show dev-a983c7f4141e --reason \"incident 7\" --token-file jana.token
  ringfence device merge dev-a983c7f4141e reg:laptop-7 --reason \"its dock\" --token-file jana.token
  ringfence device split mac:02:00:5e:10:00:01 mac:02:00:5e:10:00:02 --reason \"two phones, one name\" --token-file jana.token

A device is named by its id, or by its key: mac:..., reg:..., addr:.... A merge makes one device; a split forbids what would join
two by itself, such as the same host name. The latest word about a pair counts. With --reason, `show` tells who it is: that takes an
operator with the right `resolve`, and is kept in the audit log.

Exit codes: 0 done, 66 no sensor answers, 69 refused, 77 the token is not of an operator with the right, 78 it makes no sense")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Devices that have findings, and what operators said about devices
    List(Plain),
    /// One device over time: where it was, names and their sources, and why it is taken for one device
    Show(Show),
    /// Say that two devices are one
    Merge(Pair),
    /// Say that two devices are not one
    Split(Pair),
}

#[derive(Debug, ClapArgs)]
struct Plain {
    #[command(flatten)]
    sensor: Sensor,
}

#[derive(Debug, ClapArgs)]
struct Show {
    /// The device
    #[arg(value_name = "DEVICE")]
    id: String,
    /// Why its identity is needed
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    sensor: Sensor,
}

#[derive(Debug, ClapArgs)]
struct Pair {
    /// A device
    #[arg(value_name = "DEVICE")]
    a: String,
    /// Another one
    #[arg(value_name = "OTHER")]
    b: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    sensor: Sensor,
}

/// See `DevicePage` in docs/openapi.json.
#[derive(Deserialize)]
struct Page {
    devices: Vec<Entry>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    device: Device,
    open: usize,
    verdict: String,
    apps: Vec<String>,
    segments: Vec<String>,
    last_seen: String,
}

#[derive(Deserialize)]
struct Device {
    id: String,
    mac: Option<String>,
    vendor: Option<String>,
    name: Option<String>,
    register: Option<String>,
    randomised_mac: bool,
    behind_router: bool,
    shared_nic: bool,
    confidence: f64,
    reasons: Vec<String>,
}

#[derive(Deserialize)]
struct History {
    device: Device,
    key: Option<String>,
    stays: Vec<Stay>,
    names: Vec<Name>,
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Stay {
    segment: Option<String>,
    address: Option<String>,
    family: String,
    first_seen: String,
    last_seen: String,
    sources: Vec<String>,
}

#[derive(Deserialize)]
struct Name {
    source: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    kind: String,
    a: String,
    b: String,
    at: String,
    by: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct LinkList {
    links: Vec<Link>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when no sensor answers, or it refuses.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    let text = match &args.command {
        Command::List(plain) => list(&plain.sensor, terminal)?,
        Command::Show(show) => {
            let reason = show.reason.as_ref().map(|reason| format!("?reason={}", segment(reason))).unwrap_or_default();
            let path = format!("/api/v1/devices/{}/history{reason}", segment(&show.id));
            told(&show.sensor.client()?.get(&path)?, terminal)
        }
        Command::Merge(pair) => link("merge", pair)?,
        Command::Split(pair) => link("split", pair)?,
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(Exit::Fine)
}

fn list(sensor: &Sensor, terminal: &Terminal) -> Result<String, Failure> {
    let client = sensor.client()?;
    let mut entries = Vec::new();
    let mut path = "/api/v1/devices?limit=1000".to_string();
    loop {
        let page: Page = client.get(&path)?;
        entries.extend(page.devices);
        match page.next {
            Some(next) => path = format!("/api/v1/devices?limit=1000&cursor={}", segment(&next)),
            None => break,
        }
    }
    let row = |e: &Entry| {
        let named = e.device.register.as_ref().or(e.device.name.as_ref()).or(e.device.mac.as_ref()).map_or("", String::as_str);
        let cells = [&e.device.id, named, &e.verdict, &e.apps.join(", "), &e.segments.join(", ")].map(shown);
        cells.into_iter().chain([format!("{}", e.open), format!("{:.2}", e.device.confidence), shown(minute(&e.last_seen))]).collect()
    };
    let header = ["device", "known as", "worst", "apps", "segments", "open", "identity", "last"];
    let devices = table::text(&table::headed(&header, entries.iter().map(row)), terminal);
    let links: LinkList = client.get("/api/v1/links")?;
    Ok(devices + &table::text(&rows(&links.links), terminal))
}

fn link(kind: &str, pair: &Pair) -> Result<String, Failure> {
    let body = json!({ "kind": kind, "a": pair.a, "b": pair.b, "reason": pair.reason });
    let done: Link = pair.sensor.client()?.post_with("/api/v1/links", &body)?;
    let word = if done.kind == "merge" { "are one device" } else { "are two devices" };
    Ok(format!("{} and {} {word} from now on\n", shown(&done.a), shown(&done.b)))
}

fn rows(links: &[Link]) -> Vec<Vec<String>> {
    let row = |l: &Link| {
        let (by, reason) = (l.by.as_deref().unwrap_or_default(), l.reason.as_deref().unwrap_or_default());
        [&l.kind, &l.a, &l.b, minute(&l.at), by, reason].map(shown).to_vec()
    };
    table::headed(&["said", "device", "other", "when", "by", "because"], links.iter().map(row))
}

fn told(history: &History, terminal: &Terminal) -> String {
    let device = &history.device;
    let mut text = format!("{}\n", shown(&device.id));
    let mut line = |what: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("  {what:<10} {}\n", shown(value));
        }
    };
    line("key", history.key.as_deref().unwrap_or_default());
    line("register", device.register.as_deref().unwrap_or_default());
    line("MAC", device.mac.as_deref().unwrap_or_default());
    line("vendor", device.vendor.as_deref().unwrap_or_default());
    let marks = [(device.randomised_mac, "random MAC"), (device.behind_router, "behind a router"), (device.shared_nic, "shared NIC")];
    line("marks", &marks.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect::<Vec<_>>().join(", "));
    line("identity", &format!("{:.2}", device.confidence));
    device.reasons.iter().for_each(|reason| line("because", reason));
    for name in &history.names {
        line("name", &format!("{} ({})", name.name.as_deref().unwrap_or("[hidden]"), name.source));
    }
    let stay = |s: &Stay| {
        let sources = if s.sources.is_empty() { "frames".to_string() } else { s.sources.join(", ") };
        let address = s.address.as_deref().unwrap_or(&s.family);
        [s.segment.as_deref().unwrap_or("-"), address, minute(&s.first_seen), minute(&s.last_seen), &sources].map(shown).to_vec()
    };
    text += &table::text(&table::headed(&["segment", "address", "first", "last", "known by"], history.stays.iter().map(stay)), terminal);
    text + &table::text(&rows(&history.links), terminal)
}

fn minute(time: &str) -> &str {
    time.get(..16).unwrap_or(time)
}

fn shown(text: impl AsRef<str>) -> String {
    printable(text.as_ref().as_bytes())
}
