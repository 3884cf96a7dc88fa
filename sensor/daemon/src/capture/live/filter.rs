//! What the kernel passes on.

/// A filter in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Everything.
    All,
    /// What opens conversations and tells addresses and names; bulk payload is dropped by the kernel.
    Handshakes,
    /// What a pcap filter says (pcap-filter(7)).
    Bpf(String),
}

/// Payload of TCP over IPv4 begins here.
const PAYLOAD: &str = "((tcp[12] & 0xf0) >> 2)";

impl Filter {
    /// The text for the filter compiler.
    pub fn text(&self) -> Option<String> {
        match self {
            Filter::All => None,
            Filter::Handshakes => Some(handshakes()),
            Filter::Bpf(text) => Some(text.clone()),
        }
    }
}

/// The same outside and inside one VLAN tag. In this language `vlan` shifts every offset after it, so the tagged half comes last.
fn handshakes() -> String {
    let one = conversation();
    format!("({one}) or (vlan and ({one}))")
}

/// What passes: everything that is neither TCP nor UDP (ARP, ICMPv6, fragments, tunnels); TCP that opens, closes, or begins like a TLS
/// handshake record, an MMTLS record or an HTTP message; UDP with addresses and names, and QUIC long headers. Over IPv6 the filter
/// language cannot look into TCP, so small segments pass and large ones do not, but for the first kilobytes of a hello.
fn conversation() -> String {
    let byte = |value: &str| format!("tcp[{PAYLOAD}] = {value}");
    let records = ["0x15", "0x16", "0x17", "0x18", "0x19"].map(|kind| format!("({} and tcp[{PAYLOAD} + 1] = 0xf1)", byte(kind)));
    let methods = ["0x47", "0x48", "0x50", "0x43", "0x4f"].map(byte);
    let ports = ["53", "67", "68", "137", "546", "547", "5353", "5355"].map(|port| format!("udp port {port}"));
    [
        "not (tcp or udp)".to_string(),
        "tcp[13] & 0x07 != 0".to_string(),
        byte("0x16"),
        records.join(" or "),
        methods.join(" or "),
        "(ip6 and tcp)".to_string(),
        ports.join(" or "),
        "(udp and not ip6 and udp[8] & 0x80 != 0)".to_string(),
        "(udp and udp[8] = 0x16)".to_string(),
        "(ip6 and udp)".to_string(),
    ]
    .join(" or ")
}
