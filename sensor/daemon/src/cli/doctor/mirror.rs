//! Whether a mirror carries both directions: listened to for a few seconds, conversations counted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ringfence_core::decode::{Body, Packet};
use ringfence_core::decode::{DecodeCounts, Frame, Payload, decode};
use ringfence_core::net::Endpoint;

use super::{Level, Seen, Setting};
use crate::capture::{Filter, Link, LinkState, Live, LiveOptions, Source, Step};

/// Conversations that are kept apart; more say nothing new.
const CONVERSATIONS_MAX: usize = 50_000;

/// TCP conversations below which their directions say nothing.
const CONVERSATIONS_MIN: usize = 5;

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    frames: u64,
    /// TCP conversations by their ends in order, and the directions that were seen: 1, 2, 3 for both.
    conversations: BTreeMap<(Endpoint, Endpoint), u8>,
    counts: DecodeCounts,
}

impl Heard {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        let Some(packet) = decode(frame, &mut self.counts) else { return };
        let Some((from, to)) = tcp(&packet) else { return };
        let (key, direction) = if (from.addr, from.port) <= (to.addr, to.port) { ((from, to), 1) } else { ((to, from), 2) };
        if self.conversations.len() < CONVERSATIONS_MAX || self.conversations.contains_key(&key) {
            *self.conversations.entry(key).or_default() |= direction;
        }
    }

    fn verdict(&self, secs: u64) -> Seen {
        let all = self.conversations.len();
        let two_way = self.conversations.values().filter(|d| **d == 3).count();
        let heard = format!("{} frames in {secs} s", self.frames);
        let detail = format!("{heard}; {two_way} of {all} TCP conversations in both directions");
        match (self.frames, all) {
            (0, _) => (Level::Fail, format!("{heard}: nothing is mirrored to this port")),
            (_, n) if n < CONVERSATIONS_MIN => {
                (Level::Warn, format!("{detail}: too few to tell; try `--seconds 60` when there is traffic"))
            }
            _ if two_way == 0 => (Level::Fail, format!("{detail}: one direction is missing")),
            (_, n) if two_way * 2 < n => (Level::Warn, format!("{detail}: a part of the network is mirrored in one direction")),
            _ => (Level::Ok, detail),
        }
    }
}

/// The ends of a TCP segment between two stations.
fn tcp(packet: &Packet<'_>) -> Option<(Endpoint, Endpoint)> {
    let Body::Ip(ip) = packet.body else { return None };
    let unicast = |a: IpAddr| !a.is_multicast() && !a.is_unspecified();
    (matches!(ip.payload, Payload::Tcp(_)) && unicast(ip.dst)).then(|| packet.endpoints()).flatten()
}

pub fn both_directions(setting: &Setting, name: &str) -> Seen {
    let options = LiveOptions {
        interface: name.to_string(),
        promiscuous: setting.capture.promiscuous,
        filter: Filter::All,
        buffer_bytes: setting.capture.buffer_bytes,
        ..LiveOptions::default()
    };
    let link = Arc::new(Link::new(name, 0));
    let mut live = Live::new(options, Arc::clone(&link), Arc::new(AtomicBool::new(false)));
    let (mut heard, began) = (Heard::default(), Instant::now());
    while began.elapsed() < setting.listen {
        match live.next() {
            Ok(Step::Frame(frame)) => heard.frame(&frame),
            Ok(Step::Idle(_)) => {}
            Ok(Step::End) => break,
            Err(error) => return (Level::Fail, error.to_string()),
        }
    }
    let view = link.view();
    match (view.state, view.error) {
        (LinkState::Capturing, _) => heard.verdict(setting.listen.as_secs()),
        (state, error) => (Level::Fail, error.unwrap_or_else(|| state.name().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(frames: u64, directions: &[u8]) -> Level {
        let end = |port| Endpoint { addr: IpAddr::from([192, 0, 2, 1]), port };
        let conversations = directions.iter().zip(1..).map(|(d, port)| ((end(0), end(port)), *d)).collect();
        Heard { frames, conversations, ..Heard::default() }.verdict(3).0
    }

    #[test]
    fn verdicts_on_a_mirror() {
        assert_eq!(heard(0, &[]), Level::Fail);
        assert_eq!(heard(900, &[1, 2, 1, 2]), Level::Warn);
        assert_eq!(heard(900, &[1, 2, 1, 2, 1]), Level::Fail);
        assert_eq!(heard(900, &[1, 2, 1, 2, 3]), Level::Warn);
        assert_eq!(heard(900, &[3, 3, 3, 2, 1]), Level::Ok);
    }
}
