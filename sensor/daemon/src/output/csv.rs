//! CSV (RFC 4180): one row per finding, for spreadsheets and for gear that loads lists.

use std::io::{self, Write};

use super::ScanResult;
use crate::vendor;

const HEADER: [&str; 28] = [
    "verdict",
    "level",
    "confidence",
    "device",
    "mac",
    "addresses",
    "name",
    "register",
    "segment",
    "segment_class",
    "app",
    "surface",
    "first_seen",
    "last_seen",
    "flows",
    "bytes_up",
    "bytes_down",
    "instances",
    "classes",
    "policy",
    "id",
    "device_confidence",
    "regions",
    "waiver",
    "others",
    "reasons",
    "evidence",
    "vendor",
];

/// Writes the findings of a scan.
///
/// # Errors
/// Whatever the writer fails with.
pub fn write(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(HEADER)?;
    for f in &result.findings {
        let addresses: Vec<String> = f.device.addresses.iter().map(ToString::to_string).collect();
        let row: [String; 28] = [
            f.verdict.name().into(),
            f.level.name().into(),
            f.confidence.to_string(),
            f.device.id.clone(),
            f.device.mac.map(|m| m.to_string()).unwrap_or_default(),
            addresses.join(" "),
            f.device.name.clone().unwrap_or_default(),
            f.device.register.clone().unwrap_or_default(),
            f.segment.clone(),
            f.segment_class.into(),
            f.app.clone(),
            f.surface.map_or("none", |s| s.name()).into(),
            f.first_seen.to_string(),
            f.last_seen.to_string(),
            f.flows.to_string(),
            f.bytes_up.to_string(),
            f.bytes_down.to_string(),
            f.instances.to_string(),
            f.classes.join(" "),
            f.policy.clone(),
            f.id.clone(),
            f.device.confidence.to_string(),
            f.regions.join(" "),
            f.waiver.clone().unwrap_or_default(),
            f.others.iter().map(|v| v.name()).collect::<Vec<_>>().join(" "),
            f.reasons.join("; "),
            f.evidence.iter().map(|e| format!("{} {} = {} x{}", e.family, e.field, e.value, e.count)).collect::<Vec<_>>().join("; "),
            f.device.mac.and_then(vendor::of).unwrap_or_default().into(),
        ];
        csv.write_record(row.map(|cell| defused(&cell)))?;
    }
    csv.flush()
}

/// A cell that a spreadsheet would run as a formula begins with an apostrophe instead (OWASP "CSV injection").
fn defused(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused() {
        assert_eq!(defused("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(defused("web.wechat.com"), "web.wechat.com");
    }
}
