//! Who reads a conversation: nobody yet, or a dissector. The dissector of one that is over can serve the next one of its kind.

use crate::dissect::{Dissector, DissectorDef};

/// A place for a dissector.
#[derive(Default)]
pub(super) struct Reader {
    /// The dissector reads; else it is as new, and waits for its kind.
    bound: bool,
    dissector: Option<(&'static DissectorDef, Box<dyn Dissector>)>,
}

impl Reader {
    /// Whether somebody reads.
    #[inline]
    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    /// Whoever reads.
    #[inline]
    pub(super) fn bound(&mut self) -> Option<&mut dyn Dissector> {
        match &mut self.dissector {
            Some((_, dissector)) if self.bound => Some(&mut **dissector),
            _ => None,
        }
    }

    /// Bytes of memory that whoever reads holds.
    pub(super) fn held(&self) -> usize {
        self.dissector.as_ref().map_or(0, |(_, dissector)| dissector.held())
    }

    /// This kind of dissector reads from now on.
    pub(super) fn bind(&mut self, def: &'static DissectorDef) {
        if !self.dissector.as_ref().is_some_and(|(of, _)| std::ptr::eq(*of, def)) {
            self.dissector = Some((def, (def.start)()));
        }
        self.bound = true;
    }

    /// Nobody reads any longer, and nothing of it is to be used again.
    pub(super) fn unbind(&mut self) {
        *self = Reader::default();
    }

    /// The conversation is over.
    pub(super) fn clear(&mut self) {
        let renewed = self.bound().is_none_or(|dissector| dissector.renew());
        self.bound = false;
        if !renewed {
            self.dissector = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::{dns, tls};

    #[test]
    fn a_dissector_serves_its_own_kind_alone() {
        let mut reader = Reader::default();
        let address = |reader: &mut Reader| reader.bound().map(|d| std::ptr::from_ref(d).cast::<u8>());
        assert!(address(&mut reader).is_none());
        reader.bind(&tls::TLS);
        let first = address(&mut reader);
        reader.clear();
        assert!(!reader.is_bound() && address(&mut reader).is_none());
        reader.bind(&tls::TLS);
        assert!(first.is_some() && address(&mut reader) == first);
        reader.clear();
        reader.bind(&dns::DNS);
        assert!(reader.dissector.as_ref().is_some_and(|(of, _)| of.name == "dns"));
        reader.unbind();
        assert!(!reader.is_bound() && reader.dissector.is_none());
    }
}
