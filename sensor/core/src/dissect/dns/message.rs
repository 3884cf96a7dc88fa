//! One DNS message: header, questions, and the answer section. Bounded, tolerant of a cut end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits::DNS_RECORDS_MAX;

use super::name;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;

/// Aliases of one name that are followed.
const CHAIN_MAX: usize = 16;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Vec<u8>,
    pub(super) kind: u16,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Data {
    Address(IpAddr),
    Alias(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    owner: Vec<u8>,
    ttl_secs: u32,
    data: Data,
}

/// A message as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) response: bool,
    pub(super) rcode: u8,
    opcode: u8,
    class_ok: bool,
    pub(super) questions: Vec<Question>,
    answers: Vec<Record>,
    /// More records were announced than are read.
    pub(super) cut: bool,
}

struct Header {
    flags: u16,
    counts: [u16; 4],
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Header> {
        let counts = [be16(bytes, 4)?, be16(bytes, 6)?, be16(bytes, 8)?, be16(bytes, 10)?];
        Some(Header { flags: be16(bytes, 2)?, counts })
    }

    /// Standard query, notify or update; the reserved bit zero; some question, or some answer.
    fn fits(&self) -> bool {
        let opcode = self.flags >> 11 & 0xf;
        let reserved = self.flags & 0x0040;
        matches!(opcode, 0 | 4 | 5) && reserved == 0 && (self.counts[0] > 0 || (self.flags & 0x8000 != 0 && self.counts[1] > 0))
    }
}

impl Message {
    /// Whether these bytes may begin a message.
    pub(super) fn header_fits(bytes: &[u8]) -> bool {
        Header::parse(bytes).is_some_and(|h| h.fits())
    }

    /// Reads a message. `None` when header or a question makes no sense.
    pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
        let header = Header::parse(bytes).filter(Header::fits)?;
        let [questions, answers, ..] = header.counts;
        let opcode = u8::try_from(header.flags >> 11 & 0xf).ok()?;
        let rcode = u8::try_from(header.flags & 0xf).ok()?;
        let mut message = Message { response: header.flags & 0x8000 != 0, rcode, opcode, class_ok: true, ..Message::default() };
        message.cut = usize::from(questions).max(usize::from(answers)) > DNS_RECORDS_MAX;
        let mut at = 12;
        for _ in 0..usize::from(questions).min(DNS_RECORDS_MAX) {
            let Some((name, after)) = name::read(bytes, at) else {
                // The first question must be readable, later ones may lie beyond a cut.
                return if message.questions.is_empty() { None } else { Some(message) };
            };
            let Some(kind) = be16(bytes, after) else {
                return if message.questions.is_empty() { None } else { Some(message) };
            };
            // A message that is cut in the class still says what is asked for.
            let class = be16(bytes, after + 2).unwrap_or(0);
            // The top bit asks for a unicast answer (RFC 6762 section 5.4); 255 is any.
            message.class_ok &= matches!(class & 0x7fff, 1 | 255);
            message.questions.push(Question { name, kind });
            at = after + 4;
        }
        for _ in 0..usize::from(answers).min(DNS_RECORDS_MAX) {
            let Some(next) = message.record(bytes, at) else { break };
            at = next;
        }
        Some(message)
    }

    /// Whether it is beyond doubt on a port where nobody expects DNS: one question of a known type in the Internet class, with a
    /// name of host characters.
    pub(super) fn is_plain(&self) -> bool {
        let host = |q: &Question| {
            let ok = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'*');
            q.name.len() >= 3 && q.name.contains(&b'.') && q.name.iter().all(ok) && matches!(q.kind, 1..=52 | 64 | 65 | 99 | 255 | 257)
        };
        self.opcode == 0 && self.class_ok && matches!(&self.questions[..], [one] if host(one)) && self.rcode <= 5
    }

    fn record(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let (owner, after) = name::read(bytes, at)?;
        let kind = be16(bytes, after)?;
        let class = be16(bytes, after + 2)? & 0x7fff;
        let ttl_secs = be32(bytes, after + 4)?;
        let length = usize::from(be16(bytes, after + 8)?);
        let start = after + 10;
        let data = bytes.get(start..start + length)?;
        if class == 1 {
            for data in parse_data(bytes, kind, start, data) {
                self.answers.push(Record { owner: owner.clone(), ttl_secs, data });
            }
        }
        Some(start + length)
    }

    /// Shows the addresses of a name: its own, and those of its aliases. Only the answer section counts.
    pub(super) fn addresses_of(&self, name: &[u8], see: &mut dyn FnMut(IpAddr, u32)) {
        let mut owners: Vec<&[u8]> = vec![name];
        for _ in 0..CHAIN_MAX {
            let known = owners.len();
            for record in &self.answers {
                if let Data::Alias(target) = &record.data
                    && owners.iter().any(|o| o.eq_ignore_ascii_case(&record.owner))
                    && !owners.iter().any(|o| o.eq_ignore_ascii_case(target))
                {
                    owners.push(target);
                }
            }
            if owners.len() == known || owners.len() > CHAIN_MAX {
                break;
            }
        }
        for record in &self.answers {
            if let Data::Address(addr) = record.data
                && owners.iter().any(|o| o.eq_ignore_ascii_case(&record.owner))
            {
                see(addr, record.ttl_secs);
            }
        }
    }

    /// Shows names with their addresses in the answers of a multicast response: hosts speak of themselves.
    pub(super) fn own_addresses(&self, see: &mut dyn FnMut(&[u8], IpAddr)) {
        for record in self.answers.iter().filter(|_| self.response) {
            if let Data::Address(addr) = record.data {
                see(&record.owner, addr);
            }
        }
    }
}

fn parse_data(message: &[u8], kind: u16, start: usize, data: &[u8]) -> Vec<Data> {
    match kind {
        A => {
            data.first_chunk::<4>().filter(|_| data.len() == 4).map(|b| Data::Address(IpAddr::V4(Ipv4Addr::from(*b)))).into_iter().collect()
        }
        AAAA => data
            .first_chunk::<16>()
            .filter(|_| data.len() == 16)
            .map(|b| Data::Address(IpAddr::V6(Ipv6Addr::from(*b))))
            .into_iter()
            .collect(),
        CNAME => name::read(message, start).map(|(target, _)| Data::Alias(target)).into_iter().collect(),
        SVCB | HTTPS => hints(message, start, data).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Address hints and the alias form of SVCB and HTTPS records (RFC 9460 sections 2.2, 7.3).
fn hints(message: &[u8], start: usize, data: &[u8]) -> Option<Vec<Data>> {
    let priority = be16(data, 0)?;
    let (target, after) = name::read(message, start + 2)?;
    let mut found = Vec::new();
    if priority == 0 && !target.is_empty() {
        return Some(vec![Data::Alias(target)]);
    }
    let mut rest = data.get(after.checked_sub(start)?..)?;
    for _ in 0..32 {
        let (Some(key), Some(length)) = (be16(rest, 0), be16(rest, 2)) else { break };
        let Some(value) = rest.get(4..4 + usize::from(length)) else { break };
        match key {
            4 => found.extend(value.as_chunks::<4>().0.iter().take(8).map(|b| Data::Address(IpAddr::V4(Ipv4Addr::from(*b))))),
            6 => found.extend(value.as_chunks::<16>().0.iter().take(8).map(|b| Data::Address(IpAddr::V6(Ipv6Addr::from(*b))))),
            _ => {}
        }
        rest = rest.get(4 + usize::from(length)..).unwrap_or(&[]);
    }
    Some(found)
}
