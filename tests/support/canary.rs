//! Traffic whose every name is a canary: none of it matches a rule, so none of it may be found in what the sensor writes.

use std::net::SocketAddr;
use std::path::Path;

use ringfence_core::net::Mac;

use crate::capture::{Pcap, pcap};
use crate::host::{Host, Lab};
use crate::http;
use crate::office::{OFFICE, START};
use crate::prng::Prng;
use crate::quic::{Shape, Version};
use crate::tls::ClientHello;
use crate::wire::Side;

const DNS: &str = "canary-dns.example.org";
const SNI: &str = "canary-sni.example.org";
const QUIC: &str = "canary-quic.example.org";
const HOST: &str = "canary-host.example.org";

/// Writes the capture; the words that may never be seen again.
///
/// # Panics
/// When the file cannot be written.
pub fn write(path: &Path) -> Vec<String> {
    let mut lab = Lab::new();
    lab.place([192, 0, 2, 201].into(), Some("canary-alias.example.org"), &[DNS, SNI, QUIC, HOST]);
    let mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x53, 0x99]);
    let mut host = Host::new("canary-dhcp", "canary-class", mac, OFFICE, 99, START, Prng::new(7));
    host.boot(&mut lab);
    host.announce(&mut lab);
    let server = SocketAddr::new(host.resolve(&mut lab, DNS).v4.into(), 443);
    let hello = ClientHello::browser(SNI, &["canary-alpn"], &mut host.rng);
    host.tls(&mut lab, &hello, server, 2);
    host.quic(&mut lab, QUIC, Version::V1, Shape::default());
    let mut talk = host.talk(SocketAddr::new(server.ip(), 80));
    talk.client(http::get(HOST, "/canary-path?user=1", "canary-agent/1.0")).server(http::reply("200 OK", &[], b"canary-body"));
    talk.close(Side::Client);
    host.play(&mut lab, &talk);
    std::fs::write(path, pcap(&lab.trace.into_frames(), Pcap::default())).expect("written");
    let words = ["dns", "sni", "quic", "host", "path", "agent", "dhcp", "class", "alias", "alpn", "body"].map(|w| format!("canary-{w}"));
    let numbers = ["10.10.20.99", "00:00:5e:00:53:99", "192.0.2.201"].map(String::from);
    [words.to_vec(), numbers.to_vec()].concat()
}
