//! Checks of an interface: there, up, promiscuous, its offloads, its ring, its drops.

use std::io;

use super::{Level, Seen, Setting};
use crate::capture::live::{ANY, Interface, Interfaces, probe};

/// Descriptors with which a NIC survives a burst; more never hurts.
const RING_MIN: u32 = 2_048;

/// ARPHRD_ETHER of linux/if_arp.h.
const ETHERNET: u16 = 1;

fn find(name: &str) -> Result<Interface, String> {
    match Interfaces::open().and_then(|mut interfaces| interfaces.find(name)) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err("there is no such interface".into()),
        Err(error) => Err(format!("the kernel does not say: {error}")),
    }
}

pub fn exists(_: &Setting, name: &str) -> Seen {
    match find(name) {
        Ok(_) if name == ANY => (Level::Ok, "every interface of this machine; frames that cross several are seen several times".into()),
        Ok(found) if found.hardware == ETHERNET => (Level::Ok, format!("Ethernet, MTU {}, {} receive queues", found.mtu, found.rx_queues)),
        Ok(found) => (Level::Ok, format!("link type {} (ARPHRD), MTU {}", found.hardware, found.mtu)),
        Err(why) => (Level::Fail, why),
    }
}

pub fn up(_: &Setting, name: &str) -> Seen {
    match find(name) {
        Ok(found) if found.up && found.carrier => (Level::Ok, "up, with a carrier".into()),
        Ok(found) if found.up => (Level::Fail, "up, but without a carrier: no cable, or nobody at its other end".into()),
        Ok(_) => (Level::Fail, "set down".into()),
        Err(why) => (Level::Fail, why),
    }
}

pub fn promiscuous(setting: &Setting, name: &str) -> Seen {
    match find(name) {
        Ok(found) if name == ANY || found.hardware != ETHERNET => (Level::Ok, "of no meaning for this kind of interface".into()),
        Ok(_) if !setting.capture.promiscuous => (Level::Warn, "switched off in the configuration ([capture] promiscuous)".into()),
        Ok(found) if !found.up => (Level::Warn, "cannot be tried while the interface is down".into()),
        Ok(_) => match probe::promiscuous(name) {
            Ok(()) => (Level::Ok, "it delivers frames to other stations".into()),
            Err(why) => (Level::Fail, why),
        },
        Err(why) => (Level::Fail, why),
    }
}

pub fn offloads(_: &Setting, name: &str) -> Seen {
    let probe::Offloads { gro, lro, tso } = probe::offloads(name);
    let word = |what: &str, state: Option<bool>| state.map(|on| format!("{what} {}", if on { "on" } else { "off" }));
    let words: Vec<String> = [word("GRO", gro), word("LRO", lro), word("TSO", tso)].into_iter().flatten().collect();
    if words.is_empty() {
        return (Level::Ok, "the driver knows none".into());
    }
    let words = words.join(", ");
    match lro {
        Some(true) => (Level::Warn, format!("{words}: segments are merged by the card")),
        _ => (Level::Ok, format!("{words}: frames beyond the MTU are read whole")),
    }
}

pub fn ring(_: &Setting, name: &str) -> Seen {
    match probe::receive_ring(name) {
        Ok((now, most)) if now < most && now < RING_MIN => (Level::Warn, format!("{now} descriptors of {most} possible")),
        Ok((now, most)) => (Level::Ok, format!("{now} descriptors of {most} possible")),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENODEV)) => (Level::Ok, "the driver has none".into()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (Level::Warn, format!("the driver may not be asked: {error}")),
        Err(error) => (Level::Warn, format!("the driver does not say: {error}")),
    }
}

pub fn drops(_: &Setting, name: &str) -> Seen {
    let counters = match find(name) {
        Ok(_) if name == ANY => return (Level::Ok, "counted by each interface for itself".into()),
        Ok(found) => found.counters,
        Err(why) => return (Level::Fail, why),
    };
    let detail = format!(
        "of {} frames since it came up {} were missed, {} arrived broken; {} that nobody wanted were thrown away",
        counters.frames, counters.missed, counters.errors, counters.dropped
    );
    // One in 10,000 over the whole life of an interface: less is the odd burst at boot.
    let lost = counters.missed.saturating_add(counters.errors);
    (if lost.saturating_mul(10_000) > counters.frames { Level::Warn } else { Level::Ok }, detail)
}
