//! Frames to packets: every encapsulation that is known is peeled, depth-limited, without copying.
//!
//! Errors are counted by kind, never logged. Must not know flows, dissectors, rules.

mod packet;

pub use packet::{Body, Fragment, Frame, Ip, MacPair, Packet, Payload, Tcp, TcpFlags, Udp};
