//! Names of the shared captures against an oracle. A naive reader of capture files stands in for the pipeline: no tunnels, no
//! fragments, no reassembly beyond arrival order; rows that it cannot reach are counted apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::super::testing::Notes;
use super::super::{DNS, Dissector, Progress};
use super::input;
use crate::dissect::{Carrier, Direction, DissectorDef, Input, Probe, arp, dhcp, dhcp6, nd, netbios};
use crate::net::{Endpoint, Mac};

type Pair = (BTreeSet<(IpAddr, u16)>, String);

fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    path.is_dir().then_some(path)
}

fn u32_of(bytes: &[u8], at: usize, big: bool) -> Option<u32> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}

/// Frames with their link type, from classic pcap and from the common blocks of pcapng.
fn frames(file: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut frames = Vec::new();
    if file.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        let big = u32_of(file, 8, true)? == 0x1a2b_3c4d;
        let (mut at, mut links) = (0, Vec::new());
        while let (Some(kind), Some(len)) = (u32_of(file, at, big), u32_of(file, at + 4, big)) {
            match kind {
                1 => links.push(if big { u32_of(file, at + 8, big)? >> 16 } else { u32_of(file, at + 8, big)? & 0xffff }),
                6 => {
                    let link = *links.get(u32_of(file, at + 8, big)? as usize)?;
                    let len = u32_of(file, at + 20, big)? as usize;
                    frames.push((link, file.get(at + 28..at + 28 + len)?));
                }
                _ => {}
            }
            at += len.max(12) as usize;
        }
        return Some(frames);
    }
    let big = match u32_of(file, 0, true)? {
        0xa1b2_c3d4 | 0xa1b2_3c4d => true,
        0xd4c3_b2a1 | 0x4d3c_b2a1 => false,
        _ => return None,
    };
    let link = u32_of(file, 20, big)? & 0xffff;
    let mut at = 24;
    while let Some(len) = u32_of(file, at + 8, big) {
        let Some(frame) = file.get(at + 16..at + 16 + len as usize) else { break };
        frames.push((link, frame));
        at += 16 + len as usize;
    }
    Some(frames)
}

/// One direction of one flow: what was not consumed yet, and how much is needed.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    need: usize,
    next_seq: Option<u32>,
}

#[derive(Default)]
struct Flow {
    dissector: Option<Box<dyn Dissector>>,
    held: HashMap<Endpoint, Held>,
}

/// The dissectors in question; DNS comes before the others as in the table.
const DEFS: [&DissectorDef; 6] = [&DNS, &dhcp::DHCP, &dhcp6::DHCP6, &netbios::NETBIOS, &arp::ARP, &nd::ND];

#[derive(Default)]
struct Harness {
    flows: HashMap<(u8, BTreeSet<(IpAddr, u16)>), Flow>,
    pairs: BTreeSet<Pair>,
    answers: BTreeSet<String>,
    bindings: BTreeSet<String>,
}

impl Harness {
    fn frame(&mut self, link: u32, frame: &[u8]) {
        let mac = frame.get(6..12).filter(|_| link == 1).map(|m| Mac(m.try_into().expect("six")));
        let nowhere = Endpoint { addr: IpAddr::from([0; 4]), port: 0 };
        if link == 1 && frame.get(12..14) == Some(&[8, 6]) {
            return self.segment(Carrier::Arp, (nowhere, nowhere), mac, None, &frame[14..]);
        }
        let packet = match link {
            1 => SlicedPacket::from_ethernet(frame),
            0 => SlicedPacket::from_ip(frame.get(4..).unwrap_or(&[])),
            12 | 14 | 101 | 228 | 229 => SlicedPacket::from_ip(frame),
            113 => SlicedPacket::from_linux_sll(frame),
            _ => return,
        };
        let Ok(packet) = packet else { return };
        let (src, dst): (IpAddr, IpAddr) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) if !ip.header().is_fragmenting_payload() => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            _ => return,
        };
        match &packet.transport {
            Some(TransportSlice::Icmpv6(icmp)) => {
                let ends = (Endpoint { addr: src, port: 0 }, Endpoint { addr: dst, port: 0 });
                self.segment(Carrier::Icmp6, ends, mac, None, icmp.slice());
            }
            Some(TransportSlice::Udp(udp)) => {
                let ends = (Endpoint { addr: src, port: udp.source_port() }, Endpoint { addr: dst, port: udp.destination_port() });
                self.segment(Carrier::Udp, ends, mac, None, udp.payload());
            }
            Some(TransportSlice::Tcp(tcp)) => {
                let ends = (Endpoint { addr: src, port: tcp.source_port() }, Endpoint { addr: dst, port: tcp.destination_port() });
                self.segment(Carrier::Tcp, ends, mac, Some(tcp.sequence_number()), tcp.payload());
            }
            _ => {}
        }
    }

    fn segment(&mut self, carrier: Carrier, (src, dst): (Endpoint, Endpoint), src_mac: Option<Mac>, seq: Option<u32>, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        let ends = BTreeSet::from([(src.addr, src.port), (dst.addr, dst.port)]);
        let flow = self.flows.entry((carrier as u8, ends.clone())).or_default();
        let held = flow.held.entry(src).or_default();
        if let Some(seq) = seq {
            if held.next_seq.is_some_and(|next| next != seq) {
                return;
            }
            held.next_seq = Some(seq.wrapping_add(payload.len() as u32));
        } else {
            held.bytes.clear();
            held.need = 0;
        }
        held.bytes.extend(payload);
        let bytes = held.bytes.clone();
        let input = Input { carrier, src, dst, src_mac, direction: Direction::Forward, ..input(carrier, &bytes) };
        if flow.dissector.is_none() {
            flow.dissector = DEFS
                .into_iter()
                .find(|def| def.carriers.contains(&carrier) && (def.probe)(&input) == Probe::Match)
                .map(|def| (def.start)());
        }
        let Some(dissector) = flow.dissector.as_mut().filter(|_| bytes.len() >= held.need) else { return };
        let mut notes = Notes::default();
        if let Progress::Continue { consumed, need } = dissector.read(&input, &mut notes) {
            held.bytes.drain(..consumed);
            held.need = need;
        }
        self.answers.extend(notes.seen.iter().flat_map(|s| s.answers.clone()));
        self.bindings.extend(notes.seen.iter().flat_map(|s| s.bindings.clone()));
        let names = notes.seen.iter().filter_map(|s| s.field("dns.qname"));
        self.pairs.extend(names.map(|n| n.trim_end_matches('.').to_lowercase()).filter(|n| !n.is_empty()).map(|n| (ends.clone(), n)));
    }
}

/// Captures whose rows lie in tunnels or fragments, or whose frames are damaged below DNS: out of this reader's reach.
const OUT_OF_REACH: &[&str] = &["gre-sample", "vxlan.pcap", "6in4tunnel", "dns_fragmented", "ip6_fragments", "http_connect"];

fn read(file: &str) -> Option<Harness> {
    let bytes = std::fs::read(shared()?.join(file)).ok()?;
    let mut harness = Harness::default();
    for (link, frame) in frames(&bytes).unwrap_or_default() {
        harness.frame(link, frame);
    }
    Some(harness)
}

#[test]
fn what_the_shared_captures_bind() {
    for (file, expected) in [
        ("peers/FoxIO-LLC+ja4/dhcp.pcapng", "dhcp 00:0b:82:01:fc:42 192.168.0.10 3600s"),
        ("peers/FoxIO-LLC+ja4/dhcpv6.pcap", "nd 08:00:27:fe:8f:95 fe80::a00:27ff:fefe:8f95"),
        ("wechat/negative-1kxun.pcap", "dhcp 48:d2:24:63:31:00 192.168.5.44 60s"),
        ("wechat/negative-1kxun.pcap", "dhcp-request 48:d2:24:63:0a:de 192.168.5.41 name=kevin-PC class=MSFT 5.0"),
        ("wechat/web-wechat.pcap", "netbios 192.168.1.100 name=GIOVANNI-PC"),
        ("peers/arkime+arkime/pcap__v6-http.pcap", "nd 00:11:25:82:95:b5 fe80::211:25ff:fe82:95b5 router"),
        ("peers/arkime+arkime/pcap__v6-http.pcap", "mdns 00:d0:09:e3:e8:de 2001:6f8:102d:0:2d0:9ff:fee3:e8de name=linux.local"),
    ] {
        let Some(harness) = read(file) else {
            eprintln!("skipped: no {file}");
            continue;
        };
        assert!(harness.bindings.contains(expected), "{file}: {:?}", harness.bindings);
    }
}

/// Hostile messages: what must be reported, and what there must not be.
#[test]
fn hostile_messages() {
    for (file, names) in [
        ("n01_compression_loops", &[][..]),
        ("n02_amplified_name", &[]),
        ("n03_counts_lie", &["a"]),
        ("n04_name_bytes", &["*.qq.com", "a\\.b.qq.com", "a\\\\b.qq.com", "x\\010y.qq.com", "\\027[31m.qq.com"]),
        ("n05_tcp_len_split", &["weixin.qq.com"]),
    ] {
        let Some(harness) = read(&format!("hostile/made/{file}.pcap")) else {
            eprintln!("skipped: no {file}");
            continue;
        };
        let got: BTreeSet<&str> = harness.pairs.iter().map(|p| p.1.as_str()).collect();
        assert!(names.iter().all(|n| got.contains(n)), "{file}: {got:?}");
        assert!(got.iter().all(|n| n.len() <= 253 && !n.chars().any(|c| c.is_ascii_control())), "{file}: {got:?}");
        assert!(got.len() <= 12 && harness.answers.is_empty(), "{file}: {got:?}");
    }
}

#[test]
fn names_of_the_shared_captures() {
    let Some(root) = shared() else {
        eprintln!("skipped: no shared captures");
        return;
    };
    let mut expected: BTreeMap<String, BTreeSet<Pair>> = BTreeMap::new();
    let rows = std::fs::read_to_string(root.join("oracle/tshark/tshark.jsonl")).expect("oracle");
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).expect("row");
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        let names = expected.entry(text("file")).or_default();
        if row["kind"] == "dns" {
            let end = |addr, port| Some((text(addr).parse().ok()?, text(port).parse().ok()?));
            let (Some(src), Some(dst)) = (end("src", "sport"), end("dst", "dport")) else { continue };
            let name = text("name").trim_end_matches('.').to_lowercase();
            if !name.is_empty() {
                names.insert((BTreeSet::from([src, dst]), name));
            }
        }
    }
    let (mut want, mut hit, mut got) = (0, 0, 0);
    for (file, expected) in &expected {
        if OUT_OF_REACH.iter().any(|out| file.contains(out)) {
            continue;
        }
        let Some(harness) = read(file) else { continue };
        // What tshark prints in place of a name that it cannot read is no name.
        let is_name = |pair: &&Pair| !pair.1.starts_with('<');
        let (w, h, g) =
            (expected.iter().filter(is_name).count(), expected.intersection(&harness.pairs).filter(is_name).count(), harness.pairs.len());
        if w != h || g != h {
            let missed: Vec<_> = expected.difference(&harness.pairs).map(|p| &p.1).collect();
            let extra: Vec<_> = harness.pairs.difference(expected).map(|p| &p.1).collect();
            eprintln!("{file}: {h} of {w}, {g} said; missed {missed:?}; extra {extra:?}");
        }
        (want, hit, got) = (want + w, hit + h, got + g);
    }
    eprintln!("names: {hit} of {want} found, {got} said");
    assert!(hit * 100 >= want * 96 && hit * 100 >= got * 98, "{hit} of {want}, {got} said");
}
