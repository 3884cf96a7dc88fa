//! Flows to watched addresses: told unless they turn out to have a name of their own.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ringfence_core::evidence::Evidence;
use ringfence_core::worker::{Output, Watch};
use ringfence_tests::frame::flags;
use ringfence_tests::prng::Prng;
use ringfence_tests::tls::{self, ClientHello};
use ringfence_tests::wire::Side;

use crate::lab::Lab;

/// A lab whose worker looks out for the server.
fn watching() -> Lab {
    let mut lab = Lab::new();
    let watch = Watch { addrs: HashSet::from_iter([Lab::ends(Side::Server).0.ip()]), ..Watch::default() };
    lab.worker.watch(Arc::new(watch), &mut lab.names);
    for (from, set) in [(Side::Client, flags::SYN), (Side::Server, flags::SYN | flags::ACK)] {
        lab.segment(from, set, &[]);
        lab.seq[crate::lab::side(from)] += 1;
    }
    lab
}

fn hello(name: Option<&str>) -> Vec<u8> {
    let rng = &mut Prng::new(5);
    let offer = match name {
        Some(name) => ClientHello::library(name, &["h2"], rng),
        None => ClientHello::bare(rng),
    };
    tls::record(tls::kind::HANDSHAKE, 0x0301, &offer.message())
}

fn told(lab: &Lab) -> Vec<&'static str> {
    let word = |e: &Evidence| match e {
        Evidence::Contact { .. } => "contact",
        Evidence::Traffic { .. } => "traffic",
        _ => "other",
    };
    lab.names.2.iter().map(word).collect()
}

#[test]
fn a_name_of_its_own_leaves_no_trace_at_a_watched_address() {
    let mut lab = watching();
    lab.say(Side::Client, &hello(Some("host.example.org")), 100);
    lab.now = lab.now.after(Duration::from_secs(5));
    lab.say(Side::Client, &[0x17, 3, 3, 0, 1, 0], 6);
    lab.finish();
    assert_eq!(lab.names.0, ["host.example.org"]);
    assert_eq!(told(&lab), [""; 0]);
}

#[test]
fn a_flow_without_a_name_is_told_with_its_traffic() {
    // What nobody recognises, a hello without a name, and nothing at all: told at the latest when it ends.
    for bytes in [vec![0xee; 400], hello(None), Vec::new()] {
        let mut lab = watching();
        lab.say(Side::Client, &bytes, 100);
        lab.finish();
        assert_eq!(told(&lab), ["contact", "traffic"]);
    }
}

#[test]
fn a_slow_flow_is_told_before_it_ends() {
    let mut lab = watching();
    lab.say(Side::Client, &[0x16, 3, 1, 2, 0], 5);
    assert_eq!(told(&lab), [""; 0], "it may still show a name");
    lab.now = lab.now.after(Duration::from_secs(1));
    lab.say(Side::Client, &[1], 1);
    assert_eq!(told(&lab), ["contact"]);
}

#[test]
fn an_address_that_is_learned_late_is_looked_for_in_flows_that_are_there() {
    let mut lab = Lab::tcp();
    lab.say(Side::Client, &[0xee; 100], 100);
    lab.now = lab.now.after(Duration::from_secs(2));
    lab.say(Side::Client, &[0xee; 100], 100);
    let watch = Watch { addrs: HashSet::from_iter([Lab::ends(Side::Server).0.ip()]), ..Watch::default() };
    lab.worker.watch(Arc::new(watch), &mut lab.names as &mut dyn Output);
    assert_eq!(told(&lab), ["contact"]);
}
