//! What a flow is before anybody reads it: what was seen of it fits into a few words.

use crate::flow::First;

/// A flow of which no payload was seen, or only datagrams that are nobody's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fresh {
    /// The sequence number that opened each direction, and whether that was a SYN.
    pub(super) opened: [Option<(u32, bool)>; 2],
    pub(super) datagrams: u8,
}

impl Fresh {
    /// A flow that began with a packet that nobody wants.
    pub(super) fn after(first: &First) -> Self {
        match first.tcp {
            true => Fresh { opened: [Some((first.seq, first.syn)), None], datagrams: 0 },
            false => Fresh { opened: [None; 2], datagrams: 1 },
        }
    }

    /// Takes a segment from the opener (0) or the peer (1) that has no data and ends nothing; `false` when it opens another stream.
    #[inline(always)]
    pub(super) fn takes_bare(&mut self, side: usize, seq: u32, syn: bool) -> bool {
        let Some(known) = self.opened.get_mut(side) else { return false };
        match *known {
            Some((opened, true)) if syn => opened == seq,
            Some((_, false)) | None if syn => {
                *known = Some((seq, true));
                true
            }
            None => {
                *known = Some((seq, false));
                true
            }
            Some(_) => true,
        }
    }
}
