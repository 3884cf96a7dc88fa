//! Events at far ends: real ones where Debian has them.

mod alertmanager;
mod killed;
mod schemas;
mod sensor;
mod syslog;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ringfence_tests::sensor::Json;

/// How long anything may take on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// A port that nobody listens on now.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// How often each finding's events are there, by finding.
fn counts(events: &[Json]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event["finding"]["id"].as_str().unwrap_or_default().to_string()).or_default() += 1;
    }
    counts
}

/// Ids of events, as a far end that drops copies would keep them.
fn ids(events: &[Json]) -> BTreeSet<String> {
    events.iter().map(|e| e["id"].as_str().expect("an id").to_string()).collect()
}

/// A certificate for 127.0.0.1, signed by itself: `cert.pem` and `key.pem`.
fn certificate(dir: &Path) {
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=lab"])
        .args([
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(dir)
        .output()
        .expect("openssl runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
