//! Clients that hang, flood, send rubbish, read slowly; and the end of the server.

use std::process::Command;
use std::time::Instant;

use super::*;

/// Scrapes go on; each within a second.
fn scrapes(server: &Running, times: usize) {
    for _ in 0..times {
        let asked = Instant::now();
        let reply = server.get("/metrics");
        assert!(reply.status == 200 && reply.body.contains("ringfence_frames_total"), "{reply:?}");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
}

fn metric(server: &Running, name: &str) -> f64 {
    let body = server.get("/metrics").body;
    let line = body.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name} is exported"));
    line.rsplit(' ').next().and_then(|v| v.parse().ok()).expect("a number")
}

#[test]
fn clients_that_hang_do_not_keep_others_out() {
    let server = Running::plain();
    // Half of a request, nothing at all, and an answer that is never read.
    let half: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: loc";
    let unread: &[u8] = b"GET /api/v1/findings HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut hanging: Vec<TcpStream> = Vec::new();
    for n in 0..200 {
        let mut socket = server.connect();
        socket.write_all([half, b"", unread][n % 3]).expect("sent");
        hanging.push(socket);
    }
    scrapes(&server, 20);
    // More than there are places: the oldest give way.
    for _ in 0..400 {
        hanging.push(server.connect());
    }
    scrapes(&server, 20);
    assert!(metric(&server, "ringfence_http_connections_evicted_total") >= 300.0);
    assert!(metric(&server, "ringfence_http_connections ") <= 256.0);
    drop(hanging);
}

#[test]
fn rubbish_and_oversize_are_refused() {
    let server = Running::plain();
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(64 * 1_024));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(500));
    for request in [long.as_str(), many.as_str(), "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut socket = server.connect();
        // The server may hang up before it has read everything.
        let _ = socket.write_all(request.as_bytes());
        let reply = Reply::read(&mut socket);
        assert!(matches!(reply.status, 0 | 400 | 414 | 431), "{reply:?}");
    }
    scrapes(&server, 1);
}

#[test]
fn it_ends_in_time_though_clients_hang() {
    let mut server = Running::plain();
    let mut hanging: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
    hanging.iter_mut().for_each(|s| s.write_all(b"GET /metrics HTTP/1.1\r\n").expect("sent"));
    let asked = Instant::now();
    assert!(server.stop(PATIENCE));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(TcpStream::connect_timeout(&server.addr, Duration::from_secs(1)).is_err(), "nobody listens any more");
}

/// 10,000 scrapes over one connection in a process of their own: the number of series and the memory stay.
#[test]
fn ten_thousand_scrapes_take_no_memory() {
    let this = std::env::current_exe().expect("a test binary");
    let name = "http::tests::hostile::scrape_in_a_process_of_its_own";
    let done = Command::new(this).args(["--exact", name, "--nocapture"]).env("RINGFENCE_TEST_SCRAPES", "10000").output().expect("runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && text.contains("grew by"), "{text}");
}

/// Does nothing unless the test above starts it.
#[test]
fn scrape_in_a_process_of_its_own() {
    let Some(times) = std::env::var("RINGFENCE_TEST_SCRAPES").ok().and_then(|n| n.parse::<usize>().ok()) else { return };
    let server = Running::plain();
    let mut socket = server.connect();
    let mut scrape = || {
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        answer(&mut socket)
    };
    let series = |body: &str| body.lines().filter(|l| !l.starts_with('#')).count();
    let (before, resident) = ((0..times / 10).map(|_| series(&scrape())).max(), resident_kib());
    let after = (0..times - times / 10).map(|_| series(&scrape())).max();
    let grown = resident_kib().saturating_sub(resident);
    assert_eq!(before, after);
    assert!(grown < 4_096, "{grown} KiB");
    println!("{times} scrapes of {after:?} series: grew by {grown} KiB from {resident} KiB");
}

/// The body of one answer on a connection that goes on.
fn answer(socket: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 16_384]);
    loop {
        let n = socket.read(&mut buffer).expect("an answer");
        assert!(n > 0, "it went on");
        text.extend_from_slice(&buffer[..n]);
        let so_far = String::from_utf8_lossy(&text);
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ").and_then(|n| n.parse::<usize>().ok()));
        if length.is_some_and(|n| body.len() >= n) {
            return body.to_string();
        }
    }
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
