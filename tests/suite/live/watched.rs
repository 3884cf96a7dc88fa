//! Who watches the watcher: a broken audit log is an alarm, and a crowd of devices does not swell the metrics.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use ringfence::metrics::SERIES_MAX;
use ringfence_core::net::Mac;
use ringfence_tests::lab::{wait_for, wait_until};
use ringfence_tests::{dns, frame};

use super::wire::{EASY, Wire};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_broken_audit_log_is_an_alarm_and_a_metric() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    wait_for("a round over the log", SOON, || (daemon.metric("ringfence_audit_chain_intact", &[]) == 1.0).then_some(()));
    assert!(daemon.metric("ringfence_audit_entries", &[]) >= 1.0);
    daemon.stop();
    let file = wire.setup.state.join("ringfence.sqlite");
    let store = rusqlite::Connection::open(&file).expect("the store");
    let changed = store.execute("UPDATE audit SET detail = 'nothing to see here' WHERE seq = 1", []).expect("changed");
    assert_eq!(changed, 1);
    drop(store);
    let daemon = wire.start();
    wait_until("the alarm", SOON, || {
        let alarms = daemon.alarms();
        if alarms.iter().any(|a| a == "audit-broken") { Ok(()) } else { Err(alarms) }
    });
    assert!(daemon.get("/metrics").contains("\nringfence_audit_chain_intact 0\n"));
    assert_eq!(daemon.metric("ringfence_alarms", &["kind=\"audit-broken\""]), 1.0);
    let log = daemon.stop();
    assert!(log.contains("ALARM audit-broken: the audit log: entry 1: "), "{log}");
}

/// Devices `from` to `to`, spread over more networks than there are labels for: each asks once for a name of the app and once for one
/// that says nothing but is its own.
fn crowd(from: u32, to: u32) -> Vec<Vec<u8>> {
    let router = Mac([0, 0, 0x5e, 0, 0x53, 1]);
    let ask = |n: u32, name: &str| {
        let [_, a, b, c] = n.to_be_bytes();
        let src = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + n * 1_021).into(), 30_000);
        let dst = SocketAddr::new(Ipv4Addr::new(198, 51, 100, 53).into(), 53);
        let datagram = frame::udp(src, dst, &dns::query(7, name, dns::kind::A));
        let packet = frame::ip(src.ip(), dst.ip(), 64, frame::proto::UDP, &datagram);
        frame::ethernet(router, Mac([2, 0, 0x5e, a, b, c]), &[], frame::IPV4, &packet)
    };
    (from..to).flat_map(|n| [ask(n, "szlong.weixin.qq.com"), ask(n, &format!("canary-{n}.example.org"))]).collect()
}

#[test]
fn a_crowd_does_not_swell_the_metrics() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    let mut series = Vec::new();
    for (from, to) in [(0, 3_000), (3_000, 6_000)] {
        wire.send(&crowd(from, to), EASY);
        // What the kernel dropped on a busy machine is no finding; most must be there for the count to mean something.
        wait_until("findings", SOON, || {
            let open = daemon.metric("ringfence_findings_open", &[]);
            if open >= f64::from(to) * 0.9 { Ok(()) } else { Err(open) }
        });
        let asked = Instant::now();
        let page = daemon.get("/metrics");
        let lines = page.lines().filter(|l| !l.starts_with('#')).count();
        eprintln!("{to} devices: {lines} series, {} bytes, {:?}", page.len(), asked.elapsed());
        assert!(!page.contains("canary"), "no name is ever a label");
        assert!(lines <= SERIES_MAX, "{lines}");
        series.push(lines);
    }
    assert!(series[1] <= series[0] + 50, "{series:?}");
    daemon.stop();
}
