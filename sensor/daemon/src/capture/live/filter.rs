//! What the kernel shall deliver: everything, a filter of the operator's, or everything but bulk payload.

/// Which frames a ring asks the kernel for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Every frame.
    #[default]
    All,
    /// Everything but bulk payload.
    Handshakes,
    /// What a filter in libpcap's language (pcap-filter(7)) lets through.
    Bpf(String),
}

/// Frames up to this many bytes pass the filter `handshakes` whatever they hold: segments of a bulk transfer are larger (1,514 on
/// Ethernet), the last segment of a ClientHello with post-quantum keys is smaller.
pub const SMALL_MAX: u32 = 1_000;

impl Filter {
    /// The filter in libpcap's language; `None` when every frame passes.
    pub fn expression(&self) -> Option<String> {
        match self {
            Filter::All => None,
            Filter::Handshakes => Some(handshakes()),
            Filter::Bpf(text) => Some(text.trim().to_string()).filter(|t| !t.is_empty()),
        }
    }

    /// Whether it is a filter at all, for Ethernet interfaces.
    ///
    /// # Errors
    /// What libpcap does not understand.
    pub fn check(&self) -> Result<(), String> {
        let Some(expression) = self.expression() else { return Ok(()) };
        let compiled = ::pcap::Capture::dead(::pcap::Linktype::ETHERNET).and_then(|dead| dead.compile(&expression, true));
        compiled.map(drop).map_err(|error| message(&error))
    }
}

/// What libpcap says, without the crate's prefix.
pub(super) fn message(error: &::pcap::Error) -> String {
    match error {
        ::pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

/// How the payload of a TCP segment begins that opens something: what it is, which bits of the first four bytes count, their value.
const OPENINGS: &[(&str, u32, u32)] = &[
    ("a TLS handshake record (RFC 8446 section 5.1)", 0xffff_ff00, 0x1603_0000),
    ("an MMTLS record: types 15 to 19, versions f103 and f104", 0xf0ff_0000, 0x10f1_0000),
    ("GET", 0xffff_ffff, 0x4745_5420),
    ("POST", 0xffff_ffff, 0x504f_5354),
    ("HTTP", 0xffff_ffff, 0x4854_5450),
    ("PUT", 0xffff_ffff, 0x5055_5420),
    ("HEAD", 0xffff_ffff, 0x4845_4144),
    ("CONNECT", 0xffff_ffff, 0x434f_4e4e),
];

/// UDP ports whose large datagrams pass: names (DNS, mDNS, LLMNR, NetBIOS), address assignment (DHCP, DHCPv6), and the tunnels
/// that are looked into (VXLAN, VXLAN-GPE, GENEVE, GTP-U, Teredo, MPLS, TZSP, GRE).
const UDP_PORTS: &[u16] = &[53, 5353, 5355, 137, 138, 67, 68, 546, 547, 4789, 8472, 4790, 6081, 2152, 3544, 6635, 37_008, 4754];

/// How the payload of a UDP datagram begins that opens something.
const UDP_OPENINGS: &[(&str, u32, u32)] = &[
    ("a QUIC long header (RFC 9000 section 17.2)", 0xc000_0000, 0xc000_0000),
    ("a DTLS handshake record (RFC 9147 section 4)", 0xffff_0000, 0x16fe_0000),
];

/// Everything but bulk payload, in libpcap's language. What cannot be told to be bulk passes: small frames, fragments, other protocols
/// than TCP and UDP, what lies behind VLAN tags, labels or in tunnels.
fn handshakes() -> String {
    // The language has no `tcp[...]` for IPv6: the same words with offsets from the IPv6 header, extension headers pass.
    let v4 = large("ip", "tcp[13]", "tcp[(tcp[12] >> 2) & 0x3c:4]", "udp[8:4]");
    let v6 = large("ip6", "ip6[53]", "ip6[40 + ((ip6[52] >> 2) & 0x3c):4]", "ip6[48:4]");
    format!(
        "len <= {SMALL_MAX} or not (ip or ip6) \
         or (ip and (ip[6:2] & 0x3fff != 0 or (ip[9] != 6 and ip[9] != 17) or {v4})) \
         or (ip6 and ((ip6[6] != 6 and ip6[6] != 17) or {v6}))"
    )
}

/// Which large segments and datagrams pass, by the words for the TCP flags and for the first four bytes of either payload.
fn large(ip: &str, flags: &str, tcp: &str, udp: &str) -> String {
    let next = if ip == "ip" { "ip[9]" } else { "ip6[6]" };
    let opens = |word: &str, openings: &[(&str, u32, u32)]| {
        let one = |(_, bits, value): &(&str, u32, u32)| format!("{word} & {bits:#x} = {value:#x}");
        openings.iter().map(one).collect::<Vec<_>>().join(" or ")
    };
    let ports: Vec<String> = UDP_PORTS.iter().map(|port| format!("udp port {port}")).collect();
    let (tcp, udp, ports) = (opens(tcp, OPENINGS), opens(udp, UDP_OPENINGS), ports.join(" or "));
    // SYN, FIN or RST (RFC 9293 section 3.1).
    format!("({next} = 6 and ({flags} & 7 != 0 or {tcp})) or ({next} = 17 and ({ports} or {udp}))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_told() {
        for filter in [Filter::All, Filter::Handshakes, Filter::Bpf("tcp port 443".into()), Filter::Bpf("  ".into())] {
            assert_eq!(filter.check(), Ok(()), "{filter:?}");
        }
        let error = Filter::Bpf("tcp prot 443".into()).check().expect_err("no filter");
        assert!(error.contains("syntax error") || error.contains("parse"), "{error}");
    }

    /// Whether a frame passes the filter.
    fn passes(frame: &[u8]) -> bool {
        let dead = ::pcap::Capture::dead(::pcap::Linktype::ETHERNET).expect("memory");
        let program = dead.compile(&handshakes(), true).expect("a filter");
        program.filter(frame)
    }

    fn v4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((payload.len() as u16 + 20).to_be_bytes());
        frame.extend([0, 1]);
        frame.extend(fragment.to_be_bytes());
        frame.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        [frame, payload.to_vec()].concat()
    }

    fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend((payload.len() as u16).to_be_bytes());
        frame.extend([next, 64]);
        frame.extend([0x20; 32]);
        [frame, payload.to_vec()].concat()
    }

    /// A segment with 12 bytes of options.
    fn tcp(flags: u8, head: &[u8], size: usize) -> Vec<u8> {
        let mut segment = vec![0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, flags, 1, 0, 0, 0, 0, 0];
        segment.extend([1; 12]);
        segment.extend(head);
        segment.resize(32 + size, 0xee);
        segment
    }

    fn udp(dport: u16, head: &[u8], size: usize) -> Vec<u8> {
        let mut datagram = vec![0x9c, 0x40];
        datagram.extend(dport.to_be_bytes());
        datagram.extend([0; 4]);
        datagram.extend(head);
        datagram.resize(8 + size, 0xee);
        datagram
    }

    #[test]
    fn bulk_stays_out_and_openings_pass() {
        const ACK: u8 = 0x10;
        let cases: [(&str, u8, Vec<u8>, bool); 15] = [
            ("bulk", 6, tcp(ACK, &[], 1_448), false),
            ("application data", 6, tcp(ACK, &[0x17, 3, 3, 0x40, 0], 1_448), false),
            ("small", 6, tcp(ACK, &[], 900), true),
            ("hello", 6, tcp(ACK, &[0x16, 3, 1, 7, 0], 1_448), true),
            ("last segment of the data", 6, tcp(ACK | 1, &[], 1_448), true),
            ("MMTLS hello", 6, tcp(ACK, &[0x16, 0xf1, 4, 7, 0], 1_448), true),
            ("MMTLS early data", 6, tcp(ACK, &[0x19, 0xf1, 4, 7, 0], 1_448), true),
            ("request", 6, tcp(ACK, b"POST /mmtls/", 1_448), true),
            ("answer", 6, tcp(ACK, b"HTTP/1.1 200", 1_448), true),
            ("DNS", 17, udp(53, &[], 1_400), true),
            ("VXLAN", 17, udp(4789, &[8, 0, 0, 0], 1_400), true),
            ("QUIC Initial", 17, udp(443, &[0xc3, 0, 0, 0, 1], 1_200), true),
            ("QUIC data", 17, udp(443, &[0x43, 0, 0, 0, 1], 1_200), false),
            ("DTLS hello", 17, udp(9_000, &[0x16, 0xfe, 0xfd], 1_200), true),
            ("GRE", 47, vec![0; 1_400], true),
        ];
        for (what, protocol, payload, expected) in cases {
            assert_eq!(passes(&v4(protocol, 0, &payload)), expected, "{what} over IPv4");
            assert_eq!(passes(&v6(protocol, &payload)), expected, "{what} over IPv6");
        }
        let bulk = tcp(ACK, &[], 1_448);
        assert!(passes(&v4(6, 0x2000, &bulk)) && passes(&v4(6, 0x0080, &bulk)) && passes(&v6(44, &bulk)), "fragments");
        let tagged = [&[2; 12][..], &[0x81, 0, 0, 7], &v4(6, 0, &bulk)[12..]].concat();
        assert!(passes(&tagged), "what lies behind a tag");
    }
}
