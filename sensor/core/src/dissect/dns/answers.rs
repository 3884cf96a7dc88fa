//! What an answer teaches: the addresses of the name that was asked for, and what HTTPS records say about it.

use std::net::IpAddr;

use super::message::{Message, Question, Resource, Section, rtype};
use super::name::Name;
use super::wire::{ipv4_at, ipv6_at, u16_at};
use crate::record::Answer;

/// Names in one CNAME chain. Resolvers in use follow between 8 and 16.
const CHAIN_MAX: usize = 16;

/// SvcParamKeys (RFC 9460 section 14.3.2).
const KEY_ALPN: u16 = 1;
const KEY_IPV4HINT: u16 = 4;
const KEY_ECH: u16 = 5;
const KEY_IPV6HINT: u16 = 6;

/// The class Internet.
const CLASS_IN: u16 = 1;

/// Shows every address in the answer section that belongs to `question`: of its own name or of one that its CNAMEs (in any order)
/// lead to, always under the name that was asked for. Records of other sections are glue and teach nothing.
pub fn answers(message: &Message<'_>, question: &Question<'_>, see: &mut dyn FnMut(Answer<'_>)) {
    if !message.header.is_response() || message.header.opcode() != 0 || message.header.rcode() != 0 {
        return;
    }
    let records = answer_section(message);
    let chain = chain(message, &records, question);
    let name = question.name.text();
    for record in records.iter().filter(|r| chain.iter().any(|n| n.same(&r.name))) {
        let mut show = |addr: IpAddr| {
            if is_host(addr) {
                see(Answer { name: &name, addr, ttl_secs: record.ttl });
            }
        };
        match record.rtype {
            rtype::A | rtype::AAAA => address(message, record).into_iter().for_each(show),
            rtype::HTTPS | rtype::SVCB => {
                if let Some(service) = Service::parse(message, record) {
                    service.hints().for_each(&mut show);
                }
            }
            _ => {}
        }
    }
}

/// The address in an A or AAAA record.
pub fn address(message: &Message<'_>, record: &Resource<'_>) -> Option<IpAddr> {
    let data = message.data(record);
    match (record.rtype, data.len()) {
        (rtype::A, 4) => ipv4_at(data, 0).map(IpAddr::V4),
        (rtype::AAAA, 16) => ipv6_at(data, 0).map(IpAddr::V6),
        _ => None,
    }
}

/// Block lists answer with the unspecified or a loopback address: that is nobody's.
pub fn is_host(addr: IpAddr) -> bool {
    let broadcast = matches!(addr, IpAddr::V4(a) if a.is_broadcast());
    !(addr.is_unspecified() || addr.is_loopback() || addr.is_multicast() || broadcast)
}

fn answer_section<'a>(message: &Message<'a>) -> Vec<Resource<'a>> {
    message.records().take_while(|r| r.section == Section::Answer).filter(|r| r.class & 0x7fff == CLASS_IN).collect()
}

/// The name asked for and what CNAMEs and alias-mode service records (RFC 9460 section 2.4.2) make of it.
fn chain<'a>(message: &Message<'a>, records: &[Resource<'a>], question: &Question<'a>) -> Vec<Name<'a>> {
    let mut chain = vec![question.name];
    let mut next = 0;
    while let Some(name) = chain.get(next).copied() {
        next += 1;
        for target in records.iter().filter(|r| r.name.same(&name)).filter_map(|r| alias(message, r)) {
            if chain.len() < CHAIN_MAX && !chain.iter().any(|n| n.same(&target)) {
                chain.push(target);
            }
        }
    }
    chain
}

fn alias<'a>(message: &Message<'a>, record: &Resource<'_>) -> Option<Name<'a>> {
    match record.rtype {
        rtype::CNAME => Name::read(message.bytes, record.data_at).map(|(name, _)| name),
        rtype::HTTPS | rtype::SVCB => {
            let service = Service::parse(message, record)?;
            (!service.target.is_root()).then_some(service.target)
        }
        _ => None,
    }
}

/// An SVCB or HTTPS record (RFC 9460 section 2.2).
pub struct Service<'a> {
    target: Name<'a>,
    params: &'a [u8],
}

impl<'a> Service<'a> {
    /// Reads priority, target and parameters; `None` when they do not fill the record exactly.
    pub fn parse(message: &Message<'a>, record: &Resource<'_>) -> Option<Service<'a>> {
        let data = message.data(record);
        u16_at(data, 0)?;
        let (target, at) = Name::read(data, 2)?;
        let service = Service { target, params: data.get(at..)? };
        let len: usize = service.params().map(|(_, value)| value.len() + 4).sum();
        (len == service.params.len()).then_some(service)
    }

    fn params(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.params;
        std::iter::from_fn(move || {
            let (key, len) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
            let (value, tail) = rest.get(4..)?.split_at_checked(len)?;
            rest = tail;
            Some((key, value))
        })
    }

    /// Addresses in ipv4hint and ipv6hint.
    pub fn hints(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        self.params().flat_map(|(key, value)| {
            let size = match key {
                KEY_IPV4HINT => 4,
                KEY_IPV6HINT => 16,
                _ => usize::MAX,
            };
            value
                .chunks_exact(size)
                .filter_map(move |chunk| if size == 4 { ipv4_at(chunk, 0).map(IpAddr::V4) } else { ipv6_at(chunk, 0).map(IpAddr::V6) })
        })
    }

    /// Protocol ids in alpn, in order.
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.params().filter(|(key, _)| *key == KEY_ALPN).flat_map(|(_, mut value)| {
            std::iter::from_fn(move || {
                let (len, rest) = value.split_first()?;
                let (id, rest) = rest.split_at_checked(usize::from(*len))?;
                value = rest;
                Some(id)
            })
        })
    }

    /// Whether it carries an ECH configuration (RFC 9848).
    pub fn has_ech(&self) -> bool {
        self.params().any(|(key, value)| key == KEY_ECH && !value.is_empty())
    }
}

/// The service records of the answer section.
pub fn services<'m>(message: &'m Message<'_>) -> impl Iterator<Item = Service<'m>> {
    let records = message.records().take_while(|r| r.section == Section::Answer);
    records.filter(|r| matches!(r.rtype, rtype::HTTPS | rtype::SVCB)).filter_map(|r| Service::parse(message, &r))
}
