//! The device register: `[[device]]` tables, or CSV as an inventory exports it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use ringfence_core::diagnostic::{Diagnostics, Document, Problem, Section, Severity, nearest};
use ringfence_core::net::Mac;
use ringfence_core::policy::{Device, Policy, Register};

/// Reads the devices of a document.
pub(super) fn read_toml(root: &Section<'_>, policy: &mut Policy) {
    let doc = root.document();
    let mut devices: Vec<Device> = policy.register.devices().cloned().collect();
    let mut seen: HashMap<Mac, String> = HashMap::new();
    for section in root.sections("device") {
        if let Some(device) = device(doc, &section, policy, &mut seen) {
            if devices.iter().any(|d| d.id == device.id) {
                doc.error(&section.here(), format!("`{}` is in the register twice", device.id), Some("ids are unique".into()));
            }
            devices.push(device);
        }
        section.finish();
    }
    policy.register = Register::new(devices);
}

fn device(doc: &Document<'_>, section: &Section<'_>, policy: &Policy, seen: &mut HashMap<Mac, String>) -> Option<Device> {
    let id = section.required_text("id").map(|i| i.value.to_string());
    let mut device = Device { id: id.clone().unwrap_or_default(), ..Device::default() };
    for item in section.texts("macs").unwrap_or_default() {
        match item.value.parse::<Mac>() {
            Ok(mac) if mac.is_unicast() => {
                if let Some(other) = seen.insert(mac, device.id.clone()) {
                    doc.error(
                        &item,
                        format!("{mac} belongs to `{other}` already"),
                        Some("a hardware address belongs to one device".into()),
                    );
                }
                device.macs.push(mac);
            }
            Ok(mac) => doc.error(&item, format!("{mac} is a group address"), Some("a device has an address of its own".into())),
            Err(()) => {
                doc.error(&item, format!("`{}` is no hardware address", item.value.escape_debug()), Some("write 02:00:5e:10:00:01".into()))
            }
        }
    }
    for item in section.texts("addresses").unwrap_or_default() {
        match item.value.parse::<IpAddr>() {
            Ok(addr) => device.addrs.push(addr),
            Err(_) => {
                doc.error(&item, format!("`{}` is no address", item.value.escape_debug()), Some("write 192.0.2.7 or 2001:db8::7".into()))
            }
        }
    }
    device.names = section.texts("names").unwrap_or_default().iter().map(|n| n.value.to_lowercase()).collect();
    device.owner = section.text("owner").map(|o| o.value.to_string());
    device.kind = section.text("kind").map(|k| k.value.to_string());
    device.designated = section.flag("designated").is_some_and(|d| d.value);
    for item in section.texts("allowed_segments").unwrap_or_default() {
        super::policy::known_segment(doc, &item, policy);
        device.allowed_segments.push(item.value.to_string());
    }
    if device.macs.is_empty() && device.names.is_empty() && device.addrs.is_empty() {
        doc.error(&section.here(), "nothing identifies it", Some("give macs, names or addresses".into()));
    }
    id.map(|_| device)
}

/// Reads a register file: CSV by its ending, else TOML.
pub(super) fn read_file(path: &Path, policy: &mut Policy, diagnostics: &mut Diagnostics) {
    let Some(text) = super::read(path, diagnostics) else { return };
    let name = path.display().to_string();
    if path.extension().is_some_and(|e| e == "csv") {
        read_csv(&name, &text, policy, diagnostics);
        return;
    }
    let doc = Document::new(&name, &text);
    let table = doc.parse();
    let root = doc.root(&table);
    read_toml(&root, policy);
    root.finish();
    diagnostics.extend(doc.finish());
}

const COLUMNS: [&str; 8] = ["id", "macs", "names", "addresses", "owner", "kind", "designated", "allowed_segments"];

/// CSV with a header line; lists are separated by spaces or `;`.
fn read_csv(file: &str, text: &str, policy: &mut Policy, diagnostics: &mut Diagnostics) {
    let mut problem = |line: usize, key: &str, message: String, help: Option<String>| {
        let excerpt = line.checked_sub(1).and_then(|l| text.lines().nth(l)).map(str::to_string);
        diagnostics.push(Problem {
            severity: Severity::Error,
            file: file.into(),
            line,
            column: 1,
            key: key.into(),
            message,
            help,
            excerpt,
        });
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().map(|h| h.iter().map(str::to_lowercase).collect()).unwrap_or_default();
    for column in header.iter().filter(|h| !COLUMNS.contains(&h.as_str())) {
        let help = nearest(column, COLUMNS).map_or_else(|| format!("known: {}", COLUMNS.join(", ")), |n| format!("did you mean `{n}`?"));
        problem(1, column, "unknown column".into(), Some(help));
    }
    if !header.iter().any(|h| h == "id") {
        problem(1, "id", "the column is missing".into(), Some(format!("the first line names the columns: {}", COLUMNS.join(","))));
        return;
    }
    let mut devices: Vec<Device> = policy.register.devices().cloned().collect();
    let mut seen: HashMap<Mac, String> = HashMap::new();
    for record in reader.records() {
        let Ok(record) = record else { continue };
        let line = record.position().map_or(0, |p| p.line() as usize);
        let cell = |name: &str| header.iter().position(|h| h == name).and_then(|i| record.get(i)).unwrap_or("").to_string();
        let list = |name: &str| cell(name).split([' ', ';']).filter(|s| !s.is_empty()).map(str::to_string).collect::<Vec<_>>();
        let mut device = Device { id: cell("id"), ..Device::default() };
        if device.id.is_empty() || devices.iter().any(|d| d.id == device.id) {
            problem(
                line,
                "id",
                if device.id.is_empty() { "is missing".into() } else { format!("`{}` is in the register twice", device.id) },
                None,
            );
        }
        for text in list("macs") {
            match text.parse::<Mac>() {
                Ok(mac) if mac.is_unicast() && !seen.contains_key(&mac) => {
                    seen.insert(mac, device.id.clone());
                    device.macs.push(mac);
                }
                Ok(mac) => problem(line, "macs", format!("{mac} is a group address or belongs to another device"), None),
                Err(()) => problem(
                    line,
                    "macs",
                    format!("`{}` is no hardware address", text.escape_debug()),
                    Some("write 02:00:5e:10:00:01".into()),
                ),
            }
        }
        for text in list("addresses") {
            match text.parse() {
                Ok(addr) => device.addrs.push(addr),
                Err(_) => problem(line, "addresses", format!("`{}` is no address", text.escape_debug()), None),
            }
        }
        device.names = list("names").iter().map(|n| n.to_lowercase()).collect();
        device.owner = Some(cell("owner")).filter(|o| !o.is_empty());
        device.kind = Some(cell("kind")).filter(|k| !k.is_empty());
        device.designated = match cell("designated").to_lowercase().as_str() {
            "yes" | "true" | "1" => true,
            "" | "no" | "false" | "0" => false,
            other => {
                problem(line, "designated", format!("`{}` is neither yes nor no", other.escape_debug()), None);
                false
            }
        };
        device.allowed_segments = list("allowed_segments");
        devices.push(device);
    }
    policy.register = Register::new(devices);
}
