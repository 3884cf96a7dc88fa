//! Clients that hang and clients that ask without end.

use std::io::Write;
use std::time::{Duration, Instant};

use super::wire::{EASY, Wire, plain};

#[test]
fn hanging_clients_keep_nobody_out() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    let mut hanging: Vec<_> = (0..200).map(|n| daemon.connect().unwrap_or_else(|e| panic!("client {n}: {e}"))).collect();
    for (n, client) in hanging.iter_mut().enumerate() {
        // Some say nothing, some half a request, some half a header.
        let _ = client.stream.write_all([&b""[..], b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: l"][n % 3]);
    }
    for round in 1..=20 {
        wire.send(&plain(100), EASY);
        daemon.has_taken(round * 100);
        assert_eq!(daemon.ask("GET", "/readyz").expect("an answer").0, 200);
    }
    daemon.stop();
}

#[test]
fn ten_thousand_scrapes_cost_no_memory() {
    let Some(wire) = Wire::new() else { return };
    let daemon = wire.start();
    wire.send(&wire.office(), EASY);
    let begun = Instant::now();
    let scrape = |times: u32| {
        let mut client = daemon.connect().expect("it accepts");
        for _ in 0..times {
            let (status, body) = client.ask("GET", "/metrics").expect("an answer");
            assert_eq!(status, 200);
            assert!(body.contains("ringfence_frames_total"));
        }
    };
    // Buffers grow to their size.
    (0..4).for_each(|_| scrape(250));
    let early = daemon.resident_kib();
    (0..9).for_each(|_| scrape(1_000));
    let late = daemon.resident_kib();
    eprintln!("10,000 scrapes in {:?}, {early} KiB before, {late} KiB after", begun.elapsed());
    assert!(late < early + early / 10, "{early} KiB before, {late} KiB after");
    assert!(begun.elapsed() < Duration::from_secs(60));
    daemon.stop();
}
