//! DNS messages: header, questions, resource records (RFC 1035 section 4).

use std::borrow::Cow;

use super::name::Name;
use super::wire::{array_at, u16_at, u32_at};
use crate::limits::DNS_RECORDS_MAX;

/// Octets of the header.
pub const HEADER_LEN: usize = 12;

/// Record types that the code itself needs.
pub mod rtype {
    pub const A: u16 = 1;
    pub const CNAME: u16 = 5;
    pub const AAAA: u16 = 28;
    pub const OPT: u16 = 41;
    pub const SVCB: u16 = 64;
    pub const HTTPS: u16 = 65;
}

/// IANA "DNS Resource Record TYPEs": those that occur in traffic.
const TYPE_NAMES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (32, "NIMLOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
];

/// The name of a record type; `TYPE4711` where it has none (RFC 3597 section 5).
pub fn type_name(code: u16) -> Cow<'static, str> {
    match TYPE_NAMES.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => Cow::Borrowed(*name),
        None => Cow::Owned(format!("TYPE{code}")),
    }
}

/// Whether a record type is one that occurs in traffic.
pub fn is_known_type(code: u16) -> bool {
    TYPE_NAMES.iter().any(|(known, _)| *known == code)
}

/// Response codes as `dns.rcode` says them (RFC 1035 section 4.1.1, RFC 2136 section 2.2, RFC 6891 section 9).
pub const RCODES: &[&str] = &[
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
    "BADVERS",
    "other",
];

/// The name of a response code.
pub fn rcode_name(code: u16) -> &'static str {
    let known = match code {
        0..=11 => RCODES.get(usize::from(code)),
        16 => RCODES.get(12),
        _ => None,
    };
    known.copied().unwrap_or("other")
}

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    flags: u16,
    /// Questions, answers, authorities, additionals, as claimed.
    pub counts: [u16; 4],
}

impl Header {
    /// Reads the first 12 octets.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let head: [u8; HEADER_LEN] = array_at(bytes, 0)?;
        let at = |i| u16_at(&head, i);
        Some(Header { flags: at(2)?, counts: [at(4)?, at(6)?, at(8)?, at(10)?] })
    }

    /// The QR bit: it answers.
    pub const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// 0 query, 4 notify, 5 update.
    pub const fn opcode(&self) -> u16 {
        self.flags >> 11 & 0xf
    }

    /// The low four bits of the response code.
    pub const fn rcode(&self) -> u16 {
        self.flags & 0xf
    }

    /// The reserved bit, which is zero (RFC 6895 section 2).
    pub const fn reserved(&self) -> bool {
        self.flags & 0x40 != 0
    }

    /// Questions, as claimed.
    pub const fn questions(&self) -> u16 {
        let [questions, ..] = self.counts;
        questions
    }
}

/// One entry of the question section.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is asked about.
    pub name: Name<'a>,
    /// The record type asked for; `None` when the message is cut behind the name.
    pub qtype: Option<u16>,
    /// The class; with mDNS the top bit asks for a unicast answer.
    pub class: Option<u16>,
}

/// The sections of resource records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Answers the question.
    Answer,
    /// Points at other servers.
    Authority,
    /// May be useful.
    Additional,
}

/// A resource record.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The section that it stands in.
    pub section: Section,
    /// Its owner.
    pub name: Name<'a>,
    /// Its type.
    pub rtype: u16,
    /// Its class; with OPT a size, with mDNS the top bit is the cache-flush bit.
    pub class: u16,
    /// Time to live in seconds; with OPT flags.
    pub ttl: u32,
    /// Offset of its data in the message.
    pub data_at: usize,
    /// Length of its data.
    pub data_len: usize,
}

/// A message, read as far as it is well formed.
#[derive(Debug)]
pub struct Message<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Its header.
    pub header: Header,
    /// Its first question: nearly every message has one and no other.
    pub first: Option<Question<'a>>,
    /// Questions that were read, at most [`DNS_RECORDS_MAX`].
    asked: usize,
    second_at: Option<usize>,
    records_at: Option<usize>,
}

impl<'a> Message<'a> {
    /// Reads header and questions; `None` without a header, or without the first question that the header claims.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let header = Header::parse(bytes)?;
        let claimed = usize::from(header.questions());
        if claimed == 0 {
            return Some(Message { bytes, header, first: None, asked: 0, second_at: None, records_at: Some(HEADER_LEN) });
        }
        let (first, second_at) = read_question(bytes, HEADER_LEN)?;
        let (mut asked, mut at) = (1, second_at);
        while asked < claimed.min(DNS_RECORDS_MAX)
            && let Some((_, next)) = at.and_then(|at| read_question(bytes, at))
        {
            (asked, at) = (asked + 1, next);
        }
        let records_at = at.filter(|_| asked == claimed);
        Some(Message { bytes, header, first: Some(first), asked, second_at, records_at })
    }

    /// Its questions behind the first one.
    pub fn more_questions(&self) -> impl Iterator<Item = Question<'a>> + use<'a> {
        let (bytes, mut at) = (self.bytes, self.second_at);
        let next = move || {
            let (question, behind) = read_question(bytes, at?)?;
            at = behind;
            Some(question)
        };
        std::iter::from_fn(next).take(self.asked.saturating_sub(1))
    }

    /// Its resource records, section by section, at most [`DNS_RECORDS_MAX`], as far as they are well formed.
    pub fn records(&self) -> Records<'a> {
        let [_, answers, authorities, additionals] = self.header.counts;
        let left = [answers, authorities, additionals].map(usize::from);
        Records { bytes: self.bytes, at: self.records_at, left, budget: DNS_RECORDS_MAX }
    }

    /// Whether it claims more questions or records than are read.
    pub fn over_limit(&self) -> bool {
        let [questions, records @ ..] = self.header.counts.map(usize::from);
        questions > DNS_RECORDS_MAX && self.asked == DNS_RECORDS_MAX || {
            records.iter().sum::<usize>() > DNS_RECORDS_MAX && self.records().count() == DNS_RECORDS_MAX
        }
    }

    /// Whether every record that the header claims is there and nothing follows.
    pub fn is_exact(&self) -> bool {
        let mut records = self.records();
        let read = records.by_ref().count();
        let [_, claimed @ ..] = self.header.counts.map(usize::from);
        read == claimed.iter().sum::<usize>() && records.at == Some(self.bytes.len())
    }

    /// The whole response code: with EDNS eight more bits stand in the TTL of the OPT record (RFC 6891 section 6.1.3).
    pub fn rcode(&self) -> u16 {
        let [.., additionals] = self.header.counts;
        // Without a section for it there is none: the answers need not be walked.
        let opt = (additionals > 0).then(|| self.records().find(|r| r.rtype == rtype::OPT && r.section == Section::Additional));
        let [high, ..] = opt.flatten().map_or(0, |r| r.ttl).to_be_bytes();
        self.header.rcode() | u16::from(high) << 4
    }

    /// The data of a record.
    pub fn data(&self, record: &Resource<'_>) -> &'a [u8] {
        self.bytes.get(record.data_at..).and_then(|b| b.get(..record.data_len)).unwrap_or(&[])
    }
}

/// A question and the offset behind it; none when the message is cut behind the name, which counts all the same.
fn read_question(bytes: &[u8], at: usize) -> Option<(Question<'_>, Option<usize>)> {
    let (name, at) = Name::read(bytes, at)?;
    let question = Question { name, qtype: u16_at(bytes, at), class: u16_at(bytes, at.checked_add(2)?) };
    Some((question, question.class.and(at.checked_add(4))))
}

fn read_record(bytes: &[u8], at: usize, section: Section) -> Option<(Resource<'_>, usize)> {
    let (name, at) = Name::read(bytes, at)?;
    let field = |offset: usize| at.checked_add(offset);
    let data_at = field(10)?;
    let data_len = usize::from(u16_at(bytes, field(8)?)?);
    let end = data_at.checked_add(data_len)?;
    bytes.get(data_at..end)?;
    let record = Resource {
        section,
        name,
        rtype: u16_at(bytes, at)?,
        class: u16_at(bytes, field(2)?)?,
        ttl: u32_at(bytes, field(4)?)?,
        data_at,
        data_len,
    };
    Some((record, end))
}

/// See [`Message::records`].
pub struct Records<'a> {
    bytes: &'a [u8],
    /// Where the next record begins; `None` when the rest cannot be found.
    at: Option<usize>,
    left: [usize; 3],
    budget: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Resource<'a>;

    fn next(&mut self) -> Option<Resource<'a>> {
        let at = self.at?;
        self.budget = self.budget.checked_sub(1)?;
        let sections = [Section::Answer, Section::Authority, Section::Additional];
        let (section, left) = sections.into_iter().zip(self.left.iter_mut()).find(|(_, left)| **left > 0)?;
        *left -= 1;
        let read = read_record(self.bytes, at, section);
        self.at = read.map(|(_, end)| end);
        read.map(|(record, _)| record)
    }
}
