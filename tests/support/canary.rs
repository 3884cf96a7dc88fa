//! Traffic whose every name is a canary: none of it matches a rule, so none of it may be found in what the sensor writes.

use std::path::Path;

use crate::host::{Host, Network};
use crate::payload::{dns, http};

/// Writes the capture; the words that may never be seen again.
///
/// # Panics
/// When the file cannot be written.
pub fn write(path: &Path) -> Vec<String> {
    let mut net = Network::new(7);
    let addr = |text: &str| text.parse().expect("an address");
    let h = Host {
        mac: [0x00, 0x00, 0x5e, 0x00, 0x53, 0x99],
        vlan: 20,
        addr: addr("10.10.20.99"),
        router: [0, 0, 0x5e, 0, 0x53, 0xf2],
        resolver: addr("10.10.20.1"),
    };
    let start = 1_772_524_800_000_000;
    let words = [
        "canary-dns",
        "canary-sni",
        "canary-quic",
        "canary-host",
        "canary-path",
        "canary-agent",
        "canary-dhcp",
        "canary-class",
        "canary-mdns",
        "canary-alpn",
        "10.10.20.99",
        "00:00:5e:00:53:99",
        "192.0.2.201",
    ];
    h.boot(&mut net, start, "canary-dhcp", "canary-class");
    h.resolve(&mut net, start + 1_000_000, "canary-dns.example.org", Some("alias.canary-dns.example.org"), addr("192.0.2.201"));
    h.tls(&mut net, start + 2_000_000, "canary-sni.example.org", addr("192.0.2.201"), 500);
    h.quic(&mut net, start + 3_000_000, "canary-quic.example.org", addr("192.0.2.201"));
    let mut tcp = h.connect(&mut net, start + 4_000_000, (addr("192.0.2.201"), 80));
    tcp.up(&http::request("canary-host.example.org", "/canary-path?user=1", "canary-agent/1.0")).down(&http::reply(100));
    tcp.close();
    let announced = dns::announcement("canary-mdns.local", h.addr);
    h.udp(&mut net, start + 5_000_000, true, 5353, (addr("224.0.0.251"), 5353), &announced);
    net.trace.write(path).expect("written");
    words.iter().map(ToString::to_string).collect()
}
