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
