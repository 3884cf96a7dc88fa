//! `ringfence dissect`: everything that the dissectors see, one record per line. For people who look into one capture; personal
//! fields are left out.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use clap::Args as ClapArgs;
use ringfence_core::diagnostic::Diagnostics;
use ringfence_core::evidence::Evidence;
use ringfence_core::field::{Field, Value};
use ringfence_core::record::{Detail, Record};
use ringfence_core::rules::RuleSet;
use ringfence_core::worker::{Output, RecordContext, Worker};
use serde_json::{Map, Value as Json};

use super::safe::printable;
use super::scan::Format;
use super::{Exit, Failure, Terminal};
use crate::capture::{Files, Options};
use crate::ring;

/// Print what the dissectors see, one record per line
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ringfence dissect -o json x.pcap | jq 'select(.kind == \"ch\") | [.sni, .ja4]'
  ringfence dissect x.pcap | grep mmtls")]
pub struct Args {
    /// Capture files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Form of the answer (human or json)
    #[arg(short, long, value_enum, default_value = "human")]
    output: Format,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] when an input cannot be read or the answer cannot be written.
pub fn run(args: &Args, _terminal: &Terminal) -> Result<Exit, Failure> {
    if args.output == Format::Csv {
        return Err(Failure::new(Exit::Usage, "dissect prints human or json, not csv", None));
    }
    let mut source = Files::new(args.files.clone(), Options::default());
    let no_rules = Arc::new(RuleSet::build(&[], &[], &mut Diagnostics::default()));
    let mut worker = Worker::new(0, no_rules, 0);
    let mut printer = Printer { out: BufWriter::new(io::stdout().lock()), json: args.output == Format::Json, failed: None };
    let errors = ring::drive(&mut source, &mut worker, &mut printer, |_, _, _| {});
    let flushed = printer.out.flush();
    super::written(printer.failed.map_or(flushed, Err))?;
    super::first_failure(super::input_failures(&mut source, errors, &mut Vec::new()))?;
    Ok(Exit::Fine)
}

struct Printer<W: Write> {
    out: W,
    json: bool,
    failed: Option<io::Error>,
}

impl<W: Write> Output for Printer<W> {
    fn evidence(&mut self, _evidence: Evidence) {}

    fn wants_records(&self) -> bool {
        true
    }

    fn record(&mut self, context: &RecordContext, record: &dyn Record) {
        if self.failed.is_some() {
            return;
        }
        let line = if self.json { json_line(context, record) } else { human_line(context, record) };
        self.failed = writeln!(self.out, "{line}").err();
    }
}

fn json_line(context: &RecordContext, record: &dyn Record) -> String {
    let mut object = Map::new();
    let mut put = |key: &str, value: Json| {
        object.insert(key.to_string(), value);
    };
    put("kind", record.kind().into());
    put("ts", context.ts.to_string().into());
    put("src", context.client.addr.to_string().into());
    put("sport", context.client.port.into());
    put("dst", context.server.addr.to_string().into());
    put("dport", context.server.port.into());
    put("proto", context.transport.map_or("", |t| t.name()).into());
    put("tr", record.dissector().into());
    visible(record, &mut |field, value| put(field.key, json_value(value)));
    Json::Object(object).to_string()
}

fn human_line(context: &RecordContext, record: &dyn Record) -> String {
    let time = context.ts.to_string();
    let mut line = format!(
        "{} {:<8} {:<6} {} > {}",
        time.get(11..23).unwrap_or(&time),
        record.dissector(),
        record.kind(),
        context.client,
        context.server
    );
    visible(record, &mut |field, value| {
        line.push_str(&format!("  {}={}", field.key, human_value(value)));
    });
    line
}

/// Every field but the personal ones.
fn visible(record: &dyn Record, see: &mut dyn FnMut(&'static Field, Value<'_>)) {
    record.visit(Detail::Full, &mut |field, value| {
        if !field.personal {
            see(field, value);
        }
    });
}

fn json_value(value: Value<'_>) -> Json {
    match value {
        Value::Text(bytes) => wire_text(bytes).into(),
        Value::Token(word) => word.into(),
        Value::Number(n) => n.into(),
        Value::Address(addr) => addr.to_string().into(),
        Value::List(items) => items.iter().map(|i| Json::from(opaque_text(i))).collect::<Vec<_>>().into(),
    }
}

/// UTF-8 as it is (JSON escapes what must be escaped), anything else with `\xNN`; so is what JSON would let through to a terminal.
fn wire_text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).ok().filter(|text| !steers(text)).map_or_else(|| printable(bytes), str::to_string)
}

/// Whether a text has characters that steer a terminal and that JSON does not escape: DEL, the C1 controls, marks of direction.
fn steers(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// Opaque bytes (RFC 7301: ALPN values are no text): UTF-8 as it is, anything else one character a byte, as Latin-1.
fn opaque_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !steers(text) => text.to_string(),
        Ok(_) => printable(bytes),
        Err(_) => {
            let latin: String = bytes.iter().map(|b| char::from(*b)).collect();
            if steers(&latin) { printable(bytes) } else { latin }
        }
    }
}

fn human_value(value: Value<'_>) -> String {
    match value {
        Value::Text(bytes) => printable(bytes),
        Value::Token(word) => word.to_string(),
        Value::Number(n) => n.to_string(),
        Value::Address(addr) => addr.to_string(),
        Value::List(items) => items.iter().map(|i| printable(i)).collect::<Vec<_>>().join(","),
    }
}
