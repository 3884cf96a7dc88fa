//! The device register as an inventory exports it: CSV with a header line.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord, Trim};
use ringfence_core::diagnostic::{Document, nearest};

use super::devices::Draft;
use super::place::{Place, Text};

/// The columns, in the order of the documentation. Only `id` must be there.
const COLUMNS: [&str; 8] = ["id", "macs", "names", "addresses", "owner", "kind", "designated", "allowed_segments"];

/// A row that is being read.
struct Row<'r, 'd> {
    doc: &'d Document<'d>,
    text: &'d str,
    header: &'r [String],
    record: &'r StringRecord,
    /// Where the row begins, in bytes.
    start: usize,
}

/// Reads the rows. Cells are separated by commas, or by semicolons where the header has no comma; several values in one cell by
/// spaces or `|`.
pub(super) fn read<'d>(doc: &'d Document<'d>, text: &'d str, drafts: &mut Vec<Draft<'d>>) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let offset = text.len() - body.len();
    let first = body.lines().next().unwrap_or("");
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).delimiter(delimiter).from_reader(body.as_bytes());
    let header: Vec<String> = reader.headers().map(|h| h.iter().map(str::to_lowercase).collect()).unwrap_or_default();
    if !check_header(doc, text, &header) {
        return;
    }
    for record in reader.records() {
        match record {
            Ok(record) => {
                let at = record.position().and_then(|p| usize::try_from(p.byte()).ok()).unwrap_or(0);
                let skipped = body.get(at..).map_or(0, |rest| rest.len() - rest.trim_start_matches(['\r', '\n']).len());
                drafts.extend(Row { doc, text, header: &header, record: &record, start: offset + at + skipped }.device());
            }
            Err(error) => Place::new(doc, 0..0, "").error(format!("is no CSV: {error}"), "save it as CSV in UTF-8"),
        }
    }
}

fn check_header<'d>(doc: &'d Document<'d>, text: &str, header: &[String]) -> bool {
    let place = |name: &str| {
        let line = text.lines().next().unwrap_or("").to_lowercase();
        let at = line.find(name).filter(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Place::new(doc, at..at + name.len(), name)
    };
    for (i, column) in header.iter().enumerate() {
        if !COLUMNS.contains(&column.as_str()) {
            let known = || format!("known: {}", COLUMNS.join(", "));
            let help = nearest(column, COLUMNS).map_or_else(known, |near| format!("did you mean `{near}`?"));
            place(column).error("unknown column", help);
        } else if header.iter().take(i).any(|c| c == column) {
            place(column).error("the column is there twice", "keep one of them");
        }
    }
    let has_id = header.iter().any(|h| h == "id");
    if !has_id {
        place("").error("the column `id` is missing", format!("the first line names the columns: {}", COLUMNS.join(",")));
    }
    has_id
}

impl<'d> Row<'_, 'd> {
    fn device(&self) -> Option<Draft<'d>> {
        let here = Place::new(self.doc, self.start..self.start, "");
        if self.record.len() > self.header.len() {
            let (cells, columns) = (self.record.len(), self.header.len());
            here.error(
                format!("has {cells} cells, the header names {columns} columns"),
                "several values in one cell are separated by spaces",
            );
            return None;
        }
        let mut found = self.cells();
        let id = found.remove("id").and_then(|mut ids| ids.pop());
        if id.is_none() {
            here.error("the cell `id` is empty", "each row is one device");
        }
        let designated = found.remove("designated").unwrap_or_default().iter().any(yes);
        let mut one = |name: &str| found.remove(name).and_then(|mut texts| texts.pop());
        let (owner, kind) = (one("owner"), one("kind"));
        let mut many = |name: &str| found.remove(name).unwrap_or_default();
        let (macs, names) = (many("macs"), many("names"));
        let (addresses, allowed_segments) = (many("addresses"), many("allowed_segments"));
        Some(Draft { place: here, id, macs, names, addresses, owner, kind, designated, allowed_segments })
    }

    /// The values of each column, with their places.
    fn cells(&self) -> HashMap<&str, Vec<Text<'d>>> {
        let mut at = self.start;
        let mut cells = HashMap::new();
        for (name, cell) in self.header.iter().zip(self.record.iter()) {
            let mut texts = Vec::new();
            let list = matches!(name.as_str(), "macs" | "names" | "addresses" | "allowed_segments");
            let values = cell.split(|c: char| list && matches!(c, ' ' | '|' | ';'));
            for value in values.filter(|v| !v.is_empty()) {
                at = self.text.get(at..).and_then(|rest| rest.find(value)).map_or(at, |found| at + found);
                texts.push((value.to_string(), Place::new(self.doc, at..at + value.len(), name.as_str())));
                at += value.len();
            }
            cells.insert(name.as_str(), texts);
        }
        cells
    }
}

fn yes((text, place): &Text<'_>) -> bool {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "1" => true,
        "no" | "false" | "0" => false,
        _ => {
            place.error(format!("`{}` is neither yes nor no", text.escape_debug()), "write yes or no");
            false
        }
    }
}
