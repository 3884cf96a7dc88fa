//! Conversations that are over, for those that begin: where many begin, as many end, and what one had serves another.

use super::conversation::Conversation;
use super::fresh::Fresh;

/// Conversations that are kept: with a dissector each has about 600 bytes, and no bytes of a stream.
const SPARE_MAX: usize = 64;

/// A few conversations without content.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "it is the boxes that are kept")]
pub(super) struct Spare(Vec<Box<Conversation>>);

impl Spare {
    /// A conversation that has seen what a fresh flow has.
    #[inline]
    pub(super) fn begin(&mut self, fresh: &Fresh) -> Box<Conversation> {
        let mut conversation = self.0.pop().unwrap_or_default();
        conversation.begin(fresh);
        conversation
    }

    /// Takes one that is over: nothing of what it read is left.
    #[inline]
    pub(super) fn end(&mut self, mut conversation: Box<Conversation>) {
        if self.0.len() < SPARE_MAX {
            conversation.clear();
            self.0.push(conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_ended_begins_as_a_new_one() {
        let mut spare = Spare::default();
        let seen = Fresh { opened: [Some((7, true)), Some((9, false))], datagrams: 3 };
        let many: Vec<_> = (0..2 * SPARE_MAX).map(|_| spare.begin(&seen)).collect();
        many.into_iter().for_each(|conversation| spare.end(conversation));
        assert_eq!(spare.0.len(), SPARE_MAX);
        for fresh in [Fresh::default(), seen] {
            let mut new = Conversation::default();
            new.begin(&fresh);
            assert_eq!(format!("{:?}", spare.begin(&fresh)), format!("{new:?}"));
        }
    }
}
