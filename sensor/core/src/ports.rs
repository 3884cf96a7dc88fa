//! A fixed set of ports, asked about for nearly every packet: one load and one comparison. A chain of comparisons would make the processor
//! guess wrong on ports at random.

/// Slots: few enough to stay in a core's first cache, many enough that a factor without collisions is soon found.
const SLOTS: usize = 64;

/// The set.
#[derive(Clone, Debug)]
pub struct PortSet {
    /// Each port in the slot that is its own; in the others one that belongs elsewhere.
    slots: [u16; SLOTS],
    factor: u32,
}

#[inline(always)]
const fn slot(port: u16, factor: u32) -> usize {
    ((port as u32).wrapping_mul(factor) >> 26) as usize
}

impl PortSet {
    /// The set of these ports; evaluated by the compiler.
    // Which is told of a wrong index.
    #[allow(clippy::indexing_slicing)]
    pub const fn of<const COUNT: usize>(ports: [u16; COUNT]) -> Self {
        let mut factor = 0x9e37_79b1;
        loop {
            let (mut slots, mut used, mut at) = ([ports[0]; SLOTS], 0u64, 0);
            while at < COUNT {
                let slot = slot(ports[at], factor);
                if used & 1 << slot != 0 {
                    break;
                }
                used |= 1 << slot;
                slots[slot] = ports[at];
                at += 1;
            }
            if at == COUNT {
                return PortSet { slots, factor };
            }
            factor = factor.wrapping_add(2);
        }
    }

    /// Whether a port is one of them.
    #[inline(always)]
    pub fn has(&self, port: u16) -> bool {
        self.slots.get(slot(port, self.factor)).is_some_and(|known| *known == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn these_and_no_others() {
        const PORTS: [u16; 11] = [0, 1194, 2152, 3544, 4500, 4754, 4789, 4790, 6081, 8472, u16::MAX];
        static SET: PortSet = PortSet::of(PORTS);
        assert!((0..=u16::MAX).all(|port| SET.has(port) == PORTS.contains(&port)));
    }
}
