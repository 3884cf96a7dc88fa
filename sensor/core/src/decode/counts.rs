//! What was wrong with frames, by kind.

macro_rules! kinds {
    ($($variant:ident, $name:literal, $about:literal;)*) => {
        /// A way in which a frame can be malformed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Malformed { $(#[doc = $about] $variant,)* }

        impl Malformed {
            /// Every kind.
            pub const ALL: &'static [Malformed] = &[$(Malformed::$variant,)*];

            /// The name in outputs.
            pub const fn name(self) -> &'static str { match self { $(Malformed::$variant => $name,)* } }
        }
    };
}

kinds! {
    Link, "link", "The link-layer header is cut, or the link type is not known.";
    Ipv4, "ipv4", "An IPv4 header is cut or contradicts itself (RFC 791).";
    Ipv6, "ipv6", "An IPv6 header or its extensions are cut or contradict themselves (RFC 8200).";
    Tcp, "tcp", "A TCP header is cut or contradicts itself (RFC 9293).";
    Udp, "udp", "A UDP header is cut or contradicts itself (RFC 768).";
    Tunnel, "tunnel", "The header of a tunnel is cut.";
}

/// Counts of one frame or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    malformed: [u32; Malformed::ALL.len()],
    too_deep: u32,
}

impl DecodeCounts {
    /// Counts one and gives nothing: for the end of an `or_else`.
    pub(super) fn malformed_none<T>(&mut self, kind: Malformed) -> Option<T> {
        if let Some(count) = self.malformed.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
        None
    }

    pub(super) fn count_too_deep(&mut self) {
        self.too_deep = self.too_deep.saturating_add(1);
    }

    /// Kinds that occurred, by name, with their counts.
    pub fn malformed(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = Malformed::ALL.iter().zip(self.malformed);
        counts.filter(|(_, n)| *n > 0).map(|(kind, n)| (kind.name(), u64::from(n)))
    }

    /// Frames with more encapsulations than are peeled.
    pub fn too_deep(&self) -> u64 {
        u64::from(self.too_deep)
    }

    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        *self == DecodeCounts::default()
    }
}
