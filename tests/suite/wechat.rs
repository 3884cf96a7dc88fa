//! Real and synthetic captures of WeChat, and of what is not WeChat: every expectation that comes with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ringfence_tests::sensor::{Json, scan};

use crate::shared;

/// `192.0.2.11:40001` or `[2001:db8::21]:40014` of a row's client.
fn client(row: &Json) -> String {
    let (addr, port) = (row["src"].as_str().unwrap_or(""), row["sport"].as_u64().unwrap_or(0));
    if addr.contains(':') { format!("[{addr}]:{port}") } else { format!("{addr}:{port}") }
}

fn of_type<'r>(rows: &'r [Json], kind: &'r str) -> impl Iterator<Item = &'r Json> + 'r {
    rows.iter().filter(move |r| r["type"] == kind)
}

#[test]
fn every_synthetic_flow_gets_exactly_its_app_and_signal() {
    let Some(captures) = shared::captures() else { return };
    let rows = scan(&["--flows"], &captures.join("wechat/synthetic-mmtls.pcap"));
    let expected = std::fs::read_to_string(captures.join("wechat/synthetic-mmtls.expected.csv")).expect("expectations");
    let mut wrong = Vec::new();
    for line in expected.lines().skip(1) {
        let cells: Vec<&str> = line.splitn(5, ',').collect();
        let (id, from, app, signal) = (cells[0], cells[1].split('>').next().unwrap_or(""), cells[2], cells[3]);
        let found: Vec<&Json> = of_type(&rows, "flow").filter(|r| client(r) == from).collect();
        let apps: BTreeSet<&str> = found.iter().filter_map(|r| r["app"].as_str()).collect();
        let signals: BTreeSet<&str> = found.iter().filter_map(|r| r["signal"].as_str()).collect();
        let app = app.split(' ').next().unwrap_or("");
        let right = match (app, signal) {
            ("none", "spoofed-headers") => apps == BTreeSet::from(["none"]) && signals == BTreeSet::from(["disguise"]),
            ("none", _) => found.is_empty(),
            _ => apps == BTreeSet::from([app]) && signals == BTreeSet::from([signal]),
        };
        if !right {
            wrong.push(format!("{id}: expected {app} {signal}, found {apps:?} {signals:?}"));
        }
    }
    assert!(expected.lines().count() > 16 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn synthetic_levels() {
    let Some(captures) = shared::captures() else { return };
    let rows = scan(&[], &captures.join("wechat/synthetic-mmtls.pcap"));
    let level = |addr: &str| {
        let of: Vec<&str> = of_type(&rows, "finding")
            .filter(|r| r["app"] == "wechat" && r["device"]["addresses"].as_array().is_some_and(|a| a.iter().any(|x| x == addr)))
            .filter_map(|r| r["level"].as_str())
            .collect();
        of.join(" ")
    };
    assert_eq!(level("192.0.2.11"), "confirmed", "long link, short link and NewDNS");
    assert_eq!(level("192.0.2.21"), "confirmed", "framing with heartbeats, and a learned address");
    assert_eq!(level("192.0.2.23"), "possible", "a hello whose clock is years off");
    for silent in ["192.0.2.16", "192.0.2.17", "192.0.2.18"] {
        assert_eq!(level(silent), "", "{silent}");
    }
    let instances: Vec<&Json> = of_type(&rows, "finding").filter(|r| r["app"] == "wechat").map(|r| &r["instances"]).collect();
    assert!(instances.iter().all(|i| **i == 1), "one ticket is one installation: {instances:?}");
}

/// Columns of `web-wechat.flows.csv`, quotes respected.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cells.last_mut().expect("one").push(c),
        }
    }
    cells
}

#[test]
fn web_wechat_is_one_device_in_the_browser() {
    let Some(captures) = shared::captures() else { return };
    let rows = scan(&["--flows"], &captures.join("wechat/web-wechat.pcap"));
    let findings: Vec<&Json> = of_type(&rows, "finding").collect();
    let seen: Vec<_> = findings.iter().map(|f| (f["app"].as_str(), f["surface"].as_str(), f["level"].as_str())).collect();
    assert_eq!(seen, [(Some("wechat"), Some("web"), Some("confirmed"))], "{findings:#?}");
    assert!(findings[0]["device"]["addresses"].as_array().is_some_and(|a| a.iter().any(|x| x == "192.168.1.103")));

    let expected = std::fs::read_to_string(captures.join("wechat/web-wechat.flows.csv")).expect("expectations");
    let mut wanted = BTreeSet::new();
    let mut foreign = BTreeSet::new();
    for cell in expected.lines().skip(1).map(cells).filter(|c| c[5] != "0" && !c[5].is_empty()) {
        let key = (cell[3].to_lowercase(), cell[4].clone(), cell[5].clone(), cell[6].clone());
        if cell[11 + 4] == "wechat" {
            wanted.insert(key)
        } else {
            foreign.insert(key)
        };
    }
    let found: BTreeSet<_> = of_type(&rows, "flow")
        .map(|r| {
            let text = |k: &str| r[k].as_str().unwrap_or("").to_string();
            (text("proto"), text("src"), r["sport"].to_string(), text("dst"))
        })
        .collect();
    assert_eq!(wanted.len(), 54, "the expectation was read");
    assert_eq!(wanted.difference(&found).collect::<Vec<_>>(), Vec::<&(String, String, String, String)>::new(), "missed");
    assert_eq!(foreign.intersection(&found).collect::<Vec<_>>(), Vec::<&(String, String, String, String)>::new(), "invented");
}

#[test]
fn what_is_not_wechat_is_not_called_so() {
    let Some(captures) = shared::captures() else { return };
    let mut apps: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for name in ["negative-1kxun", "negative-oicq", "negative-tencent_games"] {
        for finding in scan(&[], &captures.join(format!("wechat/{name}.pcap"))).iter().filter(|r| r["type"] == "finding") {
            assert!(finding["app"] != "wechat" || finding["level"] == "possible", "{name}: {finding:#}");
            apps.entry(name).or_default().insert(finding["app"].as_str().unwrap_or("").to_string());
        }
    }
    assert!(apps.get("negative-oicq").is_some_and(|a| a.contains("qq")), "QQ is QQ: {apps:?}");
}

/// No capture of another project's test suite holds a WeChat app: a structural sign there would be a false alarm.
#[test]
fn no_structure_is_seen_where_there_is_none() {
    let Some(captures) = shared::captures() else { return };
    let mut alarms = Vec::new();
    for path in files(&captures.join("peers")) {
        for finding in scan(&[], &path).iter().filter(|r| r["type"] == "finding" && r["app"] == "wechat") {
            let structural = finding["evidence"].as_array().is_some_and(|e| e.iter().any(|l| l["family"] == "S"));
            if structural {
                alarms.push(format!("{}: {finding}", path.display()));
            }
        }
    }
    assert!(alarms.is_empty(), "{alarms:#?}");
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .expect("readable folder")
        .flatten()
        .flat_map(|e| if e.path().is_dir() { files(&e.path()) } else { vec![e.path()] })
        .collect();
    found.sort();
    found
}
