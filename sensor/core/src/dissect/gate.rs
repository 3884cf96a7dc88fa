//! Who is asked about first bytes. Most payloads are nobody's, and the first byte of them tells.

use super::{Carrier, DISSECTORS, DissectorDef};
use crate::ports::PortSet;

/// A bit for each dissector of the table.
type Mask = u16;

const _: () = assert!(DISSECTORS.len() <= Mask::BITS as usize);

/// For each first byte of a stream, of a datagram: whose message may begin with it.
static GATES: [[Mask; 256]; 2] = [gate(Carrier::Tcp), gate(Carrier::Udp)];

// Evaluated by the compiler, which is told of a wrong index.
#[allow(clippy::indexing_slicing)]
const fn gate(carrier: Carrier) -> [Mask; 256] {
    let mut masks = [0; 256];
    let mut at = 0;
    while at < DISSECTORS.len() {
        if reads(DISSECTORS[at], carrier) {
            let mut range = 0;
            while range < DISSECTORS[at].opens.len() {
                let (mut byte, last) = (*DISSECTORS[at].opens[range].start() as usize, *DISSECTORS[at].opens[range].end() as usize);
                while byte <= last {
                    masks[byte] |= 1 << at;
                    byte += 1;
                }
                range += 1;
            }
        }
        at += 1;
    }
    masks
}

#[allow(clippy::indexing_slicing)]
const fn reads(def: &DissectorDef, carrier: Carrier) -> bool {
    let mut at = 0;
    while at < def.carriers.len() {
        if def.carriers[at] as u8 == carrier as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// Those that are asked on some ports alone, and how many ports these are.
#[allow(clippy::indexing_slicing)]
const BOUND: (Mask, usize) = {
    let (mut mask, mut count, mut at) = (0, 0, 0);
    while at < DISSECTORS.len() {
        mask |= (!DISSECTORS[at].ports.is_empty() as Mask) << at;
        count += DISSECTORS[at].ports.len();
        at += 1;
    }
    (mask, count)
};

/// The ports themselves: no two of these dissectors share one.
#[allow(clippy::indexing_slicing)]
static BOUND_TO: PortSet = {
    let (mut ports, mut count, mut at) = ([0; BOUND.1], 0, 0);
    while at < DISSECTORS.len() {
        let mut port = 0;
        while port < DISSECTORS[at].ports.len() {
            ports[count] = DISSECTORS[at].ports[port];
            count += 1;
            port += 1;
        }
        at += 1;
    }
    PortSet::of(ports)
};

/// The dissectors to ask about bytes between two ports, in table order: those that read the carrier and have messages that begin with
/// this byte. Which of the ports it is they know themselves: here only those are left out that cannot be meant.
#[inline]
pub fn candidates(carrier: Carrier, ports: (u16, u16), bytes: &[u8]) -> impl Iterator<Item = &'static DissectorDef> {
    let gate = match carrier {
        Carrier::Tcp => GATES.first(),
        Carrier::Udp => GATES.last(),
        Carrier::Arp | Carrier::Icmp6 => None,
    };
    let first = bytes.first().map_or(0, |first| usize::from(*first));
    let free = if BOUND_TO.has(ports.0) || BOUND_TO.has(ports.1) { Mask::MAX } else { !BOUND.0 };
    let mut left = gate.and_then(|masks| masks.get(first)).copied().unwrap_or(0) & free;
    std::iter::from_fn(move || {
        let at = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        DISSECTORS.get(usize::try_from(at).ok()?).copied()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dissect::{Direction, Input, Probe};
    use crate::net::Endpoint;
    use crate::time::Timestamp;

    /// Ports on which somebody reads what nobody reads elsewhere, and others.
    const PORTS: [u16; 14] = [53, 67, 68, 137, 138, 443, 546, 547, 1_813, 5_353, 5_355, 8_000, 8_080, 50_000];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Whoever is not asked would have said no.
        #[test]
        fn nobody_is_left_out(
            first in any::<u8>(),
            rest in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                proptest::collection::vec(0u8..8, 0..300),
                // What words of protocols begin with, behind any first byte.
                "(ET|OST|TTP/1\\.1 200 OK|20 ready|SH-2\\.0|\\* OK|ROXY TCP4|A01 STARTTLS)[ -~]{0,40}".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..20).prop_map(|tail| [&[3, 3, 0, 40, 1][..], &tail].concat()),
                proptest::collection::vec(any::<u8>(), 0..20).prop_map(|tail| [&[0xf1, 4, 0, 40, 1][..], &tail].concat()),
            ],
            ports in (0..PORTS.len(), 0..PORTS.len()),
            (udp, at_start, at_end) in any::<(bool, bool, bool)>(),
        ) {
            let bytes = [&[first], &rest[..]].concat();
            let carrier = if udp { Carrier::Udp } else { Carrier::Tcp };
            let [src, dst] = [ports.0, ports.1].map(|at| Endpoint { addr: [192, 0, 2, 1].into(), port: PORTS[at] });
            let (ts, direction) = (Timestamp::ZERO, Direction::Forward);
            let input = Input { ts, carrier, direction, src, dst, src_mac: None, bytes: &bytes, at_start: udp || at_start, at_end: udp || at_end };
            let asked: Vec<&str> = candidates(carrier, (src.port, dst.port), &bytes).map(|def| def.name).collect();
            let readers = DISSECTORS.iter().filter(|def| def.carriers.contains(&carrier));
            let willing: Vec<&str> = readers.clone().filter(|def| (def.probe)(&input) != Probe::No).map(|def| def.name).collect();
            prop_assert!(willing.iter().all(|name| asked.contains(name)), "{willing:?} of {asked:?}");
            let order: Vec<&str> = readers.map(|def| def.name).filter(|name| asked.contains(name)).collect();
            prop_assert_eq!(order, asked);
        }
    }
}
