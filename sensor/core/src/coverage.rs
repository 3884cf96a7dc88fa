//! What could not be seen or judged, by kind: the honest half of every answer.

pub mod services;

macro_rules! blind_kinds {
    ($($variant:ident, $name:literal, $about:literal;)*) => {
        /// A kind of traffic that was seen but could not be judged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Blind { $(#[doc = $about] $variant,)* }

        impl Blind {
            /// Every kind, in the order of the outputs.
            pub const ALL: &'static [Blind] = &[$(Blind::$variant,)*];

            /// The name in outputs.
            pub const fn name(self) -> &'static str { match self { $(Blind::$variant => $name,)* } }

            /// One sentence for operators.
            pub const fn about(self) -> &'static str { match self { $(Blind::$variant => $about,)* } }
        }
    };
}

blind_kinds! {
    EchOffer, "ech-offer", "A TLS ClientHello with a real ECH offer: the name seen is the outer one.";
    EchPresent, "ech-present", "A TLS ClientHello with an ECH extension that may be GREASE: the name seen may be an outer one.";
    QuicUnknown, "quic-unknown", "A QUIC connection whose Initial could not be opened with any known keys.";
    QuicGap, "quic-gap", "A QUIC handshake with a part missing: no hello.";
    EncryptedDns, "encrypted-dns", "DNS over TLS, HTTPS or QUIC: names asked for are not visible.";
    Relay, "relay", "A relay service (iCloud Private Relay, WARP): where traffic goes behind it is not visible.";
    Tunnel, "tunnel", "A VPN or encrypted tunnel (ESP, WireGuard, OpenVPN): what is inside is not visible.";
    TooDeep, "too-deep", "A packet in more encapsulations than the depth limit.";
    Ambiguous, "ambiguous-stream", "A TCP stream whose retransmission differs from what was sent before.";
    StreamGap, "stream-gap", "A TCP stream with bytes missing at its start.";
    OneWay, "one-way", "A flow of which only one direction was seen.";
    Truncated, "truncated", "A frame that was cut by the capture's snap length.";
    FragmentLost, "fragment-lost", "An IP datagram of which fragments never came.";
}
